"""What is known of sources as a table, and back.

A table of truth has `id`, parameters under their own names (`logmstar`, `logsfr`, …), and `class` and `weight` where
these are known. A simulated catalogue carries its truth in the same table behind `true_`: `true_logmstar`,
`true_redshift`, `true_class`, `true_weight`. Where a table has any such column, they alone are its truth, since its
plain `redshift` is what the survey measured; whoever predicts from that table asks for none of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from galprism.data.sfr_labels import check_order
from galprism.data.tables.base import Batch, TableReader
from galprism.data.tables.columns import ColumnInfo, as_text
from galprism.data.tables.formats import open_table
from galprism.data.tables.ids import match_ids
from galprism.data.tables.predictions import id_info, table_meta
from galprism.data.tables.writing import TableWriter
from galprism.data.truth import CLASSES, Truth
from galprism.errors import RequestError
from galprism.params import PARAMS

PREFIX = "true_"
BESIDE = ("class", "weight")
LABELS = {
    "library": "whose spectra the stars have",
    "imf": "initial mass function of the stars",
    "kind": "a finer class of the source",
}
"""Text columns of a simulation, and what they are."""


def truth_columns(truth: Truth, prefix: str = "") -> tuple[Batch, list[ColumnInfo]]:
    """The columns of a truth without its ids, each name after `prefix`."""
    arrays: Batch = {}
    infos = []
    for i, name in enumerate(truth.names):
        known = PARAMS[name]
        arrays[prefix + name] = truth.values[:, i]
        infos.append(ColumnInfo(prefix + name, known.unit or None, np.dtype(np.float64), known.definition, known.ucd))
    if truth.classes is not None:
        arrays[prefix + "class"] = np.array(["", *CLASSES])[np.asarray(truth.classes, np.int64) + 1]
        longest = max(map(len, CLASSES))
        infos.append(ColumnInfo(prefix + "class", None, np.dtype(f"U{longest}"), "class of the source", "src.class"))
    if truth.weight is not None:
        arrays[prefix + "weight"] = np.asarray(truth.weight, np.float64)
        infos.append(
            ColumnInfo(prefix + "weight", None, np.dtype(np.float64), "how much the source counts", "stat.weight")
        )
    for name, text in truth.labels.items():
        arrays[prefix + name] = np.asarray(text, np.str_)
        infos.append(ColumnInfo(prefix + name, None, arrays[prefix + name].dtype, LABELS.get(name, name), "meta.code"))
    return arrays, infos


def write_truth(path: str | os.PathLike[str], truth: Truth) -> None:
    """Write a table of truth, in the format of the path's suffix."""
    arrays, infos = truth_columns(truth)
    with TableWriter(path, [id_info(truth.id), *infos], len(truth), table_meta(truth.names)) as writer:
        writer.write({"id": truth.id, **arrays})


def read_truth(
    path: str | os.PathLike[str],
    *,
    ids: np.ndarray | None = None,
    id_column: str = "id",
    columns: Mapping[str, str] | None = None,
) -> Truth:
    """The truth in a table; other columns are ignored.

    With `ids` (N,), the rows of those ids in their order; what a missing one would say is NaN. `columns` says under
    what name the table has a parameter, `class` or `weight`: {"logmstar": "lgm_tot_p50"}.

    Raises RequestError where there is no id or neither a parameter nor a class, where a class is none of
    galprism.data.CLASSES, where an id that is asked for stands in several rows, or where none of `ids` is there; and
    where percentiles of a rate's distribution are out of order (galprism.data.sfr_labels).
    """
    reader = open_table(path)
    places = _places(reader) | dict(columns or {})
    odd = [name for name in places if name not in (*PARAMS, *BESIDE, *LABELS)]
    if odd:
        raise RequestError(f"no such parameter: {', '.join(odd)}; known: {', '.join((*PARAMS, *BESIDE))}")
    names = tuple(name for name in places if name in PARAMS)
    if not names and "class" not in places:
        raise RequestError(
            f"{reader.path}: has no column of a parameter; accepted: {', '.join((*PARAMS, *BESIDE[:1]))}, or the same "
            f"after {PREFIX!r}"
        )
    table = reader.read(dict.fromkeys([id_column, *places.values()]))
    for name in names:
        if reader.columns[places[name]].dtype.kind == "U":
            raise RequestError(f"{reader.path}: column {places[name]!r} is text; {name} is a number")
    truth = Truth(
        id=table[id_column],
        names=names,
        values=_values(table, [places[name] for name in names], len(table[id_column])),
        classes=classes_in(reader, places["class"], table) if "class" in places else None,
        weight=table[places["weight"]].astype(np.float64) if "weight" in places else None,
        labels={name: as_text(table[places[name]]) for name in LABELS if name in places},
    )
    check_order(truth.id, truth.values, names, str(reader.path))
    return truth if ids is None else aligned(truth, ids, str(reader.path))


def aligned(truth: Truth, ids: np.ndarray, where: str = "the truth") -> Truth:
    """The truth of `ids` (N,), in their order: NaN, class -1 and weight 0 where it has none.

    Raises RequestError where one of `ids` stands in several rows of the truth, or none is there at all.
    """
    ids = np.asarray(ids)
    match = match_ids(ids, truth.id)
    if match.repeated.any():
        raise RequestError(f"{where}: ids stand in several rows: {_some(ids[match.repeated])}; each must stand in one")
    if len(ids) and not match.found.any():
        raise RequestError(f"{where}: has none of the ids asked for: {_some(ids)}; it has {_some(truth.id)}")
    if not len(ids):
        return truth.take(slice(0, 0))
    picked = truth.take(np.maximum(match.index, 0))
    weight = np.ones(len(ids)) if picked.weight is None else picked.weight
    return Truth(
        id=ids,
        names=picked.names,
        values=np.where(match.found[:, None], picked.values, np.nan),
        classes=None if picked.classes is None else np.where(match.found, picked.classes, -1).astype(np.int8),
        weight=None if picked.weight is None else np.where(match.found, weight, 0.0),
        labels={name: np.where(match.found, text, "") for name, text in picked.labels.items()},
    )


def _values(table: Batch, columns: list[str], n: int) -> np.ndarray:
    """(N, P), float64."""
    return np.stack([table[column] for column in columns], axis=1).astype(np.float64) if columns else np.empty((n, 0))


def _places(reader: TableReader) -> dict[str, str]:
    """Parameter, class, weight or label to the column that has it."""
    known = (*PARAMS, *BESIDE, *LABELS)
    prefixed = {name: PREFIX + name for name in known if PREFIX + name in reader.columns}
    return prefixed or {name: name for name in known if name in reader.columns}


def classes_in(reader: TableReader, column: str, table: Batch) -> np.ndarray:
    """(N,) int8 index into CLASSES of a column of their names in any case; -1 where it is empty."""
    said = np.char.lower(np.char.strip(as_text(table[column])))
    classes = np.full(len(said), -1, np.int8)
    for i, name in enumerate(CLASSES):
        classes[said == name] = i
    odd = np.unique(said[(classes < 0) & (said != "")])
    if len(odd):
        raise RequestError(
            f"{reader.path}: column {column!r} holds {_some(odd)}; accepted: {', '.join(CLASSES)}, or nothing"
        )
    return classes


def _some(values: np.ndarray) -> str:
    listed = ", ".join(str(value) for value in values[:3])
    return listed + (f", … ({len(values)} in all)" if len(values) > 3 else "")
