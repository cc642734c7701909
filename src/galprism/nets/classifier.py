"""Networks that tell classes from photometry, images, or both: what they see to K logits.

Every one is called with what a source's photometry became (N, F), its image planes (N, B, H, W), and where there is an
image (N, 1); what a network has no use for it is given all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from galprism.nets.convolution import ResidualImageBranch, SmallImageBranch
from galprism.nets.export import to_onnx
from galprism.nets.mlp import ACTIVATIONS
from galprism.nets.residual import ResidualConfig, ResidualMLP

TOKEN_LAYERS = (64, 128, 256, 512)
HEAD_LAYERS = (512, 256, 128, 64)
"""Of the KiDS DR5 network (Feng et al. 2025, Sect. 3.1)."""
TINY = 1e-12
"""Probability, of a class that no network thinks possible."""


@dataclass(frozen=True)
class KidsConfig:
    """The network of Feng et al. (2025), to the letter: its sizes are the paper's."""


@dataclass(frozen=True)
class FusionConfig:
    """Ours: an image becomes a few features, which go with the photometry through a residual network."""

    channels: tuple[int, ...] = (16, 32, 64)
    """Of the convolutions, each with stride 2."""
    image_features: int = 64
    width: int = 128
    blocks: int = 3
    activation: str = "silu"
    dropout: float = 0.0
    """The share of each inner layer of the residual network that training leaves out at random."""


class KidsNetwork(nn.Module):
    """Every magnitude and colour by itself through four dense layers, the same for all, side by side 17 x 512 features;
    an image branch for each band; dense layers on all of them (Feng et al. 2025, Fig. 2). Without images or without
    photometry it is one of the paper's other networks."""

    def __init__(self, n_inputs: int, n_bands: int, size: int, n_classes: int, config: KidsConfig):
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for width in TOKEN_LAYERS if n_inputs else ():
            layers += [nn.Linear(before, width), nn.ReLU()]
            before = width
        self.tokens = nn.Sequential(*layers)
        self.n_inputs, self.n_bands, self.flat = n_inputs, n_bands, n_inputs * TOKEN_LAYERS[-1]
        self.images = nn.ModuleList([ResidualImageBranch(1) for _ in range(n_bands)])
        head: list[nn.Module] = []
        before = self.flat + n_bands * ResidualImageBranch.CHANNELS[-1]
        for width in HEAD_LAYERS:
            head += [nn.Linear(before, width), nn.ReLU()]
            before = width
        self.head = nn.Sequential(*head, nn.Linear(before, n_classes))

    def forward(self, features: Tensor, image: Tensor, there: Tensor) -> Tensor:
        parts = []
        if self.n_inputs:
            parts.append(self.tokens(features.reshape(-1, 1)).reshape(-1, self.flat))
        for band in range(self.n_bands):
            parts.append(self.images[band](image[:, band : band + 1]))
        return self.head(torch.cat(parts, 1))


class FusionNetwork(nn.Module):
    """Features of the image, nothing where there is none, beside the photometry."""

    def __init__(self, n_inputs: int, n_bands: int, size: int, n_classes: int, config: FusionConfig):
        super().__init__()
        self.n_bands = n_bands
        if n_bands:
            self.image = SmallImageBranch(n_bands, size, config.channels, config.image_features)
        n_all = n_inputs + (config.image_features + 1 if n_bands else 0)
        body = ResidualConfig(config.width, config.blocks, config.activation, dropout=config.dropout)
        self.body = ResidualMLP(n_all, n_classes, body)

    def forward(self, features: Tensor, image: Tensor, there: Tensor) -> Tensor:
        if not self.n_bands:
            return self.body(features)
        return self.body(torch.cat([features, self.image(image) * there, there], 1))


CLASSIFIERS: dict[str, tuple[Any, type]] = {"kids": (KidsNetwork, KidsConfig), "fusion": (FusionNetwork, FusionConfig)}
"""Every network of classes by name, with its configuration."""


class Classifier(nn.Module):
    """One of CLASSIFIERS, and how its logits become probabilities."""

    def __init__(
        self, network: str, config: Any, n_inputs: int, n_bands: int, size: int, n_classes: int = 3, *, seed: int = 0
    ):
        """network : a name in CLASSIFIERS; n_bands, size : of the images, 0 for none; seed : of the first weights."""
        super().__init__()
        module, _ = CLASSIFIERS[network]
        if isinstance(config, FusionConfig) and config.activation not in ACTIVATIONS:
            raise ValueError(f"activation {config.activation!r}; accepted: {', '.join(ACTIVATIONS)}")
        self.shape = n_inputs, n_bands, size
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.body = module(n_inputs, n_bands, size, n_classes, config)

    def forward(self, features: Tensor, image: Tensor, there: Tensor) -> Tensor:
        return self.body(features, image, there)

    @property
    def n_weights(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())


class Average(nn.Module):
    """Several classifiers of one shape as one: logits of the mean of their probabilities."""

    def __init__(self, classifiers: Sequence[Classifier]):
        super().__init__()
        self.bodies = nn.ModuleList([one.body for one in classifiers])

    def forward(self, features: Tensor, image: Tensor, there: Tensor) -> Tensor:
        if len(self.bodies) == 1:
            return self.bodies[0](features, image, there)
        each = [torch.softmax(body(features, image, there), 1) for body in self.bodies]
        return torch.log(torch.stack(each, 0).sum(0) + TINY)


def classifiers_to_onnx(classifiers: Sequence[Classifier]) -> bytes:
    """Trained classifiers of one shape, averaged, as an ONNX model from `features` (N, F), `image` (N, B, H, W) and
    `there` (N, 1) to `logits` (N, K); of the inputs those that they have a use for."""
    n_inputs, n_bands, size = classifiers[0].shape
    inputs: dict[str, tuple[int | str, ...]] = {"features": ("N", n_inputs)}
    inputs |= {"image": ("N", n_bands, size, size), "there": ("N", 1)}
    return to_onnx(Average(classifiers), inputs, {"logits": ("N", "K")}, optional=True)
