"""What networks whose weights are distributions learn from arrays, and draws of what they say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from galprism.nets.bayesian import BayesianConfig, BayesianNetwork
from galprism.prep.augment import turned
from galprism.train.arrays import ArrayData, Parts
from galprism.train.loop import train
from galprism.train.schedule import LoopConfig


@dataclass(frozen=True, eq=False)
class Draws:
    """What T draws of the weights say of N sources: a Gaussian of each of D targets, independent given the weights."""

    mean: np.ndarray
    """(T, N, D)."""
    sigma: np.ndarray
    """(T, N, D), standard deviations."""

    @cached_property
    def point(self) -> np.ndarray:
        """(N, D), the mean of all."""
        return self.mean.mean(axis=0)

    @cached_property
    def aleatoric(self) -> np.ndarray:
        """(N, D), the variance that stays when the weights are known: the mean of theirs."""
        return np.square(self.sigma).mean(axis=0)

    @cached_property
    def epistemic(self) -> np.ndarray:
        """(N, D), the variance that is of not knowing the weights: of their means."""
        return self.mean.var(axis=0)

    @property
    def variance(self) -> np.ndarray:
        """(N, D), of both together (Kendall & Gal 2017, NeurIPS, 5580, eq. 9)."""
        return self.aleatoric + self.epistemic

    def in_units(self, scale: np.ndarray, centre: np.ndarray) -> Draws:
        """The same of targets that are `scale` times these plus `centre`, each (D,)."""
        return Draws(self.mean * scale + centre, self.sigma * scale)


@dataclass(frozen=True, eq=False)
class TurnedData(ArrayData):
    """ArrayData whose first input is images, which are mirrored and turned at random: the sky has no up."""

    def batches(self, epoch: int) -> Iterator[tuple[tuple[Tensor, ...], Tensor]]:
        for number, (seen, targets) in enumerate(super().batches(epoch)):
            rng = np.random.default_rng((self.seed, epoch, number))
            yield (torch.from_numpy(turned(seen[0].numpy(), rng)), *seen[1:]), targets


def learn(
    inputs: Parts,
    targets: np.ndarray,
    rows: np.ndarray,
    watched: np.ndarray,
    network: BayesianConfig,
    loop: LoopConfig,
    folder: Path,
    *,
    identity: Any = None,
) -> BayesianNetwork:
    """A network that has learned from some rows; taken up again from `folder`.

    inputs : images (N, B, S, S) or columns (N, F) or both, in this order. targets : (N, D), of mean 0 and standard
    deviation 1. rows, watched : those to learn from, and those whose loss is told beside it.
    """
    bands, size = next(((part.shape[1], part.shape[2]) for part in inputs if part.ndim == 4), (0, 0))
    columns = next((part.shape[1] for part in inputs if part.ndim == 2), 0)
    made = BayesianNetwork(bands, size, columns, targets.shape[1], network, seed=loop.seed)
    made.n_learned = len(rows)
    data = (TurnedData if bands else ArrayData)(inputs, targets, loop.batch_size, loop.seed, rows)
    train(
        made,
        data,
        ArrayData(inputs, targets, 1, 0, watched),
        loop,
        folder,
        identity=[identity, asdict(network), rows.tolist()],
    )
    return made.eval()


def draws_of(network: BayesianNetwork, inputs: Parts, rows: np.ndarray, n_draws: int, seed: int = 0) -> Draws:
    """What `n_draws` draws of the weights say of rows of the inputs; each source has draws of its own."""
    data = ArrayData(inputs, np.empty((len(inputs[0]), 0), np.float32), 1, 0, rows)
    means, sigmas = [], []
    network.train()  # in which weights are drawn
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for seen, _ in data.pieces():
            said = [network.gaussian(network(*seen)) for _ in range(n_draws)]
            means.append(torch.stack([mean for mean, _ in said]).numpy())
            sigmas.append(torch.exp(torch.stack([ln_sigma for _, ln_sigma in said])).numpy())
    network.eval()
    return Draws(np.concatenate(means, axis=1), np.concatenate(sigmas, axis=1))


def embedded(network: BayesianNetwork, inputs: Parts, rows: np.ndarray) -> np.ndarray:
    """(n, width), float32: what the network makes of rows before its answer, its weights at their means."""
    data = ArrayData(inputs, np.empty((len(inputs[0]), 0), np.float32), 1, 0, rows)
    network.eval()
    with torch.no_grad():
        return torch.cat([network.features(*seen) for seen, _ in data.pieces()]).numpy()
