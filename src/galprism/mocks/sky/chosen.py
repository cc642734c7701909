"""Sources chosen of a field by class and magnitude, as targets of spectra are, with the field around each.

A magnitude-limited sky is mostly faint galaxies; what classifiers learn from, and are tested on, is not. So many of
each class are drawn, evenly over ranges of magnitude and within them as the sky has them, and set on patches of the
field so far apart that none is seen from another: their neighbours are the field's.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np

from galprism.data import Sources
from galprism.data.truth import CLASSES
from galprism.errors import RequestError
from galprism.mocks.images.cutouts import ImageConfig
from galprism.mocks.noise import NoiseConfig, observe
from galprism.mocks.population import block_rng
from galprism.mocks.simulate import error_sample
from galprism.mocks.sky.field import PATCH_IDS, Field, Kind, Observed, truth_of
from galprism.mocks.sky.field_config import ChosenConfig
from galprism.mocks.sky.galaxies import FieldGalaxies
from galprism.mocks.sky.members import Members, joined
from galprism.mocks.sky.patch import Patch
from galprism.mocks.sky.quasars import Quasars
from galprism.mocks.sky.stars import Stars
from galprism.sps import SSPLibrary
from galprism.units import abmag_from_njy

BLOCK = 8192
"""Sources that are drawn together; the last of all are fewer."""
TRIAL, LARGEST = 0.05, 25.0
"""Square degrees that are drawn first, and at most at a time."""
FEWEST = 20
"""Sources that tell how many there are to the square degree."""
EMPTY = 2000.0
"""Square degrees: what is not found on so many is taken not to be there."""


class Chosen:
    """n sources chosen of a field, the same for the same field and n however many are looked at."""

    def __init__(self, config: ChosenConfig, field: Field, library: SSPLibrary, n: int):
        """library : the stars of the galaxies, as in the field."""
        self.config, self.field, self.n = config, field, n
        order = block_rng(field.seed, 0, "chosen").permutation(n)
        self.classes = np.repeat(np.arange(len(CLASSES), dtype=np.int8), config.counts(n))[order]
        """(n,), index into CLASSES."""
        self._library = library
        self._kind = cache(self._kind_to)

    @property
    def n_blocks(self) -> int:
        return -(-self.n // BLOCK)

    def members(self, block: int) -> Members:
        """The sources of one block, in the order of `classes`."""
        classes = self.classes[block * BLOCK : (block + 1) * BLOCK]
        rng = block_rng(self.field.seed, 1 + block, "chosen")
        parts, places = [], []
        for code, name in enumerate(CLASSES):
            rows = rng.permutation(np.flatnonzero(classes == code))
            edges = self.config.magnitudes(name)
            for low, high, own in zip(edges[:-1], edges[1:], np.array_split(rows, len(edges) - 1), strict=True):
                if len(own):
                    parts.append(self._drawn(name, low, high, len(own), rng))
                    places.append(own)
        return joined(parts).take(np.argsort(np.concatenate(places)))

    def patches(self, images: ImageConfig | None) -> Iterator[tuple[Patch, int]]:
        """(patch, how many of its first sources were chosen), in order; without images nothing stands around them."""
        number = 0
        for block in range(self.n_blocks):
            members = self.members(block)
            classes = self.classes[block * BLOCK : (block + 1) * BLOCK]
            side = max(int(3600.0 * np.sqrt(self.field.config.area) / _apart(images)), 1) if images else 0
            each = side * side if images else BLOCK
            for start in range(0, len(members), each):
                rows = slice(start, start + each)
                yield self._patch(number, members.take(rows), classes[rows], side), len(classes[rows])
                number += 1

    def _patch(self, number: int, members: Members, classes: np.ndarray, side: int) -> Patch:
        n = len(members)
        own = self.field.first_id + number * PATCH_IDS + np.arange(n)
        if not side:
            return Patch(own, members, classes=classes)
        around = self.field.patch(number)
        assert around.x is not None
        assert around.y is not None
        assert around.classes is not None
        rng = block_rng(self.field.seed, number, "places")
        step = 3600.0 * np.sqrt(self.field.config.area) / side
        row, column = np.divmod(rng.permutation(side * side)[:n], side)
        shift = rng.random(2) * step  # of the whole lattice: it says nothing of what stands around a source
        return Patch(
            id=np.concatenate([own, around.id + n]),
            members=joined([members, around.members]),
            x=np.concatenate([(column * step + shift[0]), around.x]),
            y=np.concatenate([(row * step + shift[1]), around.y]),
            classes=np.concatenate([classes, around.classes]),
        )

    def _drawn(self, name: str, low: float, high: float, n: int, rng: np.random.Generator) -> Members:
        """n members of one class between two magnitudes."""
        band = self.field.survey.band_names.index(self.field.config.band)
        limit = self.config.magnitudes(name)[-1] if name == "star" else high  # stars are made as fast as looked up
        parts: list[Members] = []
        found, looked, area = 0, 0.0, TRIAL
        while found < n:
            some = self._kind(name, limit).patch(area, rng)
            magnitude = abmag_from_njy(some.flux[:, band])
            parts.append(some.take(rng.permutation(np.flatnonzero((magnitude > low) & (magnitude < high)))))
            found, looked = found + len(parts[-1]), looked + area
            if looked > EMPTY and not found:
                raise RequestError(
                    f"chosen.{name}_magnitude: none between {low:g} and {high:g} on {looked:.0f} square degrees; "
                    "accepted: magnitudes that the sky has"
                )
            area = min(1.1 * (n - found) * looked / found + TRIAL if found >= FEWEST else 4.0 * area, LARGEST)
        return joined(parts).take(slice(0, n))

    def _kind_to(self, name: str, limit: float) -> Kind:
        config, survey, band = self.field.config, self.field.survey, self.field.config.band
        if name == "star":
            return Stars(config.stars, survey, band, limit)
        if name == "qso":
            return Quasars(config.quasars, survey, band, limit)
        return FieldGalaxies(config.galaxies, survey, band, limit, self._library)


def observe_chosen(chosen: Chosen, noise: NoiseConfig, images: ImageConfig | None) -> Iterator[Observed]:
    """The sources as the survey would measure them, with their truth, patch by patch. They have no positions on the
    sky: they are of all of it."""
    reference = error_sample(noise, chosen.field.survey)
    for number, (patch, n) in enumerate(chosen.patches(images)):
        rows = slice(0, n)
        some = patch.take(rows)
        rng = block_rng(chosen.field.seed, number, "noise")
        photometry = observe(some.members.flux.astype(np.float32), chosen.field.survey, noise, rng, reference)
        yield Observed(patch, Sources(id=some.id, photometry=photometry), truth_of(some))


def _apart(images: ImageConfig) -> float:
    """arcsec, between sources of which none is seen in another's image."""
    return 2.0 * (images.size * images.pixel_scale / np.sqrt(2.0) + images.reach)
