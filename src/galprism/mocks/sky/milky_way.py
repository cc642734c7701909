"""The Milky Way along a line of sight: how many stars of a component there are to each distance.

Densities are those of Juric et al. (2008, ApJ 673, 864), in units of what they are at the Sun.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from galprism.errors import RequestError

SUN_RADIUS, SUN_HEIGHT = 8000.0, 25.0
"""pc, of the Sun from the centre and above the plane (Juric et al. 2008)."""
HALO_END = 1e5
"""pc from the centre, where the halo ends; a power law would go on."""
MODULUS = np.arange(-10.0, 26.0, 0.02)
"""mag: distance moduli that volumes are tabulated at, 0.1 pc to 1.6 Mpc."""
STERADIAN_PER_DEG2 = np.radians(1.0) ** 2

Density = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(cylindrical radius, height above the plane), pc, to the density over that at the Sun."""


@dataclass(frozen=True)
class Disc:
    """exp(-R / length - |Z| / height) (Juric et al. 2008)."""

    length: float
    """pc."""
    height: float
    """pc."""

    def __call__(self, radius: np.ndarray, z: np.ndarray) -> np.ndarray:
        return np.exp(-(radius - SUN_RADIUS) / self.length - (np.abs(z) - SUN_HEIGHT) / self.height)


@dataclass(frozen=True)
class Halo:
    """A power of the elliptical radius m, m^2 = R^2 + (Z / flattening)^2 (Juric et al. 2008), steeper beyond a
    break (Sesar et al. 2011, ApJ 731, 4), to HALO_END."""

    slope: float
    flattening: float
    """Minor over major axis."""
    outer_slope: float
    break_radius: float
    """pc, m beyond which the density falls as m^-outer_slope; outside the Sun's."""

    def __call__(self, radius: np.ndarray, z: np.ndarray) -> np.ndarray:
        at_sun = np.hypot(SUN_RADIUS, SUN_HEIGHT / self.flattening)
        m = np.hypot(radius, z / self.flattening)
        inner, outer = np.minimum(m, self.break_radius), np.maximum(m / self.break_radius, 1.0)
        rho = (at_sun / inner) ** self.slope * outer**-self.outer_slope
        return np.where(np.hypot(radius, z) < HALO_END, rho, 0.0)


def uniform(radius: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The same density everywhere."""
    return np.ones(np.broadcast_shapes(np.shape(radius), np.shape(z)))


def place(distance, longitude: float, latitude: float) -> tuple[np.ndarray, np.ndarray]:
    """Cylindrical radius and height above the plane [pc] at distances from the Sun [pc] towards galactic (l, b)
    [deg]."""
    l_rad, b_rad = np.radians(longitude), np.radians(latitude)
    along = np.asarray(distance, float) * np.cos(b_rad)
    x, y = SUN_RADIUS - along * np.cos(l_rad), along * np.sin(l_rad)
    return np.hypot(x, y), np.asarray(distance, float) * np.sin(b_rad) + SUN_HEIGHT


class Volume:
    """The volume [pc^3 per deg^2] to a distance, weighted by a density, and its inverse.

    int rho d^2 dd over the density at the Sun: multiplied by the number of stars per pc^3 at the Sun it is the number
    of stars on a square degree. The logarithm of it is linear between MODULUS.
    """

    def __init__(self, density: Density, longitude: float, latitude: float):
        if not (np.isfinite(longitude) and -90.0 <= latitude <= 90.0):
            raise RequestError(f"galactic (l, b) = ({longitude}, {latitude}); accepted: degrees, b from -90 to 90")
        distance = 10 ** (0.2 * MODULUS + 1.0)
        rho = density(*place(distance, longitude, latitude))
        per_mag = STERADIAN_PER_DEG2 * rho * distance**3 * np.log(10.0) / 5.0
        first = STERADIAN_PER_DEG2 * rho[0] * distance[0] ** 3 / 3.0
        shells = 0.5 * (per_mag[1:] + per_mag[:-1]) * np.diff(MODULUS)
        self._log = np.log(first + np.concatenate([[0.0], np.cumsum(shells)]))

    def __call__(self, modulus) -> np.ndarray:
        """pc^3 per deg^2 to distance moduli of any shape; the whole of it beyond the last."""
        return np.exp(np.interp(modulus, MODULUS, self._log))

    def modulus(self, volume) -> np.ndarray:
        """The distance moduli that volumes reach to."""
        return np.interp(np.log(volume), self._log, MODULUS)
