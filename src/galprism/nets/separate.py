"""A network for each output, side by side: nothing is shared between what they learn.

They are trained in one pass: the loss is a sum over outputs, and Adam looks at each weight alone, so that each network
takes the steps that it would take by itself with the same batches.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from galprism.nets.mlp import ACTIVATIONS

JPAS_BASE = (128, 256, 256, 256)
"""Hidden layers of the base network of the J-PAS paper (A&A 705, A219, 2026, Sect. 3): 172,289 weights for 57 bands."""
JPAS_SED = (128, 300, 300, 300, 300, 300, 300)
"""Hidden layers of its SED network: 497,925 weights."""


@dataclass(frozen=True)
class SeparateConfig:
    """Of each network alike."""

    layers: tuple[int, ...] = JPAS_BASE
    """Hidden layers, input side first."""
    activation: str = "relu"
    dropout: float = 0.0
    """The share of each hidden layer that is left out at random in training."""


class SideBySide(nn.Module):
    """P linear layers at once: (P, N, inputs) to (P, N, outputs). First weights as torch.nn.Linear has them."""

    def __init__(self, n_networks: int, n_inputs: int, n_outputs: int):
        super().__init__()
        bound = 1.0 / math.sqrt(n_inputs)
        self.weight = nn.Parameter(torch.empty(n_networks, n_inputs, n_outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(n_networks, 1, n_outputs).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        return torch.matmul(x, self.weight) + self.bias


class SeparateMLPs(nn.Module):
    """A multi-layer perceptron with one output for each of P outputs."""

    def __init__(self, n_inputs: int, n_outputs: int, config: SeparateConfig):
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise((n_inputs, *config.layers)):
            layers += [SideBySide(n_outputs, before, after), ACTIVATIONS[config.activation]()]
            layers += [nn.Dropout(config.dropout)] if config.dropout else []
        self.layers = nn.Sequential(*layers)
        self.last = SideBySide(n_outputs, config.layers[-1], 1)
        self.n_networks = n_outputs

    def forward(self, x: Tensor) -> Tensor:
        found = self.last(self.layers(x.unsqueeze(0)))  # (P, N, 1)
        return found.reshape(self.n_networks, -1).t()  # (N, P)
