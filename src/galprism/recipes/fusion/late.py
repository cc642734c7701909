"""Late fusion: what models answer, averaged, or joined by least squares on the galaxies of validation. The test is not
looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

from galprism.errors import RequestError
from galprism.recipes.fusion.bench import Model, Row
from galprism.recipes.fusion.seen import Seen

RIDGES = tuple(10.0 ** np.arange(-3, 4))
"""Of the answers' weights, tried by leaving one galaxy out."""
FOLDS = 10
"""Of the galaxies of validation, each of which is told by weights that are learned from the others."""
PARTS = ("validation", "test")
"""Of which the models' answers are known."""
HOW = ("averaged", "weighed", "stacked")


@dataclass(frozen=True, eq=False)
class LateFusion:
    """Models of the bench as one."""

    members: tuple[Model, ...]
    row_of: Callable[[Model], Row]
    """What a member has answered."""
    how: str
    """One of HOW. "averaged": the mean of their answers. On the galaxies of validation are learned, "weighed": of each
    target the sum of their answers about it with weights of 0 or more (Breiman 1996, Machine Learning, 24, 49);
    "stacked": of each target the linear combination of all their answers, whatever target they are about, by ridge
    regression."""

    def __post_init__(self) -> None:
        if len(self.members) < 2 or self.how not in HOW:
            raise RequestError(
                f"late fusion {self.how!r} of {len(self.members)} models; accepted: {', '.join(HOW)}, of 2 or more"
            )

    @property
    def name(self) -> str:
        return f"late fusion, {self.how}: {' + '.join(self.sees)}"

    @property
    def sees(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(block for one in self.members for block in one.sees))

    @property
    def key(self) -> Any:
        """The members'."""
        return [[one.name, one.sees, one.key] for one in self.members]

    def fit(self, seen: Seen, work: Path) -> FittedLate:
        """`work` is not needed."""
        members = [self.row_of(one) for one in self.members]
        if self.how == "averaged":
            return FittedLate(members, None)
        rows = seen.rows("validation")
        learn = weighed if self.how == "weighed" else stacked
        return FittedLate(members, *learn(_standard(seen, members, rows), seen.standard()[rows].astype(float)))


@dataclass(frozen=True, eq=False)
class FittedLate:
    """Weights of the members' answers."""

    members: Sequence[Row]
    matrix: np.ndarray | None
    """(K P + 1, P), of the answers and of 1; None for the mean."""
    left_out: np.ndarray | None = None
    """(n, P), standard: what is answered about each galaxy of validation when the matrix is learned from the others."""

    @property
    def weights(self) -> int:
        """Those of its members too."""
        own = 0 if self.matrix is None else np.count_nonzero(self.matrix)
        return int(sum(row.weights for row in self.members) + own)

    def answers(self, seen: Seen, rows: np.ndarray) -> np.ndarray:
        """Of galaxies of validation, of which it tells what it would say had it not learned from them, or test.
        Raises RequestError for others, about which members were not asked."""
        own = _standard(seen, self.members, rows)
        learned = seen.rows("validation")
        if self.left_out is not None and np.array_equal(rows, learned):
            return seen.in_units(self.left_out)
        if self.matrix is None:
            return seen.in_units(own.reshape(len(own), len(self.members), -1).mean(axis=1))
        return seen.in_units(_with_one(own) @ self.matrix)


def weighed(answers: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(K P + 1, P): of each target the weights, 0 or more, of the answers about it, of those (n, K P) of K models, that
    give truth (n, P) best in least squares; all others are 0. And what is then said of the galaxies (n, P), each of
    FOLDS parts by weights that are learned from the others."""
    n, p = truth.shape
    found, said = np.zeros((answers.shape[1] + 1, p)), np.zeros(truth.shape)
    part = np.arange(n) % FOLDS
    for j in range(p):
        own = answers[:, j::p]  # (n, K)
        found[j:-1:p, j] = nnls(own, truth[:, j])[0]
        for k in np.unique(part):
            said[part == k, j] = own[part == k] @ nnls(own[part != k], truth[part != k, j])[0]
    return found, said


def stacked(answers: np.ndarray, truth: np.ndarray, ridges: Sequence[float] = RIDGES) -> tuple[np.ndarray, np.ndarray]:
    """(F + 1, P): the weights of answers (n, F) and of 1 that give truth (n, P) best in least squares, weights of
    answers held small by a ridge; of each target that one of `ridges` with the least error when galaxies are left out
    one by one, which is r / (1 - h) with residuals r and the leverage h (Allen 1974, Technometrics, 16, 125). And what
    is then said of the galaxies (n, P), each left out in turn."""
    columns = _with_one(answers)
    best = np.full(truth.shape[1], np.inf)
    found, said = np.zeros((columns.shape[1], truth.shape[1])), np.zeros(truth.shape)
    for ridge in ridges:
        held = np.full(columns.shape[1], float(ridge))
        held[-1] = 0.0
        solve = np.linalg.pinv(columns.T @ columns + np.diag(held)) @ columns.T
        weights = solve @ truth
        leverage = np.einsum("nf,fn->n", columns, solve)
        left_out = (truth - columns @ weights) / np.maximum(1 - leverage, 1e-6)[:, None]
        error = (left_out**2).mean(axis=0)
        better = error < best
        best[better], found[:, better] = error[better], weights[:, better]
        said[:, better] = (truth - left_out)[:, better]
    return found, said


def _with_one(answers: np.ndarray) -> np.ndarray:
    return np.column_stack([answers, np.ones(len(answers))])


def _standard(seen: Seen, members: Sequence[Row], rows: np.ndarray) -> np.ndarray:
    """(n, K P): what the members answered, scaled as the targets are."""
    known = np.concatenate([seen.rows(part) for part in PARTS])
    place = np.searchsorted(known, rows)
    if not np.isin(rows, known).all():
        raise RequestError("late fusion of galaxies of training; accepted: of validation and test")
    answers = [np.concatenate([row.answers[part] for part in PARTS])[place] for row in members]
    return np.concatenate([(answer - seen.centre) / seen.scale for answer in answers], axis=1)
