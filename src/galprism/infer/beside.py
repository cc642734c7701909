"""What goes with the rows of a catalogue, or stands in place of one: a file of cutouts, files of spectra."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from galprism.bundle import Bundle
from galprism.data import Sources
from galprism.data.cutout_file import CutoutFile
from galprism.data.spectrum_files import ReadSpectra
from galprism.data.tables import open_table
from galprism.errors import RequestError
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

    def put_to(self, sources: Sources) -> Sources:
        """The sources with what goes with them."""
        if self.spectra is not None:
            sources = with_spectra.attached(sources, self.spectra)
        return sources if self.cutouts is None else with_images.attached(sources, self.cutouts)

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
        }


def opened(
    bundle: Bundle,
    in_path: str | os.PathLike[str],
    survey: Survey,
    cutouts: str | os.PathLike[str] | None,
    spectra: str | os.PathLike[str] | None,
    reading: dict[str, Any],
    skip_unreadable: bool = False,
) -> tuple[Any, Any, Beside]:
    """The table of a request to a bundle, how it is read, and what is put to its rows.

    skip_unreadable : go on without files of spectra that cannot be read

    Raises RequestError where a file cannot be read or understood, one stands in two places, or no id is in it.
    """
    path = Path(in_path)
    of_spectra = "spectra" in bundle.preparation.blocks and is_spectra(path)
    for given, kind, is_one in ((cutouts, "cutouts", is_cutout_file(path)), (spectra, "spectra", of_spectra)):
        if given is not None and is_one:
            raise RequestError(f"{path} is of {kind}, and so is {given}; accepted: one, or a catalogue")
    if of_spectra:
        alone = with_spectra.read_from(path, skip_unreadable)
        rows = SpectrumRows(path, alone)
        beside = Beside(_cutout_file(cutouts), failed=alone.failed, notes=alone.notes, alone=True)
        return rows, SpectraAlone(rows.found), beside
    read = None if spectra is None else with_spectra.read_from(Path(spectra), skip_unreadable)
    given_spectra = () if read is None or spectra is None else (read, Path(spectra), read.failed, read.notes)
    if is_cutout_file(path):
        check_blocks(bundle, path, None)
        table: Any = CutoutRows(path)
        return table, IdsAlone(), Beside(table.file, *given_spectra)
    table = open_table(path)
    layout = understood(table, survey, **reading)
    beside = Beside(_cutout_file(cutouts), *given_spectra)
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
        if given is not None and block not in bundle.preparation.blocks:
            raise RequestError(
                f"{block} {given}: bundle {bundle.name} looks at {' and '.join(bundle.preparation.blocks)} alone"
            )


def stamp(path: Path) -> list[Any]:
    """What tells one version of a file, or of what is in a folder, from another."""
    files = [file for file in path.iterdir() if file.is_file()] if path.is_dir() else [path]
    status = [file.stat() for file in files]
    return [str(path.resolve()), sum(s.st_size for s in status), max(s.st_mtime_ns for s in status)]


def _cutout_file(path: str | os.PathLike[str] | None) -> CutoutFile | None:
    return None if path is None else CutoutFile(path)
