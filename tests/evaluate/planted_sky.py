"""A planted sky whose exact posterior is known: Gaussian prior, Gaussian noise, mass and star-formation rate."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from galprism.data import Photometry, Predictions, Sources, Truth
from galprism.flags import Flag
from galprism.units import njy_from_abmag

NAMES = ("logmstar", "logsfr")
LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)
PRIOR_SIGMA = np.array([0.4, 0.5])
BIAS = np.array([0.02, 0.15])


@dataclass(frozen=True)
class Sky:
    truth: Truth
    sources: Sources
    posterior: Predictions
    """The exact posterior: nothing can be better on average."""
    network: Predictions
    """The posterior mean and 0.5 of its sigma more of its own scatter, stated."""
    grid: Predictions
    """The measurement itself, biased, with intervals that are too narrow by half."""


def gaussian(ident, mean, sigma, **extra) -> Predictions:
    """(N, P) means and sigmas as predictions with quantiles."""
    n = len(ident)
    quantiles = mean[:, :, None] + sigma[:, :, None] * ndtri(np.array(LEVELS))
    flags = np.zeros(n, np.uint32)
    return Predictions(ident, NAMES, mean, flags, np.full(n, 2, np.int16), LEVELS, quantiles, **extra)


def planted(n: int, seed: int = 1) -> Sky:
    rng = np.random.default_rng(seed)
    ident = 10**12 + rng.permutation(n)
    z = rng.uniform(0.05, 1.5, n)
    mag = rng.uniform(18, 24, n)
    centre = np.stack([10.5 + 0.3 * z, 0.8 + 0.5 * z], 1)
    true = centre + PRIOR_SIGMA * rng.normal(size=(n, 2))
    true[: n // 20, 1] = true[: n // 20, 0] - 12.5  # passive: log sSFR = -12.5
    noise = np.stack([0.05 + 0.02 * (mag - 18), 0.1 + 0.04 * (mag - 18)], 1)
    measured = true + noise * rng.normal(size=(n, 2))
    weight = PRIOR_SIGMA**2 / (PRIOR_SIGMA**2 + noise**2)
    mean, sigma = centre + weight * (measured - centre), np.sqrt(weight) * noise
    network = mean + 0.5 * sigma * rng.normal(size=(n, 2))
    flux = np.stack([njy_from_abmag(mag + 0.6), njy_from_abmag(mag)], 1)
    ivar = np.full((n, 2), (njy_from_abmag(26.0) / 5) ** -2.0)
    return Sky(
        truth=Truth(ident, NAMES, true),
        sources=Sources(ident, redshift=z, photometry=Photometry(flux, ivar, ("g", "r"))),
        posterior=gaussian(ident, mean, sigma, meta={"method": "posterior"}),
        network=gaussian(ident, network, sigma * np.sqrt(1.25), meta={"method": "network", "seed": 7}),
        grid=gaussian(
            ident, measured + np.array([0.02, 0.15]), 0.5 * noise, meta={"definitions": {"IMF": "Salpeter (1955)"}}
        ),
    )


def shuffled(table, seed: int):
    return table.take(np.random.default_rng(seed).permutation(len(table.id)))


def emptied(predictions: Predictions, rows, *, parameter: int | None = None) -> Predictions:
    """The same with nothing inferred in some rows."""
    point, quantiles = predictions.point.copy(), predictions.quantiles.copy()
    columns = slice(None) if parameter is None else parameter
    point[rows, columns] = np.nan
    quantiles[rows, columns] = np.nan
    flags = predictions.flags.copy()
    flags[rows] |= np.uint32(Flag.NOT_INFERRED)
    return replace(predictions, point=point, quantiles=quantiles, flags=flags)
