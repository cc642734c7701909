"""Studies of a classifier that take several trainings: brighter for fainter, and few for many.

The trainings are the caller's; here is which sources each has, and what comes of the answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from galprism.data import CLASSES
from galprism.errors import RequestError
from galprism.evaluate.classes.metrics import Classification
from galprism.evaluate.classes.sample import numbered
from galprism.evaluate.classes.tables import share
from galprism.evaluate.tables import Table


@dataclass(frozen=True)
class Division:
    """Sources to learn from, and fainter ones to be tried on."""

    train: tuple[float, float]
    """low < magnitude <= high; low may be -inf."""
    test: tuple[float, float]
    """low < magnitude <= high, from the faint end of `train` on."""

    def __post_init__(self) -> None:
        if not (self.train[0] < self.train[1] <= self.test[0] < self.test[1]):
            raise RequestError(
                f"train on {self.train}, test on {self.test}: accepted: (low, high) of ascending magnitudes, the "
                "test from the faint end of the training on"
            )

    def label(self, band: str) -> tuple[str, str]:
        """What is learned from and tried on, as tables say it."""
        return _range(self.train, band), _range(self.test, band)

    def rows(self, magnitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N,) bool each: to learn from, and to be tried on; a source without a magnitude (NaN) is neither.

        Raises RequestError where either has no source.
        """
        magnitude = np.asarray(magnitude, float)
        train, test = ((magnitude > low) & (magnitude <= high) for low, high in (self.train, self.test))
        for rows, (low, high), what in ((train, self.train, "learn from"), (test, self.test, "be tried on")):
            if not rows.any():
                raise RequestError(
                    f"no source to {what} between magnitudes {low:g} and {high:g}; there are "
                    f"{np.nanmin(magnitude):g} to {np.nanmax(magnitude):g}"
                )
        return train, test


def brighter_than(limits: Iterable[float], beyond: float = 1.0) -> tuple[Division, ...]:
    """Learn from all that are brighter than a limit, try on the next `beyond` magnitudes: the first of two ways of
    Feng et al. 2025, Sect. 4.2, which goes from 0.5 to 1.5 (Table 2 has 1)."""
    return tuple(Division((-np.inf, limit), (limit, limit + beyond)) for limit in limits)


def in_bins(bins: Iterable[tuple[float, float]], beyond: float = 1.0) -> tuple[Division, ...]:
    """Learn from a bin of magnitude, try on the next `beyond` magnitudes: the second way."""
    return tuple(Division((low, high), (high, high + beyond)) for low, high in bins)


TABLE_2 = (*brighter_than((21, 20, 19, 18)), *in_bins(((19, 21), (18, 20), (17.5, 19.5), (17, 19))))
"""Rows of Table 2 of Feng et al. 2025, in r; its last but one tests from 19.5 to 20.5, and prints 20.5 twice."""


def extrapolation_table(found: Mapping[Division, Classification], band: str = "r", caption: str = "") -> Table:
    """Precision, recall and F1 of each class, a row a division, as Table 2 has them."""
    metrics = (f"{name}: {what}" for name in CLASSES for what in ("precision", "recall", "F1"))
    header = ("learned from", "tried on", " / ".join(CLASSES), *metrics)
    rows = []
    for division, of in found.items():
        cells = [*division.label(band), " / ".join(f"{entry.n:,}" for entry in of.classes)]
        for entry in of.classes:
            values = (
                (entry.precision, entry.precision_err),
                (entry.recall, entry.recall_err),
                (entry.f1, entry.f1_err),
            )
            cells += [share(*value) for value in values]
        rows.append(tuple(cells))
    return Table(header, tuple(rows), caption, 2)


def nested_subsets(classes: np.ndarray, sizes: Sequence[int], seed: int = 0) -> dict[int, np.ndarray]:
    """Rows of random subsets by size, each within the next, so that what is learned from only grows; a size's classes
    are as chance has it, as in Feng et al. 2025, App. B.

    Raises RequestError for a size that is not from 1 to the number of sources, or that lacks a class that there is.
    """
    classes = np.asarray(classes)
    order = np.random.default_rng(seed).permutation(len(classes))
    found = {}
    for size in sorted(sizes):
        if not 1 <= size <= len(classes):
            raise RequestError(f"training size {size}; accepted: 1 to {len(classes)}, the sources that there are")
        found[size] = np.sort(order[:size])
        lacking = sorted(set(np.unique(classes[classes >= 0]).tolist()) - set(classes[found[size]].tolist()))
        if lacking:
            raise RequestError(
                f"training size {size} has no {CLASSES[lacking[0]]} among its sources; take more, or another seed"
            )
    return found


def training_size_table(found: Mapping[int, Classification]) -> Table:
    """Accuracy, macro F1 and the F1 of each class, a row a training size; all tried on the same sources."""
    tried = {tuple(entry.n for entry in of.classes) for of in found.values()}
    if len(tried) != 1:
        raise RequestError(
            f"trainings are compared that were tried on different sources: {sorted(tried)} of each class"
        )
    header = ("learned from", "accuracy", "macro F1", *(f"{name}: F1" for name in CLASSES))
    rows = tuple(
        (
            f"{size:,}",
            share(of.accuracy, of.accuracy_err),
            share(of.macro_f1, of.macro_f1_err),
            *(share(entry.f1, entry.f1_err) for entry in of.classes),
        )
        for size, of in sorted(found.items())
    )
    return Table(header, rows, f"tried on {numbered(dict(zip(CLASSES, tried.pop(), strict=True)))}")


def _range(ends: tuple[float, float], band: str) -> str:
    low, high = ends
    return f"{band} ≤ {high:g}" if np.isinf(low) else f"{low:g} < {band} ≤ {high:g}"
