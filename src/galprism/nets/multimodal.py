"""One network over whatever is there of a source: photometry, image, spectrum.

Each modality becomes one token. Where it is missing a token of its own stands in for it, which is learned: nothing is
made up for what was not measured. Tokens attend to one another, and one that asks for the answer attends to all.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from galprism.nets.attention import Attention
from galprism.nets.convolution import SmallImageBranch
from galprism.nets.estimator import Regressor
from galprism.nets.export import to_onnx
from galprism.nets.mixture import MixtureConfig
from galprism.nets.mlp import ACTIVATIONS
from galprism.nets.readout import MIXTURE_OUTPUTS, MixtureReadout
from galprism.nets.residual import ResidualBlock, ResidualConfig, ResidualMLP

MODALITIES = ("photometry", "image", "spectrum")
"""In the order of the columns of `there`."""


@dataclass(frozen=True)
class MultimodalConfig:
    """What a recipe may say of it."""

    width: int = 96
    """Of a token."""
    heads: int = 4
    fusions: int = 2
    """Blocks of attention between tokens."""
    blocks: int = 2
    """Residual blocks of the encoders of photometry and spectra, and after the fusion."""
    channels: tuple[int, ...] = (16, 32, 64, 96)
    """Of the convolutions of the image, each with stride 2."""
    activation: str = "silu"
    dropout: float = 0.0
    """The share of inner layers that training leaves out at random."""

    def __post_init__(self) -> None:
        if self.width < 1 or self.heads < 1 or self.width % self.heads:
            raise ValueError(f"width {self.width} and {self.heads} heads; accepted: a multiple of the heads")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation {self.activation!r}; accepted: {', '.join(ACTIVATIONS)}")


@dataclass(frozen=True)
class Shapes:
    """Of what is seen of a source; none of a modality that the network is not for."""

    photometry: int
    """F features."""
    bands: int
    """B planes of an image."""
    size: int
    """H = W pixels."""
    spectrum: int
    """G features."""


class Fusion(nn.Module):
    """A block of a transformer with its norms first (Xiong et al. 2020, ICML, 10524): h + attention(norm h), then
    h + W2 act(W1 norm h). Of the last block only the first token goes on."""

    def __init__(self, n_tokens: int, config: MultimodalConfig, *, last: bool):
        super().__init__()
        self.n_tokens, self.last, self.width = n_tokens, last, config.width
        head_width = config.width // config.heads
        self.first_norm = nn.LayerNorm(config.width)
        self.attention = Attention(config.width, config.heads, head_width, 1 if last else n_tokens, n_tokens)
        self.second_norm = nn.LayerNorm(config.width)
        self.mix = nn.Sequential(
            nn.Linear(config.width, 2 * config.width),
            ACTIVATIONS[config.activation](),
            nn.Dropout(config.dropout),
            nn.Linear(2 * config.width, config.width),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        normed = self.first_norm(tokens)  # (N T, width)
        asking = normed
        if self.last:
            tokens, asking = (rows.reshape(-1, self.n_tokens, self.width)[:, 0] for rows in (tokens, normed))
        h = tokens + self.attention(asking, normed)
        return h + self.mix(self.second_norm(h))


class MultimodalNetwork(nn.Module):
    """photometry (N, F), image (N, B, H, W), spectrum (N, G), there (N, 3) to (N, n_outputs).

    there : 1 or 0 for each of MODALITIES; what stands in a modality that is not there is not looked at, and may be
    anything, not a number too. Of a modality without a shape the tensor is given all the same, and so is its column.
    With 20 features of photometry, four bands of 64 pixels, 40 features of a spectrum and a mixture of eight
    components over five coordinates: 539,480 weights.
    """

    def __init__(self, shapes: Shapes, n_outputs: int, config: MultimodalConfig):
        super().__init__()
        self.shapes, self.width = shapes, config.width
        encoder = ResidualConfig(config.width, config.blocks, config.activation, dropout=config.dropout)
        sizes = dict(zip(MODALITIES, (shapes.photometry, shapes.bands, shapes.spectrum), strict=True))
        self.present = [name for name in MODALITIES if sizes[name]]
        if not self.present:
            raise ValueError(f"{shapes} has no modality; accepted: one or more")
        self.encoders = nn.ModuleDict()
        for name in self.present:
            if name == "image":
                branch = SmallImageBranch(shapes.bands, shapes.size, config.channels, config.width)
                self.encoders[name] = nn.Sequential(branch, nn.Linear(config.width, config.width))
            else:
                self.encoders[name] = ResidualMLP(sizes[name], config.width, encoder)
        self.missing = nn.ParameterDict({name: nn.Parameter(0.5 * torch.randn(config.width)) for name in self.present})
        self.asking = nn.Linear(len(MODALITIES), config.width)
        n_tokens = 1 + len(self.present)
        fusions = [Fusion(n_tokens, config, last=i == config.fusions - 1) for i in range(config.fusions)]
        self.fusion = nn.Sequential(*fusions)
        self.norm = nn.LayerNorm(config.width)
        blocks = [ResidualBlock(config.width, config.activation, config.dropout) for _ in range(config.blocks)]
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Linear(config.width, n_outputs)

    def features(self, photometry: Tensor, image: Tensor, spectrum: Tensor, there: Tensor) -> Tensor:
        seen = dict(zip(MODALITIES, (photometry, image, spectrum), strict=True))
        tokens = [self.asking(there)]  # it knows what there is
        for i, name in enumerate(MODALITIES):
            if name not in self.present:
                continue
            here = there[:, i : i + 1]  # (N, 1)
            shown = here.reshape(-1, 1, 1, 1) if name == "image" else here
            token = self.encoders[name](torch.where(shown > 0, seen[name], 0.0))
            tokens.append(token * here + self.missing[name] * (1.0 - here))
        return self.fusion(torch.stack(tokens, 1).reshape(-1, self.width))  # (N, width)

    def forward(self, photometry: Tensor, image: Tensor, spectrum: Tensor, there: Tensor) -> Tensor:
        return self.last(self.blocks(self.norm(self.features(photometry, image, spectrum, there))))


class Multimodal(Regressor):
    """The network with its mixture over D coordinates, or a point."""

    def __init__(
        self,
        shapes: Shapes,
        config: MultimodalConfig,
        n_coordinates: int,
        mixture: MixtureConfig | None,
        *,
        seed: int = 0,
    ):
        super().__init__(lambda n: MultimodalNetwork(shapes, n, config), n_coordinates, mixture, seed=seed)
        self.shapes = shapes


class MultimodalReadout(nn.Module):
    """What a MixtureReadout gives, of several tensors."""

    def __init__(self, readout: MixtureReadout):
        super().__init__()
        self.readout = readout

    def forward(
        self, photometry: Tensor, image: Tensor, spectrum: Tensor, there: Tensor, level: Tensor, probit: Tensor
    ) -> tuple[Tensor, ...]:
        return self.readout.answer(self.readout.body(photometry, image, spectrum, there), level, probit)


def multimodal_to_onnx(
    network: Multimodal, linear: Tensor, offset: Tensor, bounded: tuple[bool, ...] = (False,), *, steps: int = 3
) -> bytes:
    """A trained network as an ONNX model from `photometry`, `image`, `spectrum` (those that it has a use for), `there`,
    `level` and `probit` to MIXTURE_OUTPUTS; linear, offset, bounded and steps as of readout_to_onnx.

    Raises ValueError for a network without a mixture.
    """
    if network.head is None:
        raise ValueError("a multimodal network without a mixture has no readout; accepted: one with a mixture")
    shapes = network.shapes
    readout = MixtureReadout(network.body, network.head, linear, offset, bounded, steps)
    inputs: dict[str, tuple[int | str, ...]] = {
        "photometry": ("N", shapes.photometry),
        "image": ("N", shapes.bands, shapes.size, shapes.size),
        "spectrum": ("N", shapes.spectrum),
        "there": ("N", len(MODALITIES)),
        "level": ("Q",),
        "probit": ("Q",),
    }
    return to_onnx(MultimodalReadout(readout), inputs, MIXTURE_OUTPUTS, optional=True)
