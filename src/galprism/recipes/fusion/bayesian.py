"""Bayesian networks as models of the bench, and whether the uncertainties that they state are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import logsumexp, ndtr

from galprism.errors import RequestError
from galprism.evaluate.calibration import calibrate
from galprism.nets.bayesian import BayesianConfig, BayesianNetwork
from galprism.recipes.fusion.bench import judged, place_of, record
from galprism.recipes.fusion.seen import Seen
from galprism.train.bayesian import Draws, draws_of, embedded, learn
from galprism.train.schedule import LoopConfig

BINNED = 4
"""Pixels of an image that are averaged along each side, 1.6 arcsec: as few as 1,000 labels teach more of 16 x 16 pixels
than of 32 x 32, in half the time."""
COLUMNS = ("photometry", "components")


@dataclass(frozen=True)
class Training:
    """How long a Bayesian network learns. Its last weights are kept: no label is spent on when to stop."""

    batch_size: int = 64
    lr: float = 2e-3
    weight_decay: float = 1e-4
    """Of dropout, where it is the prior of the weights."""
    passes: int = 30
    """Over the galaxies,"""
    steps: int = 600
    """or more where they make fewer steps than these."""
    draws: int = 20
    """Of the weights, when it is asked."""

    def loop(self, n: int, form: str, seed: int) -> LoopConfig:
        """For `n` galaxies."""
        passes = max(self.passes, -(-self.steps // -(-n // self.batch_size)))
        decay = self.weight_decay if form == "dropout" else 0.0  # others have their prior in the loss
        options = {"batch_size": self.batch_size, "weight_decay": decay, "keep": "last", "seed": seed}
        return LoopConfig(epochs=(passes,), lr=(self.lr,), **options)  # type: ignore[arg-type]


@dataclass(frozen=True)
class BayesianModel:
    """A network of images, of columns, or of both, whose weights are distributions."""

    sees: tuple[str, ...] = ("image",)
    """Of image and COLUMNS."""
    network: BayesianConfig = field(default_factory=lambda: BayesianConfig(channels=(8, 16, 32), width=64))
    training: Training = field(default_factory=Training)
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.sees or set(self.sees) - {"image", *COLUMNS}:
            raise RequestError(f"a Bayesian network of {self.sees}; accepted: image, {', '.join(COLUMNS)}, or several")

    @property
    def name(self) -> str:
        return f"Bayesian CNN ({self.network.form}): {' + '.join(self.sees)}"

    @property
    def key(self) -> Any:
        return [asdict(self.network), asdict(self.training), self.seed, BINNED]

    def fit(self, seen: Seen, work: Path) -> FittedBayesian:
        return self.learned(seen, seen.rows("train"), work)

    def learned(self, seen: Seen, rows: np.ndarray, work: Path) -> FittedBayesian:
        """From some galaxies alone."""
        watched = seen.rows("validation")
        some = np.concatenate([rows, watched])
        network = learn(
            inputs_of(seen, self.sees, some),
            seen.standard()[some],
            np.arange(len(rows)),
            np.arange(len(rows), len(some)),
            self.network,
            self.training.loop(len(rows), self.network.form, self.seed),
            work,
            identity=[self.key, rows.tolist()],
        )
        return FittedBayesian(network, self.sees, self.training.draws, self.seed)


@dataclass(frozen=True, eq=False)
class FittedBayesian:
    """One that has learned."""

    network: BayesianNetwork
    sees: tuple[str, ...]
    n_draws: int
    seed: int

    @property
    def weights(self) -> int:
        return self.network.n_weights

    def standard_draws(self, seen: Seen, rows: np.ndarray) -> Draws:
        """Of the targets with mean 0 and standard deviation 1 over training."""
        inputs = inputs_of(seen, self.sees, rows)
        return draws_of(self.network, inputs, np.arange(len(rows)), self.n_draws, self.seed)

    def draws(self, seen: Seen, rows: np.ndarray) -> Draws:
        """In the targets' units."""
        return self.standard_draws(seen, rows).in_units(seen.scale, seen.centre)

    def answers(self, seen: Seen, rows: np.ndarray) -> np.ndarray:
        return self.draws(seen, rows).point

    def embedding(self, seen: Seen, rows: np.ndarray) -> np.ndarray:
        """(n, width), float32: what it makes of galaxies before its answer."""
        return embedded(self.network, inputs_of(seen, self.sees, rows), np.arange(len(rows)))


def inputs_of(seen: Seen, blocks: Sequence[str], rows: np.ndarray) -> tuple[np.ndarray, ...]:
    """What the network is called with: images (n, B, S, S), float16, whose pixels are means of BINNED x BINNED, and
    columns side by side (n, F)."""
    parts: list[np.ndarray] = []
    if "image" in blocks:
        parts.append(np.concatenate([_binned(seen.image[some]) for some in np.array_split(rows, len(rows) // 256 + 1)]))
    columns = [seen.block(name)[rows] for name in COLUMNS if name in blocks]
    return (*parts, np.concatenate(columns, axis=1)) if columns else tuple(parts)


def _binned(image: np.ndarray) -> np.ndarray:
    n, bands, height, width = image.shape
    apart = image.astype(np.float32).reshape(n, bands, height // BINNED, BINNED, width // BINNED, BINNED)
    return apart.mean(axis=(3, 5)).astype(np.float16)


def bayesian_models(**changes: Any) -> list[BayesianModel]:
    """Both forms, of images and of images with the components of spectra; changes : of what they have in common."""
    one = BayesianModel(**changes)
    cold = replace(one.network, form="variational")
    forms = (one.network, cold)
    sights = (("image",), ("image", "components"))
    return [replace(one, sees=sees, network=network) for network in forms for sees in sights]


def uncertainties(models: Sequence[BayesianModel], seen: Seen, sample_key: str, folder: Path) -> list[dict[str, Any]]:
    """What JSON holds of each model and of its uncertainties over the test; judged, and kept, in `folder`."""
    found = []
    rows = seen.rows("test")
    for model in models:
        row = judged(model, seen, sample_key, folder)
        fitted = model.fit(seen, place_of(model, sample_key, folder))  # which has learned already
        draws = fitted.draws(seen, rows)
        stated = {name: calibration_of(draws, j, seen.targets[rows, j]) for j, name in enumerate(seen.names)}
        found.append(record(row) | {"form": model.network.form, "uncertainty": stated})
    return found


def calibration_of(draws: Draws, target: int, true: np.ndarray) -> dict[str, Any]:
    """Of one target, whose distribution is the mixture of all draws: the shares of true values (N,) in its central 68
    and 95 %, the mean ln of its density at them, its PIT, and how much of its variance is epistemic."""
    mean, sigma = draws.mean[:, :, target].astype(float), draws.sigma[:, :, target].astype(float)
    pull = (true - mean) / sigma
    density = logsumexp(-0.5 * pull**2 - np.log(sigma) - 0.5 * np.log(2 * np.pi), axis=0) - np.log(len(mean))
    pit = ndtr(pull).mean(axis=0)
    found = calibrate(true, pit=pit)
    assert found is not None
    inside = {c.nominal: c for c in found.coverage}
    return {
        "coverage_68": inside[0.68].observed,
        "coverage_68_err": inside[0.68].err,
        "coverage_95": inside[0.95].observed,
        "coverage_95_err": inside[0.95].err,
        "log_score": float(density.mean()),
        "log_score_err": float(density.std() / np.sqrt(len(density))),
        "ks": found.ks,
        "ks_p": found.ks_p,
        "epistemic": float((draws.epistemic / draws.variance)[:, target].mean()),
        "sigma": float(np.sqrt(draws.variance[:, target]).mean()),
        "pit": [round(float(value), 4) for value in pit],
    }
