"""What the J-PAS paper says of libraries (A&A 705, A219, 2026; Figs. 9, 10 and E.1), for libraries of the user's: the
paper's network learned from each of them and from all together, and asked about each; and how much of one library's
photometry, or of a survey's own, the populations of another can be.

Populations lie anywhere between those of a library, where all of the libraries have them, so that what is told apart
is the libraries and not their grids.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import chi2

from galprism import bundle, surveys
from galprism.config import plain
from galprism.cosmology import age_gyr
from galprism.data import Sources, Truth
from galprism.data.tables import read_predictions, read_truth, write_predictions
from galprism.errors import RequestError
from galprism.evaluate import Bar, Selection, Table, evaluate
from galprism.evaluate.embedding import neighbours_map
from galprism.evaluate.report import strict
from galprism.evaluate.tables import number, percent
from galprism.fit.simple import NAMES, SimpleModels, least_chi2, prior_draws
from galprism.infer import predict
from galprism.mocks.population import SINGLE_WIDTH
from galprism.params import PARAMS
from galprism.recipes.jpas_measured import MAGNITUDES, OURS, OUTLIER, PAPER, levels_of, metrics_of
from galprism.recipes.mock import write_mock
from galprism.recipes.recipe import Recipe, load
from galprism.recipes.sky import libraries_of, sky
from galprism.recipes.stages import Stage, timings
from galprism.recipes.training import train_bundle
from galprism.sps import SSPLibrary, load_library
from galprism.sps.ssp import Z_SUN

NAME = "jpas-libraries"
MIX = "all"
AT_REST = (0.0005, 0.001)
MIDDLE = 0.00075
FIRST = 100_000_000
"""The first id of the test populations: no training comes so far."""
BRIGHT = 19.25
"""i: Fig. 9 is of those brighter than 19.5, one of the steps of half a magnitude."""
COVERED_AT = 17.0
"""i at which it is asked what fits what."""
POSSIBLE = 0.01
"""A source is covered where the chi2 of the nearest population is exceeded as often as this by noise alone."""
FITTED = 4
"""What a fit has free: age, metallicity, dust and the scale."""
ON_MAP = 3000
"""Populations of each library on the maps."""
FULL = ("train.batch_size=100", "train.epochs=[50]")
"""The paper's network with batches of its Appendix A, in half as many passes."""
QUICK = ("train.batch_size=100", "sample.train=4000", "sample.validation=500", "train.epochs=[3]")


class Reproduction:
    """The stages of the whole study, every output below one folder."""

    def __init__(
        self,
        folder: Path,
        *,
        quick: bool,
        workers: int = 1,
        say: Callable[[str], None] = print,
        libraries: Sequence[str] = (),
        catalogue: str = "",
    ):
        """libraries : two or more, as recipes name them. catalogue : J-PAS photometry to lay over the map.

        Raises RequestError where there are fewer, two of one name, one that does not reach all bands, or none of their
        populations are in all of them.
        """
        if len(libraries) < 2:
            raise RequestError(
                f"{NAME} compares libraries: {', '.join(libraries) or 'none'}; give two or more, --library bc03-miles "
                "--library FOLDER"
            )
        self.folder, self.quick, self.say = folder, quick, say
        self.catalogue = catalogue
        made = [load_library(path) for path in libraries]
        self.paths = {library.name: path for library, path in zip(made, libraries, strict=True)}
        if len(self.paths) < len(made):
            raise RequestError(f"libraries {', '.join(library.name for library in made)}: each may be given once")
        paper = load(PAPER, QUICK if quick else FULL)
        self.every = shared(paper, made, libraries)
        sky(self.every)  # a library that does not reach the bands is refused before anything is done
        if catalogue:
            self._real()  # and so is a catalogue that cannot be read
        self.test, self.draws = (150, 5000) if quick else (20_000, 100_000)

    def stages(self) -> list[Stage]:
        """In the order in which they are run."""
        return [
            *(self._train(name) for name in (*self.paths, MIX)),
            self._mock(),
            self._predict(),
            self._cover(),
            self._evaluate(),
        ]

    def bars(self) -> list[Bar]:
        """What the paper says of mixing libraries, measured."""
        found = json.loads((self.folder / "transfer.json").read_text())
        bars = []
        for name in NAMES:
            alone = min(found[library][MIX][name]["sigma_nmad"] for library in self.paths)
            ratio = found[MIX][MIX][name]["sigma_nmad"] / alone
            text = (
                f"learned from all, asked about all, i < 19.5, {name}: sigma_NMAD over that of the best single library"
            )
            bars.append(Bar(text, 1.0, ratio))
        return bars

    def results(self) -> list[tuple[str, Path, Path]]:
        """What it is, its tables in Markdown, and the folder of its report."""
        return [("stellar populations of several libraries", self.folder / "summary.md", self.folder / "report")]

    # What is done.

    def recipe(self, name: str) -> Recipe:
        """The paper's, for the stars of one library, or of all."""
        return self.every if name == MIX else replace(self.every, library=self.paths[name], libraries=())

    def _hashes(self) -> list[str]:
        return [library.hash for library in libraries_of(self.every)]

    def _bundle(self, name: str) -> Path:
        return self.folder / "bundles" / name

    def _table(self, name: str) -> Path:
        return self.folder / "predictions" / f"{name}.parquet"

    def _train(self, name: str) -> Stage:
        recipe, out = self.recipe(name), self._bundle(name)

        def report(epoch: Any, n_epochs: int) -> None:
            self.say(f"    epoch {epoch.epoch + 1} of {n_epochs}: validation loss {epoch.valid_loss:.5f}")

        def run() -> None:
            train_bundle(recipe, out, report=report)

        text = f"the paper's networks on {recipe.sample.train:,} populations of {name}"
        key = [plain(recipe), self._hashes()]
        return Stage(f"train-{name}", text, 10 if self.quick else 420, (out,), key, run)

    def _mock(self) -> Stage:
        path = self.folder / "test.parquet"

        def run() -> None:
            write_mock(self.every, self.test * len(self.paths), path, first=FIRST)

        text = f"about {self.test:,} populations of each library"
        return Stage("mock", text, 5, (path,), [plain(self.every), self._hashes(), self.test], run)

    def _predict(self) -> Stage:
        names = (*self.paths, MIX, OURS)

        def run() -> None:
            self._table(MIX).parent.mkdir(exist_ok=True)
            sources = self._sources()
            for name in names:
                found = predict(bundle.load(OURS if name == OURS else self._bundle(name)), sources)
                write_predictions(self._table(name), found)

        tables = tuple(self._table(name) for name in names)
        return Stage("predict", "every network", 10, tables, bundle.load(OURS).hash, run)

    def _cover(self) -> Stage:
        path = self.folder / "coverage.json"

        def run() -> None:
            sources, rows = self._sources(), self._rows()
            at = levels_of(sources) == COVERED_AT
            asked = {name: sources.take(np.flatnonzero(at & rows[name])) for name in self.paths}
            if self.catalogue:
                asked[Path(self.catalogue).name] = self._real()
            models = [self._models(name) for name in self.paths]
            nearest = {name: [least_chi2(some, model) for model in models] for name, some in asked.items()}
            found: dict[str, Any] = {
                library: {name: _covered(asked[name], nearest[name][k]) for name in asked}
                for k, library in enumerate(self.paths)
            }
            found[MIX] = {name: _covered(asked[name], np.min(nearest[name], axis=0)) for name in asked}
            found["n"] = {name: len(some) for name, some in asked.items()}
            path.write_text(json.dumps(strict(found)) + "\n")

        text = f"which populations of {self.draws:,} of each library can be those of another"
        return Stage("coverage", text, 20, (path,), [self.draws, self._hashes(), self.catalogue], run)

    def _models(self, name: str) -> SimpleModels:
        return prior_draws(sky(self.recipe(name)), MIDDLE, self.draws)

    def _evaluate(self) -> Stage:
        report, summary, numbers = self.folder / "report", self.folder / "summary.md", self.folder / "transfer.json"

        def run() -> None:
            sources, truth, rows = self._sources(), self._truth(), self._rows()
            names = {**{f"learned from {name}": name for name in (*self.paths, MIX)}, OURS: OURS}
            methods = {text: read_predictions(self._table(name)) for text, name in names.items()}
            found = transfer({names[text]: table.point for text, table in methods.items()}, truth, sources, rows)
            numbers.write_text(json.dumps(strict(found)) + "\n")
            made = evaluate(
                methods,
                truth,
                sources,
                report,
                parameters=NAMES,
                selections=(Selection("i < 19.5", "mag_i", high=BRIGHT),),
                band="i",
                meta=self._meta(),
                drawings=self._drawings(methods[f"learned from {MIX}"].point, truth, sources, rows),
                force=True,
            )
            tables = [self._transfer_table(found), self._coverage_table()]
            summary.write_text("\n\n".join([*(table.markdown() for table in tables), made.markdown()]))

        outputs = (report, summary, numbers)
        return Stage("evaluate", "metrics, maps and report", 60, outputs, [self.test, self.catalogue], run)

    def _transfer_table(self, found: dict[str, Any]) -> Table:
        keys = ("bias", "sigma_nmad", "outliers")
        header = ("learned from", "asked about", *(f"{name}: {key}" for name, key in product(NAMES, keys)))
        rows = [
            (learned, asked, *(number(entry[name][key], 3, sign=key == "bias") for name, key in product(NAMES, keys)))
            for learned, about in found.items()
            for asked, entry in about.items()
        ]
        caption = (
            f"Populations with i < 19.5, log_age and logzsol in dex, ebv in mag; outliers are farther off than "
            f"{OUTLIER}. {OURS}, ours, has learned from bc03-miles."
        )
        return Table(header, tuple(rows), caption, 2)

    def _coverage_table(self) -> Table:
        found = json.loads((self.folder / "coverage.json").read_text())
        asked = list(found["n"])
        rows = [(name, *(percent(found[name][each]) for each in asked)) for name in (*self.paths, MIX)]
        caption = (
            f"Of sources with i = {COVERED_AT:g}, what a population of the library can be: chi2 of the nearest of "
            f"{self.draws:,} is exceeded by chance in more than {percent(POSSIBLE, 0)} of the cases."
        )
        header = ("populations of", *(f"{name} ({found['n'][name]:,})" for name in asked))
        return Table(header, tuple(rows), caption)

    def _drawings(self, point: np.ndarray, truth: Truth, sources: Sources, rows: dict[str, np.ndarray]) -> list[Any]:
        from galprism.evaluate.figures import libraries as draw

        assert sources.photometry is not None
        level, bright = levels_of(sources), levels_of(sources) < BRIGHT
        true = {name: truth.column(name) for name in NAMES}
        predicted = {name: point[:, j] for j, name in enumerate(NAMES)}
        caption = (
            "Predicted by the network that learned from all libraries minus true, populations with i < 19.5; points "
            "and bars are the median and the 16th and 84th percentiles in bins, μ and σ the median and the NMAD."
        )
        seen = {name: some & bright for name, some in rows.items()}
        drawn = [
            draw.residuals_by_library(
                "by_library", "Fig. 9: residuals by library", true, predicted, seen, level, caption
            )
        ]
        some = np.concatenate([np.flatnonzero(row)[:ON_MAP] for row in rows.values()])
        shapes = _shapes(sources.take(some))
        real = [_shapes(self._real())] if self.catalogue else []
        places, *over = neighbours_map(shapes, *real)
        groups = {name: places[row[some]] for name, row in rows.items()}
        caption = (
            "Fluxes over their median, i = 16 to 22 with noise, in a plane that keeps neighbours together (UMAP); its "
            "axes and distances mean little, see the table of what can be what."
        )
        laid = (Path(self.catalogue).name, over[0]) if over else None
        if laid is not None:
            caption += f" Black: {laid[0]}."
        drawn.append(draw.map_of_groups("map_of_libraries", "Fig. 10: a map of the photometry", groups, laid, caption))
        values = {name: true[name][some] for name in NAMES} | {"i": level[some]}
        labels = {name: PARAMS[name].label for name in NAMES} | {"i": "$i$ [AB mag]"}
        drawn.append(
            draw.map_of_values("map_of_values", "Fig. E.1: what lies where on it", places, values, labels, caption)
        )
        return drawn

    # What is read back.

    def _sources(self) -> Sources:
        return surveys.read(self.folder / "test.parquet", surveys.get(self.every.survey))

    def _truth(self) -> Truth:
        return read_truth(self.folder / "test.parquet")

    def _rows(self) -> dict[str, np.ndarray]:
        """(N,) bool of each library: which test populations have its light."""
        library = self._truth().labels["library"]
        return {name: library == name for name in self.paths}

    def _real(self) -> Sources:
        """The sources of the user's catalogue with every band measured, as if at rest."""
        sources = surveys.read(self.catalogue, surveys.get(self.every.survey))
        assert sources.photometry is not None
        whole = (sources.photometry.ivar > 0).all(axis=1) & (np.median(sources.photometry.flux, axis=1) > 0)
        if not whole.any():
            raise RequestError(f"{self.catalogue}: no source has all of J-PAS's bands measured")
        return replace(sources.take(np.flatnonzero(whole)), redshift=None)

    def _meta(self) -> dict[str, Any]:
        size = "; quick: reduced training and test set" if self.quick else ""
        low, high = np.log10(np.array(self.every.population.z_met) / Z_SUN)
        return {
            "title": f"Libraries of stellar populations under J-PAS's bands (A&A 705, A219, Figs. 9 and 10){size}",
            "sample": f"{len(self._truth()):,} simulated populations never trained on, of {', '.join(self.paths)}, "
            f"{self.every.population.age_min:.3g} Gyr and older, [M/H] {low:+.2f} to {high:+.2f}, "
            f"i = {MAGNITUDES[0]:g} to {MAGNITUDES[-1]:g} in steps of 0.5, z = {AT_REST[0]} to {AT_REST[1]}",
            "noise": "J-PAS's depths in apertures that grow with the source; zero points exact",
            "recipe": self.every.title,
            "seed": self.every.seed,
            "command": f"galprism reproduce {NAME} -o DIR"
            + "".join(f" --library {path}" for path in self.paths.values())
            + (" --quick" if self.quick else ""),
            "timings": {f"{name} [s]": seconds for name, seconds in timings(self.folder).items()},
        }


def shared(paper: Recipe, made: Sequence[SSPLibrary], paths: Sequence[str]) -> Recipe:
    """The paper's recipe for populations between those of several libraries, as far as all of them go.

    Raises RequestError where one ends before the age of the Universe, and where no populations are in all.
    """
    oldest = age_gyr(AT_REST[0]) * (1.0 + 0.5 * SINGLE_WIDTH)
    for library in made:
        if library.age_edges[-1] < oldest:
            raise RequestError(f"{library.name} has ages up to {library.age[-1]:.3g} Gyr; accepted: to {oldest:.3g}")
    youngest = max(paper.population.age_min, *(float(library.age[library.age > 0][0]) for library in made))
    low, high = max(float(x.z_met[0]) for x in made), min(float(x.z_met[-1]) for x in made)
    if low >= high:
        raise RequestError(
            f"{', '.join(x.name for x in made)}: no metallicity is in all of them, from {low:.3g} to {high:.3g}"
        )
    population = replace(
        paper.population,
        on_grid=False,
        log_age=True,
        age_min=youngest,
        z_met=(low, high),
        z_met_between=True,
        ebv=(),
        av=(0.0, 2.48),
        redshift=AT_REST,
        magnitude=(MAGNITUDES[0], MAGNITUDES[-1]),
    )
    return replace(paper, population=population, library=paths[0], libraries=tuple(paths[1:]))


def transfer(
    points: dict[str, np.ndarray], truth: Truth, sources: Sources, rows: dict[str, np.ndarray]
) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """The paper's metrics of points (N, 3), by what was learned from, what is asked about and the parameter; of
    sources brighter than i = 19.5."""
    bright = levels_of(sources) < BRIGHT
    asked = {**rows, MIX: np.ones(len(bright), bool)}
    found: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for learned, point in points.items():
        found[learned] = {}
        for about, some in asked.items():
            good = some & bright & np.isfinite(point[:, 0])
            true = [truth.column(name)[good] for name in NAMES]
            found[learned][about] = {
                name: metrics_of(point[good, j] - true[j], point[good, j], true[j]) for j, name in enumerate(NAMES)
            }
    return found


def _shapes(sources: Sources) -> np.ndarray:
    """(N, B), fluxes over their median."""
    assert sources.photometry is not None
    flux = sources.photometry.flux.astype(float)
    return flux / np.median(flux, axis=1, keepdims=True)


def _covered(sources: Sources, nearest: np.ndarray) -> float:
    """The share of sources whose nearest population is near enough."""
    assert sources.photometry is not None
    n_bands = (sources.photometry.ivar > 0).sum(axis=1)
    return float(np.mean(chi2.sf(nearest, n_bands - FITTED) > POSSIBLE))
