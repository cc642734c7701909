"""Figures of studies of classes that take several trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.lines import Line2D

from galprism.data import CLASSES
from galprism.evaluate.classes.metrics import Classification
from galprism.evaluate.classes.sample import CLASS_NAMES, numbered
from galprism.evaluate.figures.style import CLASS_COLOUR, INK, LINES, Drawing, new_figure, plain_log_ticks, png, styled


@styled
def training_size(name: str, title: str, found: Mapping[str, Mapping[int, Sequence[Classification]]]) -> Drawing:
    """F1 of each class, and macro F1, against how many sources were learned from (Feng et al. 2025, Fig. 13).

    found : by method, then by training size, the classifications of the same test sources, one or several trainings;
        points are means, bars the spread of several trainings, of one the standard error of the trial
    """
    figure, ((left, right),) = new_figure(1, 2, row_height=3.0)
    for k, runs in enumerate(found.values()):
        sizes = sorted(runs)
        for of in CLASSES:
            values = [_mean([(each.of(of).f1, each.of(of).f1_err) for each in runs[n]]) for n in sizes]
            _line(left, sizes, values, CLASS_COLOUR[of], LINES[k % len(LINES)])
        values = [_mean([(each.macro_f1, each.macro_f1_err) for each in runs[n]]) for n in sizes]
        _line(right, sizes, values, INK, LINES[k % len(LINES)])
    for panel, label in ((left, "F1"), (right, "macro F1")):
        panel.set_xscale("log")
        plain_log_ticks(panel.xaxis)
        panel.set(xlabel="sources learned from", ylabel=label)
    handles = [Line2D([], [], color=CLASS_COLOUR[of], label=CLASS_NAMES[of]) for of in CLASSES]
    if len(found) > 1:
        handles += [Line2D([], [], color=INK, linestyle=LINES[k % len(LINES)], label=m) for k, m in enumerate(found)]
    figure.legend(handles=handles, loc="outside upper center", ncols=min(len(handles), 6))
    some = next(iter(next(iter(found.values())).values()))[0]
    caption = (
        f"Tried on {numbered({entry.name: entry.n for entry in some.classes})}. Points are means of several trainings "
        "and bars their standard deviation; of one training, bars are the standard error of the trial."
    )
    return Drawing(name, title, caption, png(figure))


def _mean(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    values = np.array(pairs)
    spread = values[:, 0].std(ddof=1) if len(values) > 1 else values[0, 1]
    return float(values[:, 0].mean()), float(spread)


def _line(panel, sizes: Sequence[int], values: Sequence[tuple[float, float]], colour: str, line) -> None:
    value, error = np.array(values).T
    panel.plot(sizes, value, color=colour, linestyle=line, linewidth=1.2)
    panel.errorbar(sizes, value, error, color=colour, fmt="o", markersize=3, elinewidth=0.8)
