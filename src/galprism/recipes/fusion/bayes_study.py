"""All of Bayesian networks and active learning on the sample of `sdss-fusion`: one record, its figures and maps."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from galprism.evaluate.report import strict
from galprism.recipes.fusion.active import Study, learning_curves
from galprism.recipes.fusion.bayesian import BayesianModel, Training, bayesian_models, uncertainties
from galprism.recipes.fusion.bench import place_of
from galprism.recipes.fusion.maps import maps_of, write_maps
from galprism.recipes.fusion.sample import FusionSample
from galprism.recipes.fusion.seen import Seen
from galprism.recipes.stages import digest

RECORD = "active-learning.json"
DRAWN = ("redshift", "sfr_tot_avg", "sfr_tot_entropy", "sfr_tot_median", "sfr_tot_p16")
"""Targets with panels of their own."""


@dataclass(frozen=True)
class Size:
    """How much of it."""

    study: Study
    training: Training


FULL = Size(Study(), Training())
_FEW = Training(passes=4, steps=60, draws=8)
QUICK = Size(Study(BayesianModel(training=_FEW), (20, 40, 60), seeds=1), _FEW)


def sample_key_of(sample: FusionSample) -> str:
    """A digest of what the sample is."""
    return digest([sample.place.name, sample.counts])


def bayes_study(
    seen: Seen,
    sample: FusionSample,
    folder: Path,
    size: Size = FULL,
    *,
    models: Path | None = None,
    sample_key: str | None = None,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Learning curves, uncertainties and maps, as JSON holds them; written to `folder` with what is taken up again.

    models : where the bench keeps its models, and sample_key what it calls the sample; a model that stands there has
    learned already.
    """
    key = sample_key or sample_key_of(sample)
    models = models or folder / "models"
    judged = bayesian_models(training=size.training)
    found = {
        "curves": learning_curves(size.study, seen, key, folder / "rounds", say),
        "models": uncertainties(judged, seen, key, models),
    }
    folder.mkdir(parents=True, exist_ok=True)
    partial = (folder / RECORD).with_suffix(".part")
    partial.write_text(json.dumps(strict(found), indent=1) + "\n")
    partial.replace(folder / RECORD)
    both = next(model for model in judged if model.network.form == "dropout" and "components" in model.sees)
    fitted = both.fit(seen, place_of(both, key, models))
    write_maps(maps_of(fitted, seen, sample), sample, folder, "What a Bayesian network makes of galaxies")
    return found


def draw_bayes_study(found: dict[str, Any], folder: Path) -> list[Path]:
    """PNG of the learning curves and of the uncertainties."""
    from galprism.evaluate.figures.active import learning_curves as curves
    from galprism.evaluate.figures.active import stated_uncertainties

    names = [name for name in found["curves"]["targets"] if name != "mean"]
    drawings = [
        curves("active_learning", "Errors by the number of labels", found["curves"], DRAWN),
        stated_uncertainties("bayesian_calibration", "Whether the uncertainties hold", found["models"], names),
    ]
    paths = []
    for drawing in drawings:
        paths.append(folder / f"{drawing.name}.png")
        paths[-1].write_bytes(drawing.png)
    return paths
