"""Networks whose weights are distributions: images and columns of numbers to a Gaussian of each target.

Any network of linear layers and convolutions becomes one of them (`bayesian`), in one of two forms:

- dropout : what its activations give is left out at random, whole channels of a convolution's, when it is asked as
  well as when it learns; every choice is a draw from an approximate posterior of the weights (Gal & Ghahramani 2016,
  ICML, 1050; of convolutions: arXiv:1506.02158).
- variational : every weight has a Gaussian of its own, whose mean and width are learned by the evidence lower bound
  (Blundell et al. 2015, ICML, 1613). Each source of a batch has weights of its own draw by Flipout (Wen et al. 2018,
  ICLR, eq. 4), which keeps a convolution's weights the same all over an image, as noise of its outputs (Kingma et al.
  2015, NeurIPS, 2575) would not.

Drawn in training mode; in eval mode nothing is left out and weights are at their means.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from galprism.nets.convolution import SmallImageBranch
from galprism.nets.mixture import LN_SIGMA_HALF, LN_SIGMA_MIDDLE

Form = Literal["dropout", "variational"]


@dataclass(frozen=True)
class BayesianConfig:
    """Sizes of the network, and what its weights may be."""

    form: Form = "dropout"
    channels: tuple[int, ...] = (16, 32, 48)
    """Of the convolutions, each with stride 2."""
    width: int = 96
    """Of what images and columns become, and of the layer that joins them: the embedding."""
    dropout: float = 0.2
    """The share that is left out."""
    prior: float = 1.0
    """Standard deviation of the prior of weights, in units of sqrt(2 / inputs), with which a layer passes on as much
    as it is given (He et al. 2015, ICCV, 1026, eq. 10)."""
    first: float = 0.3
    """Standard deviation that weights begin with, in units of the prior's."""
    tempering: float = 1.0
    """What the divergence of the weights from their prior counts: less than 1 for a colder posterior (Wenzel et al.
    2020, ICML, 10248)."""


class Dropped(nn.Module):
    """An activation, of which whole channels (N, C, H, W) or numbers (N, F) are left out in training mode."""

    def __init__(self, act: nn.Module, share: float):
        super().__init__()
        self.act, self.share = act, share

    def forward(self, x: Tensor) -> Tensor:
        drop = functional.dropout2d if x.ndim == 4 else functional.dropout
        return drop(self.act(x), self.share, self.training)


class Flipout(nn.Module):
    """A linear layer or convolution whose weights are Gaussian; biases are numbers."""

    def __init__(self, layer: nn.Linear | nn.Conv2d, config: BayesianConfig):
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias
        self.options: dict[str, Any] | None = None
        """Of a convolution."""
        if isinstance(layer, nn.Conv2d):
            self.options = {"stride": layer.stride, "padding": layer.padding}
        self.prior = config.prior * math.sqrt(2.0 / layer.weight[0].numel())
        self.ln_sigma = nn.Parameter(torch.full_like(layer.weight, math.log(config.first * self.prior)))

    def _apply_weights(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if self.options is None:
            return functional.linear(x, weight, bias)
        return functional.conv2d(x, weight, bias, **self.options)

    def forward(self, x: Tensor) -> Tensor:
        mean = self._apply_weights(x, self.weight, self.bias)
        if not self.training:
            return mean
        off = torch.exp(self.ln_sigma) * torch.randn_like(self.weight)
        apart = self._apply_weights(x * signs(x), off, None)
        return mean + apart * signs(apart)

    def kl(self) -> Tensor:
        return kl_gaussian(self.weight, self.ln_sigma, self.prior)


def signs(x: Tensor) -> Tensor:
    """-1 or 1 at random, one for each source and channel of x, (N, C) or (N, C, 1, 1)."""
    one = x[(slice(None), slice(None), *[slice(1)] * (x.ndim - 2))]
    return torch.empty_like(one).bernoulli_().mul_(2).sub_(1)


def kl_gaussian(mean: Tensor, ln_sigma: Tensor, prior: float) -> Tensor:
    """nat: how far independent Gaussians are from others of mean 0 and standard deviation `prior`, the sum of all:
    ln(prior / sigma) + (sigma^2 + mean^2) / (2 prior^2) - 1/2 (Kullback & Leibler 1951)."""
    squares = (torch.exp(2.0 * ln_sigma) + mean * mean) / (2.0 * prior * prior)
    return (math.log(prior) - ln_sigma + squares - 0.5).sum()


def bayesian(network: nn.Module, config: BayesianConfig) -> nn.Module:
    """The network with every activation (dropout) or every layer of weights (variational) replaced; in place."""
    for name, child in network.named_children():
        if config.form == "dropout" and isinstance(child, nn.ReLU | nn.SiLU | nn.GELU):
            setattr(network, name, Dropped(child, config.dropout))
        elif config.form == "variational" and isinstance(child, nn.Linear | nn.Conv2d):
            setattr(network, name, Flipout(child, config))
        else:
            bayesian(child, config)
    return network


class BayesianNetwork(nn.Module):
    """Images (N, B, H, W), columns (N, F), or both, in this order, to the mean and ln sigma of D targets, (N, 2 D).

    Aleatoric uncertainty is what it says of a target with its weights known; epistemic what its weights disagree about
    (Kendall & Gal 2017, NeurIPS, 5580).
    """

    def __init__(
        self, n_bands: int, size: int, n_columns: int, n_targets: int, config: BayesianConfig, *, seed: int = 0
    ):
        """n_bands, size : of images, or 0; n_columns : or 0. seed : of the first weights."""
        super().__init__()
        if not (n_bands or n_columns):
            raise ValueError("a network of neither images nor columns; accepted: bands or columns, or both")
        self.n_targets, self.config, self.has_image = n_targets, config, bool(n_bands)
        self.n_learned = 1
        """Sources that it learns from: the divergence of the weights is shared among them."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            if n_bands:
                self.image = SmallImageBranch(n_bands, size, config.channels, config.width)
            if n_columns:
                self.columns = nn.Sequential(nn.Linear(n_columns, config.width), nn.ReLU())
            n_branches = bool(n_bands) + bool(n_columns)
            self.joint = nn.Sequential(nn.Linear(n_branches * config.width, config.width), nn.ReLU())
            self.last = nn.Linear(config.width, 2 * n_targets)
            with torch.no_grad():
                self.last.weight.mul_(0.3)
        bayesian(self, config)

    def features(self, *seen: Tensor) -> Tensor:
        """(N, width): the embedding."""
        parts = list(seen)
        found = [self.image(parts.pop(0))] if self.has_image else []
        found += [self.columns(part) for part in parts]
        return self.joint(torch.cat(found, 1) if len(found) > 1 else found[0])

    def forward(self, *seen: Tensor) -> Tensor:
        return self.last(self.features(*seen))  # (N, 2 D)

    def gaussian(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and ln sigma, each (N, D), of what `forward` gives; ln sigma is held within -6 … 2, smoothly."""
        mean, bent = raw[:, : self.n_targets], raw[:, self.n_targets :]
        return mean, LN_SIGMA_MIDDLE + LN_SIGMA_HALF * torch.tanh((bent - LN_SIGMA_MIDDLE) / LN_SIGMA_HALF)

    def mean(self, raw: Tensor) -> Tensor:
        return self.gaussian(raw)[0]

    def nll(self, raw: Tensor, y: Tensor) -> Tensor:
        """(N,), minus ln of the density at y (N, D), in nat."""
        mean, ln_sigma = self.gaussian(raw)
        pull = (y - mean) * torch.exp(-ln_sigma)
        return (0.5 * pull * pull + ln_sigma + 0.5 * math.log(2 * math.pi)).sum(1)

    def kl(self) -> Tensor:
        """nat: of all weights from their prior; 0 with dropout, whose prior is the weight decay of its training."""
        layers = [module.kl() for module in self.modules() if isinstance(module, Flipout)]
        return torch.stack(layers).sum() if layers else torch.zeros(())

    def loss(self, raw: Tensor, y: Tensor) -> Tensor:
        """Minus the evidence lower bound, in nat per source."""
        return self.nll(raw, y).mean() + self.config.tempering / self.n_learned * self.kl()

    @property
    def n_weights(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())
