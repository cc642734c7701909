"""From a recipe of classes to a bundle: label, prepare, train, temper, export. Needs PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

from galprism import bundle, surveys
from galprism.config import fill, plain
from galprism.data import CLASSES
from galprism.errors import RequestError
from galprism.nets import CLASSIFIERS, Classifier, classifiers_to_onnx
from galprism.prep import DropConfig, LoseConfig
from galprism.prep.classes import ClassPreparation
from galprism.recipes.catalogue import held_apart
from galprism.recipes.labelled import Labelled, labelled, measure_of
from galprism.recipes.parts import middle_band, origin
from galprism.recipes.recipe import Recipe
from galprism.recipes.sky import describe
from galprism.train import Epoch, LoopConfig, train
from galprism.train.classes import DrawnClasses, logits_of

STATISTICS_ROWS = 50_000
"""Inputs are standardised by at most this many sources of the training set."""
MODES = {"photometry": (0.0, 1.0), "image": (1.0, 0.0), "both": (0.0, 0.0)}
"""What is left to a source, and the shares that then lose their photometry and their image."""
FIRM = 1e-3
"""nat per squared unit: what holds the numbers that temper probabilities near those that change nothing."""


@dataclass(frozen=True, eq=False)
class TrainedClasses:
    """Classifiers at the end of their training, and what they need to be asked."""

    classifiers: list[Classifier]
    architecture: dict[str, Any]
    preparation: ClassPreparation
    history: list[list[Epoch]]
    tempering: dict[str, list[float]]
    """By mode: a factor for all logits, then what is added to each."""
    shares: list[float]
    """(K,), of the classes in training."""
    n_train: int
    n_valid: int


def build_classifier(recipe: Recipe, preparation: ClassPreparation, seed: int) -> tuple[Classifier, dict[str, Any]]:
    """The recipe's network with first weights from a seed, and its architecture as a bundle describes it."""
    settings = dict(recipe.net)
    kind = settings.pop("kind", None)
    if kind not in CLASSIFIERS:
        raise RequestError(f"recipe {recipe.name}: net.kind = {kind!r}; accepted: {', '.join(CLASSIFIERS)}")
    network: Any = fill(CLASSIFIERS[kind][1], settings, "net")
    image = preparation.config.image
    size = image.size if image.bands else 1
    made = Classifier(kind, network, len(preparation.input_names), len(image.bands), size, len(CLASSES), seed=seed)
    return made, {"kind": kind, **plain(network), "weights": made.n_weights}


def split(recipe: Recipe, known: Labelled) -> tuple[np.ndarray, np.ndarray]:
    """Rows for training and for validation: of a simulated sky in its order, of a catalogue at random."""
    if known.sources is not None:
        return held_apart(len(known), recipe)
    n_train, n_valid = recipe.sample.train, recipe.sample.validation
    return np.arange(n_train), np.arange(n_train, n_train + n_valid)


def learn_classes(
    recipe: Recipe,
    known: Labelled,
    work: Path,
    *,
    rows: tuple[np.ndarray, np.ndarray] | None = None,
    device: str = "cpu",
    report: Callable[[Epoch, int], None] | None = None,
) -> TrainedClasses:
    """Train on sources whose classes are known; `work` keeps checkpoints and logs, and takes up what was stopped.

    rows : of training and of validation; those of `split` where they are not given.
    Raises RequestError for a recipe that asks for what is not there and a class that has no source, GalprismError where
    the training fails.
    """
    assert recipe.classes is not None
    config = fill(LoopConfig, recipe.train, "train")
    train_rows, valid_rows = split(recipe, known) if rows is None else rows
    counts = np.bincount(known.classes[train_rows], minlength=len(CLASSES))
    if not counts.all():
        absent = ", ".join(name for name, count in zip(CLASSES, counts, strict=True) if not count)
        raise RequestError(f"recipe {recipe.name}: no source of training is a {absent}; accepted: some of each class")
    survey, measure = surveys.get(recipe.survey), measure_of(recipe, known)
    band = recipe.field.band if recipe.field is not None else middle_band(recipe)
    few = train_rows[:: -(-len(train_rows) // STATISTICS_ROWS)]
    usual = dict(zip(survey.band_names, survey.sky_err().tolist(), strict=True))
    preparation = ClassPreparation.fit(
        recipe.classes.inputs, measure(few, np.random.default_rng((recipe.seed, 0))), band, usual
    )

    def drawn(rows: np.ndarray, seed: int, fixed: bool, drop: DropConfig, lose: LoseConfig) -> DrawnClasses:
        return DrawnClasses(
            lambda some, rng: measure(rows[some], rng),
            known.classes[rows],
            preparation,
            config.batch_size,
            seed,
            drop,
            lose,
            fixed,
        )

    lose = recipe.classes.lose
    validation = drawn(valid_rows, recipe.seed + 1, True, recipe.drop, lose)
    data, held = drawn(train_rows, recipe.seed, False, recipe.drop, lose), validation.everything()
    identity = {key: value for key, value in plain(recipe).items() if key not in ("name", "title", "reference", "fit")}
    classifiers: list[Classifier] = []
    history: list[list[Epoch]] = []
    architecture: dict[str, Any] = {}
    for number in range(recipe.classes.networks):
        classifier, architecture = build_classifier(recipe, preparation, config.seed + number)
        one = work if recipe.classes.networks == 1 else work / f"network-{number}"
        own, loop = replace(data, seed=recipe.seed + 100 * number), replace(config, seed=config.seed + number)
        history.append(
            train(classifier, own, held, loop, one, identity=[identity, number], device=device, report=report)
        )
        classifiers.append(classifier.cpu().eval())
    tempering = {}
    if recipe.classes.calibrate:
        for mode in modes_of(preparation):
            without = LoseConfig(*MODES[mode])
            part = drawn(valid_rows, recipe.seed + 1, True, DropConfig(), without).everything()
            tempering[mode] = temper(logits_of(classifiers, part[0], device), part[1].numpy())
    return TrainedClasses(
        classifiers=classifiers,
        architecture=architecture | {"networks": len(classifiers)},
        preparation=preparation,
        history=history,
        tempering=tempering,
        shares=(counts / counts.sum()).tolist(),
        n_train=len(train_rows),
        n_valid=len(valid_rows),
    )


def modes_of(preparation: ClassPreparation) -> list[str]:
    """Of MODES, those in which the classifier can be asked."""
    image, photometry = bool(preparation.config.image.bands), bool(preparation.bands)
    if not (image and photometry):
        return ["image" if image else "photometry"]
    return ["both"] if preparation.config.needs_all else list(MODES)


def temper(logits: np.ndarray, classes: np.ndarray) -> list[float]:
    """What makes probabilities of logits (N, K) as good as can be: a factor for all (temperature scaling, Guo et al.
    2017, ICML, 1321) and a number added to each class's, by the likelihood of the classes (N,)."""
    rows = np.arange(len(classes))

    def cost(x: np.ndarray) -> float:
        chosen = log_softmax(np.exp(x[0]) * logits + np.append(0.0, x[1:]), axis=1)[rows, classes]
        return float(-chosen.mean() + FIRM * x @ x)

    found = minimize(cost, np.zeros(logits.shape[1]), method="BFGS").x
    return [round(float(value), 6) for value in (np.exp(found[0]), 0.0, *found[1:])]


def train_classes(
    recipe: Recipe,
    *,
    work: Path,
    device: str = "cpu",
    report: Callable[[Epoch, int], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> bundle.Bundle:
    """Train a recipe of classes; `work` keeps sources and checkpoints. The bundle is not written yet."""
    known = labelled(recipe, work, progress)
    return class_bundle(recipe, learn_classes(recipe, known, work, device=device, report=report))


def class_bundle(recipe: Recipe, trained: TrainedClasses) -> bundle.Bundle:
    """What inference needs of trained classifiers."""
    best = [min(history, key=lambda epoch: epoch.valid_loss) for history in trained.history]
    described = describe(recipe) if recipe.field is not None else {"made_by": "galprism", "recipe": recipe.name}
    return bundle.Bundle(
        **origin(_without_place(recipe), trained.preparation.bands, described),
        preparation=trained.preparation,
        targets=(),
        anchored=(),
        ranges=(),
        kind="classes",
        network=trained.architecture,
        metrics={
            "training_sources": trained.n_train,
            "validation_sources": trained.n_valid,
            "validation_loss": [round(epoch.valid_loss, 6) for epoch in best],
            "epochs": [len(history) for history in trained.history],
        },
        coordinates={"classes": list(CLASSES), "shares": trained.shares, "tempering": trained.tempering},
        model=classifiers_to_onnx(trained.classifiers),
    )


def _without_place(recipe: Recipe) -> Recipe:
    """The recipe with the name of its catalogue, not where it was on somebody's disk."""
    assert recipe.classes is not None
    labels = recipe.classes.labels
    named = replace(labels, catalogue=Path(labels.catalogue).name)
    return replace(recipe, classes=replace(recipe.classes, labels=named))
