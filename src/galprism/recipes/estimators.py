"""A recipe's network of parameters, made and exported. Needs PyTorch."""

from __future__ import annotations

from typing import Any

from galprism.config import fill, plain
from galprism.errors import RequestError
from galprism.nets import NETWORKS, Estimator, MixtureConfig, Regressor, readout_to_onnx
from galprism.prep import Targets
from galprism.recipes.recipe import Recipe

BESIDE_TRAINING = ("name", "title", "reference", "fit", "redshift", "spectroscopic")
"""What may change in a recipe without its trained weights becoming others'."""


def build_estimator(recipe: Recipe, n_inputs: int, seed: int) -> tuple[Estimator, dict[str, Any]]:
    """The recipe's network with first weights from a seed, and its architecture as a bundle describes it."""
    settings = dict(recipe.net)
    kind = settings.pop("kind", None)
    if kind not in NETWORKS:
        raise RequestError(f"recipe {recipe.name}: net.kind = {kind!r}; accepted: {', '.join(NETWORKS)}")
    components = settings.pop("components", 0)
    if not isinstance(components, int) or components < 0:
        raise RequestError(f"recipe {recipe.name}: net.components = {components!r}; accepted: 0 for a point, or more")
    if recipe.targets.bounded and not components:
        raise RequestError(f"recipe {recipe.name}: targets.bounded needs a mixture; accepted: net.components > 0")
    if kind == "separate" and components:
        raise RequestError(f"recipe {recipe.name}: net.kind = 'separate' gives points; accepted: net.components = 0")
    network: Any = fill(NETWORKS[kind][1], settings, "net")
    check_network(recipe, network)
    mixture = MixtureConfig(components) if components else None
    estimator = Estimator(kind, network, n_inputs, len(recipe.targets.names), mixture, seed=seed)
    return estimator, {"kind": kind, "components": components, **plain(network), "weights": estimator.n_weights}


def check_network(recipe: Recipe, network: Any) -> None:
    """Raises RequestError for a layer without neurons, and a share of them to leave out that is none."""
    layers, dropout = getattr(network, "layers", (1,)), getattr(network, "dropout", 0.0)
    if not layers or min(layers) < 1:
        raise RequestError(f"recipe {recipe.name}: net.layers = {list(layers)}; accepted: whole numbers from 1 on")
    if not 0.0 <= dropout < 1.0:
        raise RequestError(f"recipe {recipe.name}: net.dropout = {dropout}; accepted: 0 up to, not including, 1")


def coordinates_of(estimator: Regressor, targets: Targets) -> dict[str, Any]:
    """As in a bundle; empty for a network that gives a point."""
    if estimator.head is None:
        return {}
    linear, offset = targets.linear.tolist(), targets.offset.tolist()
    return {"components": estimator.head.n_components, "linear": linear, "offset": offset}


def readout_of(estimator: Regressor, targets: Targets, n_inputs: int) -> bytes:
    """The network as ONNX, asked for parameters."""
    bounded = [limits is not None for limits in targets.ranges]
    return readout_to_onnx(estimator, n_inputs, targets.linear, targets.offset, bounded)
