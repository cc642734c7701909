"""Several tables of the same sources, joined by id and never by position."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np

from galprism.data import Predictions, Sources, Truth
from galprism.errors import RequestError
from galprism.units import abmag_from_njy

MISSING = np.iinfo(np.int64).min
"""Stands for an integer id that is missing; it is equal to no other."""


@dataclass(frozen=True, eq=False)
class Matched:
    """The M sources that every table has, in ascending order of id: row i is the same source everywhere."""

    id: np.ndarray
    """(M,), int64, or text when any table's ids are text."""
    predictions: dict[str, Predictions]
    truth: Truth | None
    sources: Sources | None
    rows: dict[str, int]
    """How many rows each table had."""
    not_joined: dict[str, int]
    """Rows of each table without an id or sharing theirs with another row; they cannot be joined and are left out."""

    def __len__(self) -> int:
        return len(self.id)

    def quantity(self, name: str, reference: str | None = None) -> np.ndarray | None:
        """(M,), a quantity by which sources are cut, binned or plotted; None when no table can tell it.

        `redshift`: the sources', else the truth's. `mag_<band>` (AB; NaN where the flux is not positive) and
        `snr_<band>`: the sources'. `logssfr` and any other parameter: the truth's; without a truth, of the
        predictions called `reference`.
        """
        if name == "redshift" and self.sources is not None and self.sources.redshift is not None:
            return self.sources.redshift
        prefix, _, band = name.partition("_")
        photometry = None if self.sources is None else self.sources.photometry
        if prefix in ("mag", "snr") and photometry is not None and band in photometry.bands:
            column = photometry.bands.index(band)
            flux = photometry.flux[:, column].astype(np.float64)
            if prefix == "snr":
                return flux / photometry.flux_err[:, column]
            return np.where(photometry.observed[:, column], abmag_from_njy(flux), np.nan)
        table: Truth | Predictions | None = self.truth
        if table is None and reference is not None:
            table = self.predictions[reference]
        if table is None:
            return None
        if name in table.names:
            return table.column(name)
        if name == "logssfr" and {"logsfr", "logmstar"} <= set(table.names):
            return table.column("logsfr") - table.column("logmstar")
        return None


def match(predictions: Mapping[str, Predictions], truth: Truth | None, sources: Sources | None) -> Matched:
    """Keep the sources that every given table has, by id.

    Raises RequestError when there are no predictions, when a table is empty, and when no id is common to all.
    """
    if not predictions:
        raise RequestError("no predictions to evaluate; give at least one, by name")
    tables: dict[str, Predictions | Truth | Sources] = {**predictions}
    if truth is not None:
        tables["truth"] = truth
    if sources is not None:
        tables["sources"] = sources
    for name in {"truth", "sources"} & set(predictions):
        raise RequestError(f"predictions are called {name!r}, which is another table's name; accepted: any other name")
    for name, table in tables.items():
        if not len(table.id):
            raise RequestError(f"{name} has no rows; nothing can be evaluated")
    keys = _keys({name: table.id for name, table in tables.items()})
    once = {name: _once(key) for name, key in keys.items()}
    common = reduce(lambda a, b: np.intersect1d(a, b, assume_unique=True), once.values())
    if not len(common):
        shown = "; ".join(f"{name}: {', '.join(map(str, key[:3]))}, …" for name, key in keys.items())
        raise RequestError(f"no id is common to {', '.join(tables)}; their first ids are {shown}")
    place = {name: _positions(key, common) for name, key in keys.items()}
    return Matched(
        id=common,
        predictions={name: table.take(place[name]) for name, table in predictions.items()},
        truth=None if truth is None else truth.take(place["truth"]),
        sources=None if sources is None else sources.take(place["sources"]),
        rows={name: len(key) for name, key in keys.items()},
        not_joined={name: len(keys[name]) - len(once[name]) for name in keys},
    )


def _keys(ids: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Ids that compare with each other: integers where all are, else text."""
    keys = {name: _integers(name, np.asarray(value)) for name, value in ids.items()}
    if all(key.dtype.kind == "i" for key in keys.values()):
        return keys
    return {name: _text(key) for name, key in keys.items()}


def _integers(name: str, ids: np.ndarray) -> np.ndarray:
    """Integer ids as int64, whole floats too: a column where some ids are missing is read as floats with NaN."""
    if ids.dtype.kind == "f":
        present = np.isfinite(ids)
        odd = ids[present & (ids != np.rint(ids))]
        if len(odd):
            raise RequestError(f"{name} has the id {odd[0]}; accepted: integers or text")
        return np.where(present, np.where(present, ids, 0).astype(np.int64), MISSING)
    if ids.dtype.kind == "i" or (ids.dtype.kind == "u" and ids.max() <= np.iinfo(np.int64).max):
        return ids.astype(np.int64)
    return ids


def _text(ids: np.ndarray) -> np.ndarray:
    """Ids as text; a missing one is empty."""
    if ids.dtype.kind == "i":
        return np.where(ids == MISSING, "", ids.astype(str))
    if ids.dtype.kind in "SO":
        values = [value.decode() if isinstance(value, bytes) else value for value in ids.tolist()]
        ids = np.array(["" if value is None else str(value) for value in values])
    return np.char.strip(ids.astype(str))


def _once(keys: np.ndarray) -> np.ndarray:
    """The keys that stand in the table exactly once, in ascending order, missing ones left out."""
    values, counts = np.unique(keys, return_counts=True)
    return values[(counts == 1) & (values != (MISSING if keys.dtype.kind == "i" else ""))]


def _positions(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    order = np.argsort(keys, kind="stable")
    return order[np.searchsorted(keys, wanted, sorter=order)]
