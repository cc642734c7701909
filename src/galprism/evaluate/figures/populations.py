"""Figures of stellar populations, as J-PAS's paper draws them (A&A 705, A219, 2026): Figs. 5 to 8 and C.1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from galprism.evaluate.figures.labels import axis_label, difference_label, symbol, unit
from galprism.evaluate.figures.style import (
    CYCLE,
    INK,
    LINES,
    MANY,
    Drawing,
    Look,
    contours,
    density,
    legend,
    new_figure,
    note,
    png,
    running_medians,
    span,
    styled,
)
from galprism.evaluate.metrics import nmad
from galprism.evaluate.tables import number

METRICS = {
    "bias": "median bias",
    "sigma_nmad": r"$\sigma_{\rm NMAD}$",
    "outliers": "outliers",
    "pearson": "Pearson's r",
}
DOTS = 3000
"""Of a panel, at most."""


@styled
def by_level(
    name: str,
    title: str,
    metrics: Mapping[str, Mapping[str, Sequence[Mapping[str, float]]]],
    x: Sequence[float],
    x_label: str,
    look: Look,
    caption: str,
) -> Drawing:
    """A row a parameter, a column each of METRICS, against x (L,); metrics : parameter, method, then one each x."""
    figure, axes = new_figure(len(metrics), len(METRICS), row_height=1.9, sharex=True)
    for row, (parameter, methods) in zip(axes, metrics.items(), strict=True):
        for panel, (key, label) in zip(row, METRICS.items(), strict=True):
            for method, found in methods.items():
                values = [entry.get(key, np.nan) for entry in found]
                panel.plot(x, values, "o", color=look.colour(method), linestyle=look.line(method), markersize=3)
            if key == "bias":
                panel.axhline(0, color=INK, linewidth=0.8, linestyle="--")
            else:
                panel.set_ylim(0, max(1.0 if key == "pearson" else 0.0, 1.05 * panel.get_ylim()[1]))
            what = f" [{unit(parameter)}]" if key in ("bias", "sigma_nmad") else ""
            panel.set_ylabel((f"{symbol(parameter)}: " if key == "bias" else "") + label + what, fontsize=7.5)
    for panel in axes[-1]:
        panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        panel.set_xlabel(x_label)
    legend(figure, list(look.methods), look)
    return Drawing(name, title, caption, png(figure))


@styled
def predicted_by_level(
    name: str,
    title: str,
    method: str,
    true: Mapping[str, np.ndarray],
    predicted: Mapping[str, np.ndarray],
    samples: Mapping[str, np.ndarray],
    look: Look,
) -> Drawing:
    """A row a parameter, a column a sample: predicted against true; samples : rows (N,) by what they are called."""
    figure, axes = new_figure(len(true), len(samples), row_height=2.0)
    for row, parameter in zip(axes, true, strict=True):
        limits = span(true[parameter], keep=100)
        for panel, (sample, rows) in zip(row, samples.items(), strict=True):
            good = rows & np.isfinite(predicted[parameter])
            x, y = true[parameter][good], predicted[parameter][good]
            panel.set(xlim=limits, ylim=limits)
            panel.set_box_aspect(1)
            density(panel, x, y, look, method, bins=50)
            panel.plot(limits, limits, color=INK, linewidth=0.9, linestyle="--")
            running_medians(panel, x, y, INK, "white")
            d = y - x
            note(panel, [sample, f"μ = {number(np.median(d), 2, sign=True)}", f"σ = {number(nmad(d), 3)}"])
            panel.tick_params(labelsize=7)
        row[0].set_ylabel(axis_label(parameter, ""), fontsize=8)
        row[len(samples) // 2].set_xlabel(axis_label(parameter, "(true)"), fontsize=8)
    caption = (
        f"{method}: predicted against true, shaded by the logarithm of the number of sources; points and bars are the "
        "median and the 16th and 84th percentiles in bins; μ and σ are the median and the NMAD of the difference."
    )
    return Drawing(name, title, caption, png(figure))


@styled
def error_planes(
    name: str,
    title: str,
    off: Mapping[str, np.ndarray],
    true: Mapping[str, np.ndarray],
    samples: Mapping[str, np.ndarray],
) -> Drawing:
    """A row a sample: errors of each two of three parameters, coloured by the true value of the third; contours enclose
    what 1, 2 and 3 sigma of a Gaussian would. A tilt is a degeneracy."""
    first, second, third = off
    pairs = ((first, second, third), (first, third, second), (second, third, first))
    figure, axes = new_figure(len(samples), 3, row_height=2.4)
    for row, (sample, rows) in zip(axes, samples.items(), strict=True):
        for panel, (x, y, colour) in zip(row, pairs, strict=True):
            good = rows & np.isfinite(off[x]) & np.isfinite(off[y])
            dx, dy = off[x][good], off[y][good]
            panel.set(xlim=span(dx, keep=98), ylim=span(dy, keep=98))
            few = slice(None, None, -(-len(dx) // DOTS))
            value = true[colour][good][few]
            dots = panel.scatter(dx[few], dy[few], c=value, s=1.5, cmap="viridis", linewidths=0)
            panel.get_figure().colorbar(dots, ax=panel, pad=0.02).set_label(axis_label(colour, ""), fontsize=7)
            if len(dx) >= MANY:
                contours(panel, dx, dy)
            r = np.corrcoef(dx, dy)[0, 1]
            note(panel, [sample, f"r = {number(r, 2, sign=True)}"])
            panel.set_xlabel(difference_label(x), fontsize=8)
            panel.set_ylabel(difference_label(y), fontsize=8)
    caption = (
        "Predicted minus true of one parameter against another, coloured by the true third. r is Pearson's coefficient "
        "of the errors. Of many sources some thousands are drawn; contours then enclose 39, 86 and 99 % of all in the "
        "frame."
    )
    return Drawing(name, title, caption, png(figure))


@styled
def followed(name: str, title: str, families: Mapping[str, Mapping[str, Mapping[str, Any]]], caption: str) -> Drawing:
    """A row a family, a column a parameter, against the time since the first star.

    families : family, kind, then `time` (T,) and for each parameter `true` and `found`, dictionaries of (T,).
    """
    parameters = list(next(iter(next(iter(families.values())).values()))["found"])
    figure, axes = new_figure(len(families), len(parameters), row_height=2.0, sharex=True)
    for row, (family, kinds) in zip(axes, families.items(), strict=True):
        for panel, parameter in zip(row, parameters, strict=True):
            for k, (kind, seen) in enumerate(kinds.items()):
                colour = CYCLE[k % len(CYCLE)]
                panel.plot(seen["time"], seen["found"][parameter], color=colour, label=kind)
                panel.plot(seen["time"], seen["true"][parameter], color=colour, linestyle=LINES[1], linewidth=1)
            panel.set_ylabel(axis_label(parameter, ""), fontsize=8)
        row[-1].legend(
            fontsize=6, loc="best", title=family, title_fontsize=7, frameon=True, framealpha=0.85, edgecolor="none"
        )
    for panel in axes[-1]:
        panel.set_xlabel("time since the first star [Gyr]")
    return Drawing(name, title, caption, png(figure))
