"""What the reproduction of MMLforGalAM measures: errors, by S/N too, and how near simulated features come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from galprism.data import Predictions
from galprism.evaluate.metrics import point_metrics
from galprism.recipes.mmlforgalam_bars import MORE_OVER_LESS, ORDER, OURS_OVER, SN_EDGES

FEWEST = 20
"""Galaxies of a bin of S/N that say something."""


def errors_of(point: np.ndarray, true: np.ndarray) -> dict[str, list[float]]:
    """MSE, MAE, bias and SD (Eqs. 8 to 11) of P parameters (N, P), of rows with an answer, and how many have none."""
    good = np.isfinite(point - true).all(axis=1)
    each = [point_metrics(*columns) for columns in zip(point[good].T, true[good].T, strict=True)]
    names = {"mse": "mse", "mae": "mae", "bias": "bias", "sd": "sigma"}
    values = {name: [getattr(metrics, of) for metrics in each] for name, of in names.items()}
    told = {name: [np.nan if value is None else value for value in some] for name, some in values.items()}
    return told | {"missing": [int((~good).sum())]}


def explained(real: np.ndarray, simulated: np.ndarray) -> dict[str, float]:
    """R2 of simulated features (N, F) against real ones: over the features of one galaxy, averaged over galaxies, as
    the paper has it (its Sect. 4.2.2); and over galaxies for each feature that varies, averaged over these, which does
    not count what all galaxies have in common."""
    left = (simulated - real) ** 2
    each = 1.0 - left.sum(axis=1) / ((real - real.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    spread = ((real - real.mean(axis=0)) ** 2).sum(axis=0)
    varies = spread > 1e-3 * spread.max()
    of_features = 1.0 - left.sum(axis=0)[varies] / spread[varies]
    return {"of_galaxies": float(each.mean()), "of_features": float(of_features.mean())}


def by_sn(point: np.ndarray, true: np.ndarray, sn: np.ndarray) -> list[dict[str, Any]]:
    """Errors in each bin of S/N (the paper's Sect. 4.3)."""
    bins = np.digitize(sn, SN_EDGES) - 1
    found = []
    for k in range(len(SN_EDGES)):
        rows = np.flatnonzero(bins == k)
        enough = rows if len(rows) >= FEWEST else rows[:0]
        found.append(errors_of(point[enough], true[enough]) | {"n": len(rows)})
    return found


def ratios_of(points: Mapping[str, np.ndarray], true: np.ndarray) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Of each two methods that bars compare, by "one over other", "SD" and "rms": the ratio of their errors on the same
    galaxies, and its standard error, which counts that they have galaxies in common."""
    found = {}
    for first, second in (*ORDER, *OURS_OVER, *MORE_OVER_LESS):
        offs = [points[name] - true for name in (first, second)]
        good = np.isfinite(offs).all(axis=(0, 2))
        offs = [off[good] for off in offs]
        centred = [off - off.mean(axis=0) for off in offs]
        found[f"{first} over {second}"] = {"SD": _ratio(*centred), "rms": _ratio(*offs)}
    return found


def _ratio(first: np.ndarray, second: np.ndarray) -> dict[str, list[float]]:
    """Of rms of errors (N, P), to first order in what a galaxy more or less changes."""
    squares = first**2, second**2
    means = [square.mean(axis=0) for square in squares]
    ratio = np.sqrt(means[0] / means[1])
    each = 0.5 * (squares[0] / means[0] - squares[1] / means[1])
    return {"ratio": ratio.tolist(), "err": (ratio * each.std(axis=0) / np.sqrt(len(each))).tolist()}


def beside_exact(
    exact: Predictions, methods: Mapping[str, Predictions], names: tuple[str, ...], ids: np.ndarray, true: np.ndarray
) -> dict[str, Any]:
    """Errors of the means of exact posteriors, and of methods on the same galaxies; how many of the posteriors have
    converged, and how many of the true values (N, P) of `ids` (N,) lie within their central 68 per cent."""
    rows = _rows_of(exact, ids)
    assert all(np.array_equal(found.id, ids) for found in methods.values())
    inside = [
        (exact.quantile(name, 0.16) < true[rows, j]) & (true[rows, j] < exact.quantile(name, 0.84))
        for j, name in enumerate(names)
    ]
    return {
        "n": len(rows),
        "converged": int(np.nansum(exact.extra["converged"])),
        "inside": [float(each.mean()) for each in inside],
        "exact": errors_of(columns_of(exact, names), true[rows]),
        "errors": {name: errors_of(columns_of(found, names)[rows], true[rows]) for name, found in methods.items()},
    }


def columns_of(found: Predictions, names: tuple[str, ...]) -> np.ndarray:
    """(N, P), float64."""
    return np.stack([found.column(name) for name in names], axis=1).astype(float)


def _rows_of(found: Predictions, ids: np.ndarray) -> np.ndarray:
    """Where the sources of predictions stand among `ids`."""
    place = {one: k for k, one in enumerate(ids.tolist())}
    return np.array([place[one] for one in np.asarray(found.id).tolist()])


def labels(
    fit: Predictions, names: tuple[str, ...], ids: np.ndarray, true: np.ndarray, sn: np.ndarray
) -> dict[str, Any]:
    """Of full-spectrum fits: their errors, and how much they scatter when noise is added again, by S/N."""
    rows = _rows_of(fit, ids)
    point = np.stack([fit.extra[name] if name in fit.extra else fit.column(name) for name in names], axis=1)
    spread = np.stack([fit.extra[f"{name}_std"] for name in names], axis=1)
    bins = np.digitize(sn[rows], SN_EDGES) - 1
    stds = [
        [float(np.nanmedian(spread[bins == k, j])) if (bins == k).any() else np.nan for j in range(len(names))]
        for k in range(len(SN_EDGES))
    ]
    return {"errors": errors_of(point, true[rows]), "scatter": stds, "n": len(rows)}
