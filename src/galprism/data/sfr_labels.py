"""The eight statistics by which the MPA-JHU tables (gal_totsfr; in SDSS's galSpecExtra sfr_tot_avg and so on) tell a
galaxy's distribution of log SFR, and a check of such labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from galprism.errors import RequestError

PREFIX = "sfr_tot_"
STATISTICS = tuple(PREFIX + name for name in ("avg", "entropy", "median", "mode", "p16", "p2p5", "p84", "p97p5"))
"""Names of galprism.params, as SDSS's table has them and in the order of gal_totsfr."""
RISING = tuple(PREFIX + name for name in ("p2p5", "p16", "median", "p84", "p97p5"))
"""Those that rise."""
SHOWN = 3


def out_of_order(values: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """(N,), bool: rows of values (N, P), of parameters `names`, where one of RISING is below one that it must not be
    below. What is NaN, or not among the names, is not looked at."""
    columns = [list(names).index(name) for name in RISING if name in names]
    ordered = np.asarray(values, float)[:, columns]
    highest = np.fmax.accumulate(ordered, axis=1) if columns else ordered
    with np.errstate(invalid="ignore"):
        return np.any(ordered < highest, axis=1)


def check_order(ids: np.ndarray, values: np.ndarray, names: Sequence[str], where: str) -> None:
    """Raises RequestError where rows (N,) of `where` are out of order, which names them, the columns and the values."""
    wrong = np.flatnonzero(out_of_order(values, names))
    if not len(wrong):
        return
    columns = [name for name in RISING if name in names]
    told = [
        f"row {row} (id {ids[row]}): "
        + ", ".join(f"{name} = {values[row, list(names).index(name)]:g}" for name in columns)
        for row in wrong[:SHOWN]
    ]
    more = f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    raise RequestError(f"{where}: {'; '.join(told)}{more}; accepted: {' <= '.join(columns)}, or empty")
