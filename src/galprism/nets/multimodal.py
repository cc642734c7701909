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
from galprism.nets.mlp import ACTIVATIONS
from galprism.nets.residual import ResidualBlock, ResidualConfig, ResidualMLP

MODALITIES = ("photometry", "image", "spectrum")
"""In the order of the first numbers of a row, which say whether each is there."""


@dataclass(frozen=True)
class MultimodalConfig:
    """What a recipe may say of it, but for `shape`."""

    shape: tuple[int, ...] = (3, 0, 0, 0, 0, 0)
    """How many numbers of a row are context (first of all whether each of MODALITIES is there), photometry, spectrum
    and the image's light in rings, in this order; then bands and pixels along each side of the image, which comes last.
    None of a modality that the network is not for."""
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
        if len(self.shape) != 6 or self.shape[0] < len(MODALITIES) or min(self.shape) < 0:
            raise ValueError(
                f"shape {self.shape}; accepted: six numbers, of which {len(MODALITIES)} or more are context"
            )
        if self.width < 1 or self.heads < 1 or self.width % self.heads:
            raise ValueError(f"width {self.width} and {self.heads} heads; accepted: a multiple of the heads")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation {self.activation!r}; accepted: {', '.join(ACTIVATIONS)}")


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


class ImageEncoder(nn.Module):
    """An image's light in rings by a residual network, and its pixels by convolutions; their sum is its token."""

    def __init__(self, rings: int, bands: int, size: int, config: MultimodalConfig):
        super().__init__()
        self.n_rings, self.n_seen, self.image = rings, rings + bands * size * size, (bands, size, size)
        self.pixels = SmallImageBranch(bands, size, config.channels, config.width)
        self.last = nn.Linear(config.width, config.width)
        if rings:
            encoder = ResidualConfig(config.width, config.blocks, config.activation, dropout=config.dropout)
            self.rings = ResidualMLP(rings, config.width, encoder)

    def forward(self, seen: Tensor) -> Tensor:
        n = self.n_rings
        token = self.last(self.pixels(seen[:, n : self.n_seen].reshape(-1, *self.image)))
        return token + self.rings(seen[:, 0:n]) if n else token  # (N, width)


class MultimodalNetwork(nn.Module):
    """Rows of numbers (N, n_inputs), laid out as `config.shape` says, to (N, n_outputs).

    What stands in a modality that is not there is not looked at, and may be anything, not a number too. With 9 numbers
    of context, 21 of photometry, 84 of a spectrum, 49 of rings, three bands of 64 pixels and a mixture of eight
    components over five coordinates: 595,144 weights.
    """

    def __init__(self, n_inputs: int, n_outputs: int, config: MultimodalConfig):
        super().__init__()
        context, photometry, spectrum, rings, bands, size = config.shape
        laid_out = context + photometry + spectrum + rings + bands * size * size
        if laid_out != n_inputs:
            raise ValueError(f"shape {config.shape} is of {laid_out} numbers; accepted: of {n_inputs}")
        self.n_inputs, self.width = n_inputs, config.width
        self.ends = context, context + photometry, context + photometry + spectrum
        sizes = dict(zip(MODALITIES, (photometry, bands, spectrum), strict=True))
        self.present = [name for name in MODALITIES if sizes[name]]
        if not self.present:
            raise ValueError(f"shape {config.shape} has no modality; accepted: one or more")
        encoder = ResidualConfig(config.width, config.blocks, config.activation, dropout=config.dropout)
        self.encoders = nn.ModuleDict()
        for name in self.present:
            if name == "image":
                self.encoders[name] = ImageEncoder(rings, bands, size, config)
            else:
                self.encoders[name] = ResidualMLP(sizes[name], config.width, encoder)
        self.missing = nn.ParameterDict({name: nn.Parameter(0.5 * torch.randn(config.width)) for name in self.present})
        self.asking = nn.Linear(context, config.width)
        n_tokens = 1 + len(self.present)
        fusions = [Fusion(n_tokens, config, last=i == config.fusions - 1) for i in range(config.fusions)]
        self.fusion = nn.Sequential(*fusions)
        self.norm = nn.LayerNorm(config.width)
        blocks = [ResidualBlock(config.width, config.activation, config.dropout) for _ in range(config.blocks)]
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Linear(config.width, n_outputs)

    def features(self, row: Tensor) -> Tensor:
        a, b, c = self.ends
        context = row[:, 0:a]
        tokens = [self.asking(context)]  # it knows what there is, and what is known beside the light
        for i, name in enumerate(MODALITIES):
            if name not in self.present:
                continue
            start, stop = {"photometry": (a, b), "spectrum": (b, c), "image": (c, self.n_inputs)}[name]
            here = context[:, i : i + 1]  # (N, 1)
            if name == "image":  # convolutions cost the most: of those that are not there none is made
                rows = torch.nonzero(here.reshape(-1) > 0).reshape(-1)  # (M,)
                token = self.encoders[name](torch.index_select(row, 0, rows)[:, start:stop])
                tokens.append((here * 0.0 + self.missing[name]).index_copy(0, rows, token))
                continue
            seen = torch.where(here > 0, row[:, start:stop], 0.0)
            tokens.append(self.encoders[name](seen) * here + self.missing[name] * (1.0 - here))
        return self.fusion(torch.stack(tokens, 1).reshape(-1, self.width))  # (N, width)

    def forward(self, row: Tensor) -> Tensor:
        return self.last(self.blocks(self.norm(self.features(row))))
