"""From a recipe of parameters that are learned from a catalogue to a bundle: read, prepare, train, export. Needs
PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from galprism import bundle, surveys
from galprism.config import fill, plain
from galprism.nets import Ensemble, Estimator, Regressor
from galprism.prep import Targets
from galprism.prep.classes import ClassPreparation
from galprism.prep.frames import ranges_of
from galprism.recipes.catalogue import Known, held_apart, known_parameters
from galprism.recipes.estimators import BESIDE_TRAINING, build_estimator
from galprism.recipes.parts import answers, middle_band, origin
from galprism.recipes.recipe import Recipe
from galprism.train import DrawnData, Epoch, LoopConfig, train
from galprism.train.data import take_rows
from galprism.train.device import check_device


@dataclass(frozen=True, eq=False)
class Learned:
    """Networks at the end of their training, and what they need to be asked."""

    estimators: list[Estimator]
    architecture: dict[str, Any]
    preparation: ClassPreparation
    targets: Targets
    history: list[list[Epoch]]
    n_train: int
    n_valid: int

    @property
    def together(self) -> Regressor:
        """All of them as one."""
        return self.estimators[0] if len(self.estimators) == 1 else Ensemble(self.estimators)


def learn_parameters(
    recipe: Recipe,
    known: Known,
    work: Path,
    *,
    rows: tuple[np.ndarray, np.ndarray] | None = None,
    device: str = "cpu",
    report: Callable[[Epoch, int], None] | None = None,
) -> Learned:
    """Train on sources whose parameters are known; `work` keeps checkpoints and logs, and takes up what was stopped.

    rows : of training and of validation; those of `held_apart` where they are not given.
    Raises RequestError for a recipe that asks for what is not there, GalprismError where the training fails.
    """
    assert recipe.labels is not None
    check_device(device)
    config = fill(LoopConfig, recipe.train, "train")
    train_rows, valid_rows = held_apart(len(known), recipe) if rows is None else rows
    survey = surveys.get(recipe.survey)
    usual = dict(zip(survey.band_names, survey.sky_err().tolist(), strict=True))
    preparation = ClassPreparation.fit(recipe.labels.inputs, known.sources.take(train_rows), middle_band(recipe), usual)
    values, nothing = known.values[train_rows], np.zeros(len(train_rows))
    ranges = ranges_of(recipe.targets.names, recipe.targets.bounded, known.values[np.r_[train_rows, valid_rows]])
    targets = Targets.fit(recipe.targets, values, nothing, nothing, ranges)

    def drawn(rows: np.ndarray, seed: int, *, fixed: bool = False) -> DrawnData:
        return DrawnData(
            take_rows(known.sources.take(rows)),
            known.values[rows],
            preparation,
            targets,
            config.batch_size,
            seed,
            recipe.drop,
            fixed=fixed,
        )

    held = drawn(valid_rows, recipe.seed + 1, fixed=True).everything()
    identity = {key: value for key, value in plain(_named(recipe)).items() if key not in BESIDE_TRAINING}
    estimators: list[Estimator] = []
    history: list[list[Epoch]] = []
    architecture: dict[str, Any] = {}
    for number in range(recipe.labels.networks):
        estimator, architecture = build_estimator(recipe, len(preparation.input_names), config.seed + number)
        one = work if recipe.labels.networks == 1 else work / f"network-{number}"
        own, loop = drawn(train_rows, recipe.seed + 100 * number), replace(config, seed=config.seed + number)
        history.append(
            train(estimator, own, held, loop, one, identity=[identity, number], device=device, report=report)
        )
        estimators.append(estimator.cpu().eval())
    architecture |= {"networks": len(estimators)}
    return Learned(estimators, architecture, preparation, targets, history, len(train_rows), len(valid_rows))


def train_parameters(
    recipe: Recipe,
    *,
    work: Path,
    device: str = "cpu",
    report: Callable[[Epoch, int], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> bundle.Bundle:
    """Train a recipe of [labels]; `work` keeps checkpoints. The bundle is not written yet.

    say : called with a sentence on the catalogue, which rows of it are left out and why.
    """
    build_estimator(recipe, 1, 0)  # a wrong network is refused before the catalogue is read
    known = known_parameters(recipe)
    if say is not None:
        assert recipe.labels is not None
        say(f"{recipe.labels.catalogue}: {recipe.name} {known.said()}")
    return learned_bundle(recipe, learn_parameters(recipe, known, work, device=device, report=report), known)


def learned_bundle(recipe: Recipe, learned: Learned, known: Known) -> bundle.Bundle:
    """What inference needs of what was learned."""
    best = [min(history, key=lambda epoch: epoch.valid_loss) for history in learned.history]
    described = {"made_by": "galprism, from a catalogue", "recipe": recipe.name}
    return bundle.Bundle(
        **origin(_named(recipe), learned.preparation.bands, described),
        **answers(learned.together, learned.targets, len(learned.preparation.input_names)),
        preparation=learned.preparation,
        network=learned.architecture,
        metrics={
            "catalogue_rows": known.n_rows,
            "left_out": known.left_out,
            "training_sources": learned.n_train,
            "validation_sources": learned.n_valid,
            "validation_loss": [round(epoch.valid_loss, 6) for epoch in best],
            "epochs": [len(history) for history in learned.history],
        },
    )


def _named(recipe: Recipe) -> Recipe:
    """The recipe with the name of its catalogue, not where it was on somebody's disk."""
    assert recipe.labels is not None
    return replace(recipe, labels=replace(recipe.labels, catalogue=Path(recipe.labels.catalogue).name))
