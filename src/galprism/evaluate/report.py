"""The one entry of this room: predictions in, a folder with a report and its numbers out."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass, replace
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
from galprism.evaluate.classes.judge import ClassJudgement, judge_class_predictions
from galprism.evaluate.classes.probabilities import has_classes
from galprism.evaluate.classes.records import class_value
from galprism.evaluate.classes.shown import Shown
from galprism.evaluate.classes.tables import summary_tables as class_tables
from galprism.evaluate.folder import KIND, check_out, write_folder
from galprism.evaluate.judge import Judgement, judge, shared_parameters
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
    judgement: Judgement | None
    """Of parameters; None where classes alone are judged."""
    classes: ClassJudgement | None
    """None where no classes are judged."""
    numbers: dict[str, Any]
    """What metrics.json holds."""
    bars: tuple[Bar, ...]
    figures: tuple[Drawing, ...]
    not_drawn: tuple[str, ...] = ()
    """Figures of classes that there is too little given for, a sentence each."""

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
        tables = [] if self.classes is None else class_tables(self.classes, wide=wide)
        if self.judgement is not None:
            tables += summary_tables(self.judgement, wide=wide) or pairs_tables(self.judgement)
        return [*tables, *([bars_table(self.bars)] if self.bars else [])]

    def value(self, metric: str, *, parameter: str, method: str, sample: str | None = None) -> float | None:
        """One number of `metrics`, such as value("rms", parameter="logmstar", method="network").

        sample : its label as in metrics.json; the one with every cut, without regard to the limit, when not given.
        Raises RequestError when there is no such number.
        """
        return value(self.numbers, metric, parameter=parameter, method=method, sample=sample)

    def class_value(
        self, metric: str, *, method: str, of: str | None = None, sample: str | None = None
    ) -> float | None:
        """One number of the classes, see galprism.evaluate.classes.class_value."""
        return class_value(self.numbers, metric, method=method, of=of, sample=sample)


def value(
    numbers: Mapping[str, Any], metric: str, *, parameter: str, method: str, sample: str | None = None
) -> float | None:
    """One number of a judgement's or report's numbers, see Report.value. Coverage is `coverage_68`, `coverage_95`."""
    records = [r for r in numbers.get("metrics", ()) if r["parameter"] == parameter and r["method"] == method]
    if sample is None:
        whole = [r for r in records if "; sources with " not in r["sample"]]
        records = (whole or records)[-1:]
    else:
        records = [r for r in records if r["sample"] == sample]
    if not records:
        there = sorted({(r["parameter"], r["sample"], r["method"]) for r in numbers.get("metrics", ())})
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
    shown: Shown | None = None,
    force: bool = False,
) -> Report:
    """Judge predictions and write the report folder `out`, whole or not at all.

    Parameters are judged of the predictions that have some, classes of those that have probabilities of classes; each
    on the sources that these have in common. Without a truth (real data) the methods are compared with each other
    only. `limit`, `parameters`, `selections` and `band` are as in `judge`. `bars` may be a function of the numbers.
    drawings : figures of the caller's own, in front of those of the report. shown : what figures of classes are drawn
    of beside probabilities. meta : anything that JSON holds; `title`, `sample`, `noise`, `recipe` (its text),
    `command`, `seed`, `versions`, `timings` and `definitions` have their places in the report.

    Raises RequestError as `judge` and `judge_class_predictions` do, and when `out` exists and is not a report (unless
    `force`) or cannot be written.
    """
    out = Path(out)
    check_out(out, force=force)
    shown = shown or Shown()
    judgement, classes = _judged(predictions, truth, sources, limit, parameters, selections, band, shown)
    meta = dict(meta or {})
    title = str(
        meta.get("title") or f"{', '.join(predictions)}: {'compared' if truth is None else 'against the truth'}"
    )
    numbers: dict[str, Any] = {
        "kind": KIND,
        "galprism": galprism.__version__,
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "title": title,
        **({} if judgement is None else judgement.numbers()),
        **({} if classes is None else {"classes": classes.numbers()}),
    }
    found = tuple(bars(strict(numbers)) if callable(bars) else bars)
    numbers |= {
        "bars": bars_record(found),
        "meta": meta,
        "methods_meta": {name: table.meta for name, table in predictions.items()},
        "versions": _versions() | dict(meta.get("versions", {})),
    }
    numbers = strict(numbers, "report")
    figures, not_drawn = _drawn(judgement, classes, shown)
    report = Report(title, out, judgement, classes, numbers, found, (*drawings, *figures), tuple(not_drawn))
    text = json.dumps(numbers, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    files = {f"figures/{drawing.name}.png": drawing.png for drawing in report.figures}
    files |= {"metrics.json": text.encode(), "index.html": html(report).encode()}
    write_folder(out, files, force=force)
    return report


def _judged(
    predictions: Mapping[str, Predictions],
    truth: Truth | None,
    sources: Sources | None,
    limit: str | None,
    parameters: Sequence[str] | None,
    selections: Sequence[Selection] | None,
    band: str | None,
    shown: Shown,
) -> tuple[Judgement | None, ClassJudgement | None]:
    """Parameters and classes, each where they can be judged, and one of them at least."""
    classed = {name: table for name, table in predictions.items() if has_classes(table)}
    unknown = truth is not None and truth.classes is None
    classes = None
    if classed and not unknown:
        classes = judge_class_predictions(
            classed, truth, sources, limit=limit, selections=selections, band=band, area=shown.area
        )
    rest = {name: table for name, table in predictions.items() if table.names or name not in classed}
    if classes is not None and not parameters and not shared_parameters(rest, truth):
        if limit not in (None, *classed):
            raise RequestError(f"limit {limit!r} is not among the predictions: {', '.join(classed)}")
        left = dict.fromkeys(name for table in rest.values() for name in table.names)
        if left:
            why = "the truth does not have them" if truth is not None else "no two methods have them"
            note = f"Predicted and not judged, for {why}: {', '.join(left)}, by {', '.join(rest)}."
            classes = replace(classes, notes=(*classes.notes, note))
        return None, classes
    if classed and unknown and not shared_parameters(rest, truth):
        raise RequestError(
            f"nothing can be judged: {', '.join(classed)} have classes, and the truth has none; accepted: a truth with "
            "a column class (or true_class)"
        )
    judgement = judge(rest, truth, sources, limit=limit, parameters=parameters, selections=selections, band=band)
    if classed and unknown:
        note = f"Classes were predicted by {', '.join(classed)} and are not judged: the truth does not have them."
        judgement = replace(judgement, notes=(*judgement.notes, note))
    return judgement, classes


def _drawn(
    judgement: Judgement | None, classes: ClassJudgement | None, shown: Shown
) -> tuple[tuple[Drawing, ...], list[str]]:
    from galprism.evaluate.figures import draw, draw_classes  # the door to matplotlib

    of_classes, not_drawn = ([], []) if classes is None else draw_classes(classes, shown)
    return (*of_classes, *(() if judgement is None else draw(judgement))), not_drawn


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
