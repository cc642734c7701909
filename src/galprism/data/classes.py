"""Probabilities of classes: the columns that every classifier fills, which is the highest, and what becomes of them
where classes are otherwise common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from galprism.data.predictions import Predictions
from galprism.data.truth import CLASSES
from galprism.errors import RequestError

COLUMNS = tuple(f"prob_{name}" for name in CLASSES)
"""Of probabilities, in a table of predictions."""


def classify(probability: np.ndarray) -> np.ndarray:
    """(N,), int: the class of the highest probability of (N, K); -1 where there is none."""
    known = np.isfinite(probability).all(axis=1)
    return np.where(known, np.argmax(np.where(known[:, None], probability, 0.0), axis=1), -1)


def with_priors(probability: np.ndarray, before: Sequence[float], after: Sequence[float]) -> np.ndarray:
    """Probabilities (N, K) under class shares `before` as they are under `after` (Saerens, Latinne & Decaestecker 2002,
    Neural Computation 14, 21, eq. 2.4): a classifier that learned from as many quasars as stars, on a sky with few.

    Raises RequestError for shares that are not as many as classes, or not above zero before and from zero on after.
    """
    before_, after_ = np.asarray(before, float), np.asarray(after, float)
    for what, shares, least in (("before", before_, np.nextafter(0.0, 1.0)), ("after", after_, 0.0)):
        if shares.shape != (len(CLASSES),) or not np.all(shares >= least) or not shares.sum() > 0:
            above = "above zero" if what == "before" else "from zero on, one at least above"
            raise RequestError(f"class shares {what} = {shares.tolist()}; accepted: {len(CLASSES)} numbers {above}")
    weighted = np.asarray(probability, float) * (after_ / after_.sum()) / (before_ / before_.sum())
    return weighted / weighted.sum(axis=1, keepdims=True)


def class_columns(probability: np.ndarray) -> dict[str, np.ndarray]:
    """`class`, `p_max`, `prob_star`, `prob_qso`, `prob_galaxy`, each (N,), of probabilities (N, K) in the order of
    galprism.data.truth.CLASSES; NaN, and an empty class, where a source has none.

    Raises RequestError where they are of another shape.
    """
    probability = np.asarray(probability, dtype=np.float64)
    if probability.ndim != 2 or probability.shape[1] != len(CLASSES):
        raise RequestError(f"probabilities have shape {probability.shape}; expected (N, {len(CLASSES)})")
    called = classify(probability)
    probability = np.where(called[:, None] >= 0, probability, np.nan).astype(np.float32)
    return {
        "class": np.array([*CLASSES, ""])[called],
        "p_max": probability.max(axis=1),
        **{column: probability[:, k] for k, column in enumerate(COLUMNS)},
    }


def class_probabilities(predictions: Predictions, name: str = "the table of predictions") -> np.ndarray:
    """(N, K), the probabilities that predictions hold, NaN where a source was not classified.

    name : what the predictions are called in an error

    Raises RequestError where a class has no column, or one that holds no numbers.
    """
    lacking = [column for column in COLUMNS if column not in predictions.extra]
    if lacking:
        has = ", ".join(predictions.extra) or "none"
        raise RequestError(f"{name} has no column {', '.join(lacking)}; accepted: {', '.join(COLUMNS)}; it has {has}")
    texts = [column for column in COLUMNS if np.asarray(predictions.extra[column]).dtype.kind not in "fiu"]
    if texts:
        raise RequestError(f"{name}: column {texts[0]} is no column of numbers; accepted: probabilities, 0 to 1")
    return np.stack([np.asarray(predictions.extra[column], np.float64) for column in COLUMNS], axis=1)
