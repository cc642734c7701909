"""Star, quasar or galaxy by template fitting: which class has the models that say most of the light.

Of every model m of a class C the scale is the best one, chi2_m as in galprism.fit.likelihood, and the class's evidence
is the mean of its models' likelihoods,

    p(C | f) ~ p(C) sum_{m in C} w_m exp(-chi2_m / 2),    sum_{m in C} w_m = 1:

marginalised over models, and not that of the best one, which grows with the number of models. The best scale in place
of all scales stands for a prior even in ln(scale): what the integral adds, 1 / (S/N), is the same for all models that
fit. Templates are not the sky: `model_error` is the fraction of the flux by which they may be wrong in every band.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from galprism import __version__
from galprism.data import CLASSES, Predictions, Sources
from galprism.data.classes import class_columns
from galprism.errors import RequestError
from galprism.fit.class_templates import ClassTemplates
from galprism.fit.likelihood import CANCELLATION, Table, Weighted, limit_chi2, residual_chi2, scale_under_limits
from galprism.fit.rows import FluxError, measure
from galprism.flags import Flag
from galprism.params import PARAMS

CHUNK = 32
"""Sources that go through the matrix products together."""
FEWEST_BANDS = 2
"""With fewer there is no colour, and nothing that tells one class from another."""
TINY = 1e-30
"""In place of the sum of squares of a model that has no light in the bands of a source."""


def fit_classes(
    sources: Sources,
    templates: ClassTemplates,
    *,
    prior: np.ndarray | None = None,
    flux_err: FluxError | None = None,
    model_error: np.ndarray | float = 0.03,
    known_redshift: bool = False,
    redshift_window: float = 0.01,
    max_reduced_chi2: float = 10.0,
    progress: Callable[[int], None] | None = None,
) -> Predictions:
    """Probabilities of star, quasar and galaxy, and the redshift of the best model of the class that is called.

    prior : (K,), or (N, K) for shares that go with magnitude, say; of the classes, in the order of CLASSES; alike when
        not given
    flux_err : gives errors to fluxes that came without; None leaves those bands out. Both are flagged.
    model_error : fraction of the flux, or (B,) of them, added to the errors in quadrature
    known_redshift : use the sources' redshifts where they have one: only models whose ln(1 + z) is within
        `redshift_window` of it enter, stars at z = 0
    max_reduced_chi2 : above it the row is flagged POOR_FIT; reduced means over n_bands - 1
    progress : called with the number of rows done since the last call

    Extra columns beside the classes': `chi2_star`, `chi2_qso`, `chi2_galaxy`, the least of each class (infinite where
    none of its models enters), and `chi2`, `reduced_chi2` of the model that the redshift is of. Rows that cannot be
    told (fewer than two bands, no model at their redshift or with light above zero) are null and flagged. Raises
    RequestError when the templates lack a band of the catalogue, or the prior is none.
    """
    started = time.perf_counter()
    told_prior = "alike" if prior is None else "of each source" if np.ndim(prior) == 2 else np.asarray(prior).tolist()
    measured = measure(sources, templates.bands, flux_err=flux_err, model_error=model_error)
    models = templates.select(measured.bands)
    n = len(sources)
    shares = _checked_prior(prior, n)
    given = np.full(n, np.nan) if sources.redshift is None or not known_redshift else np.asarray(sources.redshift)
    flags, seen = measured.flags.copy(), measured.n_bands >= FEWEST_BANDS
    if known_redshift:
        flags[~np.isfinite(given)] |= np.uint32(Flag.REDSHIFT_MISSING)
    log_evidence, best = np.full((n, len(CLASSES)), -np.inf), np.full((n, len(CLASSES)), -1)
    chi2 = np.full((n, len(CLASSES)), np.inf)
    for rows, chosen in _by_redshift(models, given, np.flatnonzero(seen), redshift_window):
        if len(chosen):
            log_evidence[rows], chi2[rows], best[rows] = _evidence(models, chosen, measured.weighted.take(rows))
        else:
            flags[rows] |= np.uint32(Flag.REDSHIFT_OUT_OF_RANGE)
        if progress is not None:
            progress(len(rows))
    if progress is not None:
        progress(int(np.count_nonzero(~seen)))
    with np.errstate(divide="ignore", invalid="ignore"):
        log_probability = log_evidence + np.log(shares)
        top = log_probability.max(axis=1)
        told = np.isfinite(top)
        probability = np.exp(log_probability - np.where(told, top, 0.0)[:, None])
        probability = np.where(told[:, None], probability / probability.sum(axis=1, keepdims=True), np.nan)
    flags[~told & (measured.n_bands > 0)] |= np.uint32(Flag.INPUT_OUT_OF_RANGE)
    flags[~told] |= np.uint32(Flag.NOT_INFERRED)
    called = np.argmax(np.where(told[:, None], log_probability, 0.0), axis=1)
    least = np.where(told, np.take_along_axis(chi2, called[:, None], axis=1)[:, 0], np.nan)
    model = np.take_along_axis(best, called[:, None], axis=1)[:, 0]
    reduced = least / np.where(measured.n_bands > 1, measured.n_bands - 1.0, np.nan)
    flags[told & (reduced > max_reduced_chi2)] |= np.uint32(Flag.POOR_FIT)
    return Predictions(
        id=sources.id,
        names=("redshift",),
        point=np.where(told, models.redshift[model], np.nan)[:, None],
        flags=flags,
        n_bands=np.where(told, measured.n_bands, 0).astype(np.int16),
        ra=sources.ra,
        dec=sources.dec,
        extra={
            **class_columns(probability),
            "chi2": least,
            "reduced_chi2": reduced,
            **{f"chi2_{name}": np.where(told, chi2[:, k], np.nan) for k, name in enumerate(CLASSES)},
        },
        meta={
            "method": "class templates",
            "n_models": len(models),
            "model_error": np.asarray(model_error).tolist(),
            "prior": told_prior,
            "known_redshift": known_redshift,
            "galprism": __version__,
            "bands": list(measured.bands),
            "templates": templates.meta,
            "definitions": {"redshift": PARAMS["redshift"].definition},
            "seconds": round(time.perf_counter() - started, 3),
        },
    )


def _checked_prior(prior: np.ndarray | None, n: int) -> np.ndarray:
    """(N, K), rows that sum to 1."""
    k = len(CLASSES)
    shares = np.full(k, 1.0 / k) if prior is None else np.asarray(prior, float)
    fits = shares.shape in ((k,), (n, k))
    if not fits or not np.all(shares >= 0) or not np.all(np.isfinite(shares)) or not np.all(shares.sum(axis=-1) > 0):
        shown = shares.tolist() if shares.ndim < 2 else f"of shape {shares.shape}"
        raise RequestError(
            f"prior = {shown}; accepted: ({k},) or ({n}, {k}) numbers from zero on, {', '.join(CLASSES)}, not all zero"
        )
    return np.broadcast_to(shares / shares.sum(axis=-1, keepdims=True), (n, k))


def _by_redshift(
    models: ClassTemplates, given: np.ndarray, rows: np.ndarray, window: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(rows, models) that go together: all models for those whose redshift (N,) is not given; for the others, whose
    redshifts are rounded to a quarter of the window, those near it."""
    if not window > 0:
        raise RequestError(f"redshift_window = {window}; accepted: above zero, in ln(1 + z)")
    known = np.isfinite(given[rows]) & (given[rows] > -1.0)
    if not known.all():
        yield rows[~known], np.arange(len(models))
    rows = rows[known]
    step = np.rint(np.log1p(given[rows]) / (0.25 * window))
    at = np.log1p(models.redshift)
    for value in np.unique(step):
        yield rows[step == value], np.flatnonzero(np.abs(at - 0.25 * window * value) <= window)


def _evidence(
    models: ClassTemplates, chosen: np.ndarray, sources: Weighted
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each source and class (N, K): ln sum_m w_m exp(-chi2_m / 2), the least chi2, and the model it is of, -1 where
    there is none."""
    n, k = len(sources), len(CLASSES)
    evidence, chi2, best = np.full((n, k), -np.inf), np.full((n, k), np.inf), np.full((n, k), -1)
    flux, weight = models.flux[chosen], models.weight[chosen]
    ends = np.searchsorted(models.classes[chosen], np.arange(k + 1))
    parts = [(c, slice(ends[c], ends[c + 1])) for c in range(k) if ends[c + 1] > ends[c]]
    limited, sharp = sources.limit_err.any(axis=1), sources.total > CANCELLATION
    for dtype, which in ((np.float32, ~limited & ~sharp), (np.float64, ~limited & sharp)):
        rows = np.flatnonzero(which)
        table = Table.of(flux.astype(dtype)) if len(rows) else None
        for first in range(0, len(rows), CHUNK):
            assert table is not None
            part = rows[first : first + CHUNK]
            explained = _explained(table, sources.take(part))
            for c, own in parts:
                these = explained[:, own]
                top = these.argmax(axis=1)
                most = np.take_along_axis(these, top[:, None], axis=1)
                some = most[:, 0] > 0
                weighed = np.exp(0.5 * (these - most)) @ weight[own].astype(dtype)
                least = np.maximum(sources.total[part] - most[:, 0], 0.0)
                evidence[part, c] = np.where(some, np.log(weighed) - 0.5 * least, -np.inf)
                chi2[part, c] = np.where(some, least, np.inf)
                best[part, c] = np.where(some, chosen[own.start + top], -1)
    for row in np.flatnonzero(limited):
        whole = _with_limits(flux, sources, int(row))
        for c, own in parts:
            least = whole[own].min()
            if np.isfinite(least):
                weighed = np.exp(-0.5 * (whole[own] - least)) @ weight[own]
                evidence[row, c], chi2[row, c] = np.log(weighed) - 0.5 * least, least
                best[row, c] = chosen[own.start + whole[own].argmin()]
    return evidence, chi2, best


def _explained(table: Table, sources: Weighted) -> np.ndarray:
    """(n, M), what each model takes off chi2 at its best scale: s1^2 / s2; 0 where that scale is not above zero."""
    s1, s2 = table.sums(sources)
    np.maximum(s1, 0.0, out=s1)
    np.multiply(s1, s1, out=s1)
    np.maximum(s2, TINY, out=s2)
    return np.divide(s1, s2, out=s1)


def _with_limits(flux: np.ndarray, sources: Weighted, row: int) -> np.ndarray:
    """(M,) chi2 of a source with upper limits; infinite where the scale is not above zero."""
    own, weight, limit_err = sources.flux[row], sources.weight[row], sources.limit_err[row]
    s1, s2 = flux @ (own * weight), (flux * flux) @ weight
    chi2 = np.full(len(flux), np.inf)
    some = np.flatnonzero(s1 > 0)
    scale = scale_under_limits(own, limit_err, flux[some], s1[some] / s2[some], s2[some])
    positive = scale > 0
    some, scale = some[positive], scale[positive]
    chi2[some] = residual_chi2(own, weight, flux[some], scale) + limit_chi2(own, limit_err, flux[some], scale)
    return chi2
