"""The one cosmology of galprism: flat LCDM without radiation, H0 = 70 km/s/Mpc, Omega_m = 0.3."""

from __future__ import annotations

import numpy as np

H0 = 70.0
"""km/s/Mpc."""
OMEGA_M = 0.3
OMEGA_LAMBDA = 1.0 - OMEGA_M
LIGHT_SPEED_KM_PER_S = 299792.458
MPC_KM = 3.0856775814913673e19
GYR_S = 3.15576e16
"""Julian years."""
PARSEC_CM = 3.0856775814913673e18

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)


def age_gyr(z):
    """Age of the Universe in Gyr at redshift z (Carroll, Press & Turner 1992, eq. 17, for a flat Universe)."""
    hubble_time = MPC_KM / H0 / GYR_S
    ratio = np.sqrt(OMEGA_LAMBDA / OMEGA_M) * (1.0 + np.asarray(z)) ** -1.5
    return 2.0 / 3.0 / np.sqrt(OMEGA_LAMBDA) * hubble_time * np.arcsinh(ratio)


def luminosity_distance_mpc(z):
    """Luminosity distance in Mpc (Hogg 1999, eqs. 15 and 21), by Gauss-Legendre quadrature in ln(1 + z)."""
    z = np.asarray(z, dtype=float)
    half = 0.5 * np.log1p(z)[..., None]
    a_inverse = np.exp(half * (_NODES + 1.0))
    integrand = a_inverse / np.sqrt(OMEGA_M * a_inverse**3 + OMEGA_LAMBDA)
    comoving = LIGHT_SPEED_KM_PER_S / H0 * (half * integrand * _WEIGHTS).sum(axis=-1)
    return (1.0 + z) * comoving


def distance_modulus(z):
    """m - M in mag; -inf at z = 0."""
    with np.errstate(divide="ignore"):
        return 5.0 * np.log10(luminosity_distance_mpc(z)) + 25.0


def comoving_volume_per_deg2(z):
    """dV/dz in Mpc^3 per square degree and unit redshift: c / H0 D_C^2 / E(z) (Hogg 1999, eq. 28)."""
    z = np.asarray(z, dtype=float)
    comoving = luminosity_distance_mpc(z) / (1.0 + z)
    expansion = np.sqrt(OMEGA_M * (1.0 + z) ** 3 + OMEGA_LAMBDA)
    return LIGHT_SPEED_KM_PER_S / H0 * comoving**2 / expansion * np.radians(1.0) ** 2


def arcsec_per_kpc(z):
    """Angle that a proper kpc is seen under (Hogg 1999, eq. 18)."""
    z = np.asarray(z, dtype=float)
    return 180.0 / np.pi * 3600.0 / (1e3 * luminosity_distance_mpc(z) / (1.0 + z) ** 2)
