"""Figures of many models that see one kind of data or several: errors by model, predicted against true, and what
accuracy costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from galprism.evaluate.figures.labels import HALF, axis_label, heading, symbol, unit
from galprism.evaluate.figures.style import (
    CYCLE,
    INK,
    Drawing,
    Look,
    density,
    new_figure,
    note,
    png,
    span,
    styled,
)
from galprism.evaluate.metrics import point_metrics
from galprism.evaluate.tables import number

ACROSS = 3
LEAST_COST = 1e-3
"""Of what costs less, so that it can be drawn."""
COSTS = {
    "error": "mean RMSE /\nstandard deviation",
    "seconds": "training [s]",
    "microseconds": "a galaxy [µs]",
}
"""What panels show, and what stands below them."""


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
        _lines_of(panel, rows)
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
        panel.set_title(heading(models[target], HALF))
        panel.set_xlabel(axis_label(target, "(label)"), fontsize=8)
        panel.set_ylabel(axis_label(target, "(predicted)"), fontsize=8)
    return Drawing("against_true", "The best fused models against what is so", text, png(figure))


@styled
def accuracy_and_cost(rows: Sequence[Mapping[str, Any]], text: str) -> Drawing:
    """A line a model, the most accurate first: its error, averaged over targets in standard deviations of these,
    seconds of training and microseconds a galaxy; rows : `name`, `group`, `error`, `seconds`, `microseconds`, and
    whether these are of what `joins` the answers of others, which is drawn open."""
    colours = _groups(rows)
    rows = sorted(rows, key=lambda row: row["error"])
    figure, axes = new_figure(1, 3, row_height=1.0 + 0.14 * len(rows), sharey=True)
    for panel, (key, label) in zip(axes[0], COSTS.items(), strict=True):
        for k, row in enumerate(rows):
            value, colour = max(row[key], LEAST_COST), colours[row["group"]]
            inside = "white" if row["joins"] and key != "error" else colour
            panel.plot(value, k, "o", color=colour, markersize=4.5, markerfacecolor=inside)
        if key == "error":
            panel.set_xlim(0, 1.08 * panel.dataLim.x1)
        else:
            panel.set_xscale("log")
            panel.margins(x=0.08)
        panel.set_xlabel(label, fontsize=8)
        _lines_of(panel, rows)
    axes[0, 0].set_ylim(len(rows) - 0.5, -0.5)
    joined = Line2D([], [], color=INK, marker="o", linestyle="", markerfacecolor="white", label="joining alone")
    _legend(figure, colours, *([joined] if any(row["joins"] for row in rows) else []))
    return Drawing("accuracy_and_cost", "Accuracy and cost", text, png(figure))


def _lines_of(panel: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    """Names of models on the left, and what leads the eye to them."""
    panel.set_yticks(range(len(rows)), [row["name"] for row in rows], fontsize=6.5)
    panel.tick_params(axis="y", length=0)
    panel.grid(axis="y", color="#E5E5E5", linewidth=0.6)
