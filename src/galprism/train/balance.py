"""Whether a network of two modalities learns from both: measured while it is trained, and treated.

Wu et al. (2022, ICML, PMLR 162, 24043) find that such networks are greedy: they learn from the modality that is learned
from fastest and leave the other. How fast is told by gradients, the sum of |g|^2 / |w|^2 over the steps so far (their
learning speed); where its logarithms for the two are further apart than a threshold, some steps follow in which what
the fast one says is held at its mean, so that the slow one has to answer. Their networks have modules by which branches
exchange what they found, and the speed of these over that of the branches is taken; where features are put side by side
there are none, and the branches themselves are compared.
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
    """Of log10 of the ratio of learning speeds."""
    window: int = 5
    """Steps in which the fast one is held, each time."""
    first_epoch: int = 1
    """Nothing is done before that."""


@dataclass(frozen=True)
class BranchEpoch:
    """Of one pass."""

    epoch: int
    gradient: tuple[float, float]
    """The norm of the gradient of each branch's weights, the mean over steps in which nothing was held."""
    speed: float
    """log10 of the ratio of learning speeds, the image's over the spectrum's, over all such steps so far."""
    loss: float
    """On the validation set."""
    alone: tuple[float, float]
    """The same where the image, and the spectrum, is all that there is."""
    held: tuple[int, int]
    """Steps of this pass in which what the image, and the spectrum, says was held at its mean."""


@dataclass
class Balance:
    """Looks at a training of galprism.train.loop; the network's body has its branches in `branches.of`."""

    config: BalanceConfig
    validation: JoinedData
    delta: float
    """Of the loss: LoopConfig.delta."""
    device: str = "cpu"
    history: list[BranchEpoch] = field(default_factory=list)
    _speed: list[float] = field(default_factory=lambda: [0.0, 0.0])
    _gradient: list[float] = field(default_factory=lambda: [0.0, 0.0])
    _steps: int = 0
    _held: list[int] = field(default_factory=lambda: [0, 0])
    _holding: int | None = None
    _left: int = 0

    def given(self, seen: list[Tensor]) -> list[Tensor]:
        """In a window, without the modality that is held."""
        if self._holding is None:
            return seen
        there = seen[-1].clone()
        there[:, self._holding] = 0
        there[:, 1 - self._holding] = 1  # rows that had that one alone have the other: nobody is left with none
        return [*seen[:-1], there]

    def felt(self, network: Network) -> None:
        """Adds the gradients to the speeds, and opens or closes a window."""
        if self._holding is not None:
            self._held[self._holding] += 1
            self._left -= 1
            if not self._left:
                self._holding = None
            return
        for i, name in enumerate(MODALITIES):
            gradient, weight = squares(branch_of(network, name))
            self._gradient[i] += math.sqrt(gradient)
            self._speed[i] += gradient / weight
        self._steps += 1
        if (
            self.config.treat
            and len(self.history) >= self.config.first_epoch
            and abs(self.apart) > self.config.threshold
        ):
            self._holding, self._left = (0 if self.apart > 0 else 1), self.config.window

    @property
    def apart(self) -> float:
        """log10 of the ratio of learning speeds, the image's over the spectrum's; 0 where there is none."""
        image, spectrum = self._speed
        return math.log10(image / spectrum) if image > 0 and spectrum > 0 else 0.0

    def passed(self, epoch: Epoch, network: Network) -> None:
        n = max(self._steps, 1)
        image, spectrum = (self._alone(network, kept) for kept in ((True, False), (False, True)))
        line = BranchEpoch(
            epoch=epoch.epoch,
            gradient=(self._gradient[0] / n, self._gradient[1] / n),
            speed=self.apart,
            loss=epoch.valid_loss,
            alone=(image, spectrum),
            held=(self._held[0], self._held[1]),
        )
        self.history.append(line)
        self._gradient, self._held, self._steps = [0.0, 0.0], [0, 0], 0

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
        return {
            "history": [asdict(line) for line in self.history],
            "speed": list(self._speed),
            "holding": self._holding,
            "left": self._left,
        }

    def take_up(self, state: dict[str, Any]) -> None:
        pairs = ("gradient", "alone", "held")
        self.history = [
            BranchEpoch(**{**line, **{name: tuple(line[name]) for name in pairs}}) for line in state["history"]
        ]
        self._speed, self._holding, self._left = list(state["speed"]), state["holding"], state["left"]


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
