"""How many quasars there are at each redshift and luminosity: Kulkarni, Worseck & Hennawi (2019, MNRAS 488, 1035)."""

from __future__ import annotations

import numpy as np
from numpy.polynomial.chebyshev import chebval

from galprism.cosmology import comoving_volume_per_deg2
from galprism.sps.quasars import M_1450_MINUS_M_I

# Their model 3 (Table 3): coefficients of the Chebyshev polynomials T0, T1, ... in 1 + z.
LOG_DENSITY = (-6.942, 0.629, -0.086)
BREAK = (-15.038, -7.046, 0.772, -0.030)
BRIGHT = (-2.888, -0.383)
FAINT = (-1.602, -0.082)
"""log10 phi* in Mpc^-3 mag^-1, M* in M_1450, and the slopes alpha and beta; the last is a plain polynomial."""


def density(m_1450, z) -> np.ndarray:
    """Comoving number density in Mpc^-3 mag^-1 at M_1450 (AB) and redshift z, which broadcast.

    A double power law of quasars that are not obscured, up to z = 7; H0 = 70 km/s/Mpc, Omega_m = 0.3. What was counted
    is the light of nucleus and host together.
    """
    z = np.asarray(z, float)
    x = 1.0 + z
    fainter = 0.4 * (np.asarray(m_1450, float) - chebval(x, BREAK))
    bright, faint = chebval(x, BRIGHT) + 1.0, FAINT[0] + FAINT[1] * x + 1.0
    return 10.0 ** chebval(x, LOG_DENSITY) / (10.0 ** (bright * fainter) + 10.0 ** (faint * fainter))


def rate(m_i, z) -> np.ndarray:
    """Number per square degree, unit redshift and magnitude at M_i(z=2) and redshift z, which broadcast.

    M_1450 = M_i(z=2) + 1.486 (Ross et al. 2013, ApJ 773, 14, of Richards et al. 2006).
    """
    return density(np.asarray(m_i, float) + M_1450_MINUS_M_I, z) * comoving_volume_per_deg2(z)
