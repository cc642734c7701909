"""Toy models of light that a cache holds exactly: log light is a few terms in (ln wavelength, redshift)."""

import numpy as np

from galprism.cosmology import age_gyr, luminosity_distance_mpc
from galprism.data import Photometry, Sources
from galprism.fit.cache import ModelCache, from_light

BANDS = ("u", "g", "r", "i", "Ks")
X = np.array([-1.0, -0.4, 0.0, 0.3, 1.5])
"""ln wavelength of the bands over that of r."""
REDSHIFT = np.linspace(0.02, 2.0, 12)


def log_light(slope, curvature, redshift):
    """log10 light (M, Z, B): a tilted, bent spectrum that is red-shifted; linear in redshift, so that interpolation is
    exact."""
    x = X - np.asarray(redshift)[:, None]  # (Z, B)
    bend = X**2 - 2 * X * np.asarray(redshift)[:, None]
    return 1.0 + slope[:, None, None] * x + curvature[:, None, None] * bend


def toy_values(m, rng):
    """Parameters of M models; light and heavy ones, young and old."""
    age = rng.uniform(0.3, 13.0, m)
    slope = 0.15 + 0.04 * age + rng.normal(0, 0.05, m)
    return {
        "age": age,
        "slope": slope,
        "curvature": rng.normal(-0.2, 0.1, m),
        "logmstar": -0.5 + 0.9 * slope,
        "logssfr": -9.0 - 0.3 * age,
    }


def toy_cache(m=400, seed=1, block=None) -> ModelCache:
    values = toy_values(m, np.random.default_rng(seed))
    return cache_of(values, block=block)


def cache_of(values, block=None) -> ModelCache:
    log_l = log_light(values["slope"], values["curvature"], REDSHIFT)
    kept = {
        "age": values["age"],
        "logmstar": values["logmstar"],
        "logssfr": values["logssfr"],
        "logsfr": values["logmstar"] + values["logssfr"],
    }
    return from_light(BANDS, REDSHIFT, 10**log_l, kept, n_scores=3, block=block, meta={"survey": "toy"})


def flux_of(cache, row, redshift, log_mass):
    """(B,), nJy: what model `row` of the cache looks like with this mass formed."""
    light = cache.light(redshift)[row].astype(float)
    return 10**log_mass * light * (1 + redshift) / luminosity_distance_mpc(redshift) ** 2


def sources_of(flux, error, redshift, limit=None, bands=BANDS) -> Sources:
    flux, error = np.atleast_2d(flux), np.atleast_2d(error)
    photometry = Photometry(flux=flux, ivar=error**-2.0, bands=bands, limit=limit)
    return Sources(id=np.arange(len(flux)), redshift=np.broadcast_to(redshift, len(flux)), photometry=photometry)


def young_enough(cache, redshift):
    return cache.values["age"] <= age_gyr(redshift)
