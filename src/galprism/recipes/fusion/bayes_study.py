"""All of Bayesian networks and active learning on the sample of `sdss-fusion`: one record, its figures and maps, and
how they stand in the bench."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from galprism.evaluate import Bar
from galprism.evaluate.figures import Drawing
from galprism.evaluate.report import strict
from galprism.evaluate.tables import MISSING, Table, number, with_error
from galprism.recipes.fusion.active import Study, learning_curves
from galprism.recipes.fusion.bayesian import BayesianModel, Training, bayesian_models, uncertainties
from galprism.recipes.fusion.bench import place_of
from galprism.recipes.fusion.maps import CAPTION, FIGURE, PAGE, maps_of, write_maps
from galprism.recipes.fusion.sample import FusionSample
from galprism.recipes.fusion.seen import Seen
from galprism.recipes.fusion.tables import short
from galprism.recipes.stages import Stage, digest

if TYPE_CHECKING:
    from galprism.recipes.fusion.reproduction import Bench

RECORD = "active-learning.json"
TITLE = "What a Bayesian network makes of galaxies"
UNCERTAINTY = ("coverage_68", "coverage_95", "log_score", "epistemic")
"""What is told of the uncertainty of a target."""
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
    write_maps(maps_of(fitted, seen, sample), sample, folder, TITLE)
    return found


class BayesStudy:
    """It, as a study of the bench."""

    def __init__(self, bench: Bench):
        self.bench, self.folder = bench, bench.folder / "active"
        self.size = QUICK if bench.quick else FULL

    def stages(self) -> list[Stage]:
        """One."""
        bench = self.bench

        def run() -> None:
            kept: dict[str, Any] = {"models": bench.folder / "models", "sample_key": bench.sample_key}
            bayes_study(bench.seen, bench.sample, self.folder, self.size, **kept, say=self.say)

        study = self.size.study
        runs = study.seeds * (len(study.acquisitions) * (len(study.labels) - 1) + 2)
        outputs = (self.folder / RECORD, self.folder / FIGURE, self.folder / PAGE)
        key = [bench.key, study.key, [model.key for model in bayesian_models(training=self.size.training)]]
        text = f"active learning, {runs} trainings of up to {bench.recipe.sample.train:,} labels, and maps"
        return [Stage("active-learning", text, 30 if bench.quick else 45 * runs, outputs, key, run)]

    def say(self, text: str) -> None:
        """A line below the stage's own."""
        self.bench.say(f"    {text}")

    def _found(self) -> dict[str, Any]:
        return json.loads((self.folder / RECORD).read_text())

    def bars(self) -> list[Bar]:
        """What half of the labels reach, and whether choosing them is worth it."""
        curves = self._found()["curves"]
        by = curves["targets"]["mean"]["by"]
        chosen = {name: told for name, told in by.items() if name != "random"}
        best = min(chosen, key=lambda name: chosen[name]["at_half"])
        told, n = chosen[best], f"{curves['half']:,} of {curves['pool']:,} labels"
        note = f"{best}, {n}, all targets; random {by['random']['at_half']:.3f}"
        worth = "" if told["worth"] is None else f"as good as {told['worth']:,.0f} at random"
        return [
            Bar("active learning: RMSE of half of the labels over all", curves["within"], told["at_half"], note=note),
            Bar("active learning: RMSE over random", 1.0, told["of_random"], err=told["of_random_err"], note=worth),
        ]

    def tables(self) -> list[str]:
        """Errors by acquisition, and whether the stated ones hold."""
        found = self._found()
        curves, names = found["curves"], list(found["curves"]["targets"])
        acquisitions = list(curves["targets"]["mean"]["by"])
        others = [one for one in acquisitions if one != "random"]
        rows = []
        for name in names:
            told = curves["targets"][name]["by"]
            cells = [number(told[one]["at_half"], 3) for one in acquisitions]
            ratios = [with_error(told[one]["of_random"], told[one]["of_random_err"], 3) for one in others]
            reached = [MISSING if told[one]["reached"] is None else f"{told[one]['reached']:,}" for one in acquisitions]
            rows.append((short(name), *cells, *ratios, *reached))
        header = (
            "target",
            *(f"{one}: over all labels" for one in acquisitions),
            *(f"{one} over random" for one in others),
            *(f"{one}: labels within 5 %" for one in acquisitions),
        )
        text = (
            f"{curves['model']}, {curves['seeds']} seeds, {', '.join(map(str, curves['labels']))} labels of a pool of "
            f"{curves['pool']:,}. RMSE of {curves['half']:,} labels over that of all, over that of as many random, "
            "and the fewest labels of a round that come within 5 % of all."
        )
        return [
            f"### Active learning\n\n{text}\n\n" + Table(header, tuple(rows), "", 1).markdown(),
            _uncertainties(found["models"]),
            f"Maps that can be looked into are in `{self.folder.name}/{PAGE}` of the command's folder.",
        ]

    def drawings(self) -> list[Drawing]:
        """Curves of learning, the uncertainties, and the maps."""
        from galprism.evaluate.figures.active import learning_curves as curves
        from galprism.evaluate.figures.active import stated_uncertainties

        found = self._found()
        names = [name for name in found["curves"]["targets"] if name != "mean"]
        return [
            curves("active_learning", "Errors by the number of labels", found["curves"], DRAWN),
            stated_uncertainties("bayesian_calibration", "Whether the uncertainties hold", found["models"], names),
            Drawing("embeddings", TITLE, CAPTION, (self.folder / FIGURE).read_bytes()),
        ]


def _uncertainties(models: list[dict[str, Any]]) -> str:
    """Of each Bayesian network, how many true values its intervals hold."""
    rows = []
    for model in models:
        for name in ("redshift", "sfr_tot_avg"):
            told = model["uncertainty"][name]
            rows.append((model["name"], short(name), *(number(told[key], 3) for key in UNCERTAINTY)))
    header = ("model", "target", *UNCERTAINTY)
    text = "Uncertainties that Bayesian networks state, on the test."
    return f"### Whether they know what they do not know\n\n{text}\n\n" + Table(header, tuple(rows), "", 2).markdown()
