"""Wavelengths in air and in vacuum."""

from __future__ import annotations

import numpy as np

from galprism.errors import RequestError

SHORTEST_IN_AIR = 2000.0
"""Angstrom; shorter wavelengths are given in vacuum by convention."""


def vacuum_from_air(wave):
    """Vacuum wavelengths in Angstrom of wavelengths in standard air; below 2000 Angstrom they are taken as vacuum.

    The refractive index is that of Ciddor (1996), evaluated at the air wavelength refined twice (error below 1e-5 A).
    """
    wave = np.asarray(wave, np.float64)
    if np.any(wave <= 0):
        raise RequestError(f"wavelength {wave.min():g} is not positive")
    vacuum = wave * refractive_index(wave)
    for _ in range(2):
        vacuum = wave * refractive_index(vacuum)
    return np.where(wave < SHORTEST_IN_AIR, wave, vacuum)


def air_from_vacuum(wave):
    """Wavelengths in standard air of vacuum wavelengths in Angstrom; below 2000 Angstrom they stay as they are."""
    wave = np.asarray(wave, np.float64)
    return np.where(wave < SHORTEST_IN_AIR, wave, wave / refractive_index(wave))


def refractive_index(vacuum_wave):
    """n of standard dry air (15 C, 101325 Pa, 450 ppm CO2) at vacuum wavelengths in Angstrom (Ciddor 1996, Eq. 1)."""
    # Below the range of the formula its value at the edge is used, which keeps the poles at 655 and 1318 A away.
    s2 = (1e4 / np.maximum(np.asarray(vacuum_wave, np.float64), SHORTEST_IN_AIR)) ** 2
    return 1.0 + 0.05792105 / (238.0185 - s2) + 0.00167917 / (57.362 - s2)
