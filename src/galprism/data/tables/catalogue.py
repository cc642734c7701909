"""A catalogue of sources as a table in plain columns, with its truth beside it where that is known.

Columns: `id`, `ra`, `dec`, `redshift`, then `flux_<band>` and `flux_err_<band>` in nJy, then the truth behind `true_`
(see galprism.data.tables.truth). A band that was not observed is NaN in both; a flux whose error is not known has NaN
for its error; where any band is an upper limit, `limit_<band>` (true or false) says which are.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from galprism.data.sources import Sources
from galprism.data.tables.base import Batch
from galprism.data.tables.columns import ColumnInfo
from galprism.data.tables.predictions import POSITION, id_info, table_meta
from galprism.data.tables.truth import PREFIX, truth_columns
from galprism.data.tables.writing import TableWriter, check_writable
from galprism.data.truth import Truth
from galprism.errors import RequestError
from galprism.params import PARAMS


def catalogue_columns(sources: Sources, truth: Truth | None = None) -> tuple[Batch, list[ColumnInfo]]:
    """The columns of a catalogue and how each is described. Raises RequestError where the truth has other ids."""
    arrays: Batch = {"id": sources.id}
    infos = [id_info(sources.id)]
    redshift = PARAMS["redshift"]
    measured = ColumnInfo("redshift", None, np.dtype(np.float64), redshift.definition, redshift.ucd)
    for name, info in (*POSITION.items(), ("redshift", measured)):
        value = getattr(sources, name)
        if value is not None:
            arrays[name] = value
            infos.append(info)
    photometry = sources.photometry
    if photometry is not None:
        flux = np.where(photometry.observed, photometry.flux, np.nan).astype(photometry.flux.dtype)
        flux_err = photometry.flux_err
        for i, band in enumerate(photometry.bands):
            for name, values, description, ucd in (
                (f"flux_{band}", flux, f"flux density in {band}", "phot.flux.density"),
                (f"flux_err_{band}", flux_err, f"1 sigma error of flux_{band}", "stat.error;phot.flux.density"),
            ):
                arrays[name] = values[:, i]
                infos.append(ColumnInfo(name, "nJy", values.dtype, description, ucd))
            if photometry.limit is not None:
                arrays[f"limit_{band}"] = photometry.limit[:, i]
                text = f"flux_{band} is an upper limit"
                infos.append(ColumnInfo(f"limit_{band}", None, np.dtype(bool), text, "meta.code"))
    if truth is not None:
        if not np.array_equal(truth.id, sources.id):
            raise RequestError("the truth and the sources have different ids, or the same in another order")
        more, described = truth_columns(truth, PREFIX)
        arrays |= more
        infos += described
    return arrays, infos


class CatalogueWriter:
    """A catalogue written batch by batch into a table of `n_rows` rows; see TableWriter for what it promises.

    The first batch says which columns there are; an empty catalogue needs an empty batch.
    """

    def __init__(self, path: str | os.PathLike[str], n_rows: int, meta: Mapping[str, Any] | None = None) -> None:
        self.path = check_writable(path)
        self.n_rows = n_rows
        self._meta = dict(meta or {})
        self._writer: TableWriter | None = None

    def __enter__(self) -> CatalogueWriter:
        return self

    def write(self, sources: Sources, truth: Truth | None = None) -> None:
        """Add rows. Raises RequestError where the columns differ from those of the first batch."""
        arrays, infos = catalogue_columns(sources, truth)
        if self._writer is None:
            meta = self._meta | table_meta(() if truth is None else truth.names)
            self._writer = TableWriter(self.path, infos, self.n_rows, meta).__enter__()
        self._writer.write(arrays)

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        if self._writer is not None:
            self._writer.__exit__(kind, *exception)
        elif kind is None:
            raise RequestError(f"{self.path}: no sources were given, not even an empty batch of them")


def write_catalogue(
    path: str | os.PathLike[str], sources: Sources, truth: Truth | None = None, meta: Mapping[str, Any] | None = None
) -> None:
    """Write a catalogue as one table, in the format of the path's suffix."""
    with CatalogueWriter(path, len(sources), meta) as writer:
        writer.write(sources, truth)
