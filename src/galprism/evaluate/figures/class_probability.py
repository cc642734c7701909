"""Whether probabilities of classes are what they say, and how many are how high."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from galprism.data import CLASSES
from galprism.evaluate.calibration import wilson
from galprism.evaluate.classes.curves import calibration_curve
from galprism.evaluate.classes.judge import ClassEntry
from galprism.evaluate.classes.probabilities import highest
from galprism.evaluate.classes.sample import CLASS_NAMES, ClassSample
from galprism.evaluate.classes.tables import LEAST
from galprism.evaluate.figures.labels import quantity_label
from galprism.evaluate.figures.style import (
    CLASS_COLOUR,
    INK,
    Drawing,
    Look,
    class_legend,
    legend,
    log_numbers,
    new_figure,
    png,
    styled,
)
from galprism.evaluate.metrics import edges

MARKERS = "osD^vP"
WIDTHS = 10
"""Bins of equal width of a reliability diagram."""


@styled
def reliability(name: str, title: str, entries: Sequence[ClassEntry], look: Look) -> Drawing:
    """A column for the highest probability and one a class: the share that a probability held for, and how many."""
    columns = (None, *CLASSES)
    figure, axes = new_figure(2, len(columns), row_height=2.0, sharex=True, sharey="row", height_ratios=(1.5, 1))
    legend(figure, [entry.method for entry in entries], look)
    for panel in axes[0]:
        panel.plot((0, 1), (0, 1), color=INK, linewidth=0.8, linestyle=":")
        panel.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    for entry, marker in zip(entries, cycle(MARKERS), strict=False):
        true = entry.sample.true
        assert true is not None
        probability, colour = entry.sample.probability(entry.method), look.colour(entry.method)
        for (top, bottom), of in zip(axes.T, columns, strict=True):
            said, held, n = calibration_curve(probability, true, of=of, bins=WIDTHS, equal_width=True)
            many = n >= LEAST
            said, held, n = said[many], held[many], n[many]
            bars = np.array([wilson(round(h * m), int(m)) for h, m in zip(held, n, strict=True)]).reshape(-1, 2).T
            reach = np.maximum([held - bars[0], bars[1] - held], 0.0)
            top.errorbar(said, held, reach, color=colour, fmt=marker, markersize=3.5, elinewidth=0.9)
            values = highest(probability) if of is None else np.minimum(probability[:, CLASSES.index(of)], 1.0)
            _steps(bottom, values, np.linspace(0, 1, 2 * WIDTHS + 1), colour, look.line(entry.method))
    most = max(axes[1], key=lambda panel: panel.dataLim.y1)
    log_numbers(most)
    axes[0, 0].set_ylabel("share that are")
    axes[1, 0].set_ylabel("sources")
    for (top, bottom), of in zip(axes.T, columns, strict=True):
        top.set_title("the class called" if of is None else CLASS_NAMES[of])
        bottom.set_xlabel(r"$p_{\rm max}$" if of is None else rf"$p_{{\rm {of}}}$")
    caption = (
        f"{entries[0].sample.describe()}. Above: of the sources with a probability in a bin of {1 / WIDTHS:g}, the "
        "share that are of the class; bars are 68 % intervals of a binomial share, and exact probabilities lie on the "
        f"dotted line; bins with fewer than {LEAST} sources are not drawn. Below: how many sources have "
        "which probability."
    )
    return Drawing(name, title, caption, png(figure))


@styled
def distributions(name: str, title: str, sample: ClassSample) -> Drawing:
    """A row a method: distributions by class of the magnitude and the redshift, where given, and of the highest
    probability."""
    quantities = {} if sample.band is None else {f"mag_{sample.band}": sample.magnitude}
    redshift = sample.matched.quantity("redshift")
    quantities["redshift"] = None if redshift is None else redshift[sample.rows]
    given = {key: value for key, value in quantities.items() if value is not None and np.isfinite(value).any()}
    figure, axes = new_figure(len(sample.methods), len(given) + 1, row_height=2.3, sharex="col")
    class_legend(figure)
    for row, method in zip(axes, sample.methods, strict=True):
        called, top = sample.called(method), highest(sample.probability(method))
        for k, of in enumerate(CLASSES):
            _steps(row[-1], top[called == k], np.linspace(1 / 3, 1, 31), CLASS_COLOUR[of])
            for panel, value in zip(row, given.values(), strict=False):
                borders = _halved(edges(value, about=15))
                _steps(panel, value[called == k], borders, CLASS_COLOUR[of])
                if sample.true is not None:
                    n = _counts(value[sample.true == k], borders)
                    middle = 0.5 * (borders[1:] + borders[:-1])
                    panel.plot(middle[n > 0], n[n > 0], "o", color=CLASS_COLOUR[of], markersize=2)
        for panel in row:
            log_numbers(panel)
        row[0].set_ylabel("sources")
        row[0].set_title(method, loc="left")
    for panel, key in zip(axes[-1], given, strict=False):
        panel.set_xlabel(quantity_label(key))
    axes[-1, -1].set_xlabel(r"$p_{\rm max}$")
    axes[-1, -1].set_xlim(0.32, 1.01)
    dots = " Points: what sources are." if given and sample.true is not None else ""
    caption = f"{sample.describe()}. Lines: by what sources were called.{dots} End bins hold all that lies beyond."
    return Drawing(name, title, caption, png(figure))


def _halved(borders: np.ndarray) -> np.ndarray:
    return np.sort(np.concatenate([borders, 0.5 * (borders[1:] + borders[:-1])]))


def _counts(values: np.ndarray, borders: np.ndarray) -> np.ndarray:
    return np.histogram(np.clip(values, borders[0], borders[-1]), borders)[0]


def _steps(panel: Axes, values: np.ndarray, borders: np.ndarray, colour: str, line: Any = "-") -> None:
    panel.stairs(_counts(values, borders), borders, color=colour, linestyle=line, linewidth=1.2)
