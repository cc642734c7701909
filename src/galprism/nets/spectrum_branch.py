"""Networks of spectra: rows of pixels (N, L), evenly spaced in log wavelength, to features (N, D)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from galprism.nets.residual import ResidualConfig, ResidualMLP

STEP, KERNEL = 4, 16
"""Pixels from one window of the first convolution to the next, and of each."""
JOINED = 8
"""Windows that the second convolution makes one."""
SPREAD = 3.0
"""Shifts of templates are multiplied by it: redshifts of a sample fill a part of the range."""


class DenseSpectrumBranch(nn.Module):
    """A residual multi-layer perceptron of all pixels."""

    def __init__(self, n_pixels: int, n_features: int, dropout: float):
        super().__init__()
        self.layers = ResidualMLP(n_pixels, n_features, ResidualConfig(n_features, 2, "silu", dropout=dropout))

    def forward(self, spectrum: Tensor) -> Tensor:
        return self.layers(spectrum)  # (N, n_features)


class ShiftReading(nn.Module):
    """Where learned templates fit best, as a number a template.

    Windows (N, C, W) are correlated with K templates (K, C, W) at `n_shifts` shifts to the red, and each template's
    answer is the mean shift, from -1 to 1, weighted by the softmax of its correlation: in log wavelength a redshift is
    a shift, and cross-correlation is how spectra have been told theirs since Tonry & Davis (1979, AJ, 84, 1511). By
    fast Fourier transforms, padded so that nothing comes round from the other end.
    """

    shift: Tensor

    def __init__(self, channels: int, n_windows: int, n_shifts: int, n_templates: int):
        super().__init__()
        self.n_shifts, self.n = n_shifts, _even_length(n_windows + n_shifts)
        self.template = nn.Parameter(torch.randn(n_templates, channels, n_windows))
        self.scale = (channels * n_windows) ** -0.5
        self.register_buffer("shift", torch.linspace(-1, 1, n_shifts))

    def correlation(self, windows: Tensor) -> Tensor:
        """(N, K, n_shifts): the sum over channels and windows of windows[w + shift] template[w], over the root of
        how many there are: a step of training then moves it by little, however long templates are."""
        seen = torch.fft.rfft(windows, n=self.n)
        template = torch.fft.rfft(self.template * self.scale, n=self.n).conj()
        found = [torch.fft.irfft((seen * own).sum(1), n=self.n)[:, : self.n_shifts] for own in template]
        return torch.stack(found, 1)

    def forward(self, windows: Tensor) -> Tensor:
        return (torch.softmax(self.correlation(windows), -1) * self.shift).sum(-1)  # (N, K)


class SpectrumBranch(nn.Module):
    """A 1-D convolution of windows, read in two ways: a second one and a dense layer, which keep where things are, and
    the shift of templates, which are the last features as they are. Convolutions of windows that overlap little, or
    not at all, are plain matrix products."""

    def __init__(
        self, n_pixels: int, n_features: int, channels: int, dropout: float, reach: float = 0.28, templates: int = 2
    ):
        """reach : of the largest shift, as a part of all pixels."""
        super().__init__()
        self.n_windows = (n_pixels - KERNEL) // STEP + 1
        if self.n_windows < JOINED:
            raise ValueError(f"{n_pixels} pixels; accepted: {KERNEL + STEP * (JOINED - 1)} or more")
        self.n_joined = self.n_windows // JOINED
        self.window = nn.Linear(KERNEL, channels)
        self.act = nn.SiLU()
        self.join = nn.Linear(JOINED * channels, 2 * channels)
        self.drop = nn.Dropout(dropout)
        n_shifts = max(round(reach * self.n_windows), 2)
        self.shift = ShiftReading(channels, self.n_windows, n_shifts, templates)
        self.last = nn.Linear(self.n_joined * 2 * channels + templates, n_features - templates)

    def forward(self, spectrum: Tensor) -> Tensor:
        with torch.autocast(spectrum.device.type, enabled=False):  # of few channels, halved numbers are the slower ones
            windows = self.act(self.window(spectrum.unfold(1, KERNEL, STEP)))  # (N, W, C)
            read = self.shift(windows.transpose(1, 2)) * SPREAD
            kept = windows[:, : self.n_joined * JOINED].reshape(len(spectrum), self.n_joined, -1)
            joined = self.drop(self.act(self.join(kept)).flatten(1))
            return torch.cat([self.last(torch.cat([joined, read], 1)), read], 1)  # (N, n_features)


def _even_length(n: int) -> int:
    """The least length of at least n whose factors are 2, and 3 once at most: of fast transforms."""
    two = 1 << (n - 1).bit_length()
    return 3 * two // 4 if 3 * two // 4 >= n and two >= 4 else two
