"""What was inferred of sources, by a network or by a template fit alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from galprism.errors import RequestError
from galprism.params import PARAMS

LEVELS = (0.16, 0.5, 0.84)
"""Quantile levels that are written unless others are asked for."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """Estimates of P parameters of N sources; row i belongs to row i of the input, always."""

    id: np.ndarray
    """(N,), as given."""
    names: tuple[str, ...]
    """P names from `galprism.params.PARAMS`."""
    point: np.ndarray
    """(N, P), the point estimate (the posterior mean where there is a posterior); NaN where nothing was inferred."""
    flags: np.ndarray
    """(N,), uint32, see galprism.flags."""
    n_bands: np.ndarray
    """(N,), int16, how many bands were used."""
    levels: tuple[float, ...] = ()
    """Q quantile levels; empty where a method has only a point."""
    quantiles: np.ndarray | None = None
    """(N, P, Q)."""
    ra: np.ndarray | None = None
    dec: np.ndarray | None = None
    extra: dict[str, np.ndarray] = field(default_factory=dict)
    """Further columns by name, each (N,) or (N, K): chi2, ess, logmstar_linear_mean, …"""
    meta: dict[str, Any] = field(default_factory=dict)
    """What made them: method, model, versions, definitions, timings; anything that JSON holds."""

    def __post_init__(self) -> None:
        n, p, q = len(self.id), len(self.names), len(self.levels)
        unknown = [name for name in self.names if name not in PARAMS]
        if unknown:
            raise RequestError(f"no such parameter: {', '.join(unknown)}; known: {', '.join(PARAMS)}")
        shapes = {"point": (n, p), "flags": (n,), "n_bands": (n,)}
        if q:
            shapes["quantiles"] = (n, p, q)
        for name, shape in shapes.items():
            value = np.asarray(getattr(self, name))
            if value.shape != shape:
                raise RequestError(f"Predictions.{name} has shape {value.shape}; expected {shape}")
        for name, value in self.extra.items():
            if len(value) != n:
                raise RequestError(f"Predictions.extra[{name!r}] has {len(value)} rows; expected {n}")

    def __len__(self) -> int:
        return len(self.id)

    def column(self, name: str) -> np.ndarray:
        """(N,), the point estimate of one parameter. Raises RequestError when it is not here."""
        return self.point[:, self._index(name)]

    def quantile(self, name: str, level: float) -> np.ndarray:
        """(N,), one quantile of one parameter. Raises RequestError when it is not here."""
        if self.quantiles is None or level not in self.levels:
            raise RequestError(f"no quantile {level} of {name}; levels: {self.levels or 'none, a point estimate only'}")
        return self.quantiles[:, self._index(name), self.levels.index(level)]

    def _index(self, name: str) -> int:
        if name not in self.names:
            raise RequestError(f"the predictions have no {name}; they have {', '.join(self.names)}")
        return self.names.index(name)

    @classmethod
    def joined(cls, parts: Sequence[Predictions]) -> Predictions:
        """All of them, one after the other, of the same parameters and columns; what is said of all (levels, meta) is
        the first's. Raises RequestError where they differ in what they have."""
        first = parts[0]
        has = [(part.names, part.levels, sorted(part.extra), part.quantiles is None, part.ra is None) for part in parts]
        for one in has:
            if one != has[0]:
                raise RequestError(f"predictions of {one} cannot follow those of {has[0]}; accepted: the same columns")
        optional = [name for name in ("quantiles", "ra", "dec") if getattr(first, name) is not None]
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ("id", "point", "flags", "n_bands", *optional)
        }
        extra = {name: np.concatenate([part.extra[name] for part in parts]) for name in first.extra}
        return replace(first, **columns, extra=extra)

    def take(self, index) -> Predictions:
        """The rows of `index`."""
        pick = lambda value: None if value is None else value[index]  # noqa: E731
        return replace(
            self,
            id=self.id[index],
            point=self.point[index],
            flags=self.flags[index],
            n_bands=self.n_bands[index],
            quantiles=pick(self.quantiles),
            ra=pick(self.ra),
            dec=pick(self.dec),
            extra={name: value[index] for name, value in self.extra.items()},
        )
