"""What a network is asked for: coordinates of which the parameters are a linear map, source by source.

Log M* is predicted relative to the source's anchor (a log of mass over light is what is left) and log SFR relative to
log M* (a specific rate is left): both vary far less than the parameters do. Parameters within a range are asked for by
where in it they lie (galprism.prep.frames).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from galprism.errors import RequestError
from galprism.params import PARAMS
from galprism.prep.frames import Frame, Range, ranges_of

MASSES = ("logmstar", "logmlive", "logmformed")
RATES = ("logsfr", "logsfr_10myr", "logsfr_100myr")


@dataclass(frozen=True)
class TargetsConfig:
    """Which parameters, and whether as they are or relative to what is known of them."""

    names: tuple[str, ...] = ("logmstar", "logsfr")
    relative: bool = True
    """Masses relative to the anchor, rates relative to the first mass (to the anchor where there is none)."""
    standardise: bool = True
    """Subtract the training set's mean and divide by its standard deviation."""
    bounded: tuple[str, ...] = ()
    """Those that lie within a range, which no answer is outside of: of the training set, and for ages up to that of the
    Universe. Neither masses nor rates."""

    def __post_init__(self) -> None:
        unknown = [name for name in self.names if name not in PARAMS]
        if unknown or not self.names:
            raise RequestError(f"targets.names = {self.names}; accepted: some of {', '.join(PARAMS)}")
        if len(set(self.names)) != len(self.names):
            raise RequestError(f"targets.names = {self.names} names a parameter twice")
        free = [name for name in self.names if name not in MASSES + RATES]
        if not set(self.bounded) <= set(free):
            raise RequestError(f"targets.bounded = {self.bounded}; accepted: some of {', '.join(free)}")


@dataclass(frozen=True, eq=False)
class Targets:
    """P parameters of a source, and P coordinates y: x = linear @ y + offset in the source's own frame."""

    config: TargetsConfig
    linear: np.ndarray
    """(P, P), invertible."""
    offset: np.ndarray
    """(P,)."""
    anchored: np.ndarray
    """(P,), 1 where the anchor is added, else 0."""
    ranges: tuple[Range, ...]

    @classmethod
    def fit(
        cls,
        config: TargetsConfig,
        values: np.ndarray,
        anchor: np.ndarray,
        redshift: np.ndarray | None = None,
        ranges: tuple[Range, ...] | None = None,
    ) -> Targets:
        """values : (N, P), the training set's parameters in the order of config.names; anchor and redshift : (N,), the
        latter for ages that are bounded; ranges : of the parameters, those of the values when not given."""
        names, n = config.names, len(config.names)
        ranges = ranges_of(names, config.bounded, values) if ranges is None else ranges
        combine = np.eye(n)
        anchored = np.zeros(n)
        if config.relative:
            mass = next((i for i, name in enumerate(names) if name in MASSES), None)
            for i, name in enumerate(names):
                anchored[i] = float(name in MASSES + RATES)
                if name in RATES and mass is not None:
                    combine[i, mass] = 1.0
        within = Frame.of(anchored, ranges, anchor, redshift).coordinates(values.T).T
        if not np.isfinite(within).all():
            raise RequestError(f"a value of {', '.join(names)} is not finite in the training set, or not in its range")
        plain = within @ np.linalg.inv(combine).T
        mean, sd = np.zeros(n), np.ones(n)
        if config.standardise:
            mean, sd = plain.mean(axis=0), plain.std(axis=0)
            # What single precision cannot tell from a constant is one: its spread is rounding, no scale to divide by.
            sd = np.where(sd > np.finfo(np.float32).eps * (1 + np.abs(mean)), sd, 1.0)
        return cls(config, combine * sd, combine @ mean, anchored, ranges)

    @property
    def names(self) -> tuple[str, ...]:
        return self.config.names

    def frame(self, anchor: np.ndarray, redshift: np.ndarray | None = None) -> Frame:
        """Of sources with anchors (N,) and redshifts (N,)."""
        return Frame.of(self.anchored, self.ranges, anchor, redshift)

    def encode(self, values: np.ndarray, anchor: np.ndarray, redshift: np.ndarray | None = None) -> np.ndarray:
        """(N, P), float32, the coordinates of parameters (N, P)."""
        plain = self.frame(anchor, redshift).coordinates(values.T).T - self.offset
        return (plain @ np.linalg.inv(self.linear).T).astype(np.float32)

    def decode(self, coordinates: np.ndarray, anchor: np.ndarray, redshift: np.ndarray | None = None) -> np.ndarray:
        """(N, P), the parameters of coordinates (N, P)."""
        return self.frame(anchor, redshift).values((coordinates @ self.linear.T + self.offset).T).T
