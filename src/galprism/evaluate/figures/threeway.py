"""Several methods and the truth at once: who errs, where, and whether they err together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from galprism.evaluate.figures.labels import THIRD, difference_label, quantity_label
from galprism.evaluate.figures.style import (
    INK,
    Drawing,
    Look,
    density,
    legend,
    new_figure,
    note,
    png,
    running,
    span,
    styled,
)
from galprism.evaluate.samples import Sample

FINEST = 6
"""A bin is cut in 2 this often at most."""
SPREAD_APART = 8
"""From this ratio of the widths of bins on, densities are drawn on a logarithmic axis."""


@styled
def three_way(name: str, title: str, samples: Sequence[Sample], look: Look) -> Drawing | None:
    """A row a parameter: distributions of the residuals, residuals against redshift, and the first method's residual
    against the second's. None unless some sample has two methods that inferred something."""
    drawn = [(sample, _able(sample)) for sample in samples]
    drawn = [(sample, methods) for sample, methods in drawn if sample.n > 1 and len(methods) > 1]
    if not drawn:
        return None
    figure, axes = new_figure(len(drawn), 3, row_height=2.55)
    legend(figure, list(dict.fromkeys(method for _, methods in drawn for method in methods)), look)
    for (left, middle, right), (sample, methods) in zip(axes, drawn, strict=True):
        half = max(abs(value) for method in methods for value in span(sample.residual(method), keep=98))
        _distributions(left, sample, methods, half, look)
        _medians(middle, sample, methods, look)
        _together(right, sample, methods[0], _second(methods, look), half, look)
    cuts = "; ".join(f"{sample.parameter}: {sample.label}, n = {sample.n:,}" for sample, _ in drawn)
    caption = (
        f"On the same sources; {cuts}. Left: distributions of the residuals; the end "
        "bins hold all that lies beyond, and bins are the finer the less a method scatters. Middle: median (thick) and "
        "16th and 84th percentiles (thin) against redshift, or the sources where they are few. "
        "Right: the residual of one method against that of another; along the dotted 1:1 line lie errors that both "
        "make, as they must where the photometry itself does not tell."
    )
    return Drawing(name, title, caption, png(figure))


def _able(sample: Sample) -> list[str]:
    return [method for method in sample.methods if sample.n and np.isfinite(sample.predicted(method)).all()]


def _second(methods: Sequence[str], look: Look) -> str:
    """The method to set beside the first: another estimate sooner than the limit."""
    return next((method for method in methods[1:] if method != look.limit), methods[1])


def _distributions(axes: Axes, sample: Sample, methods: Sequence[str], half: float, look: Look) -> None:
    coarse = int(np.clip(np.sqrt(sample.n), 12, 60))
    steps = {method: _finer(sample.residual(method), 2 * half / coarse) for method in methods}
    apart = max(steps.values()) >= SPREAD_APART
    for method, finer in steps.items():
        d = np.clip(sample.residual(method), -half, half)
        height, borders = np.histogram(d, np.linspace(-half, half, coarse * finer + 1), density=True)
        axes.stairs(
            np.where(height > 0, height, np.nan) if apart else height, borders, baseline=None if apart else 0,
            color=look.colour(method), linestyle=look.line(method), linewidth=1.4 if finer == 1 else 1.0,
        )  # fmt: skip
    if apart:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.axvline(0, color=INK, linewidth=0.7)
    axes.set(xlim=(-half, half), xlabel=difference_label(sample.parameter), ylabel="density")
    axes.set_box_aspect(1)


def _finer(d: np.ndarray, step: float) -> int:
    """Into how many bins, a power of 2, a bin of this width is cut for the shape of residuals to be seen: about as many
    as Freedman & Diaconis (1981) have."""
    low, high = np.percentile(d, [25, 75])
    own = 2 * (high - low) / len(d) ** (1 / 3)
    return 2 ** int(np.clip(round(np.log2(step / own)), 0, FINEST)) if own > 0 else 1


def _medians(axes: Axes, sample: Sample, methods: Sequence[str], look: Look) -> None:
    redshift = sample.quantity("redshift")
    axes.set_box_aspect(1)
    axes.set_ylabel(difference_label(sample.parameter))
    axes.axhline(0, color=INK, linewidth=0.7)
    axes.set_xlabel(quantity_label("redshift"))
    if redshift is None or not np.isfinite(redshift).any():
        axes.set_xlabel("")
        note(axes, ["no redshift is given"])
        axes.set_xticks([])
        return
    good = np.isfinite(redshift)
    for method in methods:
        middle, percentiles = running(redshift[good], sample.residual(method)[good])
        if len(middle):
            low, median, high = percentiles.T
            for percentile, width in ((low, 0.8), (median, 1.7), (high, 0.8)):
                axes.plot(middle, percentile, color=look.colour(method), linestyle=look.line(method), linewidth=width)
    if len(axes.lines) == 1:  # zero alone
        for method in methods:
            d = sample.residual(method)[good]
            axes.plot(redshift[good], d, ".", color=look.colour(method), markersize=3.5, alpha=0.7, markeredgewidth=0)
        note(axes, ["too few for medians"])


def _together(axes: Axes, sample: Sample, first: str, second: str, half: float, look: Look) -> None:
    x, y = sample.residual(second), sample.residual(first)
    axes.set(xlim=(-half, half), ylim=(-half, half))
    axes.set_box_aspect(1)
    density(axes, x, y, look, first, bins=50)
    axes.plot((-half, half), (-half, half), color=INK, linestyle=":", linewidth=1)
    axes.axhline(0, color=INK, linewidth=0.7)
    axes.axvline(0, color=INK, linewidth=0.7)
    axes.set_xlabel(difference_label(sample.parameter, second, "true", THIRD), fontsize=8)
    axes.set_ylabel(difference_label(sample.parameter, first, "true", THIRD), fontsize=8)
    if x.std() > 0 and y.std() > 0:
        note(axes, [f"correlation {np.corrcoef(x, y)[0, 1]:.2f}"])
