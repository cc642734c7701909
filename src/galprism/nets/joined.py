"""Networks of an image and a spectrum of the same source, and every way of joining the two inside a network, with its
photometry too.

What is called with an image (N, B, S, S), a spectrum (N, L) and `there` (N, 2), 1 where the image and the spectrum are
there and 0 where not, looks at nothing of what is not there: the mean of what others have stands in for it. Photometry
(N, F) comes behind the spectrum, with a column of `there` of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from galprism.nets.light import ImageBranch
from galprism.nets.multimodal import Fusion, MultimodalConfig
from galprism.nets.residual import ResidualConfig, ResidualMLP
from galprism.nets.spectrum_branch import DenseSpectrumBranch, SpectrumBranch

MODALITIES = ("image", "spectrum")
"""In the order of what the networks are called with."""
FORGET = 0.02
"""How fast the mean of a branch's features follows a batch."""


@dataclass(frozen=True)
class JoinedConfig:
    """Of all networks of this file."""

    width: int = 96
    """Of a branch's features, and of what is made of them."""
    blocks: int = 2
    """Residual blocks behind the features."""
    dropout: float = 0.2
    """The share of inner layers that training leaves out at random."""
    image_channels: tuple[int, ...] = (16, 32, 48)
    spectrum_channels: int = 12
    tokens: int = 4
    """Of each modality, where they attend to one another."""
    heads: int = 4
    fusions: int = 2
    """Blocks of attention."""

    def __post_init__(self) -> None:
        least = min(self.width, self.spectrum_channels, self.tokens, self.heads, self.fusions, *self.image_channels)
        if least < 1 or self.blocks < 0 or self.width % self.heads or not 0 <= self.dropout < 1:
            raise ValueError(
                f"{self}; accepted: numbers of 1 or more, a width that is a multiple of the heads, dropout below 1"
            )


class Shape(NamedTuple):
    """Of what is seen of a source."""

    bands: int
    size: int
    """Pixels along each side of the image."""
    pixels: int
    """Of the spectrum."""
    photometry: int = 0
    """Numbers."""


def image_branch(shape: Shape, config: JoinedConfig) -> nn.Module:
    return ImageBranch(shape.bands, shape.size, config.width, config.image_channels, config.dropout)


def spectrum_branch(shape: Shape, config: JoinedConfig) -> nn.Module:
    return SpectrumBranch(shape.pixels, config.width, config.spectrum_channels, config.dropout)


def dense_branch(shape: Shape, config: JoinedConfig) -> nn.Module:
    return DenseSpectrumBranch(shape.pixels, config.width, config.dropout)


def photometry_branch(shape: Shape, config: JoinedConfig) -> nn.Module:
    inner = ResidualConfig(config.width, config.blocks, "silu", dropout=config.dropout)
    return ResidualMLP(shape.photometry, config.width, inner)


BRANCHES = {"image": image_branch, "spectrum": spectrum_branch, "photometry": photometry_branch}


class Answer(nn.Module):
    """Features (N, n) to answers (N, P): residual blocks beside a linear layer, by which a redshift that was read well
    goes through as it is."""

    def __init__(self, n_features: int, n_outputs: int, config: JoinedConfig):
        super().__init__()
        inner = ResidualConfig(config.width, config.blocks, "silu", dropout=config.dropout)
        self.layers = ResidualMLP(n_features, n_outputs, inner)
        self.straight = nn.Linear(n_features, n_outputs)

    def forward(self, features: Tensor) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            features = features.float()
            return self.layers(features) + self.straight(features)


class Alone(nn.Module):
    """One branch and its answer."""

    def __init__(self, branch: nn.Module, n_outputs: int, config: JoinedConfig):
        super().__init__()
        self.branch = branch
        self.answer = Answer(config.width, n_outputs, config)

    def features(self, seen: Tensor) -> Tensor:
        return self.branch(seen)

    def forward(self, seen: Tensor) -> Tensor:
        return self.answer(self.features(seen))


class EarlyFusion(nn.Module):
    """Raw inputs joined at the first shared layer: all pixels of all images and all pixels of the spectrum side by
    side in one row, seen by one dense layer, and residual blocks. In what is missing all numbers are 0."""

    def __init__(self, n_outputs: int, shape: Shape, config: JoinedConfig):
        super().__init__()
        self.norm = nn.BatchNorm2d(shape.bands)
        inner = ResidualConfig(config.width, config.blocks, "silu", dropout=config.dropout)
        self.layers = ResidualMLP(shape.bands * shape.size**2 + shape.pixels, n_outputs, inner)

    def forward(self, image: Tensor, spectrum: Tensor, there: Tensor) -> Tensor:
        image = torch.where(there[:, :1, None, None] > 0, self.norm(image), 0.0)
        spectrum = torch.where(there[:, 1:] > 0, spectrum, 0.0)
        return self.layers(torch.cat([image.flatten(1), spectrum], 1))


class Branches(nn.Module):
    """Features of each modality, (N, n) each; where one is missing the running mean of those that training saw."""

    def __init__(self, branches: Mapping[str, nn.Module], n_features: int):
        super().__init__()
        self.of = nn.ModuleDict(dict(branches))
        for name in branches:
            self.register_buffer(f"mean_{name}", torch.zeros(n_features))

    def forward(self, seen: tuple[Tensor, ...], there: Tensor) -> list[Tensor]:
        found = []
        for i, (name, branch) in enumerate(self.of.items()):
            here = there[:, i : i + 1] > 0
            own = branch(seen[i]).float()
            mean: Tensor = getattr(self, f"mean_{name}")
            if self.training and bool(here.any()):
                mean.lerp_(own.detach()[here[:, 0]].mean(0), FORGET)
            found.append(torch.where(here, own, mean))
        return found


class IntermediateFusion(nn.Module):
    """Features of each branch side by side, and what is made of them together."""

    def __init__(self, n_outputs: int, shape: Shape, config: JoinedConfig, names: Sequence[str] = MODALITIES):
        """names : of BRANCHES, in the order in which they are seen; `there` comes behind them."""
        super().__init__()
        self.branches = Branches({name: BRANCHES[name](shape, config) for name in names}, config.width)
        self.answer = Answer(len(names) * config.width, n_outputs, config)

    def features(self, *seen: Tensor) -> Tensor:
        return torch.cat(self.branches(seen[:-1], seen[-1]), 1)  # (N, M width)

    def forward(self, *seen: Tensor) -> Tensor:
        return self.answer(self.features(*seen))


class AttentionFusion(nn.Module):
    """Some tokens of each branch and one that asks, all of which attend to one another (galprism.nets.multimodal)."""

    def __init__(self, n_outputs: int, shape: Shape, config: JoinedConfig):
        super().__init__()
        self.n_tokens, self.width = config.tokens, config.width
        n = config.tokens * config.width
        branches = {
            name: nn.Sequential(make(shape, config), nn.Linear(config.width, n))
            for name, make in (("image", image_branch), ("spectrum", spectrum_branch))
        }
        self.branches = Branches(branches, n)
        self.asking = nn.Parameter(0.5 * torch.randn(config.width))
        n_tokens = 1 + 2 * config.tokens
        inner = MultimodalConfig(width=config.width, heads=config.heads, dropout=config.dropout)
        fusions = [Fusion(n_tokens, inner, last=i == config.fusions - 1) for i in range(config.fusions)]
        self.fusion = nn.Sequential(*fusions)
        self.answer = Answer(config.width, n_outputs, config)

    def features(self, image: Tensor, spectrum: Tensor, there: Tensor) -> Tensor:
        own = [part.reshape(len(there), self.n_tokens, -1) for part in self.branches((image, spectrum), there)]
        asking = self.asking.expand(len(there), 1, -1)
        return self.fusion(torch.cat([asking, *own], 1).reshape(-1, self.width))  # (N, width)

    def forward(self, image: Tensor, spectrum: Tensor, there: Tensor) -> Tensor:
        return self.answer(self.features(image, spectrum, there))
