"""Spectra of files beside the rows of a catalogue, or in place of a catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from astropy.io import fits

from galprism.data import Sources
from galprism.data.pairs import with_pairs_checked
from galprism.data.spectrum_files import ReadSpectra, read_spectra, with_spectra
from galprism.data.spectrum_files.desi import is_desi
from galprism.data.spectrum_files.sdss import is_sdss
from galprism.data.tables import match_ids
from galprism.data.tables.base import readable
from galprism.errors import RequestError
from galprism.flags import Flag
from galprism.prep.line_shifts import flag_air


def read_from(path: str | Path, skip_unreadable: bool = False) -> ReadSpectra:
    """The spectra of a file or a folder: on the grid that they share, or on SDSS's. Raises RequestError as
    galprism.data.spectrum_files.read_spectra."""
    return read_spectra(path, wave="sdss", skip_unreadable=skip_unreadable)


def attached(sources: Sources, read: ReadSpectra) -> Sources:
    """The sources with their spectra, put to them by id; where a source has no redshift, its spectrum's.

    Flagged: spectra of what their files call stars or quasars (NOT_A_GALAXY), those that lie elsewhere than the source
    (POSITION_MISMATCH, where both have positions), and those whose lines stand where the source's redshift has them in
    air (LOOKS_LIKE_AIR). The last is asked of spectra that came without a redshift, which those of tables do: files of
    surveys say what their wavelengths are, and their redshifts were measured on them. Raises RequestError where one
    source has several spectra.
    """
    own = read.as_galaxies()
    assert own.spectra is not None
    assert own.flags is not None
    joined = with_spectra(sources, own.id, own.spectra)
    if not len(sources):
        return joined
    match = match_ids(sources.id, own.id)
    given = np.full(len(sources), np.nan) if sources.redshift is None else np.asarray(sources.redshift, float)
    theirs = match.placed(np.asarray(own.redshift, float), np.nan)
    joined = joined.flagged(Flag.NOT_A_GALAXY, match.placed(own.flags & np.uint32(Flag.NOT_A_GALAXY), 0) > 0)
    joined = flag_air(replace(joined, redshift=np.where(np.isfinite(theirs), np.nan, given)))
    if sources.ra is not None and sources.dec is not None:
        ra, dec = (np.full(len(own), np.nan) if each is None else each for each in (own.ra, own.dec))
        joined, _ = with_pairs_checked(joined, own.id, ra, dec)
    assert joined.flags is not None
    redshift = np.where(np.isfinite(given), given, theirs)
    flags = np.where(np.isfinite(redshift), joined.flags & ~np.uint32(Flag.REDSHIFT_MISSING), joined.flags)
    return replace(joined, redshift=redshift, flags=flags)


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
        with readable(path), fits.open(path, memmap=False) as file:
            return is_sdss(file) or is_desi(file)
    except RequestError:
        return False


class SpectrumRows:
    """Files of spectra as a table of rows: what a catalogue of spectra alone is."""

    def __init__(self, path: Path, read: ReadSpectra) -> None:
        self.path, self.found = path, read.as_galaxies()
        self.n_rows = len(self.found)

    def batches(self, names: Sequence[str], size: int, start: int = 0) -> Iterator[dict[str, np.ndarray]]:
        """The numbers of the rows from `start` on, `size` at a time."""
        for first in range(start, self.n_rows, size):
            yield {"row": np.arange(first, min(first + size, self.n_rows))}


@dataclass(frozen=True)
class SpectraAlone:
    """How such a table is read."""

    found: Sources
    needs: tuple[str, ...] = ("row",)
    redshift: str = "of the spectra"

    def sources(self, batch: dict[str, np.ndarray], first_row: int) -> Sources:
        return self.found.take(batch["row"])

    def check_range(self, sources: Sources) -> None:
        """There is no flux that could be out of range."""

    def describe(self) -> list[str]:
        return ["spectra alone"]
