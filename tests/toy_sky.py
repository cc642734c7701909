"""A toy sky of nine bands, cheap and smooth: galaxies that mix an old and a young spectrum behind dust.

It stands in for the forward model wherever a test only needs photometry from which masses and rates can be learnt.
"""

import numpy as np

from galprism.data import Photometry, Sources, Truth

BANDS = ("u", "g", "r", "i", "Z", "Y", "J", "H", "Ks")
WAVE = np.array([3550.0, 4775, 6230, 7630, 8770, 10200, 12520, 16450, 21470])
SKY_ERR = np.array([160.0, 60, 70, 200, 450, 800, 950, 1500, 1900])
"""nJy."""


def spectra(wave):
    """f_nu of an old and of a young population per unit of mass, rest wavelength in Angstrom."""
    x = wave / 5500.0
    old = x**1.2 / (1 + np.exp(-(wave - 4000) / 250)) * np.exp(-((x - 1) ** 2) / 40)
    young = 8.0 * x**-0.3 / (1 + np.exp(-(wave - 1000) / 100))
    return old, young


def draw(n, seed=0, first_id=0):
    """Exact fluxes (n, 9) in nJy, redshifts (n,), and (n, 2) of log M*, log SFR."""
    rng = np.random.default_rng(seed)
    z = rng.uniform(0.05, 1.2, n)
    logssfr = rng.uniform(-12, -8.5, n)
    av = rng.uniform(0, 1.5, n)
    metal = rng.normal(0, 0.15, n)
    rest = WAVE / (1 + z[:, None])
    old, young = spectra(rest)
    share = 1 / (1 + 10 ** (-10.2 - logssfr[:, None]))
    light = (old * (rest / 5500) ** metal[:, None] * (1 - share) + young * share) * 10 ** (
        -0.4 * av[:, None] * (rest / 5500) ** -0.7
    )
    r_mag = np.clip(24 - rng.exponential(1.5, n), 17, 24)
    flux_r = 10 ** (0.4 * (31.4 - r_mag))
    logmass = np.log10(flux_r / light[:, 2]) + 2 * np.log10(z) + 7.0
    flux = light * (flux_r / light[:, 2])[:, None]
    return flux.astype(np.float32), z, np.stack([logmass, logmass + logssfr], axis=1)


def observe(flux, rng, scatter=0.15):
    """Noisy photometry with the errors of the sky, which scatter a little from source to source."""
    err = (SKY_ERR * np.exp(scatter * rng.standard_normal(flux.shape))).astype(np.float32)
    measured = flux + err * rng.standard_normal(flux.shape).astype(np.float32)
    return Photometry(flux=measured, ivar=err**-2, bands=BANDS)


def catalogue(n, seed=0):
    """Sources as a survey would measure them, and their truth."""
    flux, z, values = draw(n, seed)
    ident = np.arange(n)
    photometry = observe(flux, np.random.default_rng((seed, 1)))
    return Sources(id=ident, redshift=z, photometry=photometry), Truth(
        id=ident, names=("logmstar", "logsfr"), values=values
    )
