"""Draws of the toy sky's own population, as a cache of models has them."""

import numpy as np

import toy_sky
from galprism import passbands, surveys
from galprism.cosmology import luminosity_distance_mpc
from galprism.fit.cache import ModelCache, from_light


def cache(m=20_000, seed=77, **meta) -> ModelCache:
    """m draws; a galaxy of the toy sky has the flux light 10^(log M* - 7) / z^2."""
    rng = np.random.default_rng(seed)
    logssfr, av, metal = rng.uniform(-12, -8.5, m), rng.uniform(0, 1.5, m), rng.normal(0, 0.15, m)
    redshift = np.expm1(np.linspace(np.log1p(0.045), np.log1p(1.25), 40))
    share = 1 / (1 + 10 ** (-10.2 - logssfr))
    light = np.empty((m, len(redshift), 9))
    for i, z in enumerate(redshift):
        rest = toy_sky.WAVE / (1 + z)
        old, young = toy_sky.spectra(rest)
        stars = old * (rest / 5500) ** metal[:, None] * (1 - share[:, None]) + young * share[:, None]
        dust = 10 ** (-0.4 * av[:, None] * (rest / 5500) ** -0.7)
        light[:, i] = stars * dust * 1e-7 / z**2 * luminosity_distance_mpc(z) ** 2 / (1 + z)
    curves = {band.name: passbands.get(band.passband).hash for band in surveys.get("kids").bands}
    values = {"age": np.ones(m), "logmstar": np.zeros(m), "logsfr": logssfr}
    made = {"survey": "kids", "passbands": curves, "library": {"name": "toy"}, "nebular": True, "population": {}}
    return from_light(toy_sky.BANDS, redshift, light, values, n_scores=12, meta={**made, **meta})
