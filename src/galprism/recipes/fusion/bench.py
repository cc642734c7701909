"""One loop for all models of the bench: each learns from the same galaxies, and is asked about the same others."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from galprism.evaluate.metrics import point_metrics
from galprism.recipes.fusion.seen import Seen
from galprism.recipes.stages import digest

SEARCH_FILE = "search.json"
"""Where the settings that were tried are kept, beside a model that was searched."""


class Fitted(Protocol):
    """A model that has learned."""

    @property
    def weights(self) -> int:
        """Numbers that were learned."""
        ...

    def answers(self, seen: Seen, rows: np.ndarray) -> np.ndarray:
        """(n, P), in the targets' units."""
        ...


class Model(Protocol):
    """One row of the table."""

    @property
    def name(self) -> str:
        """What it is called, as `forest: photometry`."""
        ...

    @property
    def sees(self) -> tuple[str, ...]:
        """Blocks of galprism.recipes.fusion.seen."""
        ...

    @property
    def key(self) -> Any:
        """What its answers depend on beside the sample: anything that JSON holds."""
        ...

    def fit(self, seen: Seen, work: Path) -> Fitted:
        """Learn from the galaxies of training, stop by those of validation; `work` keeps what it takes up again."""
        ...


@dataclass(frozen=True)
class Score:
    """Of one target over the test."""

    rmse: float
    rmse_err: float
    """Standard error, by the delta method."""
    r2: float
    mae: float


@dataclass(frozen=True, eq=False)
class Row:
    """What is told of a model."""

    name: str
    sees: tuple[str, ...]
    weights: int
    seconds: float
    """Of training, on the machine that it was trained on; 0 for what only joins others' answers."""
    microseconds: float
    """A galaxy, when the test is asked about at once."""
    scores: dict[str, Score]
    """By target."""
    answers: dict[str, np.ndarray]
    """By part, (n, P), in the targets' units."""
    place: Path
    """What the model keeps."""


def judged(model: Model, seen: Seen, sample_key: str, folder: Path) -> Row:
    """The model's row: taken from `folder` where it stands there, otherwise learned, asked and kept.

    sample_key : what the sample is, a digest
    """
    place = place_of(model, sample_key, folder)
    told, kept = place / "row.json", place / "answers.npz"
    if not told.exists():
        started = time.perf_counter()
        fitted = model.fit(seen, place)
        seconds = time.perf_counter() - started
        started = time.perf_counter()
        answers = {"test": fitted.answers(seen, seen.rows("test"))}
        microseconds = 1e6 * (time.perf_counter() - started) / len(answers["test"])
        answers["validation"] = fitted.answers(seen, seen.rows("validation"))
        place.mkdir(parents=True, exist_ok=True)
        np.savez(kept, test=answers["test"], validation=answers["validation"])
        record = {"weights": fitted.weights, "seconds": seconds, "microseconds": microseconds}
        partial = told.with_suffix(".part")
        partial.write_text(json.dumps(record) + "\n")
        partial.replace(told)
    with np.load(kept, allow_pickle=False) as stored:
        answers = {part: stored[part] for part in ("validation", "test")}
    scores = scores_of(answers["test"], seen, seen.rows("test"))
    return Row(model.name, model.sees, scores=scores, answers=answers, place=place, **json.loads(told.read_text()))


def place_of(model: Model, sample_key: str, folder: Path) -> Path:
    """Where a model is kept: a folder of `folder`, named by all that it depends on."""
    return folder / f"{file_name(model.name)}-{digest([sample_key, model.name, model.sees, model.key])}"


def scores_of(answers: np.ndarray, seen: Seen, rows: np.ndarray) -> dict[str, Score]:
    """Of answers (n, P) about rows (n,), by target."""
    scores = {}
    for j, name in enumerate(seen.names):
        found = point_metrics(answers[:, j], seen.targets[rows, j])
        assert found.rms is not None
        assert found.rms_err is not None
        assert found.r2 is not None
        assert found.mae is not None
        scores[name] = Score(found.rms, found.rms_err, found.r2, found.mae)
    return scores


def record(row: Row) -> dict[str, Any]:
    """What JSON holds of a row."""
    told = {name: getattr(row, name) for name in ("name", "sees", "weights", "seconds", "microseconds")}
    return told | {"scores": {name: asdict(score) for name, score in row.scores.items()}}


def file_name(name: str) -> str:
    """A model's name as that of a folder."""
    return "-".join("".join(c if c.isalnum() else " " for c in name).split())
