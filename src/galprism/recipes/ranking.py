"""The network of a recipe that ranks redshifts where none is known. Needs PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from galprism.config import fill, plain
from galprism.errors import RequestError
from galprism.nets import NETWORKS, Scorer, scorer_to_onnx
from galprism.prep import Preparation
from galprism.recipes.recipe import Recipe
from galprism.train import Epoch, LoopConfig, train
from galprism.train.candidates import CandidateData
from galprism.train.data import Draw

BESIDE_RANKING = ("name", "title", "reference", "fit", "net", "train", "targets")
"""What may change in a recipe without these trained weights becoming others'."""


def build_scorer(recipe: Recipe, n_inputs: int) -> Scorer:
    """The recipe's network with first weights. Raises RequestError for one that is not there."""
    settings: dict[str, Any] = dict(recipe.redshift.net)
    kind = settings.pop("kind", None)
    if kind not in NETWORKS:
        raise RequestError(f"recipe {recipe.name}: redshift.net.kind = {kind!r}; accepted: {', '.join(NETWORKS)}")
    network: Any = fill(NETWORKS[kind][1], settings, "redshift.net")
    return Scorer(kind, network, n_inputs, seed=fill(LoopConfig, recipe.redshift.train, "redshift.train").seed)


def learn_to_rank(
    recipe: Recipe,
    preparation: Preparation,
    train_draw: tuple[Draw, int],
    valid_draw: tuple[Draw, int],
    folder: Path,
    *,
    device: str = "cpu",
    report: Callable[[Epoch, int], None] | None = None,
) -> tuple[bytes, list[Epoch]]:
    """The trained network as ONNX, and its epochs; `folder` keeps the checkpoint, by which a training is taken up.

    train_draw, valid_draw : how sources are measured, and how many there are.
    """
    config = fill(LoopConfig, recipe.redshift.train, "redshift.train")
    scorer = build_scorer(recipe, len(preparation.input_names))

    def data(draw: tuple[Draw, int], seed: int, fixed: bool) -> CandidateData:
        settings = recipe.redshift
        return CandidateData(*draw, preparation, settings.candidates, settings.spread, config.batch_size, seed, fixed)

    history = train(
        scorer,
        data(train_draw, recipe.seed + 2, False),
        data(valid_draw, recipe.seed + 3, True).everything(),
        config,
        folder,
        identity={key: value for key, value in plain(recipe).items() if key not in BESIDE_RANKING},
        device=device,
        report=report,
    )
    return scorer_to_onnx(scorer.cpu().eval(), len(preparation.input_names)), history
