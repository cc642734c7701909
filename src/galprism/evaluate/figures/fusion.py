"""Figures of many models that see one kind of data or several: errors by model, predicted against true, and what
accuracy costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.lines import Line2D

from galprism.evaluate.figures.style import (
    CYCLE,
    INK,
    WIDTH,
    Drawing,
    Look,
    axis_label,
    density,
    new_figure,
    note,
    png,
    span,
    styled,
    symbol,
    unit,
)
from galprism.evaluate.metrics import point_metrics
from galprism.evaluate.tables import number

ACROSS = 3
MARKERS = "osD^vP*Xd<>h"
LEAST_COST = 1e-3
"""Of what costs less, so that it can be drawn."""


def _groups(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Colours by what models see."""
    return {group: CYCLE[k] for k, group in enumerate(dict.fromkeys(row["group"] for row in rows))}


def _legend(figure, colours: Mapping[str, str], *more: Line2D) -> None:
    handles = [Line2D([], [], color=colour, marker="o", linestyle="", label=group) for group, colour in colours.items()]
    figure.legend(handles=[*handles, *more], loc="outside upper center", ncols=min(len(handles) + len(more), 4))


@styled
def errors_by_model(
    rows: Sequence[Mapping[str, Any]], targets: Sequence[str], noise: Mapping[str, float], text: str
) -> Drawing:
    """A panel a target, a line a model with its RMSE and the standard error of that; rows : `name`, `group` and
    `scores`, by target, with `rmse` and `rmse_err`; noise : of labels, by target."""
    n_rows = -(-len(targets) // ACROSS)
    figure, axes = new_figure(n_rows, ACROSS, row_height=0.7 + 0.13 * len(rows), sharey=True)
    colours = _groups(rows)
    for panel, target in zip(axes.ravel(), targets, strict=False):
        for k, row in enumerate(rows):
            score, colour = row["scores"][target], colours[row["group"]]
            panel.errorbar(score["rmse"], k, xerr=score["rmse_err"], fmt="o", color=colour, markersize=3, elinewidth=1)
        if target in noise:
            panel.axvline(noise[target], color=INK, linestyle=":", linewidth=1)
        panel.set_xlim(left=0)
        what = unit(target) or ("nat" if target.endswith("entropy") else "")
        panel.set_xlabel(symbol(target) + (f" [{what}]" if what else ""), fontsize=7)
        panel.set_yticks(range(len(rows)), [row["name"] for row in rows], fontsize=6.5)
        panel.tick_params(axis="y", length=0)
        panel.grid(axis="y", color="#E5E5E5", linewidth=0.6)
    for panel in axes.ravel()[len(targets) :]:
        panel.set_visible(False)
    axes[0, 0].set_ylim(len(rows) - 0.5, -0.5)
    dotted = Line2D([], [], color=INK, linestyle=":", label="labels from other draws")
    _legend(figure, colours, *([dotted] if noise else []))
    return Drawing("errors_by_model", "Errors by model", f"{text} Bars are standard errors.", png(figure))


@styled
def against_true(
    true: Mapping[str, np.ndarray], predicted: Mapping[str, np.ndarray], models: Mapping[str, str], text: str
) -> Drawing:
    """A panel a target: what a model says against what is so; models : its name, by target."""
    figure, axes = new_figure(1, len(true), row_height=3.6)
    look = Look(("both",))
    for panel, target in zip(axes[0], true, strict=True):
        limits = span(true[target], predicted[target])
        panel.set(xlim=limits, ylim=limits)
        panel.set_box_aspect(1)
        density(panel, true[target], predicted[target], look, "both")
        panel.plot(limits, limits, color=INK, linewidth=1, linestyle="--")
        found = point_metrics(predicted[target], true[target])
        lines = [f"RMSE = {number(found.rms, 4)}", f"$R^2$ = {number(found.r2, 3)}", f"MAE = {number(found.mae, 4)}"]
        note(panel, lines)
        panel.set_title(models[target])
        panel.set_xlabel(axis_label(target, "(label)"), fontsize=8)
        panel.set_ylabel(axis_label(target, "(predicted)"), fontsize=8)
    return Drawing("against_true", "The best fused models against what is so", text, png(figure))


@styled
def accuracy_and_cost(rows: Sequence[Mapping[str, Any]], text: str) -> Drawing:
    """Errors, averaged over targets in standard deviations of these, against seconds of training and microseconds a
    galaxy; rows : `name`, `group`, `family`, `error`, `seconds` and `microseconds`."""
    figure, axes = new_figure(1, 2, row_height=3.4, sharey=True)
    figure.set_size_inches(WIDTH, 3.4)
    colours = _groups(rows)
    markers = {family: MARKERS[k % len(MARKERS)] for k, family in enumerate(dict.fromkeys(r["family"] for r in rows))}
    for panel, key, label in zip(axes[0], ("seconds", "microseconds"), ("training [s]", "a galaxy [µs]"), strict=True):
        for row in rows:
            cost = max(row[key], LEAST_COST)
            panel.plot(cost, row["error"], markers[row["family"]], color=colours[row["group"]], markersize=6, alpha=0.8)
        panel.set_xscale("log")
        low, high = np.log10([panel.dataLim.x0, panel.dataLim.x1])
        panel.set_xlim(10 ** np.floor(low - 0.05), 10 ** np.ceil(high + 0.05))
        panel.set_xlabel(label)
        panel.set_ylim(bottom=0)
    axes[0, 0].set_ylabel("mean RMSE / standard deviation")
    own = [Line2D([], [], color=INK, marker=m, linestyle="", label=family) for family, m in markers.items()]
    _legend(figure, colours, *own)
    return Drawing("accuracy_and_cost", "Accuracy and cost", text, png(figure))
