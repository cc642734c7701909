"""What the models of the bench see of each galaxy: made once, scaled by the galaxies of training alone, and shared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.linalg import eigh

from galprism.data import Photometry, Sources
from galprism.errors import RequestError
from galprism.fit.tree_features import Features, tree_features
from galprism.recipes.fusion.sample import PARTS, TARGETS, FusionSample
from galprism.recipes.stages import digest

BLOCKS = ("photometry", "components", "spectrum", "image")
COMPONENTS = 64
"""Principal components of spectra; fewer where there are fewer galaxies to learn from."""
ROWS = 256
"""Images that are prepared at a time."""


@dataclass(frozen=True, eq=False)
class Seen:
    """N galaxies, those of training first, then of validation, then of the test."""

    photometry: np.ndarray
    """(N, 14), float32: asinh magnitudes and colours of neighbouring bands, and ln of the errors of the fluxes, each
    with mean 0 and standard deviation 1 over training."""
    photometry_names: tuple[str, ...]
    components: np.ndarray
    """(N, K), float32: the principal components of `spectrum`, each of unit variance."""
    spectrum: np.ndarray
    """(N, L), float32: asinh(flux / noise) less its mean over training, over the standard deviation of all pixels: how
    bright a galaxy is can still be read in it."""
    image: np.ndarray
    """(N, B, H, W), float16, mapped from a file: asinh(flux / noise of the sky)."""
    targets: np.ndarray
    """(N, P), float64, in their own units."""
    names: tuple[str, ...]
    """Of targets."""
    coarse: np.ndarray
    """(N,), bool: the statistics of the rate rest on few draws."""
    counts: tuple[int, int, int]

    def __len__(self) -> int:
        return len(self.targets)

    def rows(self, part: str) -> np.ndarray:
        """(n,), row numbers of one of PARTS. Raises RequestError for another."""
        if part not in PARTS:
            raise RequestError(f"part {part!r} of the sample; accepted: {', '.join(PARTS)}")
        ends = np.cumsum((0, *self.counts))
        place = PARTS.index(part)
        return np.arange(ends[place], ends[place + 1])

    @cached_property
    def centre(self) -> np.ndarray:
        """(P,), the mean of each target over training."""
        return self.targets[self.rows("train")].mean(axis=0)

    @cached_property
    def scale(self) -> np.ndarray:
        """(P,), the standard deviation of each target over training."""
        return self.targets[self.rows("train")].std(axis=0)

    def block(self, name: str) -> np.ndarray:
        """(N, …), one of BLOCKS. Raises RequestError for another."""
        if name not in BLOCKS:
            raise RequestError(f"block {name!r}; accepted: {', '.join(BLOCKS)}")
        return getattr(self, name)

    def standard(self) -> np.ndarray:
        """(N, P), float32: the targets with mean 0 and standard deviation 1 over training."""
        return ((self.targets - self.centre) / self.scale).astype(np.float32)

    def in_units(self, standard: np.ndarray) -> np.ndarray:
        """(n, P), float64: what `standard` has scaled, in the targets' own units."""
        return standard * self.scale + self.centre

    def features(self, blocks: Sequence[str], rows: np.ndarray) -> Features:
        """Numbers by name of blocks that have one axis, for models of columns. Raises RequestError for others."""
        names: list[str] = []
        for block in blocks:
            if self.block(block).ndim != 2:
                raise RequestError(f"block {block!r} is no columns; accepted: photometry, components, spectrum")
            own = (f"{block}_{i}" for i in range(self.block(block).shape[1]))
            names += self.photometry_names if block == "photometry" else own
        return Features(tuple(names), np.concatenate([self.block(block)[rows] for block in blocks], axis=1))


def seen_of(sample: FusionSample, folder: Path) -> Seen:
    """The sample as models see it; images are kept in `folder`."""
    learned = sample.rows("train")
    photometry, names = _photometry(sample)
    spectrum = _spectrum(sample)
    return Seen(
        photometry=_standard(photometry, learned),
        photometry_names=names,
        components=_components(spectrum, learned),
        spectrum=spectrum,
        image=_image(sample, folder),
        targets=np.asarray(sample.targets),
        names=TARGETS,
        coarse=sample.coarse,
        counts=sample.counts,
    )


def _standard(values: np.ndarray, learned: slice) -> np.ndarray:
    mean, deviation = values[learned].mean(axis=0), values[learned].std(axis=0)
    return ((values - mean) / np.where(deviation > 0, deviation, 1.0)).astype(np.float32)


def _photometry(sample: FusionSample) -> tuple[np.ndarray, tuple[str, ...]]:
    error = sample.flux_ivar**-0.5
    softening = np.median(error[sample.rows("train")], axis=0)
    photometry = Photometry(np.asarray(sample.flux), np.asarray(sample.flux_ivar), sample.bands)
    light = tree_features(Sources(id=np.asarray(sample.ident), photometry=photometry), softening=softening)
    names = (*light.names, *(f"ln_err_{band}" for band in sample.bands))
    return np.concatenate([light.values, np.log(error)], axis=1), names


def _spectrum(sample: FusionSample) -> np.ndarray:
    learned = sample.rows("train")
    ivar = np.asarray(sample.spectrum_ivar)
    there = ivar > 0
    noise = float(np.median(ivar[learned][there[learned]]) ** -0.5)
    seen = np.arcsinh(np.asarray(sample.spectrum) / np.float32(noise))
    mean = np.where(there, seen, 0)[learned].sum(axis=0) / np.maximum(there[learned].sum(axis=0), 1)
    seen = np.where(there, seen - mean, np.float32(0))  # a pixel without data is as the mean
    return (seen / seen[learned].std()).astype(np.float32)


def _components(spectrum: np.ndarray, learned: slice) -> np.ndarray:
    """Of the spectra of training, by the leading eigenvectors of their products with each other, which are a tenth of
    the work of a singular value decomposition; the largest weight of each is positive."""
    own = spectrum[learned].astype(np.float64)
    k = min(COMPONENTS, len(own) - 1)
    square, left = eigh(own @ own.T, subset_by_index=(len(own) - k, len(own) - 1))
    axes = ((own.T @ left) / np.sqrt(square)).T[::-1]
    axes *= np.sign(axes[np.arange(k), np.abs(axes).argmax(axis=1)])[:, None]
    return _standard(spectrum @ axes.T, learned)


def _image(sample: FusionSample, folder: Path) -> np.ndarray:
    """Kept in a file, whose name is a digest of what it is made of."""
    made_of = [sample.place.name, sample.counts]
    path = folder / f"images-{digest(made_of)}.npy"
    if not path.exists():
        learned = sample.rows("train")
        corners = np.asarray(sample.image[learned, :, :4, :4])
        middle = np.median(np.abs(corners - np.median(corners, axis=(0, 2, 3))[:, None, None]), axis=(0, 2, 3))
        noise = (1.4826 * middle).astype(np.float32)[:, None, None]
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part.npy")
        kept = np.lib.format.open_memmap(partial, "w+", np.float16, sample.image.shape)
        for start in range(0, len(sample), ROWS):
            kept[start : start + ROWS] = np.arcsinh(np.asarray(sample.image[start : start + ROWS]) / noise)
        kept.flush()
        partial.replace(path)
    return np.load(path, mmap_mode="r")
