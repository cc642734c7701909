"""A parameter, redshift above all, or several, by decision trees that learn from sources of which it is known.

The same trees as in galprism.fit.trees; they give a point, which networks with posteriors are held against. Boosted
trees of several parameters are trees of each with the same settings; a forest's have all of them in each leaf.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from galprism.errors import RequestError
from galprism.fit.tree_features import Features
from galprism.fit.tree_tuning import Tuned, check_search, search_boosted
from galprism.fit.trees import EXTRA, BoostConfig, check_features, import_xgboost

OBJECTIVES = {"squared": "reg:squarederror", "absolute": "reg:absoluteerror"}
"""What boosted trees make small, by XGBoost's names; the absolute error minds outliers less."""
Loss = Literal["squared", "absolute"]


@dataclass(frozen=True, eq=False)
class ValueTrees:
    """Trees, boosted or a forest, that have learned one parameter, or P."""

    names: tuple[str, ...]
    """Of the features that they ask for."""
    model: Any
    """xgboost.Booster, or sklearn.ensemble.RandomForestRegressor."""

    def values(self, features: Features) -> np.ndarray:
        """(N,) or (N, P). Raises RequestError for other features than those that were learned from."""
        check_features(self.names, features)
        if hasattr(self.model, "estimators_"):
            return self.model.predict(features.values)
        return self.model.predict(import_xgboost().DMatrix(features.values, nthread=1)).astype(np.float64)

    @property
    def weights(self) -> int:
        """Numbers that were learned: of each split what is asked and where, and what each leaf says."""
        if hasattr(self.model, "estimators_"):
            trees = [one.tree_ for one in self.model.estimators_]
            leaves = sum(int(tree.n_leaves) for tree in trees)
            return 2 * (sum(int(tree.node_count) for tree in trees) - leaves) + self.model.n_outputs_ * leaves
        dumped = "".join(self.model.get_dump())
        leaves = dumped.count("leaf=")
        return 2 * (dumped.count(":") - leaves) + leaves


def grow_boosted_values(
    features: Features,
    values: np.ndarray,
    config: BoostConfig | None = None,
    *,
    weight: np.ndarray | None = None,
    loss: Loss = "squared",
    seed: int = 0,
) -> ValueTrees:
    """Boosted trees that learned from sources of known values (N,) or (N, P), each of which counts `weight` (N,).

    One thread, the same for the same seed. Raises RequestError where shapes differ or a value is not finite.
    """
    xgboost = import_xgboost()
    values = checked(features, values)
    settings = asdict(config or BoostConfig())
    rounds = settings.pop("rounds")
    data = xgboost.DMatrix(features.values, label=values, weight=weight, nthread=1)
    fixed = {"objective": OBJECTIVES[loss], "seed": seed, "nthread": 1, "tree_method": "hist"}
    return ValueTrees(features.names, xgboost.train({**settings, **fixed}, data, num_boost_round=rounds))


def grow_forest_values(
    features: Features,
    values: np.ndarray,
    *,
    trees: int = 300,
    min_leaf: int = 1,
    asked: float = 1.0,
    seed: int = 0,
) -> ValueTrees:
    """A random forest; `trees` of them, with `min_leaf` sources or more in each leaf, which look at a part `asked` of
    the features at each split; otherwise as boosted trees."""
    try:
        from sklearn.ensemble import RandomForestRegressor
    except ImportError as error:
        raise RequestError(f"scikit-learn is not installed; {EXTRA}") from error
    forest = RandomForestRegressor(trees, min_samples_leaf=min_leaf, max_features=asked, random_state=seed, n_jobs=1)
    return ValueTrees(features.names, forest.fit(features.values, checked(features, values)))


def tune_boosted_values(
    features: Features,
    values: np.ndarray,
    *,
    weight: np.ndarray | None = None,
    loss: Loss = "absolute",
    trials: int = 50,
    folds: int = 3,
    seed: int = 0,
    seconds: float | None = None,
    start: Sequence[BoostConfig] = (),
) -> Tuned:
    """The settings with the least cross-validated mean absolute error, each source weighing `weight` (N,).

    start : settings that are tried first, behind the defaults; seconds : as of galprism.fit.tree_tuning.tune_boosted

    Raises RequestError as `grow_boosted_values`, and for fewer trials than one, fewer folds than two, or fewer sources
    than folds.
    """
    check_search(trials, folds)
    values = checked(features, values)
    if len(values) < folds:
        raise RequestError(f"{len(values)} sources in {folds} folds; accepted: as many or more")
    counts = np.ones(len(values)) if weight is None else weight
    fold = np.random.default_rng(seed).permutation(len(values)) % folds

    def cost(config: BoostConfig) -> float:
        said = np.empty_like(values)
        for k in range(folds):
            own, rest = fold == k, np.flatnonzero(fold != k)
            some = features.take(rest), values[rest], config
            said[own] = grow_boosted_values(*some, weight=counts[rest], loss=loss, seed=seed).values(features.take(own))
        return float(np.average(np.abs(said - values), weights=counts, axis=0).mean())

    return search_boosted(cost, trials=trials, seed=seed, seconds=seconds, start=start)


def checked(features: Features, values: np.ndarray) -> np.ndarray:
    """The values (N,) or (N, P). Raises RequestError where they are not as many as the features, or not finite."""
    values = np.asarray(values, np.float64)
    if values.ndim not in (1, 2) or len(values) != len(features):
        raise RequestError(f"values have shape {values.shape}; expected ({len(features)},), one for each source")
    if not np.isfinite(values).all():
        odd = int((~np.isfinite(values)).sum())
        raise RequestError(f"{odd} values are not finite; accepted: sources whose value is known")
    return values
