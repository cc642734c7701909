"""Probabilities of classes: which is the highest, and what becomes of them where classes are otherwise common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from galprism.data.truth import CLASSES
from galprism.errors import RequestError


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
    """Columns `class` (empty where nothing is known), `p_max` and `prob_star` … of probabilities (N, K)."""
    called = classify(probability)
    names = np.array([*CLASSES, ""])
    top = np.where(called >= 0, np.nan_to_num(probability).max(axis=1), np.nan)
    columns = {"class": names[called], "p_max": top.astype(np.float32)}
    return columns | {f"prob_{name}": probability[:, k].astype(np.float32) for k, name in enumerate(CLASSES)}
