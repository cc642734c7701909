"""A plain multi-layer perceptron, and the one of the MLP-GaP paper."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

ACTIVATIONS = {"relu": nn.ReLU, "silu": nn.SiLU, "gelu": nn.GELU}

MLP_GAP_LAYERS = (512, 512, 512, 512, 256, 256, 128, 64, 32)
"""Hidden layers of MLP-GaP (Guo et al. 2024, Sect. 3.1), with 19 inputs, 2 outputs and ReLU."""


@dataclass(frozen=True)
class MLPConfig:
    """Hidden layers, input side first."""

    layers: tuple[int, ...] = MLP_GAP_LAYERS
    activation: str = "relu"


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
