"""Sources on a patch of sky: what images are taken of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import KDTree

from galprism.errors import RequestError
from galprism.mocks.sky.members import Members


@dataclass(frozen=True, eq=False)
class Patch:
    """N sources on a patch of flat sky; without positions, each is alone."""

    id: np.ndarray
    """(N,), integers from 0 on: the key of each source's random numbers."""
    members: Members
    x: np.ndarray | None = None
    """(N,), arcsec, along the rows of images (west)."""
    y: np.ndarray | None = None
    """(N,), arcsec, along their columns (north)."""
    classes: np.ndarray | None = None
    """(N,), int8, index into galprism.data.truth.CLASSES; None where that plays no part."""

    def __post_init__(self) -> None:
        n = len(self.members)
        if (self.x is None) != (self.y is None):
            raise RequestError("Patch: give both x and y, or neither")
        for name in ("id", "x", "y", "classes"):
            values = getattr(self, name)
            if values is not None and np.shape(values) != (n,):
                raise RequestError(f"Patch.{name} has shape {np.shape(values)}; expected ({n},)")
            if values is not None and not np.isfinite(values).all():
                raise RequestError(f"Patch.{name} is not finite somewhere")
        if self.id.dtype.kind not in "iu" or np.any(self.id < 0) or len(np.unique(self.id)) != n:
            raise RequestError("Patch.id: accepted: integers from 0 on, each once")
        for name in ("point", "bulge", "disc"):
            if not np.all(getattr(self.members, name) >= 0):
                raise RequestError(f"Patch.members.{name} is negative or NaN somewhere; accepted: nJy from 0 on")

    def __len__(self) -> int:
        return len(self.id)

    def take(self, rows) -> Patch:
        """The sources of `rows`."""
        x, y, classes = (None if value is None else value[rows] for value in (self.x, self.y, self.classes))
        return Patch(self.id[rows], self.members.take(rows), x, y, classes)

    @cached_property
    def _tree(self) -> KDTree:
        assert self.x is not None
        assert self.y is not None
        return KDTree(np.column_stack([self.x, self.y]))

    def seen_from(self, rows: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """(P,) each: place in `rows`, source, and how far it is from that row's in x and y (arcsec), of all P pairs of
        a row and a source within `radius` arcsec of it, itself with them."""
        if self.x is None or self.y is None:
            return np.arange(len(rows)), rows, np.zeros(len(rows)), np.zeros(len(rows))
        near = self._tree.query_ball_point(np.column_stack([self.x[rows], self.y[rows]]), radius, return_sorted=True)
        image = np.repeat(np.arange(len(rows)), [len(sources) for sources in near])
        source = np.concatenate([np.asarray(sources, int) for sources in near]) if len(rows) else np.zeros(0, int)
        return image, source, self.x[source] - self.x[rows][image], self.y[source] - self.y[rows][image]
