"""Several trained networks with mixtures as one: the mean of their posteriors, which is a mixture again.

Networks that learned from the same sources from other first weights are wrong in other places (Lakshminarayanan,
Pritzel & Blundell 2017, NeurIPS 30, 6402).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from galprism.nets.estimator import Regressor
from galprism.nets.mixture import Mixture, MixtureConfig


class SideBySide(nn.Module):
    """Features (N, F) to what a mixture of all components of M members reads, (N, rows x M K)."""

    def __init__(self, bodies: Sequence[nn.Module], n_rows: int, n_components: int):
        super().__init__()
        self.bodies = nn.ModuleList(bodies)
        self.n_rows, self.n_components = n_rows, n_components

    def forward(self, x: Tensor) -> Tensor:
        raws = [body(x) for body in self.bodies]  # (N, rows x K) each
        k = self.n_components
        parts: list[Tensor] = []
        for row in range(self.n_rows):
            own = [raw[:, row * k : (row + 1) * k] for raw in raws]
            parts += own if row else [torch.log_softmax(logits, 1) for logits in own]  # each member weighs as much
        return torch.cat(parts, 1)


class Ensemble(Regressor):
    """M estimators of the same coordinates, each with a mixture of K components, as one with M K of them."""

    def __init__(self, members: Sequence[Regressor]):
        nn.Module.__init__(self)
        heads = [member.head for member in members if member.head is not None]
        first = heads[0]
        assert [head.n_raw for head in heads] == [first.n_raw] * len(members)
        self.head = Mixture(first.n_coordinates, MixtureConfig(len(heads) * first.n_components))
        self.body = SideBySide([member.body for member in members], first.n_rows, first.n_components)
