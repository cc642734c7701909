"""A plain multi-layer perceptron, and the one of the MLP-GaP paper."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from galprism.errors import RequestError

ACTIVATIONS = {"relu": nn.ReLU, "silu": nn.SiLU, "gelu": nn.GELU}

MLP_GAP_LAYERS = (512, 512, 512, 512, 256, 256, 128, 64, 32)
"""Hidden layers of MLP-GaP (Guo et al. 2024, Sect. 3.1), with 19 inputs, 2 outputs and ReLU."""


@dataclass(frozen=True)
class MLPConfig:
    """Hidden layers, input side first."""

    layers: tuple[int, ...] = MLP_GAP_LAYERS
    activation: str = "relu"

    def __post_init__(self) -> None:
        check_layers(self.layers, self.activation)


def check_layers(layers: tuple[int, ...], activation: str) -> None:
    """Raises RequestError for a layer without neurons and an unknown activation."""
    if not layers or min(layers) < 1:
        raise RequestError(f"net.layers = {list(layers)}; accepted: one or more whole numbers from 1 on")
    if activation not in ACTIVATIONS:
        raise RequestError(f"net.activation = {activation!r}; accepted: {', '.join(ACTIVATIONS)}")


class MLP(nn.Module):
    """Linear layers with an activation between them."""

    def __init__(self, n_inputs: int, n_outputs: int, config: MLPConfig):
        super().__init__()
        widths = (n_inputs, *config.layers)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), ACTIVATIONS[config.activation]()]
        self.layers = nn.Sequential(*layers)
        self.last = nn.Linear(widths[-1], n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.layers(x))  # (N, n_outputs)
