"""Figures of active learning and of Bayesian networks: errors against labels, and whether what is stated holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from galprism.evaluate.figures.labels import symbol, unit
from galprism.evaluate.figures.style import (
    INK,
    Drawing,
    Look,
    legend,
    new_figure,
    plain_log_ticks,
    png,
    styled,
)

COLUMNS = 3


@styled
def learning_curves(name: str, title: str, study: Mapping[str, Any], targets: Sequence[str]) -> Drawing:
    """A panel a target, and one of their mean: RMSE by the number of labels, as `recipes.fusion.active` tells it."""
    shown = [*targets, "mean"]
    acquisitions = list(study["targets"][shown[0]]["by"])
    look = Look(tuple(acquisitions))
    figure, axes = new_figure(-(-len(shown) // COLUMNS), COLUMNS, row_height=2.3)
    for panel, target in zip(axes.ravel(), shown, strict=False):
        told = study["targets"][target]
        full = np.mean(told["full"])
        panel.axhline(full, color=INK, linewidth=0.9)
        panel.axhspan(full, study["within"] * full, color="#bbbbbb", alpha=0.5, linewidth=0)
        panel.axvline(study["pool"] / 2, color=INK, linewidth=0.6, linestyle=":")
        for acquisition, found in told["by"].items():
            curve = np.array(found["rmse"])
            error = curve.std(axis=0, ddof=1) / np.sqrt(len(curve)) if len(curve) > 1 else None
            shape = {"color": look.colour(acquisition), "linestyle": look.line(acquisition)}
            panel.errorbar(
                study["labels"], curve.mean(axis=0), yerr=error, marker="o", markersize=3, capsize=2, **shape
            )
        panel.set(xscale="log", xlabel="labels", ylabel=_error_label(target))
        plain_log_ticks(panel.xaxis)
    for panel in axes.ravel()[len(shown) :]:
        panel.set_visible(False)
    legend(figure, acquisitions, look)
    caption = (
        f"{study['model']}: RMSE over the test by the number of labels that it learned from, the mean and its standard "
        f"error over {study['seeds']} seeds. Black line: with all {study['pool']:,} labels of the pool; grey: up to "
        f"{100 * (study['within'] - 1):.0f} % more; dotted: half of the labels. Last panel: RMSE over that of all "
        "labels, the mean of all targets."
    )
    return Drawing(name, title, caption, png(figure))


@styled
def stated_uncertainties(name: str, title: str, models: Sequence[Mapping[str, Any]], targets: Sequence[str]) -> Drawing:
    """A panel a target: coverage of central intervals less their level, by level; models : as told by
    `recipes.fusion.bayesian.uncertainties`."""
    look = Look(tuple(model["name"] for model in models))
    figure, axes = new_figure(-(-len(targets) // COLUMNS), COLUMNS, row_height=2.2, sharex=True, sharey=True)
    level = np.linspace(0, 1, 101)
    for panel, target in zip(axes.ravel(), targets, strict=False):
        for model in models:
            pit = np.array(model["uncertainty"][target]["pit"])
            inside = np.sort(2 * np.abs(pit - 0.5))
            observed = np.searchsorted(inside, level, side="right") / len(inside)
            shape = {"color": look.colour(model["name"]), "linestyle": look.line(model["name"])}
            panel.plot(level, observed - level, **shape)
        band = 2 * np.sqrt(level * (1 - level) / len(pit))
        panel.fill_between(level, -band, band, color="#bbbbbb", alpha=0.5, linewidth=0)
        panel.axhline(0, color=INK, linewidth=0.7)
        panel.set_title(symbol(target))
    for panel in axes.ravel()[len(targets) :]:
        panel.set_visible(False)
    for panel in axes[:, 0]:
        panel.set_ylabel("coverage − level")
    for panel in axes[-1]:
        panel.set_xlabel("level of the interval")
    legend(figure, list(look.methods), look)
    caption = (
        "The share of the test's true values within central intervals, less the intervals' level: zero is right, below "
        "is overconfident. Distributions are mixtures of what all draws of the weights say. Grey: ±2σ of a right one."
    )
    return Drawing(name, title, caption, png(figure))


def _error_label(target: str) -> str:
    if target == "mean":
        return "RMSE / of all labels"
    return f"RMSE of {symbol(target)}" + (f" [{unit(target)}]" if unit(target) else "")
