"""The density of redshifts that are among what a network infers of every source: its mixture, cell by cell."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from galprism.bundle import Bundle
from galprism.infer.redshift import Density
from galprism.infer.session import Marginals
from galprism.prep.frames import Frame

STEP = 0.002
"""In ln(1 + z), of a cell at most: half the width of the sharpest posteriors that five bands give."""


class ToldRedshift:
    """Cells that are even in ln(1 + z): over the range of redshifts in training, or given ones, of which those beyond
    it have nothing."""

    def __init__(self, bundle: Bundle, edges: np.ndarray | None = None) -> None:
        """bundle : one that tells redshifts; edges : (Z + 1,), of cells, in ln(1 + z)."""
        self._target = bundle.targets.index("redshift")
        limits = bundle.ranges[self._target]
        assert limits is not None
        low, high = np.log1p(np.array(limits, float))
        if edges is None:
            n = int(np.ceil((high - low) / STEP))
            edges = low + (high - low) / n * np.arange(n + 1)
        self.redshift = np.expm1(0.5 * (edges[1:] + edges[:-1]))
        first, last = np.searchsorted(edges, [low, high], "right")[0], np.searchsorted(edges, [low, high])[1]
        self._within = slice(first, max(last, first))
        """Of the edges, those that are inside the range."""
        frame = Frame.of([0.0], [limits], np.zeros(self._within.stop - first), None)
        self._inner = frame.coordinates(np.expm1(edges[None, self._within]))[0]

    def of(self, probability: np.ndarray) -> Density:
        """Of probabilities of the cells (N, Z)."""
        return Density(self.redshift, probability)

    def probability(self, marginals: Marginals) -> np.ndarray:
        """(N, Z), float32, of the cells, for a network's marginals."""
        weight, mean, sigma = marginals[0], marginals[1][self._target], marginals[2][self._target]
        below = np.zeros((weight.shape[1], len(self.redshift) + 1))
        below[:, self._within.stop :] = weight.sum(axis=0)[:, None]
        for w, m, s in zip(weight, mean, sigma, strict=True):
            below[:, self._within] += w[:, None] * ndtr((self._inner - m[:, None]) / s[:, None])
        share = np.maximum(np.diff(below, axis=1), 0.0) / below[:, -1:]  # sums of one order and another, to a bit
        return share.astype(np.float32)
