"""How good classes are: accuracy, precision, recall, F1, the confusion, and whether probabilities are what they say.

Definitions are those of the KiDS DR5 star-quasar-galaxy paper (Feng et al. 2025, eqs. 3 to 6). Probabilities are (N, K)
over K classes, in the order of galprism.data.truth.CLASSES; a source that was not classified has NaN, and counts as
wrong.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from galprism.data.classes import classify
from galprism.data.truth import CLASSES
from galprism.evaluate.calibration import wilson
from galprism.evaluate.classes.curves import calibration_error
from galprism.evaluate.classes.probabilities import checked
from galprism.evaluate.tables import Table, number, percent


@dataclass(frozen=True)
class ClassMetrics:
    """Of one class, from its counts."""

    name: str
    n: int
    """Sources that are of it."""
    called: int
    """Sources that were called so."""
    right: int
    """Both."""

    @property
    def precision(self) -> float:
        """TP / (TP + FP), the purity; NaN where nothing was called so."""
        return self.right / self.called if self.called else np.nan

    @property
    def precision_err(self) -> float:
        return half_wilson(self.right, self.called)

    @property
    def recall(self) -> float:
        """TP / (TP + FN), the completeness; NaN where no source is of it."""
        return self.right / self.n if self.n else np.nan

    @property
    def recall_err(self) -> float:
        return half_wilson(self.right, self.n)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN), the harmonic mean of precision and recall: 0 where none of the class's sources was
        called so, NaN where no source is of it."""
        return 2.0 * self.right / (self.n + self.called) if self.n else np.nan

    @property
    def f1_err(self) -> float:
        """By the delta method from J = TP / (TP + FP + FN), a binomial share, since F1 = 2 J / (1 + J)."""
        if not self.n:
            return np.nan
        either = self.n + self.called - self.right
        return 2.0 / (1.0 + self.right / either) ** 2 * half_wilson(self.right, either)


@dataclass(frozen=True, eq=False)
class Classification:
    """What was found of N sources whose classes are known."""

    n: int
    confusion: np.ndarray
    """(K, K + 1), rows are what sources are, columns what they were called, the last not classified."""
    calibration_error: float
    """The expected calibration error of the highest probability (Guo et al. 2017, eq. 3), in bins of as many sources
    each; NaN where nothing was classified."""
    calibration_chance: float
    """What it would be on average, were the probabilities exact: with few sources it is not zero."""
    brier: float
    """The mean of sum_k (p_k - [the source is k])^2 (Brier 1950), from 0 to 2, over those classified; least on average
    for exact probabilities."""

    @property
    def accuracy(self) -> float:
        return float(np.trace(self.confusion) / self.n)

    @property
    def accuracy_err(self) -> float:
        return half_wilson(int(np.trace(self.confusion)), self.n)

    @property
    def not_classified(self) -> int:
        return int(self.confusion[:, -1].sum())

    @property
    def classes(self) -> tuple[ClassMetrics, ...]:
        """In the order of CLASSES."""
        called = self.confusion.sum(axis=0)
        return tuple(
            ClassMetrics(name, int(self.confusion[j].sum()), int(called[j]), int(self.confusion[j, j]))
            for j, name in enumerate(CLASSES)
        )

    @property
    def macro_f1(self) -> float:
        """The mean of the F1 of the classes that there are, however many there are of each."""
        return macro_f1(self.confusion)

    @property
    def macro_f1_err(self) -> float:
        """By the delta method; one mistake lowers the F1 of two classes."""
        return float(np.sqrt(np.sum(self.confusion * macro_f1_influence(self.confusion) ** 2)))

    def of(self, name: str) -> ClassMetrics:
        """One class by name."""
        return self.classes[CLASSES.index(name)]

    def table(self, caption: str = "") -> Table:
        """A row a class."""
        rows = tuple(
            (entry.name, f"{entry.n:,}", *(percent(known(x), 2) for x in (entry.precision, entry.recall, entry.f1)))
            for entry in self.classes
        )
        last = f"{percent(self.accuracy, 2)} right, macro F1 {percent(self.macro_f1, 2)}, expected calibration error "
        text = f"{caption}{'; ' if caption else ''}{last}{number(known(self.calibration_error), 4)}"
        return Table(("class", "n", "precision", "recall", "F1"), rows, text)

    def confusion_table(self, caption: str = "", *, shares: bool = False) -> Table:
        """What sources are against what they were called, in numbers or in shares of each row."""
        total = np.maximum(self.confusion.sum(axis=1, keepdims=True), 1)
        cells = [
            [percent(value, 2) for value in row] if shares else [f"{value:,}" for value in count]
            for count, row in zip(self.confusion, self.confusion / total, strict=True)
        ]
        rows = tuple((name, *row) for name, row in zip(CLASSES, cells, strict=True))
        return Table(("is, called", *CLASSES, "not classified"), rows, caption)


def known(value: float) -> float | None:
    """The number, or None where it is not one."""
    return float(value) if math.isfinite(value) else None


def half_wilson(successes: int, n: int) -> float:
    """Half the 68 % Wilson interval of a share; NaN of nothing."""
    if not n:
        return np.nan
    low, high = wilson(successes, n)
    return (high - low) / 2


def confusion_matrix(true: np.ndarray, called: np.ndarray) -> np.ndarray:
    """(K, K + 1): how many sources of each class, `true` (N,), were called what; `called` is -1 where nothing."""
    k = len(CLASSES)
    confusion = np.zeros((k, k + 1), int)
    np.add.at(confusion, (true, np.where(called < 0, k, called)), 1)
    return confusion


def macro_f1(confusion: np.ndarray) -> float:
    """The mean of the F1 of the classes that there are."""
    own = confusion.sum(axis=1)
    there = own > 0
    total = own + confusion.sum(axis=0)[: len(own)]
    return float(np.mean(2.0 * np.diag(confusion)[there] / total[there]))


def macro_f1_influence(confusion: np.ndarray) -> np.ndarray:
    """(K, K + 1): what one more source in a cell of the confusion would add to the macro F1, the derivative of it."""
    k = len(confusion)
    own, called = confusion.sum(axis=1), confusion.sum(axis=0)[:k]
    right, total = np.diag(confusion), own + called
    there = own > 0
    influence = np.zeros(confusion.shape)
    for j in np.flatnonzero(there):
        influence[j, :] -= 2.0 * right[j] / total[j] ** 2
        influence[:, j] -= 2.0 * right[j] / total[j] ** 2
        influence[j, j] += 2.0 / total[j]
    return influence / there.sum()


def judge_classes(probability: np.ndarray, true: np.ndarray) -> Classification:
    """Metrics of probabilities (N, K) of sources whose classes are `true` (N,), index into CLASSES; those whose class
    is not known, -1, do not count. Raises RequestError for what are no probabilities, or where nothing is known."""
    probability, true = checked(probability, true)
    called = classify(probability)
    error, chance = calibration_error(probability, true)
    squares = ((probability - np.eye(len(CLASSES))[true]) ** 2).sum(axis=1)[called >= 0]
    brier = float(squares.mean()) if len(squares) else np.nan
    return Classification(len(true), confusion_matrix(true, called), error, chance, brier)
