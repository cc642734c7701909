"""Spectra of files beside the rows of a catalogue, or in place of a catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from astropy.io import fits

from galprism.data import Sources
from galprism.data.spectrum_files import ReadSpectra, read_spectra, with_spectra
from galprism.data.spectrum_files.desi import is_desi
from galprism.data.spectrum_files.sdss import is_sdss
from galprism.data.tables import match_ids
from galprism.errors import RequestError


def attached(sources: Sources, read: ReadSpectra) -> Sources:
    """The sources with their spectra, put to them by id; where a source has no redshift, its spectrum's.

    Raises RequestError where ids of the two are not of a kind, or one has several spectra.
    """
    own = read.sources
    assert own.spectra is not None
    joined = with_spectra(sources, own.id, own.spectra)
    if not len(sources):
        return joined
    match = match_ids(sources.id, own.id)
    theirs = np.where(match.found, np.asarray(own.redshift, float)[match.index], np.nan)
    given = np.full(len(sources), np.nan) if sources.redshift is None else np.asarray(sources.redshift, float)
    return replace(joined, redshift=np.where(np.isfinite(given), given, theirs))


def check_ids(ids: np.ndarray, read: ReadSpectra, path: str | Path) -> None:
    """Raises RequestError where no source of the first rows of a catalogue has a spectrum."""
    own = read.sources.id
    if len(ids) and not match_ids(ids, own).found.any():
        raise RequestError(
            f"{path}: has no spectrum of any of the catalogue's first {len(ids):,} ids ({ids[0]}, …); it has those of "
            f"{', '.join(str(one) for one in own[:3])}, …: spectra are put to sources by id"
        )


def is_spectra(path: str | Path) -> bool:
    """Whether a path is one of spectra: a folder, or a file of SDSS or DESI."""
    path = Path(path)
    if path.is_dir():
        return True
    if not path.name.lower().endswith((".fits", ".fits.gz", ".fit", ".fit.gz")) or not path.is_file():
        return False
    try:
        with fits.open(path, memmap=False) as file:
            return is_sdss(file) or is_desi(file)
    except OSError:
        return False


class SpectrumRows:
    """Files of spectra as a table of rows: what a catalogue of spectra alone is."""

    def __init__(self, path: str | Path) -> None:
        self.path, self.read = Path(path), read_spectra(path)
        self.n_rows = len(self.read.sources)

    def batches(self, names: Sequence[str], size: int, start: int = 0) -> Iterator[dict[str, np.ndarray]]:
        """The numbers of the rows from `start` on, `size` at a time."""
        for first in range(start, self.n_rows, size):
            yield {"row": np.arange(first, min(first + size, self.n_rows))}


@dataclass(frozen=True)
class SpectraAlone:
    """How such a table is read."""

    read: ReadSpectra
    needs: tuple[str, ...] = ("row",)
    redshift: str = "of the spectra"

    def sources(self, batch: dict[str, np.ndarray], first_row: int) -> Sources:
        return self.read.sources.take(batch["row"])

    def check_range(self, sources: Sources) -> None:
        """There is no flux that could be out of range."""

    def describe(self) -> list[str]:
        return ["spectra alone"]
