"""Many files of spectra as one Sources, with nothing lost unsaid."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from astropy.io import fits

from galprism.data.resampling import resample
from galprism.data.sources import Sources
from galprism.data.spectra import Spectra
from galprism.data.spectrum_files.desi import is_desi, read_desi
from galprism.data.spectrum_files.joining import no_redshift, with_redshifts
from galprism.data.spectrum_files.sdss import is_sdss, pixels_within, read_sdss, start_of, wave_of
from galprism.data.spectrum_files.spectrum import Spectrum
from galprism.data.spectrum_files.table import read_spectrum_table
from galprism.data.tables import FORMATS
from galprism.data.tables.base import readable
from galprism.data.tables.ids import match_ids
from galprism.errors import RequestError
from galprism.flags import Flag

NOT_GALAXIES = ("STAR", "QSO")
"""Classes of SDSS and DESI."""


@dataclass(frozen=True, eq=False)
class ReadSpectra:
    """What was read of N spectra."""

    sources: Sources
    """Ids are text, and unique; redshifts as the files say, NaN where they say none."""
    spectral_class: np.ndarray
    """(N,), text, as the files spell it; empty where they do not say."""
    zwarning: np.ndarray
    """(N,), float64: bits of what is wrong with a redshift, 0 for nothing; NaN where the file does not say."""
    own_redshift: np.ndarray
    """(N,), bool: the redshift is that of the file, measured on these very wavelengths."""
    sn: np.ndarray
    """(N,): median S/N of a pixel as the files say; NaN where they do not."""
    origin: np.ndarray
    """(N,), text: the file, and the row where it has several."""
    failed: tuple[tuple[str, str], ...] = ()
    """Files that could not be read, and why."""
    notes: tuple[str, ...] = ()
    """What was done to spectra, in sentences that name the file."""

    def told(self) -> dict[str, np.ndarray]:
        """What stands beside answers: by column, each (N,), the redshift that was taken and what the files say."""
        assert self.sources.redshift is not None
        redshift = np.asarray(self.sources.redshift, np.float64)
        said = {"zwarning": self.zwarning, "spectral_class": self.spectral_class, "file": self.origin}
        return {"redshift": redshift, **said}

    def as_galaxies(self) -> Sources:
        """The sources for models of galaxies: flagged NOT_A_GALAXY where their files call them stars or quasars, and
        REDSHIFT_WARNING where these warn of the redshifts, which are their own."""
        other = np.isin(np.char.upper(self.spectral_class), NOT_GALAXIES)
        return self.sources.flagged(Flag.NOT_A_GALAXY, other).flagged(
            Flag.REDSHIFT_WARNING, self.own_redshift & (self.zwarning > 0)
        )


def read_spectrum_file(path: str | os.PathLike[str], **options) -> list[Spectrum]:
    """The spectra of one file: of SDSS, of DESI, or of a table, whose `options` are read_spectrum_table's.

    Raises RequestError where it cannot be read, or options are given for a file that is no plain table.
    """
    found = _of_survey(Path(path))
    if found is None:
        return [read_spectrum_table(path, **options)]
    _check_options([path], options)
    return found


def survey_of_file(path: Path) -> Literal["sdss", "desi"] | None:
    """Whose file of spectra it is; None of others. Raises RequestError for a FITS file that cannot be read."""
    if not path.name.lower().endswith((".fits", ".fits.gz", ".fit", ".fit.gz")):
        return None
    with readable(path), fits.open(path, memmap=False) as file:
        return "sdss" if is_sdss(file) else "desi" if is_desi(file) else None


def _of_survey(path: Path) -> list[Spectrum] | None:
    """The spectra of a file of SDSS or DESI; None of others."""
    survey = survey_of_file(path)
    return [read_sdss(path)] if survey == "sdss" else read_desi(path) if survey == "desi" else None


def _check_options(paths: Sequence[str | os.PathLike[str]], options: dict) -> None:
    """Raises RequestError for options of files that are all of surveys."""
    if options:
        which = paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
        raise RequestError(
            f"{which}: says all that a reader needs; {', '.join(options)}: for tables of pixels alone, "
            "but for a redshift, of which a table of id and redshift does for any spectra"
        )


def read_spectra(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    wave: np.ndarray | Literal["sdss"] | None = None,
    skip_unreadable: bool = False,
    redshifts: tuple[np.ndarray, np.ndarray] | None = None,
    **options,
) -> ReadSpectra:
    """The spectra of a file, of all files of a folder with the suffix of a table, or of a list of files, in order.

    wave : (L,), Angstrom, to which all are resampled; None where they share a grid, or are all on SDSS's; "sdss", where
        they may not: SDSS's pixels over the range of all
    skip_unreadable : go on without the files that cannot be read, and name them in `failed`
    redshifts : ids (M,) and redshifts (M,), which go before those of the files
    options : of plain tables, as read_spectrum_table's; files of SDSS and DESI among them have no need of any

    A redrock file of DESI is read with its coadd, not by itself. Raises RequestError where there is no file, where any
    cannot be read, naming each with the reason (unless skip_unreadable), where there are options and no plain table, or
    redshifts and none of a spectrum, and as `gathered` does.
    """
    files = _files(paths)
    spectra: list[Spectrum] = []
    failed: list[tuple[str, str]] = []
    n_survey = 0
    for path in files:
        try:
            found = _of_survey(path)
            n_survey += found is not None
            spectra += [read_spectrum_table(path, **options)] if found is None else found
        except RequestError as error:
            failed.append((str(path), str(error)))
    if failed and (not skip_unreadable or not spectra):
        reasons = "\n".join(reason for _, reason in failed)
        how = "" if not spectra else " (--skip-unreadable, skip_unreadable=True in Python, reads the others)"
        raise RequestError(f"{len(failed)} of {len(files)} files cannot be read as spectra{how}:\n{reasons}")
    if n_survey == len(files):
        _check_options(files, options)
    read = gathered(spectra, wave=wave, failed=failed)
    if redshifts is None:
        return read
    given = match_ids(read.sources.id, redshifts[0]).found
    if not given.any():
        ids = ", ".join(str(one) for one in redshifts[0][:3])
        raise RequestError(
            f"redshifts of {len(redshifts[0]):,} ids ({ids}, …), none of which is a spectrum's; the first of these is "
            f"{read.sources.id[0]}: redshifts are put to spectra by id"
        )
    return replace(read, sources=with_redshifts(read.sources, *redshifts), own_redshift=read.own_redshift & ~given)


def gathered(
    spectra: Sequence[Spectrum],
    *,
    wave: np.ndarray | Literal["sdss"] | None = None,
    failed: Sequence[tuple[str, str]] = (),
) -> ReadSpectra:
    """Spectra as one Sources, on the grid that they share; on SDSS's by whole pixels; or, resampled, on `wave`.

    A spectrum without any data keeps its row and is flagged SPECTRUM_MISSING. An id that stood before is flagged
    DUPLICATE_ID and goes on as `id#2`. A redshift that is none, or beyond 7, is NaN and flagged REDSHIFT_MISSING.

    Raises RequestError where there are no spectra, they are on different wavelengths and `wave` is None, or `wave` is
    another word.
    """
    if not spectra:
        raise RequestError("there are no spectra")
    if isinstance(wave, str):
        if wave != "sdss":
            raise RequestError(f"wave = {wave!r}; accepted: 'sdss', wavelengths, None")
        wave = None if _share_grid(spectra) else _sdss_grid(spectra)
    block = _on_one_grid(spectra) if wave is None else _resampled(spectra, np.asarray(wave, np.float64))
    notes = [note for one in spectra for note in one.notes]
    ids, repeated = _unique([one.id for one in spectra])
    notes += [f"{spectra[i].origin}: its id {spectra[i].id} stood before; it is {ids[i]} here" for i in repeated]
    redshift = np.array([one.redshift for one in spectra], np.float64)
    for i in np.flatnonzero(no_redshift(redshift) & ~np.isnan(redshift)).tolist():
        notes.append(f"{spectra[i].origin}: redshift {redshift[i]:g} was taken as none")
    redshift = np.where(no_redshift(redshift), np.nan, redshift)
    empty = ~block.observed.any(axis=1)
    for i in np.flatnonzero(empty).tolist():
        notes.append(f"{spectra[i].origin}: none of its pixels has data")
    flags = np.zeros(len(spectra), np.uint32)
    flags[empty] |= np.uint32(Flag.SPECTRUM_MISSING)
    flags[np.isnan(redshift)] |= np.uint32(Flag.REDSHIFT_MISSING)
    flags[repeated] |= np.uint32(Flag.DUPLICATE_ID)
    sources = Sources(
        id=np.array(ids),
        ra=np.array([one.ra for one in spectra]),
        dec=np.array([one.dec for one in spectra]),
        redshift=redshift,
        flags=flags,
        spectra=block,
    )
    return ReadSpectra(
        sources,
        np.array([one.spectral_class for one in spectra]),
        np.array([np.nan if one.zwarning is None else one.zwarning for one in spectra], np.float64),
        np.array([one.own_redshift for one in spectra], bool),
        np.array([one.sn for one in spectra], np.float64),
        np.array([one.origin for one in spectra]),
        tuple(failed),
        tuple(notes),
    )


def _files(paths) -> list[Path]:
    if isinstance(paths, str | os.PathLike):
        path = Path(paths)
        if not path.is_dir():
            return [path]
        suffixes = tuple(suffix for form in FORMATS for suffix in form.suffixes)
        files = sorted(file for file in path.iterdir() if file.is_file() and file.name.lower().endswith(suffixes))
        if not files:
            raise RequestError(f"{path}: holds no file of spectra; accepted: {', '.join(suffixes)}")
    else:
        files = [Path(path) for path in paths]
        if not files:
            raise RequestError("no files of spectra were given")
    coadds = {file.name.removeprefix("coadd-") for file in files if file.name.startswith("coadd-")}
    return [file for file in files if not _is_redrock(file.name, coadds)]


def _is_redrock(name: str, coadds: set[str]) -> bool:
    return name.startswith("redrock-") and name.removeprefix("redrock-") in coadds


def _unique(ids: Sequence[str]) -> tuple[list[str], list[int]]:
    """The ids, those that stood before with #2, #3, … behind them; and which those are."""
    used, result, repeated = set(ids), [], []
    seen: dict[str, int] = {}
    for i, ident in enumerate(ids):
        seen[ident] = seen.get(ident, 0) + 1
        name = ident
        if seen[ident] > 1:
            repeated.append(i)
            while (name := f"{ident}#{seen[ident]}") in used:
                seen[ident] += 1
            used.add(name)
        result.append(name)
    return result, repeated


def _on_one_grid(spectra: Sequence[Spectrum]) -> Spectra:
    first = spectra[0]
    if _are_alike(spectra):
        return _placed(spectra, first.wave, [0] * len(spectra))
    starts = []
    for one in spectra:
        start = start_of(one.wave)
        if start is None:
            other = next(other for other in spectra if not np.array_equal(other.wave, one.wave))
            raise RequestError(
                f"{one.origin}: its {_range(one)} are not those of {other.origin}, {_range(other)}; accepted: one grid "
                "for all, SDSS's grid for all, or `wave`, to which they are resampled"
            )
        starts.append(start)
    low = min(starts)
    high = max(start + len(one) for start, one in zip(starts, spectra, strict=True))
    return _placed(spectra, wave_of(np.arange(low, high)), [start - low for start in starts])


def _are_alike(spectra: Sequence[Spectrum]) -> bool:
    return all(np.array_equal(one.wave, spectra[0].wave) for one in spectra)


def _share_grid(spectra: Sequence[Spectrum]) -> bool:
    return _are_alike(spectra) or all(start_of(one.wave) is not None for one in spectra)


def _sdss_grid(spectra: Sequence[Spectrum]) -> np.ndarray:
    """SDSS's pixels from the bluest to the reddest wavelength of all."""
    return wave_of(pixels_within(min(one.wave[0] for one in spectra), max(one.wave[-1] for one in spectra)))


def _range(one: Spectrum) -> str:
    return f"{len(one)} pixels from {one.wave[0]:.6g} to {one.wave[-1]:.6g} Angstrom"


def _placed(spectra: Sequence[Spectrum], wave: np.ndarray, starts: Sequence[int]) -> Spectra:
    flux, ivar = np.zeros((2, len(spectra), len(wave)), np.float32)
    known = any(one.lsf_sigma is not None for one in spectra)
    sigma = np.full(flux.shape, np.nan, np.float32) if known else None
    for row, (one, start) in enumerate(zip(spectra, starts, strict=True)):
        place = slice(start, start + len(one))
        flux[row, place], ivar[row, place] = one.flux, one.ivar
        if sigma is not None and one.lsf_sigma is not None:
            sigma[row, place] = one.lsf_sigma
    return Spectra(flux, ivar, wave, sigma)


def _resampled(spectra: Sequence[Spectrum], wave: np.ndarray) -> Spectra:
    parts = []
    for one in spectra:
        sigma = None if one.lsf_sigma is None else one.lsf_sigma[None]
        parts.append(resample(Spectra(one.flux[None], one.ivar[None], one.wave, sigma), wave))
    return Spectra.joined(parts)
