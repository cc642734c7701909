"""The galaxies that quasars live in: their light and mass, once it is known how bright they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from galprism.cosmology import age_gyr
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
