"""Published colours and absolute magnitudes of stars in SDSS ugriz and 2MASS J H Ks, all of them AB.

Dwarfs follow the locus of Covey et al. (2007) against g-i, which is that of [Fe/H] = -0.5, and depart from it with
metallicity as Yuan et al. (2015) found. Red giants differ from dwarfs of the same g-i and [Fe/H] as those of Zhang et
al. (2021) do from those of Yuan et al. White dwarfs are the Montreal models of log g = 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.interpolate import PchipInterpolator

from galprism.errors import RequestError
from galprism.sps.published import read_table

BANDS = tuple(f"SLOAN/SDSS.{band}" for band in "ugriz") + tuple(f"2MASS/2MASS.{band}" for band in ("J", "H", "Ks"))
"""The passbands that colours are of, by their names in galprism.passbands."""
ZERO_JY = {"J": 1594.0, "H": 1024.0, "Ks": 666.7}
"""Jy at magnitude 0 of 2MASS (Cohen, Wheaton & Megeath 2003, AJ 126, 1090, Table 2)."""
AB_FROM_VEGA = {band: -2.5 * np.log10(jansky / 3631.0) for band, jansky in ZERO_JY.items()}
"""m_AB - m_Vega: 0.894, 1.374, 1.840 mag; 0 mag is 3631 Jy on the AB system (Oke & Gunn 1983)."""

FEH_OF_LOCUS = -0.5
"""[Fe/H] that the locus of Covey et al. (2007) corresponds to (Yuan et al. 2015)."""
REDDEST_U = 3.3
"""g-i beyond which u-g stays what it is there: the published medians then turn to the blue with a scatter of up to
1 mag, which is the noise and the red leak of u, not the stars."""

DWARFS, DWARFS_FEH = (0.3, 1.6), (-2.0, 0.0)
"""g-i and [Fe/H] within which Yuan et al. (2015) measured; outside, what depends on metallicity stays what it is at
the edge."""
GIANTS, GIANTS_FEH = (0.55, 1.2), (-2.5, -0.3)
"""The same of Zhang et al. (2021)."""

FORM_10 = ((0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (3, 0))
FORM_15 = (
    *((0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (1, 0), (1, 1), (1, 2), (1, 3)),
    *((2, 0), (2, 1), (2, 2), (3, 0), (3, 1), (4, 0)),
)
"""Powers of g-i and [Fe/H] of each term of the polynomials below."""
YUAN_2015 = {
    "u_g": (
        *(1.5003, 0.0011, 0.1741, 0.0910, 0.0181, -3.2190, 1.1675, 0.0875, 0.0031),
        *(7.9725, -0.8190, -0.0439, -5.2923, 0.1339, 1.1459),
    ),
    "g_r": (0.0596, 0.0348, 0.0239, 0.0044, 0.6070, 0.0261, -0.0044, 0.1532, -0.0136, -0.0613),
    "i_z": (-0.1060, -0.0357, -0.0123, -0.0017, 0.2543, -0.0010, -0.0050, -0.0381, -0.0071, 0.0030),
}
"""Dwarfs: Yuan et al. 2015, ApJ 799, 134, Table 1."""
ZHANG_2021 = {
    "u_g": (1.4630, 0.3132, -0.0105, -0.0224, -1.5851, -0.2423, -0.0372, 2.8655, 0.0958, -0.7469),
    "g_r": (0.0957, 0.0370, 0.0120, 0.0020, 0.5272, -0.0026, 0.0019, 0.1645, 0.0057, -0.0488),
    "i_z": (-0.0551, -0.0229, -0.0165, -0.0033, 0.0762, -0.0365, -0.0006, 0.1899, 0.0244, -0.0805),
}
"""Red giants: Zhang et al. 2021, RAA 21, 319, Table 1."""
IVEZIC_2008 = (0.0967, -1.267, 6.127, -12.97, 14.32, -5.06)
"""M_r of dwarfs against g-i, highest power first (Ivezic et al. 2008, ApJ 684, 287, eq. A7) …"""
IVEZIC_2008_FEH = (-0.18, -1.11, 4.50)
"""… and what metallicity adds (eq. A2)."""


@lru_cache(maxsize=1)
def _locus() -> tuple[np.ndarray, PchipInterpolator]:
    """g-i of the published locus, and u-g, r-i, i-z, z-J, J-H, H-Ks (all AB) as a function of it."""
    covey = read_table("galprism.sps", "covey2007.csv")
    u_g = np.where(covey["g_i"] <= REDDEST_U, covey["u_g"], np.interp(REDDEST_U, covey["g_i"], covey["u_g"]))
    z_j = covey["z_J"] - AB_FROM_VEGA["J"]
    j_h = covey["J_H"] + AB_FROM_VEGA["J"] - AB_FROM_VEGA["H"]
    h_k = covey["H_Ks"] + AB_FROM_VEGA["H"] - AB_FROM_VEGA["Ks"]
    colours = np.stack([u_g, covey["r_i"], covey["i_z"], z_j, j_h, h_k], axis=1)
    return covey["g_i"], PchipInterpolator(covey["g_i"], colours, axis=0)


def bluest_reddest() -> tuple[float, float]:
    """g-i where the locus begins (A stars, 0.1) and ends (M8, 4.34)."""
    g_i = _locus()[0]
    return float(g_i[0]), float(g_i[-1])


def _polynomial(coefficients: tuple[float, ...], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    form = FORM_10 if len(coefficients) == len(FORM_10) else FORM_15
    return sum((c * x**i * y**j for c, (i, j) in zip(coefficients, form, strict=True)), np.zeros(np.shape(x)))


def dwarf_colours(g_i, feh) -> np.ndarray:
    """(N, 7), AB mag: u-g, g-r, r-i, i-z, z-J, J-H, H-Ks of dwarfs of g-i (N,) and [Fe/H] (N,).

    The near-infrared colours do not depend on metallicity. Raises RequestError where g-i is not on the locus.
    """
    g_i, feh = np.broadcast_arrays(np.asarray(g_i, float), np.asarray(feh, float))
    low, high = bluest_reddest()
    if g_i.size and not (g_i.min() >= low and g_i.max() <= high):
        raise RequestError(f"g-i from {g_i.min():.3g} to {g_i.max():.3g}; accepted: {low:g} to {high:g}, the locus")
    u_g, r_i, i_z, z_j, j_h, h_k = np.moveaxis(_locus()[1](g_i), -1, 0)
    x, y = np.clip(g_i, *DWARFS), np.clip(feh, *DWARFS_FEH)
    with_metals = {
        name: _polynomial(terms, x, y) - _polynomial(terms, x, np.full_like(y, FEH_OF_LOCUS))
        for name, terms in YUAN_2015.items()
    }
    return _seven(g_i, u_g, r_i, i_z, z_j, j_h, h_k, with_metals)


def giant_colours(g_i, feh) -> np.ndarray:
    """(N, 7), as `dwarf_colours`, of red giants; their near-infrared colours are those of dwarfs."""
    g_i, feh = np.broadcast_arrays(np.asarray(g_i, float), np.asarray(feh, float))
    x, y = np.clip(g_i, *GIANTS), np.clip(feh, *GIANTS_FEH)
    y_dwarfs = np.clip(feh, max(DWARFS_FEH[0], GIANTS_FEH[0]), min(DWARFS_FEH[1], GIANTS_FEH[1]))
    unlike = {
        name: _polynomial(ZHANG_2021[name], x, y) - _polynomial(YUAN_2015[name], x, y_dwarfs) for name in ZHANG_2021
    }
    u_g, _, r_i, i_z, z_j, j_h, h_k = np.moveaxis(dwarf_colours(g_i, feh), -1, 0)
    return _seven(g_i, u_g, r_i, i_z, z_j, j_h, h_k, unlike)


def _seven(g_i, u_g, r_i, i_z, z_j, j_h, h_k, more: dict[str, np.ndarray]) -> np.ndarray:
    """Colours with a difference in u-g, g-r and i-z at the same g-i: what g-r gains, r-i loses."""
    r_i = r_i - more["g_r"]
    return np.stack([u_g + more["u_g"], g_i - r_i, r_i, i_z + more["i_z"], z_j, j_h, h_k], axis=-1)


def magnitudes(colours) -> np.ndarray:
    """(N, 8), AB mag in BANDS of stars of r = 0 with colours (N, 7)."""
    along = np.concatenate([np.zeros((*np.shape(colours)[:-1], 1)), -np.cumsum(colours, axis=-1)], axis=-1)
    return along - along[..., [2]]


def absolute_r(g_i, feh) -> np.ndarray:
    """(N,), absolute SDSS r of dwarfs of g-i and [Fe/H] (Ivezic et al. 2008, eqs. A2 and A7), the ages of the turn-off
    included; measured for 0.2 < g-i < 4 and -2.5 < [Fe/H] < 0.2."""
    return np.polyval(IVEZIC_2008, np.asarray(g_i, float)) + np.polyval(IVEZIC_2008_FEH, np.asarray(feh, float))


def giant_g_i(absolute, feh) -> np.ndarray:
    """(N,), g-i of the red giant branch at absolute SDSS r: what globular clusters observed by SDSS show for
    -1 < M_r < 2.5 (Ivezic, LocusTools: M2, M3, M5, M13, M15, M53), the sum of their g-r and r-i."""
    absolute, feh = np.asarray(absolute, float), np.asarray(feh, float)
    g_r = 0.7455 + 0.0835 * feh - 0.1225 * absolute - 0.0325 * feh * absolute
    r_i = 0.3100 + 0.0280 * feh - 0.0500 * absolute - 0.0100 * feh * absolute
    return g_r + r_i


@dataclass(frozen=True, eq=False)
class CoolingSequence:
    """White dwarfs of one atmosphere, from hot to cool."""

    teff: np.ndarray
    """(T,), K, descending."""
    age: np.ndarray
    """(T,), yr since they became white dwarfs, ascending."""
    absolute: np.ndarray
    """(T, 8), absolute AB magnitudes in BANDS."""


@lru_cache(maxsize=2)
def white_dwarfs(atmosphere: str) -> CoolingSequence:
    """The cooling sequence of log g = 8 with an atmosphere of hydrogen ("DA") or helium ("DB")."""
    if atmosphere not in ("DA", "DB"):
        raise RequestError(f"atmosphere {atmosphere!r}; accepted: DA, DB")
    montreal = read_table("galprism.sps", "white_dwarfs.csv")
    rows = np.flatnonzero(montreal["type"] == atmosphere)
    rows = rows[np.argsort(-montreal["Teff"][rows])]
    mags = [montreal[band][rows] + AB_FROM_VEGA.get(band, 0.0) for band in ("u", "g", "r", "i", "z", "J", "H", "Ks")]
    return CoolingSequence(montreal["Teff"][rows], montreal["age"][rows], np.stack(mags, axis=1))
