"""Bands and errors that real catalogues lack, taken away at random from a training set that has them all."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from galprism.data import Photometry
from galprism.errors import RequestError


@dataclass(frozen=True)
class DropConfig:
    """Shares of the sources; each source is drawn afresh every pass."""

    bands: float = 0.0
    """Lose bands at random: each with a chance that is itself uniform between 0 and `at_most`."""
    at_most: float = 0.6
    blocks: float = 0.0
    """Lose one of `together`."""
    together: tuple[tuple[str, ...], ...] = ()
    """Bands that are missing together, such as all of one camera's."""
    errors: float = 0.0
    """Have an unknown error in one band or in all."""
    keep: int = 2
    """A source never has fewer bands than this."""

    def __post_init__(self) -> None:
        shares = (self.bands, self.blocks, self.errors, self.at_most)
        if not all(0 <= share <= 1 for share in shares) or self.bands + self.blocks > 1:
            raise RequestError(
                f"drop.bands = {self.bands}, drop.blocks = {self.blocks}, drop.errors = {self.errors}, "
                f"drop.at_most = {self.at_most}; accepted: shares from 0 to 1, bands + blocks at most 1"
            )
        if self.blocks and not self.together:
            raise RequestError(f"drop.blocks = {self.blocks} needs drop.together, the bands that are missing together")


@dataclass(frozen=True)
class LoseConfig:
    """What else a classifier's training takes away: shares of the sources, each drawn afresh every pass."""

    photometry: float = 0.0
    """Have their image alone."""
    image: float = 0.0
    """Have their photometry alone."""
    redshift: float = 0.0
    """Have no redshift."""
    psf: float = 0.0
    """Have an image of an unknown PSF."""
    turn: bool = False
    """Images are mirrored and turned by right angles at random: the sky has no up."""

    def __post_init__(self) -> None:
        shares = {name: getattr(self, name) for name in ("photometry", "image", "redshift", "psf")}
        if not all(0 <= share <= 1 for share in shares.values()) or self.photometry + self.image > 1:
            raise RequestError(f"classes.lose = {shares}; accepted: shares from 0 to 1, photometry + image at most 1")


@dataclass(frozen=True)
class ModalitiesLost:
    """What the training of a network of several modalities takes away: shares of the sources, each drawn afresh every
    pass, each modality by itself; one is left to every source."""

    photometry: float = 0.0
    image: float = 0.0
    spectrum: float = 0.0
    redshift: float = 0.0
    """Have no redshift, and their spectrum, if they have one, no say."""
    psf: float = 0.0
    """Have an image of an unknown PSF."""
    pixels: float = 0.0
    """Have a spectrum that lacks pixels: `pixels_lost`."""
    turn: bool = False
    """Images are mirrored and turned by right angles at random: the sky has no up."""

    def __post_init__(self) -> None:
        names = ("photometry", "image", "spectrum", "redshift", "psf", "pixels")
        shares = {name: getattr(self, name) for name in names}
        if not all(0 <= share <= 1 for share in shares.values()):
            raise RequestError(f"modalities.lose = {shares}; accepted: shares from 0 to 1")


def drop(photometry: Photometry, config: DropConfig, rng: np.random.Generator) -> Photometry:
    """The photometry with bands not observed and errors unknown in the shares of `config`.

    Raises RequestError for a band that the photometry does not have.
    """
    n, b = photometry.flux.shape
    members = np.zeros((max(len(config.together), 1), b), bool)
    for row, block in enumerate(config.together):
        for band in block:
            if band not in photometry.bands:
                raise RequestError(f"drop.together names {band!r}; the bands are {', '.join(photometry.bands)}")
            members[row, photometry.bands.index(band)] = True
    chance = config.at_most * rng.random((n, 1), dtype=np.float32)
    scattered = rng.random((n, b), dtype=np.float32) < chance
    block = members[rng.integers(len(members), size=n)]
    kind = rng.random((n, 1))
    lost = scattered & (kind < config.bands)
    lost |= block & (kind >= config.bands) & (kind < config.bands + config.blocks)
    left = (photometry.observed & ~lost).sum(axis=1, keepdims=True)
    lost &= left >= config.keep

    unknown = np.zeros((n, b), bool)
    if config.errors:
        which = rng.integers(2 * b, size=(n, 1))  # one band for the first b values, all of them for the others
        unknown = (which == np.arange(b)) | (which >= b)
        unknown &= rng.random((n, 1)) < config.errors
    ivar = np.where(unknown & photometry.observed, np.nan, photometry.ivar)
    return replace(
        photometry,
        flux=np.where(lost, 0, photometry.flux).astype(photometry.flux.dtype),
        ivar=np.where(lost, 0, ivar).astype(photometry.ivar.dtype),
    )


MOST_LOST = 0.4
"""Of a spectrum's pixels: no more than that are lost."""
SHORTEST_GAP, MOST_GAPS = 8, 3
"""Pixels, and how many gaps a spectrum has at most."""


def pixels_lost(n: int, size: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """(n, size), bool: the pixels that spectra lose, `share` of them some; a third of these have gaps, of all lengths
    up to MOST_LOST together, a third begin late or end early, and a third lose pixels here and there."""
    kind = np.where(rng.random(n) < share, rng.integers(3, size=n), -1)[:, None]
    pixel = np.arange(size)
    longest = MOST_LOST * size / MOST_GAPS
    length = SHORTEST_GAP * (longest / SHORTEST_GAP) ** rng.random((n, MOST_GAPS))
    length *= rng.integers(1, MOST_GAPS + 1, size=n)[:, None] > np.arange(MOST_GAPS)
    begins = rng.random((n, MOST_GAPS)) * size
    gaps = ((pixel >= begins[..., None]) & (pixel < (begins + length)[..., None])).any(axis=1)
    cut = rng.random((n, 1)) * MOST_LOST * size
    ends = np.where(rng.random((n, 1)) < 0.5, pixel < cut, pixel >= size - cut)
    scattered = rng.random((n, size), dtype=np.float32) < MOST_LOST * rng.random((n, 1), dtype=np.float32)
    return np.select([kind == 0, kind == 1, kind == 2], [gaps, ends, scattered], False)


def turned(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each of (N, B, H, H) as one of its eight mirror images and turns."""
    found = np.empty_like(image)
    which = rng.integers(8, size=len(image))
    for k in range(8):
        rows = which == k
        some = np.rot90(image[rows], k % 4, axes=(2, 3))
        found[rows] = some[..., ::-1] if k >= 4 else some
    return found
