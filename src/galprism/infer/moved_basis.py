"""Spectra of a class at any redshift, in bins as observed, behind the mean intergalactic medium."""

from __future__ import annotations

import numpy as np

from galprism.igm import LYMAN_ALPHA, LYMAN_LIMIT, optical_depth
from galprism.prep.redshift_basis import BIN, BINS, FIRST, ClassBasis, bin_wave

FOREST_STEP = 32
"""Pixels of redshift between which the transmission of the intergalactic medium is taken to be the same."""


class MovedBasis:
    """A class' spectra at any redshift, in bins as observed."""

    def __init__(self, basis: ClassBasis) -> None:
        self.basis, self.name = basis, basis.name
        self.means = basis.binned()
        self.size = len(self.means)
        self.low, self.high = basis.shifts
        self._ends = FIRST - basis.first
        self.forest: np.ndarray | None = None
        if bin_wave()[0] / 10 ** (1e-4 * self.high) < LYMAN_ALPHA:
            moved = np.arange(self.low, self.high + FOREST_STEP, FOREST_STEP)
            wave = bin_wave()[::4]
            redshift = 10.0 ** (1e-4 * moved)[:, None] - 1.0
            through = np.exp(-optical_depth(wave / (1.0 + redshift), redshift))
            through[wave / (1.0 + redshift) < LYMAN_LIMIT] = 0.0
            self.forest = np.repeat(through, 4, axis=1)[:, :BINS].astype(np.float32)

    def at(self, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Spectra (n, K + 1, BINS) moved by `shift` (n,) pixels, the mean's mean square over the bins 1; and the mean
        transmission (n, BINS) of the medium between, where there is any to speak of."""
        start = self._ends - np.asarray(shift)
        windows = np.lib.stride_tricks.sliding_window_view(self.means, BINS * BIN - BIN + 1, axis=1)[:, :, ::BIN]
        found = np.ascontiguousarray(windows[:, start].swapaxes(0, 1))
        through = None
        if self.forest is not None:
            through = self.forest[(np.asarray(shift) - self.low) // FOREST_STEP]
            found *= through[:, None]
        scale = np.sqrt(np.mean(found[:, 0] ** 2, axis=1))
        found /= scale[:, None, None]
        return found, through
