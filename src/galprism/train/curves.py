"""The loss curves of a training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


class Point(Protocol):
    """What is drawn of an epoch."""

    @property
    def train_loss(self) -> float: ...
    @property
    def valid_loss(self) -> float: ...
    @property
    def lr(self) -> float: ...


def draw_curves(history: Sequence[Point], path: Path, label: str) -> Figure:
    """Training and validation loss by epoch, with the learning rate below; written as PNG."""
    figure = Figure(figsize=(6, 5), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    epochs = range(1, len(history) + 1)
    valid = [line.valid_loss for line in history]
    above.plot(epochs, [line.train_loss for line in history], label="training, as it went")
    above.plot(epochs, valid, label="validation")
    lowest = min(range(len(valid)), key=valid.__getitem__)
    above.plot(lowest + 1, valid[lowest], "o", color="C1", label=f"lowest: {valid[lowest]:.4g}, epoch {lowest + 1}")
    above.set_ylabel(label)
    if min(valid) > 0 and max(valid) > 10 * min(valid):
        above.set_yscale("log")
    above.legend(frameon=False)
    below.plot(epochs, [line.lr for line in history], color="0.4")
    below.set_yscale("log")
    below.set_ylabel("learning rate")
    below.set_xlabel("epoch")
    figure.savefig(path, dpi=120)
    return figure
