"""The galaxies of a patch of sky: mass functions, and everything else by relations with mass and redshift.

Every galaxy is a bulge and a disc with stars of their own: the bulge is old and forms hardly any; the disc has the rest
of the rate that the main sequence (or the relation of quiescent galaxies) gives. So colours, colour gradients, sizes
and shapes hang together.
"""

from __future__ import annotations

from dataclasses import fields
from functools import cached_property
from typing import TypeVar

import numpy as np
import torch

from galprism import passbands
from galprism.cosmology import age_gyr
from galprism.errors import RequestError
from galprism.mocks.described import described
from galprism.mocks.sky import relations
from galprism.mocks.sky.bodies import Bodies
from galprism.mocks.sky.field_config import GalaxyConfig
from galprism.mocks.sky.foresight import Foresight
from galprism.mocks.sky.latents import Latents
from galprism.mocks.sky.mass_function import MassFunction
from galprism.mocks.sky.members import Members, Shapes, joined
from galprism.mocks.sky.shapes import drawn_shapes
from galprism.sps import Derived, ForwardModel, Galaxies, Observed, SSPLibrary
from galprism.sps.derived import mix
from galprism.sps.ssp import Z_SUN
from galprism.surveys import Survey
from galprism.units import njy_from_abmag

PILOT = 6000
"""Galaxies of each population that tell which masses can be bright enough."""
PILOT_BINS = 20
SPARE = 0.3
"""dex of mass below those that the pilot found bright enough, that are drawn all the same."""
SURVIVING = 0.6
"""Of the mass formed, as a first guess where a rate is turned into a history: what follows is exact."""
Made = TypeVar("Made", Derived, Observed)


class FieldGalaxies:
    """Galaxies brighter than a limit, patch by patch."""

    def __init__(
        self,
        config: GalaxyConfig,
        survey: Survey,
        band: str,
        limit: float,
        library: SSPLibrary,
    ):
        """band, limit : AB magnitude in a band of the survey up to which galaxies are kept.

        Raises RequestError for a band that the survey has not, and a library that cannot make the light.
        """
        if band not in survey.band_names:
            raise RequestError(f"band {band!r} is not one of {survey.name}: {', '.join(survey.band_names)}")
        self.config, self.survey, self.limit = config, survey, limit
        self.place = survey.band_names.index(band)
        curves = [passbands.get(entry.passband) for entry in survey.bands]
        self.model = ForwardModel(library, curves, metallicity="interpolate", z_max=config.redshift[1])
        self.metals = np.log10(library.z_met[[0, -1]] / Z_SUN)

    @cached_property
    def populations(self) -> dict[str, tuple[MassFunction, Foresight]]:
        """By name: its mass function, above the masses that could be bright enough, and how bright its galaxies are."""
        found = {}
        for population in ("star-forming", "quiescent"):
            rng = np.random.default_rng(0)
            low, high = np.log1p(self.config.redshift)
            redshift = np.expm1(rng.uniform(low, high, PILOT))
            logm = rng.uniform(self.config.lightest, 12.0, PILOT)
            bodies = self.bodies(redshift, logm, np.full(PILOT, population == "quiescent"), rng)
            log_flux = np.log10(self.light(bodies).flux[:, self.place]) - logm
            # log10 of the mass that a galaxy like this one needs
            needs = self._log_limit - log_flux
            edges = np.linspace(low, high, PILOT_BINS + 1)
            place = np.digitize(np.log1p(redshift), edges[1:-1])
            least = np.array([needs[place == k].min() for k in range(PILOT_BINS)]) - SPARE
            # of neighbouring bins the less, so that nothing is lost within one
            safe = np.minimum(np.minimum(least, np.append(least[1:], np.inf)), np.append(np.inf, least[:-1]))
            middle = 0.5 * (edges[1:] + edges[:-1])

            def lightest(z, safe=safe, middle=middle) -> np.ndarray:
                return np.maximum(np.interp(np.log1p(z), middle, safe), self.config.lightest)

            function = MassFunction(population, self.config.redshift, lightest)
            found[population] = function, Foresight.fit(redshift, bodies.features, log_flux)
        return found

    def patch(self, area: float, rng: np.random.Generator) -> Members:
        """The galaxies of `area` square degrees that are brighter than the limit; their number is Poisson."""
        parts = []
        for population, (function, _) in self.populations.items():
            redshift, logm = function.draw(area, rng)
            bodies = self.bodies(redshift, logm, np.full(len(logm), population == "quiescent"), rng)
            made = self.light(bodies.take(np.flatnonzero(self.may_be_bright(bodies))), rng)
            parts.append(made.take(np.flatnonzero(made.flux[:, self.place] > njy_from_abmag(self.limit))))
        return joined(parts)

    def may_be_bright(self, bodies: Bodies) -> np.ndarray:
        """(N,), bool: false of those that are sure to be fainter than the limit, by what is foreseen of them."""
        found = np.empty(len(bodies), bool)
        for population, (_, foresight) in self.populations.items():
            own = np.flatnonzero(bodies.quiescent == (population == "quiescent"))
            some = bodies.take(own)
            found[own] = some.logm + foresight.brightest(some.redshift, some.features) > self._log_limit
        return found

    def may_be_faint(self, bodies: Bodies, magnitude: float) -> np.ndarray:
        """(N,), bool: false of those that are sure to be brighter than an AB magnitude in the field's band."""
        found, most = np.empty(len(bodies), bool), np.log10(njy_from_abmag(magnitude))
        for population, (_, foresight) in self.populations.items():
            own = np.flatnonzero(bodies.quiescent == (population == "quiescent"))
            some = bodies.take(own)
            foreseen, margin = foresight.foreseen(some.redshift, some.features)
            found[own] = some.logm + foreseen - margin < most
        return found

    @property
    def _log_limit(self) -> float:
        return float(np.log10(njy_from_abmag(self.limit)))

    def bodies(self, redshift: np.ndarray, logm: np.ndarray, quiescent: np.ndarray, rng: np.random.Generator) -> Bodies:
        """What galaxies of these redshifts and masses (N,) are made of."""
        return self.bodies_of(redshift, logm, quiescent, Latents.drawn(len(redshift), rng))

    def bodies_of(self, redshift: np.ndarray, logm: np.ndarray, quiescent: np.ndarray, latents: Latents) -> Bodies:
        """What follows from their random numbers."""
        config, normal = self.config, latents.normal
        rate = relations.main_sequence(logm, redshift) + config.rate_scatter * normal[0]
        rate += config.starburst_boost * (latents.starburst < config.starburst_share)
        calm = relations.quiescent_rate(logm, redshift) + config.quiescent_scatter * normal[0]
        rate = np.where(quiescent, np.minimum(calm, rate), rate)
        bulge = relations.bulge_share(logm, quiescent, normal[1])
        share = np.stack([bulge, 1.0 - bulge], axis=1)
        # the bulge forms what quiescent galaxies of its mass form, at most a half of all; all where there is no disc
        with np.errstate(divide="ignore"):
            log_mass = logm[:, None] + np.log10(share)
            in_bulge = relations.quiescent_rate(log_mass[:, 0], redshift) + config.quiescent_scatter * normal[2]
            in_bulge = np.where(bulge < 1.0, np.minimum(in_bulge, rate - np.log10(2.0)), rate)
            in_disc = rate + np.log10(1.0 - 10.0 ** (in_bulge - rate))
        universe = age_gyr(redshift)
        old = universe * _between(config.age_old, latents.old)
        started = np.where(quiescent, old, universe * _between(config.age_disc, latents.disc))
        there = bulge < 1.0
        history = [
            relations.delayed_history(in_bulge - log_mass[:, 0] + np.log10(SURVIVING), old),
            relations.delayed_history(
                np.where(there, in_disc, -13.0) - np.where(there, log_mass[:, 1], 0.0) + np.log10(SURVIVING), started
            ),
        ]
        metals = relations.metallicity(logm, normal[3])[:, None] + config.bulge_metals * np.array([1.0, -1.0])
        ebv = np.where(quiescent, config.old_dust * latents.old_dust, relations.dust(logm, normal[4]))
        return Bodies(
            redshift=redshift,
            logm=logm,
            quiescent=quiescent,
            share=share,
            age=np.stack([age for age, _ in history], axis=1),
            tau=np.stack([tau for _, tau in history], axis=1),
            # metallicities beyond the library's are those of its ends
            z_met=Z_SUN * 10.0 ** np.minimum(np.maximum(metals, self.metals[0]), self.metals[1]),
            ebv=np.stack([ebv, ebv], axis=1),
            logu=config.logu + config.logu_spread * _between((-1.0, 1.0), latents.logu),
        )

    def light(self, bodies: Bodies, rng: np.random.Generator | None = None) -> Members:
        """Their light, and shapes at random."""
        rng = np.random.default_rng(len(bodies.logm)) if rng is None else rng
        return self.light_of(bodies, drawn_shapes(bodies.redshift, bodies.logm, rng))

    def seen_at(self, bodies: Bodies, redshifts: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Their light (Z, N, B), nJy, as it would be seen at each of `redshifts` (Z,), and parameters (N,) of the
        galaxies by name."""
        n = len(bodies)
        galaxies = Galaxies.from_numpy(**bodies.populations())
        derived = self.model.derive(galaxies)
        bulge, disc = (_rows(derived, slice(first, first + n)) for first in (0, n))
        formed = bodies.formed(np.stack([bulge.mstar.numpy(), disc.mstar.numpy()], axis=1))
        light = self.model.fluxes_at(galaxies, redshifts).numpy()
        flux = light[:, :n] * formed[:, :1] + light[:, n:] * formed[:, 1:]
        return flux, _values(bodies, bulge, disc, formed)

    def light_of(self, bodies: Bodies, shapes: Shapes) -> Members:
        """Their light, of these shapes."""
        n = len(bodies.logm)
        if not n:
            nothing = np.zeros((0, len(self.survey.bands)))
            kind = np.zeros(0, "U12")
            return Members(bodies.redshift, nothing, nothing, nothing, Shapes.of_points(0), kind=kind, bodies=bodies)
        seen = self.model(Galaxies.from_numpy(**bodies.populations()))
        bulge, disc = (_rows(seen, slice(first, first + n)) for first in (0, n))
        formed = bodies.formed(np.stack([bulge.mstar.numpy(), disc.mstar.numpy()], axis=1))
        return Members(
            redshift=bodies.redshift,
            point=np.zeros((n, len(self.survey.bands))),
            bulge=bulge.flux.numpy() * formed[:, :1],
            disc=disc.flux.numpy() * formed[:, 1:],
            shapes=shapes,
            values=_values(bodies, bulge, disc, formed),
            kind=np.where(bodies.quiescent, "quiescent", "star-forming"),
            bodies=bodies,
        )


def _between(ends: tuple[float, float], uniform: np.ndarray) -> np.ndarray:
    return ends[0] + (ends[1] - ends[0]) * uniform


def _rows(seen: Made, rows: slice) -> Made:
    return type(seen)(**{entry.name: getattr(seen, entry.name)[rows] for entry in fields(seen)})


def _values(bodies: Bodies, bulge: Derived, disc: Derived, formed: np.ndarray) -> dict[str, np.ndarray]:
    """Parameters of whole galaxies by name."""
    total = formed.sum(axis=1)
    whole = mix([bulge, disc], torch.from_numpy(formed / total[:, None]))
    stars = {
        "age": bodies.age.max(axis=1),
        "ebv": bodies.ebv[:, 1],
        "z_met": bodies.z_met[:, 1],
        "f_second": np.ones(len(total)),  # one metallicity would be that of neither
    }
    return {"redshift": bodies.redshift, **described(whole, stars, np.log10(total))}
