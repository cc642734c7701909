"""The training loop."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from galprism.errors import GalprismError
from galprism.nets import Network
from galprism.train import checkpoint
from galprism.train.curves import draw_curves
from galprism.train.data import TrainingData, Validation, parts_of
from galprism.train.losses import errors, loss, unit
from galprism.train.schedule import LoopConfig

VALIDATION_ROWS, VALIDATION_NUMBERS = 16_384, 2**20
"""The validation set goes through the network this many rows at a time at most, and so many numbers."""
MOST_NAMED = 32
"""Coordinates whose errors are told one by one; of more, the rms over all."""
PASS_SEEDS = 1_000_003
"""More passes than any training has: each has random numbers of its own."""


@dataclass(frozen=True)
class Epoch:
    """One pass over the training set, a line of log.jsonl."""

    epoch: int
    """From 0."""
    lr: float
    """At its end."""
    train_loss: float
    """The mean over its batches, as they came."""
    valid_loss: float
    valid_rms: tuple[float, ...]
    """Of the errors (galprism.train.losses) of each coordinate's mean, in coordinates; see MOST_NAMED."""
    seconds: float
    best: bool
    """The lowest validation loss so far."""


Report = Callable[[Epoch, int], None]
"""Called after every epoch with it and the number of epochs in all."""


class Watch(Protocol):
    """What looks at a training while it goes, and may have a hand in it."""

    def given(self, seen: list[Tensor]) -> list[Tensor]:
        """What the network is called with in place of `seen` at this step."""
        ...

    def felt(self, network: Network) -> None:
        """The gradients of this step stand in the network's parameters, as they came."""
        ...

    def passed(self, epoch: Epoch, network: Network) -> None:
        """A pass is over."""
        ...

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it: numbers, text, lists and dicts of these."""
        ...

    def take_up(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        ...


def train(
    estimator: Network,
    data: TrainingData,
    validation: Validation,
    config: LoopConfig,
    folder: Path,
    *,
    identity: Any = None,
    device: str = "cpu",
    report: Report | None = None,
    watch: Watch | None = None,
) -> list[Epoch]:
    """Train in place; the estimator ends with the weights that config.keep names. Returns the epochs.

    `folder` receives checkpoint.pt and log.jsonl after every epoch, and curves.png at the end. Where it holds a
    checkpoint of the same training, that is taken up, to the result that an uninterrupted training has: the same
    bit for bit on the same machine with as many threads.

    validation : features and coordinates, in one piece or several. identity : anything that JSON holds and that tells
    this training from others (the recipe); a checkpoint with another one is refused with RequestError.
    Raises GalprismError where a loss is not finite, saying where and what is likely wrong.
    """
    folder.mkdir(parents=True, exist_ok=True)
    estimator.to(device)
    if config.precision == "bfloat16":  # in which convolutions are fastest with the channels last
        estimator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    fingerprint = checkpoint.fingerprint(config, identity, sorted(estimator.state_dict()))
    optimizer = new_optimizer(estimator, config, device)
    history: list[Epoch] = []
    best = {name: value.clone() for name, value in estimator.state_dict().items()}
    state = checkpoint.load(folder, fingerprint)
    if state is not None:
        estimator.load_state_dict(state["weights"])
        optimizer.load_state_dict(state["optimizer"])
        best = {name: value.to(device) for name, value in state["best"].items()}
        history = [Epoch(**{**line, "valid_rms": tuple(line["valid_rms"])}) for line in state["history"]]
        if watch is not None:
            watch.take_up(state["watch"])
    write_log(folder, history)

    for epoch in range(len(history), config.n_epochs):
        if epoch and config.segment(epoch)[1] == 0:  # another segment begins
            estimator.load_state_dict(best)
            optimizer = new_optimizer(estimator, config, device)
        start = time.perf_counter()
        with torch.random.fork_rng(devices=[device] if device.startswith("cuda") else []):
            torch.manual_seed(PASS_SEEDS * config.seed + epoch)  # of dropout
            train_loss = one_pass(estimator, data, optimizer, config, epoch, device, watch)
        valid_loss, valid_rms = validate(estimator, validation, config, epoch, device)
        is_best = valid_loss < min((line.valid_loss for line in history), default=math.inf)
        if is_best:
            best = {name: value.clone() for name, value in estimator.state_dict().items()}
        lr = config.rate(epoch, data.n_batches - 1, data.n_batches)
        line = Epoch(epoch, lr, train_loss, valid_loss, valid_rms, time.perf_counter() - start, is_best)
        history.append(line)
        if watch is not None:
            watch.passed(line, estimator)
        state = {
            "fingerprint": fingerprint,
            "weights": estimator.state_dict(),
            "optimizer": optimizer.state_dict(),
            "best": best,
            "history": [asdict(line) for line in history],
            "watch": None if watch is None else watch.state(),
        }
        checkpoint.save(folder, state)
        write_log(folder, history[-1:], append=True)
        if report is not None:
            report(line, config.n_epochs)

    if config.keep == "best":
        estimator.load_state_dict(best)
    draw_curves(history, folder / "curves.png", unit(estimator, config.delta))
    return history


def new_optimizer(estimator: Network, config: LoopConfig, device: str) -> torch.optim.Optimizer:
    """A fresh one; its learning rate is set before every step."""
    if config.optimizer == "adam":
        if not config.l2:
            return torch.optim.Adam(estimator.parameters(), fused=True)
        # the gradient of l2 times the sum of squares is 2 l2 w; of weights, not of biases
        least = 3 if config.l2_of == "convolutions" else 2
        kernels = [weight for weight in estimator.parameters() if weight.ndim >= least]
        others = [weight for weight in estimator.parameters() if weight.ndim < least]
        groups: list[dict[str, Any]] = [{"params": kernels, "weight_decay": 2.0 * config.l2}, {"params": others}]
        return torch.optim.Adam(groups, fused=True)
    return torch.optim.AdamW(estimator.parameters(), weight_decay=config.weight_decay, fused=True)


def one_pass(
    estimator: Network,
    data: TrainingData,
    optimizer: torch.optim.Optimizer,
    config: LoopConfig,
    epoch: int,
    device: str,
    watch: Watch | None = None,
) -> float:
    """Train for one epoch; returns the mean loss of its batches."""
    estimator.train()
    total, n = 0.0, 0
    halved = config.precision == "bfloat16"
    for step, (x, y) in enumerate(data.batches(epoch)):
        seen, y = [part.to(device) for part in parts_of(x)], y.to(device)
        if watch is not None:
            seen = watch.given(seen)
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=halved):
            raw = estimator(*seen)
        value = loss(estimator, raw.float(), y, config.delta)
        optimizer.zero_grad()
        value.backward()
        if watch is not None:
            watch.felt(estimator)
        lr = config.rate(epoch, step, data.n_batches)
        for group in optimizer.param_groups:
            group["lr"] = lr
        norm = torch.nn.utils.clip_grad_norm_(estimator.parameters(), config.clip or math.inf)
        if not (math.isfinite(value.item()) and math.isfinite(norm.item())):
            raise GalprismError(explain(epoch, step, lr, seen, y, value.item()))
        optimizer.step()
        total += value.item()
        n += 1
    if not n:
        raise GalprismError(f"epoch {epoch}: the training set gave no batch; is every source of it unusable?")
    return total / n


def validate(
    estimator: Network, validation: Validation, config: LoopConfig, epoch: int, device: str
) -> tuple[float, tuple[float, ...]]:
    """The loss on the validation set, and the rms of the errors."""
    estimator.eval()
    total, n, squares = 0.0, 0, torch.zeros(1, dtype=torch.float64)
    with torch.no_grad():
        for xs, ys in pieces_of(validation):
            ys = ys.to(device)
            raw = estimator(*(part.to(device) for part in xs))
            total += loss(estimator, raw, ys, config.delta).item() * len(ys)
            squares = squares + (errors(estimator, raw, ys).double() ** 2).sum(0).cpu()
            n += len(ys)
    if not n:
        raise GalprismError("the validation set is empty")
    if not math.isfinite(total):
        raise GalprismError(f"epoch {epoch}: the validation loss is {total}; the training has diverged, lower train.lr")
    if len(squares) > MOST_NAMED:
        squares = squares.mean().reshape(1)
    return total / n, tuple((squares / n).sqrt().tolist())


def pieces_of(validation: Validation) -> Iterator[tuple[tuple[Tensor, ...], Tensor]]:
    """What goes through the network at a time, and the truth of it."""
    if not isinstance(validation, tuple):
        for seen, y in validation.pieces():
            yield parts_of(seen), y
        return
    x, y = parts_of(validation[0]), validation[1]
    numbers = sum(part[:1].numel() for part in x)
    rows = max(min(VALIDATION_ROWS, VALIDATION_NUMBERS // max(numbers, 1)), 1)
    for start in range(0, len(y), rows):
        piece = slice(start, start + rows)
        yield tuple(part[piece] for part in x), y[piece]


def explain(epoch: int, step: int, lr: float, seen: list[Tensor], y: Tensor, value: float) -> str:
    """Why a loss may not be finite."""
    odd = [~torch.isfinite(part).all(0) for part in seen]
    if any(part.any() for part in odd):
        columns = torch.nonzero(odd[0]).flatten().tolist()
        cause = f"the features are not finite (columns {columns})"
    elif not torch.isfinite(y).all():
        columns = torch.nonzero(~torch.isfinite(y).all(0)).flatten().tolist()
        cause = f"the true values are not finite (coordinates {columns})"
    elif y.abs().max() > 1e3:
        cause = f"a true value is {y.abs().max():.3g} standard deviations from the mean"
    else:
        cause = f"the training diverged: lower train.lr (it was {lr:.3g} here) or train.clip"
    return f"epoch {epoch}, step {step}: the loss is {value} or its gradient is not finite; likely {cause}"


def write_log(folder: Path, epochs: list[Epoch], append: bool = False) -> None:
    """Lines of log.jsonl."""
    with open(folder / "log.jsonl", "a" if append else "w") as file:
        file.writelines(json.dumps(asdict(line)) + "\n" for line in epochs)
