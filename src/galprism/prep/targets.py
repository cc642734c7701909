"""What a network is asked for: coordinates of which the parameters are a linear map, source by source.

Log M* is predicted relative to the source's anchor (a log of mass over light is what is left) and log SFR relative to
log M* (a specific rate is left): both vary far less than the parameters do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from galprism.errors import RequestError
from galprism.params import PARAMS

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

    def __post_init__(self) -> None:
        unknown = [name for name in self.names if name not in PARAMS]
        if unknown or not self.names:
            raise RequestError(f"targets.names = {self.names}; accepted: some of {', '.join(PARAMS)}")
        if len(set(self.names)) != len(self.names):
            raise RequestError(f"targets.names = {self.names} names a parameter twice")


@dataclass(frozen=True, eq=False)
class Targets:
    """P parameters t of a source with anchor a, and P coordinates y: t = linear @ y + offset + anchored * a."""

    config: TargetsConfig
    linear: np.ndarray
    """(P, P), invertible."""
    offset: np.ndarray
    """(P,)."""
    anchored: np.ndarray
    """(P,), 1 where the anchor is added, else 0."""

    @classmethod
    def fit(cls, config: TargetsConfig, values: np.ndarray, anchor: np.ndarray) -> Targets:
        """values : (N, P), the training set's parameters in the order of config.names; anchor : (N,)."""
        names, n = config.names, len(config.names)
        combine = np.eye(n)
        anchored = np.zeros(n)
        if config.relative:
            mass = next((i for i, name in enumerate(names) if name in MASSES), None)
            for i, name in enumerate(names):
                anchored[i] = float(name in MASSES + RATES)
                if name in RATES and mass is not None:
                    combine[i, mass] = 1.0
        plain = (values - anchored * anchor[:, None]) @ np.linalg.inv(combine).T
        if not np.isfinite(plain).all():
            raise RequestError(f"a value of {', '.join(names)} is not finite in the training set")
        mean, sd = np.zeros(n), np.ones(n)
        if config.standardise:
            mean, sd = plain.mean(axis=0), plain.std(axis=0)
            # What single precision cannot tell from a constant is one: its spread is rounding, no scale to divide by.
            sd = np.where(sd > np.finfo(np.float32).eps * (1 + np.abs(mean)), sd, 1.0)
        return cls(config, combine * sd, combine @ mean, anchored)

    @property
    def names(self) -> tuple[str, ...]:
        return self.config.names

    def encode(self, values: np.ndarray, anchor: np.ndarray) -> np.ndarray:
        """(N, P), float32, the coordinates of parameters (N, P)."""
        plain = values - self.offset - self.anchored * anchor[:, None]
        return (plain @ np.linalg.inv(self.linear).T).astype(np.float32)

    def decode(self, coordinates: np.ndarray, anchor: np.ndarray) -> np.ndarray:
        """(N, P), the parameters of coordinates (N, P)."""
        return coordinates @ self.linear.T + self.offset + self.anchored * anchor[:, None]
