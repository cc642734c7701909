"""What is asked of a trained network, as one module that goes to ONNX: features in, parameters out.

Parameter p of a source in its own frame (galprism.prep.frames) is a linear functional of the network's coordinates plus
a constant: x = offset[p] + sum_d linear[p, d] y_d, and the caller does what depends on the source alone.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from galprism.nets.estimator import Regressor
from galprism.nets.export import to_onnx
from galprism.nets.mixture import Mixture
from galprism.nets.quantiles import quantiles

POINT_OUTPUTS = {"point": ("P", "N")}
MIXTURE_OUTPUTS = {
    "point": ("P", "N"),
    "quantiles": ("P", "Q", "N"),
    "doubt": ("P", "Q", "N"),
    "weight": ("K", "N"),
    "mean": ("P", "K", "N"),
    "sigma": ("P", "K", "N"),
    "raw": ("N", "R"),
}


def fold(last: nn.Linear, linear: Tensor, offset: Tensor) -> nn.Linear:
    """A linear layer and what is made linearly of its outputs, as one; linear (P, D) and offset (P,), float64."""
    layer = nn.Linear(last.in_features, len(offset))
    with torch.no_grad():
        layer.weight.copy_(linear @ last.weight.double())
        layer.bias.copy_(linear @ last.bias.double() + offset)
    return layer


class PointReadout(nn.Module):
    """features (N, F) -> point (P, N); the linear map is folded into the network's last layer where that is one."""

    weight: Tensor
    bias: Tensor

    def __init__(self, body: nn.Module, linear: Tensor, offset: Tensor):
        super().__init__()
        self.body: Any = copy.deepcopy(body)
        last: Any = self.body.last
        self.folded = isinstance(last, nn.Linear)
        if self.folded:
            self.body.last = fold(last, linear, offset)
        else:
            self.register_buffer("weight", linear.float().t().contiguous())
            self.register_buffer("bias", offset.float())

    def forward(self, features: Tensor) -> Tensor:
        found = self.body(features)
        return (found if self.folded else torch.addmm(self.bias, found, self.weight)).t()  # (P, N)


class MixtureReadout(nn.Module):
    """features (N, F), level (Q,), probit (Q,) -> the mixture's mean, quantiles and marginals.

    point (P, N), the means of x, and of Phi(x) of parameters that are bounded; quantiles and doubt (P, Q, N), see
    galprism.nets.quantiles; weight (K, N), mean and sigma (P, K, N), the marginal mixtures of x themselves;
    raw (N, R), the joint one as the head has it.
    """

    linear: Tensor
    offset: Tensor
    bounded: Tensor

    def __init__(
        self, body: nn.Module, head: Mixture, linear: Tensor, offset: Tensor, bounded: Sequence[bool], steps: int = 3
    ):
        super().__init__()
        self.body, self.head, self.steps = body, head, steps
        self.any_bounded = any(bounded)
        self.register_buffer("linear", linear.float())
        self.register_buffer("offset", offset.float())
        self.register_buffer("bounded", torch.tensor(bounded).float().reshape(-1, 1))

    def forward(self, features: Tensor, level: Tensor, probit: Tensor) -> tuple[Tensor, ...]:
        raw = self.body(features)
        weight, mean, sigma = self.head.marginals(raw, self.linear)
        mean = mean + self.offset.reshape(-1, 1, 1)
        point, x, doubt = quantiles(weight, mean, sigma, level, probit, self.steps)
        if self.any_bounded:
            reduced = mean / torch.sqrt(sigma * sigma + 1.0) * math.sqrt(0.5)
            fraction = (weight * torch.erf(reduced)).sum(1) * 0.5 + 0.5
            point = point * (1.0 - self.bounded) + fraction * self.bounded
        return point, x, doubt, weight, mean, sigma, raw


def readout_to_onnx(
    estimator: Regressor,
    n_inputs: int,
    linear: Any,
    offset: Any,
    bounded: Sequence[bool] = (False,),
    *,
    steps: int = 3,
) -> bytes:
    """A trained estimator as an ONNX model of POINT_OUTPUTS or MIXTURE_OUTPUTS.

    linear (P, D) and offset (P,), float64, tensors or arrays, turn coordinates into parameters; bounded (P,), or one
    for all, says which of these are within a range; and the quantiles are improved `steps` times.
    """
    linear, offset = torch.as_tensor(linear), torch.as_tensor(offset)
    if estimator.head is None:
        readout: nn.Module = PointReadout(estimator.body, linear, offset)
        return to_onnx(readout, {"features": ("N", n_inputs)}, POINT_OUTPUTS)
    readout = MixtureReadout(estimator.body, estimator.head, linear, offset, bounded, steps)
    inputs = {"features": ("N", n_inputs), "level": ("Q",), "probit": ("Q",)}
    return to_onnx(readout, inputs, MIXTURE_OUTPUTS)
