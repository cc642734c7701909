"""What is asked of SDSS: objects by the id of a spectrum, by plate, MJD and fibre, or by position."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from galprism.archives.skyserver import Row
from galprism.data.pairs import on_sky
from galprism.data.tables import open_table
from galprism.errors import RequestError
from galprism.surveys.preset import PLAIN_DEC, PLAIN_ID, PLAIN_RA

SPECOBJ_ID = ("specobjid", "specobj_id")
PLATE, MJD, FIBER = ("plate", "plateid"), ("mjd",), ("fiberid", "fiber", "fibre")
RA, DEC = (tuple(dict.fromkeys(name.lower() for name in names)) for names in (PLAIN_RA, PLAIN_DEC))
ACCEPTED = "specObjID; or plate, mjd and fiberID; or ra and dec (deg ICRS)"
"""Columns by which objects are asked for, whatever their case."""


@dataclass(frozen=True)
class Asked:
    """One object of a list, by whatever of it is known."""

    id: str = ""
    """The list's own, where it has one."""
    specobj_id: str = ""
    """Text, since many are beyond 64 bits with a sign."""
    fiber: tuple[int, int, int] | None = None
    """Plate, MJD and fibre."""
    ra: float = np.nan
    """deg ICRS; where an id is known too, what the answer is held against."""
    dec: float = np.nan

    @property
    def placed(self) -> bool:
        """Its position is known, and on the sky."""
        return bool(on_sky(self.ra, self.dec))

    @property
    def by(self) -> str:
        """What it is asked for by, in words."""
        if self.specobj_id:
            return f"specObjID {self.specobj_id}"
        if self.fiber:
            return f"{self.fiber[0]:04d}-{self.fiber[1]}-{self.fiber[2]:04d}"
        return f"{self.ra:.6f} {self.dec:+.6f}"

    @property
    def wrong(self) -> str:
        """Why it cannot be asked for; empty where it can."""
        if self.specobj_id and not self.specobj_id.isdecimal():
            return f"specObjID {self.specobj_id!r} is no whole number"
        if not self.specobj_id and not self.fiber and not self.placed:
            return f"ra = {self.ra:g}, dec = {self.dec:g} is no position"
        return ""


def read_list(path: str | os.PathLike[str]) -> list[Asked]:
    """The objects of a table, row for row. Raises RequestError where it cannot be read, or has none of the columns."""
    with open_table(path) as table:
        named = _named(str(path), list(table.columns))
        id_column = next((name for name in PLAIN_ID if name in table.columns), None)
        wanted = list(dict.fromkeys([*named.values(), *([id_column] if id_column else [])]))
        read = table.read(wanted)
        n = table.n_rows
    columns = {key: read[name] for key, name in named.items()}
    for key, column in columns.items():
        kind = column.dtype.kind
        if key == "specobj_id" and kind == "f":
            raise RequestError(
                f"{path}: column {named[key]} holds floating-point numbers, in which the last digits of an id are "
                "lost; accepted: whole numbers or text"
            )
        if key != "specobj_id" and kind not in "iuf":
            row, value = _no_number(column)
            raise RequestError(
                f"{path}: column {named[key]} holds {value!r} in row {row}, which is no number; accepted: numbers, "
                f"{ACCEPTED}"
            )
    ids = [str(one) for one in read[id_column]] if id_column else [""] * n
    return [_asked(ids[row], {key: column[row] for key, column in columns.items()}) for row in range(n)]


def _no_number(column: np.ndarray) -> tuple[int, str]:
    """The first row, from 0, that is no number, else the first; and what stands there."""
    values = [str(value) for value in column]
    for row, value in enumerate(values):
        try:
            float(value)
        except ValueError:
            return row, value
    return 0, values[0] if values else ""


def asked_of_rows(rows: Sequence[Row], origin: str) -> list[Asked]:
    """The objects of a query's answer. Raises RequestError, naming `origin`, where it has no rows or such columns."""
    if not rows:
        raise RequestError(f"{origin}: found no object; accepted: a query whose answer has rows")
    named = _named(origin, list(rows[0]))
    try:
        return [_asked("", {key: row[name] for key, name in named.items()}) for row in rows]
    except (ValueError, TypeError, KeyError) as error:
        raise RequestError(f"{origin}: {error}; accepted: numbers under {ACCEPTED}") from error


def _named(origin: str, columns: Sequence[str]) -> dict[str, str]:
    """What is known of each object, and under which name it stands."""
    lower = {name.lower(): name for name in reversed(columns)}
    words = {"specobj_id": SPECOBJ_ID, "plate": PLATE, "mjd": MJD, "fiber": FIBER, "ra": RA, "dec": DEC}
    found = {key: next((lower[name] for name in names if name in lower), None) for key, names in words.items()}
    named = {key: name for key, name in found.items() if name}
    for group in (("plate", "mjd", "fiber"), ("ra", "dec")):
        if not all(key in named for key in group):
            named = {key: name for key, name in named.items() if key not in group}
    if not named:
        raise RequestError(f"{origin}: has {', '.join(columns) or 'no columns'}; accepted: {ACCEPTED}")
    return named


def _asked(ident: str, known: Mapping[str, Any]) -> Asked:
    fiber = [known.get(key) for key in ("plate", "mjd", "fiber")]
    whole = [int(one) for one in fiber if one is not None and float(one).is_integer() and float(one) > 0]
    specobj = known.get("specobj_id")
    text = "" if specobj is None else str(specobj).strip()
    return Asked(
        id=ident,
        specobj_id=text if text not in ("", "0", "-1") else "",
        fiber=(whole[0], whole[1], whole[2]) if len(whole) == 3 else None,
        ra=_number(known.get("ra")),
        dec=_number(known.get("dec")),
    )


def _number(value: Any) -> float:
    return np.nan if value is None else float(value)
