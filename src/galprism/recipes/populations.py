"""From a recipe of several modalities to a bundle: simulate pairs, prepare, train, export. Needs PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from galprism import bundle
from galprism.config import fill, plain
from galprism.errors import RequestError
from galprism.nets import Estimator
from galprism.prep import Targets
from galprism.prep.frames import ranges_of
from galprism.prep.modalities import Modalities
from galprism.prep.spectrum_basis import SpectrumBasis
from galprism.recipes.estimators import BESIDE_TRAINING, build_estimator
from galprism.recipes.pairs import NAMES, OF_FIBRE, Pairs, measure_of, pairs, spectrum_basis
from galprism.recipes.parts import answers, origin
from galprism.recipes.recipe import Recipe
from galprism.recipes.sky import describe
from galprism.recipes.spectroscopic import make_spectroscopic
from galprism.recipes.stages import digest
from galprism.sps import load_library
from galprism.train import Epoch, LoopConfig, train
from galprism.train.device import check_device
from galprism.train.modalities import DrawnModalities, without_pixels

STATISTICS_ROWS = 4000
"""Inputs are standardised by at most this many sources of the training set."""


@dataclass(frozen=True, eq=False)
class TrainedPopulations:
    """A network at the end of its training, and what it needs to be asked."""

    estimator: Estimator
    architecture: dict[str, Any]
    preparation: Modalities
    targets: Targets
    history: list[Epoch]
    n_train: int
    n_valid: int


def rows_of(recipe: Recipe, what: str) -> np.ndarray:
    """The rows of a recipe's pairs for "train", "validation" or "test"."""
    sizes = [getattr(recipe.sample, name) for name in ("train", "validation", "test")]
    first = np.cumsum([0, *sizes])
    place = ("train", "validation", "test").index(what)
    return np.arange(first[place], first[place + 1])


def pairs_of(recipe: Recipe, folder: Path, progress: Callable[[int], None] | None = None) -> Pairs:
    """All pairs of a recipe, kept in `folder`. Raises RequestError for a recipe without spectra whose network is to
    see some, and as `pairs` does."""
    if recipe.spectra is None and (recipe.modalities is None or recipe.modalities.basis_size):
        raise RequestError(
            f"recipe {recipe.name} has no [spectra]; accepted: of networks that see none, modalities.basis_size = 0"
        )
    return pairs(recipe, folder, sum(len(rows_of(recipe, what)) for what in ("train", "validation", "test")), progress)


def kept_basis(recipe: Recipe, folder: Path) -> SpectrumBasis | None:
    """The recipe's basis of spectra, kept in `folder`; None where its network sees none."""
    assert recipe.modalities is not None
    if not recipe.modalities.basis_size:
        return None
    made_of = [recipe.field, recipe.chosen, recipe.spectra, recipe.survey, recipe.seed, recipe.modalities.basis_size]
    hashes = [load_library(name).hash for name in recipe.stars]
    path = folder / f"spectra-{digest([*(plain(one) for one in made_of), hashes])}.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        partial.write_bytes(spectrum_basis(recipe, recipe.modalities.basis_size).to_bytes())
        partial.replace(path)
    return SpectrumBasis.from_bytes(path.read_bytes())


def learn_populations(
    recipe: Recipe,
    known: Pairs,
    basis: SpectrumBasis | None,
    work: Path,
    *,
    device: str = "cpu",
    report: Callable[[Epoch, int], None] | None = None,
) -> TrainedPopulations:
    """Train on pairs; `work` keeps the checkpoint and the log, and takes up a training that stopped.

    Raises RequestError for a recipe that asks for what is not there, GalprismError where the training fails.
    """
    assert recipe.modalities is not None
    there = NAMES[OF_FIBRE if known.spectra is None else 0 :]
    missing = [name for name in recipe.targets.names if name not in there]
    if missing:
        raise RequestError(
            f"recipe {recipe.name}: targets.names has {', '.join(missing)}; accepted of pairs: {', '.join(there)}"
        )
    if "redshift" in recipe.targets.names and recipe.modalities.redshift:
        raise RequestError(
            f"recipe {recipe.name}: targets.names has redshift, which modalities.redshift = true tells the network; "
            "accepted: false"
        )
    config = fill(LoopConfig, recipe.train, "train")
    check_device(device)
    measure = measure_of(recipe, known)
    rows, held = rows_of(recipe, "train"), rows_of(recipe, "validation")
    few = rows[:: -(-len(rows) // STATISTICS_ROWS)]
    rng = np.random.default_rng((recipe.seed, 0))
    some = measure(few, rng)
    if basis is not None:
        assert some.spectra is not None
        some = replace(some, spectra=without_pixels(some.spectra, recipe.modalities.lose.pixels, rng))
    preparation = Modalities.fit(recipe.modalities, some, basis)
    values = np.stack([known.column(name) for name in recipe.targets.names], axis=1)
    ranges = ranges_of(recipe.targets.names, recipe.targets.bounded, values[: held[-1] + 1])
    nothing = np.zeros(len(rows))
    targets = Targets.fit(recipe.targets, values[rows], nothing, nothing, ranges)
    shape = preparation.shape
    laid = {"shape": [shape.context, shape.photometry, shape.spectrum, shape.rings, *shape.image[:2]]}
    estimator, architecture = build_estimator(replace(recipe, net=recipe.net | laid), shape.total, config.seed)

    def drawn(rows: np.ndarray, seed: int, *, fixed: bool) -> DrawnModalities:
        assert recipe.modalities is not None
        return DrawnModalities(
            lambda some, rng: measure(rows[some], rng),
            values[rows],
            preparation,
            targets,
            config.batch_size,
            seed,
            recipe.drop,
            recipe.modalities.lose,
            fixed,
        )

    history = train(
        estimator,
        drawn(rows, recipe.seed, fixed=False),
        drawn(held, recipe.seed + 1, fixed=True).everything(),
        config,
        work,
        identity={key: value for key, value in plain(recipe).items() if key not in BESIDE_TRAINING},
        device=device,
        report=report,
    )
    trained = estimator.cpu().eval()
    return TrainedPopulations(trained, architecture, preparation, targets, history, len(rows), len(held))


def train_populations(
    recipe: Recipe,
    *,
    work: Path,
    device: str = "cpu",
    report: Callable[[Epoch, int], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> bundle.Bundle:
    """Train a recipe of several modalities; `work` keeps pairs and checkpoints. The bundle is not written yet."""
    of_spectra = None if recipe.spectroscopic is None else make_spectroscopic(recipe)
    known, basis = pairs_of(recipe, work, progress), kept_basis(recipe, work)
    trained = learn_populations(recipe, known, basis, work, device=device, report=report)
    return replace(populations_bundle(recipe, trained), spectroscopic=of_spectra)


def populations_bundle(recipe: Recipe, trained: TrainedPopulations) -> bundle.Bundle:
    """What inference needs of a trained network."""
    best = min(trained.history, key=lambda epoch: epoch.valid_loss)
    return bundle.Bundle(
        **origin(recipe, trained.preparation.bands, describe(recipe)),
        **answers(trained.estimator, trained.targets, trained.preparation.shape.total),
        preparation=trained.preparation,
        network=trained.architecture,
        metrics={
            "training_sources": trained.n_train,
            "validation_sources": trained.n_valid,
            "validation_loss": round(best.valid_loss, 6),
            "validation_rms_of_coordinates": [round(value, 5) for value in best.valid_rms],
            "epochs": len(trained.history),
        },
    )
