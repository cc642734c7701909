"""How close each method comes to what the photometry can tell at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from galprism.evaluate.compare import rms_ratio
from galprism.evaluate.figures.labels import quantity_label, symbol, unit
from galprism.evaluate.figures.style import (
    FEW,
    INK,
    Drawing,
    Look,
    legend,
    new_figure,
    png,
    styled,
)
from galprism.evaluate.metrics import bin_index, edges, root_mean_error
from galprism.evaluate.samples import Sample


@styled
def against_limit(name: str, title: str, samples: Sequence[Sample], by: str, look: Look) -> Drawing | None:
    """A column a parameter: rms residual in bins of `by` for each method, and below it the ratio to the limit's.

    Without a limit the upper panel alone. None when no sample has `by` for enough sources.
    """
    samples = [s for s in samples if s.n >= FEW and np.isfinite(_by(s, by)).sum() >= FEW and _able(s)]
    if not samples:
        return None
    has_limit = any(look.limit in _able(sample) and len(_able(sample)) > 1 for sample in samples)
    options = {"height_ratios": [2.2, 1]} if has_limit else {}
    figure, axes = new_figure(
        2 if has_limit else 1, len(samples), row_height=2.1 if has_limit else 2.8, sharex="col", gridspec_kw=options
    )
    for k, sample in enumerate(samples):
        _spread(axes[0, k], sample, by, look)
        if has_limit:
            _ratio(axes[1, k], sample, by, look)
            axes[0, k].tick_params(labelbottom=False)
        axes[-1, k].set_xlabel(quantity_label(by))
    legend(figure, list(dict.fromkeys(method for sample in samples for method in _able(sample))), look)
    cuts = "; ".join(f"{sample.parameter}: {sample.label}, n = {sample.n:,}" for sample in samples)
    caption = f"rms residual in bins of {by.replace('_', ' ')} ({cuts}), with standard errors."
    if has_limit:
        caption += (
            f" {look.limit} is the information limit: no method can do better on average under the same prior. Below: "
            "the ratio of each method's rms to it."
        )
    return Drawing(name, title, caption, png(figure))


def _by(sample: Sample, by: str) -> np.ndarray:
    value = sample.quantity(by)
    return np.full(sample.n, np.nan) if value is None else value


def _able(sample: Sample) -> list[str]:
    return [method for method in sample.methods if np.isfinite(sample.predicted(method)).all()]


def _bins(sample: Sample, by: str) -> list[tuple[float, np.ndarray]]:
    value = _by(sample, by)
    borders = edges(value)
    index = bin_index(value, borders)
    rows = [index == k for k in range(len(borders) - 1)]
    return [(float(np.median(value[row])), row) for row in rows if row.sum() >= FEW]


def _spread(axes: Axes, sample: Sample, by: str, look: Look) -> None:
    bins = _bins(sample, by)
    for method in _able(sample):
        d = sample.residual(method)
        rms = np.array([np.sqrt(np.mean(d[row] ** 2)) for _, row in bins])
        err = [root_mean_error(d[row] ** 2) or 0.0 for _, row in bins]
        axes.errorbar(
            [x for x, _ in bins], rms, yerr=err, color=look.colour(method), linestyle=look.line(method), marker="o",
            markersize=3.5, elinewidth=1,
        )  # fmt: skip
    what = unit(sample.parameter)
    axes.set_ylabel(f"rms of $\\Delta\\,${symbol(sample.parameter)}" + (f" [{what}]" if what else ""))
    axes.set_ylim(0, 1.05 * axes.get_ylim()[1])


def _ratio(axes: Axes, sample: Sample, by: str, look: Look) -> None:
    methods = _able(sample)
    axes.axhline(1, color=INK, linestyle=":", linewidth=1.4)
    if look.limit not in methods:
        return
    d_limit = sample.residual(look.limit)
    for method in methods:
        if method == look.limit:
            continue
        d = sample.residual(method)
        found = [(x, *rms_ratio(d[row], d_limit[row])) for x, row in _bins(sample, by)]
        points = [(x, ratio, error or 0.0) for x, ratio, error in found if ratio is not None]
        axes.errorbar(
            [x for x, _, _ in points], [r for _, r, _ in points], yerr=[e for _, _, e in points],
            color=look.colour(method), linestyle=look.line(method), marker="o", markersize=3.5, elinewidth=1,
        )  # fmt: skip
    axes.set_ylabel("rms / limit")
