"""A network that ranks candidates: which of several is the true one, from what each would mean."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from galprism.nets.estimator import NETWORKS
from galprism.nets.export import to_onnx

FARTHEST = 8.0
"""Standardised features are held within this: of a false candidate they can be anything."""


class Scorer(nn.Module):
    """Features of M candidates (N, M, F) to scores (N, M): ln of how much more probable each is than was thought.

    It learns from sets of candidates of which the first is true and which are otherwise alike, so that the softmax of
    scores is the probability of each (ranking noise-contrastive estimation; Ma & Collins 2018, EMNLP, 3698).
    """

    def __init__(self, network: str, config: Any, n_inputs: int, *, seed: int = 0):
        """network : a name in NETWORKS, and config an instance of its configuration; seed : of the first weights."""
        super().__init__()
        module, _ = NETWORKS[network]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.body = module(n_inputs, 1, config)
            nn.init.zeros_(self.body.last.weight)  # at first it thinks what was thought before

    def forward(self, features: Tensor) -> Tensor:
        n, m, f = features.shape
        return self.readout(features.reshape(n * m, f)).reshape(n, m)

    @property
    def readout(self) -> Readout:
        """The same of candidates one by one."""
        return Readout(self.body)


class Readout(nn.Module):
    """features (N, F) -> score (N, 1)."""

    def __init__(self, body: nn.Module):
        super().__init__()
        self.body = body

    def forward(self, features: Tensor) -> Tensor:
        return self.body(torch.clamp(features, -FARTHEST, FARTHEST))


def scorer_to_onnx(scorer: Scorer, n_inputs: int) -> bytes:
    """A trained scorer as an ONNX model from `features` (N, F) to `score` (N, 1)."""
    return to_onnx(scorer.readout, {"features": ("N", n_inputs)}, {"score": ("N", 1)})
