"""Shapes of galaxies, and of the hosts of quasars: sizes and axis ratios by published relations."""

from __future__ import annotations

import numpy as np

from galprism.cosmology import arcsec_per_kpc
from galprism.mocks.sky import relations
from galprism.mocks.sky.members import Shapes


def drawn_shapes(redshift: np.ndarray, logm: np.ndarray, rng: np.random.Generator) -> Shapes:
    """Shapes of N galaxies of redshifts and log10 stellar masses [Msun] (N,), at any angle."""
    n = len(logm)
    return shapes_of(redshift, logm, rng.standard_normal((2, n)), rng.random((3, n)))


def shapes_of(redshift: np.ndarray, logm: np.ndarray, normal: np.ndarray, uniform: np.ndarray) -> Shapes:
    """What follows from random numbers: normal (2, N), of the sizes of bulge and disc; uniform (3, N), of their axis
    ratios and of the angle."""
    scale = arcsec_per_kpc(redshift)
    return Shapes(
        re_bulge=relations.bulge_size(logm, redshift, normal[0]) * scale,
        re_disc=relations.disc_size(logm, redshift, normal[1]) * scale,
        q_bulge=relations.axis_ratio("bulge", uniform[0]),
        q_disc=relations.axis_ratio("disc", uniform[1]),
        angle=np.pi * uniform[2],
    )
