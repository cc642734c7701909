"""Joining tables by the ids of their sources, never by position."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from galprism.data.tables.columns import EXACT_IN_FLOAT64, as_text
from galprism.errors import RequestError


@dataclass(frozen=True, eq=False)
class Match:
    """Where each of N wanted ids stands among M others."""

    index: np.ndarray
    """(N,), int64: the row of the first equal id; -1 where there is none."""
    repeated: np.ndarray
    """(N,), bool: more than one row has this id, so that which is meant is not known."""

    @property
    def found(self) -> np.ndarray:
        """(N,), bool."""
        return self.index >= 0

    def placed(self, values: np.ndarray, empty: float) -> np.ndarray:
        """(N, …): what others (M, …) have, in the rows of those that want it; `empty` where none was found."""
        rows = np.full((len(self.index), *values.shape[1:]), empty, values.dtype)
        rows[self.found] = values[self.index[self.found]]
        return rows


def match_ids(wanted: np.ndarray, others: np.ndarray) -> Match:
    """Find each of `wanted` (N,) among `others` (M,).

    Integers, whole numbers kept as floats, and text match by what they say: 7, 7.0 and "7" are one id.
    """
    a, b = comparable(wanted), comparable(others)
    if a.dtype.kind != b.dtype.kind:
        a, b = a.astype(str), b.astype(str)
    order = np.argsort(b, kind="stable")
    first = np.searchsorted(b, a, side="left", sorter=order)
    last = np.searchsorted(b, a, side="right", sorter=order)
    index = np.full(len(a), -1, np.int64)
    index[last > first] = order[first[last > first]]
    return Match(index, last - first > 1)


def match_each(wanted: np.ndarray, others: np.ndarray, n: int, what: str) -> Match:
    """As `match_ids`, of `others` (M,) that stand for n of `what`, such as cutouts.

    Raises RequestError where they are not as many, or several are of one that is wanted.
    """
    if len(others) != n:
        raise RequestError(f"{len(others)} ids were given for {n} {what}")
    match = match_ids(wanted, np.asarray(others))
    if match.repeated.any():
        raise RequestError(f"there are several {what} of id {wanted[match.repeated][0]}")
    return match


def comparable(ids: np.ndarray) -> np.ndarray:
    """Ids as int64 or as text without surrounding blanks: whichever they are."""
    ids = np.asarray(ids)
    if ids.dtype.kind in "SO":
        ids = as_text(ids)
    if ids.dtype.kind == "U":
        return np.char.strip(ids)
    if ids.dtype.kind == "f" and np.all(np.abs(ids) <= EXACT_IN_FLOAT64) and np.all(ids == np.rint(ids)):
        return ids.astype(np.int64)
    if ids.dtype.kind in "bi" or (ids.dtype.kind == "u" and (not ids.size or int(ids.max()) < 2**63)):
        return ids.astype(np.int64)
    return ids.astype(str)
