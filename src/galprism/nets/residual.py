"""A residual multi-layer perceptron: h + W2 act(W1 h + b), a few times."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from galprism.nets.mlp import ACTIVATIONS


@dataclass(frozen=True)
class ResidualConfig:
    """Width of the stream, and how many blocks of two linear layers act on it."""

    width: int = 128
    blocks: int = 3
    activation: str = "relu"
    gated: bool = False
    """The stream begins with a gated linear unit (Dauphin et al. 2017, ICML, 933) in place of a linear layer and an
    activation: for inputs that matter as much as others, errors say, let them."""
    dropout: float = 0.0
    """The share of each block's inner layer that training leaves out at random."""


class ResidualBlock(nn.Module):
    """h + W2 act(W1 h + b); W2 starts at zero, so that a fresh block passes its input on."""

    def __init__(self, width: int, activation: str, dropout: float = 0.0):
        super().__init__()
        self.first = nn.Linear(width, width)
        act = ACTIVATIONS[activation]()
        self.act = nn.Sequential(act, nn.Dropout(dropout)) if dropout else act
        self.second = nn.Parameter(torch.zeros(width, width))

    def forward(self, h: Tensor) -> Tensor:
        return torch.addmm(h, self.act(self.first(h)), self.second)  # (N, width), one matrix product with its sum


class GatedLinear(nn.Module):
    """(W x + b) sigmoid(V x + c)."""

    def __init__(self, n_inputs: int, width: int):
        super().__init__()
        self.value = nn.Linear(n_inputs, width)
        self.gate = nn.Linear(n_inputs, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.value(x) * torch.sigmoid(self.gate(x))  # (N, width)


class ResidualMLP(nn.Module):
    """A linear layer and an activation in, or a gated one, residual blocks, a linear layer out."""

    def __init__(self, n_inputs: int, n_outputs: int, config: ResidualConfig):
        super().__init__()
        self.first = (GatedLinear if config.gated else nn.Linear)(n_inputs, config.width)
        self.act = nn.Identity() if config.gated else ACTIVATIONS[config.activation]()
        blocks = [ResidualBlock(config.width, config.activation, config.dropout) for _ in range(config.blocks)]
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Linear(config.width, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.blocks(self.act(self.first(x))))  # (N, n_outputs)
