"""Probabilities of classes as the columns of Predictions that every classifier fills, and back."""

from __future__ import annotations

import numpy as np

from galprism.data.predictions import Predictions
from galprism.data.truth import CLASSES
from galprism.errors import RequestError


def class_columns(probability: np.ndarray) -> dict[str, np.ndarray]:
    """`class`, `p_max`, `prob_star`, `prob_qso`, `prob_galaxy`, each (N,), of probabilities (N, K) in the order of
    galprism.data.truth.CLASSES; NaN, and an empty class, where a source has none.

    Raises RequestError where they are of another shape.
    """
    probability = np.asarray(probability, dtype=np.float64)
    if probability.ndim != 2 or probability.shape[1] != len(CLASSES):
        raise RequestError(f"probabilities have shape {probability.shape}; expected (N, {len(CLASSES)})")
    known = np.isfinite(probability).all(axis=1)
    top = np.argmax(np.where(known[:, None], probability, 0.0), axis=1)
    return {
        "class": np.where(known, np.array(CLASSES)[top], ""),
        "p_max": np.where(known, probability.max(axis=1), np.nan),
        **{f"prob_{name}": np.where(known, probability[:, k], np.nan) for k, name in enumerate(CLASSES)},
    }


def class_probabilities(predictions: Predictions) -> np.ndarray:
    """(N, K), the probabilities that predictions hold. Raises RequestError where they have none of a class."""
    missing = [name for name in CLASSES if f"prob_{name}" not in predictions.extra]
    if missing:
        raise RequestError(
            f"the predictions have no prob_{missing[0]}; they have {', '.join(predictions.extra) or 'no such column'}"
        )
    return np.stack([np.asarray(predictions.extra[f"prob_{name}"], np.float64) for name in CLASSES], axis=1)
