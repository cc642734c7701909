"""The networks of MMLforGalAM one after the other, as they are asked: from pictures alone, or from both.

The picture goes in once, and two networks look at it.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

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


class _Points(nn.Module):
    """(N, P) turned to (P, N), as every model of points gives them."""

    def __init__(self, body: nn.Module):
        super().__init__()
        self.body = body

    def forward(self, seen: Tensor) -> Tensor:
        return self.body(seen).t()


class _PointsOfTwo(_Points):
    def forward(self, seen: Tensor, other: Tensor) -> Tensor:  # type: ignore[override]
        return self.body(seen, other).t()


def staged_to_onnx(
    network: SpectrumNetwork | PictureNetwork | FromPictures | FromSpectra,
    inputs: dict[str, Sequence[int | str]],
    linear: Tensor,
    offset: Tensor,
) -> bytes:
    """A trained network as an ONNX model from `inputs` (name to shape, in the order of its forward pass) to `point`
    (P, N), which is linear (P, D) times its outputs plus offset (P,), both float64."""
    network = copy.deepcopy(network)
    holder = network.fusion if isinstance(network, FromPictures | FromSpectra) else network
    holder.last = fold(holder.last, linear, offset)
    return to_onnx((_Points if len(inputs) == 1 else _PointsOfTwo)(network), inputs, POINT_OUTPUTS)
