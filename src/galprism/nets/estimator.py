"""A network with what it is asked for: a point, or a mixture of Gaussians."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from galprism.nets.mixture import Mixture, MixtureConfig
from galprism.nets.mlp import MLP, MLPConfig
from galprism.nets.multimodal import MultimodalConfig, MultimodalNetwork
from galprism.nets.residual import ResidualConfig, ResidualMLP
from galprism.nets.separate import SeparateConfig, SeparateMLPs

NETWORKS: dict[str, tuple[Any, type]] = {
    "mlp": (MLP, MLPConfig),
    "residual": (ResidualMLP, ResidualConfig),
    "separate": (SeparateMLPs, SeparateConfig),
    "multimodal": (MultimodalNetwork, MultimodalConfig),
}
"""Every network by name, with its configuration: a module of (n_inputs, n_outputs, config) that maps (N, n_inputs) to
(N, n_outputs), through a last linear layer called `last` where it is to have a mixture. A new one is a file in this
folder and a line here."""


class Regressor(nn.Module):
    """Whatever it sees to D coordinates (N, D), or to what a Mixture reads as a distribution of them."""

    def __init__(
        self,
        make: Callable[[int], Any],
        n_coordinates: int,
        mixture: MixtureConfig | None = None,
        *,
        seed: int = 0,
    ):
        """make : the module with so many outputs, of a last linear layer called `last`; no mixture for a point.

        seed : of the first weights; torch's own random numbers are left where they were.
        """
        super().__init__()
        self.head = None if mixture is None else Mixture(n_coordinates, mixture)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.body = make(n_coordinates if self.head is None else self.head.n_raw)
            if self.head is not None:
                self.head.prepare(self.body.last)

    def forward(self, *seen: Tensor) -> Tensor:
        return self.body(*seen)

    def mean(self, raw: Tensor) -> Tensor:
        """(N, D), the coordinates' mean, of what `forward` gives."""
        if self.head is None:
            return raw
        log_weight, mu, _, _ = self.head.components(raw)
        weight = log_weight.exp()
        return torch.stack([(weight * m).sum(0) for m in mu], 1)

    @property
    def n_weights(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())


class Estimator(Regressor):
    """Features (N, F) to coordinates, by a network of the table."""

    def __init__(
        self,
        network: str,
        config: Any,
        n_inputs: int,
        n_coordinates: int,
        mixture: MixtureConfig | None = None,
        *,
        seed: int = 0,
    ):
        """network : a name in NETWORKS, and config an instance of its configuration; the rest as of Regressor."""
        module, _ = NETWORKS[network]
        super().__init__(lambda n_outputs: module(n_inputs, n_outputs, config), n_coordinates, mixture, seed=seed)
