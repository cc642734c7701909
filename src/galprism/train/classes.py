"""What a classifier learns from: sources that are measured anew every pass, with parts of them taken away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from galprism.data import Photometry, Sources
from galprism.nets import Classifier
from galprism.nets.classifier import Average
from galprism.prep import DropConfig, LoseConfig, drop
from galprism.prep.augment import turned
from galprism.prep.classes import ClassPreparation
from galprism.train.data import dealt, picked

CHUNK_ROWS = 4096
"""Sources are drawn and prepared this many at a time, then dealt out in batches."""

LOGIT_ROWS = 512
"""Sources that go through the networks at a time."""

Measure = Callable[[np.ndarray, np.random.Generator], Sources]
"""(rows, rng) -> those rows as they are measured this time."""


@dataclass(frozen=True, eq=False)
class DrawnClasses:
    """Sources with classes; see galprism.train.data.DrawnData, of which it is the like."""

    measure: Measure
    classes: np.ndarray
    """(N,), index into CLASSES."""
    preparation: ClassPreparation
    batch_size: int
    seed: int
    drop: DropConfig = field(default_factory=DropConfig)
    lose: LoseConfig = field(default_factory=LoseConfig)
    fixed: bool = False
    """Every pass the same: for validation."""

    @property
    def n_batches(self) -> int:
        return max(len(self.classes) // self.batch_size, 1)

    def batches(self, epoch: int) -> Iterator[tuple[tuple[Tensor, ...], Tensor]]:
        """(features, image, there) and classes; what is left over of a chunk waits for the next one, and of the last
        for another pass."""
        for *seen, classes in dealt(self._chunks(epoch), self.batch_size):
            yield tuple(seen), classes

    def everything(self) -> tuple[tuple[Tensor, ...], Tensor]:
        """One pass in one piece."""
        return _tensors([np.concatenate(parts) for parts in zip(*self._chunks(0), strict=True)])

    def _chunks(self, epoch: int) -> Iterator[tuple[np.ndarray, ...]]:
        for rows, rng in picked(len(self.classes), CHUNK_ROWS, self.seed, epoch, fixed=self.fixed):
            sources, with_image = self._less(self.measure(rows, rng), rng)
            features = self.preparation.features(sources, check=False)
            there = features.there * with_image
            image = np.zeros((len(rows), 0, 1, 1), np.float32) if features.image is None else features.image
            if self.lose.turn:
                image = turned(image, rng)
            good = features.usable
            image = np.where(there[:, None, None, None] > 0, image, np.float32(0))
            columns = features.inputs, image, there[:, None].astype(np.float32), self.classes[rows].astype(np.int64)
            yield tuple(column[good] for column in columns)

    def _less(self, sources: Sources, rng: np.random.Generator) -> tuple[Sources, np.ndarray]:
        """The sources with what they lose this time, and (N,), bool, which keep their image."""
        lose, n = self.lose, len(sources)
        part, other = rng.random((2, n))
        without_image = (part >= lose.photometry) & (part < lose.photometry + lose.image)
        changes: dict[str, object] = {}
        if sources.photometry is not None and self.preparation.bands:
            photometry = drop(sources.photometry.select(self.preparation.bands), self.drop, rng)
            changes["photometry"] = _without(photometry, part < lose.photometry)
        if sources.redshift is not None:
            changes["redshift"] = np.where(other < lose.redshift, np.nan, sources.redshift)
        if sources.cutouts is not None and sources.cutouts.psf_fwhm is not None:
            unknown = (rng.random(n) < lose.psf) | without_image
            fwhm = np.where(unknown[:, None], np.float32(np.nan), sources.cutouts.psf_fwhm)
            changes["cutouts"] = replace(sources.cutouts, psf_fwhm=fwhm)
        return replace(sources, **changes), ~without_image  # type: ignore[arg-type]


def _without(photometry: Photometry, rows: np.ndarray) -> Photometry:
    gone = rows[:, None]
    flux, ivar = (np.where(gone, 0, x).astype(x.dtype) for x in (photometry.flux, photometry.ivar))
    return replace(photometry, flux=flux, ivar=ivar)


def _tensors(columns: list[np.ndarray]) -> tuple[tuple[Tensor, ...], Tensor]:
    *seen, classes = (torch.from_numpy(np.ascontiguousarray(column)) for column in columns)
    return tuple(seen), classes


def logits_of(classifiers: list[Classifier], seen: tuple[Tensor, ...], device: str = "cpu") -> np.ndarray:
    """(N, K), float64: what classifiers of one shape say together of what `DrawnClasses.everything` gives."""
    averaged = Average(classifiers).to(device).eval()
    with torch.no_grad():
        parts = [
            averaged(*(part.to(device) for part in some)).cpu().double().numpy()
            for some in zip(*(part.split(LOGIT_ROWS) for part in seen), strict=True)
        ]
    averaged.cpu()
    return np.concatenate(parts)
