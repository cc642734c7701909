"""One recipe trained with every combination of some settings, side by side. Needs PyTorch."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from galprism import bundle, config
from galprism.errors import RequestError
from galprism.evaluate import Table
from galprism.evaluate.tables import number
from galprism.recipes.estimators import build_estimator
from galprism.recipes.recipe import Recipe, load
from galprism.recipes.training import train_bundle
from galprism.train import Epoch, LoopConfig

TABLE = "sweep.md"


def combinations(sweeps: Sequence[str]) -> list[tuple[str, ...]]:
    """Settings `key=value`, one tuple for each combination of `key=[first, second, …]`, the last varying fastest.

    Raises RequestError for what is no list of values, or a key that stands twice.
    """
    axes: dict[str, list[str]] = {}
    for text in sweeps:
        key, _, _ = text.partition("=")
        nested = config.override({}, [text])
        for section in key.split("."):
            nested = nested[section]
        if not isinstance(nested, list) or not nested:
            raise RequestError(f"sweep {text!r}; accepted: {key}=[first, second, …], a list of the setting's values")
        if key in axes:
            raise RequestError(f"sweep: {key} is given twice")
        if any(nested.count(value) > 1 for value in nested):
            raise RequestError(f"sweep {text!r}: a value stands twice")
        axes[key] = [f"{key}={json.dumps(value)}" for value in nested]
    return list(itertools.product(*axes.values()))


def sweep(
    name: str | Path,
    settings: Sequence[str],
    sweeps: Sequence[str],
    out: Path,
    *,
    device: str = "cpu",
    say: Callable[[str], None] = print,
) -> Table:
    """Train a recipe once for each combination, into folders `01`, `02`, … of `out`, and write a table of them there.

    What is there already is not trained again. All see the same galaxies; the losses are those of the same validation
    set. Raises RequestError for what the recipe has no place for, before anything is trained, and for a folder that
    holds something else.
    """
    chosen = combinations(sweeps)
    swept = {text.partition("=")[0] for text in sweeps}
    for setting in settings:
        if setting.partition("=")[0] in swept:
            raise RequestError(f"setting {setting!r} is swept too; give it once")
    named: list[Recipe] = [load(name, [*settings, *some]) for some in chosen]
    if named[0].classes or named[0].modalities or named[0].staged or named[0].labels:
        raise RequestError(
            f"recipe {named[0].name} cannot be swept; accepted: recipes of parameters from simulated photometry alone"
        )
    for recipe in named:  # a wrong setting is found before the first training
        build_estimator(recipe, 1, config.fill(LoopConfig, recipe.train, "train").seed)
    rows = []
    for count, (recipe, some) in enumerate(zip(named, chosen, strict=True), start=1):
        place = out / f"{count:02d}"
        say(f"[{count}/{len(named)}] {' '.join(some)}")
        if not (place / bundle.JSON_NAME).is_file():
            train_bundle(recipe, place, device=device, report=_reporter(say))
        found = bundle.load(place)
        if found.recipe != config.plain(recipe):
            raise RequestError(f"{place} is of other settings; give a new folder, or remove it")
        metrics = found.metrics
        rms = " ".join(number(value, 4) for value in metrics["validation_rms_of_coordinates"])
        loss = number(metrics["validation_loss"], 5)
        rows.append((f"{count:02d}", *(text.partition("=")[2] for text in some), loss, rms))
    keys = tuple(text.partition("=")[0] for text in sweeps)
    caption = f"{named[0].name}: {named[0].sample.validation:,} validation sources, the same for all"
    table = Table(("bundle", *keys, "validation loss", "rms of coordinates"), tuple(rows), caption, 1 + len(keys))
    (out / TABLE).write_text(table.markdown() + "\n")
    return table


def _reporter(say: Callable[[str], None]) -> Callable[[Epoch, int], None]:
    def report(epoch: Epoch, n_epochs: int) -> None:
        say(f"    epoch {epoch.epoch + 1} of {n_epochs}: validation loss {epoch.valid_loss:.5f}, {epoch.seconds:.0f} s")

    return report
