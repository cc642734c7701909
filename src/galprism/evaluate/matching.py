"""Several tables of the same sources, joined by id and never by position."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from galprism.data import Predictions, Sources, Truth
from galprism.data.tables.columns import as_text
from galprism.data.tables.ids import comparable, match_ids
from galprism.errors import RequestError
from galprism.units import abmag_from_njy


@dataclass(frozen=True, eq=False)
class Matched:
    """The M sources that every table has, in ascending order of id: row i is the same source everywhere."""

    id: np.ndarray
    """(M,), int64 or text, as the first table has them."""
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
    has_id = {name: np.flatnonzero(_given(table.id)) for name, table in tables.items()}
    ids = {name: np.asarray(table.id)[has_id[name]] for name, table in tables.items()}
    alone = {name: _once(value) for name, value in ids.items()}
    first = next(iter(tables))
    keep, place = alone[first].copy(), {first: np.arange(len(ids[first]))}
    for name in list(tables)[1:]:
        found = match_ids(ids[first], ids[name])
        keep &= found.found & ~found.repeated
        place[name] = found.index
    if not keep.any():
        shown = "; ".join(f"{name}: {', '.join(map(str, value[:3]))}, …" for name, value in ids.items())
        raise RequestError(f"no id is common to {', '.join(tables)}; their first ids are {shown}")
    common = np.flatnonzero(keep)[np.argsort(comparable(ids[first][keep]), kind="stable")]
    rows = {name: has_id[name][place[name][common]] for name in tables}
    return Matched(
        id=comparable(ids[first][common]),
        predictions={name: table.take(rows[name]) for name, table in predictions.items()},
        truth=None if truth is None else truth.take(rows["truth"]),
        sources=None if sources is None else sources.take(rows["sources"]),
        rows={name: len(table.id) for name, table in tables.items()},
        not_joined={name: len(table.id) - int(alone[name].sum()) for name, table in tables.items()},
    )


def chosen_band(sources: Sources | None, asked: str | None) -> str | None:
    """The band whose magnitudes are taken: that asked for, else `r`, else the first; None without photometry.

    Raises RequestError for one that is not there.
    """
    photometry = None if sources is None else sources.photometry
    if photometry is None:
        if asked is not None:
            raise RequestError(f"band {asked!r} was asked for and there is no photometry")
        return None
    if asked is not None and asked not in photometry.bands:
        raise RequestError(f"no band {asked!r}; the photometry has {', '.join(photometry.bands)}")
    return asked or ("r" if "r" in photometry.bands else photometry.bands[0])


def _once(ids: np.ndarray) -> np.ndarray:
    """(N,) bool: no other row has this id."""
    _, place, count = np.unique(comparable(ids), return_inverse=True, return_counts=True)
    return count[place] == 1


def _given(ids: np.ndarray) -> np.ndarray:
    """(N,) bool: the row has an id at all; NaN, None and blank text are none."""
    ids = np.asarray(ids)
    if ids.dtype.kind == "f":
        return np.isfinite(ids)
    if ids.dtype.kind in "OSU":
        return np.char.strip(as_text(ids)) != ""
    return np.ones(len(ids), bool)
