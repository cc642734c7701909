"""How far photometric redshifts are from those of spectra, in units of 1 + z, as the field states it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from galprism.evaluate.metrics import nmad

CATASTROPHIC = 0.15
"""|dz| / (1 + z) beyond which a redshift is called an outlier (Hildebrandt et al. 2010, A&A 523, A31)."""


@dataclass(frozen=True)
class RedshiftMetrics:
    """Of d = (z_phot - z_spec) / (1 + z_spec)."""

    n: int
    bias: float
    """The median of d."""
    sigma_nmad: float
    """1.4826 median |d - median d|."""
    outliers: float
    """The share of |d| above CATASTROPHIC."""
    mae: float
    """mean |d|."""
    rms: float


def errors(predicted, true) -> np.ndarray:
    """(N,): d of redshifts (N,)."""
    predicted, true = np.asarray(predicted, np.float64), np.asarray(true, np.float64)
    return (predicted - true) / (1.0 + true)


def redshift_metrics(d: np.ndarray) -> RedshiftMetrics:
    """Of errors (N,), as `errors` gives them; N > 0."""
    size = np.abs(d)
    return RedshiftMetrics(
        n=len(d),
        bias=float(np.median(d)),
        sigma_nmad=nmad(d),
        outliers=float(np.mean(size > CATASTROPHIC)),
        mae=float(size.mean()),
        rms=float(np.sqrt(np.mean(d**2))),
    )


def bootstrapped(ds: dict[str, np.ndarray], *, draws: int = 1000, seed: int = 0) -> dict[str, np.ndarray]:
    """By method, (draws, 2): sigma_NMAD and the share of outliers of samples drawn with replacement from the N sources,
    the same for all methods (Efron 1979), so that differences of methods have errors of their own.

    ds : by method, (N,), the errors of the same sources.
    """
    rng = np.random.default_rng(seed)
    n = len(next(iter(ds.values())))
    found = {name: np.empty((draws, 2)) for name in ds}
    for k in range(draws):
        rows = rng.integers(0, n, n)
        for name, d in ds.items():
            some = d[rows]
            found[name][k] = nmad(some), np.mean(np.abs(some) > CATASTROPHIC)
    return found
