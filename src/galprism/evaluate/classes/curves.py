"""Probabilities of classes against what holds: calibration, and what a threshold on the highest one keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from galprism.data.classes import classify
from galprism.data.truth import CLASSES
from galprism.evaluate.classes.probabilities import checked, highest

BINS = 15
"""Of the calibration curve."""


def calibration_curve(
    probability: np.ndarray, true: np.ndarray, *, of: str | None = None, bins: int = BINS, equal_width: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(B,) each: the mean probability that was said, the share that it held for, and how many, in bins of as many
    sources each, or of equal width from 0 to 1 (empty ones are left out); of the class with the highest probability,
    or of one class by name."""
    said, held = _said_and_held(*checked(probability, true), of)
    parts = _parts(said, bins, equal_width)
    return (
        np.array([said[part].mean() for part in parts]),
        np.array([held[part].mean() for part in parts]),
        np.array([len(part) for part in parts]),
    )


def calibration_error(probability: np.ndarray, true: np.ndarray, *, of: str | None = None) -> tuple[float, float]:
    """The expected calibration error (Guo et al. 2017, eq. 3) in BINS bins of as many sources each, and what it would
    be on average were the probabilities exact: sqrt(2 / pi) of the standard deviation of each bin's share."""
    said, held = _said_and_held(*checked(probability, true), of)
    if not len(said):
        return np.nan, np.nan
    parts = _parts(said, BINS, equal_width=False)
    off = sum(abs(said[part].sum() - held[part].sum()) for part in parts)
    chance = sum(np.sqrt(2.0 / np.pi * np.sum(said[part] * (1.0 - said[part]))) for part in parts)
    return float(off / len(said)), float(chance / len(said))


def _said_and_held(probability: np.ndarray, true: np.ndarray, of: str | None) -> tuple[np.ndarray, np.ndarray]:
    classified = np.isfinite(probability).all(axis=1)
    probability, true = np.clip(probability[classified], 0.0, 1.0), true[classified]
    if of is None:
        return highest(probability), classify(probability) == true
    return probability[:, CLASSES.index(of)], true == CLASSES.index(of)


def _parts(said: np.ndarray, bins: int, equal_width: bool) -> list[np.ndarray]:
    if equal_width:
        place = np.minimum((said * bins).astype(int), bins - 1)
        parts = [np.flatnonzero(place == k) for k in range(bins)]
    else:
        parts = np.array_split(np.argsort(said, kind="stable"), bins)
    return [part for part in parts if len(part)]


@dataclass(frozen=True, eq=False)
class Thresholds:
    """Metrics of one class where only sources with a highest probability above a threshold are kept, each (T,)."""

    name: str
    threshold: np.ndarray
    kept: np.ndarray
    """The share of the class's sources that are kept, whatever they are called; one not classified never is."""
    precision: np.ndarray
    recall: np.ndarray
    """Among those that are kept."""
    n_called: np.ndarray
    """Sources that are kept and called so."""

    @property
    def f1(self) -> np.ndarray:
        """Of those that are kept."""
        with np.errstate(invalid="ignore"):
            return 2 * self.precision * self.recall / (self.precision + self.recall)

    @property
    def completeness(self) -> np.ndarray:
        """Of all sources of the class: kept x recall."""
        return np.where(self.kept == 0, 0.0, self.kept * self.recall)


def by_threshold(
    probability: np.ndarray, true: np.ndarray, threshold: Sequence[float] | np.ndarray
) -> tuple[Thresholds, ...]:
    """One a class; NaN where nothing is kept. Raises RequestError as `judge_classes` does."""
    probability, true = checked(probability, true)
    called, top = classify(probability), np.nan_to_num(highest(probability), nan=-1.0)
    found = []
    for k, name in enumerate(CLASSES):
        own, so = _above(top[true == k], threshold), _above(top[called == k], threshold)
        hit = _above(top[(true == k) & (called == k)], threshold)
        with np.errstate(invalid="ignore", divide="ignore"):
            kept, precision, recall = own / np.count_nonzero(true == k), hit / so, hit / own
        found.append(Thresholds(name, np.asarray(threshold, float), kept, precision, recall, so))
    return tuple(found)


def _above(values: np.ndarray, threshold: Sequence[float] | np.ndarray) -> np.ndarray:
    """(T,): how many values reach each threshold."""
    return len(values) - np.searchsorted(np.sort(values), np.asarray(threshold, float), side="left")
