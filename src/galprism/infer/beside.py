"""What goes with the rows of a catalogue, or stands in place of one: a file of cutouts, files of spectra."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from galprism.bundle import Bundle
from galprism.data import Sources
from galprism.data.cutout_file import CutoutFile
from galprism.data.spectrum_files import ReadSpectra
from galprism.data.tables import open_table
from galprism.errors import RequestError
from galprism.flags import Flag
from galprism.infer import with_images, with_spectra
from galprism.infer.with_images import CutoutRows, IdsAlone, is_cutout_file
from galprism.infer.with_spectra import SpectraAlone, SpectrumRows, is_spectra
from galprism.surveys import Survey, understood

SAMPLE_ROWS = 16_384
"""The first rows, whose ids are looked for."""
ALL_ROWS = 2**31
IMAGE_BYTES = 2**28
"""Of the pixels of a batch and their weights, at most."""
SPECTRUM_ROWS = 8192
"""Rows of a batch at most that have spectra: 4,000 pixels of so many and their weights take 260 MB."""


@dataclass(frozen=True)
class Beside:
    """What is put to sources by their ids."""

    cutouts: CutoutFile | None = None
    spectra: ReadSpectra | None = None
    spectra_path: Path | None = None
    failed: tuple[tuple[str, str], ...] = ()
    """Files of spectra that could not be read, and why."""
    notes: tuple[str, ...] = ()
    """What was done to spectra as they were read."""
    alone: bool = False
    """Spectra are not beside a table, but in its place."""
    spectra_options: Mapping[str, Any] = field(default_factory=dict)
    """How spectra were read."""
    reach: tuple[float, float] | None = None
    """Angstrom, the first and the last pixel in which a spectrum has data; None where there is none."""

    def put_to(self, sources: Sources) -> Sources:
        """The sources with what goes with them."""
        if self.spectra is not None:
            sources = with_spectra.attached(sources, self.spectra)
        return sources if self.cutouts is None else with_images.attached(sources, self.cutouts)

    def out_of_reach(self, bundle: Bundle, flags: Mapping[str, int]) -> list[str]:
        """Where spectra could not be used (flags : how many rows carry each), which pixels they have and which the
        bundle looks at."""
        looked_at = with_spectra.looked_at(bundle)
        if not flags.get(Flag.SPECTRUM_MISSING.name or "") or self.reach is None or looked_at is None:
            return []
        (low, high), (blue, red) = self.reach, looked_at
        unit = "; is the unit of the wavelengths right?" if high < blue or low > red or high / low > 30 else ""
        return [
            f"the spectra have data from {low:.6g} to {high:.6g} Angstrom; {bundle.name} looks at those from "
            f"{blue:.6g} to {red:.6g} Angstrom, observed{unit}"
        ]

    @property
    def most_rows(self) -> int:
        """Rows of a batch at most."""
        most = ALL_ROWS
        if self.cutouts is not None:
            height, width = self.cutouts.shape
            most = max(IMAGE_BYTES // (8 * height * width * len(self.cutouts.bands)), 1)
        return min(most, SPECTRUM_ROWS) if self.alone or self.spectra is not None else most

    @property
    def identity(self) -> dict[str, Any]:
        """What answers depend on."""
        return {
            "cutouts": None if self.cutouts is None else stamp(self.cutouts.path),
            "spectra": None if self.spectra_path is None else stamp(self.spectra_path),
            "spectra_options": {name: _plain(option) for name, option in self.spectra_options.items()},
        }


def opened(
    bundle: Bundle,
    in_path: str | os.PathLike[str] | Sequence[str],
    survey: Survey,
    cutouts: str | os.PathLike[str] | None,
    spectra: str | os.PathLike[str] | None,
    reading: Mapping[str, Any],
    spectra_options: Mapping[str, Any],
) -> tuple[Any, Any, Beside]:
    """The table of a request to a bundle, how it is read, and what is put to its rows.

    reading : of the table, as Survey.layout's; spectra_options : as galprism.data.spectrum_files.read_spectra's. Where
    spectra stand in place of the table, its columns and unit are theirs.

    Raises RequestError where a file cannot be read or understood, one stands in two places, no id is in it, or options
    are of what is not there.
    """
    several = not isinstance(in_path, str | os.PathLike)
    if several and "spectra" not in bundle.blocks:
        raise RequestError(
            f"{with_spectra.named(in_path)}: bundle {bundle.name} looks at {' and '.join(bundle.blocks)}; "  # type: ignore[arg-type]
            "accepted: one catalogue. Several files are of spectra"
        )
    path: Any = in_path if several else Path(in_path)  # type: ignore[arg-type]
    of_spectra = "spectra" in bundle.blocks and is_spectra(path)
    of_cutouts = not several and is_cutout_file(path)
    for given, kind, is_one in ((cutouts, "cutouts", of_cutouts), (spectra, "spectra", of_spectra)):
        if given is not None and is_one:
            raise RequestError(
                f"{with_spectra.named(path)} is of {kind}, and so is {given}; accepted: one, or a catalogue"
            )
    if of_spectra:
        how = dict(spectra_options) | with_spectra.options_of_table(path, reading)
        alone = with_spectra.read_from(path, **how)
        rows = SpectrumRows(path, alone)
        noted: dict[str, Any] = {"failed": alone.failed, "notes": alone.notes, "alone": True, "spectra_options": how}
        noted["reach"] = with_spectra.reach(alone)
        return rows, SpectraAlone(rows.found, rows.told), Beside(_cutout_file(cutouts), **noted)
    if spectra_options and spectra is None:
        raise RequestError(
            f"{', '.join(spectra_options)}: {path} is not of spectra, which alone are read so; accepted: files of "
            "spectra in its place or beside it. Redshifts of a catalogue are a column, --column redshift=NAME"
        )
    read = None if spectra is None else with_spectra.read_from(Path(spectra), **spectra_options)
    given_spectra: dict[str, Any] = {}
    if read is not None and spectra is not None:
        given_spectra = {"spectra": read, "spectra_path": Path(spectra), "failed": read.failed, "notes": read.notes}
        given_spectra |= {"spectra_options": spectra_options, "reach": with_spectra.reach(read)}
    if of_cutouts:
        check_blocks(bundle, path, None)
        table: Any = CutoutRows(path)
        return table, IdsAlone(), Beside(table.file, **given_spectra)
    table = open_table(path)
    layout = understood(table, survey, **reading)
    beside = Beside(_cutout_file(cutouts), **given_spectra)
    if beside.cutouts is not None or read is not None:
        first = next(iter(table.batches(layout.needs, SAMPLE_ROWS)), None)
        if first is not None:
            ids = layout.sources(first, 0).id
            if beside.cutouts is not None:
                with_images.check_ids(ids, beside.cutouts)
            if read is not None:
                with_spectra.check_ids(ids, read, Path(spectra))  # type: ignore[arg-type]
    return table, layout, beside


def check_blocks(bundle: Bundle, cutouts: object, spectra: object) -> None:
    """Raises RequestError where a model is given what it does not look at."""
    for block, given in (("cutouts", cutouts), ("spectra", spectra)):
        if given is not None and block not in bundle.blocks:
            raise RequestError(f"{block} {given}: bundle {bundle.name} looks at {' and '.join(bundle.blocks)} alone")


def stamp(path: Path | Sequence[str]) -> list[Any]:
    """What tells one version of a file, of what is in a folder, or of several files, from another."""
    if not isinstance(path, Path):
        return [part for each in path for part in stamp(Path(each))]
    files = [file for file in path.iterdir() if file.is_file()] if path.is_dir() else [path]
    status = [file.stat() for file in files]
    return [str(path.resolve()), sum(s.st_size for s in status), max(s.st_mtime_ns for s in status)]


def _cutout_file(path: str | os.PathLike[str] | None) -> CutoutFile | None:
    return None if path is None else CutoutFile(path)


def _plain(option: Any) -> Any:
    """An option as JSON has it; tables of redshifts by what is in them."""
    if not isinstance(option, tuple):
        return dict(option) if isinstance(option, Mapping) else option
    return [hashlib.sha256(repr(np.asarray(column).tolist()).encode()).hexdigest() for column in option]
