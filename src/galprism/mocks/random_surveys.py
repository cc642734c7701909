"""Surveys drawn at random: some of a pool of passbands, each with a depth and a calibration of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from galprism import passbands
from galprism.data import Photometry
from galprism.errors import RequestError
from galprism.surveys import Band, Survey
from galprism.units import FRACTIONAL_ERROR_PER_MAG, njy_from_abmag

BROAD = 0.08
"""Bands wider than this fraction of their wavelength are broad."""
APART = (0.08, 0.3)
"""In ln(wavelength): the bands of a system are at least this far apart, drawn evenly."""
REACH = 0.6
"""In ln(wavelength): a system reaches over this at least."""
OPTICAL = (3000.0, 10500.0)
"""Angstrom: systems begin redwards of the one; those without infrared bands end bluewards of the other."""
WITH_INFRARED = 0.4
"""The share of systems that may have infrared bands."""
FROM_THE_BLUE = 0.5
"""The share of systems that begin with the bluest band of the pool that is optical; others anywhere."""
ZEROPOINT_SCATTER = 0.3
"""In ln, rms: how much zero-point errors differ within a survey."""
TRIES = 100
"""Systems that are drawn before the pool is said to have none."""


@dataclass(frozen=True)
class RandomSurveysConfig:
    """What the surveys are drawn from. Numbers in brackets are ranges that are drawn from evenly."""

    pool: tuple[str, ...] = ()
    """Names of passbands; empty where a recipe is of one survey."""
    n_bands: tuple[int, int] = (3, 60)
    """Drawn evenly in the logarithm."""
    systems: float = 0.0
    """The share of surveys that are like those that there are: broad bands side by side over some range of
    wavelengths, optical ones for the most part. The others' bands are any."""
    depth: tuple[float, float] = (20.0, 30.0)
    """AB magnitude at 5 sigma, of a survey as a whole."""
    depth_slope: float = 1.0
    """mag a unit of ln(wavelength), rms: surveys are deeper in the blue or in the red."""
    band_scatter: float = 0.6
    """mag, rms, of the depths of the bands of one survey."""
    source_scatter: float = 0.3
    """mag, rms, of the depth from source to source, each band by itself."""
    zeropoint_error: tuple[float, float] = (0.003, 0.05)
    """mag, drawn evenly in the logarithm for each survey, and ZEROPOINT_SCATTER around it, within this range, for each
    of its bands; part of the stated error, by the measured flux."""
    least_sn: float = 2.0
    """A source is in a survey's catalogue when it is measured with this S/N in some band."""
    sources: int = 512
    """Galaxies that one survey sees before the next is drawn."""

    def __post_init__(self) -> None:
        low, high = self.n_bands
        if not 1 <= low <= high or self.sources < 1:
            raise RequestError(
                f"surveys.n_bands = {list(self.n_bands)}, surveys.sources = {self.sources}; accepted: 1 or more, the "
                "least number of bands first"
            )
        if not 0 <= self.systems <= 1:
            raise RequestError(f"surveys.systems = {self.systems}; accepted: a share from 0 to 1")
        for name in ("depth", "zeropoint_error"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise RequestError(f"surveys.{name} = [{low}, {high}]; accepted: [least, most] above zero, in mag")


def pool_survey(config: RandomSurveysConfig, band: str) -> Survey:
    """All passbands of the pool, and `band` that magnitudes are given in, as one survey of which others are parts.

    Bands have the names of their passbands; their depths mean nothing. Raises RequestError for an unknown passband.
    """
    names = dict.fromkeys((*config.pool, band))
    bands = [Band(name, name, config.depth[0], 0.0, 0.0, config.depth[0] - 1.0, config.depth[1]) for name in names]
    for name in names:
        passbands.get(name)
    return Survey("pool", tuple(bands), description="the pool that random surveys are drawn from")


def observe_at_random(
    flux: np.ndarray, config: RandomSurveysConfig, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, Photometry]]:
    """Galaxies of true fluxes (N, P) in nJy through the pool's P passbands, as random surveys measure them.

    Yields (indices of up to `sources` galaxies, their photometry), until every galaxy was looked at once. What a survey
    does not detect is not in its catalogue: the choice is by what was measured, so that no answer is biased by it.
    """
    curves = [passbands.get(name) for name in config.pool]
    ln_wave = np.log([curve.effective_wavelength for curve in curves])
    broad = np.array([curve.width > BROAD * curve.effective_wavelength for curve in curves])
    for start in range(0, len(flux), config.sources):
        rows = np.arange(start, min(start + config.sources, len(flux)))
        like_a_survey = config.systems > 0 and rng.uniform() < config.systems
        chosen = (system if like_a_survey else any_bands)(config, ln_wave, broad, rng)
        n_bands = len(chosen)
        depth = rng.uniform(*config.depth) + config.band_scatter * rng.standard_normal(n_bands)
        depth += config.depth_slope * rng.standard_normal() * (ln_wave[chosen] - ln_wave.mean())
        shallower = config.source_scatter * rng.standard_normal((len(rows), n_bands), dtype=np.float32)
        sigma = (0.2 * njy_from_abmag(depth - shallower)).astype(np.float32)
        true = flux[rows[:, None], chosen]
        least, most = np.log(config.zeropoint_error)
        typical = rng.uniform(least, most) + ZEROPOINT_SCATTER * rng.standard_normal(n_bands)
        zeropoint_error = np.exp(np.clip(typical, least, most))
        calibration = (FRACTIONAL_ERROR_PER_MAG * zeropoint_error).astype(np.float32)
        measured = true + np.hypot(sigma, calibration * true) * rng.standard_normal(true.shape, dtype=np.float32)
        seen = (measured > config.least_sn * sigma).any(axis=1)
        if seen.any():
            variance = sigma[seen] ** 2 + (calibration * measured[seen]) ** 2
            yield rows[seen], Photometry(measured[seen], 1.0 / variance, tuple(config.pool[i] for i in chosen))


def any_bands(config: RandomSurveysConfig, ln_wave: np.ndarray, broad: np.ndarray, rng) -> np.ndarray:
    """Some of the pool, ascending, without regard to what they are. ln_wave, broad : (P,), of its passbands."""
    low, high = config.n_bands
    n_bands = int(np.exp(rng.uniform(np.log(low), np.log(min(high, len(ln_wave)) + 1.0))))
    return np.sort(rng.choice(len(ln_wave), n_bands, replace=False))


def system(config: RandomSurveysConfig, ln_wave: np.ndarray, broad: np.ndarray, rng) -> np.ndarray:
    """Broad bands of the pool, ascending, that fill some range of wavelengths and are APART; arguments as above."""
    least, most = config.n_bands
    broad = broad & (ln_wave > np.log(OPTICAL[0]))
    blue, red = (ln_wave[broad].min(), ln_wave[broad].max()) if broad.any() else (0.0, 0.0)
    for _ in range(TRIES):
        end = red if rng.uniform() < WITH_INFRARED else np.clip(np.log(OPTICAL[1]), min(blue + REACH, red), red)
        start = blue if rng.uniform() < FROM_THE_BLUE else rng.uniform(blue, max(blue, end - REACH))
        reach, apart = rng.uniform(min(REACH, end - start), end - start), rng.uniform(*APART)
        chosen: list[int] = []
        for i in rng.permutation(np.flatnonzero(broad & (ln_wave >= start) & (ln_wave <= start + reach))):
            if len(chosen) < most and (np.abs(ln_wave[chosen] - ln_wave[i]) >= apart).all():
                chosen.append(i)
        if len(chosen) >= least:
            return np.sort(chosen)
    raise RequestError(f"surveys.systems = {config.systems}: the pool has no {least} broad bands side by side")
