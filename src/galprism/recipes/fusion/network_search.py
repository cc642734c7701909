"""Settings of the networks of the bench by cross-validation, over the galaxies of training alone."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from galprism.errors import RequestError
from galprism.fit.search import Searched, search
from galprism.recipes.fusion.bars import OURS
from galprism.recipes.fusion.bench import SEARCH_FILE
from galprism.recipes.fusion.networks import FittedNetwork, NetworkConfig, NetworkModel, fitted_network
from galprism.recipes.fusion.seen import Seen

SPACE: dict[str, Any] = {
    "lr": ("log", 5e-4, 1e-2),
    "weight_decay": ("log", 1e-4, 0.3),
    "dropout": ("linear", 0.0, 0.4),
    "width": ("choice", [64, 96, 128, 192]),
    "redshift": ("log", 2.0, 50.0),
}


@dataclass(frozen=True, eq=False)
class NetworkCost:
    """What settings of SPACE cost: the mean square error over all targets, each in its standard deviations, of
    galaxies of training that were held back, fold by fold, by the weights after the last pass: held galaxies choose
    nothing. The same folds for all settings."""

    seen: Seen
    kind: str
    start: NetworkConfig
    """What is not searched."""
    folds: int = 3
    passes: int = 8
    most: int | None = None
    """Of the galaxies of training, so many at most."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.folds < 2 or self.passes < 1:
            raise RequestError(f"{self.folds} folds, {self.passes} passes; accepted: 2 folds and 1 pass or more")

    def __call__(self, settings: Mapping[str, Any]) -> float:
        model = NetworkModel(self.kind, replace(with_settings(self.start, settings), passes=self.passes))
        rows = np.random.default_rng(self.seed).permutation(self.seen.rows("train"))[: self.most]
        errors = []
        for own in np.array_split(rows, self.folds):
            learned, held = np.sort(np.setdiff1d(rows, own)), np.sort(own)
            with tempfile.TemporaryDirectory() as folder:
                fitted, _ = fitted_network(model, self.seen, learned, held, Path(folder), keep="last")
                found = fitted.answers(self.seen, held)
            errors.append((found - self.seen.targets[held]) / self.seen.scale)
        return float(np.mean(np.concatenate(errors) ** 2))


@dataclass(frozen=True)
class SearchedNetwork:
    """A network whose settings are searched among those of SPACE before it learns from all galaxies of training; those
    that the search starts from are tried first, and what was tried is kept in SEARCH_FILE beside the result."""

    kind: str = OURS
    start: NetworkConfig = field(default_factory=NetworkConfig)
    trials: int = 8
    folds: int = 2
    passes: int = 16
    """Of each trial: what learns well in few passes need not do so in many."""
    most: int = 2000

    @property
    def sees(self) -> tuple[str, ...]:
        return NetworkModel(self.kind).sees

    @property
    def name(self) -> str:
        return NetworkModel(self.kind, variant="searched").name

    @property
    def key(self) -> Any:
        return [NetworkModel(self.kind, self.start).key, self.trials, self.folds, self.passes, self.most]

    def fit(self, seen: Seen, work: Path) -> FittedNetwork:
        path = work / SEARCH_FILE
        if not path.exists():
            cost = NetworkCost(seen, self.kind, self.start, self.folds, self.passes, self.most)
            found = search(cost, SPACE, trials=self.trials, seed=self.start.seed, start=[settings_of(self.start)])
            work.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".part")
            partial.write_text(json.dumps(found.record(), indent=1) + "\n")
            partial.replace(path)
        best = Searched.of(json.loads(path.read_text())).best
        return NetworkModel(self.kind, with_settings(self.start, best), "searched").fit(seen, work)


def settings_of(config: NetworkConfig) -> dict[str, Any]:
    """By the names of SPACE."""
    inner = {"width": config.net.width, "dropout": config.net.dropout}
    return {name: inner.get(name, getattr(config, name, None)) for name in SPACE}


def with_settings(config: NetworkConfig, settings: Mapping[str, Any]) -> NetworkConfig:
    """Settings by the names of SPACE put in. Raises RequestError for others."""
    odd = set(settings) - set(SPACE)
    if odd:
        raise RequestError(f"settings {', '.join(sorted(odd))}; accepted: {', '.join(SPACE)}")
    inner = {name: settings[name] for name in ("width", "dropout") if name in settings}
    outer = {name: value for name, value in settings.items() if name not in inner}
    return replace(config, net=replace(config.net, **inner), **outer)
