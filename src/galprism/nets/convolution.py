"""Networks of images: planes (N, B, H, W) to features (N, D)."""

from __future__ import annotations

from torch import Tensor, nn


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut (He et al. 2016, CVPR, 770): the identity, or a 1 x 1 convolution where
    the number of channels or the size changes."""

    def __init__(self, n_in: int, n_out: int, stride: int = 1):
        super().__init__()
        self.first = nn.Conv2d(n_in, n_out, 3, stride, 1)
        self.first_norm = nn.BatchNorm2d(n_out)
        self.second = nn.Conv2d(n_out, n_out, 3, 1, 1)
        self.second_norm = nn.BatchNorm2d(n_out)
        same = stride == 1 and n_in == n_out
        self.shortcut = nn.Identity() if same else nn.Conv2d(n_in, n_out, 1, stride)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        h = self.act(self.first_norm(self.first(x)))
        return self.act(self.second_norm(self.second(h)) + self.shortcut(x))


class ResidualImageBranch(nn.Module):
    """The image branch of the KiDS DR5 network (Feng et al. 2025, Sect. 3.1): a 5 x 5 convolution to 32 channels, an
    average pool by 2, five stages of two basic blocks with 32, 64, 128, 256 and 512 channels, an average pool by 2 and
    512 features. For images of 41 pixels each stage but the first halves the size: 20, 10, 5, 3, 2, and 1."""

    CHANNELS = (32, 64, 128, 256, 512)

    def __init__(self, n_bands: int):
        super().__init__()
        first = self.CHANNELS[0]
        layers: list[nn.Module] = [nn.Conv2d(n_bands, first, 5, 1, 2), nn.BatchNorm2d(first), nn.ReLU()]
        layers.append(nn.AvgPool2d(2))
        before = first
        for channels in self.CHANNELS:
            layers += [BasicBlock(before, channels, 1 if before == channels else 2), BasicBlock(channels, channels)]
            before = channels
        self.layers = nn.Sequential(*layers, nn.AvgPool2d(2), nn.Flatten())

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image)  # (N, 512)


class SmallImageBranch(nn.Module):
    """Convolutions with stride 2, each with twice the channels of the one before, then a linear layer."""

    def __init__(self, n_bands: int, size: int, channels: tuple[int, ...], n_features: int):
        super().__init__()
        layers: list[nn.Module] = []
        before, kernel = n_bands, 5
        for width in channels:
            layers += [nn.Conv2d(before, width, kernel, 2, kernel // 2), nn.ReLU()]
            before, kernel, size = width, 3, (size + 1) // 2
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(before * size * size, n_features), nn.ReLU())

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image)  # (N, n_features)
