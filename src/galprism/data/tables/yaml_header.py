"""astropy's description of a table's columns in YAML: the head of an ECSV file, and beside an HDF5 or Parquet table."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import Column, Table
from astropy.table.meta import get_header_from_yaml, get_yaml_from_table
from astropy.utils.exceptions import AstropyWarning

from galprism.data.tables.base import META_KEY, PASSBANDS
from galprism.data.tables.columns import ColumnInfo


@dataclass(frozen=True)
class YamlHeader:
    """What such a description says."""

    columns: dict[str, ColumnInfo]
    meta: dict[str, Any]
    masks: dict[str, str] = field(default_factory=dict)
    """Column of values to column that is true where the value is missing."""
    delimiter: str = " "


def read_header(lines: Iterable[str]) -> YamlHeader:
    """Raises ValueError where the lines are not such a description."""
    header = get_header_from_yaml(lines)
    columns = {}
    for item in header["datatype"]:
        dtype, shape = _dtype(item["datatype"], item.get("subtype"))
        ucd = str((item.get("meta") or {}).get("ucd", ""))
        unit = item.get("unit")
        columns[item["name"]] = ColumnInfo(
            item["name"], None if unit is None else str(unit), dtype, item.get("description", ""), ucd, shape
        )
    meta = header.get("meta") or {}
    masks = {}
    for parts in (meta.get("__serialized_columns__") or {}).values():
        data, mask = parts.get("data"), parts.get("mask")
        if data is not None and mask is not None:
            masks[data["name"]] = mask["name"]
    return YamlHeader(columns, meta_of(meta), masks, header.get("delimiter", " "))


def meta_of(meta: Mapping[str, Any]) -> dict[str, Any]:
    """What a table says of itself that means something here: what galprism wrote, and which passbands its bands are."""
    own = json.loads(meta.get(META_KEY, "{}"))
    return own | {PASSBANDS: meta[PASSBANDS]} if PASSBANDS in meta else own


def _dtype(datatype: str, subtype: str | None) -> tuple[np.dtype, tuple[int, ...]]:
    """The type and row shape of a column; object for what is not read."""
    if subtype is None:
        if datatype == "string":
            return np.dtype(str), ()
        return np.dtype({"float128": "float64"}.get(datatype, datatype)), ()
    match = re.fullmatch(r"(bool|u?int\d+|float\d+)\[(\d+(?:,\d+)*)\]", subtype)
    if match is None:
        return np.dtype(object), ()
    return np.dtype({"float128": "float64"}.get(match[1], match[1])), tuple(int(n) for n in match[2].split(","))


def write_header(columns: Sequence[ColumnInfo], meta: str) -> list[str]:
    """The lines that describe these columns; `meta` is kept under the key `galprism`."""
    table = Table(meta={META_KEY: meta})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        for column in columns:
            table[column.name] = Column(
                np.empty((0, *column.shape), column.dtype),
                unit=u.Unit(column.unit, parse_strict="silent") if column.unit else None,
                description=column.description or None,
                meta={"ucd": column.ucd} if column.ucd else None,
            )
        return list(get_yaml_from_table(table))
