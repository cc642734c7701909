"""Cutouts of a file beside the rows of a catalogue, or in place of a catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from galprism.data import Sources
from galprism.data.cutout_file import CutoutFile, with_cutouts
from galprism.data.tables import match_ids
from galprism.errors import RequestError


def attached(sources: Sources, file: CutoutFile) -> Sources:
    """The sources with their cutouts, put to them by id, and what the file flags them with; none where it has none.

    Raises RequestError where ids of the file and of the sources are not of a kind, or one has several cutouts.
    """
    if not len(sources):
        return with_cutouts(sources, sources.id, file.read(rows=slice(0, 0)))
    match = match_ids(sources.id, file.id)
    rows = np.unique(match.index[match.found])
    joined = with_cutouts(sources, file.id[rows], file.read(rows=rows))
    assert joined.flags is not None
    flags = joined.flags.copy()
    flags[match.found] |= file.flags[match.index[match.found]]
    return replace(joined, flags=flags)


def check_ids(ids: np.ndarray, file: CutoutFile) -> None:
    """Raises RequestError where no source of the first rows of a catalogue has a cutout in the file."""
    if len(ids) and not match_ids(ids, file.id).found.any():
        raise RequestError(
            f"{file.path}: has no cutout of any of the catalogue's first {len(ids):,} ids ({ids[0]}, …); it has those "
            f"of {', '.join(str(one) for one in file.id[:3])}, …: cutouts are put to sources by id"
        )


def is_cutout_file(path: str | Path) -> bool:
    """Whether a file is one of cutouts."""
    if Path(path).suffix.lower() not in (".h5", ".hdf5"):
        return False
    try:
        CutoutFile(path)
    except RequestError:
        return False
    return True


class CutoutRows:
    """A file of cutouts as a table of ids: what a catalogue of images alone is."""

    def __init__(self, path: str | Path) -> None:
        self.file = CutoutFile(path)
        self.path, self.n_rows = self.file.path, len(self.file)

    def batches(self, names: Sequence[str], size: int, start: int = 0) -> Iterator[dict[str, np.ndarray]]:
        """The ids from row `start` on, `size` at a time."""
        for first in range(start, self.n_rows, size):
            yield {"id": self.file.id[first : first + size]}


@dataclass(frozen=True)
class IdsAlone:
    """How such a table is read: every row is an id and nothing else."""

    needs: tuple[str, ...] = ("id",)
    redshift: None = None

    def sources(self, batch: dict[str, np.ndarray], first_row: int) -> Sources:
        return Sources(id=batch["id"])

    def check_range(self, sources: Sources) -> None:
        """There is no flux that could be out of range."""

    def describe(self) -> list[str]:
        return ["cutouts alone"]
