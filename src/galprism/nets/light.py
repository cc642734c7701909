"""What an image says of brightness: its light within circles, summed as fluxes are."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from galprism.nets.convolution import SmallImageBranch
from galprism.nets.residual import ResidualConfig, ResidualMLP

RADII = (2.0, 4.0, 6.0, 9.0, 13.0, 18.0, 25.0)
"""Pixels, of circles about the middle; those that an image has no room for are left out."""


class Circles(nn.Module):
    """Images of asinh(flux / noise) (N, B, S, S) to asinh of the summed light in circles (N, B K).

    A sum is in units of the noise that it has: that of a pixel times the square root of how many there are.
    """

    weight: Tensor

    def __init__(self, size: int, radii: tuple[float, ...] = RADII):
        super().__init__()
        radii = tuple(radius for radius in radii if radius <= size / 2)
        if not radii:
            raise ValueError(f"images of {size} pixels; accepted: {2 * RADII[0]:g} or more")
        place = torch.arange(size) - (size - 1) / 2
        distance = torch.hypot(place[:, None], place[None]).flatten()
        within = torch.stack([torch.clamp(radius - distance + 0.5, 0, 1) for radius in radii], 1)
        self.n_radii = len(radii)
        self.register_buffer("weight", within / (within**2).sum(0).sqrt())  # (S S, K)

    def forward(self, image: Tensor) -> Tensor:
        return torch.asinh(torch.sinh(image.float()).flatten(2) @ self.weight).flatten(1)


class ImageBranch(nn.Module):
    """Convolutions of the pixels beside a perceptron of the light within circles: (N, B, S, S) to (N, n_features)."""

    def __init__(self, n_bands: int, size: int, n_features: int, channels: tuple[int, ...], dropout: float):
        super().__init__()
        self.pixels = SmallImageBranch(n_bands, size, channels, n_features)
        self.shape = nn.Linear(n_features, n_features)
        self.circles = Circles(size)
        self.norm = nn.BatchNorm1d(n_bands * self.circles.n_radii)
        config = ResidualConfig(n_features, 2, "silu", dropout=dropout)
        self.light = ResidualMLP(n_bands * self.circles.n_radii, n_features, config)

    def forward(self, image: Tensor) -> Tensor:
        with torch.autocast(image.device.type, enabled=False):  # colours are small differences of large numbers
            light = self.light(self.norm(self.circles(image)))
        return self.shape(self.pixels(image)) + light
