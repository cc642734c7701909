"""Where classes lie: colour against colour, size against magnitude, and how many quasars are on the sky."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.lines import Line2D

from galprism.data import CLASSES
from galprism.evaluate.classes.counts import Density
from galprism.evaluate.classes.sample import CLASS_NAMES, ClassSample
from galprism.evaluate.classes.shown import Column
from galprism.evaluate.figures.labels import heading, quantity_label
from galprism.evaluate.figures.style import (
    CLASS_COLOUR,
    CLASS_LOOK,
    INK,
    MANY,
    Drawing,
    Look,
    class_legend,
    contours,
    density,
    new_figure,
    note,
    plain_log_ticks,
    png,
    span,
    styled,
)

ACROSS = 3
FEW = 100
"""Of fewer sources no contours are drawn but points."""


@styled
def colour_colour(name: str, title: str, sample: ClassSample, pairs: Sequence[tuple[str, str]]) -> Drawing | None:
    """A row a method, a column a class: one colour against the other of what was called so, and of what is.

    None where no source has both colours.
    """
    x, y = (_colour(sample, *pair) for pair in pairs)
    good = np.isfinite(x) & np.isfinite(y)
    if good.sum() < 2:
        return None
    limits = {"xlim": _reach(sample, x, good), "ylim": _reach(sample, y, good)}
    figure, axes = new_figure(len(sample.methods), len(CLASSES), row_height=2.35, sharex=True, sharey=True)
    for row, method in zip(axes, sample.methods, strict=True):
        called = sample.called(method)
        for k, (panel, of) in enumerate(zip(row, CLASSES, strict=True)):
            panel.set(**limits)
            rows = good & (called == k)
            density(panel, x[rows], y[rows], CLASS_LOOK, of, bins=60)
            if sample.true is not None:
                _outlined(panel, x[good & (sample.true == k)], y[good & (sample.true == k)])
            note(panel, [CLASS_NAMES[of], f"n = {rows.sum():,}"])
        row[0].set_ylabel(_label(pairs[1]))
        row[0].set_title(method, loc="left")
    for panel in axes[-1]:
        panel.set_xlabel(_label(pairs[0]))
    left = sample.n - int(good.sum())
    without = f" {left:,} of these have no such colours, for want of a positive flux in every band." if left else ""
    lines = (
        f" Lines enclose 39, 86 and 99 % of those that are (of few, {FEW} at most are crosses)."
        if sample.true is not None
        else ""
    )
    caption = f"{sample.describe()}.{without} Shaded, or points where there are few: sources called so.{lines}"
    return Drawing(name, title, caption, png(figure))


def _reach(sample: ClassSample, value: np.ndarray, good: np.ndarray) -> tuple[float, float]:
    """Limits that hold the bulk of every class, however few are of it."""
    classes = [sample.called(method) for method in sample.methods] if sample.true is None else [sample.true]
    spans = [span(value[good & (of == k)], keep=97) for of in classes for k in np.unique(of[good]) if k >= 0]
    return (min(low for low, _ in spans), max(high for _, high in spans)) if spans else span(value[good])


def _outlined(panel, x: np.ndarray, y: np.ndarray) -> None:
    if len(x) >= MANY:
        contours(panel, x, y)
    else:
        few = slice(None, None, -(-len(x) // FEW) or 1)
        panel.plot(x[few], y[few], "x", color=INK, markersize=3, markeredgewidth=0.6)


def _colour(sample: ClassSample, blue: str, red: str) -> np.ndarray:
    mags = [sample.matched.quantity(f"mag_{band}") for band in (blue, red)]
    assert mags[0] is not None
    assert mags[1] is not None
    return (mags[0] - mags[1])[sample.rows]


def _label(pair: tuple[str, str]) -> str:
    return f"${pair[0]} - {pair[1]}$ [AB mag]"


@styled
def size_magnitude(name: str, title: str, sample: ClassSample, size: Column) -> Drawing | None:
    """A panel a method, and one of the truth: size against magnitude of each class. None where none has both."""
    assert sample.magnitude is not None
    value = size.of(sample.matched.id)[sample.rows]
    good = np.isfinite(value) & (value > 0) & np.isfinite(sample.magnitude)
    if good.sum() < 2:
        return None
    classes = {method: sample.called(method) for method in sample.methods}
    if sample.true is not None:
        classes["the truth"] = sample.true
    across = 2 if len(classes) in (1, 2, 4) else ACROSS
    figure, axes = new_figure(-(-len(classes) // across), across, row_height=3.0)
    class_legend(figure)
    for panel in axes.ravel()[len(classes) :]:
        panel.set_axis_off()
    x_limits, y_limits = span(sample.magnitude[good], keep=99.8), span(np.log10(value[good]), keep=99.8)
    for panel, (who, is_class) in zip(axes.ravel(), classes.items(), strict=False):
        panel.set(xlim=x_limits, ylim=y_limits)
        for k in np.argsort([-(is_class == k).sum() for k in range(len(CLASSES))]):
            rows, of = good & (is_class == k), CLASSES[k]
            x, y = sample.magnitude[rows], np.log10(value[rows])
            few = slice(None, None, -(-len(x) // MANY) or 1)
            panel.plot(x[few], y[few], ".", color=CLASS_COLOUR[of], markersize=2.2, alpha=0.45, markeredgewidth=0)
        for k, of in enumerate(CLASSES):
            rows = good & (is_class == k)
            if rows.sum() >= FEW:
                coarse = int(np.clip(np.sqrt(rows.sum()), 15, 40))
                contours(panel, sample.magnitude[rows], np.log10(value[rows]), CLASS_COLOUR[of], (0.393, 0.865), coarse)
        panel.set_title(heading(who))
        panel.set_xlabel(quantity_label(f"mag_{sample.band}"))
    unit = f" [{size.unit}]" if size.unit else ""
    for row in axes:
        row[0].set_ylabel(rf"$\log_{{10}}$ {size.name}{unit}".replace("_", r"_", 1))
    left = sample.n - int(good.sum())
    without = f" {left:,} of these have no magnitude or no size above zero." if left else ""
    caption = (
        f"{sample.describe()}.{without} By what sources were called, and by what they are where that is known; of a "
        f"class at most {MANY:,} points are drawn, and lines enclose 39 and 86 % of {FEW} or more."
    )
    return Drawing(name, title, caption, png(figure))


@styled
def surface_density(name: str, title: str, found: Sequence[Density], sample: ClassSample, look: Look) -> Drawing:
    """Sources per square degree: in each step of magnitude, and brighter than a magnitude."""
    figure, ((left, right),) = new_figure(1, 2, row_height=2.9)
    first = found[0]
    borders = np.array(first.edges)
    handles = []
    for each in found:
        told = each.method != "truth"
        colour: str = look.colour(each.method) if told else INK
        line: Any = look.line(each.method) if told else ":"
        handles.append(Line2D([], [], color=colour, linestyle=line, label=each.method))
        n, step = np.array(each.n), np.diff(borders)
        middle = 0.5 * (borders[1:] + borders[:-1])
        drawn = n > 0
        rate = 1 / first.area / step
        left.errorbar(
            middle[drawn], (n * rate)[drawn], (np.sqrt(n) * rate)[drawn], color=colour, linestyle=line, marker="o",
            markersize=2.5, elinewidth=0.8, linewidth=1.2,
        )  # fmt: skip
        right.plot(borders[1:], np.array(each.brighter) / first.area, color=colour, linestyle=line, linewidth=1.3)
        if each.expected is not None:
            right.plot(borders[1:], np.array(each.expected) / first.area, "x", color=colour, markersize=4)
    for panel in (left, right):
        panel.set_yscale("log")
        plain_log_ticks(panel.yaxis)
        panel.set_xlabel(quantity_label(f"mag_{sample.band}"))
    left.set_ylabel("quasars [deg$^{-2}$ mag$^{-1}$]")
    right.set_ylabel("quasars brighter [deg$^{-2}$]")
    figure.legend(handles=handles, loc="outside upper center", ncols=min(len(handles), 4))
    caption = (
        f"{sample.describe()}, taken as all there are on {first.area:g} square degrees. Left: in each "
        "step of magnitude, with Poisson errors. Right: brighter than a magnitude; crosses are sums of the "
        "probability of a quasar over all sources as bright, which count right where probabilities are calibrated."
    )
    return Drawing(name, title, caption, png(figure))
