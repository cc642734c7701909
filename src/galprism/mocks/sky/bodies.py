"""What the galaxies of a patch of sky are made of: a bulge and a disc with stars of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from galprism.mocks.sky.foresight import features_of


@dataclass(frozen=True, eq=False)
class Bodies:
    """What N galaxies are made of, before any light: a bulge (first) and a disc, columns (N, 2)."""

    redshift: np.ndarray
    """(N,)."""
    logm: np.ndarray
    """(N,), log10 of the surviving mass."""
    quiescent: np.ndarray
    """(N,), bool."""
    share: np.ndarray
    """(N, 2), of the surviving mass."""
    age: np.ndarray
    tau: np.ndarray
    """Gyr."""
    z_met: np.ndarray
    ebv: np.ndarray
    logu: np.ndarray
    """(N,)."""

    def __len__(self) -> int:
        return len(self.redshift)

    def take(self, rows) -> Bodies:
        """The galaxies of `rows`."""
        return Bodies(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    @classmethod
    def unknown(cls, n: int) -> Bodies:
        """Of n sources of which it is not known, or which are no galaxies: NaN everywhere."""
        one, two = np.full(n, np.nan), np.full((n, 2), np.nan)
        return cls(one, one, np.zeros(n, bool), two, two, two, two, two, one)

    @classmethod
    def joined(cls, parts: Sequence[Bodies]) -> Bodies:
        """All of them, one after the other."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__dataclass_fields__))

    @property
    def known(self) -> np.ndarray:
        """(N,), bool."""
        return np.isfinite(self.logm)

    def populations(self) -> dict[str, np.ndarray]:
        """(2 N,) each, bulges first and then discs: fields of galprism.sps.Galaxies."""
        whole = {name: np.concatenate([getattr(self, name)] * 2) for name in ("redshift", "logu")}
        return whole | {name: getattr(self, name).T.ravel() for name in ("age", "tau", "z_met", "ebv")}

    def formed(self, surviving: np.ndarray) -> np.ndarray:
        """(N, 2), Msun: the mass that the stars formed with, of which `surviving` (N, 2) is left."""
        return self.share * 10.0 ** self.logm[:, None] / surviving

    @property
    def features(self) -> np.ndarray:
        """(N, V), what their light follows from."""
        return features_of(self.redshift, self.age, self.tau, self.z_met, self.ebv, self.share)
