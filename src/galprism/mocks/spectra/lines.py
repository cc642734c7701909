"""Emission lines on pixels: Gaussians integrated over each."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

REACH = 5.5
"""Standard deviations of a line to either side that are drawn: all but 4e-8 of it."""


def drawn_lines(flux: Tensor, place: Tensor, sigma: Tensor, width: Tensor) -> Tensor:
    """(n, size): flux densities of L lines of n sources.

    flux : (n, L), of each line
    place : (n, L), pixels from the middle of the first, float64
    sigma : (n, L), pixels, standard deviation
    width : (size,), Angstrom, of the pixels
    """
    size = len(width)
    out = torch.zeros(len(flux), size, dtype=torch.float32)
    if not flux.numel():
        return out
    reach = int(np.ceil(REACH * sigma.max().item())) + 1
    near = ((place > -reach) & (place < size - 1 + reach)).any(0)
    flux, place, sigma = flux[:, near], place[:, near], sigma[:, near]
    first = torch.round(place).long() - reach
    edges = (first - place).float()[..., None] + (torch.arange(2 * reach + 2) - 0.5)
    below = torch.erf(edges / (np.sqrt(2.0) * sigma.float())[..., None])
    part = 0.5 * flux.float()[..., None] * torch.diff(below, dim=-1)
    pixel = first[..., None] + torch.arange(2 * reach + 1)
    part.mul_((pixel >= 0) & (pixel < size))
    out.scatter_add_(1, pixel.clamp_(0, size - 1).flatten(1), part.flatten(1))
    return out / width
