"""The exact posterior where the redshift is unknown: that of every redshift, weighted by its evidence.

Of a source, the evidence of a redshift z is the mean over prior draws of the stars of the likelihood integrated over
the magnitude, with the joint prior p(m, z): see galprism.fit.posterior, which this asks redshift by redshift.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from galprism.data import Sources
from galprism.errors import RequestError
from galprism.fit.cache import ModelCache
from galprism.fit.posterior import MagnitudePrior, summarise, weigh_group
from galprism.fit.rows import Estimates, FluxError, prepare


@dataclass(frozen=True, eq=False)
class RedshiftPosterior:
    """Of N sources."""

    redshift: np.ndarray
    """(Z,), the nodes."""
    probability: np.ndarray
    """(N, Z), of each node; rows sum to 1, or to 0 where nothing can be said."""
    names: tuple[str, ...]
    point: np.ndarray
    """(N, P), posterior means over all redshifts."""
    ess: np.ndarray
    """(N,), effective sample size of the draws of all redshifts."""

    @property
    def mean(self) -> np.ndarray:
        """(N,), of the redshift; NaN where nothing can be said."""
        with np.errstate(invalid="ignore"):
            return self.probability @ self.redshift / self.probability.sum(axis=1)


def fit_redshift(
    sources: Sources,
    draws: ModelCache,
    prior: MagnitudePrior,
    redshifts: np.ndarray,
    *,
    candidates: np.ndarray | None = None,
    parameters: Sequence[str] = ("logmstar", "logsfr"),
    flux_err: FluxError | None = None,
    model_error: np.ndarray | float = 0.0,
    enough: float = 500.0,
    progress: Callable[[int], None] | None = None,
) -> RedshiftPosterior:
    """The posterior of the redshift over nodes (Z,) that are even in the measure wanted, and means of `parameters`.

    draws, flux_err, model_error : as of fit_posterior. prior : its log_density must be of the joint distribution of
    magnitude and redshift. candidates : (N, Z), bool, nodes that are looked at; all when not given. enough : effective
    sample size at which no more draws are taken, node by node. progress : called with nodes done.
    Raises RequestError when the draws lack a band of the catalogue, the prior's band or a parameter.
    """
    redshifts = np.asarray(redshifts, np.float64)
    low, high = draws.redshift_range
    if redshifts.ndim != 1 or not ((redshifts >= low) & (redshifts <= high)).all():
        raise RequestError(f"redshifts must be one list within {low:.4g} to {high:.4g}, those of the model cache")
    n = len(sources)
    log_evidence = np.full((n, len(redshifts)), -np.inf)
    ess = np.zeros((n, len(redshifts)))
    point = np.full((n, len(redshifts), len(parameters)), np.nan)
    for j, redshift in enumerate(redshifts):
        rows = prepare(
            Sources(sources.id, redshift=np.full(n, redshift), photometry=sources.photometry),
            draws,
            parameters,
            flux_err=flux_err,
            model_error=model_error,
        )
        asked = rows.usable if candidates is None else rows.usable & candidates[:, j]
        members = np.flatnonzero(asked)
        estimates = Estimates(n, parameters, ())
        samples = weigh_group(rows, draws, prior, float(redshift), members, enough) if len(members) else []
        for row, sample in zip(members, samples, strict=True):
            log_evidence[row, j], ess[row, j] = sample.log_evidence, sample.ess
            if sample.parts:
                summarise(sample, draws, float(redshift), int(row), estimates)
        point[:, j] = estimates.point
        if progress is not None:
            progress(1)
    top = log_evidence.max(axis=1, keepdims=True)
    known = np.isfinite(top[:, 0])
    weight = np.exp(log_evidence - np.where(known, top[:, 0], 0.0)[:, None])
    probability = weight / np.where(known, weight.sum(axis=1), 1.0)[:, None]
    mean = np.where(probability[..., None] > 0, probability[..., None] * point, 0.0).sum(axis=1)
    spread = np.divide(probability**2, ess, out=np.zeros_like(ess), where=probability > 0).sum(axis=1)
    return RedshiftPosterior(
        redshift=redshifts,
        probability=probability,
        names=tuple(parameters),
        point=np.where(known[:, None], mean, np.nan),
        ess=np.divide(1.0, spread, out=np.zeros(n), where=spread > 0),
    )
