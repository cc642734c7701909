"""What sources were called, how surely, and how many quasars that puts on the sky."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from galprism.data import CLASSES
from galprism.evaluate.classes.probabilities import highest
from galprism.evaluate.classes.sample import ClassSample

SURE = 0.9
"""A highest probability from here on is called sure, as the KiDS paper does (Feng et al. 2025, Sect. 4.3)."""
STEP = 0.5
"""mag, of counts on the sky."""


@dataclass(frozen=True)
class Called:
    """Of one class, by one method, on the uncut sample."""

    method: str
    name: str
    """The class; empty for all sources."""
    n: int
    """Sources that were called so."""
    sure: int
    """Of these, those with a highest probability from SURE on."""
    median: float
    """Of the highest probability; NaN where nothing was called so."""
    expected: float
    """The sum of the class's probability over all sources: how many there are, were the probabilities exact."""
    true: int | None
    """Sources that are of the class; None without a truth."""


def called_so(sample: ClassSample, method: str) -> tuple[Called, ...]:
    """One a class, and one of all classes."""
    probability, called, true = sample.probability(method), sample.called(method), sample.true
    top = highest(probability)
    found = []
    for k, name in enumerate((*CLASSES, "")):
        rows = called == k if name else called >= 0
        expected = np.nansum(probability[:, k] if name else probability)
        n_true = None if true is None else int((true == k).sum()) if name else sample.n
        median = float(np.median(top[rows])) if rows.any() else np.nan
        sure = int((top[rows] >= SURE).sum())
        found.append(Called(method, name, int(rows.sum()), sure, median, float(expected), n_true))
    return tuple(found)


@dataclass(frozen=True)
class Density:
    """Sources on the sky by magnitude: those called so by a method, or those that are (`method` is `truth`)."""

    method: str
    name: str
    """The class."""
    area: float
    """deg^2."""
    edges: tuple[float, ...]
    """E magnitudes."""
    n: tuple[int, ...]
    """E - 1, in each step of magnitude."""
    brighter: tuple[int, ...]
    """E - 1, brighter than the step's faint end; brighter ones than the first edge are among them."""
    expected: tuple[float, ...] | None
    """E - 1, the sum of the class's probability over all sources as bright; None of the truth."""


def densities(sample: ClassSample, area: float, name: str = "qso") -> tuple[Density, ...]:
    """The truth's where there is one, then one a method, in steps of STEP over the magnitudes of whatever is or was
    called so; none where nothing is. Sources without a magnitude are in none."""
    k, magnitude = CLASSES.index(name), sample.magnitude
    assert magnitude is not None
    members = {} if sample.true is None else {"truth": sample.true == k}
    members |= {method: sample.called(method) == k for method in sample.methods}
    some = np.concatenate([magnitude[rows] for rows in members.values()])
    some = some[np.isfinite(some)]
    if not len(some):
        return ()
    first, last = np.floor(np.percentile(some, 0.5) / STEP), np.ceil(some.max() / STEP)
    edges = STEP * np.arange(first, max(last, first + 1) + 1)
    found = []
    for method, rows in members.items():
        n = np.histogram(magnitude[rows], edges)[0]
        brighter = _brighter(magnitude[rows], edges[1:])
        weight = None if method == "truth" else sample.probability(method)[:, k]
        expected = None if weight is None else tuple(_weighted(magnitude, weight, edges[1:]))
        found.append(Density(method, name, area, tuple(edges), tuple(map(int, n)), tuple(brighter), expected))
    return tuple(found)


def _brighter(magnitude: np.ndarray, limits: np.ndarray) -> list[int]:
    return [int((magnitude <= limit).sum()) for limit in limits]


def _weighted(magnitude: np.ndarray, weight: np.ndarray, limits: np.ndarray) -> list[float]:
    return [float(np.nansum(weight[magnitude <= limit])) for limit in limits]
