"""Networks of spectra: rows of pixels (N, L), evenly spaced in log wavelength, to features (N, D)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from galprism.nets.residual import ResidualConfig, ResidualMLP

STEP, KERNEL = 4, 16
"""Pixels from one window of the first convolution to the next, and of each."""
JOINED = 8
"""Windows that the second convolution makes one."""
SMOOTH = 64
"""Windows over which a continuum is the mean."""
TEMPLATES = 4
SHARP = 6.0
"""Length of first templates: with it the softmax of a bright galaxy's correlation has one peak, or few."""
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
    """Where learned templates fit best, as a number a template and one for all.

    Windows (N, C, W) are correlated with K templates (K, C, W) at `n_shifts` shifts to the red. The answer of each,
    and of the sum of all and a prior, is the mean shift, from -1 to 1, weighted by the softmax of the correlation: in
    log wavelength a redshift is a shift, and cross-correlation is how spectra have been told theirs since Tonry & Davis
    (1979, AJ, 84, 1511). By fast Fourier transforms, padded so that nothing comes round from the other end.
    """

    shift: Tensor

    def __init__(self, channels: int, n_windows: int, n_shifts: int, n_templates: int):
        super().__init__()
        self.n_shifts, self.n = n_shifts, _even_length(n_windows + n_shifts)
        self.template = nn.Parameter(torch.randn(n_templates, channels, n_windows))
        self.scale = (channels * n_windows) ** -0.5
        self.prior = nn.Parameter(torch.zeros(n_shifts))
        self.register_buffer("shift", torch.linspace(-1, 1, n_shifts))

    def correlation(self, windows: Tensor) -> Tensor:
        """(N, K, n_shifts): the sum over channels and windows of windows[w + shift] template[w], over the root of
        how many there are: a step of training then moves it by little, however long templates are."""
        seen = torch.fft.rfft(windows, n=self.n)
        template = torch.fft.rfft(self.template * self.scale, n=self.n).conj()
        found = [torch.fft.irfft((seen * own).sum(1), n=self.n)[:, : self.n_shifts] for own in template]
        return torch.stack(found, 1)

    def forward(self, windows: Tensor) -> Tensor:
        found = self.correlation(windows)
        found = torch.cat([found, found.sum(1, keepdim=True) + self.prior], 1)
        return (torch.softmax(found, -1) * self.shift).sum(-1)  # (N, K + 1)


class SpectrumBranch(nn.Module):
    """A 1-D convolution of windows, read in two ways: a second one and a dense layer, which keep where things are, and
    the shift of templates, which are the last features as they are. Convolutions of windows that overlap little, or
    not at all, are plain matrix products."""

    def __init__(
        self,
        n_pixels: int,
        n_features: int,
        channels: int,
        dropout: float,
        reach: float = 0.28,
        templates: int = TEMPLATES,
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
        n_read = templates + 1
        self.last = nn.Linear(self.n_joined * 2 * channels + n_read, n_features - n_read)

    def forward(self, spectrum: Tensor) -> Tensor:
        with torch.autocast(spectrum.device.type, enabled=False):  # of few channels, halved numbers are the slower ones
            windows = self.act(self.window(spectrum.unfold(1, KERNEL, STEP)))  # (N, W, C)
            read = self.shift(self._fine(windows)) * SPREAD
            kept = windows[:, : self.n_joined * JOINED].reshape(len(spectrum), self.n_joined, -1)
            joined = self.drop(self.act(self.join(kept)).flatten(1))
            return torch.cat([self.last(torch.cat([joined, read], 1)), read], 1)  # (N, n_features)

    def begin(self, spectra: Tensor) -> None:
        """First templates as the windows of spectra (K, L) at no shift, each of length SHARP: of random ones the
        correlations are so much alike at all shifts that their softmax hardly ever learns."""
        with torch.no_grad():
            template = self._fine(self.act(self.window(spectra.unfold(1, KERNEL, STEP))))
            length = template.square().sum((1, 2), keepdim=True).sqrt()
            self.shift.template.copy_(SHARP * template / (length * self.shift.scale))

    def _fine(self, windows: Tensor) -> Tensor:
        """(N, C, W), of windows (N, W, C): what is left of them without the mean of their neighbours, as spectra are
        correlated without their continua."""
        windows = windows.transpose(1, 2)
        wide = min(SMOOTH, self.n_windows) // 2 * 2 - 1
        return windows - torch.nn.functional.avg_pool1d(windows, wide, 1, wide // 2, count_include_pad=False)


def begin(network: nn.Module, spectra: np.ndarray) -> None:
    """Templates of all branches of spectra of a network that read shifts; spectra : (K, L), float32, at no shift."""
    for module in network.modules():
        if isinstance(module, SpectrumBranch):
            module.begin(torch.from_numpy(spectra))


def _even_length(n: int) -> int:
    """The least length of at least n whose factors are 2, and 3 once at most: of fast transforms."""
    two = 1 << (n - 1).bit_length()
    return 3 * two // 4 if 3 * two // 4 >= n and two >= 4 else two
