"""From matched tables to every number that a report says of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from galprism.data import CLASSES, Predictions, Sources, Truth
from galprism.errors import RequestError
from galprism.evaluate.classes.agreement import Agreement, agreement
from galprism.evaluate.classes.counts import Called, Density, called_so, densities
from galprism.evaluate.classes.curves import Thresholds, by_threshold, calibration_curve
from galprism.evaluate.classes.metrics import Classification, judge_classes
from galprism.evaluate.classes.notes import notes
from galprism.evaluate.classes.probabilities import probabilities
from galprism.evaluate.classes.records import class_records, overall_record
from galprism.evaluate.classes.sample import ClassSample, samples
from galprism.evaluate.matching import Matched, chosen_band, match
from galprism.evaluate.metrics import bin_index, edges
from galprism.evaluate.samples import Selection
from galprism.flags import counts

THRESHOLDS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
"""On the highest probability, of the table."""


@dataclass(frozen=True, eq=False)
class ClassBin:
    """The sources of one bin of magnitude."""

    low: float
    high: float
    """Edges; an end bin reaches to its outermost source. NaN both for the sources without a magnitude."""
    median: float
    found: Classification


@dataclass(frozen=True, eq=False)
class ClassEntry:
    """What was found of one method on one sample, against the truth."""

    sample: ClassSample
    method: str
    found: Classification
    bins: tuple[ClassBin, ...]
    """By magnitude; empty without photometry."""
    thresholds: tuple[Thresholds, ...]

    def records(self) -> list[dict[str, Any]]:
        """For JSON: a record a class."""
        where = {"sample": self.sample.label, "method": self.method}
        return [where | record for record in class_records(self.found)]

    def record(self) -> dict[str, Any]:
        """For JSON, over all classes."""
        return {"sample": self.sample.label, "method": self.method} | overall_record(self.found)


@dataclass(frozen=True, eq=False)
class ClassJudgement:
    """Everything that a report says of the classes of its methods."""

    methods: tuple[str, ...]
    limit: str | None
    band: str | None
    """The band whose magnitude results are binned by."""
    area: float | None
    """deg^2, of the sources judged."""
    matched: Matched
    """The sources that all tables have."""
    samples: tuple[ClassSample, ...]
    """All sources first."""
    entries: tuple[ClassEntry, ...]
    """Against the truth; empty without one."""
    pairs: tuple[Agreement, ...]
    """Each method against another."""
    called: tuple[Called, ...]
    densities: tuple[Density, ...]
    """Quasars on the sky; empty without an area or photometry."""
    flags: dict[str, dict[str, int]]
    """Rows with each flag by method, over `matched`."""
    notes: tuple[str, ...]
    """What is odd, and what was left out and why, in sentences."""

    @property
    def whole(self) -> ClassSample:
        """The sample without a cut."""
        return self.samples[0]

    def of(self, sample: ClassSample) -> list[ClassEntry]:
        """The entries of one sample, one a method."""
        return [entry for entry in self.entries if entry.sample is sample]

    def numbers(self) -> dict[str, Any]:
        """For JSON: flat lists of records, each naming its sample and method."""
        return {
            "methods": list(self.methods),
            "order": list(CLASSES),
            "band": self.band,
            "area": self.area,
            "rows": {
                "common": len(self.matched),
                "tables": self.matched.rows,
                "not_joined": self.matched.not_joined,
            },
            "samples": [sample.record() for sample in self.samples],
            "metrics": [entry.record() for entry in self.entries],
            "classes": [record for entry in self.entries for record in entry.records()],
            "bins": [
                {"sample": entry.sample.label, "method": entry.method, "by": f"mag_{self.band}"}
                | {"low": b.low, "high": b.high, "median": b.median, "classes": class_records(b.found)}
                | overall_record(b.found)
                for entry in self.entries
                for b in entry.bins
            ],
            "thresholds": [
                {"sample": entry.sample.label, "method": entry.method, "class": curve.name}
                | {name: getattr(curve, name) for name in ("threshold", "kept", "precision", "recall", "completeness")}
                for entry in self.entries
                for curve in entry.thresholds
            ],
            "calibration": [
                {"sample": entry.sample.label, "method": entry.method, "of": of or "p_max"}
                | dict(zip(("said", "held", "n"), _calibration(entry, of), strict=True))
                for entry in self.entries
                for of in (None, *CLASSES)
            ],
            "pairs": [pair.record() for pair in self.pairs],
            "called": [asdict(record) for record in self.called],
            "densities": [asdict(density) for density in self.densities],
            "flags": self.flags,
            "notes": list(self.notes),
        }


def judge_class_predictions(
    predictions: Mapping[str, Predictions],
    truth: Truth | None = None,
    sources: Sources | None = None,
    *,
    limit: str | None = None,
    selections: Sequence[Selection] | None = None,
    band: str | None = None,
    area: float | None = None,
) -> ClassJudgement:
    """Judge the classes of predictions, by name, against those of the truth, and against each other.

    A source counts where every table has it and its class is known; a method that did not classify it is wrong there.
    Without a truth (real data) it is said what was called what, and how far methods agree.

    selections : cuts, applied together, beside the uncut sample: of the flagged sources when not given and there are
        some, () for none; one that names parameters applies where `class` is among them
    band : the band whose magnitude is taken; `r` when there is one, else the first
    area : deg^2, the area on the sky that the common sources are from, for surface densities

    Raises RequestError where no id is common, columns of classes are lacking or hold what are no probabilities, the
    truth has no classes or no source of a known one, cuts leave no source, and for a band that is not there or an area
    not above zero.
    """
    if area is not None and not 0 < area < np.inf:
        raise RequestError(f"area = {area}; accepted: above zero, in square degrees")
    if truth is not None and truth.classes is None:
        raise RequestError("the truth has no classes; accepted: a truth with a column class (or true_class)")
    matched = match(predictions, truth, sources)
    band = chosen_band(sources, band)
    given = {name: probabilities(table, name) for name, table in matched.predictions.items()}
    judged = samples(matched, given, band, selections)
    entries = tuple(_entry(sample, method) for sample in judged for method in given) if truth is not None else ()
    whole = judged[0]
    return ClassJudgement(
        methods=tuple(given),
        limit=limit if limit in given else None,
        band=band,
        area=area,
        matched=matched,
        samples=tuple(judged),
        entries=entries,
        pairs=tuple(agreement(sample, *pair) for sample in judged for pair in combinations(given, 2)),
        called=tuple(record for method in given for record in called_so(whole, method)),
        densities=densities(whole, area) if area is not None and whole.magnitude is not None else (),
        flags={name: counts(table.flags) for name, table in matched.predictions.items()},
        notes=notes(whole),
    )


def _entry(sample: ClassSample, method: str) -> ClassEntry:
    probability, true = sample.probability(method), sample.true
    assert true is not None
    found = judge_classes(probability, true)
    return ClassEntry(sample, method, found, _bins(sample, method), by_threshold(probability, true, THRESHOLDS))


def _bins(sample: ClassSample, method: str) -> tuple[ClassBin, ...]:
    """In round bins of magnitude, the same for every method; the sources without a magnitude last."""
    magnitude, true = sample.magnitude, sample.true
    if magnitude is None:
        return ()
    assert true is not None
    probability, borders = sample.probability(method), edges(magnitude)
    index, found = bin_index(magnitude, borders), []
    for k in (*range(len(borders) - 1), -1):
        rows = index == k
        if rows.any():
            within = judge_classes(probability[rows], true[rows])
            low, high, median = np.nan, np.nan, np.nan
            if k >= 0:
                low, high = min(borders[k], magnitude[rows].min()), max(borders[k + 1], magnitude[rows].max())
                median = np.median(magnitude[rows])
            found.append(ClassBin(float(low), float(high), float(median), within))
    return tuple(found)


def _calibration(entry: ClassEntry, of: str | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    true = entry.sample.true
    assert true is not None
    return calibration_curve(entry.sample.probability(entry.method), true, of=of)
