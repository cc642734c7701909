"""A search of settings: so many are tried, and those of the least loss are taken.

The search is Optuna's (Akiba et al. 2019), by tree-structured Parzen estimators: what was tried tells where to try
next.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from galprism.errors import RequestError

Settings = dict[str, Any]
Space = Mapping[str, tuple[Any, ...]]
"""By name: ("linear", low, high), ("log", low, high), ("int", low, high), ("log-int", low, high), ("choice", [...])."""


@dataclass(frozen=True)
class Trial:
    """What was tried."""

    settings: Settings
    loss: float
    """Infinite where it was no number."""
    seconds: float


@dataclass(frozen=True)
class Searched:
    """What a search found."""

    best: Settings
    loss: float
    """Of the best."""
    trials: tuple[Trial, ...]
    """In the order in which they were made."""

    @property
    def seconds(self) -> float:
        """Of all trials."""
        return sum(trial.seconds for trial in self.trials)

    def record(self) -> dict[str, Any]:
        """For JSON; a loss that is no number is null there."""
        trials = [asdict(trial) | {"loss": _finite(trial.loss)} for trial in self.trials]
        return {"best": self.best, "loss": self.loss, "trials": trials}

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Searched:
        """From what `record` has made."""
        trials = [Trial(**{**trial, "loss": _number(trial["loss"])}) for trial in record["trials"]]
        return cls(dict(record["best"]), record["loss"], tuple(trials))


def search(
    cost: Callable[[Settings], float],
    space: Space,
    *,
    trials: int,
    seed: int,
    seconds: float | None = None,
    start: Sequence[Settings] = (),
) -> Searched:
    """The settings of the least cost of so many trials; the same for the same seed.

    seconds : no trial begins after as many; the same search again then gives the same only if it gets as far
    start : settings that are tried first

    Raises RequestError for fewer trials than one, a range that is none, and where no cost is a number; what `cost`
    raises goes through.
    """
    if trials < 1:
        raise RequestError(f"{trials} trials; accepted: 1 or more")
    optuna = import_optuna()
    ranges = {name: _range(optuna, name, tuple(given)) for name, given in space.items()}
    before, begun = optuna.logging.get_verbosity(), time.perf_counter()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    tried: list[Trial] = []
    try:
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
        for settings in start:
            study.enqueue_trial(settings)
        while len(tried) < trials and (seconds is None or not tried or time.perf_counter() - begun < seconds):
            trial, at = study.ask(ranges), time.perf_counter()
            loss = _number(cost(dict(trial.params)))
            tried.append(Trial(dict(trial.params), loss, time.perf_counter() - at))
            study.tell(trial, loss)
    finally:
        optuna.logging.set_verbosity(before)
    best = min(tried, key=lambda one: one.loss)
    if not math.isfinite(best.loss):
        raise RequestError(f"none of {len(tried)} trials has a finite loss; the first was of {tried[0].settings}")
    return Searched(best.settings, best.loss, tuple(tried))


def import_optuna():
    """Optuna. Raises RequestError where it is not installed."""
    try:
        import optuna
    except ImportError as error:
        raise RequestError("optuna is not installed; pip install 'galprism[trees]'") from error
    return optuna


def _range(optuna, name: str, given: tuple[Any, ...]):
    """Optuna's, of an entry of a Space."""
    kind, *ends = given
    of = optuna.distributions
    if kind == "choice" and len(ends) == 1 and len(ends[0]):
        return of.CategoricalDistribution(tuple(ends[0]))
    numbers = {"linear": of.FloatDistribution, "int": of.IntDistribution}
    numbers |= {"log": of.FloatDistribution, "log-int": of.IntDistribution}
    log = str(kind).startswith("log")
    if kind not in numbers or len(ends) != 2 or not ends[0] <= ends[1] or (log and not ends[0] > 0):
        raise RequestError(
            f"range of {name}: {given}; accepted: ('linear' or 'int', low, high), ('log' or 'log-int', low above zero, "
            "high), ('choice', one or more)"
        )
    return numbers[kind](*ends, log=log)


def _number(loss: float | None) -> float:
    return math.inf if loss is None or not math.isfinite(loss) else float(loss)


def _finite(loss: float) -> float | None:
    return loss if math.isfinite(loss) else None
