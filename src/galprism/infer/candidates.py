"""Redshifts of some sources at which a model is asked, source by source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

PADDED_ROWS = 64
"""Sources whose quantiles are worked out together."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """C redshifts of some sources, those of a source together and ascending."""

    row: np.ndarray
    """(C,), ascending: the source."""
    weight: np.ndarray
    """(C,): the probability of the redshifts that each stands for; those of a source sum to 1."""
    inputs: np.ndarray
    """(C, F)."""
    anchor: np.ndarray
    """(C,)."""
    redshift: np.ndarray
    """(C,)."""
    place: np.ndarray
    """(C,), the mean of the redshifts that each stands for, as a coordinate (galprism.infer.joint)."""
    variance: np.ndarray
    """(C,), of that coordinate."""

    def take(self, kept: np.ndarray) -> Candidates:
        return Candidates(*(getattr(self, each.name)[kept] for each in fields(self)))


def padded(row: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Sources of similar numbers of candidates together: (rows (R,), places (R, C) in `row`, -1 where there are none
    left). row : ascending."""
    rows, first, count = np.unique(row, return_index=True, return_counts=True)
    order = np.argsort(count, kind="stable")
    for start in range(0, len(order), PADDED_ROWS):
        some = order[start : start + PADDED_ROWS]
        place = np.arange(count[some].max())
        yield rows[some], np.where(place < count[some, None], first[some, None] + place, -1)
