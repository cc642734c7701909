"""The MLP-GaP paper from start to finish: Guo et al. (2024), Sects. 2 to 4, and ours on the same galaxies.

Two samples of the same 20,000 simulated galaxies: `exact`, whose magnitudes are unperturbed as the paper's appear to
be, and `noisy`, with the noise of KiDS. Two networks on each, the paper's and ours; a grid fit and the exact posterior.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from galprism import bundle, surveys
from galprism.config import plain
from galprism.data import Sources
from galprism.data.tables import read_predictions, read_truth, write_predictions
from galprism.evaluate import STAR_FORMING, Bar, evaluate, judge, value
from galprism.evaluate.report import strict
from galprism.infer import predict
from galprism.recipes import references
from galprism.recipes.mock import write_mock
from galprism.recipes.recipe import Recipe, load
from galprism.recipes.stages import Stage, timings
from galprism.recipes.training import train_bundle

LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)
EXACT_ERROR = 0.02
"""Fraction of the flux that stands in for an error where the fluxes are exact: a likelihood needs a width."""

NETWORKS = ("mlp-gap", "kids-mass-sfr")
LIMIT = "exact posterior"
SECONDS = {
    ("mlp-gap", "exact"): 1500.0,
    ("mlp-gap", "noisy"): 1500.0,
    ("kids-mass-sfr", "exact"): 900.0,
    ("kids-mass-sfr", "noisy"): 600.0,
}
"""What the trainings took on 2 cores."""

PAPER = {
    "logmstar": {"r2": 0.994, "mae": 0.041, "mse": 0.0036, "sigma": 0.060},
    "logsfr": {"r2": 0.984, "mae": 0.065, "mse": 0.0134, "sigma": 0.116},
}
"""Guo et al. (2024), Sect. 4.2; log SFR where log sSFR > -12."""
PAPER_GRID_SFR_SIGMA = 0.320
"""Sect. 4.3, CIGALE against the reference values."""

QUICK = {
    "mlp-gap": ("sample.train=20000", "sample.validation=2000", "train.epochs=[4, 2, 2]"),
    "kids-mass-sfr": ("sample.train=60000", "sample.validation=5000", "train.epochs=[3]"),
}
"""What `--quick` changes; it shows that everything runs, not how well."""


@dataclass(frozen=True)
class Sample:
    """One way to observe the test galaxies, and what our recipe changes to learn from galaxies observed so."""

    name: str
    text: str
    perturb: bool
    limit: str
    """The name of the posterior beside the networks. Exact magnitudes have no error and so no likelihood: what stands
    beside them is the posterior at EXACT_ERROR, no limit, which a network that knows the fluxes better can pass."""
    settings: tuple[str, ...]


SAMPLES = (
    Sample(
        "exact",
        "unperturbed magnitudes, as the paper's appear to be",
        False,
        "posterior at 2 % errors",
        (
            "noise.perturb=false",
            "prep.reference='r'",
            "prep.softening=0.001",
            "drop.bands=0.0",
            "drop.blocks=0.0",
            "drop.errors=0.0",
            "net.width=192",
            "train.epochs=[16]",
        ),
    ),
    Sample("noisy", "KiDS noise, true r < 24", True, LIMIT, ()),
)


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    test: int
    limit: int
    draws: int
    cache_step: float


FULL = Size(test=20_000, limit=2000, draws=400_000, cache_step=0.005)
SMALL = Size(test=2000, limit=150, draws=40_000, cache_step=0.02)


class Reproduction:
    """The stages of the whole work, every output below one folder."""

    def __init__(self, folder: Path, *, quick: bool, workers: int = 1, say: Callable[[str], None] = print):
        self.folder, self.quick, self.workers, self.say = folder, quick, workers, say
        self.size = SMALL if quick else FULL
        self.paper = load("mlp-gap", QUICK["mlp-gap"] if quick else ())
        self.fit = replace(
            self.paper,
            fit=replace(self.paper.fit, n_draws=self.size.draws, redshift_step=self.size.cache_step),
            noise=replace(self.paper.noise, perturb=True),
        )

    def stages(self) -> list[Stage]:
        """In the order in which they are run."""
        return [
            *(self._mock(sample) for sample in SAMPLES),
            *(self._cache(method) for method in references.METHODS),
            *(self._grid(sample) for sample in SAMPLES),
            *(self._posterior(sample) for sample in SAMPLES),
            *(self._train(name, sample) for sample in SAMPLES for name in NETWORKS),
            *(self._predict(sample) for sample in SAMPLES),
            *(self._evaluate(sample) for sample in SAMPLES),
        ]

    def bars(self) -> list[Bar]:
        """The paper's figures and ours, of both samples, once all stages are done."""
        paper = json.loads((self._report(SAMPLES[0]) / "metrics.json").read_text())
        exact, noisy = (json.loads(self._numbers(sample).read_text()) for sample in SAMPLES)
        return bars(paper, exact, noisy)

    # Where things are.

    def _catalogue(self, sample: Sample) -> Path:
        return self.folder / f"test-{sample.name}.parquet"

    def _bundle(self, name: str, sample: Sample) -> Path:
        return self.folder / "bundles" / f"{name}-{sample.name}"

    def _table(self, method: str, sample: Sample) -> Path:
        return self.folder / "predictions" / f"{method}-{sample.name}.parquet"

    def _report(self, sample: Sample) -> Path:
        return self.folder / f"report-{sample.name}"

    def _summary(self, sample: Sample) -> Path:
        return self.folder / f"summary-{sample.name}.md"

    def _numbers(self, sample: Sample) -> Path:
        return self.folder / f"numbers-without-mlp-gap-{sample.name}.json"

    def results(self) -> list[tuple[str, Path, Path]]:
        """Of each sample: what it is, its tables in Markdown, and the folder of its report."""
        return [(sample.text, self._summary(sample), self._report(sample)) for sample in SAMPLES]

    # What is done.

    def _recipe(self, name: str, sample: Sample) -> Recipe:
        quick = QUICK[name] if self.quick else ()
        if name == "mlp-gap":
            return load(name, (f"noise.perturb={str(sample.perturb).lower()}", *quick))
        return load(name, (*sample.settings, *quick))

    def _mock(self, sample: Sample) -> Stage:
        recipe, path = self._recipe("mlp-gap", sample), self._catalogue(sample)
        first = load("mlp-gap").sample.train + load("mlp-gap").sample.validation

        def run() -> None:
            write_mock(recipe, self.size.test, path, first=first)

        text = f"{self.size.test:,} simulated galaxies, {sample.text}"
        return Stage(f"mock-{sample.name}", text, 10, (path,), plain(recipe), run)

    def _train(self, name: str, sample: Sample) -> Stage:
        recipe, out = self._recipe(name, sample), self._bundle(name, sample)

        def report(epoch: Any, n_epochs: int) -> None:
            self.say(f"    epoch {epoch.epoch + 1} of {n_epochs}: validation loss {epoch.valid_loss:.5f}")

        def run() -> None:
            train_bundle(recipe, out, report=report)

        seconds = 20.0 if self.quick else SECONDS[name, sample.name]
        text = f"the network of {name} on {recipe.sample.train:,} galaxies, {sample.text}"
        return Stage(f"train-{name}-{sample.name}", text, seconds, (out,), plain(recipe), run)

    def _cache(self, method: str) -> Stage:
        path = self.folder / f"{method}-{self.fit.survey}.npz"

        def run() -> None:
            references.reference_cache(self.fit, method, self.folder)

        text = f"model fluxes of the {'grid of Table 3' if method == 'grid' else 'exact posterior'}"
        return Stage(f"cache-{method}", text, 15 if self.quick else 90, (path,), plain(self.fit), run)

    def _predict(self, sample: Sample) -> Stage:
        tables = tuple(self._table(name, sample) for name in NETWORKS)

        def run() -> None:
            sources = self._sources(sample)
            for name, table in zip(NETWORKS, tables, strict=True):
                write_predictions(table, predict(bundle.load(self._bundle(name, sample)), sources, LEVELS))

        return Stage(f"predict-{sample.name}", "both networks on the test galaxies", 5, tables, sample.name, run)

    def _grid(self, sample: Sample) -> Stage:
        table = self._table("grid", sample)

        def run() -> None:
            table.parent.mkdir(exist_ok=True)
            cache = references.reference_cache(self.fit, "grid", self.folder)
            write_predictions(table, references.fit(self.fit, self._sources(sample), "grid", cache, levels=LEVELS))

        return Stage(f"grid-{sample.name}", "grid fit of the test galaxies", 60, (table,), plain(self.fit), run)

    def _posterior(self, sample: Sample) -> Stage:
        table = self._table("posterior", sample)

        def run() -> None:
            cache = references.reference_cache(self.fit, "posterior", self.folder)
            sources = self._sources(sample).take(slice(0, self.size.limit))
            if not sample.perturb:
                sources = narrowed(sources)
            found = references.fit(self.fit, sources, "posterior", cache, workers=self.workers, levels=LEVELS)
            write_predictions(table, found)

        text = f"exact posterior of {self.size.limit:,} of them"
        seconds = 20.0 if self.quick else 300.0
        return Stage(f"posterior-{sample.name}", text, seconds, (table,), [plain(self.fit), EXACT_ERROR], run)

    def _evaluate(self, sample: Sample) -> Stage:
        out = self._report(sample)

        def run() -> None:
            methods = {name: read_predictions(self._table(name, sample)) for name in (*NETWORKS, "grid")}
            methods[sample.limit] = read_predictions(self._table("posterior", sample))
            truth, sources = read_truth(self._catalogue(sample)), self._sources(sample)
            report = evaluate(
                methods,
                truth,
                sources,
                out,
                limit=sample.limit,
                selections=(STAR_FORMING,),
                meta=self._meta(sample),
                force=True,
            )
            self._summary(sample).write_text(report.markdown())
            # The paper's network infers nothing where a flux is negative: what it cannot do costs the others no source.
            others = {name: table for name, table in methods.items() if name != "mlp-gap"}
            numbers = judge(others, truth, sources, limit=sample.limit, selections=(STAR_FORMING,)).numbers()
            self._numbers(sample).write_text(json.dumps(strict(numbers)) + "\n")

        inputs = [self.size.test, self.size.limit, sample.limit]
        outputs = (out, self._summary(sample), self._numbers(sample))
        return Stage(f"evaluate-{sample.name}", "metrics, figures and report", 20, outputs, inputs, run)

    def _sources(self, sample: Sample) -> Sources:
        return surveys.read(self._catalogue(sample), surveys.get(self.paper.survey))

    def _meta(self, sample: Sample) -> dict[str, Any]:
        size = "; quick: reduced training, test set and draws" if self.quick else ""
        return {
            "title": f"MLP-GaP (Guo et al. 2024) rebuilt, and ours: {sample.text}{size}",
            "sample": f"{self.size.test:,} simulated test galaxies never trained on, true r < 24; a row that a "
            "method cannot infer is left out for all (column null)",
            "noise": sample.text
            if sample.perturb
            else f"{sample.text}; the posterior beside them is no limit: it "
            f"takes errors of {100 * EXACT_ERROR:.0f} % of the flux, since exact fluxes have no likelihood",
            "recipe": self.paper.title,
            "seed": self.paper.seed,
            "command": f"galprism reproduce mlp-gap -o DIR{' --quick' if self.quick else ''}",
            "timings": {f"{name} [s]": seconds for name, seconds in timings(self.folder).items()},
        }


def narrowed(sources: Sources) -> Sources:
    """The same fluxes with errors of EXACT_ERROR of the flux: a stand-in for the limit of exact magnitudes."""
    photometry = sources.photometry
    assert photometry is not None
    ivar = 1.0 / (EXACT_ERROR * photometry.flux) ** 2
    return replace(sources, photometry=replace(photometry, ivar=ivar))


def bars(paper_exact: dict[str, Any], exact: dict[str, Any], noisy: dict[str, Any]) -> list[Bar]:
    """The table that the reproduction ends in: the paper's network on exact magnitudes, then ours on both samples."""
    found = []
    for parameter, label in (("logmstar", "log M*"), ("logsfr", "log SFR, log sSFR > -12")):
        for metric, paper in PAPER[parameter].items():
            ours = value(paper_exact, metric, parameter=parameter, method="mlp-gap")
            sense = ">=" if metric == "r2" else "<="
            found.append(Bar(f"mlp-gap, exact, {label}: {metric}", paper, ours, sense, paper=paper))
    for parameter, bar in (("logmstar", 0.025), ("logsfr", 0.08)):
        ours = value(exact, "sigma", parameter=parameter, method="kids-mass-sfr")
        sigma = PAPER[parameter]["sigma"]
        found.append(Bar(f"kids-mass-sfr, exact, {parameter}: sigma", bar, ours, "<=", paper=sigma, unit="dex"))
    for parameter in ("logmstar", "logsfr"):
        on_limit = sample_with_limit(noisy, parameter)
        where = {"parameter": parameter, "method": "kids-mass-sfr"}
        ratio = value(noisy, "rms_over_limit", **where, sample=on_limit)
        count = value(noisy, "n", **where, sample=on_limit) or 0
        text = f"kids-mass-sfr, noisy, {parameter}: rms over the exact posterior mean's, {count:,.0f} objects"
        found.append(Bar(text, 1.05, ratio))
        for level, low, high in (("68", 0.66, 0.70), ("95", 0.94, 0.96)):
            ours = value(noisy, f"coverage_{level}", **where)
            found.append(Bar(f"kids-mass-sfr, noisy, {parameter}: {level} % covers", (low, high), ours, "in"))
    for name, numbers in (("exact", exact), ("noisy", noisy)):
        for parameter in ("logmstar", "logsfr"):
            grid = value(numbers, "sigma", parameter=parameter, method="grid")
            ours = value(numbers, "sigma", parameter=parameter, method="kids-mass-sfr")
            published = PAPER_GRID_SFR_SIGMA if (name, parameter) == ("exact", "logsfr") else None
            text = f"kids-mass-sfr against the grid fit, {name}, {parameter}: sigma"
            if grid is not None:
                found.append(Bar(text, grid, ours, "<=", paper=published, unit="dex", note="the bar is the grid fit's"))
    return found


def sample_with_limit(numbers: dict[str, Any], parameter: str) -> str | None:
    """The label of the last sample that is cut to the sources of the exact posterior."""
    labels = [r["sample"] for r in numbers["metrics"] if r["parameter"] == parameter and LIMIT in r["sample"]]
    return labels[-1] if labels else None
