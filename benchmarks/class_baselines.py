"""How far the reference classifiers come: on a simulated KiDS field, and on SDSS sources with spectra.

    OMP_NUM_THREADS=1 python benchmarks/class_baselines.py --trials 50
    GALPRISM_DATA=DIR OMP_NUM_THREADS=1 python benchmarks/class_baselines.py --only sdss --trials 60

1. Sources to r = 22 in nine bands and cutouts in r, in the shares of Feng et al. (2025, Sect. 2.2): 18.7 % stars,
   11.7 % quasars, 69.5 % galaxies. A field has few quasars: more of the same kind are put among its sources.
2. SDSS DR17 in ugriz without redshifts (`tables/sdss_dr17_classes.csv` of GALPRISM_DATA), five folds, settings searched
   on the training folds alone; magnitudes as they are.

Checks that the fits know spectra without noise again before anything is timed. Needs the extras mock and trees.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedKFold

from galprism import recipes, surveys
from galprism.data import Photometry, Sources
from galprism.data.classes import class_probabilities
from galprism.evaluate.classes import judge_classes
from galprism.fit.class_fit import fit_classes
from galprism.fit.class_grid import field_templates, grid_templates
from galprism.fit.class_shares import shares_by_magnitude
from galprism.fit.class_templates import ClassTemplates
from galprism.fit.tree_features import Features, tree_features
from galprism.fit.tree_tuning import tune_boosted
from galprism.fit.trees import Trees, grow_boosted, grow_forest
from galprism.mocks.images.cutouts import image_batches
from galprism.mocks.noise import observe
from galprism.mocks.sky.members import joined
from galprism.mocks.sky.patch import Patch
from galprism.recipes.class_baselines import Measured, class_baselines, sizes_over_psf
from galprism.recipes.sky import field_of
from galprism.sps import load_bc03_miles
from galprism.units import njy_from_abmag

SHARES = np.array([31_306, 19_608, 116_095]) / 167_009
PATCHES = 6
QUASAR_AREA = 9.0
"""Square degrees that the quasars put into each square degree of the field are of."""


def simulated(n: int) -> Measured:
    """n sources of the field, in random order."""
    recipe = recipes.load("kids-field", ["field.limit=22.0", "field.area=1.0", "seed=77"])
    field = field_of(recipe)
    parts: list[Measured] = []
    for number in range(PATCHES):
        rng = np.random.default_rng((9, number))
        patch = field.patch(number)
        more = field.kinds["qso"].patch(QUASAR_AREA, rng)
        x, y = rng.uniform(0.0, 3600.0, (2, len(more)))
        whole = Patch(
            np.concatenate([patch.id, patch.id.max() + 1 + np.arange(len(more))]),
            joined([patch.members, more]),
            np.concatenate([patch.x, x]),
            np.concatenate([patch.y, y]),
            np.concatenate([patch.classes, np.ones(len(more), np.int8)]),
        )
        wanted = np.rint(n * SHARES / PATCHES).astype(int)
        own = [rng.permutation(np.flatnonzero(whole.classes == k))[: wanted[k]] for k in range(3)]
        if [len(rows) for rows in own] != wanted.tolist():
            sys.exit(f"--n {n}: a patch has {[len(rows) for rows in own]} of {wanted.tolist()}; give a smaller number")
        order = rng.permutation(np.concatenate([*own, np.setdiff1d(np.arange(len(whole)), np.concatenate(own))]))
        chosen = np.isin(order, np.concatenate(own))
        whole = whole.take(np.concatenate([order[chosen], order[~chosen]]))
        rows = slice(0, int(chosen.sum()))
        photometry = observe(whole.members.flux.astype(np.float32), field.survey, recipe.noise, rng).take(rows)
        batches = image_batches(whole, field.survey, recipe.images, seed=recipe.seed, n=rows.stop)
        sizes = [sizes_over_psf(Sources(id=ids, cutouts=taken), "r") for ids, taken in batches]
        sources = Sources(id=whole.id[rows], photometry=photometry)
        parts.append(Measured(sources, whole.classes[rows], np.concatenate(sizes)))
    photometry = Photometry(
        *(np.concatenate([getattr(part.sources.photometry, name) for part in parts]) for name in ("flux", "ivar")),
        field.survey.band_names,
    )
    sources = Sources(id=np.concatenate([part.sources.id for part in parts]), photometry=photometry)
    columns = (np.concatenate([getattr(part, name) for part in parts]) for name in ("classes", "size"))
    return taken_rows(Measured(sources, *columns), np.random.default_rng(0).permutation(len(sources)))


def taken_rows(sample: Measured, rows: np.ndarray | slice) -> Measured:
    return Measured(sample.sources.take(rows), sample.classes[rows], sample.size[rows])


def check(templates: ClassTemplates) -> None:
    """Exits where spectra without noise are not known again."""
    rows = np.random.default_rng(0).permutation(len(templates))[:500]
    flux = 1e4 * templates.flux[rows]
    photometry = Photometry(flux, (0.003 * flux + 1.0) ** -2.0, templates.bands)
    found = fit_classes(Sources(id=np.arange(500), photometry=photometry), templates, model_error=0.0)
    right = np.argmax(class_probabilities(found), axis=1) == templates.classes[rows]
    if right.mean() < 0.99:
        sys.exit(f"of 500 spectra without noise {right.sum()} are known again; at least 495 were expected")


def field_tables(n: int, test: int, trials: int) -> None:
    survey, started = surveys.get("kids"), time.perf_counter()
    sample = simulated(n)
    tests, learns = (taken_rows(sample, rows) for rows in (slice(0, test), slice(test, None)))
    print(
        f"{len(learns.classes):,} to learn from, {test:,} to test on, made in {time.perf_counter() - started:.0f} s\n"
    )
    recipe = recipes.load("kids-field", ["field.limit=22.0", "field.area=0.5", "seed=5"])
    library = load_bc03_miles()
    kinds = {"a grid": grid_templates(survey, library), "a field": field_templates(field_of(recipe), 10_000)}
    flux = np.asarray(sample.sources.photometry.select(("r",)).flux[:, 0], float)
    magnitude = 31.4 - 2.5 * np.log10(np.maximum(flux, 1.0))
    prior = shares_by_magnitude(magnitude[test:], learns.classes, magnitude[:test])
    for name, templates in kinds.items():
        check(templates)
        started = time.perf_counter()
        found = fit_classes(tests.sources, templates, prior=prior, flux_err=survey.flux_err)
        rate = test / (time.perf_counter() - started)
        judged = judge_classes(class_probabilities(found), tests.classes)
        print(judged.table(f"templates of {name}, {len(templates):,} models, {rate:,.0f} sources/s").text(), "\n")
    started = time.perf_counter()
    found = class_baselines(learns, tests, survey, trials=trials, most=8000)
    print(found.table(f"all others, {time.perf_counter() - started:.0f} s").text(), "\n")
    for name, judged in found.judged.items():
        print(judged.table(name).text(), "\n")


def sdss_tables(path: Path, trials: int) -> None:
    """Trees, and template fits of the same."""
    table = np.genfromtxt(path, delimiter=",", names=True, dtype=None, encoding="utf-8")
    classes = np.array([{"STAR": 0, "QSO": 1, "GALAXY": 2}[name] for name in table["class"]])
    bands = tuple("ugriz")
    mag = np.stack([table[band] for band in bands], axis=1)
    survey = surveys.get("sdss")
    flux = np.where(mag > 0, njy_from_abmag(mag), 0.0)
    ivar = np.where(mag > 0, survey.flux_err(flux) ** -2.0, 0.0)
    sources = Sources(id=np.arange(len(mag)), photometry=Photometry(flux, ivar, bands))
    features: Features = tree_features(sources)
    said = {name: np.full((len(mag), 3), np.nan) for name in ("random forest", "boosted trees", "boosted trees, tuned")}
    started = time.perf_counter()
    for k, (learn, test) in enumerate(StratifiedKFold(5, shuffle=True, random_state=0).split(mag, classes)):
        own = features.take(learn)
        grown: dict[str, Trees] = {
            "random forest": grow_forest(own, classes[learn], trees=500, min_leaf=2),
            "boosted trees": grow_boosted(own, classes[learn]),
        }
        if trials:
            config = tune_boosted(own, classes[learn], trials=trials, folds=3, seed=k).config
            grown["boosted trees, tuned"] = grow_boosted(own, classes[learn], config)
        for name, trees in grown.items():
            said[name][test] = trees.probability(features.take(test))
    print(f"SDSS DR17, {len(mag):,} sources, five folds, {time.perf_counter() - started:.0f} s\n")
    for name, probability in said.items():
        if np.isfinite(probability).any():
            print(judge_classes(probability, classes).table(name).text(), "\n")
    prior = shares_by_magnitude(mag[:, 2], classes, mag[:, 2])
    templates = grid_templates(survey, load_bc03_miles())
    found = fit_classes(sources, templates, prior=prior)
    print(judge_classes(class_probabilities(found), classes).table("templates of a grid, prior of all").text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=50_000, help="sources of the field")
    parser.add_argument("--test", type=int, default=20_000, help="of which so many are tested on")
    parser.add_argument("--trials", type=int, default=0, help="of the search for settings of boosted trees")
    parser.add_argument("--only", choices=("field", "sdss"))
    asked = parser.parse_args()
    if asked.only != "sdss":
        field_tables(asked.n, asked.test, asked.trials)
    if asked.only != "field":
        folder = os.environ.get("GALPRISM_DATA")
        if not folder:
            print("GALPRISM_DATA is not set: the sources of SDSS are left out")
            sys.exit(2 if asked.only == "sdss" else 0)
        sdss_tables(Path(folder) / "tables" / "sdss_dr17_classes.csv", asked.trials)


if __name__ == "__main__":
    main()
