"""The networks of MMLforGalAM one after the other, as they are asked: from pictures alone, or from both.

The picture goes in once, and two networks look at it.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

from galprism.nets.export import to_onnx
from galprism.nets.mmlforgalam import AttentionNetwork, PictureNetwork, SimulatorNetwork, SpectrumNetwork
from galprism.nets.readout import POINT_OUTPUTS, fold


class FromPictures(nn.Module):
    """Pictures (N, C, S, S) to age and [M/H]: features of M2 and M3 to M4."""

    def __init__(self, simulator: SimulatorNetwork, pictures: PictureNetwork, fusion: AttentionNetwork):
        super().__init__()
        self.simulator, self.pictures, self.fusion = simulator, pictures, fusion

    def forward(self, picture: Tensor) -> Tensor:
        return self.fusion(self.simulator.features(picture), self.pictures.features(picture))


class FromSpectra(nn.Module):
    """Spectra (N, 4171) and pictures (N, C, S, S) to age and [M/H]: features of M1 and M3 to M4."""

    def __init__(self, spectra: SpectrumNetwork, pictures: PictureNetwork, fusion: AttentionNetwork):
        super().__init__()
        self.spectra, self.pictures, self.fusion = spectra, pictures, fusion

    def forward(self, spectrum: Tensor, picture: Tensor) -> Tensor:
        return self.fusion(self.spectra.features(spectrum), self.pictures.features(picture))


class FromRows(nn.Module):
    """Rows of numbers (N, F), a spectrum and then a picture or one of them, to parameters (P, N), as every model of
    points gives them."""

    def __init__(self, body: nn.Module, n_spectrum: int, picture: tuple[int, int, int]):
        super().__init__()
        self.body, self.n_spectrum, self.picture = body, n_spectrum, picture
        self.n_inputs = n_spectrum + math.prod(picture)

    def forward(self, row: Tensor) -> Tensor:
        spectrum, picture = row[:, 0 : self.n_spectrum], row[:, self.n_spectrum : self.n_inputs]
        seen = [spectrum] if self.n_spectrum else []
        if math.prod(self.picture):
            seen.append(picture.reshape(-1, *self.picture))
        return self.body(*seen).t()


def staged_to_onnx(
    network: SpectrumNetwork | PictureNetwork | FromPictures | FromSpectra,
    n_spectrum: int,
    picture: tuple[int, int, int],
    linear: Any,
    offset: Any,
) -> bytes:
    """A trained network as an ONNX model from `features` (N, F) to `point` (P, N), which is linear (P, D) times its
    outputs plus offset (P,), both float64, tensors or arrays.

    n_spectrum, picture : points, and channels, rows and columns, of which a row is made; 0 of what is not seen
    """
    network = copy.deepcopy(network)
    holder = network.fusion if isinstance(network, FromPictures | FromSpectra) else network
    holder.last = fold(holder.last, torch.as_tensor(linear), torch.as_tensor(offset))
    rows = FromRows(network, n_spectrum, picture)
    return to_onnx(rows, {"features": ("N", rows.n_inputs)}, POINT_OUTPUTS)
