"""Whether a network of two modalities learns from both: measured while it is trained, and treated.

Wu et al. (2022, ICML, PMLR 162, 24043) find that such networks are greedy: they learn from the modality that is learned
from fastest, and leave the other. How much each is made use of is told by conditional utilisation rates: what it takes
off the error that the other alone leaves. Their proxy for these, as rates cannot be had at every step, is the learning
speed: the sum of |g|^2 / |w|^2 over steps, of what joins branches over that of the branches. With features side by side
nothing joins branches but the shared layers, and the speeds of branches of two kinds do not compare; but rates can be
had after every pass, and so the treatment goes by them: where they are further apart than a threshold, the next pass
has windows of steps in which what the modality of more use says is held at its mean, and the other has to answer.
Speeds are told beside.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from galprism.nets import Network
from galprism.nets.joined import MODALITIES
from galprism.train.joined import JoinedData
from galprism.train.loop import Epoch
from galprism.train.losses import loss


@dataclass(frozen=True)
class BalanceConfig:
    """When something is done about it."""

    treat: bool = True
    threshold: float = 0.1
    """Of the difference between the rates."""
    window: int = 5
    """Steps in which the one of more use is held; then come as many in which nothing is."""
    first_epoch: int = 1
    """Nothing is done before that."""
    last_epoch: int = 12
    """Nothing is done from then on, so that branches that have learned to answer alone learn to answer together."""


@dataclass(frozen=True)
class BranchEpoch:
    """Of one pass."""

    epoch: int
    gradient: tuple[float, float]
    """The norm of the gradient of each branch's weights, the mean over steps in which nothing was held."""
    speed: tuple[float, float]
    """Learning speed of each branch: the sum of |g|^2 / |w|^2 over all such steps so far."""
    loss: float
    """On the validation set."""
    alone: tuple[float, float]
    """The same where the image, and the spectrum, is all that there is."""
    held: tuple[int, int]
    """Steps of this pass in which what the image, and the spectrum, says was held at its mean."""

    @property
    def use(self) -> tuple[float, float]:
        """Conditional utilisation rates of the image and of the spectrum, by the root of the losses."""
        return 1 - math.sqrt(self.loss / self.alone[1]), 1 - math.sqrt(self.loss / self.alone[0])


@dataclass
class Balance:
    """Looks at a training of galprism.train.loop; the network's body has its branches in
    `branches.of`."""

    config: BalanceConfig
    validation: JoinedData
    delta: float
    """Of the loss: LoopConfig.delta."""
    device: str = "cpu"
    history: list[BranchEpoch] = field(default_factory=list)
    _speed: list[float] = field(default_factory=lambda: [0.0, 0.0])
    _gradient: list[float] = field(default_factory=lambda: [0.0, 0.0])
    _held: list[int] = field(default_factory=lambda: [0, 0])
    _step: int = 0

    @property
    def holding(self) -> int | None:
        """Which modality is held at this step: its place in MODALITIES."""
        config, passes = self.config, len(self.history)
        if not config.treat or not max(config.first_epoch, 1) <= passes < config.last_epoch:
            return None
        image, spectrum = self.history[-1].use
        if abs(image - spectrum) <= config.threshold or self._step // config.window % 2:
            return None
        return 0 if image > spectrum else 1

    def given(self, seen: list[Tensor]) -> list[Tensor]:
        """In a window, without the modality that is held."""
        held = self.holding
        if held is None:
            return seen
        there = seen[-1].clone()
        there[:, held] = 0
        there[:, 1 - held] = 1  # rows that had that one alone have the other: none is left with neither
        return [*seen[:-1], there]

    def felt(self, network: Network) -> None:
        """Counts the step, and where nothing was held its gradients."""
        held = self.holding
        self._step += 1
        if held is not None:
            self._held[held] += 1
            return
        for i, name in enumerate(MODALITIES):
            gradient, weight = squares(branch_of(network, name))
            self._gradient[i] += math.sqrt(gradient)
            self._speed[i] += gradient / weight

    def passed(self, epoch: Epoch, network: Network) -> None:
        free = max(self._step - sum(self._held), 1)
        image, spectrum = (self._alone(network, kept) for kept in ((True, False), (False, True)))
        line = BranchEpoch(
            epoch=epoch.epoch,
            gradient=(self._gradient[0] / free, self._gradient[1] / free),
            speed=(self._speed[0], self._speed[1]),
            loss=epoch.valid_loss,
            alone=(image, spectrum),
            held=(self._held[0], self._held[1]),
        )
        self.history.append(line)
        self._gradient, self._held, self._step = [0.0, 0.0], [0, 0], 0

    def _alone(self, network: Network, kept: tuple[bool, bool]) -> float:
        total = n = 0.0
        network.eval()
        with torch.no_grad():
            for seen, y in replace(self.validation, kept=kept).pieces():
                raw = network(*(part.to(self.device) for part in seen))
                total += loss(network, raw, y.to(self.device), self.delta).item() * len(y)
                n += len(y)
        return total / n

    def state(self) -> dict[str, Any]:
        return {"history": [asdict(line) for line in self.history]}

    def take_up(self, state: dict[str, Any]) -> None:
        pairs = ("gradient", "speed", "alone", "held")
        self.history = [
            BranchEpoch(**{**line, **{name: tuple(line[name]) for name in pairs}}) for line in state["history"]
        ]
        self._speed = list(self.history[-1].speed) if self.history else [0.0, 0.0]


def branch_of(network: Network, name: str) -> nn.Module:
    """A branch of a network whose features are put side by side."""
    body: Any = network.body  # type: ignore[union-attr]
    return body.branches.of[name]


def squares(branch: nn.Module) -> tuple[float, float]:
    """The sum of the squares of a branch's gradients, and of its weights."""
    weights = list(branch.parameters())
    gradient = sum(float((weight.grad**2).sum()) for weight in weights if weight.grad is not None)
    return gradient, sum(float((weight.detach() ** 2).sum()) for weight in weights)


def utilisation(truth: np.ndarray, both: np.ndarray, image: np.ndarray, spectrum: np.ndarray) -> dict[str, list[float]]:
    """Conditional utilisation rates by target: what a modality takes off the rms error that the other alone leaves, as
    a part of it (Wu et al. 2022, Sect. 3, of errors in place of accuracies). All are (N, P); image, spectrum : answers
    where that one is all that there is."""
    rms = [np.sqrt(np.mean((answer - truth) ** 2, axis=0)) for answer in (both, image, spectrum)]
    return {
        "image": (1 - rms[0] / rms[2]).tolist(),
        "spectrum": (1 - rms[0] / rms[1]).tolist(),
    }
