"""Figures of `sdss_classes.py`."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes

from galprism.data import CLASSES
from galprism.evaluate.classes import ClassJudgement
from galprism.evaluate.classes.metrics import half_wilson
from galprism.evaluate.classes.tables import LEAST
from galprism.evaluate.figures.style import (
    CLASS_COLOUR,
    Look,
    contours,
    legend,
    new_figure,
    note,
    png,
    styled,
)


@styled
def failures(
    judgement: ClassJudgement,
    redshift: np.ndarray,
    borders: dict[str, tuple[float, ...]],
    colours: tuple[np.ndarray, np.ndarray],
    stars: tuple[np.ndarray, np.ndarray],
) -> bytes:
    """Recall against redshift, and where on the stellar locus the galaxies lie that the last method calls stars.

    borders : by class, of bins of redshift; colours, stars : g-r and r-i of all sources, and of simulated stars
    """
    sample, look = judgement.whole, Look(judgement.methods)
    figure, ((left, middle, right),) = new_figure(1, 3, row_height=2.9)
    legend(figure, sample.methods, look)
    for panel, (of, edges) in zip((left, middle), borders.items(), strict=True):
        for method in sample.methods:
            _recall(panel, sample.called(method), sample.true, CLASSES.index(of), redshift, edges, look, method)
        panel.set(xlabel=f"$z$ of a {of}", ylabel="recall", ylim=(0, 1.03))
    right.set(xlim=(-0.3, 2.3), ylim=(-0.3, 2.3), xlabel="$g-r$ [AB mag]", ylabel="$r-i$ [AB mag]")
    right.plot(*stars, ".", color=CLASS_COLOUR["star"], markersize=2.4, alpha=0.7, markeredgewidth=0, zorder=3)
    galaxy = sample.true == CLASSES.index("galaxy")
    lost = galaxy & (sample.called(sample.methods[-1]) == CLASSES.index("star"))
    contours(right, colours[0][galaxy], colours[1][galaxy], CLASS_COLOUR["galaxy"])
    right.plot(
        colours[0][lost], colours[1][lost], ".", color=CLASS_COLOUR["galaxy"], markersize=1.6, alpha=0.55, zorder=2
    )
    note(
        right,
        ["orange: simulated stars", "lines: galaxies of SDSS", f"points: {lost.sum():,} called stars"],
        place="lower right",
    )
    return png(figure)


def _recall(
    panel: Axes,
    called: np.ndarray,
    true: np.ndarray,
    k: int,
    redshift: np.ndarray,
    edges: tuple[float, ...],
    look: Look,
    method: str,
) -> None:
    found = []
    for low, high in pairwise(edges):
        own = (true == k) & (redshift >= low) & (redshift < high)
        if own.sum() >= LEAST:
            right = int((called[own] == k).sum())
            found.append((np.median(redshift[own]), right / own.sum(), half_wilson(right, int(own.sum()))))
    x, y, error = np.array(found).T
    panel.plot(x, y, color=look.colour(method), linestyle=look.line(method), linewidth=1.2)
    panel.errorbar(x, y, error, color=look.colour(method), fmt="o", markersize=2.5, elinewidth=0.8)
