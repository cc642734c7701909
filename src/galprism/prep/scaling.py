"""Standardising: the training set's mean, spread and range of every input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from galprism.prep.inputs import Inputs


@dataclass(frozen=True, eq=False)
class Scaling:
    """Statistics of V values, and the range of V values and I indicators (V + I in all), in training."""

    mean: np.ndarray
    """(V,)."""
    sd: np.ndarray
    """(V,), positive; 1 for a value that never varied."""
    low: np.ndarray
    """(V + I,)."""
    high: np.ndarray
    """(V + I,)."""

    @classmethod
    def fit(cls, inputs: Inputs) -> Scaling:
        """The statistics of a training set's good sources, each value where it was measured."""
        good = ~inputs.broken
        values = np.where(inputs.there, inputs.values, np.nan).astype(np.float64)[good]
        never = np.isnan(values).all(axis=0)
        values[:, never] = 0.0
        sd = np.nanstd(values, axis=0)
        low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
        slack = 1e-6 * (high - low)  # the last digit of a float32 depends on where in an array it stands
        indicators = inputs.indicators[good]
        return cls(
            mean=np.nanmean(values, axis=0),
            sd=np.where(sd > 1e-6, sd, 1.0),
            low=np.concatenate([low - slack, indicators.min(axis=0)]),
            high=np.concatenate([high + slack, indicators.max(axis=0)]),
        )

    def to_plain(self) -> dict[str, list[float]]:
        """Lists that JSON holds."""
        return {field.name: getattr(self, field.name).tolist() for field in fields(self)}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Scaling:
        """The inverse of `to_plain`."""
        return cls(**{field.name: np.array(plain[field.name], np.float64) for field in fields(cls)})

    def apply(self, inputs: Inputs) -> np.ndarray:
        """(N, V + I), float32: standardised values, 0 where there is none, and the indicators as they are; not finite
        where a value is too far off for that."""
        n, v = inputs.values.shape
        scaled = np.empty((n, v + inputs.indicators.shape[1]), np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            np.subtract(inputs.values, self.mean.astype(np.float32), out=scaled[:, :v])
            scaled[:, :v] *= (1.0 / self.sd).astype(np.float32)
            scaled[:, :v] *= inputs.there
        scaled[:, v:] = inputs.indicators
        return scaled

    def outside(self, inputs: Inputs) -> np.ndarray:
        """(N,), bool: some input is outside its range in training."""
        odd = np.zeros(len(inputs.values), bool)
        if not len(odd):
            return odd
        v = inputs.values.shape[1]
        low, high = self.low.astype(np.float32), self.high.astype(np.float32)
        # few inputs ever leave their range, so that whole columns are looked at first: values that are not there are 0
        for there, x, lo, hi in (
            (inputs.there, inputs.values, low[:v], high[:v]),
            (None, inputs.indicators, low[v:], high[v:]),
        ):
            for j in np.flatnonzero((x.min(axis=0) < lo) | (x.max(axis=0) > hi)):
                out = (x[:, j] < lo[j]) | (x[:, j] > hi[j])
                odd |= out if there is None else out & there[:, j]
        return odd
