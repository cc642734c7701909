"""Figures of `real_field.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from galprism.data import CLASSES, Sources
from galprism.evaluate.figures.style import INK, new_figure, note, png, styled
from galprism.units import abmag_from_njy
from real_field_classes import EXTENDED, SEEN, Calls, Sizes
from real_field_mocks import PATCHES, MockField
from real_field_samples import BANDS, R, RealField
from real_field_tables import LEAST_SIZES, SURE, Found, galaxy_sizes, told_of
from sky_figures import COLOUR, NAME

GREY = "#b0b0b0"
EDGES = (15.0, 17.0, 18.0, 19.0, 20.0, 21.0, 22.0, 22.5)
PLANES = (
    ("$g-r$", "g", "r", "$r-i$", "r", "i"),
    ("$u-g$", "u", "g", "$g-r$", "g", "r"),
    ("$g-i$", "g", "i", "$J-Ks$", "J", "Ks"),
)
FRAMES = (((-0.4, 2.2), (-0.5, 2.2)), ((-0.6, 3.6), (-0.4, 2.0)), ((-0.6, 4.0), (-1.1, 1.3)))
LEAST_SN = 5.0


def write_figures(folder: Path, found: Found) -> None:
    """All of them."""
    real, both = found.real, found.calls["both"]
    mock, mock_calls = found.home
    for name, drawing in {
        "size": size_figure(real, found.sizes, found.calls),
        "sizes": sizes_figure(galaxy_sizes(found)),
        "colours": colours_figure(real, both, found.locus),
        "counts": counts_figure(real, both, mock, mock_calls["both"]),
        "examples": examples(real, both),
        "disagree": disagreements(real, found.sizes, both),
        "quasars": quasars_figure(real.sources, found.candidates, told_of(found)),
    }.items():
        (folder / f"real-field-{name}.png").write_bytes(drawing)


def _points(panel: Axes, x: np.ndarray, y: np.ndarray, calls: Calls, some: np.ndarray) -> None:
    for code in np.argsort(-np.bincount(calls.classes[some], minlength=len(CLASSES))):
        name = CLASSES[code]
        own = some & (calls.classes == code)
        for rows, fill in ((own & (calls.sure >= SURE), COLOUR[name]), (own & (calls.sure < SURE), "white")):
            panel.plot(
                x[rows], y[rows], "o", color=COLOUR[name], markerfacecolor=fill, markersize=3.2, markeredgewidth=0.7
            )


def _dot(edge: str, fill: str, label: str) -> Line2D:
    return Line2D([], [], linestyle="", marker="o", color=edge, markerfacecolor=fill, markersize=3.6, label=label)


def _handles() -> list[Line2D]:
    """What colours and empty points mean."""
    named = [_dot(COLOUR[name], COLOUR[name], NAME[name]) for name in CLASSES]
    return [*named, _dot(INK, "white", f"$p_{{\\max}}$ < {SURE:g}")]


@styled
def size_figure(real: RealField, sizes: Sizes, calls: Mapping[str, Calls]) -> bytes:
    """Size against magnitude, the colour the class by what is seen."""
    figure, (axes,) = new_figure(1, 3, row_height=2.7, sharey=True)
    for panel, (name, seen) in zip(axes, SEEN.items(), strict=True):
        scaled = np.clip(sizes.scaled, 0.7, 3.15)
        _points(panel, real.found.mag, scaled, calls[name], np.isfinite(scaled))
        panel.axhline(EXTENDED, color=INK, linewidth=0.8, linestyle=":")
        panel.set(xlim=(13, 22.8), ylim=(0.7, 3.2), xlabel="$r$ (Kron) [AB mag]", title=f"classes by {seen}")
    axes[0].set_ylabel("half-light radius / that of stars")
    figure.legend(handles=_handles(), loc="outside upper center", ncols=4)
    return png(figure)


@styled
def sizes_figure(galaxies: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> bytes:
    """Galaxies' sizes by magnitude, real and simulated side by side, with the median and 68 % of each in both."""
    figure, (axes,) = new_figure(1, 2, row_height=2.8, sharey=True)
    edges = np.array(EDGES[1:])
    centre = 0.5 * (edges[1:] + edges[:-1])
    for panel, (name, (mag, size)) in zip(axes, galaxies.items(), strict=True):
        panel.plot(mag, np.minimum(size, 4.0), "o", color=GREY, markersize=1.8, markeredgewidth=0)
        for other, (m, s) in galaxies.items():
            own = [s[(m >= low) & (m < high)] for low, high in pairwise(edges)]
            bands = np.array([np.percentile(o, (16, 50, 84)) if len(o) >= LEAST_SIZES else [np.nan] * 3 for o in own])
            line, colour = ("-", COLOUR["galaxy"]) if other == "real" else ("--", INK)
            panel.plot(centre, bands[:, 1], line, color=colour, linewidth=1.3, label=f"{other}, median and 68 %")
            panel.plot(centre, bands[:, (0, 2)], line, color=colour, linewidth=0.7)
        note(panel, [f"{len(mag):,} galaxies, {name}"], place="upper right")
        panel.axhline(EXTENDED, color=INK, linewidth=0.8, linestyle=":")
        panel.set(xlim=(16.5, 22.6), ylim=(0.7, 4.1), xlabel="$r$ [AB mag]")
    axes[0].set_ylabel("half-light radius / that of stars")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return png(figure)


@styled
def colours_figure(real: RealField, calls: Calls, locus: np.ndarray) -> bytes:
    """Colour against colour, simulated stars underneath."""
    figure, (axes,) = new_figure(1, 3, row_height=2.7)
    held = real.sources.photometry
    assert held is not None
    good = held.flux * np.sqrt(held.ivar) > LEAST_SN
    mag = abmag_from_njy(np.where(good, held.flux, np.nan).astype(float))
    for panel, (x_label, a, b, y_label, c, d), (x_frame, y_frame) in zip(axes, PLANES, FRAMES, strict=True):
        i, j, k, m = (BANDS.index(band) for band in (a, b, c, d))
        panel.plot(locus[:, i] - locus[:, j], locus[:, k] - locus[:, m], ".", color=GREY, markersize=1.5, zorder=0)
        x, y = mag[:, i] - mag[:, j], mag[:, k] - mag[:, m]
        some = np.isfinite(x) & np.isfinite(y) & ~real.blended
        _points(panel, x, y, calls, some)
        panel.set(xlim=x_frame, ylim=y_frame, xlabel=x_label, ylabel=y_label)
        note(panel, [f"{some.sum()} sources"], place="lower right")
    figure.legend(handles=[*_handles(), _dot(GREY, GREY, "simulated stars")], loc="outside upper center", ncols=5)
    return png(figure)


@styled
def counts_figure(real: RealField, calls: Calls, mock: MockField, mock_calls: Calls) -> bytes:
    """Numbers by magnitude, and how sure the classes are, beside those of simulated fields."""
    figure, ((left, middle, right),) = new_figure(1, 3, row_height=2.6)
    edges = np.array(EDGES)
    centre, width = 0.5 * (edges[1:] + edges[:-1]), np.diff(edges)
    for code, name in enumerate(CLASSES):
        own = np.histogram(real.found.mag[calls.classes == code], edges)[0]
        mean = np.histogram(mock.mag[mock.classes == code], edges)[0] / PATCHES
        panel = left if name != "galaxy" else middle
        seen = own > 0
        err = np.sqrt(own[seen]) / width[seen]
        panel.errorbar(
            centre[seen], own[seen] / width[seen], err, fmt="o", color=COLOUR[name], markersize=3.5, label=NAME[name]
        )
        panel.plot(centre, np.where(mean > 0, mean / width, np.nan), color=COLOUR[name], linewidth=1.2)
    for panel in (left, middle):
        panel.set(yscale="log", xlabel="$r$ [AB mag]", ylim=(0.05, 600))
        panel.plot([], [], color=INK, linewidth=1.2, label="simulated, mean")
        panel.legend(loc="upper left")
    left.set_ylabel("in the field, a mag")
    for code, name in enumerate(CLASSES):
        for who, line in ((calls, "-"), (mock_calls, "--")):
            doubt = np.sort(1 - who.sure[who.classes == code])
            if len(doubt) >= 10:
                right.step(
                    np.maximum(doubt, 1e-6),
                    np.arange(1, len(doubt) + 1) / len(doubt),
                    where="post",
                    color=COLOUR[name],
                    linestyle=line,
                )
    right.plot([], [], color=INK, label="real")
    right.plot([], [], "--", color=INK, label="simulated")
    right.set(xscale="log", xlim=(1e-5, 0.7), ylim=(0, 1.02), xlabel="$1-p_{\\max}$", ylabel="share of a class below")
    right.legend(loc="lower right")
    return png(figure)


def _show(panel: Axes, flux: np.ndarray, ivar: np.ndarray, text: str, colour: str = INK) -> None:
    """One cutout, from the sky's noise to its brightest pixel, asinh."""
    seen = ivar > 0
    sigma = np.median(ivar[seen] ** -0.5) if seen.any() else 1.0
    scaled = np.arcsinh(flux / (2 * sigma))
    top = max(float(np.arcsinh(flux.max() / (2 * sigma))), 2.5)
    panel.imshow(
        np.where(seen, scaled, np.nan), origin="lower", cmap="gray_r", vmin=-1.2, vmax=top, interpolation="nearest"
    )
    panel.set_facecolor("#d8e8f8")
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_locator(NullLocator())
    for spine in panel.spines.values():
        spine.set_color(colour)
        spine.set_linewidth(1.4)
    panel.set_title(text, fontsize=6.2, pad=2)


def _sheet(
    real: RealField, rows: Sequence[int], texts: Sequence[str], colours: Sequence[str], columns: int = 9
) -> bytes:
    """r cutouts, side by side."""
    lines = max(-(-len(rows) // columns), 1)
    figure, axes = new_figure(lines, columns, row_height=0.86)
    for panel in axes.ravel()[len(rows) :]:
        panel.set_axis_off()
    for panel, row, text, colour in zip(axes.ravel(), rows, texts, colours, strict=False):
        cutouts = real.sources.cutouts
        assert cutouts is not None
        _show(panel, cutouts.flux[row, R], cutouts.ivar[row, R], text, colour)
    return png(figure)


@styled
def examples(real: RealField, calls: Calls, each: int = 18) -> bytes:
    """Stars and galaxies from bright to faint, spread evenly over their ranks, r cutouts of 8.2 arcsec."""
    rows: list[int] = []
    for code in (CLASSES.index("star"), CLASSES.index("galaxy")):
        own = np.flatnonzero(calls.classes == code)
        own = own[np.argsort(real.found.mag[own])]
        rows += list(own[np.linspace(0, len(own) - 1, min(each, len(own))).astype(int)])
    texts = [f"{real.found.mag[k]:.1f}  p={calls.sure[k]:.3f}" for k in rows]
    return _sheet(real, rows, texts, [COLOUR[CLASSES[calls.classes[k]]] for k in rows])


@styled
def disagreements(real: RealField, sizes: Sizes, calls: Calls, most: int = 27) -> bytes:
    """Where size and network say other things, bright ones first; framed in the colour of the network's class."""
    rows = np.flatnonzero(sizes.against(calls))
    rows = rows[np.argsort(real.found.mag[rows])][:most]
    texts = [f"{real.found.mag[k]:.1f}  size {sizes.scaled[k]:.2f}" for k in rows]
    return _sheet(real, rows, texts, [COLOUR[CLASSES[calls.classes[k]]] for k in rows])


@styled
def quasars_figure(sources: Sources, rows: np.ndarray, told: Sequence[str]) -> bytes:
    """Candidates in all bands, and what is told of each."""
    figure, axes = new_figure(max(len(rows), 1), len(BANDS), row_height=0.9)
    cutouts = sources.cutouts
    assert cutouts is not None
    for line, row, text in zip(axes, rows, told, strict=True):
        for k, (panel, band) in enumerate(zip(line, BANDS, strict=True)):
            _show(panel, cutouts.flux[row, k], cutouts.ivar[row, k], band)
        line[0].set_ylabel(text, fontsize=6.2, rotation=0, ha="right", va="center")
    return png(figure)
