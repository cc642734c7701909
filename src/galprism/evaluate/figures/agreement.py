"""One method against the truth or against another: Figures 3 to 6 of the MLP-GaP paper (Guo et al. 2024)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from galprism.evaluate.figures.labels import HALF, axis_label, difference_label, heading, quantity_label, unit
from galprism.evaluate.figures.style import (
    INK,
    OUTLINE,
    Drawing,
    Look,
    density,
    new_figure,
    note,
    png,
    running,
    span,
    styled,
)
from galprism.evaluate.samples import Sample
from galprism.evaluate.tables import number


@styled
def agreement(name: str, title: str, samples: Sequence[Sample], method: str, look: Look) -> Drawing | None:
    """A row a parameter: left, `method` against the reference; right, the difference against redshift.

    None when no sample has two sources to draw.
    """
    samples = [sample for sample in samples if sample.n > 1 and np.isfinite(sample.predicted(method)).all()]
    if not samples:
        return None
    figure, axes = new_figure(len(samples), 2, row_height=3.0)
    for (left, right), sample in zip(axes, samples, strict=True):
        _one_to_one(left, sample, method, look)
        _against_redshift(right, sample, method, look)
    cuts = "; ".join(f"{sample.parameter}: {sample.label}, n = {sample.n:,}" for sample in samples)
    against = samples[0].reference or "the truth"
    caption = (
        f"{method} and {against}; {cuts}. Left: one against the other, shaded by the logarithm of the number of "
        "sources, with the 1:1 line. R² is the standard coefficient of determination. Right: the difference against "
        "redshift; line and bars are the median and the 16th and 84th percentiles per bin, dotted lines ±σ of all."
    )
    return Drawing(name, title, caption, png(figure))


def _one_to_one(axes: Axes, sample: Sample, method: str, look: Look) -> None:
    true, predicted = sample.true, sample.predicted(method)
    limits = span(true, predicted)
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    axes.set_box_aspect(1)
    density(axes, true, predicted, look, method)
    axes.plot(limits, limits, color=INK, linewidth=1, linestyle="--")
    m = sample.metrics(method)
    note(axes, [f"$R^2$ = {number(m.r2, 3)}", f"MAE = {number(m.mae, 3)}", f"MSE = {number(m.mse)}"])
    axes.set_xlabel(axis_label(sample.parameter, sample.reference or "(true)"))
    axes.set_ylabel(f"{axis_label(sample.parameter, '')}\n{heading(method, HALF)}")


def _against_redshift(axes: Axes, sample: Sample, method: str, look: Look) -> None:
    d, redshift = sample.residual(method), sample.quantity("redshift")
    axes.set_ylabel(difference_label(sample.parameter, method, sample.reference or "true"))
    m = sample.metrics(method)
    half = max(abs(value) for value in span(d, keep=99))
    if redshift is None or not np.isfinite(redshift).any():
        axes.hist(
            np.clip(d, -half, half), bins=50, range=(-half, half), orientation="horizontal", color=look.colour(method)
        )
        axes.set_xlabel("sources (no redshift is given)")
        return
    good = np.isfinite(redshift)
    axes.set(xlim=span(redshift, keep=99.9), ylim=(-1.2 * half, 1.5 * half))
    density(axes, redshift[good], d[good], look, method)
    if m.sigma is not None:
        for offset in (-m.sigma, m.sigma):
            axes.axhline(offset, color=INK, linewidth=0.8, linestyle=":")
    axes.axhline(0, color=INK, linewidth=0.9, linestyle="--")
    middle, percentiles = running(redshift[good], d[good])
    if len(middle):
        low, median, high = percentiles.T
        axes.vlines(middle, low, high, color=INK, linewidth=1.1, path_effects=OUTLINE, zorder=3)
        axes.plot(
            middle, median, "o-", color=INK, linewidth=1.1, markersize=4, markerfacecolor="white", markeredgecolor=INK,
            path_effects=OUTLINE, zorder=4,
        )  # fmt: skip
    what = unit(sample.parameter)
    note(axes, [f"σ = {number(m.sigma, 3)} {what}", f"bias = {number(m.bias, 3, sign=True)} {what}"])
    axes.set_xlabel(quantity_label("redshift"))
