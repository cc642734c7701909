"""MMLforGalAM from start to finish: its Sects. 2 to 4 and Appendix A, and ours on the same galaxies.

One sample of simulated galaxies with spectra and pictures, on which the published networks and ours learn and are
tried; the published ones again with pictures of other sizes and fewer colours; and full-spectrum fits, which the
paper's labels are from.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from galprism import bundle
from galprism.config import plain
from galprism.data import Predictions, Sources
from galprism.data.tables import read_predictions, write_predictions
from galprism.evaluate import Bar, evaluate
from galprism.evaluate.figures import Look
from galprism.evaluate.figures.multimodal import by_signal, some_features
from galprism.fit.full_spectrum import FullSpectrumConfig, fit_full_spectrum
from galprism.fit.spectrum_templates import paper_grid, spectrum_templates
from galprism.fit.tempering import TemperingConfig
from galprism.infer import Predictor
from galprism.recipes.mmlforgalam_bars import SIZES, SN_EDGES, TABLE_A2, bars, tables_of
from galprism.recipes.mmlforgalam_errors import beside_exact, by_sn, columns_of, errors_of, explained, labels, ratios_of
from galprism.recipes.pairs import Pairs
from galprism.recipes.populations import kept_basis, learn_populations, pairs_of, populations_bundle, rows_of
from galprism.recipes.recipe import Recipe, load
from galprism.recipes.spectrum_limit import exact_answers
from galprism.recipes.staged import REAL, Prepared, Staged, exposed_once, prepared, staged_bundle
from galprism.recipes.stages import Stage, digest, timings
from galprism.sps import load_library
from galprism.train.device import best_device, fast_precision

PUBLISHED, OURS = "mmlforgalam", "galaxy-populations"
METHODS = {
    "M1: spectra": "M1",
    "M3: image": "M3",
    "MMLforGalAM: image": "M4",
    "MMLforGalAM: spectra + image": REAL,
}
"""The paper's four, and the network that answers for each."""
SEEN = {
    "ours: photometry": ("photometry",),
    "ours: image": ("cutouts",),
    "ours: photometry + image": ("photometry", "cutouts"),
    "ours: spectra": ("spectra",),
    "ours: spectra + image": ("spectra", "cutouts"),
    "ours: all": ("photometry", "cutouts", "spectra"),
}
"""What ours is shown."""
FIT = "full-spectrum fit"
EXACT = "exact posterior: spectra"
SAMPLES = {
    "published": "the published networks, and ours beside",
    "ours": "ours, by what it is shown",
}
"""Reports, and what each is of."""


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    settings: tuple[str, ...]
    """Of the sample that all share, and of the published networks."""
    ours: tuple[str, ...]
    few: tuple[str, ...]
    """Of the published networks with other pictures: their sample and passes."""
    fitted: int
    """Test galaxies whose spectra are fitted."""
    realisations: int
    exact: int
    """Test galaxies whose exact posterior is drawn from, some 18 s of one core each."""
    tempering: TemperingConfig = field(default_factory=TemperingConfig)


FULL = Size((), (), (), 2000, 100, 1000)
"""Where there is a GPU: the paper's numbers."""
REDUCED = Size(
    settings=(
        *("sample.train=10_000", "sample.validation=1_000", "sample.test=3_000"),
        *("staged.seen.size=64", "staged.epochs=[14, 14, 16, 30]"),
    ),
    ours=("train.epochs=[60]",),
    few=("sample.train=1_500", "sample.validation=300", "sample.test=12_200", "staged.epochs=[14, 14, 12, 20]"),
    fitted=240,
    realisations=20,
    exact=100,
)
"""On a processor: fewer galaxies, pictures of 64 pixels, some passes in place of 100, in bfloat16 where it has
products of such numbers."""
SMALL = Size(
    settings=(
        *("sample.train=240", "sample.validation=60", "sample.test=100"),
        *("staged.seen.size=48", "staged.seen.crop=64", "staged.epochs=[2, 2, 1, 2]"),
    ),
    ours=("train.epochs=[2]", "train.batch_size=60"),
    few=("staged.epochs=[1, 1, 1, 1]",),
    fitted=4,
    realisations=2,
    exact=2,
    tempering=TemperingConfig(points=64, sweeps=1, settle=1, final=3, kept=0.3),
)
"""`--quick`: everything runs, and the figures mean little."""


class Reproduction:
    """The stages of the whole work, every output below one folder."""

    def __init__(self, folder: Path, *, quick: bool, workers: int = 1, say: Callable[[str], None] = print):
        self.folder, self.quick, self.workers, self.say = folder, quick, workers, say
        self.device = best_device()
        self.size = SMALL if quick else FULL if self.device == "cuda" else REDUCED
        quicker = (f"staged.precision={fast_precision()}",) if self.size is REDUCED else ()
        self.settings = (*self.size.settings, *quicker)
        self.paper = load(PUBLISHED, self.settings)
        sample = [f"sample.{name}={getattr(self.paper.sample, name)}" for name in ("train", "validation", "test")]
        own = [setting for setting in self.settings if setting.startswith("staged.")]
        self.ours = load(OURS, (*sample, *own, *self.size.ours))
        self.few = load(PUBLISHED, (*self.settings, *self.size.few))

    def stages(self) -> list[Stage]:
        """In the order in which they are run."""
        return [
            self._pairs(),
            self._prepare(),
            *(self._network(name) for name in ("M1", "M2", "M3", "M4", REAL)),
            self._published(),
            *(self._varied(f"{side}px", f"pictures of {side} pixels", picture) for side, picture in self._sides()),
            *(self._varied(bands, f"pictures of {bands}", self._colours(bands)) for bands in TABLE_A2),
            self._populations(),
            self._fit(),
            self._exact(),
            self._evaluate(),
        ]

    def bars(self) -> list[Bar]:
        """The paper's figures and ours, once all stages are done."""
        return bars(json.loads(self._measured.read_text()))

    def results(self) -> list[tuple[str, Path, Path]]:
        """Of each sample: what it is, its tables in Markdown, and the folder of its report."""
        return [(title, self._summary(name), self._report(name)) for name, title in SAMPLES.items()]

    # Where things are.

    def _report(self, sample: str) -> Path:
        return self.folder / f"report-{sample}"

    def _summary(self, sample: str) -> Path:
        return self.folder / f"summary-{sample}.md"

    @property
    def _measured(self) -> Path:
        return self.folder / "measured.json"

    def _bundle(self, name: str) -> Path:
        return self.folder / "bundles" / name

    def _table(self, method: str) -> Path:
        return (
            self.folder / "predictions" / f"{method.replace(': ', '-').replace(' + ', '-').replace(' ', '-')}.parquet"
        )

    # What is shared.

    @cached_property
    def known(self) -> Pairs:
        """All galaxies."""
        return pairs_of(self.paper, self.folder / "pairs")

    @cached_property
    def seen(self) -> Prepared:
        """As the paper prepares them."""
        return prepared(self.paper, self.known, self.folder / "pairs")

    @cached_property
    def staged(self) -> Staged:
        """The published networks."""
        return self._staged(self.paper, self.seen)

    @property
    def asked(self) -> np.ndarray:
        """The rows that everything is tried on: those of the test set that the paper's preparation leaves."""
        return self.staged.rows["test"]

    def _staged(self, recipe: Recipe, seen: Prepared, **others: Any) -> Staged:
        """Networks of a recipe, in a folder of that recipe's: what is the same is trained once."""

        def report(network: str, epoch: Any, of: int) -> None:
            self.say(f"    {network}, epoch {epoch.epoch + 1} of {of}: validation loss {epoch.valid_loss:.5f}")

        work = self.folder / "work" / f"{PUBLISHED}-{digest(plain(recipe))}"
        return Staged(recipe, self.known, seen, work, device=self.device, report=report, **others)

    def _sides(self) -> list[tuple[int, tuple[str, ...]]]:
        """Sides of pictures (Table A.1), with settings: what the smaller ones show is the middle of the larger."""
        sides, whole = (48, 64) if self.quick else SIZES, self.paper.images.size  # type: ignore[union-attr]
        return [
            (side, (f"staged.seen.size={side}", f"staged.seen.crop={side if side < whole else 0}")) for side in sides
        ]

    def _colours(self, bands: str) -> tuple[str, ...]:
        return (f"staged.seen.bands={json.dumps([band for band in 'irg' if band in bands])}",)

    # What is done.

    def _sample(self) -> list[Any]:
        r = self.paper
        return [*(plain(part) for part in (r.field, r.chosen, r.images, r.spectra, r.noise, r.sample)), r.seed]

    def _pairs(self) -> Stage:
        done, sample = self.folder / "pairs.done", self.paper.sample
        n = sample.train + sample.validation + sample.test

        def run() -> None:
            assert len(self.known)
            done.write_text("")

        text = f"{n:,} galaxies of a simulated sky with spectra and gri images"
        return Stage("pairs", text, 0.03 * n + 15, (done,), self._sample(), run)

    def _prepare(self) -> Stage:
        done, n = self.folder / "prepared.json", sum(len(rows_of(self.paper, what)) for what in ("train", "test"))

        def run() -> None:
            told = {"pairs": len(self.known), "left": int(self.seen.good.sum()), "dropped": self.seen.dropped()}
            done.write_text(json.dumps(told, indent=1) + "\n")

        key = [*self._sample(), plain(self.paper.staged.seen)]  # type: ignore[union-attr]
        return Stage("prepare", "spectra and pictures as the paper prepares them", 0.015 * n, (done,), key, run)

    def _network(self, name: str) -> Stage:
        done = self.folder / f"trained-{name.replace(' ', '-')}.done"
        seconds = {"M1": 0.005, "M2": 0.003, "M3": 0.015}.get(name, 0.001)
        assert self.paper.staged is not None
        number = ("M1", "M2", "M3", "M4").index("M4" if name == REAL else name)
        passes = self.paper.staged.epochs[number]

        def run() -> None:
            self.staged.network(name)
            done.write_text("")

        text = f"{name}, {passes} passes"
        return Stage(done.stem, text, seconds * self.paper.sample.train * passes, (done,), self._key(), run)

    def _key(self) -> list[Any]:
        return [*self._sample(), plain(self.paper.staged), plain(self.paper.targets)]

    def _published(self) -> Stage:
        """What the paper's networks say of the test galaxies, and how near the simulated features come to real ones."""
        tables, measured = {method: self._table(method) for method in METHODS}, self.folder / "features.json"

        def run() -> None:
            for method, network in METHODS.items():
                point = self.staged.answers(network, self.asked)
                ids = np.asarray(self.known.ident[self.asked])
                names, none = self.staged.targets.names, np.zeros(len(ids), np.uint32)
                _write(tables[method], Predictions(ids, names, point.astype(np.float32), none, none.astype(np.int16)))
            real, simulated = (np.asarray(self.staged.features(name)[self.asked]) for name in ("M1", "M2"))
            measured.write_text(json.dumps(explained(real, simulated)) + "\n")
            for sees in ("pictures", "spectra", "both"):
                made = staged_bundle(self.paper, self.staged, sees)  # type: ignore[arg-type]
                bundle.save(made, self._bundle(made.name))

        outputs = (*tables.values(), measured, self._bundle(PUBLISHED))
        return Stage("published", "the published networks asked and exported", 60, outputs, self._key(), run)

    def _varied(self, name: str, text: str, settings: tuple[str, ...]) -> Stage:
        """The published networks with other pictures, on fewer galaxies (Tables A.1 and A.2)."""
        path = self.folder / "varied" / f"{name}.json"
        recipe = load(PUBLISHED, (*self.settings, *self.size.few, *settings))
        assert recipe.staged is not None

        def run() -> None:
            seen = prepared(recipe, self.known, self.folder / "pairs")
            first = self._staged(self.few, self.seen, asked=self.asked)
            trained = self._staged(recipe, seen, spectra=first, asked=self.asked)
            rows = trained.rows["test"]
            found = errors_of(trained.answers("M4", rows), self._true(rows))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(found | {"n": len(rows), "n_train": len(trained.rows["train"])}) + "\n")

        pixels = recipe.staged.seen.size**2 / 64**2
        seconds = recipe.sample.train * recipe.staged.epochs[2] * 0.02 * pixels
        return Stage(f"varied-{name}", text, seconds, (path,), [plain(recipe), self._key()], run)

    def _true(self, rows: np.ndarray) -> np.ndarray:
        return np.stack([self.known.column(name)[rows] for name in self.paper.targets.names], axis=1)

    def _populations(self) -> Stage:
        """Ours, and what it says when it is shown more and more."""
        recipe, out = self.ours, self._bundle(OURS)
        tables = {method: self._table(method) for method in SEEN}
        work = self.folder / "work" / f"{OURS}-{digest(plain(recipe))}"

        def run() -> None:
            def report(epoch: Any, of: int) -> None:
                self.say(f"    epoch {epoch.epoch + 1} of {of}: validation loss {epoch.valid_loss:.5f}")

            basis = kept_basis(recipe, self.folder / "pairs")
            trained = learn_populations(recipe, self.known, basis, work, device=self.device, report=report)
            bundle.save(populations_bundle(recipe, trained), out)
            predictor = Predictor(bundle.load(out))
            parts: dict[str, list[Predictions]] = {method: [] for method in SEEN}
            for sources in self._sources():
                for method, blocks in SEEN.items():
                    parts[method].append(predictor.predict(shown(sources, blocks), (0.025, 0.16, 0.5, 0.84, 0.975)))
            for method, found in parts.items():
                _write(tables[method], Predictions.joined(found))

        passes = recipe.train["epochs"][0]
        text = f"{OURS} on {recipe.sample.train:,} galaxies, {passes} passes"
        seconds = 30 + 0.002 * recipe.sample.train * passes
        return Stage("ours", text, seconds, (out, *tables.values()), plain(recipe), run)

    def _sources(self) -> Iterator[Sources]:
        """The test galaxies as they were measured once, some at a time."""
        for rows, sources in exposed_once(self.paper, self.known, self.asked):
            yield sources.take(np.isin(rows, self.asked))

    def _first(self, n: int) -> Iterator[Sources]:
        """The first n of them."""
        for sources in self._sources():
            yield sources.take(slice(0, n))
            n -= len(sources)
            if n <= 0:
                return

    def _fit(self) -> Stage:
        """Full-spectrum fits of some of the spectra: what labels of real galaxies are, and how much they scatter."""
        table, n = self._table(FIT), self.size.fitted

        def run() -> None:
            library = load_library(self.paper.stars[0])
            ages, logzsol = paper_grid(library)
            templates = spectrum_templates(library, ages=ages, logzsol=logzsol)
            config = FullSpectrumConfig(n_realisations=self.size.realisations)
            found = [fit_full_spectrum(some, templates, config).predictions for some in self._first(n)]
            _write(table, Predictions.joined(found))

        text = f"full-spectrum fits of {n:,} of the test spectra, {self.size.realisations} realisations"
        key = [*self._sample(), n, self.size.realisations]
        return Stage("fit", text, 0.05 * n * (1 + self.size.realisations), (table,), key, run)

    def _exact(self) -> Stage:
        """The exact posterior of some of the spectra: what no network that sees a spectrum can pass."""
        table, n = self._table(EXACT), self.size.exact

        def run() -> None:
            config, workers = self.size.tempering, self.workers
            parts = [exact_answers(self.paper, some, config, workers=workers) for some in self._first(n)]
            _write(table, Predictions.joined(parts))

        key = [*self._sample(), n, plain(self.size.tempering)]
        return Stage("exact", f"exact posterior of {n:,} of the test spectra", 9.0 * n, (table,), key, run)

    def _evaluate(self) -> Stage:
        def run() -> None:
            methods = {name: read_predictions(self._table(name)) for name in (*METHODS, *SEEN)}
            names, fit = self.paper.targets.names, read_predictions(self._table(FIT))
            truth, true = self.known.truth(self.asked), self._true(self.asked)
            sn = np.asarray(self.seen.sn[self.asked])
            exact = read_predictions(self._table(EXACT))
            points = {name: columns_of(found, names) for name, found in methods.items()}
            measured: dict[str, Any] = {
                "errors": {name: errors_of(point, true) for name, point in points.items()},
                "ratios": ratios_of(points, true),
                "by_sn": {name: by_sn(point, true, sn) for name, point in points.items()},
                "labels": labels(fit, names, truth.id, true, sn),
                "exact": beside_exact(exact, methods, names, truth.id, true),
                "features": json.loads((self.folder / "features.json").read_text()),
                "varied": {path.stem: json.loads(path.read_text()) for path in (self.folder / "varied").glob("*.json")},
                "prepared": json.loads((self.folder / "prepared.json").read_text()),
                "weights": bundle.load(self._bundle(OURS)).network["weights"],
                "parameters": list(names),
            }
            self._measured.write_text(json.dumps(measured, indent=1) + "\n")
            sources = Sources(id=truth.id, redshift=self.known.redshift[self.asked])
            for sample, shown_here in (("published", METHODS), ("ours", SEEN)):
                report = evaluate(
                    {name: methods[name] for name in shown_here},
                    truth,
                    sources,
                    self._report(sample),
                    parameters=names if sample == "published" else self.ours.targets.names,
                    meta=self._meta(),
                    drawings=self._drawings(measured, names) if sample == "published" else (),
                    force=True,
                )
                parts = tables_of(measured) if sample == "published" else []
                self._summary(sample).write_text("\n\n".join([*parts, report.markdown().strip()]) + "\n")

        made = [path for name in SAMPLES for path in (self._report(name), self._summary(name))]
        outputs = (*made, self._measured)
        key = [self._key(), plain(self.ours), self.size.fitted, self.size.exact]
        return Stage("evaluate", "metrics and figures", 60, outputs, key, run)

    def _drawings(self, measured: dict[str, Any], names: tuple[str, ...]) -> list[Any]:
        """The paper's Figs. 13 and 16."""
        shown_methods = (*METHODS, "ours: image", "ours: spectra", "ours: spectra + image")
        look = Look(shown_methods)
        by = {name: measured["by_sn"][name] for name in shown_methods}
        drawn = [by_signal(by, measured["labels"], SN_EDGES, names, look)]
        real, simulated = (np.asarray(self.staged.features(name)[self.asked[:1]])[0] for name in ("M1", "M2"))
        return [*drawn, some_features(real, simulated)]

    def _meta(self) -> dict[str, Any]:
        told, seen = json.loads((self.folder / "prepared.json").read_text()), self.paper.staged
        assert seen is not None
        passes = ", ".join(map(str, seen.epochs))
        schedule = "" if self.device == "cuda" and not self.quick else "; the published networks on a reduced schedule"
        return {
            "title": f"MMLforGalAM rebuilt, and ours{schedule}",
            "sample": f"{len(self.asked):,} simulated galaxies never trained on, of SDSS's main sample (r < 17.77, "
            f"0.002 < z < 0.3); M1 to M4 learned from {len(self.staged.rows['train']):,} in {passes} passes (the "
            f"paper: 100 each) in {seen.precision}, and {OURS} from {self.ours.sample.train:,}, with those that the "
            f"paper's preparation leaves out, in {self.ours.train['epochs'][0]}; pictures of {seen.seen.size} pixels; "
            f"of {told['pairs']:,} pairs the paper's preparation left {told['left']:,}",
            "noise": "SDSS's: spectra as exposed, S/N of 5 to 50, with sky residuals and errors of the calibration; "
            "gri images with PSF, sky, photons and neighbours. True values are of the light in the fibre",
            "recipe": self.paper.title,
            "seed": self.paper.seed,
            "command": f"galprism reproduce {PUBLISHED} -o DIR{' --quick' if self.quick else ''}",
            "timings": {f"{name} [s]": seconds for name, seconds in timings(self.folder).items()},
        }


def shown(sources: Sources, blocks: tuple[str, ...]) -> Sources:
    """The sources with some of their blocks alone; redshifts are known where there is a spectrum."""
    hidden = {name: None for name in ("photometry", "cutouts", "spectra") if name not in blocks}
    redshift = sources.redshift if "spectra" in blocks else np.full(len(sources), np.nan)
    return replace(sources, redshift=redshift, **hidden)  # type: ignore[arg-type]


def _write(table: Path, predictions: Predictions) -> None:
    table.parent.mkdir(parents=True, exist_ok=True)
    write_predictions(table, predictions)
