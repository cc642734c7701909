"""What a network of several modalities learns from: sources measured anew every pass, with modalities taken away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from galprism.data import Cutouts, Photometry, Sources, Spectra
from galprism.prep import DropConfig, Targets, drop
from galprism.prep.augment import ModalitiesLost, pixels_lost, turned
from galprism.prep.modalities import MODALITIES, Modalities
from galprism.train.data import Drawn, picked

CHUNK_ROWS = 1024
"""Sources are measured and prepared this many at a time, then dealt out in batches."""

Block = TypeVar("Block", Photometry, Cutouts, Spectra)
Measure = Callable[[np.ndarray, np.random.Generator], Sources]
"""(rows, rng) -> those rows as they are measured this time."""


@dataclass(frozen=True, eq=False)
class DrawnModalities(Drawn):
    """Photometry, images and spectra that are measured anew every pass."""

    measure: Measure
    values: np.ndarray
    """(N, P), the parameters of the targets, in their order."""
    preparation: Modalities
    targets: Targets
    batch_size: int
    seed: int
    drop: DropConfig = field(default_factory=DropConfig)
    lose: ModalitiesLost = field(default_factory=ModalitiesLost)
    fixed: bool = False
    """Every pass the same: for validation."""

    def _chunks(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for rows, rng in picked(len(self), CHUNK_ROWS, self.seed, epoch, fixed=self.fixed):
            sources = self._less(self.measure(rows, rng), rng)
            features = self.preparation.features(sources, check=False)
            y = self.targets.encode(self.values[rows], features.anchor, np.zeros(len(rows)))
            good = features.usable & np.isfinite(y).all(axis=1)
            yield features.inputs[good], y[good]

    def _less(self, sources: Sources, rng: np.random.Generator) -> Sources:
        """The sources with what they lose this time; one modality is left to each."""
        lose, n = self.lose, len(sources)
        assert sources.photometry is not None
        assert sources.cutouts is not None
        gone = rng.random((n, len(MODALITIES))) < [lose.photometry, lose.image, lose.spectrum]
        gone[:, 2] |= sources.spectra is None
        spared = rng.integers(len(MODALITIES) - (sources.spectra is None), size=n)
        gone[np.arange(n)[gone.all(axis=1)], spared[gone.all(axis=1)]] = False
        # a spectrum alone is nothing without its redshift
        unknown = (rng.random(n) < lose.redshift) & ~(gone[:, 0] & gone[:, 1])
        cutouts, spectra = sources.cutouts, sources.spectra
        if cutouts.psf_fwhm is not None:
            hidden = rng.random(n) < lose.psf
            fwhm = np.where(hidden[:, None] | gone[:, 1:2], np.float32(np.nan), cutouts.psf_fwhm)
            cutouts = replace(cutouts, psf_fwhm=fwhm)
        return replace(
            sources,
            redshift=np.where(unknown, np.nan, np.asarray(sources.redshift, float)),
            photometry=_blank(drop(sources.photometry, self.drop, rng), gone[:, 0]),
            cutouts=_blank(_turned(cutouts, rng) if lose.turn else cutouts, gone[:, 1]),
            spectra=spectra if spectra is None else _blank(without_pixels(spectra, lose.pixels, rng), gone[:, 2]),
        )


def _blank(block: Block, rows: np.ndarray) -> Block:
    """The block without any data in `rows` (N,), bool."""
    gone = rows.reshape(-1, *[1] * (block.flux.ndim - 1))
    flux, ivar = (np.where(gone, 0, x).astype(x.dtype) for x in (block.flux, block.ivar))
    return replace(block, flux=flux, ivar=ivar)


def without_pixels(spectra: Spectra, share: float, rng: np.random.Generator) -> Spectra:
    """Spectra of which a share lacks pixels."""
    if not share:
        return spectra
    kept = ~pixels_lost(len(spectra), len(spectra.wave), share, rng)
    return replace(spectra, flux=spectra.flux * kept, ivar=spectra.ivar * kept)


def _turned(cutouts: Cutouts, rng: np.random.Generator) -> Cutouts:
    """Each as one of its eight mirror images and turns."""
    both = turned(np.concatenate([cutouts.flux, cutouts.ivar], axis=1), rng)
    return replace(cutouts, flux=both[:, : len(cutouts.bands)], ivar=both[:, len(cutouts.bands) :])
