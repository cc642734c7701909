"""The KiDS DR5 classifier from start to finish: Feng et al. (2025), Sects. 2 to 5, and ours on the same sources.

One sample of simulated sources, chosen as the paper's are, on which the published network and ours learn and are
tried; the paper's ablations, learned from fewer sources with images in four bands; what learns nothing or learns
otherwise; and two studies of ours, of fainter sources than it learned from and of fewer of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from galprism import bundle, surveys
from galprism.config import plain
from galprism.data import CLASSES, Predictions, Sources, Truth
from galprism.data.classes import class_probabilities
from galprism.data.tables import read_predictions, write_predictions
from galprism.evaluate import Bar, evaluate
from galprism.evaluate.classes import (
    TABLE_2,
    Classification,
    Column,
    Shown,
    class_value,
    extrapolation_table,
    judge_classes,
    nested_subsets,
    training_size_table,
)
from galprism.fit.class_fit import fit_classes
from galprism.fit.class_grid import grid_templates
from galprism.fit.class_shares import shares_by_magnitude
from galprism.fit.class_templates import ClassTemplates
from galprism.infer.classes import ClassPredictor
from galprism.mocks import calibration_error
from galprism.recipes.class_baselines import Measured, class_baselines, sizes_over_psf
from galprism.recipes.classes import class_bundle, learn_classes
from galprism.recipes.labelled import Labelled, labelled, measure_of
from galprism.recipes.recipe import Recipe, load
from galprism.recipes.sky import libraries_of
from galprism.recipes.stages import Stage, digest, timings
from galprism.train.device import best_device
from galprism.units import abmag_from_njy

PAPER_NETWORK, OURS = "kids-mnn", "star-qso-galaxy"
PHO9 = f"{PAPER_NETWORK}, photometry alone"
UGRI = ("u", "g", "r", "i")
LIMIT = "exact posterior of the photometry"
MODELS = 30_000
"""Sources without noise that it is by."""
BEST_TREES = ("boosted trees, tuned", "boosted trees, tuned, with size")
"""Of the baselines, those that stand beside the networks in every figure."""
SAMPLES = {
    "all": "the published network and ours",
    "baselines": "all that learns nothing, or otherwise, on the same sources",
    "few": "the published network's other forms, from few sources",
}
"""Reports, and what each is of."""
WITHOUT_IMAGE, WITHOUT_PHOTOMETRY = f"{OURS}, photometry alone", f"{OURS}, image alone"

PAPER = {
    "Img1+Pho9": (0.9867, 0.9475, 0.9911),
    "Img1+Pho4": (0.9432, 0.8920, 0.9897),
    "Img4+Pho4": (0.9439, 0.8946, 0.9903),
    "Img4": (0.8929, 0.8008, 0.9858),
    "Pho9": (0.9720, 0.9041, 0.9840),
    "XGBoost": (0.9854, 0.9339, 0.9891),
}
"""F1 of star, QSO and galaxy (Feng et al. 2025, Table 1)."""
PAPER_ACCURACY, PAPER_F1 = 0.9876, (0.9863, 0.9561, 0.9926)
"""Of Img1+Pho9 by the text (Sects. 4.1.1 and 6), which is not that of Table 1."""
PAPER_WEIGHTS = 18_257_155
"""Feng et al. (2025), Fig. 2."""

ABLATIONS: dict[str, tuple[str, ...]] = {
    "Img1+Pho9": (),
    "Img1+Pho9, images over their peaks": ("classes.inputs.image.scale=peak",),
    "Img1+Pho4": ('classes.inputs.bands=["u", "g", "r", "i"]',),
    "Img4+Pho4": ('classes.inputs.bands=["u", "g", "r", "i"]', 'classes.inputs.image.bands=["u", "g", "r", "i"]'),
    "Img4": ("classes.inputs.photometry=none", 'classes.inputs.image.bands=["u", "g", "r", "i"]'),
    "Pho9": ("classes.inputs.image.bands=[]",),
}
"""Settings of the paper's recipe, by the names of Table 1; the second is the test of Sect. 5.1."""
FOUR_BANDS = (
    'images.bands=["u", "g", "r", "i"]',
    "images.fwhm=[1.0, 0.9, 0.7, 0.8]",
    "images.electrons_per_njy=[1.3, 6.5, 9.0, 4.5]",
    "images.saturation=[250000.0, 55000.0, 40000.0, 80000.0]",
)
"""KiDS's seeing in u, g, r and i (Kuijken et al. 2019, abstract and Table 1, rounded); its exposures are 15, 15, 30 and
20 min. Electrons are r's times exposure and what a mirror of aluminium, air and detector let through of each band."""


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    settings: tuple[str, ...]
    """Of the sample that the two networks share."""
    epochs: tuple[str, ...]
    """Of the paper's network there."""
    few: tuple[str, ...]
    """Of the ablations: their sample and epochs."""
    study: tuple[str, ...]
    """Of the studies of ours: epochs."""
    sizes: tuple[int, ...]
    """Sources that ours learns from in the study of Appendix B."""
    most: int
    """Sources that ours learns from at most in that of Table 2."""
    trials: int
    """Of the search for the settings of boosted trees."""


FULL = Size(
    settings=(),
    epochs=(),
    few=("sample.train=127_009", "sample.validation=20_000", "sample.test=20_000"),
    study=("train.epochs=[12]",),
    sizes=(2_000, 8_000, 32_000, 127_009),
    most=127_009,
    trials=50,
)
"""Where there is a GPU: the paper's schedule."""
REDUCED = replace(
    FULL,
    epochs=("train.epochs=[2]",),
    few=("sample.train=5_000", "sample.validation=1_500", "sample.test=5_000", "train.epochs=[5]"),
    study=("train.epochs=[6]",),
    sizes=(1_000, 4_000, 16_000, 64_000),
    most=32_000,
)
"""On a processor: the same sample, 2 passes of the paper's network in place of 50; few sources for its ablations."""
SMALL = Size(
    settings=("sample.train=1_200", "sample.validation=300", "sample.test=500"),
    epochs=("train.epochs=[1]",),
    few=("sample.train=300", "sample.validation=100", "sample.test=200", "train.epochs=[1]"),
    study=("train.epochs=[2]",),
    sizes=(300, 1_000),
    most=1_000,
    trials=2,
)
"""`--quick`: everything runs, and the figures mean little."""
QUICK_OURS = ("train.epochs=[3]",)
"""A quick look at ours."""


class Reproduction:
    """The stages of the whole work, every output below one folder."""

    def __init__(self, folder: Path, *, quick: bool, workers: int = 1, say: Callable[[str], None] = print):
        self.folder, self.quick, self.say = folder, quick, say
        self.device = best_device()
        self.size = SMALL if quick else FULL if self.device == "cuda" else REDUCED
        shared = self.size.settings
        self.recipes = {
            PAPER_NETWORK: load(PAPER_NETWORK, (*shared, *self.size.epochs)),
            PHO9: load(PAPER_NETWORK, (*shared, *self.size.epochs, *ABLATIONS["Pho9"])),
            OURS: load(OURS, (*shared, *(QUICK_OURS if quick else ()))),
        }
        few = {name: load(PAPER_NETWORK, (*FOUR_BANDS, *self.size.few, *own)) for name, own in ABLATIONS.items()}
        self.few = few | {OURS: load(OURS, (*FOUR_BANDS, *self.size.few, "train.epochs=[24]"))}

    def stages(self) -> list[Stage]:
        """In the order in which they are run."""
        return [
            self._sky("sky", self.recipes[OURS]),
            self._sky("sky-ugri", self.few[OURS]),
            self._baselines(),
            self._limit(),
            *(self._train(name) for name in self.recipes),
            *(self._ablation(name) for name in self.few),
            self._study("fainter", self._fainter),
            self._study("fewer", self._fewer),
            *(self._evaluate(sample) for sample in SAMPLES),
        ]

    def bars(self) -> list[Bar]:
        """The paper's figures and ours, once all stages are done."""
        numbers = {name: json.loads((self._report(name) / "metrics.json").read_text()) for name in SAMPLES}
        weights = {name: bundle.load(self._bundle(name)).network["weights"] for name in self.recipes}
        return bars(numbers, weights)

    def results(self) -> list[tuple[str, Path, Path]]:
        """Of each sample: what it is, its tables in Markdown, and the folder of its report."""
        return [(title, self._summary(name), self._report(name)) for name, title in SAMPLES.items()]

    # Where things are.

    def _bundle(self, name: str) -> Path:
        return self.folder / "bundles" / _plain(name)

    def _table(self, sample: str, method: str) -> Path:
        return self.folder / "predictions" / sample / f"{_plain(method)}.parquet"

    def _report(self, sample: str) -> Path:
        return self.folder / f"report-{sample}"

    def _summary(self, sample: str) -> Path:
        return self.folder / f"summary-{sample}.md"

    # What is done.

    def _known(self, recipe: Recipe) -> Labelled:
        return labelled(recipe, self.folder / "skies")

    def _test(self, recipe: Recipe) -> tuple[Sources, np.ndarray]:
        """The test sources as they are measured once, without their redshifts, and their classes."""
        known, sample = self._known(recipe), recipe.sample
        rows = np.arange(sample.train + sample.validation, sample.train + sample.validation + sample.test)
        sources = measure_of(recipe, known)(rows, np.random.default_rng((recipe.seed, 3)))
        return replace(sources, redshift=None), np.asarray(known.classes[rows])

    def _population(self, recipe: Recipe) -> list[Any]:
        """What sources there are, and how they look."""
        return [*(plain(part) for part in (recipe.field, recipe.chosen, recipe.images, recipe.sample)), recipe.seed]

    def _sample(self, recipe: Recipe) -> list[Any]:
        """And how they are measured, whoever learns from them."""
        return [*self._population(recipe), plain(recipe.noise)]

    def _sky(self, name: str, recipe: Recipe) -> Stage:
        def run() -> None:
            self._known(recipe)
            (self.folder / f"{name}.done").write_text("")

        n = recipe.sample.train + recipe.sample.validation + recipe.sample.test
        assert recipe.images is not None
        text = f"{n:,} chosen sources of a simulated field with images in {', '.join(recipe.images.bands)}"
        return Stage(name, text, 0.005 * n + 30, (self.folder / f"{name}.done",), self._population(recipe), run)

    def _learn(self, name: str, recipe: Recipe, rows: tuple[np.ndarray, np.ndarray] | None = None) -> bundle.Bundle:
        work = self.folder / "work" / f"{_plain(name)}-{digest(plain(recipe))}"

        def report(epoch: Any, n_epochs: int) -> None:
            self.say(f"    epoch {epoch.epoch + 1} of {n_epochs}: validation loss {epoch.valid_loss:.5f}")

        trained = learn_classes(recipe, self._known(recipe), work, rows=rows, device=self.device, report=report)
        return class_bundle(recipe, trained)

    def _train(self, name: str) -> Stage:
        recipe, out = self.recipes[name], self._bundle(name)
        tables = {name: self._table("all", name)}
        if name == OURS:
            tables |= {other: self._table("all", other) for other in (WITHOUT_IMAGE, WITHOUT_PHOTOMETRY)}

        def run() -> None:
            made = self._learn(name, recipe)
            bundle.save(made, out)
            sources, _ = self._test(recipe)
            seen = {
                name: sources,
                WITHOUT_IMAGE: replace(sources, cutouts=None),
                WITHOUT_PHOTOMETRY: replace(sources, photometry=None),
            }
            for method, table in tables.items():
                _write(table, ClassPredictor(made).predict(seen[method]))

        passes = recipe.train["epochs"][0]
        text = f"the network of {name} on {recipe.sample.train:,} sources, {passes} passes"
        per_pass = recipe.sample.train / {OURS: 5000.0, PHO9: 2000.0}.get(name, 150.0)
        return Stage(f"train-{_plain(name)}", text, passes * per_pass, (out, *tables.values()), plain(recipe), run)

    def _ablation(self, name: str) -> Stage:
        recipe, table = self.few[name], self._table("few", name)

        def run() -> None:
            found = ClassPredictor(self._learn(f"few-{name}", recipe)).predict(self._test(recipe)[0])
            _write(table, found)

        images = len(recipe.classes.inputs.image.bands) if recipe.classes else 0
        each = 0.0003 if name == OURS else 0.004 * images + 0.0005
        seconds = recipe.sample.train * recipe.train["epochs"][0] * each
        text = f"{name} on {recipe.sample.train:,} sources"
        return Stage(f"few-{name}", text, seconds, (table,), plain(recipe), run)

    def _baselines(self) -> Stage:
        recipe, done = self.recipes[OURS], self.folder / "baselines.done"

        def run() -> None:
            known, survey = self._known(recipe), surveys.get(recipe.survey)
            sources, classes = self._test(recipe)
            learn = measure_of(recipe, known)(np.arange(recipe.sample.train), np.random.default_rng((recipe.seed, 4)))
            learned, asked = (
                Measured(replace(some, redshift=None), np.asarray(of), sizes_over_psf(some, "r"))
                for some, of in ((learn, known.classes[: recipe.sample.train]), (sources, classes))
            )
            (library,) = libraries_of(recipe)
            found = class_baselines(
                learned,
                asked,
                survey,
                templates=grid_templates(survey, library),
                trials=self.size.trials,
                seconds=300.0,
                most=10_000,
            )
            for method, table in found.predictions.items():
                _write(self._table("all", method), table)
            done.write_text(json.dumps(list(found.predictions)))

        text = "boosted trees, a forest, a cut in size, templates"
        key = [*self._sample(recipe), self.size.trials]
        return Stage("baselines", text, 60 if self.quick else 600, (done,), key, run)

    def _limit(self) -> Stage:
        """What photometry can tell at the most: the posterior by sources of the sample's own kind without noise."""
        recipe, table = self.recipes[OURS], self._table("all", LIMIT)

        def run() -> None:
            assert recipe.field is not None
            known, survey = self._known(recipe), surveys.get(recipe.survey)
            sources, _ = self._test(recipe)
            n = min(recipe.sample.train, MODELS)
            classes = np.asarray(known.classes[:n])
            parts = (np.asarray(known.flux[:n], float), classes, np.asarray(known.redshift[:n], float), np.ones(n))
            place, every = survey.band_names.index(recipe.field.band), slice(0, recipe.sample.train)
            own = abmag_from_njy(np.asarray(known.flux[every, place], float))
            assert sources.photometry is not None
            asked = abmag_from_njy(np.asarray(sources.photometry.flux[:, place], float))
            prior = shares_by_magnitude(own, np.asarray(known.classes[every]), asked)
            templates, zero_points = ClassTemplates(survey.band_names, *parts), calibration_error(survey)
            found = fit_classes(sources, templates, prior=prior, flux_err=survey.flux_err, model_error=zero_points)
            _write(table, found)

        text = f"the posterior by {MODELS:,} sources of the sample's kind without noise: the limit of photometry"
        return Stage("limit", text, 20 if self.quick else 120, (table,), [*self._sample(recipe), MODELS], run)

    def _study(self, name: str, run: Callable[[], None]) -> Stage:
        recipe, path = self.recipes[OURS], self.folder / f"{name}.md"
        texts = {"fainter": "ours on fainter sources than it learned from", "fewer": "ours from fewer sources"}
        key = [plain(recipe), self.size.study, list(self.size.sizes)]
        return Stage(f"study-{name}", texts[name], 30 if self.quick else 900, (path,), key, run)

    def _fainter(self) -> None:
        """Table 2: learned from bright sources, tried on fainter ones, of all that training and test sources are."""
        recipe = load(OURS, (*self.size.settings, *self.size.study))
        known = self._known(recipe)
        place = surveys.get(recipe.survey).band_names.index("r")
        magnitude = abmag_from_njy(np.asarray(known.flux[:, place], float))
        n_valid = max(recipe.sample.validation // 10, 60)
        found: dict[Any, Classification] = {}
        for division in TABLE_2:
            learn, ask = division.rows(magnitude)
            rows = np.random.default_rng((recipe.seed, 5)).permutation(np.flatnonzero(learn))
            held = min(n_valid, len(rows) // 4)
            own = np.sort(rows[held : held + self.size.most]), np.sort(rows[:held])
            asked = np.flatnonzero(ask)[: recipe.sample.test]
            found[division] = self._tried(recipe, f"fainter-{'-'.join(division.label('r'))}", own, asked)
        (self.folder / "fainter.md").write_text(extrapolation_table(found).markdown() + "\n")

    def _fewer(self) -> None:
        """Appendix B: the same test sources after learning from more and more."""
        recipe = load(OURS, (*self.size.settings, *self.size.study))
        known, sample = self._known(recipe), recipe.sample
        valid = np.arange(sample.train, sample.train + sample.validation)
        asked = np.arange(valid[-1] + 1, valid[-1] + 1 + sample.test)
        subsets = nested_subsets(np.asarray(known.classes[: sample.train]), self.size.sizes)
        found = {}
        for size, rows in subsets.items():
            epochs = int(min(200, recipe.train["epochs"][0] * max(sample.train // (4 * size), 1)))
            longer = replace(recipe, train=recipe.train | {"epochs": (epochs,)})
            found[size] = self._tried(longer, f"fewer-{size}", (rows, valid[: max(size // 4, 60)]), asked)
        (self.folder / "fewer.md").write_text(training_size_table(found).markdown() + "\n")

    def _tried(
        self, recipe: Recipe, name: str, rows: tuple[np.ndarray, np.ndarray], asked: np.ndarray
    ) -> Classification:
        """What ours, learned from some rows, says of others."""
        known = self._known(recipe)
        predictor = ClassPredictor(self._learn(name, recipe, rows))
        measure = measure_of(recipe, known)
        sources = replace(measure(asked, np.random.default_rng((recipe.seed, 6))), redshift=None)
        return judge_classes(class_probabilities(predictor.predict(sources)), np.asarray(known.classes[asked]))

    def _evaluate(self, sample: str) -> Stage:
        recipe = (self.few if sample == "few" else self.recipes)[OURS]

        def run() -> None:
            self._judge(sample, self._shown(sample), recipe)

        outputs = (self._report(sample), self._summary(sample))
        key = [plain(each) for each in (self.few if sample == "few" else self.recipes).values()]
        return Stage(f"evaluate-{sample}", f"metrics and figures: {SAMPLES[sample]}", 40, outputs, key, run)

    def _shown(self, sample: str) -> list[str]:
        """The methods of a report."""
        if sample == "few":
            return list(self.few)
        others = json.loads((self.folder / "baselines.done").read_text())
        if sample == "baselines":
            return [OURS, WITHOUT_IMAGE, LIMIT, *others]
        return [
            PAPER_NETWORK,
            PHO9,
            OURS,
            WITHOUT_IMAGE,
            WITHOUT_PHOTOMETRY,
            LIMIT,
            *(n for n in BEST_TREES if n in others),
        ]

    def _judge(self, sample: str, names: Iterable[str], recipe: Recipe) -> None:
        sources, classes = self._test(recipe)
        truth = Truth(sources.id, (), np.zeros((len(classes), 0)), classes)
        place = "few" if sample == "few" else "all"
        methods = {name: read_predictions(self._table(place, name)) for name in names}
        shown = Shown(size=Column(sources.id, sizes_over_psf(sources, "r"), "half-light radius / FWHM"))
        meta, out = self._meta(sample, recipe), self._report(sample)
        report = evaluate(methods, truth, sources, out, band="r", shown=shown, meta=meta, force=True)
        parts = [report.markdown()]
        if sample == "all":
            for name, title in (("fainter", "Brighter for fainter (Table 2)"), ("fewer", "Few for many (Appendix B)")):
                table = (self.folder / f"{name}.md").read_text()
                parts.append(f"### {title}\n\n{OURS}, {self.size.study[0]}.\n\n{table}")
        self._summary(sample).write_text("\n\n".join(part.strip() for part in parts) + "\n")

    def _meta(self, sample: str, recipe: Recipe) -> dict[str, Any]:
        assert recipe.chosen is not None
        counts = recipe.chosen.counts(recipe.sample.test)
        told = ", ".join(f"{count:,} {name}" for name, count in zip(CLASSES, counts, strict=True))
        least, most = recipe.noise.shallower
        seen = self.few["Img1+Pho9"] if sample == "few" else self.recipes[PAPER_NETWORK]
        passes = [each.train["epochs"][0] for each in (seen, recipe)]
        told_passes = f"{PAPER_NETWORK} saw {passes[0]} times (the paper: 50) and {OURS} {passes[1]} times"
        schedule = "" if self.device == "cuda" and not self.quick else "; the published network on a reduced schedule"
        return {
            "title": f"KiDS DR5 star-quasar-galaxy classifier (Feng et al. 2025) rebuilt, and ours{schedule}",
            "sample": f"{recipe.sample.test:,} simulated sources never trained on, about {told}, with magnitudes as "
            "SDSS's spectroscopic sources have them, r < 22.5, redshifts not given; learned from "
            f"{recipe.sample.train:,}, which {told_passes}",
            "noise": f"KiDS's depths, each source {least:+g} to {most:+g} mag shallower, and zero points; r images of "
            "KiDS's depth and seeing, with wings of the PSF as real stacks have them",
            "recipe": recipe.title,
            "seed": recipe.seed,
            "command": f"galprism reproduce kids-mnn -o DIR{' --quick' if self.quick else ''}",
            "timings": {f"{name} [s]": seconds for name, seconds in timings(self.folder).items()},
        }


def bars(numbers: dict[str, dict[str, Any]], weights: dict[str, int]) -> list[Bar]:
    """The table that the reproduction ends in; numbers : by report."""

    def of(metric: str, method: str, name: str | None = None, where: str = "all") -> float | None:
        return class_value(numbers[where], metric, method=method, of=name)

    ratio = weights[PAPER_NETWORK] / PAPER_WEIGHTS
    note = "the paper does not say how its shortcuts and norms are made"
    found = [Bar("kids-mnn: weights over the paper's", (0.85, 1.15), ratio, "in", paper=1.0, note=note)]
    found.append(Bar("kids-mnn: accuracy", PAPER_ACCURACY, of("accuracy", PAPER_NETWORK), ">=", paper=PAPER_ACCURACY))
    for name, paper in zip(CLASSES, PAPER_F1, strict=True):
        found.append(Bar(f"kids-mnn: F1 of {name}", paper, of("f1", PAPER_NETWORK, name), ">=", paper=paper))
    for name, with_image, without in zip(CLASSES, PAPER["Img1+Pho9"], PAPER["Pho9"], strict=True):
        gain = _less(of("f1", "Img1+Pho9", name, "few"), of("f1", "Pho9", name, "few"))
        text = f"kids-mnn on few sources: what the image adds to the F1 of {name}"
        found.append(Bar(text, 0.0, gain, ">=", paper=with_image - without))
        gain = _less(of("f1", PAPER_NETWORK, name), of("f1", PHO9, name))
        text = f"kids-mnn: what the image adds to the F1 of {name}"
        found.append(Bar(text, 0.0, gain, ">=", paper=with_image - without))
    found.append(
        Bar("ours: accuracy over kids-mnn's", 0.0, _less(of("accuracy", OURS), of("accuracy", PAPER_NETWORK)), ">=")
    )
    for name in CLASSES:
        gain = _less(of("f1", OURS, name), of("f1", PAPER_NETWORK, name))
        found.append(Bar(f"ours: F1 of {name} over kids-mnn's", 0.0, gain, ">="))
    found.append(Bar("ours: weights over the paper's", 1 / 18, weights[OURS] / PAPER_WEIGHTS))
    found.append(Bar("ours: expected calibration error", 0.01, of("calibration_error", OURS)))
    trees = [name for name in _methods(numbers["baselines"]) if name.startswith("boosted trees") and "size" not in name]
    for name in CLASSES:
        best = max(of("f1", method, name, "baselines") or 0.0 for method in trees)
        alone = _less(of("f1", WITHOUT_IMAGE, name), best)
        found.append(Bar(f"ours, photometry alone: F1 of {name} over the best boosted trees'", 0.0, alone, ">="))
        found.append(
            Bar(f"ours: F1 of {name} over the best boosted trees'", 0.0, _less(of("f1", OURS, name), best), ">=")
        )
    return found


def _plain(name: str) -> str:
    """A name as files have it."""
    return name.replace(", ", "-").replace(" ", "-")


def _write(table: Path, predictions: Predictions) -> None:
    table.parent.mkdir(parents=True, exist_ok=True)
    write_predictions(table, predictions)


def _methods(numbers: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(record["method"] for record in numbers["classes"]["metrics"]))


def _less(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other
