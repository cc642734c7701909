"""The galaxies that quasars live in: their light, mass and shape, once it is known how bright they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from galprism.cosmology import age_gyr, luminosity_distance_mpc
from galprism.mocks.members import Shapes
from galprism.passbands import Passband
from galprism.sps import ForwardModel, Galaxies, load_bc03_miles
from galprism.sps.projection import flux_per_luminosity
from galprism.sps.quasars import OPTICAL

TAU = 1.0
SHARE_OF_AGE = 0.8
Z_MET = 0.02
EBV = 0.1
"""The stars of every host: SFR ~ t exp(-t / 1 Gyr) for the last 0.8 of the age of the Universe, solar metallicity,
E(B-V) = 0.1. At z < 0.5 that is an early spiral, as the S0 template of Temple et al. (2021); at z > 3 a
galaxy at the height of its star formation. Our choice."""
STEPS = 240
"""Redshifts at which the light of a host is tabulated, even in ln(1 + z)."""

# van der Wel et al. (2014, ApJ 788, 28), Table 1: log10 of the half-light radius along the major axis at 5000 A in kpc
# at 5e10 Msun, its slope with log10 mass, and its scatter in dex, of late-type and early-type galaxies.
SIZE_Z = (0.25, 0.75, 1.25, 1.75, 2.25, 2.75)
LATE = (
    (0.86, 0.78, 0.70, 0.65, 0.55, 0.51),
    (0.25, 0.22, 0.22, 0.23, 0.22, 0.18),
    (0.16, 0.16, 0.17, 0.18, 0.19, 0.19),
)
EARLY = (
    (0.60, 0.42, 0.22, 0.09, -0.05, -0.06),
    (0.75, 0.71, 0.76, 0.76, 0.76, 0.79),
    (0.10, 0.11, 0.12, 0.14, 0.14, 0.14),
)
THICK_DISC, THICK_BULGE = 0.21, 0.43
"""Minor over major axis seen edge-on (Padilla & Strauss 2008, Tables 2 and 4: means of spirals and of ellipticals)."""
KPC_PER_MPC = 1e3


class Hosts:
    """Host galaxies of one history a redshift, scaled to a luminosity.

    passbands : B of them; redshift : the range that hosts lie in.
    Raises RequestError where the library of stars is not on this machine.
    """

    def __init__(self, passbands: Sequence[Passband], redshift: tuple[float, float]):
        self.redshift = np.expm1(np.linspace(np.log1p(redshift[0]), np.log1p(redshift[1]), STEPS))
        self.redshift[0], self.redshift[-1] = redshift
        model = ForwardModel(load_bc03_miles(), passbands, z_max=redshift[1])
        galaxies = Galaxies.from_numpy(
            redshift=self.redshift,
            tau=np.full(STEPS, TAU),
            age=SHARE_OF_AGE * age_gyr(self.redshift),
            z_met=np.full(STEPS, Z_MET),
            ebv=np.full(STEPS, EBV),
            logu=-3.0,
        )
        seen = model(galaxies)
        sed = model.rest_sed(galaxies)
        inside = (sed.wave > OPTICAL[0]) & (sed.wave < OPTICAL[1])
        optical = (sed.flux[:, inside] @ sed.wave[inside] / sed.wave[inside].sum()).double().numpy()
        self._optical = optical * model.stars.lsun
        """(Z,), erg/s/A per solar mass formed, mean L_lambda from 4000 to 5000 A, after dust."""
        self._light = seen.flux.numpy() / _per_luminosity(self.redshift)[:, None]
        """(Z, B), nJy per solar mass formed, were the flux per luminosity 1."""
        self._mstar = seen.mstar.numpy()

    def light(self, redshift: np.ndarray, optical: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Flux densities (N, B) in nJy and stellar masses (N,) in Msun (living stars and remnants).

        redshift : (N,); optical : (N,), erg/s/A, mean L_lambda from 4000 to 5000 A.
        """
        formed = optical / np.interp(redshift, self.redshift, self._optical)
        light = np.stack([np.interp(redshift, self.redshift, column) for column in self._light.T], axis=1)
        flux = light * (formed * _per_luminosity(redshift))[:, None]
        return flux, formed * np.interp(redshift, self.redshift, self._mstar)


def _per_luminosity(redshift: np.ndarray) -> np.ndarray:
    return flux_per_luminosity(torch.as_tensor(redshift, dtype=torch.float64)).numpy()


def bulge_share(mass: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(N,): bulge over total of galaxies of `mass` in Msun (Lang et al. 2014, as in Schreiber et al. 2017).

    The relation of quiescent galaxies, 10^(0.1 (log M - 10) - 0.3), with a scatter of 0.2 dex, at most 1.
    """
    return np.minimum(10.0 ** (0.1 * (np.log10(mass) - 10.0) - 0.3 + 0.2 * rng.standard_normal(len(mass))), 1.0)


def shapes_of(redshift: np.ndarray, mass: np.ndarray, rng: np.random.Generator) -> Shapes:
    """Shapes of N galaxies: discs as large as late-type galaxies of their mass, bulges as early-type ones.

    redshift, mass : (N,), mass in Msun. Both are oblate, of one inclination, with the thickness of `THICK_DISC` and
    `THICK_BULGE`. Beyond the redshifts of van der Wel et al. (2014) sizes in kpc are those at their ends.
    """
    n = len(redshift)
    kpc_per_arcsec = luminosity_distance_mpc(redshift) / (1.0 + redshift) ** 2 * KPC_PER_MPC * np.radians(1 / 3600)
    radii = []
    for intercept, slope, scatter in (EARLY, LATE):
        a, b, sigma = (np.interp(redshift, SIZE_Z, column) for column in (intercept, slope, scatter))
        radii.append(10.0 ** (a + b * np.log10(mass / 5e10) + sigma * rng.standard_normal(n)) / kpc_per_arcsec)
    cosine2 = rng.random(n) ** 2
    q_bulge, q_disc = (np.sqrt(t**2 + (1.0 - t**2) * cosine2) for t in (THICK_BULGE, THICK_DISC))
    return Shapes(radii[0], radii[1], q_bulge, q_disc, rng.uniform(0.0, np.pi, n))
