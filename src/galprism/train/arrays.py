"""What a network learns from where all of it stands in arrays, in memory or mapped from files: pictures, spectra,
features of other networks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from galprism.nets import Regressor
from galprism.train.data import Pieces, parts_of

PIECE_ROWS = 256
"""Rows that are looked at a time where nothing is learned from them."""

Parts = tuple[np.ndarray, ...]


@dataclass(frozen=True, eq=False)
class ArrayData:
    """Rows of arrays, every row once a pass, in batches that the seed and the number of the pass settle.

    Raises ValueError where arrays differ in length, or there are no rows.
    """

    inputs: Parts
    """Each (M, …), in the order of the network's arguments. 8-bit pictures (M, C, S, S) are seen as 0 … 1, numbers of
    any other kind as they are, in float32."""
    targets: np.ndarray
    """(M, D)."""
    batch_size: int
    seed: int
    rows: np.ndarray | None = None
    """(N,), those that belong to this set; None for all."""
    channels: tuple[int, ...] | None = None
    """Of the 8-bit pictures, those that are seen, in this order; None for all."""
    _rows: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        lengths = [len(array) for array in (*self.inputs, self.targets)]
        if len(set(lengths)) != 1:
            raise ValueError(f"arrays of {lengths} rows; accepted: as many of each")
        if self.batch_size < 1:
            raise ValueError(f"batch_size {self.batch_size}; accepted: 1 or more")
        rows = np.arange(lengths[0]) if self.rows is None else np.asarray(self.rows)
        if not len(rows):
            raise ValueError("no rows; accepted: one or more")
        object.__setattr__(self, "_rows", rows)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def n_batches(self) -> int:
        return -(-len(self) // self.batch_size)

    def batches(self, epoch: int) -> Iterator[tuple[tuple[Tensor, ...], Tensor]]:
        """What the network sees and its targets; the last batch has what is left over."""
        mixed = np.random.default_rng((self.seed, epoch)).permutation(self._rows)
        for start in range(0, len(mixed), self.batch_size):
            seen, targets = self.take(np.sort(mixed[start : start + self.batch_size]))  # a file is read forwards
            yield tuple(torch.from_numpy(np.ascontiguousarray(part)) for part in seen), torch.from_numpy(targets)

    def pieces(self) -> Iterator[tuple[tuple[Tensor, ...], Tensor]]:
        """All rows in their order, PIECE_ROWS at a time: for validation, and for `features_of`."""
        for start in range(0, len(self), PIECE_ROWS):
            seen, targets = self.take(self._rows[start : start + PIECE_ROWS])
            yield tuple(map(torch.from_numpy, seen)), torch.from_numpy(targets)

    def take(self, rows: np.ndarray) -> tuple[Parts, np.ndarray]:
        """What is seen of rows, and their targets, float32."""
        return tuple(self._seen(array, rows) for array in self.inputs), self.targets[rows].astype(np.float32)

    def _seen(self, array: np.ndarray, rows: np.ndarray) -> np.ndarray:
        picked = array[rows]
        if picked.dtype != np.uint8:
            return picked.astype(np.float32)
        if self.channels is not None:
            picked = picked[:, list(self.channels)]
        return picked * np.float32(1 / 255)


def features_of(network: Regressor, data: ArrayData, device: str = "cpu") -> np.ndarray:
    """(N, F), float32: what the network's body makes of the rows of `data` before its answer (its `features`), as
    another network takes them."""
    body: Any = network.to(device).eval().body
    with torch.no_grad():
        parts = [body.features(*(part.to(device) for part in seen)).cpu().numpy() for seen, _ in data.pieces()]
    return np.concatenate(parts)


def answers_of(network: Regressor, data: Pieces, device: str = "cpu") -> np.ndarray:
    """(N, D), float32: the coordinates' mean that the network gives for the rows of `data`."""
    network.to(device).eval()
    with torch.no_grad():
        parts = [
            network.mean(network(*(part.to(device) for part in parts_of(seen)))).cpu() for seen, _ in data.pieces()
        ]
    return torch.cat(parts).numpy()
