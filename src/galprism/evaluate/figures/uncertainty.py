"""Stated uncertainties: their calibration, the PIT, and how they compare with the errors made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from galprism.evaluate.figures.labels import symbol, unit
from galprism.evaluate.figures.style import (
    FEW,
    INK,
    Drawing,
    Look,
    legend,
    new_figure,
    plain_log_ticks,
    png,
    styled,
)
from galprism.evaluate.metrics import root_mean_error
from galprism.evaluate.samples import Sample

PIT_BINS = 20


@styled
def calibration(name: str, title: str, samples: Sequence[Sample], look: Look) -> Drawing | None:
    """A row a parameter: coverage of central intervals against their nominal level, and histograms of the PIT.

    None when no method states an uncertainty.
    """
    drawn = [(sample, _pits(sample)) for sample in samples]
    drawn = [(sample, pits) for sample, pits in drawn if pits]
    if not drawn:
        return None
    figure, axes = new_figure(len(drawn), 2, row_height=2.7)
    legend(figure, list(dict.fromkeys(method for _, pits in drawn for method in pits)), look)
    for (left, right), (sample, pits) in zip(axes, drawn, strict=True):
        _coverage(left, sample, pits, look)
        _histogram(right, sample, pits, look)
    cuts = "; ".join(f"{sample.parameter}: {sample.label}" for sample, _ in drawn)
    caption = (
        f"{cuts}. Left: the fraction of sources whose true value lies in the "
        "central interval, minus the interval's nominal probability, against that probability: zero is right, below is "
        "overconfident. Points are intervals counted directly, the line follows from the PIT. Right: the probability "
        "integral transform; flat is right, a hump means intervals that are too wide, a trough too narrow, a slope a "
        "bias. Grey: ±2σ of a perfectly calibrated sample of this size."
    )
    return Drawing(name, title, caption, png(figure))


def _pits(sample: Sample) -> dict[str, np.ndarray]:
    found = {}
    for method in sample.methods:
        pit = sample.pit(method) if sample.n else None
        if pit is not None and np.isfinite(pit).any():
            found[method] = pit[np.isfinite(pit)]
    return found


def _coverage(axes: Axes, sample: Sample, pits: dict[str, np.ndarray], look: Look) -> None:
    nominal = np.linspace(0, 1, 101)
    n = min(map(len, pits.values()))
    band = 2 * np.sqrt(nominal * (1 - nominal) / n)
    axes.fill_between(nominal, -band, band, color="#bbbbbb", alpha=0.5, linewidth=0)
    axes.axhline(0, color=INK, linewidth=0.7)
    for method, pit in pits.items():
        inside = np.sort(2 * np.abs(pit - 0.5))
        observed = np.searchsorted(inside, nominal, side="right") / len(inside)
        axes.plot(nominal, observed - nominal, color=look.colour(method), linestyle=look.line(method))
        found = sample.calibration(method)
        if found is not None:
            x = [c.nominal for c in found.coverage]
            y = [c.observed - c.nominal for c in found.coverage]
            axes.errorbar(
                x, y, yerr=[c.err for c in found.coverage], fmt="o", color=look.colour(method), markersize=4, capsize=2
            )
    low, high = axes.get_ylim()
    axes.set(xlim=(0, 1), ylim=(min(1.1 * low, -0.06), max(1.1 * high, 0.06)))
    axes.set_xlabel(f"nominal probability, {symbol(sample.parameter)}")
    axes.set_ylabel("observed − nominal coverage")


def _histogram(axes: Axes, sample: Sample, pits: dict[str, np.ndarray], look: Look) -> None:
    borders = np.linspace(0, 1, PIT_BINS + 1).tolist()
    n = min(map(len, pits.values()))
    p = 1 / PIT_BINS
    band = 2 * np.sqrt(p * (1 - p) / n) * PIT_BINS
    axes.axhspan(1 - band, 1 + band, color="#bbbbbb", alpha=0.5, linewidth=0)
    axes.axhline(1, color=INK, linewidth=0.7)
    for method, pit in pits.items():
        axes.hist(
            pit, bins=borders, density=True, histtype="step", color=look.colour(method), linestyle=look.line(method),
            linewidth=1.4,
        )  # fmt: skip
    axes.set(xlim=(0, 1), xlabel=f"PIT of {symbol(sample.parameter)}", ylabel="density")
    axes.set_ylim(0, max(2.0, 1.08 * axes.get_ylim()[1]))


@styled
def stated_errors(
    name: str, title: str, samples: Sequence[Sample], look: Look, *, truth: bool = True
) -> Drawing | None:
    """A row a parameter: distributions of the stated sigma; and, with a truth, the error made against it.

    None when no method states an uncertainty.
    """
    drawn = [(sample, _spreads(sample)) for sample in samples]
    drawn = [(sample, spreads) for sample, spreads in drawn if spreads]
    if not drawn:
        return None
    figure, axes = new_figure(len(drawn), 2 if truth else 1, row_height=2.7)
    legend(figure, list(dict.fromkeys(method for _, spreads in drawn for method in spreads)), look)
    for row, (sample, spreads) in zip(axes, drawn, strict=True):
        limits = _positive_span(spreads.values())
        _distribution(row[0], sample, spreads, limits, look, truth)
        if truth:
            _made_against_stated(row[1], sample, spreads, limits, look)
    cuts = "; ".join(f"{sample.parameter}: {sample.label}" for sample, _ in drawn)
    caption = f"{cuts}. A stated σ is half of the 16–84 % interval. Left: distributions of it"
    if truth:
        caption += (
            "; triangles at the top mark the actual rms error of the median. Right: rms error of the median of sources "
            "in bins of stated σ, with its standard error, against the rms of the stated σ; on the dotted line the "
            "errors are as large as stated, above it larger."
        )
    else:
        caption = caption.replace(" Left: distributions", " Distributions") + "."
    return Drawing(name, title, caption, png(figure))


def _spreads(sample: Sample) -> dict[str, np.ndarray]:
    found = {}
    for method in sample.methods:
        spread = sample.spread(method) if sample.n else None
        if spread is not None and (np.isfinite(spread) & (spread > 0)).sum() > 1:
            found[method] = spread
    return found


def _positive_span(spreads) -> tuple[float, float]:
    joined = np.concatenate([value[np.isfinite(value) & (value > 0)] for value in spreads])
    low, high = np.percentile(joined, [0.5, 99.5])
    return low / 1.2, high * 1.2


def _distribution(
    axes: Axes, sample: Sample, spreads: dict[str, np.ndarray], limits: tuple[float, float], look: Look, truth: bool
) -> None:
    n_bins = int(np.clip(np.sqrt(sample.n), 8, 40))
    borders = np.geomspace(*limits, n_bins + 1).tolist()
    for method, spread in spreads.items():
        good = np.isfinite(spread) & (spread > 0)
        axes.hist(
            np.clip(spread[good], *limits), bins=borders, weights=np.full(good.sum(), 1 / good.sum()), histtype="step",
            color=look.colour(method), linestyle=look.line(method), linewidth=1.4,
        )  # fmt: skip
        if truth:
            rms = np.sqrt(np.nanmean(_median_error(sample, method) ** 2))
            axes.plot(
                np.clip(rms, *limits),
                0.965,
                "v",
                color=look.colour(method),
                transform=axes.get_xaxis_transform(),
                markersize=6,
            )
    what = unit(sample.parameter)
    axes.set(xscale="log", xlim=limits, ylabel="fraction of sources")
    axes.set_xlabel(f"stated σ of {symbol(sample.parameter)}" + (f" [{what}]" if what else ""))
    axes.set_ylim(top=1.12 * axes.get_ylim()[1])
    plain_log_ticks(axes.xaxis)


def _median_error(sample: Sample, method: str) -> np.ndarray:
    """(n,), of the median where the method gives one, else of the point: what the interval is about."""
    quantiles, levels = sample.quantiles(method)
    if quantiles is not None and 0.5 in levels:
        return quantiles[:, levels.index(0.5)] - sample.true
    return sample.residual(method)


def _made_against_stated(
    axes: Axes, sample: Sample, spreads: dict[str, np.ndarray], limits: tuple[float, float], look: Look
) -> None:
    for method, spread in spreads.items():
        d = _median_error(sample, method)
        good = np.isfinite(spread) & (spread > 0) & np.isfinite(d)
        n_parts = int(np.clip(good.sum() // FEW, 1, 12))
        parts = np.array_split(np.flatnonzero(good)[np.argsort(spread[good])], n_parts)
        stated = np.array([np.sqrt(np.mean(spread[part] ** 2)) for part in parts])
        made = np.array([np.sqrt(np.mean(d[part] ** 2)) for part in parts])
        err = [root_mean_error(d[part] ** 2) or 0.0 for part in parts]
        axes.errorbar(
            stated, made, yerr=err, fmt="o", color=look.colour(method), linestyle=look.line(method), markersize=3.5,
            elinewidth=1, linewidth=1,
        )  # fmt: skip
    both = (limits[0], limits[1])
    axes.plot(both, both, color=INK, linestyle=":", linewidth=1)
    what = unit(sample.parameter)
    axes.set(xscale="log", yscale="log", xlim=both)
    axes.set_xlabel(f"stated σ of {symbol(sample.parameter)}" + (f" [{what}]" if what else ""))
    axes.set_ylabel("rms error made" + (f" [{what}]" if what else ""))
    plain_log_ticks(axes.xaxis)
    plain_log_ticks(axes.yaxis)
