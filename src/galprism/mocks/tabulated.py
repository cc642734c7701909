"""Star-formation histories out of a table of the user's, from a simulation of galaxy formation say.

A table with a row for each history and two vector columns: `sfr`, the mean rates in T steps of cosmic time, in any unit
(their ratios count), and `time_edges`, the T + 1 edges of the steps since the Big Bang, in Gyr where the column has no
unit, the same in every row.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import astropy.units as u
import numpy as np

from galprism.cosmology import age_gyr
from galprism.data.tables import open_table
from galprism.errors import RequestError
from galprism.mocks.population import Tabulation

COLUMNS = ("sfr", "time_edges")
BINS = 60
"""Steps of a history that is looked back on, even from now to the Big Bang."""
LATEST = 15.0
"""Gyr since the Big Bang: no history goes on for longer."""


@dataclass(frozen=True, eq=False)
class Histories:
    """H histories."""

    time: np.ndarray
    """(T + 1,), Gyr since the Big Bang, ascending."""
    formed: np.ndarray
    """(H, T + 1): the mass formed until then, in the unit of the rates times Gyr."""

    def draw(self, redshift: np.ndarray, share: float, rng: np.random.Generator) -> Tabulation:
        """Histories of a share of the galaxies as they are seen at redshifts (N,): what comes later is left out, and
        one of those that have begun by then is drawn.

        Raises RequestError where there is a redshift at which none has.
        """
        now = age_gyr(redshift)
        wanted = rng.random(len(redshift)) < share
        order, start = self._by_start
        begun = np.searchsorted(start, now)  # a history that begins now has formed nothing yet
        if (begun[wanted] == 0).any():
            z = float(redshift[wanted & (begun == 0)].min())
            raise RequestError(
                f"no tabulated history has begun at z = {z:.3g}, {float(age_gyr(z)):.3g} Gyr after the Big Bang; the "
                f"first begins at {start[0]:.3g} Gyr: leave such redshifts out of population.redshift"
            )
        row = order[(rng.random(len(now)) * np.maximum(begun, 1)).astype(np.intp)]
        edges = now[:, None] * np.linspace(0.0, 1.0, BINS + 1)
        formed = self._until(row, now[:, None] - edges)
        return Tabulation(edges, np.where(wanted[:, None], -np.diff(formed, axis=1), 1.0), wanted)

    @cached_property
    def _by_start(self) -> tuple[np.ndarray, np.ndarray]:
        """(H,) each: the histories in the order in which they begin, and when they do, Gyr since the Big Bang."""
        first = np.argmax(self.formed > 0, axis=1) - 1
        order = np.argsort(self.time[first], kind="stable")
        return order, self.time[first][order]

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
        columns, unit = table.read(COLUMNS), table.columns["time_edges"].unit
    sfr, time = (np.asarray(columns[name], np.float64) for name in COLUMNS)
    if sfr.ndim != 2 or time.shape != (len(sfr), sfr.shape[1] + 1) or not len(sfr):
        raise RequestError(
            f"{path}: sfr has shape {sfr.shape} and time_edges {time.shape}; expected (H, T) and (H, T + 1)"
        )
    try:
        time = time * (u.Unit(unit).to(u.Gyr) if unit else 1.0)
    except (ValueError, u.UnitConversionError) as error:
        raise RequestError(
            f"{path}: time_edges is in {unit!r}; accepted: a unit of time, Gyr where there is none"
        ) from error
    edges = time[0]
    if not (time == edges).all() or not (np.diff(edges) > 0).all() or edges[0] < 0:
        raise RequestError(f"{path}: time_edges must ascend from 0 or later and be the same in every row")
    if edges[-1] > LATEST:
        raise RequestError(
            f"{path}: time_edges reach to {edges[-1]:.4g} Gyr; accepted: up to {LATEST:g}; is it in another unit?"
        )
    wrong = ~(np.isfinite(sfr) & (sfr >= 0)).all(axis=1) | ~(sfr.sum(axis=1) > 0)
    if wrong.any():
        raise RequestError(
            f"{path}: row {int(np.argmax(wrong))} has a rate that is negative or not a number, or none above 0, and "
            f"{np.count_nonzero(wrong) - 1} other rows have too"
        )
    formed = np.concatenate([np.zeros((len(sfr), 1)), np.cumsum(sfr * np.diff(edges), axis=1)], axis=1)
    return Histories(edges, formed)
