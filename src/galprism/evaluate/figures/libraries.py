"""Figures of several libraries of stellar populations, as J-PAS's paper draws them (A&A 705, A219, 2026): Figs. 9, 10
and E.1."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from galprism.evaluate.figures.labels import axis_label, difference_label
from galprism.evaluate.figures.style import (
    CYCLE,
    INK,
    Drawing,
    new_figure,
    note,
    png,
    running_medians,
    span,
    styled,
)
from galprism.evaluate.metrics import nmad
from galprism.evaluate.tables import number

DOTS = 2500
"""Of a panel, at most."""
PALE = "#C8C8C8"


@styled
def residuals_by_library(
    name: str,
    title: str,
    true: Mapping[str, np.ndarray],
    predicted: Mapping[str, np.ndarray],
    libraries: Mapping[str, np.ndarray],
    magnitude: np.ndarray,
    caption: str,
) -> Drawing:
    """A row a parameter, a column a library: predicted minus true against true, coloured by magnitude (N,);
    libraries : rows (N,) by the name of the library whose light they have."""
    figure, axes = new_figure(len(true), len(libraries), row_height=2.0, sharex="row", sharey="row")
    dots = None
    for row, parameter in zip(axes, true, strict=True):
        off = predicted[parameter] - true[parameter]
        for panel, (library, rows) in zip(row, libraries.items(), strict=True):
            good = np.flatnonzero(rows & np.isfinite(off))
            x, y = true[parameter][good], off[good]
            few = slice(None, None, -(-len(good) // DOTS))
            dots = panel.scatter(x[few], y[few], c=magnitude[good][few], s=2, cmap="viridis_r", linewidths=0)
            panel.axhline(0, color=INK, linewidth=0.9, linestyle="--")
            running_medians(panel, x, y, CYCLE[1], CYCLE[1])
            note(panel, [library, f"μ = {number(np.median(y), 2, sign=True)}, σ = {number(nmad(y), 3)}"])
            panel.set_ylim(*span(off, keep=98))
            panel.tick_params(labelsize=7)
        row[0].set_ylabel(difference_label(parameter), fontsize=8)
        row[len(libraries) // 2].set_xlabel(axis_label(parameter, "(true)"), fontsize=8)
    if dots is not None:
        figure.colorbar(dots, ax=axes, pad=0.02, aspect=40).set_label("$i$ [AB mag]", fontsize=8)
    return Drawing(name, title, caption, png(figure))


@styled
def map_of_groups(
    name: str, title: str, groups: Mapping[str, np.ndarray], over: tuple[str, np.ndarray] | None, caption: str
) -> Drawing:
    """A panel a group, coloured, in front of all of them in grey; groups : places (N, 2); over : what is drawn on top
    of every panel, and its name."""
    figure, axes = new_figure(1, len(groups), row_height=2.6, sharex=True, sharey=True)
    everything = np.concatenate(list(groups.values()))
    for k, (panel, (label, places)) in enumerate(zip(axes[0], groups.items(), strict=True)):
        panel.plot(*everything.T, ".", color=PALE, markersize=1.5, markeredgewidth=0)
        panel.plot(*places.T, ".", color=CYCLE[k % len(CYCLE)], markersize=1.8, markeredgewidth=0)
        if over is not None:
            panel.plot(*over[1].T, ".", color=INK, markersize=2.2, markeredgewidth=0)
        note(panel, [label])
        _no_ticks(panel)
    return Drawing(name, title, caption, png(figure))


@styled
def map_of_values(
    name: str, title: str, places: np.ndarray, values: Mapping[str, np.ndarray], labels: Mapping[str, str], caption: str
) -> Drawing:
    """A panel a quantity that the places (N, 2) are coloured by."""
    figure, axes = new_figure(-(-len(values) // 2), 2, row_height=2.9, sharex=True, sharey=True)
    for panel, (key, value) in zip(axes.ravel(), values.items(), strict=False):
        dots = panel.scatter(*places.T, c=value, s=2, cmap="viridis", linewidths=0)
        figure.colorbar(dots, ax=panel, pad=0.02).set_label(labels[key], fontsize=8)
        _no_ticks(panel)
    for panel in axes.ravel()[len(values) :]:
        panel.set_visible(False)
    return Drawing(name, title, caption, png(figure))


def _no_ticks(panel) -> None:
    """The axes of such a map mean nothing."""
    panel.set(xticks=[], yticks=[])
