"""Star, quasar or galaxy from SDSS's ugriz alone: learned from real spectra, and learned from the simulated sky.

    GALPRISM_DATA=DIR OMP_NUM_THREADS=1 python benchmarks/sdss_classes.py --docs docs/results --work FOLDER

1. The recipe sdss-star-qso-galaxy in five folds of the sources of `tables/sdss_dr17_classes.csv` of GALPRISM_DATA, and
   on the same folds a random forest, and XGBoost with its defaults and with settings searched by Optuna. Whatever is
   learned, stopped, tempered or searched is so on the training folds.
2. Zero-shot: sdss_sky.toml beside this file, which has seen simulated sources alone, on all of the real ones; where it
   fails, and what the priors of the real table, its dust, its zero points and its labels would change.

Writes sdss-classes.md and figures/sdss-classes-*.png. `--work` keeps what took long: the simulated sky, and what each
method said. Exit status 0 when every bar is met, 1 when one is not, 2 without the data. Needs the extra trees.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedKFold

from galprism import recipes, surveys
from galprism.config import plain
from galprism.data import CLASSES, Predictions, Sources, Truth
from galprism.data.classes import class_columns, class_probabilities, with_priors
from galprism.evaluate.classes import ClassJudgement, judge_class_predictions
from galprism.evaluate.figures.class_performance import by_magnitude
from galprism.evaluate.figures.style import Look
from galprism.fit.tree_features import tree_features
from galprism.fit.tree_tuning import tune_boosted
from galprism.fit.trees import grow_boosted, grow_forest
from galprism.flags import Flag
from galprism.infer import ClassPredictor
from galprism.recipes import Recipe
from galprism.recipes.classes import class_bundle, learn_classes, temper
from galprism.recipes.labelled import Labelled, labelled, measure_of
from galprism.recipes.stages import digest
from sdss_figures import failures
from sdss_page import COLOUR, GALAXY_REDSHIFT, QUASAR_REDSHIFT, called_in_bins, shares_by_colour, write_page

FOLDS = 5
NETWORK, TUNED, BOOSTED, FOREST = "network", "XGBoost, tuned", "XGBoost", "random forest"
ZERO = "zero-shot"
EBV = 0.035
"""mag: SDSS's magnitudes are not corrected for the Milky Way's dust; the mean of its footprint."""
FROM_AB = np.array([0.04, 0.0, 0.0, 0.0, -0.02])
"""mag: SDSS's ugriz less AB (the survey's own word on its photometric system)."""

Split = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Zero:
    """What a classifier that learned from the simulated sky says."""

    real: dict[str, np.ndarray]
    """(N, K) probabilities of the real sources, by what was done to them."""
    unflagged: np.ndarray
    """(N,) bool: real sources that it does not find odd."""
    simulated: np.ndarray
    """(M, K), of simulated sources that it did not learn from."""
    own: Labelled
    """The M, and their magnitudes (M, B) as measured."""
    magnitudes: np.ndarray


def kept(path: Path, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """What `make` gives, from a file where that was made before."""
    if not path.exists():
        found = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **found)
    with np.load(path) as stored:
        return dict(stored)


def network_said(recipe: Recipe, known: Labelled, splits: list[Split], work: Path) -> dict[str, np.ndarray]:
    """(N, K): each source by networks that did not learn from it; of the training fold a part is kept apart, as the
    recipe has it."""
    said = np.full((len(known), 3), np.nan)
    for number, (learn, test) in enumerate(splits):
        order = np.random.default_rng(number).permutation(learn)
        rows = np.sort(order[recipe.sample.validation :]), np.sort(order[: recipe.sample.validation])
        trained = learn_classes(recipe, known, work / f"fold-{number}", rows=rows)
        predictor = ClassPredictor(class_bundle(recipe, trained))
        said[test] = class_probabilities(predictor.predict(known.take(test).sources))
        print(f"fold {number + 1} of {len(splits)}: {len(trained.classifiers)} networks trained", flush=True)
    return {NETWORK: said}


def trees_said(known: Labelled, splits: list[Split], trials: int) -> dict[str, np.ndarray]:
    """The same by trees; settings are searched on three folds of each training fold."""
    features = tree_features(known.sources)
    said = {name: np.full((len(known), 3), np.nan) for name in (TUNED, BOOSTED, FOREST)}
    for number, (learn, test) in enumerate(splits):
        own, classes = features.take(learn), known.classes[learn]
        tuned = tune_boosted(own, classes, trials=trials, folds=3, seed=number)
        grown = {
            TUNED: grow_boosted(own, classes, tuned.config),
            BOOSTED: grow_boosted(own, classes),
            FOREST: grow_forest(own, classes, trees=500, min_leaf=2),
        }
        for name, trees in grown.items():
            said[name][test] = trees.probability(features.take(test))
        print(f"fold {number + 1} of {len(splits)}: {tuned.trials} settings of trees tried", flush=True)
    return said


def zero_shot(recipe: Recipe, known: Labelled, splits: list[Split], work: Path) -> Zero:
    """Learn from the simulated sky, and ask about the real one."""
    sky = labelled(recipe, work)
    predictor = ClassPredictor(class_bundle(recipe, learn_classes(recipe, sky, work / f"sky-{digest(plain(recipe))}")))
    rows = np.arange(len(sky) - recipe.sample.test, len(sky))
    measured = without_errors(measure_of(recipe, sky)(rows, np.random.default_rng(recipe.seed)))
    found = predictor.predict(known.sources)
    given, shares = class_probabilities(found), np.bincount(known.classes) / len(known)
    dust = EBV * np.array([band.extinction for band in surveys.get(recipe.survey).bands])
    brighter = class_probabilities(predictor.predict(brightened(known.sources, dust + FROM_AB)))
    said = {
        ZERO: given,
        f"{ZERO}, shares of the table": with_priors(given, predictor.bundle.coordinates["shares"], shares),
        f"{ZERO}, AB and dereddened": brighter,
        f"{ZERO}, tempered on real labels": tempered(given, known.classes, splits),
    }
    return Zero(
        said,
        (np.asarray(found.flags) & ~np.uint32(Flag.ERROR_UNKNOWN)) == 0,
        class_probabilities(predictor.predict(measured)),
        sky.take(rows),
        magnitudes(measured),
    )


def tempered(said: np.ndarray, classes: np.ndarray, splits: list[Split]) -> np.ndarray:
    """Probabilities (N, K) whose logits got a factor and a number for each class, those of each fold from the labels of
    the others: how much of the error is nothing but wrong shares and confidence."""
    logits, found = np.log(np.maximum(said, 1e-12)), np.empty(said.shape)
    for learn, test in splits:
        factor, *shift = temper(logits[learn], classes[learn])
        weight = np.exp(factor * logits[test] + shift)
        found[test] = weight / weight.sum(axis=1, keepdims=True)
    return found


def without_errors(sources: Sources) -> Sources:
    """As the real table has them."""
    photometry = sources.photometry
    assert photometry is not None
    return replace(sources, photometry=replace(photometry, ivar=np.full_like(photometry.ivar, np.nan)))


def brightened(sources: Sources, magnitude: np.ndarray) -> Sources:
    """By `magnitude` (B,)."""
    photometry = sources.photometry
    assert photometry is not None
    flux = (photometry.flux * 10 ** (0.4 * magnitude)).astype(np.float32)
    return replace(sources, photometry=replace(photometry, flux=flux))


def magnitudes(sources: Sources) -> np.ndarray:
    """(N, B), AB; NaN where a flux is not above zero."""
    assert sources.photometry is not None
    flux = np.asarray(sources.photometry.flux, float)
    return 31.4 - 2.5 * np.log10(np.where(flux > 0, flux, np.nan))


def judged(said: dict[str, np.ndarray], known: Labelled) -> ClassJudgement:
    """Probabilities (N, K) by method against the spectra's classes."""
    n = len(known)
    tables = {
        name: Predictions(
            id=known.ident,
            names=(),
            point=np.zeros((n, 0)),
            flags=np.zeros(n, np.uint32),
            n_bands=np.full(n, 5, np.int16),
            extra=class_columns(probability),
        )
        for name, probability in said.items()
    }
    truth = Truth(known.ident, (), np.zeros((n, 0)), classes=known.classes)
    sources = None if known.sources is None else replace(known.sources, id=known.ident)
    return judge_class_predictions(tables, truth, sources, band=None if sources is None else "r")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--docs", type=Path, required=True, metavar="FOLDER", help="where the page goes")
    parser.add_argument("--work", type=Path, required=True, metavar="FOLDER", help="keeps what takes long")
    parser.add_argument("--trials", type=int, default=60, help="settings of XGBoost that are tried on each fold")
    options = parser.parse_args()
    data = os.environ.get("GALPRISM_DATA")
    if not data:
        print("GALPRISM_DATA is not set: it is the folder that holds tables/", file=sys.stderr)
        return 2
    table = Path(data) / "tables" / "sdss_dr17_classes.csv"
    recipe = recipes.load("sdss-star-qso-galaxy", [f"classes.labels.catalogue={table}"])
    known, work = labelled(recipe, options.work), options.work
    splits = list(StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(known.classes, known.classes))
    here = work / f"network-{digest(plain(recipe))}"
    said = kept(here / "said.npz", lambda: network_said(recipe, known, splits, here))
    said |= kept(work / f"trees-{options.trials}.npz", lambda: trees_said(known, splits, options.trials))
    zero = zero_shot(recipes.load(Path(__file__).with_name("sdss_sky.toml")), known, splits, work)
    cross, moved = judged(said, known), judged({NETWORK: said[NETWORK], **zero.real}, known)
    odd = known.take(np.flatnonzero(zero.unflagged))
    unflagged = judged({f"{ZERO}, unflagged sources": zero.real[ZERO][zero.unflagged]}, odd)
    simulated = judged({f"{ZERO}, simulated sources": zero.simulated}, zero.own)
    three = judged({NETWORK: said[NETWORK], TUNED: said[TUNED], ZERO: zero.real[ZERO]}, known)

    mag, redshift = magnitudes(known.sources), np.asarray(known.redshift, float)
    colour, own_colour = (m[:, 1] - m[:, 3] for m in (mag, zero.magnitudes))
    binned = {"galaxy": (redshift, GALAXY_REDSHIFT, "z"), "qso": (redshift, QUASAR_REDSHIFT, "z")}
    binned["star"] = (colour, COLOUR, "g-i")
    failed = [called_in_bins(three, ZERO, of, *where) for of, where in binned.items()]
    shares = shares_by_colour({"real": (known.classes, colour), "simulated": (zero.own.classes, own_colour)})
    figures = options.docs / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    drawing = by_magnitude("", "", three.of(three.whole), Look(three.methods))
    assert drawing is not None
    (figures / "sdss-classes-magnitude.png").write_bytes(drawing.png)
    borders = {"galaxy": GALAXY_REDSHIFT, "qso": QUASAR_REDSHIFT}
    stars = zero.magnitudes[zero.own.classes == CLASSES.index("star")]
    planes = [(m[:, 1] - m[:, 2], m[:, 2] - m[:, 3]) for m in (mag, stars)]
    (figures / "sdss-classes-failures.png").write_bytes(failures(three, redshift, borders, *planes))
    met = write_page(options.docs / "sdss-classes.md", cross, [moved, unflagged, simulated], failed, shares)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
