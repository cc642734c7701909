"""The one entry of this room: predictions in, a folder with a report and its numbers out."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

import galprism
from galprism.data import Predictions, Sources, Truth
from galprism.errors import RequestError
from galprism.evaluate.bars import Bar, bars_record, bars_table
from galprism.evaluate.folder import KIND, check_out, write_folder
from galprism.evaluate.judge import Judgement, judge
from galprism.evaluate.rendering import html
from galprism.evaluate.samples import Selection
from galprism.evaluate.summary import pairs_tables, summary_tables
from galprism.evaluate.tables import Table

if TYPE_CHECKING:
    from galprism.evaluate.figures import Drawing


@dataclass(frozen=True, eq=False)
class Report:
    """What was found, and where it is written."""

    title: str
    out: Path
    """The folder: index.html, metrics.json, figures/*.png."""
    judgement: Judgement
    numbers: dict[str, Any]
    """What metrics.json holds."""
    bars: tuple[Bar, ...]
    figures: tuple[Drawing, ...]

    @property
    def html(self) -> Path:
        return self.out / "index.html"

    def text(self) -> str:
        """The summary for a terminal."""
        return "\n\n".join(table.text() for table in self._tables(wide=False))

    def markdown(self) -> str:
        """The summary for docs."""
        return "\n\n".join(table.markdown() for table in self._tables(wide=True)) + "\n"

    def _tables(self, *, wide: bool) -> list[Table]:
        tables = summary_tables(self.judgement, wide=wide) or pairs_tables(self.judgement)
        return [*tables, *([bars_table(self.bars)] if self.bars else [])]

    def value(self, metric: str, *, parameter: str, method: str, sample: str | None = None) -> float | None:
        """One number of `metrics`, such as value("rms", parameter="logmstar", method="network").

        sample : its label as in metrics.json; the one with every cut, without regard to the limit, when not given.
        Raises RequestError when there is no such number.
        """
        return value(self.numbers, metric, parameter=parameter, method=method, sample=sample)


def value(
    numbers: Mapping[str, Any], metric: str, *, parameter: str, method: str, sample: str | None = None
) -> float | None:
    """One number of a judgement's or report's numbers, see Report.value. Coverage is `coverage_68`, `coverage_95`."""
    records = [r for r in numbers["metrics"] if r["parameter"] == parameter and r["method"] == method]
    if sample is None:
        whole = [r for r in records if "; sources with " not in r["sample"]]
        records = (whole or records)[-1:]
    else:
        records = [r for r in records if r["sample"] == sample]
    if not records:
        there = sorted({(r["parameter"], r["sample"], r["method"]) for r in numbers["metrics"]})
        raise RequestError(f"no metrics of {parameter}, {method}, {sample or 'any sample'}; there are {there}")
    record = records[0]
    if metric.startswith("coverage_"):
        nominal = float(metric.removeprefix("coverage_")) / 100
        found = record.get("calibration", {}).get("coverage", ())
        near = [c for c in found if abs(c["nominal"] - nominal) <= 0.01]
        return near[0]["observed"] if near else None
    if metric in record.get("calibration", {}):
        return record["calibration"][metric]
    if metric == "rms_over_limit":
        return record.get(metric)
    if metric not in record:
        raise RequestError(f"no metric {metric!r}; there are {', '.join(record)}")
    return record[metric]


def evaluate(
    predictions: Mapping[str, Predictions],
    truth: Truth | None,
    sources: Sources | None,
    out: Path,
    *,
    limit: str | None = None,
    meta: Mapping[str, Any] | None = None,
    parameters: Sequence[str] | None = None,
    selections: Sequence[Selection] | None = None,
    band: str | None = None,
    bars: Sequence[Bar] | Callable[[dict[str, Any]], Sequence[Bar]] = (),
    drawings: Sequence[Drawing] = (),
    force: bool = False,
) -> Report:
    """Judge predictions and write the report folder `out`, whole or not at all.

    Without a truth (real data) the methods are compared with each other only. `limit`, `parameters`, `selections`
    and `band` are as in `judge`. `bars` may be a function of the numbers. drawings : figures of the caller's own, in
    front of those of the report. meta : anything that JSON holds; `title`,
    `sample`, `noise`, `recipe` (its text), `command`, `seed`, `versions`, `timings` and `definitions` have their
    places in the report.

    Raises RequestError as `judge` does, and when `out` exists and is not a report (unless `force`) or cannot be
    written.
    """
    out = Path(out)
    check_out(out, force=force)
    judgement = judge(predictions, truth, sources, limit=limit, parameters=parameters, selections=selections, band=band)
    meta = dict(meta or {})
    title = str(
        meta.get("title") or f"{', '.join(predictions)}: {'compared' if truth is None else 'against the truth'}"
    )
    numbers: dict[str, Any] = {
        "kind": KIND,
        "galprism": galprism.__version__,
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "title": title,
        **judgement.numbers(),
    }
    found = tuple(bars(strict(numbers)) if callable(bars) else bars)
    numbers |= {
        "bars": bars_record(found),
        "meta": meta,
        "methods_meta": {name: table.meta for name, table in predictions.items()},
        "versions": _versions() | dict(meta.get("versions", {})),
    }
    numbers = strict(numbers, "report")
    from galprism.evaluate.figures import draw  # the door to matplotlib

    figures = (*drawings, *draw(judgement))
    text = json.dumps(numbers, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    files = {f"figures/{drawing.name}.png": drawing.png for drawing in figures}
    files |= {"metrics.json": text.encode(), "index.html": html(judgement, numbers, found, figures).encode()}
    write_folder(out, files, force=force)
    return Report(title, out, judgement, numbers, found, figures)


def strict(value: Any, where: str = "meta") -> Any:
    """`value` as what strict JSON holds: NaN and infinities become null, arrays lists, dates and paths text.

    Raises RequestError for anything else, saying where it stands.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, np.generic | np.ndarray):
        return strict(value.tolist(), where)
    if isinstance(value, Path | datetime):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return strict(asdict(value), where)
    if isinstance(value, Mapping):
        return {str(key): strict(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes):
        return [strict(item, f"{where}[{i}]") for i, item in enumerate(value)]
    raise RequestError(f"{where} is of type {type(value).__name__}, which JSON cannot hold: {value!r}")


def _versions() -> dict[str, str]:
    return {
        "galprism": galprism.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "matplotlib": version("matplotlib"),
    }
