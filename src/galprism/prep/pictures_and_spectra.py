"""Sources -> what the networks of MMLforGalAM see: a picture of three colours, a spectrum on 4,171 points, or both.

The preparation is the paper's (MMLforGalAM 2025; its Sect. 2.2; prep/pictures.py, prep/observed_spectra.py). All that
is asked for is needed; a source that lacks it, or whose picture or spectrum cannot be prepared, is not inferred.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from galprism import config as configs
from galprism.data import Sources
from galprism.data.three_colour import pictures_of
from galprism.errors import RequestError
from galprism.flags import Flag
from galprism.prep import observed_spectra
from galprism.prep.observed_spectra import SelectionConfig
from galprism.prep.pictures import BLENDED, EDGE, ELSEWHERE, PictureConfig, prepare_pictures
from galprism.prep.preparation import Features

COLOURS = ("i", "r", "g")
"""Red, green and blue of a picture."""
Sees = Literal["pictures", "spectra", "both"]
WITHOUT_SPECTRUM = (observed_spectra.RANGE, observed_spectra.CONSTANT)


@dataclass(frozen=True)
class SeenConfig:
    """What a network of this kind sees."""

    sees: Sees = "pictures"
    size: int = 128
    """px, of pictures; larger ones are cropped to the middle first where `crop` says so."""
    crop: int = 0
    """px of the middle of a picture that is looked at; 0 for all."""
    bands: tuple[str, ...] = COLOURS
    """Of COLOURS, those that are seen."""

    def __post_init__(self) -> None:
        if not self.bands or not set(self.bands) <= set(COLOURS) or len(set(self.bands)) != len(self.bands):
            raise RequestError(f"staged.bands = {list(self.bands)}; accepted: some of {', '.join(COLOURS)}, each once")
        if self.size < 1 or self.crop < 0:
            raise RequestError(f"staged.size = {self.size}, staged.crop = {self.crop}; accepted: pixels")

    @property
    def channels(self) -> tuple[int, ...]:
        """Which of a picture's colours are seen."""
        return tuple(COLOURS.index(band) for band in self.bands)

    @property
    def n_picture(self) -> int:
        """Numbers of a picture; 0 where none is seen."""
        return 0 if self.sees == "spectra" else len(self.bands) * self.size**2

    @property
    def n_spectrum(self) -> int:
        """Numbers of a spectrum; 0 where none is seen."""
        return 0 if self.sees == "pictures" else len(observed_spectra.WAVE)


@dataclass(frozen=True, eq=False)
class PicturesAndSpectra:
    """A way to prepare sources; nothing of it depends on a training set."""

    config: SeenConfig
    redshift_range: tuple[float, float] = SelectionConfig().redshift

    of = "pictures and spectra"
    bands: tuple[str, ...] = ()
    any_bands = False
    basis = None
    calibration: Mapping[str, float] = field(default_factory=dict)

    @property
    def blocks(self) -> tuple[str, ...]:
        """What of a source it looks at."""
        sees = self.config.sees
        return (*(("cutouts",) if sees != "spectra" else ()), *(("spectra",) if sees != "pictures" else ()))

    @property
    def n_inputs(self) -> int:
        """Of a row: the spectrum first, then the picture."""
        return self.config.n_spectrum + self.config.n_picture

    def features(self, sources: Sources, *, check: bool = True) -> Features:
        """What the network sees; every row is kept, and what cannot be inferred is flagged.

        Raises RequestError where the sources have no cutouts, or no spectra, of those that the network sees.
        """
        n = len(sources)
        assert sources.flags is not None
        flags = sources.flags.copy()
        if not n:
            return Features(np.zeros((0, self.n_inputs), np.float32), np.zeros(0), flags, np.zeros(0, np.int16))
        parts = []
        for block in reversed(self.blocks):
            if getattr(sources, block) is None:
                raise RequestError(f"the sources have no {block}; the model sees {' and '.join(self.blocks)}")
            parts.append(self._spectra(sources, flags) if block == "spectra" else self._pictures(sources, flags))
        return Features(np.concatenate(parts, axis=1), np.zeros(n), flags, np.zeros(n, np.int16))

    def _spectra(self, sources: Sources, flags: np.ndarray) -> np.ndarray:
        assert sources.spectra is not None
        n = len(sources)
        redshift = np.full(n, np.nan) if sources.redshift is None else sources.redshift
        prepared = observed_spectra.prepare(sources.spectra, redshift, np.zeros(n))
        values = np.zeros((n, self.config.n_spectrum), np.float32)
        values[prepared.index] = prepared.values
        for reasons, flag in (
            ((observed_spectra.NO_REDSHIFT,), Flag.REDSHIFT_MISSING),
            ((observed_spectra.REDSHIFT,), Flag.REDSHIFT_OUT_OF_RANGE),
            ((observed_spectra.NOISE,), Flag.INPUT_OUT_OF_RANGE),
            (WITHOUT_SPECTRUM, Flag.SPECTRUM_MISSING),
        ):
            flags[np.isin(prepared.reason, reasons)] |= np.uint32(flag)
        flags[prepared.reason != ""] |= np.uint32(Flag.NOT_INFERRED)
        return values

    def _pictures(self, sources: Sources, flags: np.ndarray) -> np.ndarray:
        assert sources.cutouts is not None
        config = self.config
        prepared = prepare_pictures(cropped(pictures_of(sources.cutouts), config.crop), PictureConfig(config.size))
        blended, beyond = prepared.reason == BLENDED, np.isin(prepared.reason, (EDGE, ELSEWHERE))
        flags[blended] |= np.uint32(Flag.BLENDED)
        flags[beyond] |= np.uint32(Flag.INPUT_OUT_OF_RANGE | Flag.NOT_INFERRED)
        flags[~prepared.good & ~blended & ~beyond] |= np.uint32(Flag.IMAGE_MISSING | Flag.NOT_INFERRED)
        return as_inputs(prepared.values, config)

    def to_plain(self) -> dict[str, Any]:
        """Nested dicts and lists that JSON holds."""
        return {"of": self.of, "config": configs.plain(self.config)}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> PicturesAndSpectra:
        """The inverse of `to_plain`. Raises KeyError, TypeError or ValueError where something is missing or odd."""
        return cls(configs.fill(SeenConfig, plain["config"], "staged"))


def cropped(pictures: np.ndarray, crop: int) -> np.ndarray:
    """The middle `crop` pixels of pictures (N, H, W, 3); all of them for 0. Raises RequestError for smaller ones."""
    height, width = pictures.shape[1:3]
    if not crop:
        return pictures
    if min(height, width) < crop:
        raise RequestError(f"pictures of {height} x {width} pixels; accepted: {crop} x {crop} or more")
    top, left = (height - crop) // 2, (width - crop) // 2
    return np.ascontiguousarray(pictures[:, top : top + crop, left : left + crop])


def as_inputs(pictures: np.ndarray, config: SeenConfig) -> np.ndarray:
    """(N, n_picture), float32, 0 to 1, of prepared pictures (N, 3, size, size), uint8."""
    seen = pictures[:, list(config.channels)] * np.float32(1 / 255)
    return seen.reshape(len(pictures), config.n_picture)
