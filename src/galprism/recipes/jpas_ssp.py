"""The J-PAS paper from start to finish (A&A 705, A219, 2026): its networks, ours, a grid fit, the exact posterior.

Two samples of simple populations, of the same magnitudes: `on-grid`, the library's own spectra behind the paper's steps
of dust, as the paper tests; and `off-grid`, anywhere between them. Then bands that are missing, and the composite
populations of Appendix C.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from galprism import bundle, surveys
from galprism.config import plain
from galprism.data import Photometry, Predictions, Sources, Truth
from galprism.data.tables import match_ids, read_predictions, read_truth, write_predictions
from galprism.evaluate import Bar, Selection, evaluate, rms_ratio
from galprism.evaluate.metrics import nmad
from galprism.evaluate.report import strict
from galprism.fit.simple import NAMES, fit_simple_grid, fit_simple_posterior, library_grid, prior_draws
from galprism.infer import predict
from galprism.mocks import observe
from galprism.mocks.composites import FAMILIES, composites
from galprism.recipes.recipe import Recipe, load
from galprism.recipes.sky import sky, write_mock
from galprism.recipes.stages import Stage, timings
from galprism.recipes.training import train_bundle
from galprism.sps.library import Z_SUN
from galprism.units import abmag_from_njy, njy_from_abmag

LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)
MAGNITUDES = tuple(np.arange(16.0, 22.01, 0.5).tolist())
AT_REST = (0.0005, 0.001)
"""Redshifts of both samples; the paper's are at rest."""
MIDDLE = 0.00075
"""Of these, for fits."""
FIRST = 100_000_000
"""The first id of the test populations: no training comes so far."""
OUTLIER = 0.25
"""dex or mag: the paper's outliers are farther off."""
PAPER, OURS, GALAXIES = "jpas-ssp", "jpas-populations", "jpas-galaxies"
GRID, LIMIT = "grid fit", "exact posterior"
LOST = (0, 1, 5, 15, 30)
"""Bands that are taken away, of 57."""
LOST_AT = 17.0
"""i, where they are."""
LIMIT_LOST = 15
COMPOSITE_AT = 17.0
"""i of the composite populations."""
COMPOSITE_DRAWS = 8
"""Times that each is observed."""
COMPOSITE_TIMES = tuple(np.arange(0.25, 12.51, 0.25).tolist())
COMPOSITE_REDSHIFT = {PAPER: 0.00075, OURS: 0.00075, GALAXIES: 0.05}
"""Where each model is asked: within the redshifts of its training."""
COMPOSITE_NAMES = {
    PAPER: NAMES,
    OURS: NAMES,
    GALAXIES: ("log_age_lw", "logzsol_lw", "ebv"),
}
AT_17 = {"log_age": (0.23, 0.17), "logzsol": (0.29, 0.24), "ebv": (0.04, 0.01)}
"""The paper's sigma_NMAD and share of outliers at i = 17 (abstract)."""
OURS_AT_17 = {"log_age": 0.09, "logzsol": 0.16, "ebv": 0.018}
AGAINST_LIMIT = (
    ("i = 16, 16.5", (15.9, 16.6), 1.15),
    ("i = 17, 17.5", (16.9, 17.6), 1.15),
    ("i = 18, 18.5", (17.9, 18.6), 1.15),
    ("i = 19, 19.5", (18.9, 19.6), 1.15),
    ("i = 20 to 22", (19.9, 22.1), 1.03),
)
"""Magnitudes that are judged together against the exact posterior mean, and how near its rms ours is to be."""
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


def levels_of(sources: Sources) -> np.ndarray:
    """(N,), the nearest of MAGNITUDES to the measured i."""
    assert sources.photometry is not None
    i = abmag_from_njy(sources.photometry.flux[:, sources.photometry.bands.index("i")])
    return np.clip(np.rint(2 * i) / 2, MAGNITUDES[0], MAGNITUDES[-1])


def without(sources: Sources, lost: int) -> Sources:
    """The sources with as many bands unobserved, at random, others in each and the same whenever it is asked."""
    photometry = sources.photometry
    assert photometry is not None
    rng = np.random.default_rng(lost)
    gone = np.argsort(rng.random(photometry.flux.shape), axis=1) < lost
    kept = replace(photometry, flux=np.where(gone, 0, photometry.flux), ivar=np.where(gone, 0, photometry.ivar))
    return replace(sources, photometry=kept)


def metrics_of(off: np.ndarray, predicted: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """The paper's metrics and the rms, of rows that were answered."""
    return {
        "bias": float(np.median(off)),
        "sigma_nmad": nmad(off),
        "outliers": float(np.mean(np.abs(off) > OUTLIER)),
        "pearson": float(np.corrcoef(predicted, true)[0, 1]),
        "rms": float(np.sqrt(np.mean(off**2))),
    }


def by_parameter(found: Predictions, truth: Truth) -> dict[str, dict[str, float]]:
    """Metrics of each of NAMES, and how often intervals hold the truth where there are any."""
    result = {}
    for name in NAMES:
        predicted, true = found.column(name).astype(float), truth.column(name)
        good = np.isfinite(predicted)
        result[name] = metrics_of((predicted - true)[good], predicted[good], true[good])
        result[name]["answered"] = float(good.mean())
        if found.quantiles is not None:
            for key, low, high in (("covers_68", 0.16, 0.84), ("covers_95", 0.025, 0.975)):
                inside = (found.quantile(name, low) < true) & (true < found.quantile(name, high))
                result[name][key] = float(inside[good].mean())
    return result


def ratios(found: Predictions, limit: Predictions, truth: Truth) -> dict[str, Any]:
    """rms over the limit's where it has an answer that enough draws count for, with errors, of each of NAMES."""
    rows, at = match_ids(limit.id, found.id), match_ids(limit.id, truth.id)
    enough = ~np.isnan(limit.point[:, 0]) & (limit.extra.get("ess", np.full(len(limit), np.inf)) >= 100)
    result: dict[str, Any] = {"n": int(enough.sum())}
    for name in NAMES:
        true = truth.column(name)[at.index]
        mine, best = found.column(name)[rows.index] - true, limit.column(name) - true
        good = enough & np.isfinite(mine)
        ratio, error = rms_ratio(mine[good], best[good])
        result[name] = [ratio, error]
    return result


def by_magnitude(methods: Mapping[str, Predictions], truth: Truth, sources: Sources, limit: str) -> dict[str, Any]:
    """Of each method metrics at each of MAGNITUDES; and of ours the rms over the limit's in each of AGAINST_LIMIT."""
    level = levels_of(sources)
    result: dict[str, Any] = {}
    for name, found in methods.items():
        rows = match_ids(found.id, truth.id).index
        result[name] = []
        for i in MAGNITUDES:
            some = np.flatnonzero(level[rows] == i)
            result[name].append(by_parameter(found.take(some), truth.take(rows[some])) if len(some) > 2 else {})
    best = methods[limit]
    for text, (low, high), _ in AGAINST_LIMIT:
        of = level[match_ids(best.id, truth.id).index]
        result[text] = ratios(methods[OURS], best.take(np.flatnonzero((of > low) & (of < high))), truth)
    return result


def composite(model: bundle.Bundle, name: str) -> dict[str, Any]:
    """What a model says of composite populations, family by family and kind by kind: light-weighted truth beside it."""
    recipe = load(name)
    made = sky(recipe)
    asked = composites(COMPOSITE_TIMES, COMPOSITE_REDSHIFT[name])
    seen = made.model(asked.galaxies)
    i = made.survey.band_names.index("i")
    flux = seen.flux.numpy()
    flux = (flux * (njy_from_abmag(np.array(COMPOSITE_AT)) / flux[:, [i]])).astype(np.float32)
    n = len(flux)
    flux = np.repeat(flux, COMPOSITE_DRAWS, axis=0)
    photometry: Photometry = observe(flux, made.survey, recipe.noise, np.random.default_rng(recipe.seed))
    redshift = np.full(len(flux), COMPOSITE_REDSHIFT[name])
    found = predict(model, Sources(id=np.arange(len(flux)), redshift=redshift, photometry=photometry))
    true = dict(
        zip(
            NAMES,
            (np.log10(seen.age_lw.numpy()) + 9, np.log10(seen.z_lw.numpy() / Z_SUN), np.zeros(n)),
            strict=True,
        )
    )
    result: dict[str, Any] = {}
    for family in FAMILIES:
        result[family] = {}
        for kind in dict.fromkeys(asked.kind[asked.family == family].tolist()):
            rows = np.flatnonzero((asked.family == family) & (asked.kind == kind))
            mean = {
                of: np.nanmean(found.column(own).reshape(n, COMPOSITE_DRAWS)[rows], axis=1).tolist()
                for of, own in zip(NAMES, COMPOSITE_NAMES[name], strict=True)
            }
            result[family][kind] = {
                "time": asked.time[rows].tolist(),
                "true": {of: true[of][rows].tolist() for of in NAMES},
                "found": mean,
            }
    return result


def family_bias(found: Mapping[str, Any], family: str, parameter: str = "log_age") -> float:
    """The mean of predicted minus light-weighted over all kinds and times of a family."""
    off = [np.array(kind["found"][parameter]) - np.array(kind["true"][parameter]) for kind in found[family].values()]
    return float(np.nanmean(np.concatenate(off)))


def bars(
    on_grid: dict[str, Any], off_grid: dict[str, Any], missing: dict[str, Any], mixed: dict[str, Any]
) -> list[Bar]:
    """The table that the reproduction ends in."""
    units = {"log_age": "dex", "logzsol": "dex", "ebv": "mag"}
    found = []
    at_17 = MAGNITUDES.index(17.0)
    for name, (sigma, outliers) in AT_17.items():
        ours = on_grid[PAPER][at_17][name]
        text = f"{PAPER}, on the grid, i = 17, {name}"
        found.append(Bar(f"{text}: sigma_NMAD", sigma, ours["sigma_nmad"], paper=sigma, unit=units[name]))
        found.append(Bar(f"{text}: outliers", outliers, ours["outliers"], paper=outliers))
    for name, bar in OURS_AT_17.items():
        ours = off_grid[OURS][at_17][name]
        text = f"{OURS}, off the grid, i = 17, {name}: sigma_NMAD"
        found.append(Bar(text, bar, ours["sigma_nmad"], paper=AT_17[name][0], unit=units[name]))
    for text, _, bar in AGAINST_LIMIT:
        for name in NAMES:
            ratio, error = off_grid[text][name]
            label = f"{OURS}, {text}, {name}: rms over the exact posterior mean's, {off_grid[text]['n']} populations"
            found.append(Bar(label, bar, ratio, err=error))
    for name in NAMES:
        for key, low, high in (("covers_68", 0.66, 0.70), ("covers_95", 0.94, 0.96)):
            values = [row[name][key] for row in off_grid[OURS]]
            share = key.removeprefix("covers_")
            for word, value in (("least", min(values)), ("most", max(values))):
                text = f"{OURS}, {name}: {share} % hold, {word} of {len(values)} magnitudes"
                found.append(Bar(text, (low, high), value, "in"))
    for name in NAMES:
        ratio, error = missing["limit"][name]
        text = f"{OURS}, {LIMIT_LOST} of 57 bands missing, i = {LOST_AT:g}, {name}: rms over the exact posterior mean's"
        found.append(Bar(text, 1.05, ratio, err=error))
    found.append(beaten(off_grid))
    for family in FAMILIES:
        others = {name: family_bias(mixed[name], family) for name in (PAPER, OURS)}
        note = ", ".join(f"{name} {value:+.2f}" for name, value in others.items())
        ours = abs(family_bias(mixed[GALAXIES], family))
        found.append(Bar(f"{GALAXIES}, {family}: bias of light-weighted log age", 0.05, ours, unit="dex", note=note))
    return found


def beaten(off_grid: Mapping[str, Any]) -> Bar:
    """In how many metrics and magnitudes the grid fit is the better one."""
    better, total = 0, 0
    for ours, grid in zip(off_grid[OURS], off_grid[GRID], strict=True):
        for name in NAMES:
            for key, sign in (("sigma_nmad", 1), ("outliers", 1), ("pearson", -1), ("rms", 1)):
                total += 1
                better += sign * ours[name][key] > sign * grid[name][key]
    return Bar(f"{OURS}, off the grid: of {total} metrics by magnitude the grid fit is better in", 0, float(better))
