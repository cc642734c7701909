"""Posterior-predictive checks: would galaxies that are what the network says have the fluxes that were observed?

A source's parameters are drawn from its joint posterior. Draws of the population through the whole forward model that
have nearly such parameters say what the fluxes of galaxies like that are: ln flux per mass is linear in the parameters
there, and what is left is what they leave open. How far the observed fluxes are from that, and how probable fluxes at
least as far off are: galprism.infer.discrepancy.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.spatial import KDTree
from scipy.special import ndtri

from galprism import surveys
from galprism.bundle import Bundle
from galprism.cosmology import age_gyr
from galprism.data import Sources
from galprism.infer.discrepancy import tail_probability
from galprism.infer.own_models import Models, check_models
from galprism.infer.posteriors import Posteriors
from galprism.prep.frames import AGES, Frame
from galprism.prep.targets import MASSES, RATES
from galprism.units import FRACTIONAL_ERROR_PER_MAG

COLUMN = "predictive_p"
SUSPECT = 0.001
"""Sources with a lower p-value are flagged POOR_FIT."""
DRAWS = 32
"""Of each posterior."""
NEIGHBOURS = 8
"""Draws of the population that are looked up for each."""
LOOSE = 1.0
"""Those found are at most this share farther than the nearest: what is linear in the parameters is taken out."""
LEAST = 20
"""Of the population's draws, no older than the Universe, that the fluxes of galaxies are said by at the least, beyond
one for each parameter."""
RIDGE = 1e-4
"""Keeps the slopes finite where all draws have the same value of a parameter; in squares of its spread."""
AGE_STEPS = 6
"""Ages of the Universe, below each of which models are looked up by themselves."""
CHUNK_ROWS = 256
"""Sources that are looked at together at the most, fewer where there are many bands, whose matrices have together"""
CHUNK_NUMBERS = 4_000_000
"""so many numbers."""
MODEL_ERROR = 0.005
"""Of the models' fluxes, relative, beside what interpolating them costs."""
PER_DEX = np.log(10.0)


class PredictiveCheck:
    """Models of a bundle's population, ready to be compared with its answers; from several threads if need be."""

    def __init__(self, bundle: Bundle, models: Models) -> None:
        """Raises RequestError where the bundle has no posteriors, or the models are not of its bands or population."""
        check_models(bundle, models)
        self.bundle, self.models = bundle, models
        self.scale = next((name for name in (*MASSES, *RATES) if name in bundle.targets), None)
        self.others = tuple(name for name in bundle.targets if name != self.scale)
        self._columns = [models.bands.index(band) for band in bundle.bands]
        self._calibration = calibration(bundle)
        self._chunk = int(np.clip(CHUNK_NUMBERS // (DRAWS * len(bundle.bands) ** 2), 1, CHUNK_ROWS))
        table = bundle.of_parameters.table
        self._seen = None if table is None else replace(table, values=table.values[:, :, :1])
        of_models = np.stack([np.asarray(models.values[name], np.float64) for name in bundle.targets], axis=1)
        self._log_scale = np.zeros(len(models)) if self.scale is None else models.values[self.scale]
        coordinates = self._coordinates(of_models)
        spread = coordinates.std(axis=0)
        self._centre, self._spread = coordinates.mean(axis=0), np.where(spread > 0, spread, 1.0)
        self._of_models = (coordinates - self._centre) / self._spread
        low, high = models.redshift_range
        self._oldest = np.geomspace(age_gyr(high), age_gyr(low), AGE_STEPS)
        young = [np.flatnonzero(models.values["age"] <= oldest) for oldest in self._oldest]
        self._trees = [(rows, KDTree(self._of_models[rows]) if self.others else None) for rows in young]

    def p_values(self, sources: Sources, posteriors: Posteriors) -> np.ndarray:
        """(N,), float32: p-values of sources and their posteriors; NaN where no band has a known error, no posterior is
        there, the redshift is not among the models', or too few of them are young enough.

        Bands of unknown error, upper limits and bands that the bundle knows nothing of at a redshift have no part.
        """
        result = np.full(len(sources), np.nan, np.float32)
        assert sources.redshift is not None
        low, high = self.models.redshift_range
        with np.errstate(invalid="ignore"):
            inside = (sources.redshift >= low) & (sources.redshift <= high)
        good = np.flatnonzero(inside & np.isfinite(posteriors.mean).all(axis=(1, 2)))
        step = np.minimum(np.searchsorted(self._oldest, age_gyr(sources.redshift[good])), AGE_STEPS - 1)
        for k in np.unique(step):
            some = good[step == k] if len(self._trees[k][0]) else good[:0]
            for start in range(0, len(some), self._chunk):
                rows = some[start : start + self._chunk]
                result[rows] = self._some(sources.take(rows), even_draws(posteriors, rows, DRAWS), k)
        return result

    def suspect(self, p_values: np.ndarray) -> np.ndarray:
        """(N,), bool: lower than honest sources have; not where there is none."""
        return p_values < SUSPECT

    def describe(self) -> dict[str, Any]:
        """What a table says of it."""
        return {"models": self.models.identity, "n_models": len(self.models), "suspect_below": SUSPECT}

    def _some(self, sources: Sources, draws: np.ndarray, step: int) -> np.ndarray:
        """p-values of N sources and draws (N, S, P) of their targets, all with a Universe of that step of ages."""
        photometry, z = sources.photometry, sources.redshift
        assert photometry is not None
        assert z is not None
        photometry = photometry.select(self.bundle.bands)
        used = photometry.ivar > 0
        if photometry.limit is not None:
            used &= ~photometry.limit
        if self._seen is not None:
            used &= np.isfinite(self._seen.at(z)[:, 0]).T
        flux = np.where(used, photometry.flux, 0.0).astype(np.float64)
        with np.errstate(all="ignore"):  # what is no number has no part
            variance = 1.0 / photometry.ivar.astype(np.float64) + (self._calibration * flux) ** 2
        ln_flux, covariance = self._expected(draws, z, step)
        return tail_probability(flux, np.where(used, variance, np.inf), ln_flux, covariance, free=self.scale is None)

    def _expected(self, draws: np.ndarray, redshift: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
        """(N, S, B), ln nJy: of galaxies with the parameters of draws (N, S, P); (N, B, B): how they differ beyond
        these, NaN where too few models say so."""
        x = (self._coordinates(draws) - self._centre) / self._spread
        rows = self._near(x, step)
        young = (self.models.values["age"][rows] <= age_gyr(redshift)[:, None])[:, :, None]
        some = np.maximum(young.sum(axis=1), 1)[:, None]
        ln_light = self.models.ln_flux(redshift, rows)[:, :, self._columns]
        ln_light = ln_light - PER_DEX * self._log_scale[rows][:, :, None]
        at = self._of_models[rows]
        mean_light, mean_at = ((young * each).sum(axis=1, keepdims=True) / some for each in (ln_light, at))
        ln_light, at = young * (ln_light - mean_light), young * (at - mean_at)
        across = at.transpose(0, 2, 1)
        slope = np.linalg.solve(across @ at + RIDGE * np.eye(at.shape[2]), across @ ln_light)
        left = ln_light - at @ slope
        ordered = np.sort(np.where(young[:, :, 0], rows, -1), axis=1)
        distinct = (np.diff(ordered, axis=1, prepend=-1) > 0).sum(axis=1)
        degrees = distinct - at.shape[2] - 1.0
        with np.errstate(divide="ignore", invalid="ignore"):  # each model counts as often as it was found
            covariance = left.transpose(0, 2, 1) @ left * (distinct / degrees)[:, None, None] / some
        covariance[degrees < LEAST] = np.nan
        error = self.models.interpolation_variance(redshift, rows)[:, self._columns] + MODEL_ERROR**2
        covariance += error[:, :, None] * np.eye(error.shape[1])
        ln_flux = mean_light + (x - mean_at) @ slope
        if self.scale is not None:
            ln_flux += PER_DEX * draws[:, :, [self.bundle.targets.index(self.scale)]]
        return ln_flux, covariance

    def _near(self, x: np.ndarray, step: int) -> np.ndarray:
        """(N, S * NEIGHBOURS): models with nearly the parameters x (N, S, D), about young enough."""
        (n, s, d), (young, tree) = x.shape, self._trees[step]
        k = min(NEIGHBOURS, len(young))
        if tree is None:
            return np.tile(young[np.linspace(0, len(young) - 1, s * k).astype(int)], (n, 1))
        _, rows = tree.query(x.reshape(n * s, d), k=k, eps=LOOSE)
        return young[rows].reshape(n, -1)

    def _coordinates(self, values: np.ndarray) -> np.ndarray:
        """(..., D) of targets (..., P), in which light is smooth: masses and rates relative to the first, ages as
        logarithms."""
        column = {name: values[..., j] for j, name in enumerate(self.bundle.targets)}
        parts = []
        for name in self.others:
            if name in MASSES + RATES and self.scale is not None:
                parts.append(column[name] - column[self.scale])
            else:
                parts.append(np.log10(np.maximum(column[name], 1e-6)) if name in AGES else column[name])
        return np.stack(parts, axis=-1) if parts else values[..., :0]


def even_draws(posteriors: Posteriors, rows: np.ndarray, n: int) -> np.ndarray:
    """(N, n, P): n draws of the posteriors of some rows, by the same evenly spread points for every source, so that
    they depend on nothing but the posterior."""
    points = even_points(n, 1 + posteriors.factor.shape[3])
    noise, weight = ndtri(points[:, 1:]), posteriors.weight[rows]
    which = (points[:, 0, None, None] > np.cumsum(weight, axis=1)[:, :-1]).sum(axis=2)  # (n, N)
    own = np.arange(len(rows))
    mean, factor = posteriors.mean[rows][own, which], posteriors.factor[rows][own, which]
    x = mean + np.einsum("nipd,nd->nip", factor, noise)
    frame = posteriors.frame
    return Frame(frame.bounded, frame.low[:, rows], frame.span[:, rows]).values(x.transpose(0, 2, 1)).transpose(2, 0, 1)


def even_points(n: int, d: int) -> np.ndarray:
    """(n, d), between 0 and 1: the additive sequence of the generalised golden ratio, which is the root of
    x^(d + 1) = x + 1 (Roberts 2018, The unreasonable effectiveness of quasirandom sequences)."""
    ratio = 1.5
    for _ in range(64):
        ratio = (1.0 + ratio) ** (1.0 / (d + 1))
    return (0.5 + np.arange(1, n + 1)[:, None] * ratio ** -np.arange(1.0, d + 1)) % 1.0


def calibration(bundle: Bundle) -> np.ndarray:
    """(B,): the relative errors of zero points that the stated errors of a bundle's bands leave out."""
    known = bundle.of_parameters.calibration
    if not bundle.of_parameters.config.by_basis and bundle.recipe.get("noise", {}).get("calibration", True):
        of_survey = surveys.get(bundle.survey).bands
        known = {band.name: FRACTIONAL_ERROR_PER_MAG * band.zeropoint_error for band in of_survey}
    return np.array([known.get(band, 0.0) for band in bundle.bands])
