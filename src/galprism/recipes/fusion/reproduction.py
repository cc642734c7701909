"""The bench sdss-fusion from start to finish: one sample, one split, every model on it, and its tables and figures.

Models are those of `models`, in one line each; what is studied beside them (STUDIES) has stages, bars, tables and
figures of its own, on the same galaxies.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from galprism.config import plain
from galprism.data import Predictions
from galprism.data.sfr_labels import STATISTICS
from galprism.evaluate import Bar, evaluate
from galprism.evaluate.figures import Drawing
from galprism.evaluate.figures.fusion import accuracy_and_cost, against_true, errors_by_model
from galprism.evaluate.report import strict
from galprism.fit.sfr_statistics import sfr_statistics
from galprism.recipes.fusion.balance import BalanceStudy
from galprism.recipes.fusion.bars import BOTH, bars, group_of, standing
from galprism.recipes.fusion.bayes_study import FULL as FULL_BAYES
from galprism.recipes.fusion.bayes_study import QUICK as QUICK_BAYES
from galprism.recipes.fusion.bayes_study import BayesStudy
from galprism.recipes.fusion.bayesian import bayesian_models
from galprism.recipes.fusion.bench import SEARCH_FILE, Model, Row, file_name, judged, record
from galprism.recipes.fusion.classical import classical_models
from galprism.recipes.fusion.late import HOW, LateFusion
from galprism.recipes.fusion.network_search import SearchedNetwork
from galprism.recipes.fusion.networks import NetworkConfig, NetworkModel, balance_study, networks
from galprism.recipes.fusion.sample import NAME, FusionSample, distributions, fusion_sample
from galprism.recipes.fusion.seen import Seen, seen_of
from galprism.recipes.fusion.tables import search_told, tables_of
from galprism.recipes.recipe import load
from galprism.recipes.stages import Stage, timings

QUICK = (
    *("sample.train=120", "sample.validation=30", "sample.test=40", "fit.n_draws=2000"),
    *("field.galaxies.redshift=[0.08, 0.09]", "field.limit=18", "field.area=0.05", "spectra.farthest=0.1"),
)
"""`--quick`: everything runs, and the figures mean little."""
OTHER_SEED = 1000
"""What is added to the seed for other draws of the labels."""
DRAWN = ("redshift", "sfr_tot_avg")
"""Targets of the figures of single models."""
DONE = "done"


class Bench:
    """What all models and studies share, below one folder."""

    def __init__(self, folder: Path, *, quick: bool, workers: int = 1, say: Callable[[str], None] = print):
        self.folder, self.quick, self.workers, self.say = folder, quick, workers, say
        self.recipe = load(NAME, QUICK if quick else ())
        recipe = self.recipe
        parts = (recipe.field, recipe.chosen, recipe.images, recipe.spectra, recipe.noise, recipe.sample, recipe.fit)
        self.key: list[Any] = [*map(plain, parts), recipe.survey, recipe.seed]
        """What the sample depends on."""
        self.networks = NetworkConfig(passes=2) if quick else NetworkConfig()
        """How its networks are trained."""
        self.sample_key = json.dumps(self.key, sort_keys=True, default=str)

    @cached_property
    def sample(self) -> FusionSample:
        """All galaxies."""
        return fusion_sample(self.recipe, self.folder / "sample", workers=self.workers)

    @cached_property
    def seen(self) -> Seen:
        """As models see them."""
        return seen_of(self.sample, self.folder / "seen")

    def judged(self, model: Model) -> Row:
        """A model's row, learned where it is not there yet."""
        return judged(model, self.seen, self.sample_key, self.folder / "models")


def models(bench: Bench) -> list[Model]:
    """The rows of the table, in their order."""
    alone: tuple[Model, ...] = tuple(NetworkModel(kind, bench.networks) for kind in ("image CNN", "spectrum CNN"))
    whole = replace(bench.networks, lost=0.0)
    learned: list[Model] = [
        *classical_models(quick=bench.quick),
        *networks(bench.networks),
        SearchedNetwork(start=whole, trials=2, passes=1) if bench.quick else SearchedNetwork(start=whole),
        *balance_study(bench.networks),
        *bayesian_models(training=(QUICK_BAYES if bench.quick else FULL_BAYES).training),
    ]
    late = [LateFusion(alone, bench.judged, how) for how in HOW]
    return [*learned, *late, *(LateFusion(tuple(learned), bench.judged, how) for how in ("weighed", "stacked"))]


class Study(Protocol):
    """What is looked at beside the table of models."""

    def stages(self) -> list[Stage]:
        """In the order in which they are run, behind the models."""
        ...

    def bars(self) -> list[Bar]:
        """Once its stages are done."""
        ...

    def tables(self) -> list[str]:
        """Sections in Markdown."""
        ...

    def drawings(self) -> list[Drawing]:
        """Figures."""
        ...


STUDIES: tuple[Callable[[Bench], Study], ...] = (BalanceStudy, BayesStudy)
"""What makes them of the bench."""


class Reproduction:
    """The stages of the whole work, every output below one folder."""

    def __init__(self, folder: Path, *, quick: bool, workers: int = 1, say: Callable[[str], None] = print):
        self.bench = Bench(folder, quick=quick, workers=workers, say=say)
        self.folder, self.quick = folder, quick
        self.models = models(self.bench)
        self.studies = [study(self.bench) for study in STUDIES]

    def stages(self) -> list[Stage]:
        """In the order in which they are run."""
        studied = [stage for study in self.studies for stage in study.stages()]
        return [self._sample(), self._seen(), *map(self._model, self.models), self._noise(), *studied, self._evaluate()]

    def bars(self) -> list[Bar]:
        """What was to be reached and what is, once all stages are done."""
        own = bars(json.loads(self._measured.read_text()))
        return [*own, *(bar for study in self.studies for bar in study.bars())]

    def results(self) -> list[tuple[str, Path, Path]]:
        """What it is, its tables in Markdown, and the folder of its report."""
        return [("every model on the same galaxies", self._summary, self.folder / "report")]

    # Where things are.

    @property
    def _summary(self) -> Path:
        return self.folder / "summary.md"

    @property
    def _measured(self) -> Path:
        return self.folder / "measured.json"

    @property
    def _label_noise(self) -> Path:
        return self.folder / "label-noise.json"

    # What is done.

    def _sample(self) -> Stage:
        done, recipe = self.folder / "sample.done", self.bench.recipe
        n = recipe.sample.train + recipe.sample.validation + recipe.sample.test

        def run() -> None:
            done.write_text(f"{len(self.bench.sample)}\n")

        text = f"{n:,} galaxies of a simulated sky with images, spectra and the distributions of their rates"
        return Stage("sample", text, 30 if self.quick else 420, (done,), self.bench.key, run)

    def _seen(self) -> Stage:
        done = self.folder / "seen.done"

        def run() -> None:
            done.write_text(f"{self.bench.seen.components.shape[1]} components\n")

        return Stage("seen", "what models see of them", 5 if self.quick else 60, (done,), self.bench.key, run)

    def _model(self, model: Model) -> Stage:
        done = self.folder / DONE / f"{file_name(model.name)}.json"

        def run() -> None:
            row = self.bench.judged(model)
            done.parent.mkdir(exist_ok=True)
            done.write_text(json.dumps(strict(record(row)), indent=1) + "\n")

        key = [self.bench.key, model.sees, model.key]

        def took() -> float:
            return json.loads(done.read_text())["seconds"]

        return Stage(done.stem, model.name, 2 if self.quick else 60, (done,), key, run, took)

    def _noise(self) -> Stage:
        """How far the labels of the test are from those of other draws: no model can be nearer to them than that."""
        path = self._label_noise

        def run() -> None:
            sample, rows = self.bench.sample, self.bench.seen.rows("test")
            other = replace(self.bench.recipe, seed=self.bench.recipe.seed + OTHER_SEED)
            again = np.full((len(rows), len(STATISTICS)), np.nan)
            light = (np.asarray(sample.flux[rows]), np.asarray(sample.flux_ivar[rows]), sample.column("redshift")[rows])
            for own, found in distributions(other, *light, self.bench.workers):
                again[own] = sfr_statistics(found.share)
            apart = (again - sample.targets[rows, 1:]) / np.sqrt(2.0)
            good = np.isfinite(apart).all(axis=1)
            founded = good & ~sample.coarse[rows]
            told = {
                name: dict(zip(STATISTICS, np.sqrt(np.mean(apart[some] ** 2, axis=0)), strict=True))
                for name, some in (("all", good), ("founded", founded))
            }
            path.write_text(json.dumps(strict(told), indent=1) + "\n")

        text = "labels of the test from other draws"
        return Stage("label-noise", text, 10 if self.quick else 240, (path,), self.bench.key, run)

    def _evaluate(self) -> Stage:
        def run() -> None:
            rows = [self.bench.judged(model) for model in self.models]
            measured = self._measure(rows)
            self._measured.write_text(json.dumps(measured, indent=1) + "\n")
            self._report(rows, measured)
            parts = [*tables_of(measured), *(text for study in self.studies for text in study.tables())]
            self._summary.write_text("\n\n".join(parts) + "\n")

        outputs = (self.folder / "report", self._summary, self._measured)
        key = [self.bench.key, [[model.name, model.sees, model.key] for model in self.models], len(self.studies)]
        return Stage("evaluate", "tables and figures", 10 if self.quick else 30, outputs, key, run)

    def _measure(self, rows: list[Row]) -> dict[str, Any]:
        seen = self.bench.seen
        test = seen.rows("test")
        true, founded = seen.targets[test], ~seen.coarse[test]

        def of(row: Row) -> dict[str, Any]:
            rms = np.sqrt(np.mean((row.answers["test"] - true)[founded] ** 2, axis=0))
            return {"founded": dict(zip(seen.names, rms, strict=True)), "search": search_told(row.place / SEARCH_FILE)}

        return strict(
            {
                "targets": list(seen.names),
                "n_test": len(test),
                "n_founded": int(founded.sum()),
                "spread": np.sqrt(np.mean((true - seen.centre) ** 2, axis=0)),
                "rows": [record(row) | of(row) for row in rows],
                "label_noise": json.loads(self._label_noise.read_text()),
                **standing(rows, seen),
            }
        )

    def _report(self, rows: list[Row], measured: dict[str, Any]) -> None:
        """The best of each kind of data, as a report, with the figures of all in front."""
        sample, by = self.bench.sample, {row.name: row for row in rows}
        test = self.bench.seen.rows("test")
        names = dict.fromkeys(name for best in measured["best"].values() for name in best.values())
        none = np.zeros(len(test), np.uint32)
        found = {
            name: Predictions(
                np.asarray(sample.ident[test]), tuple(measured["targets"]), by[name].answers["test"].astype(np.float32),
                none, none.astype(np.int16),
            )
            for name in names
            if name in {measured["best"][target].get(group) for target in DRAWN for group in measured["best"][target]}
        }  # fmt: skip
        studied = [drawing for study in self.studies for drawing in study.drawings()]
        evaluate(
            found,
            sample.labels(test),
            sample.sources(test),
            self.folder / "report",
            parameters=DRAWN,
            meta=self._meta(),
            drawings=(*self._drawings(rows, measured), *studied),
            force=True,
        )

    def _drawings(self, rows: list[Row], measured: dict[str, Any]) -> list[Drawing]:
        seen, told = self.bench.seen, f"{measured['n_test']:,} test galaxies."
        shown = [
            {
                **one,
                "group": group_of(row.sees),
                "joins": isinstance(model, LateFusion),
                "error": float(np.mean([row.scores[name].rmse for name in seen.names] / seen.scale)),
            }
            for one, row, model in zip(measured["rows"], rows, self.models, strict=True)
        ]
        drawn = [errors_by_model(shown, seen.names, measured["label_noise"]["all"], told)]
        by, test = {row.name: row for row in rows}, seen.rows("test")
        best = {name: measured["best"][name].get(BOTH) for name in DRAWN}
        if all(best.values()):
            place = {name: seen.names.index(name) for name in DRAWN}
            true = {name: seen.targets[test, j] for name, j in place.items()}
            predicted = {name: by[best[name]].answers["test"][:, j] for name, j in place.items()}
            text = f"{told} Of the models that see both kinds of data those that do best on the galaxies of validation."
            drawn.append(against_true(true, predicted, best, text))
        text = (
            f"{told} RMSE over the standard deviation of the target among the galaxies of training, averaged over the "
            "targets. Training includes the search of settings, and making components of spectra is in neither. Of "
            "what joins the answers of others the costs are of the joining alone."
        )
        return [*drawn, accuracy_and_cost(shown, text)]

    def _meta(self) -> dict[str, Any]:
        n = dict(zip(("train", "validation", "test"), self.bench.sample.counts, strict=True))
        return {
            "title": "sdss-fusion: every way of joining images and spectra",
            "sample": f"{n['test']:,} simulated galaxies never learned from, of SDSS's main sample (13.5 < r < 17.77); "
            f"models learned from {n['train']:,} and were chosen by {n['validation']:,} others, the same for all",
            "noise": "SDSS's photometry, ugriz images with PSF and neighbours, whole spectra with BOSS's noise; labels "
            "are of the photometry as measured",
            "recipe": self.bench.recipe.title,
            "seed": self.bench.recipe.seed,
            "command": f"galprism reproduce {NAME} -o DIR{' --quick' if self.quick else ''}",
            "timings": {f"{name} [s]": seconds for name, seconds in timings(self.folder).items()},
        }
