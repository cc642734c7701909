"""Which models a fit is made with: a grid, or draws from the prior of a population."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from galprism.errors import RequestError
from galprism.fit.posterior import MagnitudePrior
from galprism.mocks import Counts, PopulationConfig, draw_stars

EBV_FACTOR = 0.44
"""E(B-V) of the stars over that of the nebular lines (CIGALE's E_BV_factor)."""


@dataclass(frozen=True)
class GridConfig:
    """The grid of Guo et al. (2024), Table 3, without the dust emission, which optical and NIR bands do not see."""

    tau: tuple[float, ...] = (0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0, 7.0, 8.0)
    """Gyr, e-folding time of the delayed history."""
    age: tuple[float, ...] = (
        *(0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0, 7.0, 8.0),
        *(9.0, 10.0, 11.0, 12.0, 13.0),
    )
    """Gyr since star formation began."""
    z_met: tuple[float, ...] = (0.0001, 0.0004, 0.004, 0.008, 0.02, 0.05)
    ebv_lines: tuple[float, ...] = (
        *(0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3),
        *(0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5),
    )
    """mag, colour excess of the nebular lines; that of the stars is 0.44 of it."""

    def __post_init__(self) -> None:
        for name in ("tau", "age", "z_met", "ebv_lines"):
            value = getattr(self, name)
            if not value or min(value) < 0 or (name != "ebv_lines" and min(value) == 0):
                raise RequestError(
                    f"grid.{name} = {list(value)}; accepted: one or more numbers above zero (ebv_lines: or zero)"
                )

    def columns(self) -> dict[str, np.ndarray]:
        """tau, age, z_met and ebv (of the stars) of every combination, each (M,)."""
        rows = np.array(list(product(self.tau, self.age, self.z_met, self.ebv_lines)))
        return {"tau": rows[:, 0], "age": rows[:, 1], "z_met": rows[:, 2], "ebv": EBV_FACTOR * rows[:, 3]}


def prior_columns(
    population: PopulationConfig, n: int, seed: int, grid: tuple[np.ndarray, np.ndarray] | None = None
) -> dict[str, np.ndarray]:
    """n draws of a population's stars, for all its redshifts, as `draw_stars` gives them.

    Drawn at its lowest redshift: leaving out those older than the Universe at a higher one gives the prior there,
    since age is drawn evenly (or evenly in its logarithm) up to that limit and nothing else depends on redshift but
    through it. grid : ages in Gyr and metallicities of the library, for a population on its grid.

    Raises RequestError for a population with tabulated histories, which are others at every redshift.
    """
    if population.histories:
        raise RequestError(
            f"population.histories = {population.histories!r}: tabulated histories depend on the redshift itself, and "
            "no draws of them can be kept for all redshifts; leave them out of what is fitted"
        )
    grids = () if grid is None else (grid,)
    return draw_stars(population, np.full(n, population.redshift[0]), np.random.default_rng(seed), grids)


def magnitude_prior(population: PopulationConfig, counts: Counts) -> MagnitudePrior:
    """p(m | z) of a population in the band that its galaxies are scaled to."""
    return MagnitudePrior(population.band, *population.magnitude, counts.log_density)
