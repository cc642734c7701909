"""Settings of boosted trees by search: what does best on sources that were held back of those to learn from.

The search is that of galprism.fit.search; of each trial the learning sources are cut into folds, each judged by trees
that learned from the others. What is tested on must not be among them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from galprism.data import CLASSES
from galprism.errors import RequestError
from galprism.fit.search import Settings, Space, search
from galprism.fit.tree_features import Features
from galprism.fit.trees import BoostConfig, grow_boosted, labelled

SPACE: Space = {
    "rounds": ("log-int", 50, 500),
    "learning_rate": ("log", 0.02, 0.4),
    "max_depth": ("int", 3, 10),
    "min_child_weight": ("log", 0.1, 20.0),
    "subsample": ("linear", 0.4, 1.0),
    "colsample_bytree": ("linear", 0.4, 1.0),
    "gamma": ("linear", 0.0, 2.0),
    "reg_lambda": ("log", 1e-2, 20.0),
    "reg_alpha": ("linear", 0.0, 2.0),
}
"""The ranges of BoostConfig's settings in which they make a difference."""


@dataclass(frozen=True)
class Tuned:
    """What a search found."""

    config: BoostConfig
    loss: float
    """Over sources that were held back: of classes the mean of -ln p of the true one."""
    default_loss: float
    """The same of the defaults, which is the first trial."""
    trials: int
    """How many were finished."""


def tune_boosted(
    features: Features,
    classes: np.ndarray,
    *,
    trials: int = 50,
    folds: int = 3,
    seed: int = 0,
    seconds: float | None = None,
    most: int | None = None,
) -> Tuned:
    """The settings with the least cross-validated loss, ln p, which rewards right probabilities and not classes alone.

    seconds : no trial begins after as many; the same search again then gives the same only if it gets as far
    most : learn from a random part of so many sources at most, for large samples

    Raises RequestError for fewer trials than one, fewer folds than two, or a class with fewer sources than folds.
    """
    check_search(trials, folds)
    rng = np.random.default_rng(seed)
    rows = rng.permutation(np.flatnonzero(labelled(features, classes)))[:most]
    features, classes = features.take(rows), np.asarray(classes)[rows]
    fold = stratified_folds(classes, folds, rng)

    def loss(config: BoostConfig) -> float:
        said = np.empty(len(classes))
        for k in range(folds):
            own = fold == k
            trees = grow_boosted(features.take(~own), classes[~own], config, seed=seed)
            said[own] = trees.probability(features.take(own))[np.arange(own.sum()), classes[own]]
        return float(-np.log(np.maximum(said, np.finfo(np.float32).tiny)).mean())

    return search_boosted(loss, trials=trials, seed=seed, seconds=seconds)


def check_search(trials: int, folds: int) -> None:
    """Raises RequestError for fewer trials than one, and fewer folds than two."""
    if trials < 1 or folds < 2:
        raise RequestError(f"{trials} trials in {folds} folds; accepted: 1 trial or more, 2 folds or more")


def search_boosted(
    loss: Callable[[BoostConfig], float],
    *,
    trials: int,
    seed: int = 0,
    seconds: float | None = None,
    start: Sequence[BoostConfig] = (),
) -> Tuned:
    """The settings of the least loss of so many trials, of which the defaults are the first, and `start` the next."""

    def cost(settings: Settings) -> float:
        return loss(BoostConfig(**settings))

    first = [asdict(config) for config in (BoostConfig(), *start)]
    found = search(cost, SPACE, trials=trials, seed=seed, seconds=seconds, start=first)
    return Tuned(BoostConfig(**found.best), found.loss, found.trials[0].loss, len(found.trials))


def stratified_folds(classes: np.ndarray, folds: int, rng: np.random.Generator) -> np.ndarray:
    """(N,), the fold of each source: as many of each class in every one.

    Raises RequestError for a class with fewer sources than folds.
    """
    fold = np.empty(len(classes), int)
    for k, name in enumerate(CLASSES):
        own = np.flatnonzero(classes == k)
        if len(own) < folds:
            raise RequestError(f"{len(own)} examples of class {name}; accepted: {folds} or more, one for each fold")
        fold[rng.permutation(own)] = np.arange(len(own)) % folds
    return fold
