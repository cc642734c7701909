"""Star-formation histories out of a table of the user's, from a simulation of galaxy formation say.

A table with a row for each history and two vector columns: `sfr`, the mean rates in T steps of cosmic time, in any unit
(their ratios count), and `time_edges`, the T + 1 edges of the steps in Gyr since the Big Bang, the same in every row.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from galprism.cosmology import age_gyr
from galprism.data.tables import open_table
from galprism.errors import RequestError
from galprism.mocks.population import Tabulation

COLUMNS = ("sfr", "time_edges")
BINS = 60
"""Steps of a history that is looked back on, even from now to the Big Bang."""
TRIES = 20
"""Histories that are drawn for a galaxy before it is left without: at its redshift none of them may have begun."""


@dataclass(frozen=True, eq=False)
class Histories:
    """H histories."""

    time: np.ndarray
    """(T + 1,), Gyr since the Big Bang, ascending."""
    formed: np.ndarray
    """(H, T + 1): the mass formed until then, in the unit of the rates times Gyr."""

    def draw(self, redshift: np.ndarray, share: float, rng: np.random.Generator) -> Tabulation:
        """Histories of a share of the galaxies as they are seen at redshifts (N,): what comes later is left out."""
        wanted = rng.random(len(redshift)) < share
        now = age_gyr(redshift)
        row = rng.integers(0, len(self.formed), len(now))
        for _ in range(TRIES):
            dark = self._until(row, now[:, None])[:, 0] <= 0
            if not dark.any():
                break
            row[dark] = rng.integers(0, len(self.formed), np.count_nonzero(dark))
        edges = now[:, None] * np.linspace(0.0, 1.0, BINS + 1)
        formed = self._until(row, now[:, None] - edges)
        has = wanted & (formed[:, 0] > 0)
        return Tabulation(edges, np.where(has[:, None], -np.diff(formed, axis=1), 1.0), has)

    def _until(self, row: np.ndarray, time: np.ndarray) -> np.ndarray:
        """(N, K): the mass formed until times (N, K) in the histories of rows (N,)."""
        place = np.interp(time, self.time, np.arange(len(self.time)))
        below = np.minimum(place.astype(np.intp), len(self.time) - 2)
        low, high = (np.take_along_axis(self.formed[row], below + step, axis=1) for step in (0, 1))
        return low + (place - below) * (high - low)


@lru_cache(maxsize=4)
def read_histories(path: str) -> Histories:
    """The histories of a table. Raises RequestError where it cannot be read, or is not what it should be."""
    with open_table(Path(path)) as table:
        missing = [name for name in COLUMNS if name not in table.columns]
        if missing:
            raise RequestError(
                f"{path}: no column {', '.join(missing)}; a table of histories has the vector columns "
                f"{' and '.join(COLUMNS)}; this one has {', '.join(list(table.columns)[:20])}"
            )
        columns = table.read(COLUMNS)
    sfr, time = (np.asarray(columns[name], np.float64) for name in COLUMNS)
    if sfr.ndim != 2 or time.shape != (len(sfr), sfr.shape[1] + 1) or not len(sfr):
        raise RequestError(
            f"{path}: sfr has shape {sfr.shape} and time_edges {time.shape}; expected (H, T) and (H, T + 1)"
        )
    edges = time[0]
    if not (time == edges).all() or not (np.diff(edges) > 0).all() or edges[0] < 0:
        raise RequestError(f"{path}: time_edges must ascend from 0 or later and be the same in every row")
    wrong = ~(np.isfinite(sfr) & (sfr >= 0)).all(axis=1) | ~(sfr.sum(axis=1) > 0)
    if wrong.any():
        raise RequestError(
            f"{path}: row {int(np.argmax(wrong))} has a rate that is negative or not a number, or none above 0, and "
            f"{np.count_nonzero(wrong) - 1} other rows have too"
        )
    formed = np.concatenate([np.zeros((len(sfr), 1)), np.cumsum(sfr * np.diff(edges), axis=1)], axis=1)
    return Histories(edges, formed)
