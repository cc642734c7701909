"""Star, quasar or galaxy by decision trees that learn from labelled sources: boosted ones, and a random forest.

The trees are those of XGBoost (Chen & Guestrin 2016) and of scikit-learn (Breiman 2001): pip install 'galprism[trees]'.
Boosted trees are kept in XGBoost's own JSON; a forest is grown, used and gone, since only a pickle would hold it.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from galprism import __version__
from galprism.data import CLASSES, Predictions, Sources
from galprism.data.classes import class_columns
from galprism.errors import RequestError
from galprism.fit.tree_features import Features
from galprism.flags import Flag

FORMAT = "galprism-class-trees"
EXTRA = "pip install 'galprism[trees]'"


@dataclass(frozen=True)
class BoostConfig:
    """Settings of boosted trees, by XGBoost's names; the defaults are XGBoost's own."""

    rounds: int = 100
    learning_rate: float = 0.3
    max_depth: int = 6
    min_child_weight: float = 1.0
    subsample: float = 1.0
    colsample_bytree: float = 1.0
    gamma: float = 0.0
    reg_lambda: float = 1.0
    reg_alpha: float = 0.0

    def __post_init__(self) -> None:
        for name, low in (("rounds", 1), ("max_depth", 1)):
            if getattr(self, name) < low:
                raise RequestError(f"{name} = {getattr(self, name)}; accepted: {low} or more")
        for name in ("learning_rate", "subsample", "colsample_bytree"):
            if not 0 < getattr(self, name) <= 1:
                raise RequestError(f"{name} = {getattr(self, name)}; accepted: above 0, up to 1")
        for name in ("min_child_weight", "gamma", "reg_lambda", "reg_alpha"):
            if not getattr(self, name) >= 0:
                raise RequestError(f"{name} = {getattr(self, name)}; accepted: zero or more")


class Trees(Protocol):
    """What has learned to tell classes."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the features that it asks for."""
        ...

    @property
    def method(self) -> str:
        """What it is called."""
        ...

    def probability(self, features: Features) -> np.ndarray:
        """(N, K). Raises RequestError for other features than those that were learned from."""
        ...


@dataclass(frozen=True, eq=False)
class BoostedTrees:
    """Trees that each mend what those before got wrong."""

    names: tuple[str, ...]
    booster: Any
    """xgboost.Booster."""
    method: str = "boosted trees"

    def probability(self, features: Features) -> np.ndarray:
        """(N, K), as `Trees.probability`."""
        xgboost = import_xgboost()
        check_features(self.names, features)
        return self.booster.predict(xgboost.DMatrix(features.values, nthread=1)).astype(np.float64)

    def save(self, path: str | Path) -> None:
        """Into XGBoost's JSON, with the names of the features and classes. Raises RequestError for another suffix."""
        if Path(path).suffix != ".json":
            raise RequestError(f"{path}: boosted trees are kept as JSON; give a path that ends in .json")
        about = {"format": FORMAT, "features": self.names, "classes": CLASSES, "galprism": __version__}
        self.booster.set_attr(galprism=json.dumps(about))
        self.booster.save_model(path)

    @classmethod
    def load(cls, path: str | Path) -> BoostedTrees:
        """Raises RequestError for a file that `save` has not written."""
        xgboost = import_xgboost()
        booster = xgboost.Booster({"nthread": 1})
        try:
            booster.load_model(path)
        except (xgboost.core.XGBoostError, OSError) as error:
            raise RequestError(f"{path}: is no model of XGBoost's: {str(error).splitlines()[0]}") from error
        about = json.loads(booster.attr("galprism") or "{}")
        if about.get("format") != FORMAT or tuple(about["classes"]) != CLASSES:
            raise RequestError(f"{path}: is not of galprism; accepted: what BoostedTrees.save has written")
        return cls(tuple(about["features"]), booster)


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees that each saw another part of the sources."""

    names: tuple[str, ...]
    classifier: Any
    """sklearn.ensemble.RandomForestClassifier."""
    method: str = "random forest"

    def probability(self, features: Features) -> np.ndarray:
        """(N, K), as `Trees.probability`."""
        check_features(self.names, features)
        return self.classifier.predict_proba(features.values)


def grow_boosted(
    features: Features, classes: np.ndarray, config: BoostConfig | None = None, *, seed: int = 0
) -> BoostedTrees:
    """Boosted trees that learned from sources of known class (N,), index into CLASSES; -1 does not count.

    One thread, the same for the same seed. Raises RequestError where a class has no example, or shapes differ.
    """
    xgboost = import_xgboost()
    rows = labelled(features, classes)
    settings = asdict(config or BoostConfig())
    rounds = settings.pop("rounds")
    data = xgboost.DMatrix(features.values[rows], label=np.asarray(classes)[rows], nthread=1)
    fixed = {
        "objective": "multi:softprob",
        "num_class": len(CLASSES),
        "seed": seed,
        "nthread": 1,
        "tree_method": "hist",
    }
    return BoostedTrees(features.names, xgboost.train({**settings, **fixed}, data, num_boost_round=rounds))


def grow_forest(
    features: Features, classes: np.ndarray, *, trees: int = 300, min_leaf: int = 1, seed: int = 0
) -> Forest:
    """A random forest; `trees` of them, with `min_leaf` sources or more in each leaf; otherwise as `grow_boosted`."""
    try:
        from sklearn.ensemble import RandomForestClassifier
    except ImportError as error:
        raise RequestError(f"scikit-learn is not installed; {EXTRA}") from error
    rows = labelled(features, classes)
    forest = RandomForestClassifier(trees, min_samples_leaf=min_leaf, random_state=seed, n_jobs=1)
    return Forest(features.names, forest.fit(features.values[rows], np.asarray(classes)[rows]))


def predict_trees(sources: Sources, features: Features, trees: Trees) -> Predictions:
    """Classes of sources from their features.

    A source of which no feature is known has null and is flagged NOT_INFERRED. Raises RequestError where sources and
    features are not as many, or the features are others than those that were learned from.
    """
    if len(sources) != len(features):
        raise RequestError(f"{len(sources)} sources and features of {len(features)}; expected as many")
    started = time.perf_counter()
    known = np.isfinite(features.values)
    told = known.any(axis=1)
    probability = np.full((len(sources), len(CLASSES)), np.nan)
    if told.any():
        probability[told] = trees.probability(features.take(told))
    else:
        check_features(trees.names, features)
    bands = np.array([name.startswith("mag_") for name in features.names])
    seen = known[:, bands]
    flags = np.array(sources.flags, np.uint32)
    for flag, where in (
        (Flag.NO_PHOTOMETRY, ~seen.any(axis=1)),
        (Flag.BAND_MISSING, ~seen.all(axis=1)),
        (Flag.NOT_INFERRED, ~told),
    ):
        flags[where] |= np.uint32(flag)
    if "redshift" in features.names:
        flags[~known[:, features.names.index("redshift")]] |= np.uint32(Flag.REDSHIFT_MISSING)
    return Predictions(
        id=sources.id,
        names=(),
        point=np.zeros((len(sources), 0)),
        flags=flags,
        n_bands=seen.sum(axis=1).astype(np.int16),
        ra=sources.ra,
        dec=sources.dec,
        extra=class_columns(probability),
        meta={
            "method": trees.method,
            "features": list(features.names),
            "galprism": __version__,
            "seconds": round(time.perf_counter() - started, 3),
        },
    )


def labelled(features: Features, classes: np.ndarray) -> np.ndarray:
    """(N,), bool: the rows to learn from. Raises RequestError where they are not as many, or a class has none."""
    classes = np.asarray(classes)
    if classes.shape != (len(features),):
        raise RequestError(f"classes have shape {classes.shape}; expected ({len(features)},), one for each source")
    missing = [name for k, name in enumerate(CLASSES) if not np.any(classes == k)]
    if missing:
        raise RequestError(f"no example of class {', '.join(missing)}; accepted: some of each of {', '.join(CLASSES)}")
    return classes >= 0


def check_features(names: tuple[str, ...], features: Features) -> None:
    """Raises RequestError for features other than `names`."""
    if features.names != names:
        raise RequestError(f"features {', '.join(features.names)}; the trees learned from {', '.join(names)}")


def import_xgboost():
    """XGBoost. Raises RequestError where it is not installed."""
    try:
        import xgboost
    except ImportError as error:
        raise RequestError(f"xgboost is not installed; {EXTRA}") from error
    return xgboost
