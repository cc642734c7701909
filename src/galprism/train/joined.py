"""What a network of images, spectra and more learns from: rows of arrays, images turned and modalities taken away
afresh every pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from galprism.prep.augment import turned
from galprism.train.arrays import ArrayData

STREAM = 7
"""Sets these random numbers apart from those that mix the rows."""


@dataclass(frozen=True, eq=False)
class JoinedData:
    """Batches of `data` with, of those that have images, each image as one of its eight mirror images and turns, and
    of those that are of several modalities, what says which of them are there behind them.

    Raises ValueError for shares that are none, or that leave nothing.
    """

    data: ArrayData
    """One input a modality; an image comes first."""
    image: bool
    """The first input is an image."""
    lost: tuple[float, ...] | None = None
    """Shares of the rows that lose each modality, none two; None of one modality."""
    kept: tuple[bool, ...] = ()
    """Whether `pieces` have each; all where nothing is said."""

    def __post_init__(self) -> None:
        if self.lost is not None and not (min(self.lost) >= 0 and sum(self.lost) <= 1):
            raise ValueError(f"lost {self.lost}; accepted: shares from 0, of 1 together at most")

    @property
    def n_batches(self) -> int:
        return self.data.n_batches

    def batches(self, epoch: int) -> Iterator[tuple[tuple[Tensor, ...], Tensor]]:
        rng = np.random.default_rng((self.data.seed, epoch, STREAM))
        for seen, targets in self.data.batches(epoch):
            if self.image:
                seen = (torch.from_numpy(turned(seen[0].numpy(), rng)), *seen[1:])
            yield self._told(seen, self._there(len(targets), rng)), targets

    def pieces(self) -> Iterator[tuple[tuple[Tensor, ...], Tensor]]:
        """All rows as they are."""
        kept = np.asarray(self.kept or (True,) * len(self.lost or ()), np.float32)
        for seen, targets in self.data.pieces():
            yield self._told(seen, np.tile(kept, (len(targets), 1))), targets

    def _told(self, seen: tuple[Tensor, ...], there: np.ndarray) -> tuple[Tensor, ...]:
        return seen if self.lost is None else (*seen, torch.from_numpy(there))

    def _there(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """(n, M), float32: whether rows have each modality this time."""
        last = np.cumsum(self.lost or ())
        part = rng.random(n)[:, None]
        return 1 - ((part >= last - (self.lost or ())) & (part < last)).astype(np.float32)
