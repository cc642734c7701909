"""Classical models of the bench: linear regression, a random forest and boosted trees, each on photometry, on the
principal components of spectra, and on both. Their settings, and how many components they are given, are searched by
cross-validation among the galaxies of training, of which trees take a part; what was tried is kept in `search.json`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from galprism.errors import RequestError
from galprism.fit.search import Searched, Settings, Space, search
from galprism.fit.tree_features import Features
from galprism.fit.tree_tuning import SPACE
from galprism.fit.tree_values import grow_boosted_values, grow_forest_values
from galprism.fit.trees import BoostConfig
from galprism.recipes.fusion.bench import SEARCH_FILE
from galprism.recipes.fusion.seen import COMPONENTS, Seen

BLOCKS = {
    "photometry": ("photometry",),
    "spectra": ("components",),
    "photometry + spectra": ("photometry", "components"),
}
"""What the models see, by what it is called."""
JUDGED = ("redshift", "sfr_tot_avg", "sfr_tot_entropy")
"""Targets by which the settings of boosted trees are searched: the others go with the second."""
GIVEN, PREFIX = "components", "components_"
"""The setting of how many are seen, and what their names begin with."""


class Grown(Protocol):
    """What has learned, in standard targets."""

    @property
    def weights(self) -> int:
        """Numbers that were learned."""
        ...

    def values(self, features: Features) -> np.ndarray:
        """(N, P)."""
        ...


@dataclass(frozen=True, eq=False)
class Line:
    """Targets as linear functions of the features."""

    slope: np.ndarray
    """(F, P)."""
    constant: np.ndarray
    """(P,)."""

    @property
    def weights(self) -> int:
        return self.slope.size + self.constant.size

    def values(self, features: Features) -> np.ndarray:
        return features.values @ self.slope + self.constant


def ridge(features: Features, values: np.ndarray, alpha: float) -> Line:
    """The least of sum (y - x b)^2 + alpha b^2 (Hoerl & Kennard 1970); the constant is not held back."""
    x, y = features.values.astype(np.float64), np.asarray(values, np.float64)
    middle, level = x.mean(axis=0), y.mean(axis=0)
    x = x - middle
    slope = np.linalg.solve(x.T @ x + alpha * np.eye(x.shape[1]), x.T @ (y - level))
    return Line(slope, level - middle @ slope)


@dataclass(frozen=True)
class Search:
    """How settings are searched."""

    trials: int
    folds: int
    most: int
    """Galaxies of training that it takes, drawn at random, where there are more."""

    def __post_init__(self) -> None:
        if self.folds < 2 or self.most < self.folds:
            raise RequestError(f"{self}; accepted: 2 folds or more, of one galaxy each or more")


@dataclass(frozen=True)
class Kind:
    """A way of learning."""

    grow: Callable[[Features, np.ndarray, Settings, int], Grown]
    """Of features, values (N, P), settings and a seed."""
    space: Space
    start: Settings
    """Tried first."""
    search: Search
    names: tuple[str, ...] = ()
    """Targets by which the search judges; all where none are named."""
    last: Settings | None = None
    """Settings in place of the searched ones when all galaxies of training are learned from."""


def _line(features: Features, values: np.ndarray, settings: Settings, seed: int) -> Grown:
    return ridge(features, values, settings["alpha"])


def _forest(features: Features, values: np.ndarray, settings: Settings, seed: int) -> Grown:
    return grow_forest_values(features, values, seed=seed, **settings)


def _boosted(features: Features, values: np.ndarray, settings: Settings, seed: int) -> Grown:
    return grow_boosted_values(features, values, BoostConfig(**settings), seed=seed)


KINDS = {
    "linear": Kind(_line, {"alpha": ("log", 1e-2, 1e4)}, {"alpha": 1.0}, Search(30, 5, 100_000)),
    "forest": Kind(
        _forest,
        {"trees": ("int", 40, 40), "min_leaf": ("log-int", 1, 20), "asked": ("linear", 0.1, 0.7)},
        {"trees": 40, "min_leaf": 3, "asked": 0.33},
        Search(12, 2, 1500),
        last={"trees": 200},
    ),
    "boosted trees": Kind(
        _boosted,
        {**SPACE, "rounds": ("log-int", 50, 300), "max_depth": ("int", 2, 6), "gamma": ("linear", 0.0, 0.5)},
        asdict(BoostConfig(rounds=200, learning_rate=0.08, max_depth=4, subsample=0.7, colsample_bytree=0.6)),
        Search(14, 2, 1500),
        names=JUDGED,
    ),
}
"""By what they are called."""
QUICK = Search(2, 2, 60)
"""A search that shows that it runs."""


def classical_models(*, quick: bool = False) -> list[Classical]:
    """The nine; quick : hardly searched."""
    return [Classical(kind, shown, QUICK if quick else None) for kind in KINDS for shown in BLOCKS]


@dataclass(frozen=True)
class Classical:
    """One of KINDS on one of BLOCKS."""

    kind: str
    shown: str
    search: Search | None = None
    """In place of the kind's own."""
    seed: int = 0

    @property
    def name(self) -> str:
        return f"{self.kind}: {self.shown}"

    @property
    def sees(self) -> tuple[str, ...]:
        return BLOCKS[self.shown]

    @property
    def key(self) -> Any:
        own = KINDS[self.kind]
        return [dict(self.space), self.start, asdict(self._search), own.names, own.last, self.seed]

    @property
    def space(self) -> Space:
        """Settings of the kind, and how many of the leading components are seen."""
        own = {GIVEN: ("log-int", 4, COMPONENTS)} if "components" in self.sees else {}
        return {**KINDS[self.kind].space, **own}

    @property
    def start(self) -> Settings:
        """Tried first: all components."""
        return KINDS[self.kind].start | ({GIVEN: COMPONENTS} if "components" in self.sees else {})

    @property
    def _search(self) -> Search:
        return self.search or KINDS[self.kind].search

    def fit(self, seen: Seen, work: Path) -> FittedColumns:
        """Search the settings, or take those that `work` has, and learn from all galaxies of training."""
        kind, kept = KINDS[self.kind], work / SEARCH_FILE
        if not kept.exists():
            work.mkdir(parents=True, exist_ok=True)
            found = self._searched(seen)
            kept.write_text(json.dumps(found.record(), indent=1) + "\n")
        settings = Searched.of(json.loads(kept.read_text())).best | (kind.last or {})
        rows, given = seen.rows("train"), settings.pop(GIVEN, None)
        features = leading(seen.features(self.sees, rows), given)
        return FittedColumns(kind.grow(features, seen.standard()[rows], settings, self.seed), self.sees, given)

    def _searched(self, seen: Seen) -> Searched:
        """By the mean over targets of squared errors, in variances of the targets, of galaxies that were held back."""
        kind, how = KINDS[self.kind], self._search
        rng = np.random.default_rng(self.seed)
        rows = rng.permutation(seen.rows("train"))[: how.most]
        chosen = [seen.names.index(name) for name in kind.names or seen.names]
        features, values = seen.features(self.sees, rows), seen.standard()[rows][:, chosen]
        fold = np.arange(len(rows)) % how.folds

        def cost(settings: Settings) -> float:
            said, settings = np.empty_like(values), dict(settings)
            some = leading(features, settings.pop(GIVEN, None))
            for k in range(how.folds):
                own = fold == k
                grown = kind.grow(some.take(~own), values[~own], settings, self.seed)
                said[own] = grown.values(some.take(own))
            return float(np.mean((said - values) ** 2))

        return search(cost, self.space, trials=how.trials, seed=self.seed, start=[self.start])


def leading(features: Features, given: int | None) -> Features:
    """Those that are no component, and the first of those that are; all where `given` is None."""
    if given is None:
        return features
    number = [int(name.removeprefix(PREFIX)) if name.startswith(PREFIX) else -1 for name in features.names]
    places = [place for place, k in enumerate(number) if k < given]
    return Features(tuple(features.names[place] for place in places), features.values[:, places])


@dataclass(frozen=True, eq=False)
class FittedColumns:
    """A model of columns that has learned."""

    grown: Grown
    sees: tuple[str, ...]
    given: int | None = None
    """Components; all where not given."""

    @property
    def weights(self) -> int:
        """See `Grown.weights`."""
        return self.grown.weights

    def answers(self, seen: Seen, rows: np.ndarray) -> np.ndarray:
        """(n, P), in the targets' units."""
        return seen.in_units(self.grown.values(leading(seen.features(self.sees, rows), self.given)))
