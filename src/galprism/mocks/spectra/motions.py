"""How fast stars and gas move, by published relations with mass: what widens their lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from galprism.mocks.sky.bodies import Bodies
from galprism.mocks.sky.members import Shapes
from galprism.mocks.spectra.config import SpectrumConfig

BREAK, AT_BREAK = 10.26, 118.3
"""log10 Msun, and km/s there, of the relation of mass and central dispersion of quiescent galaxies, a broken power law
(Zahid et al. 2016, ApJ 832, 203, for z < 0.7) …"""
BELOW, ABOVE = 0.403, 0.293
"""… and its slopes."""
THICKNESS = 0.2
"""Axis ratio of a disc seen from its edge (Hubble 1926, ApJ 64, 321; the usual value)."""


@dataclass(frozen=True, eq=False)
class Motions:
    """Standard deviations of velocities along the line of sight of N galaxies, km/s."""

    stars: np.ndarray
    """(N, 2), of bulge and disc."""
    gas: np.ndarray
    """(N,)."""


def bulge_dispersion(logm: np.ndarray) -> np.ndarray:
    """km/s, of galaxies of log10 stellar masses [Msun], without scatter."""
    off = np.asarray(logm) - BREAK
    return AT_BREAK * 10.0 ** (np.where(off < 0, BELOW, ABOVE) * off)


def rotation(logm: np.ndarray) -> np.ndarray:
    """km/s, of discs of galaxies of log10 stellar masses [Msun], without scatter (Reyes et al. 2011, MNRAS 417, 2347,
    abstract)."""
    return 10.0 ** (2.142 + 0.278 * (np.asarray(logm) - 10.10))


def motions(bodies: Bodies, shapes: Shapes, normal: np.ndarray, config: SpectrumConfig) -> Motions:
    """normal : (N, 2), standard normal numbers, of the scatter of dispersion and of rotation.

    A bulge has the dispersion of a quiescent galaxy of the whole mass. What a disc's rotation adds to its width is
    V sin i / sqrt(2): that of light spread evenly over the turns of a flat rotation curve, as S_0.5 of Weiner et al.
    (2006, ApJ 653, 1027) weighs it.
    """
    bulge = bulge_dispersion(bodies.logm) * 10.0 ** (config.dispersion_scatter * normal[:, 0])
    velocity = rotation(bodies.logm) * 10.0 ** (config.rotation_scatter * normal[:, 1])
    inclined = np.maximum(1.0 - shapes.q_disc**2, 0.0) / (1.0 - THICKNESS**2)  # sin^2 i
    turning = 0.5 * velocity**2 * np.minimum(inclined, 1.0)
    return Motions(
        stars=np.stack([bulge, np.sqrt(turning + config.disc_dispersion**2)], axis=1),
        gas=np.sqrt(turning + config.gas_dispersion**2),
    )
