"""The four networks of MMLforGalAM (`mmlforgalam`, Sects. 3.1-3.4, Figs. 5-9): age and metallicity of galaxies from
spectra, from pictures, and from both.

M1 learns both from spectra; M2 learns what M1 made of a spectrum from the picture alone; M3 learns both from pictures;
M4 learns both from the features of M2 (or M1) and M3. What the text does not say is as in the authors' public code
(github.com/liping523/MMLforGalAM): the pooling and padding of M1, the padding of M2 and M3, widths of dense layers,
shares of dropout, the first weights. Where the code has another number of layers than the paper, the paper holds.

`features` are the 1,024 that another network takes, `forward` is what the network is trained to give.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from galprism.nets.attention import Attention

POINTS = 4171
"""Of a spectrum, 1 Angstrom apart over 3830 - 8000 (Sect. 2.2.1)."""
FEATURES = 1024
KERAS_EPSILON = 1e-3
"""Of a layer norm, by default of the library that the authors used."""


@dataclass(frozen=True)
class SpectrumConfig:
    """M1: filters of each block of two convolutions of 3 points (Sect. 3.1)."""

    filters: tuple[int, ...] = (16, 32, 64, 128)
    pool: int = 3
    """Points that a pooling makes one. The text has no number; this is the code's."""
    padded: bool = False
    """Convolutions keep the length; in the code each takes a point off either end."""
    dense: tuple[int, ...] = (2048, FEATURES)
    """Two; the code has another one of 4,171 before them."""


@dataclass(frozen=True)
class SimulatorConfig:
    """M2: filters of each convolution of 3 x 3 pixels (Sect. 3.2)."""

    filters: tuple[int, ...] = (32, 64, 128, 256)
    padded: bool = False
    dense: int = FEATURES
    dropout: float = 0.3
    """Before and after the dense layer, the code's."""
    features: int = FEATURES


@dataclass(frozen=True)
class PictureConfig:
    """M3: filters of each block of three convolutions of 3 x 3 pixels (Sect. 3.3)."""

    filters: tuple[int, ...] = (32, 64, 128, 256)
    padded: bool = True
    dense: tuple[int, ...] = (FEATURES, FEATURES)
    """Two; the first has 2,048 in the code."""


@dataclass(frozen=True)
class AttentionConfig:
    """M4 (Sect. 3.4)."""

    features: int = FEATURES
    heads: int = 8
    head_width: int = 128
    """Features over heads, as in Vaswani et al. (2017). The code has 1,024 in each of the eight heads: 33.6 million
    weights, which with one token make a linear map of 1,024 to 1,024 all the same."""
    dropout: float = 0.1
    """After the layer norm."""
    dense: tuple[int, ...] = (2048, 1024, 512, 256, 128)
    """Five; the code leaves out that of 256."""
    dense_dropout: tuple[float, ...] = (0.0, 0.0, 0.2, 0.0, 0.2)
    """After each of them."""


def blocks(
    shape: tuple[int, int, int], filters: tuple[int, ...], n: int, pool: int, padded: bool
) -> tuple[nn.Sequential, int]:
    """Blocks of n convolutions with ReLU and a pooling, flattened, and how many features that makes.

    shape : channels, rows and columns of what they see; of one row the convolutions and poolings are along it alone.
    Raises ValueError where nothing is left of it.
    """
    channels, rows, columns = shape
    kernel, step = (1 if rows == 1 else 3, 3), (1 if rows == 1 else pool, pool)
    padding = (kernel[0] // 2, 1) if padded else (0, 0)
    layers: list[nn.Module] = []
    for width in filters:
        for _ in range(n):
            layers += [nn.Conv2d(channels, width, kernel, padding=padding), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(step))
        rows, columns = ((m + n * (2 * padding[i] + 1 - kernel[i])) // step[i] for i, m in enumerate((rows, columns)))
    if min(rows, columns) < 1:
        raise ValueError(f"{shape[1]} x {shape[2]}; accepted: more, for {len(filters)} poolings by {pool}")
    return nn.Sequential(*layers, nn.Flatten()), channels * rows * columns


def dense_layers(before: int, widths: tuple[int, ...]) -> list[nn.Module]:
    """Linear layers, each with ReLU."""
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Linear(before, width), nn.ReLU()]
        before = width
    return layers


def start(network: nn.Module) -> None:
    """First weights as the authors' library has them (Glorot & Bengio 2010, eq. 16; biases 0). With torch's own, which
    have a third of their variance, little of a picture would be left after fifteen layers without a norm."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class SpectrumNetwork(nn.Module):
    """M1: spectra (N, 4171), each from 0 to 1, to age and [M/H]; 15,045,394 weights.

    Its convolutions are of two dimensions on a picture of one row, which is the same and for which ONNX Runtime has
    a layout that is a third faster.
    """

    def __init__(self, n_outputs: int, config: SpectrumConfig, *, n_points: int = POINTS):
        super().__init__()
        self.blocks, n = blocks((1, 1, n_points), config.filters, 2, config.pool, config.padded)
        self.dense = nn.Sequential(*dense_layers(n, config.dense))
        self.last = nn.Linear(config.dense[-1], n_outputs)
        start(self)

    def features(self, spectrum: Tensor) -> Tensor:
        return self.dense(self.blocks(spectrum.unsqueeze(1).unsqueeze(1)))  # (N, 1024)

    def forward(self, spectrum: Tensor) -> Tensor:
        return self.last(self.features(spectrum))


class SimulatorNetwork(nn.Module):
    """M2: pictures (N, C, S, S), 0 to 1, to the spectral features that M1 would have; 10,876,224 weights for three
    channels of 128 pixels."""

    def __init__(self, n_channels: int, size: int, config: SimulatorConfig):
        super().__init__()
        self.blocks, n = blocks((n_channels, size, size), config.filters, 1, 2, config.padded)
        dense = [nn.Dropout(config.dropout), *dense_layers(n, (config.dense,)), nn.Dropout(config.dropout)]
        self.dense = nn.Sequential(*dense)
        self.last = nn.Linear(config.dense, config.features)
        start(self)

    def features(self, picture: Tensor) -> Tensor:
        return self.last(self.dense(self.blocks(picture)))  # (N, 1024)

    def forward(self, picture: Tensor) -> Tensor:
        return self.features(picture)


class PictureNetwork(nn.Module):
    """M3: pictures (N, C, S, S), 0 to 1, to age and [M/H]; 19,785,986 weights for three channels of 128 pixels."""

    def __init__(self, n_channels: int, size: int, n_outputs: int, config: PictureConfig):
        super().__init__()
        self.blocks, n = blocks((n_channels, size, size), config.filters, 3, 2, config.padded)
        self.dense = nn.Sequential(*dense_layers(n, config.dense))
        self.last = nn.Linear(config.dense[-1], n_outputs)
        start(self)

    def features(self, picture: Tensor) -> Tensor:
        return self.dense(self.blocks(picture))  # (N, 1024)

    def forward(self, picture: Tensor) -> Tensor:
        return self.last(self.features(picture))


class AttentionNetwork(nn.Module):
    """M4: features of spectra S and of pictures I, both (N, 1024), to age and [M/H].

    S asks, I answers: Norm(S + attention(S, I)), eqs. 2-7; 9,087,106 weights. The paper does not say what the tokens
    are; in the code each of S and I is one token of 1,024, and so it is here. Over a single key the softmax is 1
    whatever the query: the attention is W_O W_V I, a linear map of the picture's features, and W_Q and W_K have no say
    and never learn.
    """

    def __init__(self, n_outputs: int, config: AttentionConfig):
        super().__init__()
        self.attention = Attention(config.features, config.heads, config.head_width, 1, 1)
        self.norm = nn.LayerNorm(config.features, eps=KERAS_EPSILON)
        self.dropout = nn.Dropout(config.dropout)
        layers: list[nn.Module] = []
        before = config.features
        for width, share in zip(config.dense, config.dense_dropout, strict=True):
            layers += [*dense_layers(before, (width,)), nn.Dropout(share)]
            before = width
        self.dense = nn.Sequential(*layers)
        self.last = nn.Linear(before, n_outputs)
        start(self)

    def features(self, spectral: Tensor, picture: Tensor) -> Tensor:
        return self.dropout(self.norm(spectral + self.attention(spectral, picture)))  # (N, 1024)

    def forward(self, spectral: Tensor, picture: Tensor) -> Tensor:
        return self.last(self.dense(self.features(spectral, picture)))
