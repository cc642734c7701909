"""Probabilities of classes: where predictions have them, what they must be, and what class they say."""

from __future__ import annotations

import numpy as np

from galprism.data import CLASSES, Predictions
from galprism.data.classes import COLUMNS, class_probabilities
from galprism.errors import RequestError

TOLERANCE = 1e-3
"""How far the probabilities of a source may add up to something else than 1: they may have been rounded."""


def has_classes(predictions: Predictions) -> bool:
    """Whether there is any column of COLUMNS."""
    return any(column in predictions.extra for column in COLUMNS)


def probabilities(predictions: Predictions, name: str) -> np.ndarray:
    """(N, K), NaN where a source was not classified; `name` is what the predictions are called in an error.

    Raises RequestError where a class has no column, or a row holds what are no probabilities.
    """
    probability = class_probabilities(predictions, name)
    _check(probability, name, predictions.id)
    return probability


def highest(probability: np.ndarray) -> np.ndarray:
    """(N,): the highest probability, p_max; NaN where there is none."""
    return np.minimum(probability.max(axis=1), 1.0)


def checked(probability: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays, of the sources whose class is known.

    Raises RequestError for what are no probabilities or classes, and where no class is known.
    """
    probability, true = np.asarray(probability, float), np.asarray(true)
    if probability.shape != (len(true), len(CLASSES)):
        raise RequestError(
            f"probabilities have shape {probability.shape}; expected ({len(true)}, {len(CLASSES)}), "
            f"{', '.join(CLASSES)}"
        )
    odd = true[(true < -1) | (true >= len(CLASSES))]
    if len(odd):
        raise RequestError(f"class {odd[0]}; accepted: 0 to {len(CLASSES) - 1}, or -1 for not known")
    _check(probability, "probabilities", np.arange(len(true)), "row")
    given = true >= 0
    if not given.any():
        raise RequestError("no source has a known class")
    return probability[given], true[given].astype(int)


def _check(probability: np.ndarray, name: str, ids: np.ndarray, what: str = "id") -> None:
    """Raises RequestError that names the first source whose numbers are no probabilities, and how many there are."""
    some = np.isfinite(probability)
    with np.errstate(invalid="ignore"):
        outside = ((probability < 0) | (probability > 1.0 + TOLERANCE) | np.isinf(probability)).any(axis=1)
    partly = some.any(axis=1) & ~some.all(axis=1)
    off = some.all(axis=1) & (np.abs(probability.sum(axis=1) - 1.0) > TOLERANCE)
    for wrong, problem in (
        (outside, "are not from 0 to 1"),
        (partly, "are given for some classes and not for others"),
        (off, "do not add up to 1"),
    ):
        if wrong.any():
            first = int(np.argmax(wrong))
            values = ", ".join(f"{value:.4g}" for value in probability[first])
            raise RequestError(
                f"{name}: of {what} {ids[first]} they {problem}: {values} ({', '.join(CLASSES)}); "
                f"{int(wrong.sum()):,} of {len(wrong):,} rows are like it; accepted: probabilities that add up to 1 "
                f"within {TOLERANCE:g}, or none where a source was not classified"
            )
