"""A magnitude-limited field: galaxies, quasars and stars, patch by patch, as many of each as the sky has."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from galprism.config import plain
from galprism.data import Sources, Truth
from galprism.data.truth import CLASSES
from galprism.errors import RequestError
from galprism.mocks.described import NAMES
from galprism.mocks.noise import NoiseConfig, observe
from galprism.mocks.population import block_rng
from galprism.mocks.simulate import error_sample
from galprism.mocks.sky.field_config import FieldConfig
from galprism.mocks.sky.galaxies import FieldGalaxies
from galprism.mocks.sky.members import Members, joined
from galprism.mocks.sky.patch import Patch
from galprism.mocks.sky.quasars import Quasars
from galprism.mocks.sky.stars import Stars
from galprism.sps import SSPLibrary
from galprism.surveys import Survey

PATCH_IDS = 2**18
"""Ids of a patch begin at its number times this …"""
FIELD_IDS = 2**38
"""… and those of a field at a number of its own times this: 24 + 20 + 18 bits."""
LONGEST_KIND = 16
"""Letters: tables have columns of a fixed width."""
LAST_DEC = 60.0
"""deg: up to here squares side by side are near enough to what the sky has."""


class Kind(Protocol):
    """One class of sources."""

    def patch(self, area: float, rng: np.random.Generator) -> Members:
        """All those of `area` square degrees that are bright enough."""
        ...


class Field:
    """A field in a survey's bands, the same for the same seed however it is asked for."""

    def __init__(self, config: FieldConfig, survey: Survey, library: SSPLibrary, *, seed: int):
        """library : the stars of the galaxies. Raises RequestError for a band that the survey has not."""
        if config.band not in survey.band_names:
            raise RequestError(
                f"field.band = {config.band!r}; accepted: a band of {survey.name}, {', '.join(survey.band_names)}"
            )
        if config.limit <= config.stars.bright:
            raise RequestError(
                f"field.limit = {config.limit:g}; accepted: fainter than field.stars.bright = {config.stars.bright:g}"
            )
        self.config, self.survey, self.seed = config, survey, seed
        told = json.dumps([plain(config), survey.name, seed], sort_keys=True).encode()
        self.first_id = int.from_bytes(hashlib.sha256(told).digest()[:3], "big") * FIELD_IDS
        """Of patch 0: another number for another field, so that sources of two are never taken for each other."""
        bright = survey, config.band, config.limit
        self.kinds: dict[str, Kind] = {
            "star": Stars(config.stars, *bright),
            "qso": Quasars(config.quasars, *bright),
            "galaxy": FieldGalaxies(config.galaxies, *bright, library),
        }

    def patch(self, number: int) -> Patch:
        """One patch; each class has random numbers of its own, so that none depends on the others' settings."""
        if not 0 <= number < FIELD_IDS // PATCH_IDS:
            raise RequestError(f"patch {number}; accepted: 0 to {FIELD_IDS // PATCH_IDS - 1}")
        area = self.config.area
        parts = [self.kinds[kind].patch(area, block_rng(self.seed, number, kind)) for kind in CLASSES]
        rng = block_rng(self.seed, number, "places")
        n = sum(map(len, parts))
        if n > PATCH_IDS:
            raise RequestError(
                f"field.area = {area:g}: {n:,} sources on a patch; accepted: so small that there are {PATCH_IDS:,}"
            )
        order = rng.permutation(n)
        classes = np.repeat(np.arange(len(CLASSES), dtype=np.int8), [len(part) for part in parts])
        x, y = rng.uniform(0.0, 3600.0 * np.sqrt(area), (2, n))
        ident = self.first_id + number * PATCH_IDS + np.arange(n)
        return Patch(ident, joined(parts).take(order), x, y, classes[order])

    def place(self, number: int, patch: Patch) -> tuple[np.ndarray, np.ndarray]:
        """ra, dec (N,) deg of a patch's sources: patches lie side by side, in rows around the sky."""
        side = np.sqrt(self.config.area)
        row, column = divmod(number, int(360.0 / side))
        assert patch.x is not None
        assert patch.y is not None
        dec = self.config.dec + row * side + patch.y / 3600.0
        if np.abs(self.config.dec + (row + 1) * side) > LAST_DEC:
            raise RequestError(f"patch {number} lies beyond dec = {LAST_DEC:g} deg; accepted: fewer sources")
        ra = self.config.ra - (column * side + patch.x / 3600.0) / np.cos(np.radians(dec))
        return ra % 360.0, dec


@dataclass(frozen=True, eq=False)
class Observed:
    """A patch as a survey measured it."""

    patch: Patch
    """All of it, whoever is in the catalogue: neighbours shine into images."""
    sources: Sources
    truth: Truth
    """Of the same sources, the first so many of the patch's, which are in random order."""


def observe_field(field: Field, noise: NoiseConfig, n: int, first: int = 0) -> Iterator[Observed]:
    """A catalogue of n sources as the survey would measure it, with its truth, patch by patch from number `first` on.
    Redshifts are in the truth alone: nobody has measured them."""
    reference = error_sample(noise, field.survey)
    number = first
    while n > 0:
        patch = field.patch(number)
        rng = block_rng(field.seed, number, "noise")
        photometry = observe(patch.members.flux.astype(np.float32), field.survey, noise, rng, reference)
        ra, dec = field.place(number, patch)
        rows = slice(0, n)
        sources = Sources(id=patch.id, ra=ra, dec=dec, photometry=photometry).take(rows)
        yield Observed(patch, sources, truth_of(patch).take(rows))
        n -= len(patch)
        number += 1


def truth_of(patch: Patch) -> Truth:
    """Classes, finer kinds, redshifts (0 of stars), and of galaxies and hosts what they are made of."""
    values = patch.members.values
    known = {"redshift": patch.members.redshift} | {
        name: values.get(name, np.full(len(patch), np.nan)) for name in NAMES
    }
    assert patch.members.kind is not None
    return Truth(
        id=patch.id,
        names=tuple(known),
        values=np.stack(list(known.values()), axis=1),
        classes=patch.classes,
        labels={"kind": patch.members.kind.astype(f"U{LONGEST_KIND}")},
    )
