"""What is found of classes as records for JSON, and one number out of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from galprism.errors import RequestError
from galprism.evaluate.classes.metrics import Classification


def overall_record(found: Classification) -> dict[str, Any]:
    """For JSON."""
    names = ("n", "accuracy", "accuracy_err", "macro_f1", "macro_f1_err", "calibration_error", "calibration_chance")
    return {name: getattr(found, name) for name in (*names, "brier", "not_classified", "confusion")}


def class_records(found: Classification) -> list[dict[str, Any]]:
    """For JSON, one a class."""
    names = ("n", "called", "right", "precision", "precision_err", "recall", "recall_err", "f1", "f1_err")
    return [{"class": entry.name} | {name: getattr(entry, name) for name in names} for entry in found.classes]


def class_value(
    numbers: Mapping[str, Any], metric: str, *, method: str, of: str | None = None, sample: str | None = None
) -> float | None:
    """One number of `numbers["classes"]` of a report: of all classes (accuracy, macro_f1, calibration_error, …), or of
    one, `of` it by name (precision, recall, f1, …), on the sample of that label, the first where not given.

    Raises RequestError when there is no such number.
    """
    records = numbers.get("classes", {}).get("metrics" if of is None else "classes", [])
    label = sample or (records[0]["sample"] if records else "")
    for record in records:
        if (record["method"], record["sample"], record.get("class")) == (method, label, of):
            if metric in record:
                return record[metric]
            raise RequestError(f"no metric {metric!r}; there are {', '.join(record)}")
    there = sorted({(r["method"], r["sample"]) for r in records})
    raise RequestError(f"no classes of {method}, {sample or 'any sample'}, {of or 'all classes'}; there are {there}")
