"""What a network learns from: batches of (features, coordinates), drawn afresh every pass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from galprism.data import Sources
from galprism.prep import DropConfig, Preparation, Targets, drop
from galprism.prep.classes import ClassPreparation

CHUNK_ROWS = 16_384
"""Sources are drawn and prepared this many at a time, then dealt out in batches."""


Seen = Tensor | tuple[Tensor, ...]
"""What a network is called with: features (n, F), or several tensors with the sources on their first axes."""


def parts_of(seen: Seen) -> tuple[Tensor, ...]:
    """What a network is called with, one or several."""
    return seen if isinstance(seen, tuple) else (seen,)


class TrainingData(Protocol):
    """What the loop needs. The same epoch gives the same batches, whenever and wherever it is asked for."""

    @property
    def n_batches(self) -> int:
        """Batches of one pass."""
        ...

    def batches(self, epoch: int) -> Iterator[tuple[Seen, Tensor]]:
        """Of one pass: what the network sees, float32, and coordinates (n, D), or classes (n,)."""
        ...


class Pieces(Protocol):
    """A validation set that is too large for one piece: every time the same."""

    def pieces(self) -> Iterator[tuple[Seen, Tensor]]:
        """All of it, some rows at a time: what the network sees and the true coordinates."""
        ...


Validation = tuple[Seen, Tensor] | Pieces
"""A validation set in one piece or in several."""


def dealt(chunks: Iterable[tuple[np.ndarray, ...]], size: int) -> Iterator[Any]:
    """Columns that come in chunks of rows, as tensors of `size` rows. What is left over of a chunk waits for the
    next one, and of the last for another pass, unless it is all that there is."""
    held: list[tuple[np.ndarray, ...]] = []
    n_held = n_dealt = 0
    for chunk in chunks:
        held.append(chunk)
        n_held += len(chunk[0])
        if n_held < size:
            continue
        columns = [np.concatenate(parts) for parts in zip(*held, strict=True)]
        whole = n_held - n_held % size
        for start in range(0, whole, size):
            yield tuple(torch.from_numpy(column[start : start + size]) for column in columns)
            n_dealt += 1
        held, n_held = [tuple(column[whole:] for column in columns)], n_held - whole
    if not n_dealt and n_held:
        yield tuple(torch.from_numpy(np.concatenate(parts)) for parts in zip(*held, strict=True))


Draw = Callable[[np.ndarray, np.random.Generator], Sequence[tuple[np.ndarray, Sources]]]
"""(rows, rng) -> those rows as a survey, or several, would measure them this time: (rows of it, Sources) of each."""


def picked(
    n: int, size: int, seed: int, epoch: int, *, fixed: bool, weight: np.ndarray | None = None
) -> Iterator[tuple[np.ndarray, np.random.Generator]]:
    """The rows of one pass over `n`, `size` at a time, each time with the random numbers that measure them.

    fixed : every pass the same rows in the same order with the same random numbers: for validation
    weight : (n,), how often a row is drawn relative to the others (with replacement); None for every row once a pass
    """
    rows = np.arange(n)
    if not fixed:
        rng = np.random.default_rng((seed, epoch))
        if weight is None:
            rng.shuffle(rows)
        else:
            rows = rng.choice(n, size=n, p=weight / weight.sum())
    for number, start in enumerate(range(0, n, size)):
        yield rows[start : start + size], np.random.default_rng((seed, 0 if fixed else epoch, 1 + number))


class Drawn(ABC):
    """Sources with parameters that are measured anew every pass, as the loop takes them."""

    values: np.ndarray
    """(N, P), the parameters of the targets, in their order."""
    batch_size: int

    def __len__(self) -> int:
        return len(self.values)

    @property
    def n_batches(self) -> int:
        return max(len(self) // self.batch_size, 1)

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Features and coordinates; what is left over after the last whole batch waits for another pass."""
        yield from dealt(self._chunks(epoch), self.batch_size)

    def everything(self) -> tuple[Tensor, Tensor]:
        """One pass in one piece: features (N, F) and coordinates (N, D)."""
        xs, ys = (np.concatenate(parts) for parts in zip(*self._chunks(0), strict=True))
        return torch.from_numpy(xs), torch.from_numpy(ys)

    @abstractmethod
    def _chunks(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Features and coordinates of one pass, some rows at a time."""


@dataclass(frozen=True, eq=False)
class DrawnData(Drawn):
    """Photometry that is measured anew every pass, such as that of simulated galaxies with fresh noise."""

    draw: Draw
    values: np.ndarray
    """(N, P), the parameters of the targets, in their order."""
    preparation: Preparation | ClassPreparation
    """The second of parameters that are inferred without redshifts."""
    targets: Targets
    batch_size: int
    seed: int
    drop: DropConfig = field(default_factory=DropConfig)
    weight: np.ndarray | None = None
    """(N,), how often a row is drawn relative to the others (with replacement); None for every row once a pass."""
    fixed: bool = False
    """Every pass the same rows in the same order with the same noise: for validation."""

    def _chunks(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for rows, rng in picked(len(self), CHUNK_ROWS, self.seed, epoch, fixed=self.fixed, weight=self.weight):
            parts = []
            for drawn, sources in self.draw(rows, rng):
                assert sources.photometry is not None
                photometry = sources.photometry
                if not self.preparation.any_bands:
                    photometry = drop(photometry.select(self.preparation.bands), self.drop, rng)
                features = self.preparation.features(replace(sources, photometry=photometry), check=False)
                told = sources.redshift if isinstance(self.preparation, Preparation) else np.zeros(len(drawn))
                y = self.targets.encode(self.values[drawn], features.anchor, told)
                good = features.usable & np.isfinite(y).all(axis=1)
                parts.append((features.inputs[good], y[good]))
            x, y = (np.concatenate(column) for column in zip(*parts, strict=True)) if len(parts) > 1 else parts[0]
            mixed = rng.permutation(len(x)) if len(parts) > 1 else slice(None)  # several surveys in every batch
            yield x[mixed], y[mixed]


def take_rows(sources: Sources) -> Draw:
    """A Draw that gives the sources as they are: for labelled catalogues, and mocks whose noise is fixed."""
    return lambda rows, rng: [(rows, sources.take(rows))]
