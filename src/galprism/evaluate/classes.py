"""How good classes are: metrics, confusion, calibration and thresholds of probabilities against what sources are.

Definitions are those of the KiDS DR5 star-quasar-galaxy paper (Feng et al. 2025, eqs. 3 to 6). Probabilities are (N, K)
over K classes, in the order of galprism.data.truth.CLASSES; a source that was not classified has NaN, and counts as
wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from galprism.data.classes import classify
from galprism.data.truth import CLASSES
from galprism.errors import RequestError
from galprism.evaluate.tables import Table, number, percent

BINS = 15
"""Of the calibration curve, with as many sources each."""


@dataclass(frozen=True)
class ClassMetrics:
    """Of one class."""

    name: str
    n: int
    """Sources that are of it."""
    precision: float
    """TP / (TP + FP), the purity; NaN where nothing was called so."""
    recall: float
    """TP / (TP + FN); NaN where no source is of it."""

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall; 0 where both are."""
        total = self.precision + self.recall
        return 2.0 * self.precision * self.recall / total if total > 0 else 0.0 if total == 0 else np.nan


@dataclass(frozen=True, eq=False)
class Classification:
    """What was found of N sources."""

    n: int
    accuracy: float
    classes: tuple[ClassMetrics, ...]
    confusion: np.ndarray
    """(K, K + 1), rows are what sources are, columns what they were called, the last not classified."""
    calibration_error: float
    """The expected calibration error of the highest probability (Guo et al. 2017, eq. 3), BINS of as many each."""

    @property
    def macro_f1(self) -> float:
        """The mean of the classes' F1, however many there are of each."""
        return float(np.nanmean([entry.f1 for entry in self.classes]))

    def of(self, name: str) -> ClassMetrics:
        """One class by name."""
        return self.classes[CLASSES.index(name)]

    def table(self, caption: str = "") -> Table:
        """A row a class."""
        rows = tuple(
            (entry.name, f"{entry.n:,}", *(percent(_known(x), 2) for x in (entry.precision, entry.recall, entry.f1)))
            for entry in self.classes
        )
        last = f"{percent(self.accuracy, 2)} right, macro F1 {percent(self.macro_f1, 2)}, expected calibration error "
        text = f"{caption}{'; ' if caption else ''}{last}{number(self.calibration_error, 4)}"
        return Table(("class", "n", "precision", "recall", "F1"), rows, text)

    def confusion_table(self, *, shares: bool = False) -> Table:
        """What sources are against what they were called, in numbers or in shares of each row."""
        total = np.maximum(self.confusion.sum(axis=1, keepdims=True), 1)
        cells = [
            [percent(value, 2) for value in row] if shares else [f"{value:,}" for value in count]
            for count, row in zip(self.confusion, self.confusion / total, strict=True)
        ]
        rows = tuple((name, *row) for name, row in zip(CLASSES, cells, strict=True))
        return Table(("is, called", *CLASSES, "not classified"), rows)


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def judge_classes(probability: np.ndarray, true: np.ndarray) -> Classification:
    """Metrics of probabilities (N, K) of sources whose classes are `true` (N,), index into CLASSES; those whose class
    is not known, -1, do not count. Raises RequestError for what are no probabilities, or where nothing is known."""
    probability, true = _checked(probability, true)
    called, k = classify(probability), len(CLASSES)
    confusion = np.zeros((k, k + 1), int)
    np.add.at(confusion, (true, np.where(called < 0, k, called)), 1)
    right = np.diag(confusion)
    with np.errstate(invalid="ignore"):
        precision, recall = right / confusion[:, :k].sum(axis=0), right / confusion.sum(axis=1)
    classes = tuple(
        ClassMetrics(name, int(confusion[j].sum()), float(precision[j]), float(recall[j]))
        for j, name in enumerate(CLASSES)
    )
    said, held, n = calibration_curve(probability, true)
    error = float(np.abs(said - held) @ n / n.sum()) if n.sum() else np.nan
    return Classification(len(true), float(right.sum() / len(true)), classes, confusion, error)


def calibration_curve(
    probability: np.ndarray, true: np.ndarray, *, of: str | None = None, bins: int = BINS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(B,) each: the mean probability that was said, the share that it held for, and how many, in bins of as many
    sources each; of the class with the highest probability, or of one class by name."""
    probability, true = _checked(probability, true)
    known = np.isfinite(probability).all(axis=1)
    probability, true = probability[known], true[known]
    if of is None:
        said, held = probability.max(axis=1, initial=0.0), classify(probability) == true
    else:
        said, held = probability[:, CLASSES.index(of)], true == CLASSES.index(of)
    order = np.argsort(said, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return (
        np.array([said[part].mean() for part in parts]),
        np.array([held[part].mean() for part in parts]),
        np.array([len(part) for part in parts]),
    )


@dataclass(frozen=True, eq=False)
class Thresholds:
    """Metrics of one class where only sources with a highest probability above a threshold are kept, each (T,)."""

    name: str
    threshold: np.ndarray
    kept: np.ndarray
    """The share of the class's sources that are kept."""
    precision: np.ndarray
    recall: np.ndarray
    """Among those that are kept."""

    @property
    def f1(self) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return 2 * self.precision * self.recall / (self.precision + self.recall)

    @property
    def completeness(self) -> np.ndarray:
        """Of all sources of the class: kept x recall."""
        return np.where(self.kept > 0, self.kept * np.nan_to_num(self.recall), 0.0)


def by_threshold(probability: np.ndarray, true: np.ndarray, threshold: Sequence[float]) -> tuple[Thresholds, ...]:
    """One a class; NaN where nothing is kept. Raises RequestError as `judge_classes` does."""
    probability, true = _checked(probability, true)
    called, top = classify(probability), np.nan_to_num(probability, nan=-1.0).max(axis=1)
    found = []
    for k, name in enumerate(CLASSES):
        rows = []
        for least in threshold:
            kept = top >= least
            hit, own, so = kept & (called == k) & (true == k), kept & (true == k), kept & (called == k)
            with np.errstate(invalid="ignore", divide="ignore"):
                rows.append(np.array([own.sum(), hit.sum(), hit.sum()]) / [(true == k).sum(), so.sum(), own.sum()])
        kept_share, precision, recall = np.array(rows).T
        found.append(Thresholds(name, np.asarray(threshold, float), kept_share, precision, recall))
    return tuple(found)


def _checked(probability: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    probability, true = np.asarray(probability, float), np.asarray(true)
    if probability.shape != (len(true), len(CLASSES)):
        raise RequestError(
            f"probabilities have shape {probability.shape}; expected ({len(true)}, {len(CLASSES)}), "
            f"{', '.join(CLASSES)}"
        )
    odd = true[(true < -1) | (true >= len(CLASSES))]
    if len(odd):
        raise RequestError(f"class {odd[0]}; accepted: 0 to {len(CLASSES) - 1}, or -1 for not known")
    some = np.isfinite(probability)
    if np.any(some.any(axis=1) != some.all(axis=1)) or np.any((probability < 0) | (probability > 1.0 + 1e-6)):
        raise RequestError("probabilities are not from 0 to 1, or some classes of a source have one and others none")
    total = probability.sum(axis=1)
    if np.any(np.abs(total[np.isfinite(total)] - 1.0) > 1e-4):
        raise RequestError(f"probabilities of a source add up to {total[np.nanargmax(np.abs(total - 1.0))]:.4g}, not 1")
    known = true >= 0
    if not known.any():
        raise RequestError("no source has a known class")
    return probability[known], true[known].astype(int)
