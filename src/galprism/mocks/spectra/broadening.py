"""Spectra moved and broadened, each by widths of its own that change along it, with few Fourier transforms.

On pixels that are even in ln wavelength a redshift is a shift, and motions are convolutions with a Gaussian of one
width; instruments and libraries resolve differently along a spectrum. A convolution with a Gaussian of variance v is
smooth in v, so that three variances, at Chebyshev's nodes of the range that a spectrum needs, give it at all others.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor

MARGIN = 64
"""Pixels before and after those that are wanted: what is broadened reaches into them."""
NODE = np.sqrt(0.75)
"""Chebyshev's nodes of three points on [-1, 1] are 0 and this far on either side."""
NARROWEST = 1e-6
"""Pixels squared, of a range of variances."""


class Broadening:
    """From `size` + 2 MARGIN pixels to the `size` in their middle."""

    def __init__(self, size: int):
        self.size = size
        self.padded = next_fast_len(size + 3 * MARGIN, real=True)
        """Pixels that are transformed; the end of a spectrum goes over into its beginning on those beyond."""
        rest = self.padded - size - 2 * MARGIN
        self._fade = 0.5 - 0.5 * torch.cos(np.pi * torch.arange(1, rest + 1, dtype=torch.float32) / (rest + 1))
        self._k = 2 * np.pi * torch.arange(self.padded // 2 + 1, dtype=torch.float32) / self.padded
        self._minus_half_k2 = -0.5 * self._k**2

    def __call__(self, flux: Tensor, shift: Tensor, variance: Tensor, more: Tensor) -> Tensor:
        """(n, size): the sum of C components of n sources, each moved and broadened.

        flux : (n, C, size + 2 MARGIN), float32
        shift : (n,), pixels, less than one, to the left
        variance : (n, C), pixels squared, of each component
        more : (n, size), pixels squared, that is added at each pixel; nowhere less than -variance
        """
        low, high = more.amin(1), more.amax(1)
        middle, half = 0.5 * (low + high), torch.clamp(0.5 * (high - low), min=NARROWEST)
        bridge = flux[..., -1:] * (1.0 - self._fade) + flux[..., :1] * self._fade
        moved = torch.fft.rfft(torch.cat([flux, bridge], dim=-1))
        angle = shift[:, None] * self._k
        kernel = torch.exp((variance + middle[:, None])[..., None] * self._minus_half_k2)
        moved = torch.polar(torch.ones_like(angle), angle)[:, None] * moved * kernel
        whole = moved.sum(1)
        step = torch.exp((NODE * half)[:, None] * self._minus_half_k2)
        at = torch.stack([whole / step, whole, whole * step], dim=1)
        back = torch.fft.irfft(at, self.padded)[..., MARGIN : MARGIN + self.size]
        place = (more - middle[:, None]) / half[:, None]
        square = place**2
        narrow, wide = (square - NODE * place) / 1.5, (square + NODE * place) / 1.5
        return back[:, 1] * (1.0 - square / 0.75) + back[:, 0] * narrow + back[:, 2] * wide
