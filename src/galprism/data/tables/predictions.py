"""Predictions as a table, and back.

Columns: `id`, `ra`, `dec`; for each parameter its point estimate under its own name and its quantiles as
`<parameter>_p16 _p50 _p84` (a level of 0.025 is `_p2p5`); further columns as they are called; `n_bands`, `flags`.
Where nothing was inferred the numbers are NaN. Units, UCDs and definitions come from the table of parameters.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from galprism.data.predictions import Predictions
from galprism.data.tables.base import Batch, TableReader
from galprism.data.tables.columns import ColumnInfo
from galprism.data.tables.formats import open_table
from galprism.data.tables.writing import TableWriter, check_writable
from galprism.data.truth import CLASSES
from galprism.errors import RequestError
from galprism.flags import SENTENCE, Flag
from galprism.params import PARAMS

POSITION = {
    "ra": ColumnInfo("ra", "deg", np.dtype(np.float64), "right ascension, ICRS", "pos.eq.ra;meta.main"),
    "dec": ColumnInfo("dec", "deg", np.dtype(np.float64), "declination, ICRS", "pos.eq.dec;meta.main"),
}
N_BANDS = ColumnInfo("n_bands", None, np.dtype(np.int16), "how many bands were used", "meta.number;instr.bandpass")
FLAGS = ColumnInfo(
    "flags",
    None,
    np.dtype(np.uint32),
    "sum of: " + ", ".join(f"{int(flag)} {flag.name}" for flag in Flag),
    "meta.code.qual",
)
INFO = "info_"
"""Before the name of a parameter: how much was learnt of it."""
KNOWN_EXTRA = {
    "chi2": ("stat.fit.chi2", "chi2 of the best model"),
    "reduced_chi2": ("stat.fit.chi2;arith.ratio", "chi2 over the number of bands (networks) or one less (fits)"),
    "max_pull": ("stat.fit.residual", "of the bands against what the others say, in sigmas, the farthest off"),
    "distance": (
        "stat.value",
        "-2 ln density of the inputs in training, relative to the rarest in a thousand",
    ),
    "predictive_p": (
        "stat.probability",
        "of fluxes at least as far off, over the posterior; low where no model, or not the answer's, has them",
    ),
    "redshift": ("src.redshift", "the redshift that was taken as known"),
    "zwarning": ("meta.code.error", "bits of what the spectrum's file warns of its redshift; 0 for nothing"),
    "spectral_class": ("src.class", "as the spectrum's file has it"),
    "file": ("meta.file", "the spectrum's, and the row where it has several"),
    "ess": ("meta.number", "effective number of prior draws behind the estimate"),
    "class": ("src.class", "the class of the highest probability"),
    "p_max": ("stat.probability", "the highest of the classes' probabilities"),
    "prob_star": ("stat.probability", "probability of being a star"),
    "prob_qso": ("stat.probability", "probability of being a quasar"),
    "prob_galaxy": ("stat.probability", "probability of being a galaxy"),
}
"""UCDs and descriptions of further columns that several methods write."""


def quantile_column(name: str, level: float) -> str:
    """The column of a quantile: logmstar_p16, logmstar_p2p5."""
    return f"{name}_p{100 * level:.6g}".replace(".", "p")


def id_info(ids: np.ndarray) -> ColumnInfo:
    """How a column of ids is described."""
    ids = np.asarray(ids)
    dtype = np.dtype(str) if ids.dtype.kind in "SO" else ids.dtype
    return ColumnInfo("id", None, dtype, "the source, as its catalogue calls it", "meta.id;meta.main")


def predictions_columns(
    predictions: Predictions, extra: Mapping[str, ColumnInfo] | None = None
) -> tuple[Batch, list[ColumnInfo], dict[str, Any]]:
    """The columns of a table of predictions, how each is described, and what is said of the table as a whole.

    `extra` describes further columns by name; those of a parameter (`logmstar_linear_mean`) have its unit otherwise.
    """
    p = predictions
    arrays: Batch = {"id": np.asarray(p.id)}
    infos = [id_info(p.id)]
    for name, info in POSITION.items():
        value = getattr(p, name)
        if value is not None:
            arrays[name] = np.asarray(value)
            infos.append(info)
    for i, name in enumerate(p.names):
        known = PARAMS[name]
        arrays[name] = p.point[:, i]
        infos.append(ColumnInfo(name, known.unit or None, arrays[name].dtype, known.definition, known.ucd))
        for k, level in enumerate(p.levels):
            assert p.quantiles is not None
            column = quantile_column(name, level)
            arrays[column] = p.quantiles[:, i, k]
            ucd = "stat.median" if level == 0.5 else "stat.percentile"
            description = f"{100 * level:.6g} % quantile of {name}: {known.definition}"
            infos.append(
                ColumnInfo(column, known.unit or None, arrays[column].dtype, description, f"{known.ucd};{ucd}")
            )
    for name, values in p.extra.items():
        arrays[name] = np.asarray(values)
        infos.append((extra or {}).get(name) or _extra_info(name, arrays[name]))
    arrays["n_bands"], arrays["flags"] = np.asarray(p.n_bands), np.asarray(p.flags)
    infos += [N_BANDS, FLAGS]
    return arrays, infos, table_meta(p.names, predictions=p.meta, levels=list(p.levels))


def table_meta(names: Sequence[str], **more: Any) -> dict[str, Any]:
    """What travels with every table of parameters: their definitions, the flags, the version that wrote it."""
    return {
        **more,
        "parameters": {name: {"unit": PARAMS[name].unit, "definition": PARAMS[name].definition} for name in names},
        "flags": {flag.name: {"bit": int(flag), "meaning": SENTENCE[flag]} for flag in Flag},
        "galprism": version("galprism"),
    }


def _extra_info(name: str, values: np.ndarray) -> ColumnInfo:
    dtype = np.dtype(str) if values.dtype.kind in "SO" else values.dtype
    ucd, description = KNOWN_EXTRA.get(name, ("", ""))
    if name.startswith(INFO):
        description = f"nats learnt of {name.removeprefix(INFO)}: ln of its spread in training over that of the answer"
    owner = max((p for p in PARAMS if name.startswith(p + "_")), key=len, default=None)
    if owner is not None and values.dtype.kind == "f":
        return ColumnInfo(name, PARAMS[owner].unit or None, dtype, description, PARAMS[owner].ucd, values.shape[1:])
    return ColumnInfo(name, None, dtype, description, ucd, values.shape[1:])


class PredictionsWriter:
    """Predictions written batch by batch into a table of `n_rows` rows; see TableWriter for what it promises.

    The first batch says which columns there are, and its `meta` is the table's; an empty table needs an empty batch.
    """

    def __init__(
        self, path: str | os.PathLike[str], n_rows: int, *, extra: Mapping[str, ColumnInfo] | None = None
    ) -> None:
        self.path = check_writable(path)
        self.n_rows = n_rows
        self._extra = extra
        self._writer: TableWriter | None = None

    def __enter__(self) -> PredictionsWriter:
        return self

    def write(self, predictions: Predictions) -> None:
        """Add rows. Raises RequestError where the columns differ from those of the first batch."""
        arrays, infos, meta = predictions_columns(predictions, self._extra)
        if self._writer is None:
            writer = TableWriter(self.path, infos, self.n_rows, meta)
            self._writer = writer.__enter__()
        self._writer.write(arrays)

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        if self._writer is not None:
            self._writer.__exit__(kind, *exception)
        elif kind is None:
            raise RequestError(f"{self.path}: no predictions were given, not even an empty batch of them")


def write_predictions(
    path: str | os.PathLike[str], predictions: Predictions, *, extra: Mapping[str, ColumnInfo] | None = None
) -> None:
    """Write predictions as one table, in the format of the path's suffix."""
    with PredictionsWriter(path, len(predictions), extra=extra) as writer:
        writer.write(predictions)


def read_predictions(path: str | os.PathLike[str]) -> Predictions:
    """Predictions from a table that galprism wrote, in any format (a CSV carries no `meta`).

    Raises RequestError where the table has no `id`, or no column of a parameter or of the probability of a class.
    """
    reader = open_table(path)
    names, levels = _contents(reader)
    columns = reader.read()
    classes = [f"prob_{name}" for name in CLASSES]
    if "id" not in columns or not (names or set(classes) & set(columns)):
        raise RequestError(
            f"{reader.path}: is no table of predictions: it needs id and at least one of {', '.join(PARAMS)}, or "
            f"{', '.join(classes)}; it has {', '.join(list(columns)[:30])}"
        )
    n = reader.n_rows
    ident = columns.pop("id")
    point = np.stack([columns.pop(name) for name in names], axis=1) if names else np.empty((n, 0))
    quantiles = None
    if levels:
        cells = [columns.pop(quantile_column(name, level)) for name in names for level in levels]
        quantiles = np.stack(cells, axis=1).reshape(n, len(names), len(levels))
    return Predictions(
        id=ident,
        names=names,
        point=point,
        flags=columns.pop("flags", np.zeros(n)).astype(np.uint32),
        n_bands=columns.pop("n_bands", np.zeros(n)).astype(np.int16),
        levels=levels,
        quantiles=quantiles,
        ra=columns.pop("ra", None),
        dec=columns.pop("dec", None),
        extra=columns,
        meta=reader.meta.get("predictions", {}),
    )


def _contents(reader: TableReader) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """The parameters and the quantile levels in a table, from what it says, else from its columns' names."""
    if "levels" in reader.meta:
        return tuple(reader.meta["parameters"]), tuple(reader.meta["levels"])
    found: dict[str, list[float]] = {name: [] for name in reader.columns if name in PARAMS}
    for column in reader.columns:
        match = re.fullmatch(r"(.+)_p(\d+(?:p\d+)?)", column)
        if match and match[1] in found:
            found[match[1]].append(round(float(match[2].replace("p", ".")) / 100, 8))
    most = max(found.values(), key=len, default=[])
    return tuple(name for name, levels in found.items() if levels == most), tuple(most)
