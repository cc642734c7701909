"""Long work as a list of stages: each says how long it will take, is done once, and is taken up where it stopped."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from galprism.errors import RequestError


@dataclass(frozen=True, eq=False)
class Stage:
    """One step that reads what earlier ones wrote and writes something new."""

    name: str
    text: str
    """What it does, in a few words."""
    seconds: float
    """A fair guess for 2 cores."""
    outputs: tuple[Path, ...]
    """Files or folders that stand when it is done."""
    key: Any
    """What it depends on, anything that JSON holds: a stage is done again when this has changed."""
    run: Callable[[], None]
    took: Callable[[], float] | None = None
    """Once it is done: seconds that its outputs tell they took, where it may find them made before."""


def run_stages(folder: Path, stages: Sequence[Stage], say: Callable[[str], None] = print) -> None:
    """Run what is not done yet, in order, and note in `folder` what is.

    A stage whose key has changed is done again, and with it every one after it. Raises RequestError when `folder`
    is not one of ours.
    """
    notes = folder / "stages.json"
    if folder.exists() and not folder.is_dir():
        raise RequestError(f"{folder} is a file; give a new or an empty folder")
    if folder.exists() and not notes.exists() and any(folder.iterdir()):
        raise RequestError(f"{folder} exists, is not empty and was not made by galprism; give a new or an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    done: dict[str, Any] = json.loads(notes.read_text()) if notes.exists() else {}
    left = [stage for stage in stages if not _is_done(stage, done)]
    if left:
        again = stages.index(left[0])
        left = list(stages[again:])
    skipped = len(stages) - len(left)
    if skipped:
        say(f"{skipped} of {len(stages)} stages are done already")
    for stage in stages[:skipped]:
        done[stage.name]["seconds"] = _taken(stage, 0.0, done[stage.name])
    notes.write_text(json.dumps(done, indent=1) + "\n")  # what is stopped in its first stage is ours, too
    say(f"{len(left)} stages to do, about {duration(sum(stage.seconds for stage in left))} on 2 cores")
    for number, stage in enumerate(left, start=skipped + 1):
        say(f"[{number}/{len(stages)}] {stage.name}: {stage.text} (about {duration(stage.seconds)})")
        before = done.pop(stage.name, {})
        started = time.perf_counter()
        stage.run()
        seconds = time.perf_counter() - started
        done[stage.name] = {"key": digest(stage.key), "seconds": _taken(stage, seconds, before)}
        notes.write_text(json.dumps(done, indent=1) + "\n")
        say(f"    done in {duration(seconds)}")
        sys.stdout.flush()


def timings(folder: Path) -> dict[str, float]:
    """Seconds that each stage took when it was made, as noted in the folder."""
    notes = folder / "stages.json"
    return {name: entry["seconds"] for name, entry in json.loads(notes.read_text()).items()} if notes.exists() else {}


def _taken(stage: Stage, seconds: float, before: Mapping[str, Any]) -> float:
    """Seconds that a stage took when it was really made: when it is done again it may find what it made before."""
    earlier = before["seconds"] if before.get("key") == digest(stage.key) else 0.0
    return round(max(seconds, earlier, stage.took() if stage.took is not None else 0.0), 1)


def digest(key: Any) -> str:
    """A short hash of anything that JSON holds."""
    return hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()[:16]


def duration(seconds: float) -> str:
    """In words: 40 s, 12 min, 2.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _is_done(stage: Stage, done: dict[str, Any]) -> bool:
    noted = done.get(stage.name)
    return noted is not None and noted["key"] == digest(stage.key) and all(path.exists() for path in stage.outputs)
