"""Two methods on the same sources: how often they agree, and which of them is right where they do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from galprism.data import CLASSES
from galprism.evaluate.classes.metrics import confusion_matrix, macro_f1, macro_f1_influence
from galprism.evaluate.classes.sample import ClassSample


@dataclass(frozen=True, eq=False)
class Agreement:
    """Of one method with another."""

    sample: ClassSample
    method: str
    reference: str
    cross: np.ndarray
    """(K + 1, K + 1): rows are what `method` called a source, columns what `reference` did, the last not classified."""
    right_alone: tuple[int, int] | None
    """Sources that only the method, and only the reference, is right on; None without a truth."""
    accuracy_difference: tuple[float, float] | None
    """Of the method minus the reference, and its standard error as of paired data (McNemar 1947)."""
    macro_f1_difference: tuple[float, float] | None
    """The same of the macro F1, its error by the delta method of the pairs."""

    @property
    def share(self) -> float:
        """Of the sources, those that both called the same."""
        k = len(CLASSES)
        return float(np.trace(self.cross[:k, :k]) / self.sample.n)

    def record(self) -> dict[str, Any]:
        """For JSON."""
        named = {"sample": self.sample.label, "method": self.method, "reference": self.reference, "n": self.sample.n}
        names = ("share", "cross", "right_alone", "accuracy_difference", "macro_f1_difference")
        return named | {name: getattr(self, name) for name in names}


def agreement(sample: ClassSample, method: str, reference: str) -> Agreement:
    """How far two methods agree on a sample."""
    k, true = len(CLASSES), sample.true
    called, other = sample.called(method), sample.called(reference)
    cross = np.zeros((k + 1, k + 1), int)
    np.add.at(cross, (np.where(called < 0, k, called), np.where(other < 0, k, other)), 1)
    if true is None:
        return Agreement(sample, method, reference, cross, None, None, None)
    right, also = called == true, other == true
    gained, lost = int((right & ~also).sum()), int((also & ~right).sum())
    difference = (gained - lost) / sample.n
    error = np.sqrt(max((gained + lost) / sample.n - difference**2, 0.0) / sample.n)
    accuracy = (float(difference), float(error))
    return Agreement(sample, method, reference, cross, (gained, lost), accuracy, _macro_f1(true, called, other))


def _macro_f1(true: np.ndarray, called: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    mine, theirs = confusion_matrix(true, called), confusion_matrix(true, other)
    each = macro_f1_influence(mine)[true, called] - macro_f1_influence(theirs)[true, other]
    return macro_f1(mine) - macro_f1(theirs), float(np.sqrt(np.sum(each**2)))
