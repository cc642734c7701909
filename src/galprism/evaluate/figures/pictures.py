"""Every stage of the preparation of three-colour pictures, a row a picture (MMLforGalAM 2025, Fig. 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Ellipse

from galprism.evaluate.figures.style import CYCLE, Drawing, new_figure, png, styled

COLUMNS = ("picture", "grey, threshold", "ellipse", "masked", "sources", "prepared")


@dataclass(frozen=True)
class PictureRow:
    """What is drawn of one picture; stages that it did not reach are None."""

    name: str
    verdict: str
    """Why it is not used; empty where it is."""
    picture: np.ndarray
    """(H, W, 3), uint8, the first row at the top."""
    grey: np.ndarray
    """(H, W), uint8."""
    threshold: float
    part: np.ndarray | None
    """(H, W), bool, what is above the threshold in the middle."""
    ellipse: tuple[float, float, float, float, float] | None
    """x, y, half the longest and the shortest diameter in pixels; the angle in radian from x towards y, downwards."""
    masked: np.ndarray | None
    """(H, W, 3), uint8."""
    sources: np.ndarray | None
    """(H, W), int, from 1 on where there are sources."""
    prepared: np.ndarray | None
    """(S, S, 3), uint8."""


@styled
def picture_stages(name: str, title: str, rows: Sequence[PictureRow]) -> Drawing:
    """A row a picture, a column a stage."""
    figure, axes = new_figure(len(rows), len(COLUMNS), row_height=1.32)
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(w_pad=0.02, h_pad=0.03, wspace=0.0)
    for line, row in zip(axes, rows, strict=True):
        for panel, stage in zip(line, (_picture, _grey, _ellipse, _masked, _sources, _prepared), strict=True):
            panel.set(xticks=[], yticks=[])
            panel.set_box_aspect(1)
            stage(panel, row)
        line[0].set_ylabel(row.name, fontsize=6.5)
    for panel, column in zip(axes[0], COLUMNS, strict=True):
        panel.set_title(column)
    caption = (
        "As it came; grey, with the part above the threshold at its middle outlined; the ellipse fitted to that; what "
        "is outside of it black; the sources into which the part falls; cropped and brought to one size."
    )
    return Drawing(name, title, caption, png(figure))


def _picture(axes: Axes, row: PictureRow) -> None:
    axes.imshow(row.picture, interpolation="nearest")


def _grey(axes: Axes, row: PictureRow) -> None:
    axes.imshow(row.grey, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    if row.part is not None:
        _outlined(axes, row.part, CYCLE[1])
    _say(axes, f"{row.threshold:.0f}" if np.isfinite(row.threshold) else "none")


def _ellipse(axes: Axes, row: PictureRow) -> None:
    axes.imshow(row.picture, interpolation="nearest")
    if row.ellipse is None:
        _say(axes, row.verdict)
        return
    x, y, major, minor, angle = row.ellipse
    drawn = Ellipse((x, y), 2 * major, 2 * minor, angle=np.degrees(angle), fill=False, color=CYCLE[1], linewidth=1.0)
    axes.add_patch(drawn)


def _masked(axes: Axes, row: PictureRow) -> None:
    _shown(axes, row.masked)


def _sources(axes: Axes, row: PictureRow) -> None:
    if row.sources is None:
        axes.set_facecolor("0.9")
        return
    n = int(row.sources.max())
    colours = ListedColormap(["black", *(CYCLE[i % len(CYCLE)] for i in range(max(n, 1)))])
    axes.imshow(row.sources, cmap=colours, vmin=0, vmax=max(n, 1), interpolation="nearest")
    _say(axes, f"{n} source{'s' * (n != 1)}")


def _prepared(axes: Axes, row: PictureRow) -> None:
    _shown(axes, row.prepared)
    _say(axes, row.verdict)


def _shown(axes: Axes, picture: np.ndarray | None) -> None:
    if picture is None:
        axes.set_facecolor("0.9")
    else:
        axes.imshow(picture, interpolation="nearest")


def _outlined(axes: Axes, part: np.ndarray, colour: str) -> None:
    axes.contour(part.astype(float), levels=[0.5], colors=colour, linewidths=0.7)


def _say(axes: Axes, text: str) -> None:
    if text:
        box = {"facecolor": "black", "alpha": 0.6, "edgecolor": "none", "pad": 1.0}
        axes.text(0.04, 0.04, text, transform=axes.transAxes, fontsize=5.5, color="white", bbox=box)
