"""Star, quasar or galaxy on sources of another seed: whether the closest bars of `galprism reproduce kids-mnn` stand.

    galprism reproduce kids-mnn -o DIR
    OMP_NUM_THREADS=1 python benchmarks/classes_again.py DIR --seed 22 --n 60000

Sources of the same sky with other random numbers, on which nothing was learned, chosen or looked at. The networks of
DIR; boosted trees that learned, and were searched, from its sources as its own are; errors of differences by resampling
the sources. Prints a table; exit status 0 where no bar is missed, 1 where one is. Needs the extras mock and trees.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from galprism import bundle, surveys
from galprism.data import CLASSES, Sources
from galprism.data.classes import class_probabilities
from galprism.evaluate.classes import judge_classes
from galprism.evaluate.classes.metrics import confusion_matrix
from galprism.fit.tree_features import tree_features
from galprism.fit.tree_tuning import tune_boosted
from galprism.fit.trees import grow_boosted
from galprism.infer.classes import ClassPredictor
from galprism.recipes.kids_mnn import FULL, OURS, PAPER_NETWORK
from galprism.recipes.labelled import Labelled, labelled, measure_of
from galprism.recipes.recipe import Recipe, SampleConfig, load

TREES = "boosted trees, tuned"
ALONE = f"{OURS}, photometry alone"
RESAMPLED = 400


def measured(recipe: Recipe, known: Labelled, rows: np.ndarray, stream: int) -> Sources:
    """Those rows as the survey measures them, without redshifts."""
    return replace(measure_of(recipe, known)(rows, np.random.default_rng((recipe.seed, stream))), redshift=None)


def probabilities(folder: Path, seed: int, n: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """(N, K) of each method, and the classes (N,)."""
    recipe = load(OURS)
    other = replace(recipe, seed=seed, sample=SampleConfig(train=n - 2, validation=1, test=1))
    new = labelled(other, folder / "skies")
    asked, classes = measured(other, new, np.arange(n), 3), np.asarray(new.classes)
    networks = {name: ClassPredictor(bundle.load(folder / "bundles" / name)) for name in (OURS, PAPER_NETWORK)}
    found = {name: class_probabilities(network.predict(asked)) for name, network in networks.items()}
    found[ALONE] = class_probabilities(networks[OURS].predict(replace(asked, cutouts=None)))
    known = labelled(recipe, folder / "skies")
    rows = np.arange(recipe.sample.train)
    learn = measured(recipe, known, rows, 4)
    softening = surveys.get(recipe.survey).sky_err()
    features, questions = (tree_features(one, softening=softening) for one in (learn, asked))
    labels = np.asarray(known.classes[: len(rows)])
    tuned = tune_boosted(features, labels, trials=FULL.trials, seconds=300.0, most=10_000)
    print(f"boosted trees: {tuned.trials} trials, {tuned.config}")
    found[TREES] = grow_boosted(features, labels, tuned.config).probability(questions)
    return found, classes


def f1(true: np.ndarray, called: np.ndarray) -> np.ndarray:
    """(K,), of each class."""
    confusion = confusion_matrix(true, called)
    right = np.diagonal(confusion)
    return 2.0 * right / (confusion.sum(axis=0)[: len(right)] + confusion.sum(axis=1))


def gains(true: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(K,) each: how much higher our F1 is, and the standard error of that, over resampled sources."""
    rng = np.random.default_rng(0)
    drawn = [rng.integers(len(true), size=len(true)) for _ in range(RESAMPLED)]
    differences = np.array([f1(true[rows], ours[rows]) - f1(true[rows], theirs[rows]) for rows in drawn])
    return f1(true, ours) - f1(true, theirs), differences.std(axis=0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of `galprism reproduce kids-mnn`")
    parser.add_argument("--seed", type=int, default=22)
    parser.add_argument("--n", type=int, default=60_000)
    args = parser.parse_args()
    found, classes = probabilities(args.folder, args.seed, args.n)
    print(f"{args.n:,} sources of seed {args.seed}: {dict(zip(CLASSES, np.bincount(classes).tolist(), strict=True))}")
    print("method | accuracy | F1 of star, qso, galaxy | calibration error")
    for name, probability in found.items():
        judged = judge_classes(probability, classes)
        scores = ", ".join(f"{entry.f1:.4f}" for entry in judged.classes)
        print(f"{name} | {judged.accuracy:.4f} | {scores} | {judged.calibration_error:.4f}")
    called = {name: np.argmax(probability, axis=1) for name, probability in found.items()}
    missed = False
    for ours, theirs in ((ALONE, TREES), (OURS, TREES), (OURS, PAPER_NETWORK)):
        gain, err = gains(classes, called[ours], called[theirs])
        told = ", ".join(f"{name} {a:+.4f} +- {b:.4f}" for name, a, b in zip(CLASSES, gain, err, strict=True))
        print(f"F1 of {ours} over {theirs}: {told}: {'met' if (gain >= 0).all() else 'not met'}")
        missed |= bool((gain < 0).any())
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
