"""Pool-based active learning: a network that knows some labels asks for those that would teach it most.

The galaxies of training are the pool. A few of them, the same for every acquisition, are labelled first; each round a
network learns from all labels so far, and the next are chosen by what its draws say of the rest of the pool
(galprism.recipes.fusion.acquisition). Every round learns from fresh weights: networks that go on from weights of fewer
data end up worse than ones that begin anew (Ash & Adams 2020, NeurIPS, 3884), and each round then stands by itself.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from galprism.errors import RequestError
from galprism.evaluate.metrics import point_metrics
from galprism.recipes.fusion.acquisition import ACQUISITIONS, chosen
from galprism.recipes.fusion.bayesian import BayesianModel
from galprism.recipes.fusion.seen import Seen
from galprism.recipes.stages import digest

WITHIN = 1.05
"""Times the RMSE of all labels of the pool: what is to be reached, with half of them or fewer."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Study:
    """What is tried."""

    model: BayesianModel = field(default_factory=lambda: BayesianModel(("image", "components")))
    labels: tuple[int, ...] = (250, 500, 750, 1000, 1500, 2000)
    """How many are known in each round; the first are random."""
    acquisitions: tuple[str, ...] = ACQUISITIONS
    seeds: int = 3
    """Of the first labels, the weights and their draws."""

    def __post_init__(self) -> None:
        rises = all(a < b for a, b in zip(self.labels, self.labels[1:], strict=False))
        if len(self.labels) < 2 or self.labels[0] < 2 or not rises:
            raise RequestError(f"labels {self.labels}; accepted: two rising numbers or more, from 2 on")
        unknown = set(self.acquisitions) - set(ACQUISITIONS)
        if unknown or "random" not in self.acquisitions:
            raise RequestError(f"acquisitions {self.acquisitions}; accepted: random and others of {ACQUISITIONS}")
        if self.seeds < 1:
            raise RequestError(f"seeds = {self.seeds}; accepted: 1 or more")

    @property
    def key(self) -> Any:
        """What all of it depends on beside the sample."""
        return [self.model.sees, self.model.key, self.labels, self.acquisitions, self.seeds]


@dataclass(frozen=True)
class Rounds:
    """Where rounds are kept: each is a file, whose name is a digest of what was learned from."""

    study: Study
    seen: Seen
    sample_key: str
    folder: Path
    say: Say

    def ask(self, labelled: np.ndarray, seed: int, acquisition: str, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Learn from rows `labelled`: what is said of the test (M, D), and which n rows of the rest are asked for."""
        made_of = [self.sample_key, self.study.model.sees, self.study.model.key, seed, labelled.tolist()]
        path = self.folder / f"round-{digest([*made_of, acquisition if n else '', n])}.npz"
        if not path.exists():
            work = self.folder / f"training-{digest(made_of)}"
            fitted = replace(self.study.model, seed=seed).learned(self.seen, labelled, work)
            rest = np.setdiff1d(self.seen.rows("train"), labelled)
            draws = fitted.standard_draws(self.seen, rest) if n and acquisition != "random" else None
            rng = np.random.default_rng((seed, len(labelled)))
            asked = rest[chosen(acquisition, draws, len(rest), n, rng)] if n else rest[:0]
            point = fitted.answers(self.seen, self.seen.rows("test"))
            partial = path.with_suffix(".part.npz")
            np.savez(partial, point=point, asked=asked)
            partial.replace(path)
            self.say(f"{acquisition}, seed {seed}: {len(labelled)} labels")
        with np.load(path, allow_pickle=False) as kept:
            return kept["point"], kept["asked"]

    def tidied(self) -> None:
        """Trainings are done with."""
        for work in self.folder.glob("training-*"):
            shutil.rmtree(work)


def learning_curves(study: Study, seen: Seen, sample_key: str, folder: Path, say: Say = print) -> dict[str, Any]:
    """What JSON holds of the study: RMSE by target, acquisition, seed and number of labels; see `summary`.

    folder : keeps each round; what stands there is not done again.
    Raises RequestError where the pool has no more galaxies than the last round asks for.
    """
    pool = seen.rows("train")
    if study.labels[-1] >= len(pool):
        raise RequestError(f"{study.labels[-1]} labels of a pool of {len(pool)}; accepted: fewer than all")
    folder.mkdir(parents=True, exist_ok=True)
    rounds = Rounds(study, seen, sample_key, folder, say)
    curves: dict[str, list[list[list[float]]]] = {name: [] for name in study.acquisitions}  # by seed, number, target
    everything = []
    for seed in range(study.seeds):
        first = np.sort(np.random.default_rng((seed, 0)).permutation(pool)[: study.labels[0]])
        for acquisition in study.acquisitions:
            labelled, curve = first, []
            for now, then in zip(study.labels, (*study.labels[1:], study.labels[-1]), strict=True):
                point, asked = rounds.ask(labelled, seed, acquisition, then - now)
                curve.append(rmse(point, seen))
                labelled = np.sort(np.concatenate([labelled, asked]))
            curves[acquisition].append(curve)
        everything.append(rmse(rounds.ask(pool, seed, "random", 0)[0], seen))
    rounds.tidied()
    return summary(study, seen.names, len(pool), np.array(everything), {k: np.array(v) for k, v in curves.items()})


def rmse(point: np.ndarray, seen: Seen) -> list[float]:
    """Of each target over the test, in its own units; point (M, D)."""
    rows = seen.rows("test")
    found = [point_metrics(point[:, j], seen.targets[rows, j]).rms for j in range(len(seen.names))]
    return [float("nan") if value is None else value for value in found]


def summary(
    study: Study, names: tuple[str, ...], n_pool: int, everything: np.ndarray, curves: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Of all labels, (seeds, D), and of each acquisition's rounds, (seeds, rounds, D); `mean` of the targets is of
    their RMSE over those of all labels.

    Of each: RMSE by seed and round; `reached`, the fewest labels of the rounds with which the mean over seeds is within
    WITHIN of all labels'; `at_half`, that ratio in the last round of half of the pool or less; `of_random`, the RMSE
    there over that of random labels with the same first ones, with its standard error; and `worth`, as many random
    labels, all of the pool's among them, as have that RMSE, linear in the logarithms between rounds.
    """
    full = everything.mean(axis=0)
    relative = np.concatenate([everything / full, (everything / full).mean(axis=1, keepdims=True)], axis=1)
    labels = np.array(study.labels)
    half = int(np.flatnonzero(2 * labels <= n_pool)[-1]) if (2 * labels <= n_pool).any() else 0
    told: dict[str, Any] = {}
    ratios = {
        name: np.concatenate([curve / full, (curve / full).mean(axis=2, keepdims=True)], axis=2)
        for name, curve in curves.items()
    }
    for j, target in enumerate((*names, "mean")):
        told[target] = {"full": (relative[:, j] * (full[j] if j < len(full) else 1.0)).tolist(), "by": {}}
        by_random = np.append(ratios["random"][:, :, j].mean(axis=0), 1.0)
        for name, ratio in ratios.items():
            mean = ratio[:, :, j].mean(axis=0)
            within = labels[mean <= WITHIN]
            beside = ratio[:, half, j] / ratios["random"][:, half, j]
            told[target]["by"][name] = {
                "rmse": (ratio[:, :, j] * (full[j] if j < len(full) else 1.0)).tolist(),
                "reached": int(within[0]) if len(within) else None,
                "at_half": float(mean[half]),
                "of_random": float(beside.mean()),
                "of_random_err": float(beside.std(ddof=1) / np.sqrt(len(beside))) if len(beside) > 1 else None,
                "worth": _worth(np.append(labels, n_pool), by_random, mean[half]),
            }
    return {
        "model": study.model.name,
        "pool": n_pool,
        "labels": list(study.labels),
        "half": int(labels[half]),
        "seeds": study.seeds,
        "within": WITHIN,
        "targets": told,
    }


def _worth(labels: np.ndarray, by_random: np.ndarray, found: float) -> float | None:
    """Labels at which a curve that falls first reaches `found`; None where it does not."""
    below = np.flatnonzero(by_random <= found)
    if not len(below):
        return None
    k = int(below[0])
    if not k:
        return float(labels[0])
    before, after = np.log(by_random[k - 1]), np.log(by_random[k])
    share = (before - np.log(found)) / (before - after)
    return float(np.exp(np.log(labels[k - 1]) + share * np.log(labels[k] / labels[k - 1])))
