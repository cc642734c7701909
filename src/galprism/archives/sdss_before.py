"""What an earlier run has left in a folder, so that nothing of it is lost without a word."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from galprism.archives.sdss import KINDS
from galprism.archives.sdss_list import Asked
from galprism.archives.sdss_table import RATES, SOURCES
from galprism.data.cutout_file import CutoutFile
from galprism.data.tables import open_table
from galprism.errors import RequestError

COLUMN = {"spectra": "spectrum", "cutouts": "cutouts", "photometry": "modelFlux_r", "sfr": "sfr_tot_median"}
"""By kind, a column of the table that stands for it."""


@dataclass(frozen=True)
class Before:
    """The table and the cutouts of an earlier run."""

    kinds: tuple[str, ...]
    """Of what its table tells."""
    asked: frozenset[str]
    """Its objects."""
    rates: str
    """Where its star-formation rates are from; empty where it has none."""
    size: int | None
    """Pixels, the side of its cutouts; None where there are none."""


def before(table: Path, cutouts: Path) -> Before | None:
    """What stands in a folder; None where nothing does. Raises RequestError for a table that is not of this verb."""
    size = CutoutFile(cutouts).shape[0] if cutouts.exists() else None
    if not table.exists():
        return None if size is None else Before((), frozenset(), "", size)
    with open_table(table) as found:
        if not {"asked", "missing"} <= set(found.columns):
            raise RequestError(f"{table}: is there already, and no table of `galprism data`; accepted: another folder")
        kinds = tuple(kind for kind in KINDS if COLUMN[kind] in found.columns)
        asked = frozenset(str(one) for one in found.read(["asked"])["asked"])
        return Before(kinds, asked, str(found.meta.get(RATES, "")), size)


def check_kept(old: Before | None, kinds: Collection[str], table: Path) -> None:
    """Raises RequestError where the new table would lack a kind that the old one has."""
    lost = [] if old is None else [kind for kind in old.kinds if kind not in kinds]
    if old is not None and lost:
        every = ",".join(kind for kind in KINDS if kind in kinds or kind in old.kinds)
        raise RequestError(
            f"{table}: has {', '.join(lost)}, which --what {','.join(kinds)} would leave out of it; accepted: --what "
            f"{every} (what is there is not fetched again), or another folder, for which --downloads may be the same"
        )


def replaced(old: Before | None, asked: Sequence[Asked], kinds: Collection[str], sfr: str, size: int) -> list[str]:
    """What a new run puts in the place of what was there, in sentences."""
    if old is None:
        return []
    said = []
    gone = len(old.asked - {one.by for one in asked})
    if gone:
        said.append(f"the table and the cutouts were of {gone:,} more objects, which are not in this list: replaced")
    if "cutouts" in kinds and old.size is not None and old.size != size:
        said.append(
            f"the cutouts were of {old.size} x {old.size} pixels: replaced by {size} x {size} (--size {old.size} has "
            "them again, from what is kept)"
        )
    if "sfr" in kinds and old.rates and old.rates != SOURCES[sfr]:
        said.append(f"the star-formation rates were of {old.rates}: replaced by {SOURCES[sfr]}")
    return said
