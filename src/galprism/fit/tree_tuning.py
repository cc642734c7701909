"""Settings of boosted trees by search: what does best on sources that were held back of those to learn from.

The search is Optuna's (Akiba et al. 2019), by tree-structured Parzen estimators; of each trial the learning sources are
cut into folds, each judged by trees that learned from the others. What is tested on must not be among them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from galprism.data import CLASSES
from galprism.errors import RequestError
from galprism.fit.tree_features import Features
from galprism.fit.trees import EXTRA, BoostConfig, grow_boosted, labelled


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

    return search(loss, trials=trials, seed=seed, seconds=seconds)


def check_search(trials: int, folds: int) -> None:
    """Raises RequestError for fewer trials than one, and fewer folds than two."""
    if trials < 1 or folds < 2:
        raise RequestError(f"{trials} trials in {folds} folds; accepted: 1 trial or more, 2 folds or more")


def search(
    loss: Callable[[BoostConfig], float],
    *,
    trials: int,
    seed: int = 0,
    seconds: float | None = None,
    start: Sequence[BoostConfig] = (),
) -> Tuned:
    """The settings of the least loss of so many trials, of which the defaults are the first, and `start` the next."""
    try:
        import optuna
    except ImportError as error:
        raise RequestError(f"optuna is not installed; {EXTRA}") from error
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
        for config in (BoostConfig(), *start):
            study.enqueue_trial(asdict(config))
        study.optimize(lambda trial: loss(_suggested(trial)), n_trials=trials, timeout=seconds)
    finally:
        optuna.logging.set_verbosity(before)
    finished = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    return Tuned(BoostConfig(**study.best_params), study.best_value, finished[0].values[0], len(finished))


def _suggested(trial) -> BoostConfig:
    """Settings drawn over the ranges in which they make a difference."""
    return BoostConfig(
        rounds=trial.suggest_int("rounds", 50, 500, log=True),
        learning_rate=trial.suggest_float("learning_rate", 0.02, 0.4, log=True),
        max_depth=trial.suggest_int("max_depth", 3, 10),
        min_child_weight=trial.suggest_float("min_child_weight", 0.1, 20.0, log=True),
        subsample=trial.suggest_float("subsample", 0.4, 1.0),
        colsample_bytree=trial.suggest_float("colsample_bytree", 0.4, 1.0),
        gamma=trial.suggest_float("gamma", 0.0, 2.0),
        reg_lambda=trial.suggest_float("reg_lambda", 1e-2, 20.0, log=True),
        reg_alpha=trial.suggest_float("reg_alpha", 0.0, 2.0),
    )


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
