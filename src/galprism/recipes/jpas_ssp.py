"""The J-PAS paper from start to finish (A&A 705, A219, 2026): its networks, ours, a grid fit, the exact posterior.

Two samples of simple populations, of the same magnitudes: `on-grid`, the library's own spectra behind the paper's steps
of dust, as the paper tests; and `off-grid`, anywhere between them. Then bands that are missing, and the composite
populations of Appendix C.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from galprism import bundle, surveys
from galprism.config import plain
from galprism.data import Predictions, Sources, Truth
from galprism.data.tables import read_predictions, read_truth, write_predictions
from galprism.evaluate import Bar, Selection, evaluate
from galprism.evaluate.report import strict
from galprism.fit.simple import NAMES, fit_simple_grid, fit_simple_posterior, library_grid, prior_draws
from galprism.infer import predict
from galprism.recipes.jpas_measured import (
    COMPOSITE_AT,
    COMPOSITE_DRAWS,
    GALAXIES,
    GRID,
    LIMIT,
    LIMIT_LOST,
    LOST,
    LOST_AT,
    MAGNITUDES,
    OURS,
    OUTLIER,
    PAPER,
    bars,
    by_magnitude,
    by_parameter,
    composite,
    levels_of,
    ratios,
    without,
)
from galprism.recipes.mock import write_mock
from galprism.recipes.recipe import Recipe, load
from galprism.recipes.sky import sky
from galprism.recipes.stages import Stage, timings
from galprism.recipes.training import train_bundle

LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)
AT_REST = (0.0005, 0.001)
"""Redshifts of both samples; the paper's are at rest."""
MIDDLE = 0.00075
"""Of these, for fits."""
FIRST = 100_000_000
"""The first id of the test populations: no training comes so far."""
QUICK = ("sample.train=4000", "sample.validation=500", "train.epochs=[3]")
"""What `--quick` changes of the paper's training; it shows that everything runs, not how well."""


@dataclass(frozen=True)
class Sample:
    """One kind of test populations."""

    name: str
    text: str
    recipe: str


SETTINGS = (
    f"population.redshift={list(AT_REST)}",
    f"population.magnitude=[{MAGNITUDES[0]}, {MAGNITUDES[-1]}]",
    "population.magnitude_step=0.5",
)
ON_GRID = Sample("on-grid", "the library's own spectra behind the paper's steps of dust", PAPER)
OFF_GRID = Sample("off-grid", "populations anywhere between the library's", OURS)
SAMPLES = (ON_GRID, OFF_GRID)


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    test: int
    limit: int
    limit_lost: int
    draws: int


FULL = Size(test=52_000, limit=1300, limit_lost=100, draws=400_000)
SMALL = Size(test=2600, limit=13, limit_lost=6, draws=40_000)


class Reproduction:
    """The stages of the whole work, every output below one folder."""

    def __init__(self, folder: Path, *, quick: bool, workers: int = 1, say: Callable[[str], None] = print):
        self.folder, self.quick, self.say = folder, quick, say
        self.size = SMALL if quick else FULL
        self.paper = load(PAPER, QUICK if quick else ())

    def stages(self) -> list[Stage]:
        """In the order in which they are run."""
        return [
            self._train(),
            *(self._mock(sample) for sample in SAMPLES),
            *(self._grid(sample) for sample in SAMPLES),
            self._posterior(),
            *(self._predict(sample) for sample in SAMPLES),
            self._missing(),
            self._composites(),
            *(self._evaluate(sample) for sample in SAMPLES),
        ]

    # Where things are.

    def _catalogue(self, sample: Sample) -> Path:
        return self.folder / f"test-{sample.name}.parquet"

    def _bundle(self, name: str) -> bundle.Bundle:
        return bundle.load(self.folder / "bundles" / PAPER if name == PAPER else name)

    def _table(self, method: str, sample: Sample) -> Path:
        return self.folder / "predictions" / f"{method.replace(' ', '-')}-{sample.name}.parquet"

    def _report(self, sample: Sample) -> Path:
        return self.folder / f"report-{sample.name}"

    def _summary(self, sample: Sample) -> Path:
        return self.folder / f"summary-{sample.name}.md"

    def _numbers(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def results(self) -> list[tuple[str, Path, Path]]:
        """Of each sample: what it is, its tables in Markdown, and the folder of its report."""
        return [(sample.text, self._summary(sample), self._report(sample)) for sample in SAMPLES]

    def bars(self) -> list[Bar]:
        """The paper's figures and ours, once all stages are done."""
        names = (*(f"levels-{sample.name}" for sample in SAMPLES), "missing", "composites")
        return bars(*(json.loads(self._numbers(name).read_text()) for name in names))

    # What is done.

    def _recipe(self, sample: Sample) -> Recipe:
        return load(sample.recipe, SETTINGS)

    def _train(self) -> Stage:
        out = self.folder / "bundles" / PAPER

        def report(epoch: Any, n_epochs: int) -> None:
            self.say(f"    epoch {epoch.epoch + 1} of {n_epochs}: validation loss {epoch.valid_loss:.5f}")

        def run() -> None:
            train_bundle(self.paper, out, report=report)

        text = f"the paper's networks on {self.paper.sample.train:,} populations"
        return Stage(f"train-{PAPER}", text, 10 if self.quick else 900, (out,), plain(self.paper), run)

    def _mock(self, sample: Sample) -> Stage:
        recipe, path = self._recipe(sample), self._catalogue(sample)

        def run() -> None:
            write_mock(recipe, self.size.test, path, first=FIRST)

        text = f"{self.size.test:,} simulated populations: {sample.text}"
        return Stage(f"mock-{sample.name}", text, 10, (path,), [plain(recipe), self.size.test], run)

    def _predict(self, sample: Sample) -> Stage:
        tables = tuple(self._table(name, sample) for name in (PAPER, OURS))

        def run() -> None:
            sources = self._sources(sample)
            for name, table in zip((PAPER, OURS), tables, strict=True):
                write_predictions(table, predict(self._bundle(name), sources, LEVELS))

        return Stage(f"predict-{sample.name}", "both networks", 10, tables, [sample.name, bundle.load(OURS).hash], run)

    def _grid(self, sample: Sample) -> Stage:
        table = self._table(GRID, sample)

        def run() -> None:
            models = library_grid(sky(self._recipe(ON_GRID)), MIDDLE, self.paper.population.ebv)
            table.parent.mkdir(exist_ok=True)
            write_predictions(table, fit_simple_grid(self._sources(sample), models, LEVELS))

        return Stage(f"grid-{sample.name}", "grid fit", 20 if self.quick else 300, (table,), sample.name, run)

    def _posterior(self) -> Stage:
        table = self._table(LIMIT, OFF_GRID)

        def run() -> None:
            made = sky(self._recipe(OFF_GRID))
            draws = prior_draws(made, MIDDLE, self.size.draws)
            some = self._sources(OFF_GRID).take(slice(0, self.size.limit))
            write_predictions(table, fit_simple_posterior(some, made, draws, LEVELS))

        text = f"exact posterior of {self.size.limit} populations off the grid"
        return Stage("posterior-off-grid", text, 40 if self.quick else 900, (table,), plain(self.size.__dict__), run)

    def _missing(self) -> Stage:
        path = self._numbers("missing")

        def run() -> None:
            sources, truth = self._sources(OFF_GRID), read_truth(self._catalogue(OFF_GRID))
            rows = np.flatnonzero(levels_of(sources) == LOST_AT)
            sources, truth = sources.take(rows), truth.take(rows)
            found: dict[str, Any] = {"n": len(rows), "lost": list(LOST), PAPER: [], OURS: []}
            for lost in LOST:
                some = without(sources, lost)
                for name in (PAPER, OURS):
                    found[name].append(by_parameter(predict(self._bundle(name), some, LEVELS), truth))
            few = without(sources, LIMIT_LOST).take(slice(0, self.size.limit_lost))
            made = sky(self._recipe(OFF_GRID))
            limit = fit_simple_posterior(few, made, prior_draws(made, MIDDLE, self.size.draws), LEVELS)
            found["limit"] = ratios(predict(self._bundle(OURS), few), limit, truth)
            path.write_text(json.dumps(strict(found)) + "\n")

        text = f"bands taken away at i = {LOST_AT:g}: {', '.join(map(str, LOST))}"
        key = [list(LOST), plain(self.size.__dict__), bundle.load(OURS).hash]
        return Stage("missing", text, 20 if self.quick else 240, (path,), key, run)

    def _composites(self) -> Stage:
        path = self._numbers("composites")

        def run() -> None:
            found = {name: composite(self._bundle(name), name) for name in (PAPER, OURS, GALAXIES)}
            path.write_text(json.dumps(strict(found)) + "\n")

        key = [bundle.load(name).hash for name in (OURS, GALAXIES)]
        return Stage("composites", "the composite populations of Appendix C", 20, (path,), key, run)

    def _evaluate(self, sample: Sample) -> Stage:
        out, numbers = self._report(sample), self._numbers(f"levels-{sample.name}")
        limit = LIMIT if sample is OFF_GRID else GRID

        def run() -> None:
            names = (PAPER, OURS, GRID, *([LIMIT] if sample is OFF_GRID else []))
            methods = {name: read_predictions(self._table(name, sample)) for name in names}
            truth, sources = read_truth(self._catalogue(sample)), self._sources(sample)
            found = by_magnitude(methods, truth, sources, limit)
            numbers.write_text(json.dumps(strict(found)) + "\n")
            report = evaluate(
                methods,
                truth,
                sources,
                out,
                limit=limit,
                parameters=NAMES,
                selections=(Selection("i = 17", "mag_i", 16.8, 17.2),),
                band="i",
                meta=self._meta(sample),
                drawings=self._drawings(sample, methods, truth, sources, found),
                force=True,
            )
            self._summary(sample).write_text(report.markdown())

        inputs = [self.size.test, self.size.limit, sample.name]
        return Stage(
            f"evaluate-{sample.name}",
            "metrics, figures and report",
            40,
            (out, self._summary(sample), numbers),
            inputs,
            run,
        )

    def _drawings(
        self,
        sample: Sample,
        methods: Mapping[str, Predictions],
        truth: Truth,
        sources: Sources,
        found: Mapping[str, Any],
    ) -> list[Any]:
        """The paper's figures."""
        from galprism.evaluate.figures import Look
        from galprism.evaluate.figures import populations as draw

        shown = tuple(name for name in methods if name != LIMIT)
        look, level = Look(shown), levels_of(sources)
        metrics = {p: {m: [row[p] for row in found[m]] for m in shown} for p in NAMES}
        caption = (
            f"Fig. 7: median bias, sigma_NMAD, share farther off than {OUTLIER} and Pearson's coefficient by "
            f"magnitude; {len(truth):,} populations."
        )
        drawn = [draw.by_level("by_magnitude", "By magnitude", metrics, MAGNITUDES, "$i$ [AB mag]", look, caption)]
        where = {"all": np.ones(len(level), bool)} | {f"i = {i:g}": level == i for i in (17.0, 19.0, 21.0)}
        true = {p: truth.column(p) for p in NAMES}
        for name in shown:
            predicted = {p: methods[name].column(p).astype(float) for p in NAMES}
            title = f"Figs. 5, 6 and D.1: {name}"
            slug = f"predicted_{name.replace(' ', '-')}"
            drawn.append(draw.predicted_by_level(slug, title, name, true, predicted, where, look))
            off = {p: predicted[p] - true[p] for p in NAMES}
            samples = {"i < 20.5": level < 20.5, "i = 17": level == 17.0}
            drawn.append(draw.error_planes(f"planes_{name.replace(' ', '-')}", f"Fig. 8: {name}", off, true, samples))
        if sample is OFF_GRID:
            drawn += self._other_drawings()
        return drawn

    def _other_drawings(self) -> list[Any]:
        from galprism.evaluate.figures import Look
        from galprism.evaluate.figures import populations as draw

        missing, mixed = (json.loads(self._numbers(name).read_text()) for name in ("missing", "composites"))
        metrics = {p: {m: [row[p] for row in missing[m]] for m in (PAPER, OURS)} for p in NAMES}
        caption = (
            f"Bands taken away at random, others in each of {missing['n']:,} populations off the grid at "
            f"i = {LOST_AT:g}; for the paper's networks they are interpolated."
        )
        look = Look((PAPER, OURS))
        drawn = [draw.by_level("missing", "Missing bands", metrics, LOST, "bands missing", look, caption)]
        for name, families in mixed.items():
            caption = (
                f"Fig. C.1: {name} on composite populations without dust at i = {COMPOSITE_AT:g}, means of "
                f"{COMPOSITE_DRAWS} observations (solid), and their light-weighted values (dashed)."
            )
            drawn.append(draw.followed(f"composites_{name}", f"Fig. C.1: {name}", families, caption))
        return drawn

    def _sources(self, sample: Sample) -> Sources:
        return surveys.read(self._catalogue(sample), surveys.get(self.paper.survey))

    def _meta(self, sample: Sample) -> dict[str, Any]:
        size = "; quick: reduced training, test set and draws" if self.quick else ""
        return {
            "title": f"J-PAS simple populations (A&A 705, A219) rebuilt, and ours: {sample.text}{size}",
            "sample": f"{self.size.test:,} simulated populations never trained on, i = 16 to 22 in steps of 0.5, "
            f"z = {AT_REST[0]} to {AT_REST[1]}",
            "noise": "J-PAS's depths in apertures that grow with the source; zero points exact"
            + ("; every population is one of the grid's, whose fit is the limit" if sample is ON_GRID else ""),
            "recipe": self.paper.title,
            "seed": self.paper.seed,
            "command": f"galprism reproduce {PAPER} -o DIR{' --quick' if self.quick else ''}",
            "timings": {f"{name} [s]": seconds for name, seconds in timings(self.folder).items()},
        }
