"""From a recipe to a bundle: simulate, prepare, train, export. Needs PyTorch."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from galprism import bundle, passbands, surveys
from galprism.config import fill, plain
from galprism.data import Photometry, Sources
from galprism.mocks import block_rng, observe, observe_at_random, unstated_error
from galprism.mocks.simulate import error_sample
from galprism.nets import Estimator
from galprism.prep import Preparation, Targets, drop
from galprism.prep.basis import Basis
from galprism.prep.frames import ranges_of
from galprism.recipes.certificate import certified
from galprism.recipes.classes import train_classes
from galprism.recipes.estimators import BESIDE_TRAINING, build_estimator
from galprism.recipes.learned import train_parameters
from galprism.recipes.parts import answers, origin
from galprism.recipes.populations import train_populations
from galprism.recipes.ranking import build_scorer, learn_to_rank
from galprism.recipes.recipe import ANY, Recipe
from galprism.recipes.sky import describe, make_basis, sky
from galprism.recipes.staged import train_staged
from galprism.recipes.stages import digest
from galprism.sps import load_library
from galprism.train import DrawnData, Epoch, LoopConfig, train
from galprism.train.data import Draw, take_rows
from galprism.train.device import check_device

PRIOR_BINS = 24
STATISTICS_ROWS = 200_000
"""Inputs and targets are standardised by at most this many training sources, as measured in one pass."""


@dataclass(frozen=True, eq=False)
class Truths:
    """Simulated galaxies before noise: what a training draws its passes from."""

    flux: np.ndarray
    """(N, B), float32, nJy."""
    redshift: np.ndarray
    """(N,)."""
    values: np.ndarray
    """(N, P), the recipe's targets."""

    def __len__(self) -> int:
        return len(self.flux)

    def take(self, rows: slice) -> Truths:
        return Truths(self.flux[rows], self.redshift[rows], self.values[rows])


def simulate_truths(recipe: Recipe, n: int, folder: Path, progress: Callable[[int], None] | None = None) -> Truths:
    """The galaxies with ids 0 … n - 1, kept in `folder` so that a resumed training need not make them again."""
    made_of: list[Any] = [recipe.surveys.pool] if recipe.survey == ANY else []
    made_of += [recipe.population, recipe.seed, recipe.survey, hashes_of(recipe), recipe.nebular]
    made_of += [recipe.targets.names, n]
    path = folder / f"galaxies-{digest([plain(item) for item in made_of])}.npz"
    if path.exists():
        with np.load(path, allow_pickle=False) as kept:
            return Truths(kept["flux"], kept["redshift"], kept["values"])
    parts = []
    for block in sky(recipe).blocks(n):
        assert block.sources.photometry is not None
        assert block.sources.redshift is not None
        values = np.stack([block.truth.column(name) for name in recipe.targets.names], axis=1)
        parts.append(Truths(block.sources.photometry.flux, block.sources.redshift, values))
        if progress is not None:
            progress(len(block))
    made = Truths(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("flux", "redshift", "values")))
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part.npz")
    np.savez(partial, **asdict(made))
    partial.replace(path)
    return made


def hashes_of(recipe: Recipe) -> list[str]:
    """Of the libraries that a recipe's stars are from."""
    return [load_library(name).hash for name in recipe.stars]


def measured(recipe: Recipe, truths: Truths) -> Draw:
    """Sources of some rows of `truths`, with fresh noise, and from fresh surveys, each time."""
    if recipe.survey == ANY:

        def draw_surveys(rows: np.ndarray, rng: np.random.Generator) -> list[tuple[np.ndarray, Sources]]:
            parts = observe_at_random(truths.flux[rows], recipe.surveys, rng)
            return [(rows[some], Sources(rows[some], None, None, truths.redshift[rows[some]], p)) for some, p in parts]

        return draw_surveys
    survey = surveys.get(recipe.survey)
    reference = error_sample(recipe.noise, survey)

    if recipe.sample.same_noise:
        rng = block_rng(recipe.seed, len(truths), "noise")
        kept = observe(truths.flux, survey, recipe.noise, rng, reference)
        return take_rows(Sources(id=np.arange(len(truths)), redshift=truths.redshift, photometry=kept))

    def draw(rows: np.ndarray, rng: np.random.Generator) -> list[tuple[np.ndarray, Sources]]:
        photometry: Photometry = observe(truths.flux[rows], survey, recipe.noise, rng, reference)
        return [(rows, Sources(id=rows, redshift=truths.redshift[rows], photometry=photometry))]

    return draw


def kept_basis(recipe: Recipe, folder: Path) -> Basis:
    """The recipe's basis of spectra, kept in `folder` so that a resumed training need not make it again."""
    made_of = [recipe.population, recipe.seed, recipe.surveys.pool, recipe.nebular, recipe.prep.basis_size]
    made_of += [] if recipe.survey == ANY else [recipe.survey]
    path = folder / f"basis-{digest([hashes_of(recipe), *(plain(item) for item in made_of)])}.npz"
    if path.exists():
        return Basis.from_bytes(path.read_bytes())
    basis = make_basis(recipe)
    partial = path.with_suffix(".part")
    partial.write_bytes(basis.to_bytes())
    partial.replace(path)
    return basis


def prepare(recipe: Recipe, sources: list[Sources], work: Path) -> Preparation:
    """The recipe's preparation, fitted to sources as one pass measures them."""
    if recipe.survey == ANY:
        basis = kept_basis(recipe, work)
        curves = [passbands.get(name) for name in recipe.surveys.pool]
        table = basis.table(recipe.surveys.pool, curves, recipe.population.redshift[1])
        return Preparation.fit(recipe.prep, sources, basis=basis, table=table)
    (all_sources,) = sources
    assert all_sources.photometry is not None
    dropped = drop(all_sources.photometry, recipe.drop, np.random.default_rng((recipe.seed, 1)))
    all_sources = replace(all_sources, photometry=dropped)
    if not recipe.prep.by_basis:
        return Preparation.fit(recipe.prep, all_sources)
    survey = surveys.get(recipe.survey)
    basis, curves = kept_basis(recipe, work), [passbands.get(band.passband) for band in survey.bands]
    table = basis.table(survey.band_names, curves, recipe.population.redshift[1])
    fitted = Preparation.fit(recipe.prep, all_sources, basis=basis, table=table)
    return fitted.bind(survey.band_names, curves, unstated_error(survey, recipe.noise).tolist())


@dataclass(frozen=True, eq=False)
class Trained:
    """A network at the end of its training, and what it needs to be asked."""

    estimator: Estimator
    architecture: dict[str, Any]
    preparation: Preparation
    targets: Targets
    history: list[Epoch]
    prior: dict[str, list[float]]
    """As in a bundle."""
    ranking: bytes = b""
    """The network that ranks redshifts, as ONNX; empty where the recipe has none."""
    ranking_history: tuple[Epoch, ...] = ()


def learn(
    recipe: Recipe,
    work: Path,
    *,
    device: str = "cpu",
    report: Callable[[Epoch, int], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Trained:
    """Simulate and train; `work` keeps the galaxies, the checkpoint and the log, and takes up a training that stopped.

    Raises RequestError for a recipe that asks for what is not there, GalprismError where the training fails.
    """
    config = fill(LoopConfig, recipe.train, "train")
    build_estimator(recipe, 1, config.seed)  # a wrong network is refused before a galaxy is made
    if recipe.redshift.candidates:
        build_scorer(recipe, 1)
    check_device(device)
    n_train, n_valid = recipe.sample.train, recipe.sample.validation
    everything = simulate_truths(recipe, n_train + n_valid, work, progress)
    train_set, valid_set = everything.take(slice(0, n_train)), everything.take(slice(n_train, n_train + n_valid))

    draw = measured(recipe, train_set)
    rows = np.arange(0, n_train, -(-n_train // STATISTICS_ROWS))
    first = draw(rows, np.random.default_rng((recipe.seed, 0)))
    preparation = prepare(recipe, [sources for _, sources in first], work)
    features = [preparation.features(sources, check=False) for _, sources in first]
    usable, anchor = (np.concatenate([getattr(part, name) for part in features]) for name in ("usable", "anchor"))
    seen = np.concatenate([some for some, _ in first])
    ranges = ranges_of(recipe.targets.names, recipe.targets.bounded, everything.values)
    of_seen = train_set.values[seen][usable], anchor[usable], train_set.redshift[seen][usable]
    targets = Targets.fit(recipe.targets, *of_seen, ranges)

    estimator, architecture = build_estimator(recipe, len(preparation.input_names), config.seed)
    common: dict[str, Any] = {
        "preparation": preparation,
        "targets": targets,
        "batch_size": config.batch_size,
        "drop": recipe.drop,
    }
    data = DrawnData(draw, train_set.values, seed=recipe.seed, **common)
    validation = DrawnData(measured(recipe, valid_set), valid_set.values, seed=recipe.seed + 1, fixed=True, **common)
    history = train(
        estimator,
        data,
        validation.everything(),
        config,
        work,
        identity={key: value for key, value in plain(recipe).items() if key not in BESIDE_TRAINING},
        device=device,
        report=report,
    )
    prior = prior_of(targets, train_set)
    trained = Trained(estimator.cpu().eval(), architecture, preparation, targets, history, prior)
    if not recipe.redshift.candidates:
        return trained
    draws = (draw, n_train), (measured(recipe, valid_set), n_valid)
    ranking, epochs = learn_to_rank(recipe, preparation, *draws, work / "redshift", device=device, report=report)
    return replace(trained, ranking=ranking, ranking_history=tuple(epochs))


def prior_of(targets: Targets, truths: Truths) -> dict[str, list[float]]:
    """The standard deviation of each target by redshift, at the medians of bins of equal numbers of galaxies, and
    of all galaxies together; of where in its range it lies for one that is bounded."""
    values = targets.frame(np.zeros(len(truths)), truths.redshift).coordinates(truths.values.T).T
    bins = np.array_split(np.argsort(truths.redshift), PRIOR_BINS)
    prior = {"redshift": [float(np.median(truths.redshift[rows])) for rows in bins]}
    for j, name in enumerate(targets.names):
        prior[name] = [round(float(values[rows, j].std()), 5) for rows in bins]
    prior[bundle.ANY_REDSHIFT] = [round(float(sd), 5) for sd in values.std(axis=0)]
    return prior


def train_bundle(
    recipe: Recipe,
    out: Path,
    *,
    work: Path | None = None,
    device: str = "cpu",
    report: Callable[[Epoch, int], None] | None = None,
    progress: Callable[[int], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> Path:
    """Train a recipe and write its bundle to the folder `out`.

    work : keeps checkpoints, so that the same call takes up a training that stopped; `out` with `.work` behind it
    when not given, and then it is removed at the end.
    say : called with what there is to say of a catalogue that parameters are learned from.
    """
    bundle.check_folder(out)
    folder = out.with_name(out.name + ".work") if work is None else work
    options: dict[str, Any] = {"work": folder, "device": device, "report": report, "progress": progress}
    if recipe.classes is not None:
        made = train_classes(recipe, **options)
    elif recipe.labels is not None:
        made = train_parameters(recipe, work=folder, device=device, report=report, say=say)
    elif recipe.modalities is not None:
        made = train_populations(recipe, **options)
    elif recipe.staged is not None:
        made = train_staged(recipe, **options)
    else:
        made = to_bundle(recipe, learn(recipe, folder, device=device, report=report, progress=progress))
    written = bundle.save(certified(recipe, made) if made.needs_redshift and made.kind == "mixture" else made, out)
    if work is None:
        for curves in sorted(folder.glob("curves.png")) or sorted(folder.glob("network-*/curves.png")):
            own = "" if curves.parent == folder else f"-{curves.parent.name}"
            shutil.copy(curves, out / f"curves{own}.png")
        shutil.rmtree(folder)
    return written


def ranked(history: tuple[Epoch, ...]) -> dict[str, float]:
    """How the training of a network that ranks redshifts ended."""
    return {"redshift_validation_loss": round(min(e.valid_loss for e in history), 6)} if history else {}


def to_bundle(recipe: Recipe, trained: Trained) -> bundle.Bundle:
    """What inference needs of a trained network."""
    best = min(trained.history, key=lambda epoch: epoch.valid_loss)
    spread = np.abs(trained.targets.linear).max(axis=1)
    return bundle.Bundle(
        **origin(recipe, trained.preparation.bands, describe(recipe)),
        **answers(trained.estimator, trained.targets, len(trained.preparation.input_names)),
        preparation=trained.preparation,
        prior=trained.prior if recipe.survey == ANY else {},
        network=trained.architecture,
        metrics={
            "validation_sources": recipe.sample.validation,
            "validation_loss": round(best.valid_loss, 6),
            "validation_rms_of_coordinates": [round(value, 5) for value in best.valid_rms],
            "coordinate_scale": [round(float(value), 5) for value in spread],
            "epochs": len(trained.history),
            "training_sources": recipe.sample.train,
            **ranked(trained.ranking_history),
        },
        ranking=trained.ranking,
    )
