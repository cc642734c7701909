"""How far point estimates of one parameter lie from the truth, overall and in bins."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from galprism.params import PARAMS

NMAD = 1.4826
"""1 / 0.6745: makes the median absolute deviation of a Gaussian its standard deviation."""

OUTLIER_DEX = 0.3
"""A mass or rate wrong by more than a factor of two is called an outlier."""


@dataclass(frozen=True)
class PointMetrics:
    """Metrics of the residual d = predicted - true, in the parameter's unit; None where one is not defined.

    Errors are standard errors of the mean of the quantity's influence function (the delta method), which is what a
    bootstrap converges to. rms^2 = bias^2 + sigma^2 = MSE.
    """

    n: int
    """Rows with a finite truth and a finite prediction: those that everything below is taken over."""
    not_inferred: float | None
    """Fraction of the rows with a finite truth for which nothing was predicted."""
    bias: float | None = None
    """mean d."""
    bias_err: float | None = None
    sigma: float | None = None
    """Standard deviation of d (divided by n)."""
    sigma_err: float | None = None
    rms: float | None = None
    rms_err: float | None = None
    sigma_nmad: float | None = None
    """1.4826 median |d - median d|."""
    mae: float | None = None
    """mean |d|."""
    mse: float | None = None
    """mean d^2."""
    r2: float | None = None
    """1 - sum d^2 / sum (true - mean true)^2, the standard definition; None when the truth is constant."""
    r2_paper: float | None = None
    """1 - sum d^2 / sum (predicted - mean true)^2: Eq. 2 of Guo et al. 2024 (MLP-GaP) as printed."""
    outlier_fraction: float | None = None
    """Fraction with |d| above the threshold."""
    outlier_threshold: float | None = None


def outlier_threshold(parameter: str) -> float | None:
    """The residual beyond which an estimate is called an outlier: 0.3 for logarithms, none for other units."""
    return OUTLIER_DEX if PARAMS[parameter].unit.startswith("dex") else None


def point_metrics(predicted, true, *, outlier: float | None = None) -> PointMetrics:
    """Metrics of `predicted` (N,) against `true` (N,); every row counts once.

    Rows without a finite truth say nothing and are left out; rows with a truth and without a finite prediction
    count as not inferred. With fewer than two rows nothing but the bias of the one is defined.
    """
    predicted, true = np.asarray(predicted, np.float64), np.asarray(true, np.float64)
    known = np.isfinite(true)
    good = known & np.isfinite(predicted)
    n, n_known = int(good.sum()), int(known.sum())
    not_inferred = 1.0 - n / n_known if n_known else None
    predicted, true = predicted[good], true[good]
    found = PointMetrics(n, not_inferred, outlier_threshold=outlier)
    if n == 0:
        return found
    with np.errstate(over="ignore", invalid="ignore"):  # a prediction of 1e300 has no square; its metrics are None
        d = predicted - true
        bias, mse, mae = d.mean(), np.mean(d**2), np.abs(d).mean()
        found = replace(
            found,
            bias=_finite(bias),
            rms=_finite(math.sqrt(mse)),
            mae=_finite(mae),
            mse=_finite(mse),
            outlier_fraction=None if outlier is None else float(np.mean(np.abs(d) > outlier)),
        )
        if n < 2:
            return found
        sigma = float(np.std(d))
        return replace(
            found,
            bias_err=_finite(sigma / math.sqrt(n)),
            sigma=_finite(sigma),
            sigma_err=root_mean_error((d - bias) ** 2),
            rms_err=root_mean_error(d**2),
            sigma_nmad=_finite(nmad(d)),
            r2=_explained(d, true, float(true.mean())),
            r2_paper=_explained(d, predicted, float(true.mean())),
        )


def nmad(d: np.ndarray) -> float:
    """1.4826 x the median absolute deviation from the median."""
    return float(NMAD * np.median(np.abs(d - np.median(d))))


def _explained(d: np.ndarray, values: np.ndarray, centre: float) -> float | None:
    """1 - sum d^2 / sum (values - centre)^2; None where the values do not vary."""
    if np.ptp(values) == 0:
        return None
    return _finite(1.0 - np.sum(d**2) / np.sum((values - centre) ** 2))


def root_mean_error(squares: np.ndarray) -> float | None:
    """Standard error of sqrt(mean of `squares` (N,)), by the delta method; N > 0."""
    mean = squares.mean()
    return _finite(squares.std() / (2.0 * math.sqrt(mean * len(squares)))) if mean > 0 else 0.0


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def edges(values, *, about: int = 10) -> np.ndarray:
    """Round bin edges that cover the central 99 % of `values` in `about` equal steps of 1, 2 or 5 x 10^k.

    Two or more edges; empty when no value is finite.
    """
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return np.empty(0)
    low, high = np.percentile(values, [0.5, 99.5])
    step = _round_step((high - low) / about) if high > low else 1.0
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return step * np.arange(first, max(last, first + 1) + 1)


def log_edges(values) -> np.ndarray:
    """Edges at 1, 2, 5 x 10^k that cover the central 99 % of the positive `values`; empty when there is none."""
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values) & (values > 0)]
    if not len(values):
        return np.empty(0)
    low, high = np.percentile(values, [0.5, 99.5])
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    ladder = np.array([step * 10.0**k for k in decades for step in (1, 2, 5)])
    first = np.searchsorted(ladder, low, side="right") - 1
    return ladder[first : max(np.searchsorted(ladder, high), first + 1) + 1]


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return float(min((1.0, 2.0, 5.0, 10.0), key=lambda m: abs(math.log(m * power / step))) * power)


def bin_index(values, bin_edges) -> np.ndarray:
    """(N,) int, the bin of each value, -1 for NaN. The end bins are open: what lies beyond falls into them."""
    values = np.asarray(values, np.float64)
    inner = np.asarray(bin_edges, np.float64)[1:-1]
    return np.where(np.isnan(values), -1, np.searchsorted(inner, values, side="right"))


@dataclass(frozen=True)
class BinMetrics:
    """Metrics of the rows of one bin."""

    low: float
    high: float
    """Edges; an end bin reaches to its outermost value."""
    median: float
    """Median of the binned quantity in the bin."""
    metrics: PointMetrics


def binned(predicted, true, by, bin_edges, *, outlier: float | None = None) -> list[BinMetrics]:
    """Metrics in bins of `by` (N,); empty bins are left out, and so are rows whose `by` is NaN."""
    by = np.asarray(by, np.float64)
    index = bin_index(by, bin_edges)
    found = []
    for k in range(len(bin_edges) - 1):
        rows = index == k
        if not rows.any():
            continue
        found.append(
            BinMetrics(
                low=float(min(bin_edges[k], by[rows].min())),
                high=float(max(bin_edges[k + 1], by[rows].max())),
                median=float(np.median(by[rows])),
                metrics=point_metrics(np.asarray(predicted)[rows], np.asarray(true)[rows], outlier=outlier),
            )
        )
    return found
