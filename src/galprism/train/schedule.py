"""How long to train and at which learning rates: segments, each one cycle or constant."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from galprism.errors import RequestError

LAST_RATE = 1e-3
"""A cycle ends at this fraction of its peak."""


@dataclass(frozen=True)
class LoopConfig:
    """How a network is trained: in segments, each of which starts from the best weights so far with a fresh optimizer
    (the segmented training of Guo et al. 2024, Sect. 3.2, has three; one is the rule)."""

    epochs: tuple[int, ...] = (12,)
    """Passes over the training set, of each segment."""
    lr: tuple[float, ...] = (2e-3,)
    """Learning rate of each segment; the peak of its cycle."""
    schedule: Literal["one-cycle", "constant"] = "one-cycle"
    """Within a segment: a linear climb to the peak, then a cosine down to a thousandth of it; or constant."""
    warmup: float = 0.1
    """The share of a cycle's steps in which the learning rate climbs."""
    batch_size: int = 1000
    optimizer: Literal["adamw", "adam"] = "adamw"
    weight_decay: float = 1e-4
    """Of AdamW."""
    l2: float = 0.0
    """Of Adam: the loss has this times the sum of the squares of all weights, biases left out."""
    l2_of: Literal["weights", "convolutions"] = "weights"
    """Whose weights they are: of all layers, or of convolutions alone."""
    clip: float = 5.0
    """Gradients longer than this are shortened to it; 0 for never."""
    loss: Literal["huber", "mse"] = "huber"
    """Of point estimators, whose coordinates it is averaged over; mixtures have their likelihood."""
    huber_delta: float = 1e-3
    """Of the Huber loss, in the units of the coordinates."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the products in training; weights, losses and what is validated stay in float32. The second takes half the
    time or less on processors and GPUs that have such numbers."""
    keep: Literal["best", "last"] = "best"
    """Which weights are kept: those of the lowest validation loss, or the last."""
    seed: int = 0
    """Of the first weights, and of what is drawn every pass."""

    def __post_init__(self) -> None:
        if not self.epochs or any(n < 1 for n in self.epochs):
            raise RequestError(f"train.epochs = {self.epochs}; accepted: one number above zero or more")
        if len(self.lr) != len(self.epochs) or not all(lr > 0 for lr in self.lr):
            raise RequestError(f"train.lr = {self.lr}; accepted: {len(self.epochs)} positive numbers, one a segment")
        if self.batch_size < 1:
            raise RequestError(f"train.batch_size = {self.batch_size}; accepted: 1 or more")
        if not 0 <= self.warmup < 1:
            raise RequestError(f"train.warmup = {self.warmup}; accepted: a share from 0 up to 1")

    @property
    def delta(self) -> float:
        """Where the loss goes over from quadratic to linear: nowhere for the mean square error."""
        return math.inf if self.loss == "mse" else self.huber_delta

    @property
    def n_epochs(self) -> int:
        """Of the whole training."""
        return sum(self.epochs)

    def segment(self, epoch: int) -> tuple[int, int]:
        """Which segment an epoch belongs to, and how many of the segment's epochs came before it."""
        number = 0
        while epoch >= self.epochs[number]:
            epoch -= self.epochs[number]
            number += 1
        return number, epoch

    def rate(self, epoch: int, step: int, n_steps: int) -> float:
        """The learning rate at one step of an epoch of n_steps."""
        number, before = self.segment(epoch)
        peak = self.lr[number]
        if self.schedule == "constant":
            return peak
        at = min((before * n_steps + step + 1) / (self.epochs[number] * n_steps), 1.0)
        if at < self.warmup:
            return peak * at / self.warmup
        fall = 0.5 * (1 + math.cos(math.pi * (at - self.warmup) / (1 - self.warmup)))
        return peak * (LAST_RATE + (1 - LAST_RATE) * fall)
