"""Settings of the networks of the bench by cross-validation, over the galaxies of training alone."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from galprism.errors import RequestError
from galprism.recipes.fusion.networks import NetworkConfig, NetworkModel, fitted_network
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
    """What settings of SPACE cost: the root mean square error over all targets, each in its standard deviations, of
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
        return float(np.sqrt(np.mean(np.concatenate(errors) ** 2)))


def searched_network(
    cost: NetworkCost, search: Callable[..., Any], *, trials: int, path: Path, seed: int = 0
) -> NetworkConfig:
    """The settings that a search finds, put into those that it starts from, which are tried first; what was tried is
    kept in `path`, and taken from there where it stands with as many trials, folds and passes.

    search : (cost, space, trials=, seed=, start=) to a result with `best`, the settings, and `record()`, for JSON
    """
    budget = {"kind": cost.kind, "trials": trials, "folds": cost.folds, "passes": cost.passes, "most": cost.most}
    told = json.loads(path.read_text()) if path.exists() else {}
    if told.get("budget") != budget:
        found = search(cost, SPACE, trials=trials, seed=seed, start=[settings_of(cost.start)])
        told = {"budget": budget, "best": found.best, "search": found.record()}
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        partial.write_text(json.dumps(told) + "\n")
        partial.replace(path)
    return with_settings(cost.start, told["best"])


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
