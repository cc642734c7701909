"""What a network that ranks redshifts learns from: sets of candidates, of which the first is true.

The true ln(1 + z) is scattered by s to a centre, and the other candidates are scattered by s around that: the truth is
then one of a set whose members are alike but for what the fluxes say, whatever s is, and the network learns the ratios
of the posterior's density at all distances.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from galprism.data import Photometry, Sources
from galprism.prep import Preparation
from galprism.train.data import Draw, picked

CHUNK_ROWS = 8192
"""Sources are drawn and prepared this many at a time, then dealt out in batches."""
IMPOSSIBLE = -1e5
"""nat, of a candidate outside the range of redshifts."""


@dataclass(frozen=True, eq=False)
class CandidateData:
    """Simulated galaxies with fresh noise and fresh candidates every pass."""

    draw: Draw
    n_sources: int
    preparation: Preparation
    n_candidates: int
    spread: tuple[float, float]
    """In ln(1 + z), rms, of a set; drawn evenly in the logarithm."""
    batch_size: int
    seed: int
    fixed: bool = False
    """Every pass the same: for validation."""

    @property
    def n_batches(self) -> int:
        """Batches of one pass, at most."""
        return max(self.n_sources // self.batch_size, 1)

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Features (n, M, F) and what was thought of each candidate (n, M), nat; what is left over of a chunk waits
        for another pass."""
        for x, thought in self._chunks(epoch):
            size = min(self.batch_size, len(x))
            for start in range(0, len(x) - size + 1, max(size, 1)):
                rows = slice(start, start + size)
                yield torch.from_numpy(x[rows]), torch.from_numpy(thought[rows])

    def everything(self) -> tuple[Tensor, Tensor]:
        """One pass in one piece."""
        xs, ys = (np.concatenate(parts) for parts in zip(*self._chunks(0), strict=True))
        return torch.from_numpy(xs), torch.from_numpy(ys)

    def _chunks(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for rows, rng in picked(self.n_sources, CHUNK_ROWS, self.seed, epoch, fixed=self.fixed):
            sets = [self._sets(sources, rng) for _, sources in self.draw(rows, rng)]
            x, thought = (np.concatenate(parts) for parts in zip(*sets, strict=True))
            mixed = rng.permutation(len(x))
            yield x[mixed], thought[mixed]

    def _sets(self, sources: Sources, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        assert sources.redshift is not None
        assert sources.photometry is not None
        n, m = len(sources), self.n_candidates
        place, inside = scatter(np.log1p(sources.redshift), m, self.spread, self.preparation.redshift_range, rng)
        each = np.repeat(np.arange(n), m)
        photometry: Photometry = sources.photometry.take(each)
        asked = replace(sources.take(each), photometry=photometry, redshift=np.expm1(place.ravel()))
        features = self.preparation.features(asked, check=False, evidence=True)
        assert features.ln_evidence is not None
        good = features.usable.reshape(n, m)
        thought = np.where(inside & good, features.ln_evidence.reshape(n, m), IMPOSSIBLE)
        thought = thought - thought.max(axis=1, keepdims=True)
        kept = good[:, 0]
        return features.inputs.reshape(n, m, -1)[kept], np.maximum(thought, IMPOSSIBLE).astype(np.float32)[kept]


def scatter(
    true: np.ndarray, n_candidates: int, spread: tuple[float, float], z_range: tuple[float, float], rng
) -> tuple[np.ndarray, np.ndarray]:
    """Candidates of ln(1 + z) (N, M), the first of each set the true one (N,), held within the range of redshifts, and
    whether they were there by themselves (N, M)."""
    low, high = np.log1p(z_range)
    s = np.exp(rng.uniform(*np.log(spread), len(true)))[:, None]
    centre = true[:, None] + s * rng.standard_normal((len(true), 1))
    place = centre + s * rng.standard_normal((len(true), n_candidates))
    place[:, 0] = true
    inside = (place >= low) & (place <= high)
    inside[:, 0] = True
    return np.clip(place, low + 1e-9, high - 1e-9), inside
