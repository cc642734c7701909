"""What is known of sources: planted by a simulation or given by a labelled catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from galprism.errors import RequestError
from galprism.params import PARAMS

CLASSES = ("star", "qso", "galaxy")


@dataclass(frozen=True, eq=False)
class Truth:
    """Values of P parameters of N sources."""

    id: np.ndarray
    """(N,), the ids of the Sources that it belongs to."""
    names: tuple[str, ...]
    """P names from `galprism.params.PARAMS`."""
    values: np.ndarray
    """(N, P), in the parameters' units; NaN where not known."""
    classes: np.ndarray | None = None
    """(N,), int8 index into CLASSES, -1 unknown; None when every source is a galaxy."""
    weight: np.ndarray | None = None
    """(N,), how much each source counts; None for one each."""
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Text columns (N,) by name: whose spectra a simulated galaxy's stars have, say."""

    def __post_init__(self) -> None:
        ident, values = np.asarray(self.id), np.asarray(self.values, dtype=np.float64)
        if values.shape != (len(ident), len(self.names)):
            raise RequestError(
                f"Truth.values has shape {values.shape}; expected ({len(ident)}, {len(self.names)}) for {self.names}"
            )
        unknown = [name for name in self.names if name not in PARAMS]
        if unknown:
            raise RequestError(f"no such parameter: {', '.join(unknown)}; known: {', '.join(PARAMS)}")
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "id", ident)
        object.__setattr__(self, "values", values)

    def __len__(self) -> int:
        return len(self.id)

    def column(self, name: str) -> np.ndarray:
        """(N,), the values of one parameter. Raises RequestError when it is not here."""
        if name not in self.names:
            raise RequestError(f"the truth has no {name}; it has {', '.join(self.names)}")
        return self.values[:, self.names.index(name)]

    @property
    def known(self) -> np.ndarray:
        """(N, P), bool."""
        return np.isfinite(self.values)

    def take(self, index) -> Truth:
        """The rows of `index`."""
        return replace(
            self,
            id=self.id[index],
            values=self.values[index],
            classes=None if self.classes is None else self.classes[index],
            weight=None if self.weight is None else self.weight[index],
            labels={name: value[index] for name, value in self.labels.items()},
        )
