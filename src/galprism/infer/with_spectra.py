"""Spectra of files beside the rows of a catalogue, or in place of a catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from galprism.bundle import Bundle
from galprism.data import Predictions, Sources
from galprism.data.pairs import with_pairs_checked
from galprism.data.spectrum_files import ReadSpectra, read_spectra, with_spectra
from galprism.data.spectrum_files.many import survey_of_file
from galprism.data.tables import match_ids, open_table
from galprism.errors import RequestError
from galprism.flags import Flag
from galprism.prep.line_shifts import flag_air
from galprism.prep.modalities import Modalities
from galprism.prep.observed_spectra import WAVE
from galprism.prep.pictures_and_spectra import PicturesAndSpectra
from galprism.prep.redshift_basis import OBSERVED

SAME_REDSHIFT = 0.005
"""Of 1 + z, by which two redshifts of one galaxy may differ: beyond, a spectrum's has failed."""
OF_PIXELS = {"wave", "flux"}
"""Columns by which a table is one of a spectrum's pixels."""


def read_from(path: str | Path | Sequence[str], **options: Any) -> ReadSpectra:
    """The spectra of a file, a folder or a list of files: on the grid that they share, or on SDSS's. Options, and what
    is raised, are those of galprism.data.spectrum_files.read_spectra."""
    return read_spectra(path, wave="sdss", **options)


def alone(read: ReadSpectra) -> Sources:
    """Spectra as sources of their own, flagged as `attached` does."""
    return flag_air(read.as_galaxies(), ~read.own_redshift)


def reach(read: ReadSpectra) -> tuple[float, float] | None:
    """Angstrom, the first and the last pixel in which one of the spectra has data; None where none has."""
    block = read.sources.spectra
    assert block is not None
    there = block.wave[block.observed.any(axis=0)]
    return (float(there[0]), float(there[-1])) if len(there) else None


def looked_at(bundle: Bundle) -> tuple[float, float] | None:
    """Angstrom, observed, the pixels of spectra that a bundle looks at; None where it looks at no spectra."""
    if bundle.spectroscopic is not None:
        return OBSERVED
    made = bundle.preparation
    if isinstance(made, Modalities) and made.spectra is not None:
        return made.wave_range
    return (float(WAVE[0]), float(WAVE[-1])) if isinstance(made, PicturesAndSpectra) else None


def attached(sources: Sources, read: ReadSpectra) -> Sources:
    """The sources with their spectra, put to them by id; where a source has no redshift, its spectrum's.

    Flagged: spectra of what their files call stars or quasars (NOT_A_GALAXY), those that lie elsewhere than the source
    (POSITION_MISMATCH, where both have positions), those whose file warns of the redshift, where that is taken
    (REDSHIFT_WARNING), those whose file measured another redshift than the source has, which goes first
    (REDSHIFT_MISMATCH), and those whose lines stand where the source's redshift has them in air (LOOKS_LIKE_AIR). The
    last is not asked of those whose redshifts were measured on them, as those in files of surveys were, which say what
    their wavelengths are. Raises RequestError where one source has several spectra.
    """
    own, own_redshift = read.as_galaxies(), read.own_redshift
    assert own.spectra is not None
    assert own.flags is not None
    joined = with_spectra(sources, own.id, own.spectra)
    if not len(sources):
        return joined
    match = match_ids(sources.id, own.id)
    given = np.full(len(sources), np.nan) if sources.redshift is None else np.asarray(sources.redshift, float)
    theirs = match.placed(np.asarray(own.redshift, float), np.nan)
    joined = joined.flagged(Flag.NOT_A_GALAXY, match.placed(own.flags & np.uint32(Flag.NOT_A_GALAXY), 0) > 0)
    redshift = np.where(np.isfinite(given), given, theirs)
    measured = np.isfinite(theirs) & match.placed(own_redshift, False)
    doubtful = match.placed(own.flags & np.uint32(Flag.REDSHIFT_WARNING), 0) > 0
    joined = joined.flagged(Flag.REDSHIFT_WARNING, doubtful & ~np.isfinite(given))
    joined = joined.flagged(
        Flag.REDSHIFT_MISMATCH, measured & (np.abs(redshift - theirs) > SAME_REDSHIFT * (1 + theirs))
    )
    joined = flag_air(replace(joined, redshift=redshift), ~measured)
    if sources.ra is not None and sources.dec is not None:
        ra, dec = (np.full(len(own), np.nan) if each is None else each for each in (own.ra, own.dec))
        joined, _ = with_pairs_checked(joined, own.id, ra, dec)
    assert joined.flags is not None
    flags = np.where(np.isfinite(redshift), joined.flags & ~np.uint32(Flag.REDSHIFT_MISSING), joined.flags)
    return replace(joined, flags=flags)


def check_ids(ids: np.ndarray, read: ReadSpectra, path: str | Path) -> None:
    """Raises RequestError where no source of the first rows of a catalogue has a spectrum."""
    own = read.sources.id
    if len(ids) and not match_ids(ids, own).found.any():
        raise RequestError(
            f"{path}: has no spectrum of any of the catalogue's first {len(ids):,} ids ({ids[0]}, …); it has those of "
            f"{', '.join(str(one) for one in own[:3])}, …: spectra are put to sources by id"
        )


def is_spectra(path: str | Path | Sequence[str]) -> bool:
    """Whether a path is one of spectra: a folder, a file of SDSS or DESI, or a table of pixels by their columns; or a
    list of files, which of nothing else there may be."""
    if not isinstance(path, str | Path):
        return True
    path = Path(path)
    if path.is_dir():
        return True
    if not path.is_file():
        return False
    try:
        if survey_of_file(path):
            return True
        with open_table(path) as table:
            return set(table.columns) >= OF_PIXELS
    except RequestError:
        return False


def options_of_table(path: str | Path | Sequence[str], reading: Mapping[str, Any]) -> dict[str, Any]:
    """What `reading`, as Survey.layout takes it, says of tables of pixels. Raises RequestError for what it cannot say
    of them."""
    for name in ("preset", "without"):
        if reading.get(name):
            raise RequestError(f"{name} = {reading[name]!r}: {named(path)} is of spectra, and has no bands")
    given = {"columns": reading.get("columns_map"), "flux_unit": reading.get("unit")}
    return {name: value for name, value in given.items() if value}


def named(path: str | Path | Sequence[str]) -> str:
    """One path, or the first of several."""
    return str(path) if isinstance(path, str | Path) else f"{path[0]} and {len(path) - 1} more"


class SpectrumRows:
    """Files of spectra as a table of rows: what a catalogue of spectra alone is."""

    def __init__(self, path: Path | Sequence[str], read: ReadSpectra) -> None:
        self.path, self.found, self.told = path, alone(read), read.told()
        self.n_rows = len(self.found)

    def batches(self, names: Sequence[str], size: int, start: int = 0) -> Iterator[dict[str, np.ndarray]]:
        """The numbers of the rows from `start` on, `size` at a time."""
        for first in range(start, self.n_rows, size):
            yield {"row": np.arange(first, min(first + size, self.n_rows))}


@dataclass(frozen=True)
class SpectraAlone:
    """How such a table is read."""

    found: Sources
    told: Mapping[str, np.ndarray] = field(default_factory=dict)
    """By column, what stands beside the answers."""
    needs: tuple[str, ...] = ("row",)
    redshift: str = "of the spectra"

    def sources(self, batch: dict[str, np.ndarray], first_row: int) -> Sources:
        return self.found.take(batch["row"])

    def beside(self, answers: Predictions) -> Predictions:
        """Answers to some of the spectra, with what their files say."""
        match = match_ids(np.asarray(answers.id), self.found.id)
        told = {name: column[match.index] for name, column in self.told.items() if name not in answers.names}
        return replace(answers, extra=answers.extra | told)

    def check_range(self, sources: Sources) -> None:
        """There is no flux that could be out of range."""

    def describe(self) -> list[str]:
        return ["spectra alone"]
