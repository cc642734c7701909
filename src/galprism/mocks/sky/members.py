"""What a patch of sky holds of one kind of source, before any noise: the record that every kind fills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from galprism.errors import RequestError
from galprism.mocks.sky.bodies import Bodies


@dataclass(frozen=True, eq=False)
class Shapes:
    """How the light of N sources is spread on the sky: a bulge (Sersic index 4) and a disc (1) with one centre and one
    position angle. What belongs to a component without light plays no part."""

    re_bulge: np.ndarray
    """(N,), arcsec, half-light radius along the major axis."""
    re_disc: np.ndarray
    """(N,), arcsec."""
    q_bulge: np.ndarray
    """(N,), minor over major axis, above 0 and up to 1."""
    q_disc: np.ndarray
    """(N,)."""
    angle: np.ndarray
    """(N,), radian, of the major axis, from the x axis of the image (west on the sky) towards y (north)."""

    @classmethod
    def of_points(cls, n: int) -> Shapes:
        """Of n sources that are points."""
        return cls(np.zeros(n), np.zeros(n), np.ones(n), np.ones(n), np.zeros(n))

    def take(self, rows) -> Shapes:
        """The sources of `rows`."""
        return Shapes(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


@dataclass(frozen=True, eq=False)
class Members:
    """N sources of one kind, in B bands."""

    redshift: np.ndarray
    """(N,); 0 for stars."""
    point: np.ndarray
    """(N, B), nJy, float64: of what has no extent, a star or a nucleus."""
    bulge: np.ndarray
    """(N, B), nJy."""
    disc: np.ndarray
    """(N, B), nJy."""
    shapes: Shapes
    values: dict[str, np.ndarray] = field(default_factory=dict)
    """(N,) by names of galprism.params.PARAMS: what is known of them besides; NaN where it has no meaning."""
    kind: np.ndarray | None = None
    """(N,), text: a finer class, such as "white dwarf"."""
    bodies: Bodies | None = None
    """What they are made of, for their spectra, where some are galaxies of a field; NaN of those that are not."""

    def __post_init__(self) -> None:
        n, shape = len(self.redshift), self.point.shape
        if any(part.shape != shape for part in (self.bulge, self.disc)) or len(self.point) != n:
            raise RequestError(
                f"Members: point, bulge and disc have shapes {shape}, {self.bulge.shape}, {self.disc.shape}; expected "
                f"the same (N, B) with N = {n}"
            )

    def __len__(self) -> int:
        return len(self.redshift)

    @property
    def flux(self) -> np.ndarray:
        """(N, B), nJy, of all components."""
        return self.point + self.bulge + self.disc

    def take(self, rows) -> Members:
        """The sources of `rows`."""
        return Members(
            redshift=self.redshift[rows],
            point=self.point[rows],
            bulge=self.bulge[rows],
            disc=self.disc[rows],
            shapes=self.shapes.take(rows),
            values={name: value[rows] for name, value in self.values.items()},
            kind=None if self.kind is None else self.kind[rows],
            bodies=None if self.bodies is None else self.bodies.take(rows),
        )


def joined(parts: Sequence[Members]) -> Members:
    """All of them, one after the other; values that some have not are NaN there."""
    names = dict.fromkeys(name for part in parts for name in part.values)

    def column(name: str) -> np.ndarray:
        return np.concatenate([part.values.get(name, np.full(len(part), np.nan)) for part in parts])

    def kinds(part: Members) -> np.ndarray:
        return np.full(len(part), "") if part.kind is None else part.kind

    return Members(
        **{
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ("redshift", "point", "bulge", "disc")
        },
        shapes=Shapes(*(np.concatenate([getattr(p.shapes, f) for p in parts]) for f in Shapes.__dataclass_fields__)),
        values={name: column(name) for name in names},
        kind=np.concatenate([kinds(part) for part in parts]),
        bodies=_bodies(parts),
    )


def _bodies(parts: Sequence[Members]) -> Bodies | None:
    if all(part.bodies is None for part in parts):
        return None
    return Bodies.joined([Bodies.unknown(len(part)) if part.bodies is None else part.bodies for part in parts])
