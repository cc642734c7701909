"""Template fitting as CIGALE does it: every model of a grid weighted by its likelihood (Boquien et al. 2019, Sect. 4).

The scale of each model is its best one (so the scale's own error is not in the quantiles, and a faint source's are
too narrow), all models of the grid count alike before the data, and models older than the Universe are left out.
Means are taken of logarithms, since the mean of a steep linear quantity belongs to its tail; the linear mean, which
CIGALE reports, is given beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from galprism.data import Predictions, Sources
from galprism.data.predictions import LEVELS
from galprism.fit.cache import SCALED, ModelCache, log_distance_factor
from galprism.fit.likelihood import (
    CANCELLATION,
    CUT,
    Table,
    Weighted,
    limit_chi2,
    residual_chi2,
    scale_under_limits,
)
from galprism.fit.rows import Estimates, FluxError, prepare
from galprism.fit.weighted import weighted_mean_std, weighted_quantiles

PER_DEX = np.log(10.0)
NOTHING = 1e4
"""In chi2 above the best: a model that is so much worse has no weight, in single precision or double."""
CHUNK = 8
"""Sources that go through the matrix products together: their sums stay in cache."""


def fit_grid(
    sources: Sources,
    cache: ModelCache,
    *,
    parameters: Sequence[str] = ("logmstar", "logsfr"),
    levels: Sequence[float] = LEVELS,
    flux_err: FluxError | None = None,
    model_error: np.ndarray | float = 0.0,
    redshift_step: float = 0.005,
    max_reduced_chi2: float = 10.0,
    progress: Callable[[int], None] | None = None,
) -> Predictions:
    """Likelihood-weighted means and quantiles of `parameters` over the models of a cache.

    flux_err : gives errors to fluxes that came without; None leaves those bands out. Both are flagged.
    model_error : fraction of the flux, or (B,) of them, added to the errors in quadrature (CIGALE adds 0.1).
    redshift_step : colours are computed at redshifts rounded to this; the distance is that of the source.
    max_reduced_chi2 : above it the row is flagged POOR_FIT. Reduced means over n_bands - 1, as in CIGALE.
    progress : called with the number of rows done since the last call.

    Extra columns: `chi2`, `reduced_chi2` of the best model, `best_<parameter>`, `<parameter>_std`, and for masses and
    rates `<parameter>_linear_mean`, the log10 of the mean of the linear quantity. Rows that cannot be fitted (no band,
    no redshift, redshift beyond the cache, no model of positive mass) are null and flagged.
    Raises RequestError when the cache lacks a band of the catalogue or a parameter.
    """
    started = time.perf_counter()
    rows = prepare(sources, cache, parameters, flux_err=flux_err, model_error=model_error)
    estimates = Estimates(len(sources), parameters, levels)
    linear = {name: np.full(len(sources), np.nan) for name in parameters if name in SCALED}
    if progress is not None:
        progress(int(np.count_nonzero(~rows.usable)))
    narrow = cache.select(rows.bands)
    for redshift, members in rows.groups(redshift_step, *cache.redshift_range):
        models = cache.models(redshift)
        table = Table.of(narrow.light(redshift, models))
        values = [cache.values[name][models] for name in parameters]
        linears = {name: np.exp(PER_DEX * _log_linear(cache, name)[models]) for name in linear}
        offset = np.log10(rows.photometry.unit[members]) - log_distance_factor(rows.redshift[members])
        for start in range(0, len(members), CHUNK):
            part = slice(start, start + CHUNK)
            photometry = rows.photometry.take(members[part])
            for k, (row, s1, s2) in enumerate(zip(members[part], *table.sums(photometry), strict=True)):
                fitted = weigh_models(table, photometry, k, s1, s2)
                if fitted is None:
                    continue
                index, scale, weight, estimates.chi2[row] = fitted
                log_mass = np.log(scale)
                log_mass *= np.float32(1.0 / PER_DEX)
                log_mass += np.float32(offset[start + k])
                top = int(np.argmax(weight))
                for j, name in enumerate(parameters):
                    value = values[j][index]
                    if name in SCALED:
                        value += log_mass
                    estimates.point[row, j], estimates.std[row, j] = weighted_mean_std(value, weight)
                    estimates.quantiles[row, j] = weighted_quantiles(value, weight, levels)
                    estimates.best[row, j] = value[top]
                scaled_weight = weight * scale
                for name, column in linear.items():
                    column[row] = np.log10(scaled_weight @ linears[name][index] / weight.sum()) + offset[start + k]
        if progress is not None:
            progress(len(members))
    meta = {
        "method": "grid",
        "n_models": len(cache),
        "model_error": np.asarray(model_error).tolist(),
        "redshift_step": redshift_step,
        "seconds": round(time.perf_counter() - started, 3),
    }
    extra = {f"{name}_linear_mean": column for name, column in linear.items()}
    return estimates.predictions(rows, cache, extra, max_reduced_chi2, meta)


def weigh_models(
    table: Table, photometry: Weighted, k: int, s1: np.ndarray, s2: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float] | None:
    """Models of not negligible weight for source k: index, scale and weight, each (K,), and the least chi2.

    s1, s2 : (M,), the source's row of `Table.sums`; overwritten. The weight of the best is 1. None when no model has
    a positive scale, since such a source has no mass that could be given.
    """
    flux, weight, limit_err = photometry.flux[k], photometry.weight[k], photometry.limit_err[k]
    total = photometry.total[k]
    if not weight.any():
        return None
    np.maximum(s1, 0.0, out=s1)
    scale = np.divide(s1, s2, out=s2)
    explained = np.multiply(s1, scale, out=s1)
    most = explained.max()
    if not most > 0:
        return None
    if limit_err.any():
        return _weigh_with_limits(table, flux, weight, limit_err, scale, explained, total)
    index = np.flatnonzero(explained > max(most - CUT - 1e-5 * most, 0.0))
    scale = scale[index]
    if total > CANCELLATION:
        chi2 = residual_chi2(flux, weight, table.flux[index], scale.astype(np.float64))
        return index, scale, _relative(chi2), float(chi2.min())
    return index, scale, _relative(-explained[index]), max(float(total - most), 0.0)


def _weigh_with_limits(table: Table, flux, weight, limit_err, scale, explained, total):
    """As `weigh_models` for a source with upper limits, from the scale (M,) and what it explains without them."""
    # The limits only add to chi2, so a model whose chi2 without them is too far above some total is out.
    some = np.flatnonzero(explained > 0)
    whole = total - explained[some] + limit_chi2(flux, limit_err, table.flux[some], scale[some])
    index = some[explained[some] > total - whole.min() - CUT - 1e-5 * total]
    models = table.flux[index].astype(np.float64)
    scale = scale_under_limits(flux, limit_err, models, scale[index].astype(np.float64), (models * models) @ weight)
    positive = scale > 0
    if not positive.any():
        return None
    index, scale, models = index[positive], scale[positive], models[positive]
    chi2 = residual_chi2(flux, weight, models, scale) + limit_chi2(flux, limit_err, models, scale)
    return index, scale.astype(np.float32), _relative(chi2), float(chi2.min())


def _relative(chi2: np.ndarray) -> np.ndarray:
    """exp(-chi2 / 2) relative to the best, float32."""
    excess = np.minimum(chi2 - chi2.min(), NOTHING).astype(np.float32)
    excess *= np.float32(-0.5)
    return np.exp(excess, out=excess)


def _log_linear(cache: ModelCache, name: str) -> np.ndarray:
    """(M,) log10 of the linear quantity behind a parameter: the rate itself is not compressed as `logsfr` is."""
    if name == "logsfr" and "logssfr" in cache.values:
        return cache.values["logmstar"] + cache.values["logssfr"]
    return cache.values[name]
