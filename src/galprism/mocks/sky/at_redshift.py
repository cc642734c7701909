"""The galaxies of a field at one redshift, brighter than its limit: a density over a few numbers of each, and draws.

A galaxy is quiescent or not, and WIDTH numbers: log10 of its mass, and standard normal numbers that its stars, its
dust, its shape and its motions follow from. So what a fit may be asked to weigh is what the field is drawn from, to the
letter.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from galprism.errors import RequestError
from galprism.mocks.sky import latents
from galprism.mocks.sky.bodies import Bodies
from galprism.mocks.sky.galaxies import FieldGalaxies
from galprism.mocks.sky.latents import Latents
from galprism.mocks.sky.mass_function import POPULATIONS
from galprism.mocks.sky.members import Shapes
from galprism.mocks.sky.shapes import shapes_of
from galprism.units import njy_from_abmag

SHAPE = slice(1 + latents.WIDTH, 5 + latents.WIDTH)
"""Of the numbers: sizes and axis ratios of bulge and disc."""
MOTION = slice(5 + latents.WIDTH, 7 + latents.WIDTH)
"""Of the numbers: scatter of the motions of both."""
WIDTH = MOTION.stop
LOOK = 20_000
"""Galaxies that are drawn at a time where few are bright enough."""
MOST = 500
"""Times."""


class GalaxiesAt:
    """Those of a field at one redshift, between a bright end and the field's limit."""

    def __init__(self, field: FieldGalaxies, redshift: float, bright: float = -np.inf):
        """bright : AB mag in the field's band: brighter ones are left out.

        Raises RequestError for redshifts that the field does not reach.
        """
        low, high = field.config.redshift
        if not low <= redshift <= high:
            raise RequestError(f"redshift = {redshift:.4g}; accepted: of the field's galaxies, {low:g} to {high:g}")
        self.field, self.redshift = field, redshift
        self.flux = njy_from_abmag(field.limit), njy_from_abmag(bright) if np.isfinite(bright) else np.inf
        """nJy, between which a galaxy is one of them."""
        cells = [field.populations[name][0].cells_at(redshift) for name in POPULATIONS]
        self._cells = [tuple(column[number > 0] for column in (low, up, number)) for low, up, number in cells]

    def bodies(self, x: np.ndarray, quiescent: np.ndarray) -> Bodies:
        """Of galaxies of numbers (N, WIDTH)."""
        numbers = Latents.of_normals(x[:, 1 : 1 + latents.WIDTH])
        return self.field.bodies_of(np.full(len(x), self.redshift), x[:, 0], quiescent, numbers)

    def shapes(self, x: np.ndarray) -> Shapes:
        """(N,), all at one angle."""
        size, ratio = x[:, SHAPE].T[:2], ndtr(x[:, SHAPE].T[2:])
        return shapes_of(np.full(len(x), self.redshift), x[:, 0], size, np.concatenate([ratio, ratio[:1] * 0.0]))

    def log_density(self, x: np.ndarray, quiescent: np.ndarray) -> np.ndarray:
        """(N,), up to a constant, before the limits: of numbers (N, WIDTH) and whether they are quiescent."""
        found = -0.5 * (x[:, 1:] ** 2).sum(axis=1)
        for population in (0, 1):
            own = quiescent == bool(population)
            low, high, number = self._cells[population]
            cell = np.searchsorted(low, x[own, 0], side="right") - 1
            inside = (cell >= 0) & (x[own, 0] < high[-1])
            cell = np.maximum(cell, 0)
            found[own] += np.where(inside, np.log(number[cell] / (high - low)[cell]), -np.inf)
        return found

    def bright(self, bodies: Bodies) -> np.ndarray:
        """(N,), bool: whether galaxies are within the limits. Light is made of those alone of which it is not plain."""
        foreseen, margin = np.empty(len(bodies)), np.empty(len(bodies))
        for population in (0, 1):
            own = np.flatnonzero(bodies.quiescent == bool(population))
            foresight = self.field.populations[POPULATIONS[population]][1]
            some = bodies.take(own)
            fitted, margin[own] = foresight.foreseen(some.redshift, some.features)
            foreseen[own] = some.logm + fitted
        least, most = np.log10(self.flux)
        within = (foreseen - margin > least) & (foreseen + margin < most)
        unsure = np.flatnonzero(~within & (foreseen + margin > least) & (foreseen - margin < most))
        some = bodies.take(unsure)
        flux = self.field.light(some).flux[:, self.field.place]
        within[unsure] = (flux > self.flux[0]) & (flux < self.flux[1])
        return within

    def draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Numbers (n, WIDTH) of n galaxies within the limits, and whether they are quiescent (n,).

        Raises RequestError where there are none to be found.
        """
        low, high, number = (np.concatenate(columns) for columns in zip(*self._cells, strict=True))
        calm = np.repeat([False, True], [len(cells[0]) for cells in self._cells])
        chance = number / number.sum()
        parts, found = [], 0
        for _ in range(MOST):
            cell = rng.choice(len(chance), LOOK, p=chance)
            x = rng.standard_normal((LOOK, WIDTH))
            x[:, 0] = low[cell] + rng.random(LOOK) * (high - low)[cell]
            kept = np.flatnonzero(self.bright(self.bodies(x, calm[cell])))
            parts.append((x[kept], calm[cell][kept]))
            found += len(kept)
            if found >= n:
                break
        if found < n:
            raise RequestError(
                f"redshift = {self.redshift:.4g}: {found} of {MOST * LOOK:,} galaxies of the field are brighter than "
                f"{self.field.limit:g}; accepted: redshifts at which {n} are"
            )
        x, quiescent = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        return x[:n], quiescent[:n]
