"""How every figure looks: one colour a method, one size, the labels of the parameter table."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, LinearSegmentedColormap, LogNorm, to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from galprism.data import CLASSES
from galprism.evaluate.metrics import bin_index, edges

WIDTH = 7.2
"""Inches: the text width of a two-column journal page."""
LETTER, HANDLE = 0.062, 0.65
"""Inches that a letter of a legend takes, and a line with the space around it."""
DPI = 160

CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe & Ito (2008): told apart by colour-blind readers."""
LIMIT_COLOUR = "#333333"
CLASS_COLOUR = {"star": CYCLE[1], "qso": CYCLE[3], "galaxy": CYCLE[0]}
INK = "#222222"
LINES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (3, 1, 1, 1)), "-.", (0, (1, 1)), (0, (7, 2)))

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 8.5,
    "axes.labelsize": 9,
    "legend.fontsize": 7.5,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "axes.linewidth": 0.8,
    "lines.linewidth": 1.5,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.formatter.use_mathtext": True,
    "axes.unicode_minus": True,
}

OUTLINE = [withStroke(linewidth=2.6, foreground="white")]
"""Keeps a line legible over a density."""

FEW = 20
"""Bins with fewer sources are not drawn."""
ENCLOSED = (0.393, 0.865, 0.989)
"""Shares that 1, 2 and 3 sigma of a Gaussian in the plane enclose."""
MANY = 1500
"""From here on a density is drawn in place of points."""


@dataclass(frozen=True)
class Drawing:
    """A finished figure."""

    name: str
    """For a file name."""
    title: str
    caption: str
    png: bytes


@dataclass(frozen=True)
class Look:
    """Which colour and line each method has, the same in every figure of a report."""

    methods: tuple[str, ...]
    limit: str | None = None

    def _place(self, method: str) -> int:
        return [name for name in self.methods if name != self.limit].index(method)

    def colour(self, method: str) -> str:
        return LIMIT_COLOUR if method == self.limit else CYCLE[self._place(method) % len(CYCLE)]

    def line(self, method: str):
        """A matplotlib line style: dotted for the limit. Methods that share a colour have different lines."""
        if method == self.limit:
            return ":"
        place = self._place(method)
        return LINES[(place + place // len(CYCLE)) % len(LINES)]

    def density(self, method: str) -> Colormap:
        """A pale tint of the method's colour to a dark shade of it; lines in ink stay visible on all."""
        colour = np.array(to_rgb(self.colour(method)))
        stops = [0.12 * colour + 0.88, 0.55 * colour + 0.45, colour, 0.55 * colour]
        return LinearSegmentedColormap.from_list(method, stops)


@dataclass(frozen=True)
class ClassLook(Look):
    """Of classes in the place of methods."""

    def colour(self, method: str) -> str:
        return CLASS_COLOUR[method]


CLASS_LOOK = ClassLook(CLASSES)


def new_figure(n_rows: int, n_columns: int, *, row_height: float = 2.7, **options) -> tuple[Figure, np.ndarray]:
    """A page-wide figure with its (n_rows, n_columns) axes."""
    figure = Figure(figsize=(WIDTH, row_height * n_rows), layout="constrained")
    FigureCanvasAgg(figure)
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(w_pad=0.07, h_pad=0.05, wspace=0.03)
    return figure, figure.subplots(n_rows, n_columns, squeeze=False, **options)


def png(figure: Figure) -> bytes:
    """The figure as PNG; the same bytes whenever it is drawn of the same numbers."""
    buffer = io.BytesIO()
    figure.set_dpi(DPI)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.print_png(buffer, metadata={"Software": None})  # savefig would go through all artists twice
    return buffer.getvalue()


def styled(draw):
    """Run a drawing function in galprism's style, leaving matplotlib's own settings alone."""

    def run(*args, **options):
        with rc_context(STYLE):
            return draw(*args, **options)

    run.__doc__, run.__name__ = draw.__doc__, draw.__name__
    return run


def span(*values: np.ndarray, keep: float = 99.8) -> tuple[float, float]:
    """Limits that hold the central `keep` per cent of the values, with a margin."""
    joined = np.concatenate([value[np.isfinite(value)] for value in values])
    low, high = np.percentile(joined, [(100 - keep) / 2, (100 + keep) / 2])
    margin = 0.04 * (high - low) or 0.5
    return low - margin, high + margin


def density(axes: Axes, x: np.ndarray, y: np.ndarray, look: Look, method: str, bins: int = 70) -> None:
    """The axes' limits must be set. A log-scaled 2-D histogram, or points where there are few; says how many of the
    sources lie outside the frame."""
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    if len(x) < MANY:
        axes.plot(x, y, ".", color=look.colour(method), markersize=4.5, alpha=0.6, markeredgewidth=0)
    else:
        height = round(bins * axes.bbox.height / axes.bbox.width) if axes.bbox.width else bins
        counts, _, _ = np.histogram2d(x, y, bins=(bins, max(height, 20)), range=((x0, x1), (y0, y1)))
        axes.imshow(
            np.ma.masked_equal(counts.T, 0), origin="lower", extent=(x0, x1, y0, y1), aspect="auto",
            interpolation="nearest", cmap=look.density(method), norm=LogNorm(1, max(counts.max(), 2)),
        )  # fmt: skip
    outside = int(((x < x0) | (x > x1) | (y < y0) | (y > y1)).sum())
    if outside:
        axes.text(0.98, 0.02, f"{outside} outside", transform=axes.transAxes, ha="right", va="bottom", fontsize=6.5)


def contours(
    axes: Axes, x: np.ndarray, y: np.ndarray, colour: str = INK, enclosed: Sequence[float] = ENCLOSED, bins: int = 40
) -> None:
    """The axes' limits must be set. Lines that enclose these shares of the points in the frame, a little smoothed."""
    counts, x_edges, y_edges = np.histogram2d(x, y, bins, range=(axes.get_xlim(), axes.get_ylim()))
    if not counts.any():
        return
    kernel = np.array([1.0, 2.0, 1.0]) / 4.0
    for axis in (0, 1):
        for _ in range(2):
            counts = np.apply_along_axis(np.convolve, axis, counts, kernel, mode="same")
    ordered = np.sort(counts.ravel())[::-1]
    share = np.cumsum(ordered) / ordered.sum()
    levels = sorted({float(ordered[np.searchsorted(share, each)]) for each in enclosed})
    middle = [0.5 * (borders[1:] + borders[:-1]) for borders in (x_edges, y_edges)]
    if levels[0] < levels[-1]:
        axes.contour(*middle, counts.T, levels=levels, colors="white", linewidths=2.2)
        axes.contour(*middle, counts.T, levels=levels, colors=colour, linewidths=0.9)


def running(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(K,) median x and (K, 3) 16, 50 and 84 % of y in round bins of x with enough sources."""
    borders = edges(x)
    index = bin_index(x, borders)
    rows = [index == k for k in range(max(len(borders) - 1, 0))]
    rows = [row for row in rows if row.sum() >= FEW]
    middle = np.array([np.median(x[row]) for row in rows])
    return middle, np.array([np.percentile(y[row], [16, 50, 84]) for row in rows]).reshape(-1, 3)


def running_medians(axes: Axes, x: np.ndarray, y: np.ndarray, colour: str, inside: str) -> None:
    """Medians of y as points, and the 16th to 84th percentiles as bars, in round bins of x."""
    middle, percentiles = running(x, y)
    if len(middle):
        low, median, high = percentiles.T
        axes.vlines(middle, low, high, color=colour, linewidth=0.9, path_effects=OUTLINE, zorder=3)
        axes.plot(middle, median, "o", color=colour, markersize=3, markerfacecolor=inside, zorder=4)


def legend(figure: Figure, methods: Sequence[str], look: Look) -> None:
    """One legend for the whole figure, above its panels."""
    handles = [Line2D([], [], color=look.colour(m), linestyle=look.line(m), linewidth=1.8, label=m) for m in methods]
    beside = int(WIDTH / (LETTER * max(map(len, methods), default=1) + HANDLE))
    columns = min(max(beside, 1), 4, len(handles))
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, handlelength=2.6)


def class_legend(figure: Figure) -> None:
    """The colours of the classes, above all panels."""
    handles = [Line2D([], [], color=colour, linewidth=1.8, label=name) for name, colour in CLASS_COLOUR.items()]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), handlelength=2.0)


def log_numbers(axes: Axes) -> None:
    """A logarithmic axis of numbers of sources from one on, all of which are drawn already; there may be none."""
    axes.set_ylim(0.7, 1.5 * max(axes.dataLim.y1, 2.0) if np.isfinite(axes.dataLim.y1) else 3.0)
    axes.set_yscale("log")


def plain_log_ticks(axis: Axis) -> None:
    """Ticks of a logarithmic axis, limits set, at 1, 2 and 5 x 10^k (3 and 7 too on a short one), in plain numbers."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high > 6 * low else (1.0, 2.0, 3.0, 5.0, 7.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def note(axes: Axes, lines: Sequence[str], *, place: str = "upper left") -> None:
    """A few lines of text in a corner, legible over a density."""
    vertical, horizontal = place.split()
    axes.text(
        0.03 if horizontal == "left" else 0.97,
        0.97 if vertical == "upper" else 0.03,
        "\n".join(lines).replace("-", "−"),
        transform=axes.transAxes,
        ha=horizontal,
        va="top" if vertical == "upper" else "bottom",
        fontsize=7.5,
        linespacing=1.35,
        bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.5},
    )
