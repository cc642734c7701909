"""Attenuation and extinction curves, k(lambda) = A(lambda) / E(B-V), and how CIGALE applies them to a galaxy.

Curves are numpy functions of wavelength in Angstrom in vacuum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from galprism.errors import RequestError

CALZETTI_RV = 4.05
BUMP_WAVE = 2175.0
BUMP_WIDTH = 350.0
"""Angstrom; centre and width of the UV bump (Noll et al. 2009, section 4.2; CIGALE's defaults)."""


def calzetti(wave) -> np.ndarray:
    """The starburst attenuation curve of Calzetti et al. (2000, eq. 4), R_V = 4.05; valid from 0.12 to 2.2 um.

    Extrapolated by the same formulae, and zero where these turn negative (beyond 3.1 um).
    """
    x = 1e4 / np.asarray(wave, float)
    blue = 2.659 * (-2.156 + 1.509 * x - 0.198 * x**2 + 0.011 * x**3) + CALZETTI_RV
    red = 2.659 * (-1.857 + 1.040 * x) + CALZETTI_RV
    return np.maximum(np.where(x > 1.0 / 0.63, blue, red), 0.0)


def leitherer(wave) -> np.ndarray:
    """The far-UV attenuation curve of Leitherer et al. (2002, eq. 14), 912 to 1800 A; extrapolated beyond."""
    x = 1e4 / np.asarray(wave, float)
    return 5.472 + 0.671 * x - 9.218e-3 * x**2 + 2.620e-3 * x**3


def starburst(wave) -> np.ndarray:
    """CIGALE's starburst curve: Leitherer et al. (2002) below 1500 A, Calzetti et al. (2000) redwards.

    (Boquien et al. 2019, section 3.4.2.) Bluewards of 912 A it stays what it is there; CIGALE sets it to zero, which
    frees ionising light of all dust and makes it outshine the rest of a dusty galaxy's ultraviolet.
    """
    wave = np.asarray(wave, float)
    return np.where(wave >= 1500.0, calzetti(wave), leitherer(np.maximum(wave, 912.0)))


def bump(wave) -> np.ndarray:
    """The UV bump for unit amplitude: a Drude profile (Fitzpatrick & Massa 1990; Noll et al. 2009, eq. 10)."""
    wave2 = np.asarray(wave, float) ** 2
    return wave2 * BUMP_WIDTH**2 / ((wave2 - BUMP_WAVE**2) ** 2 + wave2 * BUMP_WIDTH**2)


def ccm89(wave, rv: float = 3.1, optical: str = "ccm89") -> np.ndarray:
    """The Milky Way extinction curve of Cardelli, Clayton & Mathis (1989, eqs. 2 to 5), times R_V.

    `optical` = "odonnell94" takes the optical polynomials of O'Donnell (1994, section 4) instead, as CIGALE does
    under the name of CCM. Valid from 1000 A to 3.3 um; the infrared power law continues redwards, and bluewards of
    1000 A the curve is zero.
    """
    if optical not in OPTICAL:
        raise RequestError(f"optical = {optical!r}; accepted: {', '.join(OPTICAL)}")
    a, b = OPTICAL[optical]
    x = 1e4 / np.asarray(wave, float)
    y = x - 1.82
    infrared = (0.574 - 0.527 / rv) * x**1.61
    visible = np.polyval(a, y) + np.polyval(b, y) / rv
    beyond = np.maximum(x - 5.9, 0.0)
    fa = -0.04473 * beyond**2 - 0.009779 * beyond**3
    fb = 0.2130 * beyond**2 + 0.1207 * beyond**3
    ultraviolet = (1.752 - 0.316 * x - 0.104 / ((x - 4.67) ** 2 + 0.341) + fa) + (
        -3.090 + 1.825 * x + 1.206 / ((x - 4.62) ** 2 + 0.263) + fb
    ) / rv
    far = np.polyval(FAR_UV[0], x - 8.0) + np.polyval(FAR_UV[1], x - 8.0) / rv
    pieces = [x < 1.1, x < 3.3, x < 8.0, x <= 10.0]
    return rv * np.select(pieces, [infrared, visible, ultraviolet, far], 0.0)


OPTICAL = {
    "ccm89": (
        [0.32999, -0.77530, 0.01979, 0.72085, -0.02427, -0.50447, 0.17699, 1.0],
        [-2.09002, 5.30260, -0.62251, -5.38434, 1.07233, 2.28305, 1.41338, 0.0],
    ),
    "odonnell94": (
        [-0.505, 1.647, -0.827, -1.718, 1.137, 0.701, -0.609, 0.104, 1.0],
        [3.347, -10.805, 5.491, 11.102, -7.985, -3.989, 2.908, 1.952, 0.0],
    ),
}
"""Polynomials a and b in 1/lambda - 1.82, highest power first."""
FAR_UV = ([-0.070, 0.137, -0.628, -1.073], [0.374, -0.420, 4.257, 13.670])


def _milky_way(wave) -> np.ndarray:
    return ccm89(wave, 3.1, "odonnell94")


@dataclass(frozen=True)
class Dust:
    """How a galaxy's dust dims its stars and its gas; the default is CIGALE's dustatt_modified_starburst.

    Stars are dimmed by A = ebv k_stars, the nebular continuum and lines by A = ebv / factor k_gas.
    """

    stars: Callable[[np.ndarray], np.ndarray] = starburst
    gas: Callable[[np.ndarray], np.ndarray] = _milky_way
    factor: float = 0.44
    """E(B-V) of the stars over that of the gas (Calzetti 2001; CIGALE's E_BV_factor)."""

    def __post_init__(self) -> None:
        if not self.factor > 0:
            raise RequestError(f"dust factor = {self.factor}; accepted: above 0")


def dust_of(law: str) -> Dust:
    """The dust of a law of the stars' light by name: "starburst", CIGALE's, or "ccm89", with R_V = 3.1."""
    laws = {"starburst": starburst, "ccm89": ccm89}
    if law not in laws:
        raise RequestError(f"dust law {law!r}; accepted: {', '.join(laws)}")
    return Dust(stars=laws[law])


def slope_norm(slope, amplitude):
    """What CIGALE multiplies a tilted starburst curve by to keep E(B-V) what was asked for (arrays or tensors)."""
    blue, visual = 4400.0, 5500.0
    bumps = amplitude * float(bump(blue) - bump(visual))
    k_blue, k_visual = float(calzetti(blue)), float(calzetti(visual))
    return (k_blue - k_visual + bumps) / (k_blue * (blue / visual) ** slope - k_visual + bumps)
