"""What a preparation measures of sources before it is standardised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np


@dataclass(frozen=True, eq=False)
class Inputs:
    """V measured values and I indicators of N sources."""

    values: np.ndarray
    """(N, V), float32; 0 where there is none, and wherever it would not be finite."""
    there: np.ndarray
    """(N, V), bool: the value was measured."""
    indicators: np.ndarray
    """(N, I), float32, 0 or 1: what is missing or unknown."""
    anchor: np.ndarray
    """(N,), float64, dex: what logarithms of extensive quantities (mass, SFR) are predicted relative to."""
    broken: np.ndarray
    """(N,), bool: a value that is needed cannot be formed (a magnitude of a negative flux, an overflow)."""
    n_bands: np.ndarray
    """(N,), int16, bands that are used."""
    trust: dict[str, np.ndarray] = field(default_factory=dict)
    """By name, each (N,), float32: how well what was measured goes together; larger is worse."""
    ln_evidence: np.ndarray | None = None
    """(N,), nat: how probable the fluxes are at this redshift, up to a constant a source; None where unknown."""

    @classmethod
    def joined(cls, parts: Sequence[Inputs]) -> Inputs:
        """Several sets of sources, one after the other."""
        arrays = [f.name for f in fields(cls) if f.name not in ("trust", "ln_evidence")]
        return cls(
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in arrays},
            trust={name: np.concatenate([part.trust[name] for part in parts]) for name in parts[0].trust},
        )
