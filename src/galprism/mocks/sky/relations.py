"""Published relations between the mass and redshift of a galaxy and everything else: what makes a field hang together.

Masses are log10 Msun of a Chabrier IMF. Where a paper's are of a Salpeter IMF, as in EGG (Schreiber et al. 2017), they
are 0.24 dex more.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from galprism.sps.published import read_table

SALPETER = 0.24
"""dex by which masses of a Salpeter IMF are larger (Schreiber et al. 2017, A&A 602, A96, Sect. 3)."""
H_ALPHA = 2.53
"""A(6563 A) / E(B-V) of the Milky Way's curve with R_V = 3.1 (Cardelli et al. 1989)."""
GAS_TO_STARS = 0.44
"""E(B-V) of the stars over that of the gas (Calzetti et al. 2000)."""


SEQUENCE = {
    "above": (0.03746, 0.3448, -0.1156),
    "below": (0.9605, 0.04990, -0.05984),
    "rate": (0.2516, 1.118, -0.2006),
    "logm": (10.22, 0.3826, -0.04491),
}
"""Of the ridge of star-forming galaxies, polynomials in redshift (Leja et al. 2022, ApJ 936, 165, eq. 10, Table 1)."""
SEQUENCE_Z = 3.0
"""As far as they were measured; beyond, the sequence is what it is there."""


def main_sequence(logm: np.ndarray, redshift: np.ndarray) -> np.ndarray:
    """log10 of the star-formation rate [Msun/yr] of star-forming galaxies (Leja et al. 2022, eq. 9): a broken power
    law. It is 0.2 to 0.5 dex below those from ultraviolet and infrared light, with which a simulated field is too blue
    and too bright for its counts."""
    z = np.minimum(redshift, SEQUENCE_Z)
    above, below, rate, at = (np.polynomial.polynomial.polyval(z, SEQUENCE[name]) for name in SEQUENCE)
    return rate + np.where(logm > at, above, below) * (logm - at)


QUIETER = 0.4
"""dex by which quiescent galaxies form less than EGG has it: log sSFR = -12.1 at 10^11 Msun and z = 0.1, where
SDSS's have -12 (Brinchmann et al. 2004, MNRAS 351, 1151, Fig. 24). Infrared light, which EGG goes by, is in part of
dust that old stars heat; with its rates u - g of SDSS's galaxies comes out 0.25 mag too blue."""


def quiescent_rate(logm: np.ndarray, redshift: np.ndarray) -> np.ndarray:
    """log10 of the star-formation rate of quiescent galaxies (Schreiber et al. 2017, EGG, less QUIETER): at most the
    main sequence's."""
    rate = 0.5 * (logm + SALPETER - 11.0) + np.log10(1.0 + redshift) - 0.6 - SALPETER - QUIETER
    return np.minimum(main_sequence(logm, redshift), rate)


def metallicity(logm: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """log10(Z / 0.02) of stars: the median and the 16th and 84th percentiles of Gallazzi et al. (2005, Table 2), two
    half Gaussians, for standard normal numbers; below their masses along the relation of dwarfs, 0.30 dex a dex (Kirby
    et al. 2013, ApJ 779, 102, eq. 4)."""
    table = read_metallicities()
    lightest = table["logm"][0]
    median = np.interp(logm, table["logm"], table["p50"]) + 0.30 * np.minimum(logm - lightest, 0.0)
    below = np.interp(logm, table["logm"], table["p50"] - table["p16"])
    above = np.interp(logm, table["logm"], table["p84"] - table["p50"])
    return median + np.where(normal < 0, below, above) * normal


@lru_cache(maxsize=1)
def read_metallicities() -> dict[str, np.ndarray]:
    """Table 2 of Gallazzi et al. (2005)."""
    return read_table("galprism.mocks.sky", "metallicities.csv")


def dust(logm: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """E(B-V) of the stars of star-forming galaxies: A(H alpha) of Garn & Best (2010, MNRAS 409, 421, eq. 2), whose
    scatter is 0.28 mag, for standard normal numbers; none where that is negative. Masses beyond those measured, 8.5 to
    11.5, have what is measured there."""
    x = np.minimum(np.maximum(logm, 8.5), 11.5) - 10.0
    a_gas = 0.91 + 0.77 * x + 0.11 * x**2 - 0.09 * x**3 + 0.28 * normal
    return GAS_TO_STARS * np.maximum(a_gas, 0.0) / H_ALPHA


def bulge_share(logm: np.ndarray, quiescent: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Share of the stellar mass in the bulge (EGG's fit to Lang et al. 2014), with 0.2 dex of scatter; at most all."""
    m = logm + SALPETER - 10.0
    return np.minimum(10.0 ** (np.where(quiescent, 0.1 * m - 0.3, 0.27 * m - 0.7) + 0.2 * normal), 1.0)


def disc_size(logm: np.ndarray, redshift: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """kpc, half-light radius along the major axis, with 0.17 dex of scatter (EGG)."""
    r = np.log10(1.0 + redshift)
    size = np.where(redshift < 1.7, 0.41 - 0.22 * r, 0.62 - 0.70 * r)
    return 10.0 ** (size + 0.2 * (np.minimum(logm + SALPETER, 10.6) - 9.35) + 0.17 * normal)


def bulge_size(logm: np.ndarray, redshift: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """kpc, half-light radius along the major axis, with 0.2 dex of scatter (EGG)."""
    r = np.log10(1.0 + redshift)
    size = np.where(redshift < 0.5, 0.78 - 0.6 * r, 0.90 - 1.3 * r)
    return 10.0 ** (size + 0.56 * (logm + SALPETER - 11.25) + 0.2 * normal)


AXIS_RATIO = np.array([0.1, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95, 1.0])
AXIS_RATIO_COUNTS = {
    "disc": np.array([0, 313, 900, 1143, 1127, 1059, 898, 775, 548, 318, 200]),
    "bulge": np.array([0, 165, 428, 773, 914, 1069, 1191, 1154, 1067, 639, 450]),
}
"""As CANDELS observed them (van der Wel et al. 2012; as in EGG)."""


def axis_ratio(component: str, uniform: np.ndarray) -> np.ndarray:
    """Minor over major axis of a `disc` or a `bulge`, for numbers uniform from 0 to 1."""
    counts = AXIS_RATIO_COUNTS[component].astype(float)
    fine = np.linspace(AXIS_RATIO[0], AXIS_RATIO[-1], 901)
    cumulative = np.concatenate([[0.0], np.cumsum(np.interp(0.5 * (fine[1:] + fine[:-1]), AXIS_RATIO, counts))])
    return np.interp(uniform * cumulative[-1], cumulative, fine)


LEAST_X, MOST_X = 0.01, 60.0
_X = np.geomspace(LEAST_X, MOST_X, 4000)
_SSFR_AGE = _X**2 * np.exp(-_X) / -(np.expm1(-_X) + _X * np.exp(-_X))
"""Rate over mass formed, times age, of delayed histories with age / tau = _X: falls from 2 to nothing."""


def delayed_history(log_ssfr: np.ndarray, age: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(age, tau), Gyr, of the history t exp(-t / tau) whose rate is now `log_ssfr` [1/yr] of the mass it formed.

    age : (N,), Gyr, as it should be; a rate that no such history of that age can have (sSFR x age < 2) gets the oldest
    that can. Rates that are lower than those of age / tau = 60 have that.
    """
    wanted = 10.0 ** (log_ssfr + 9.0)
    age = np.minimum(age, _SSFR_AGE[0] / wanted)
    with np.errstate(divide="ignore"):
        x = np.exp(np.interp(-np.log(wanted * age), -np.log(_SSFR_AGE), np.log(_X)))
    return age, age / x
