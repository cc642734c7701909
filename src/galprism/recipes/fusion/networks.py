"""Networks of the bench: of images, of spectra, of both joined in a network, and of photometry as well, all by the one
loop. Needs PyTorch."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from galprism.config import plain
from galprism.data.spectrum_files.sdss import DEX_PER_PIXEL
from galprism.errors import RequestError
from galprism.nets import Regressor
from galprism.nets.joined import (
    Alone,
    AttentionFusion,
    EarlyFusion,
    IntermediateFusion,
    JoinedConfig,
    Shape,
    dense_branch,
    image_branch,
    spectrum_branch,
)
from galprism.nets.spectrum_branch import TEMPLATES, begin
from galprism.recipes.fusion.bars import OURS
from galprism.recipes.fusion.seen import Seen
from galprism.train import LoopConfig, train
from galprism.train.arrays import ArrayData, answers_of
from galprism.train.balance import Balance, BalanceConfig, utilisation
from galprism.train.device import fast_precision
from galprism.train.joined import JoinedData

BOTH = ("image", "spectrum")
ALL = (*BOTH, "photometry")
BALANCE = "balance.json"
"""What was measured of both branches while they were trained, beside the checkpoint."""

Make = Callable[[int, Shape, JoinedConfig], Any]


@dataclass(frozen=True)
class NetworkKind:
    """A row of the table of networks."""

    sees: tuple[str, ...]
    make: Make


KINDS = {
    "image CNN": NetworkKind(("image",), lambda n, shape, own: Alone(image_branch(shape, own), n, own)),
    "dense": NetworkKind(("spectrum",), lambda n, shape, own: Alone(dense_branch(shape, own), n, own)),
    "spectrum CNN": NetworkKind(("spectrum",), lambda n, shape, own: Alone(spectrum_branch(shape, own), n, own)),
    "early fusion": NetworkKind(BOTH, EarlyFusion),
    "intermediate fusion": NetworkKind(BOTH, IntermediateFusion),
    "attention fusion": NetworkKind(BOTH, AttentionFusion),
    OURS: NetworkKind(ALL, lambda n, shape, own: IntermediateFusion(n, shape, own, ALL)),
}


@dataclass(frozen=True)
class NetworkConfig:
    """How a network of the bench is made and trained."""

    net: JoinedConfig = field(default_factory=JoinedConfig)
    passes: int = 40
    """Over the galaxies of training; the weights of the lowest loss on those of validation are kept."""
    lr: float = 2e-3
    weight_decay: float = 1e-2
    batch_size: int = 64
    redshift: float = 15.0
    """How much an error of the redshift, in its standard deviations, counts beside those of the rest: a spectrum says
    it far better than the others, and its share of the loss would be gone before it is well known."""
    delta: float = 1.0
    """Where the Huber loss goes over from quadratic to linear, in standard deviations: the redshift of a galaxy that
    has lost its spectrum would otherwise outweigh all the rest."""
    lost: float = 0.05
    """Of fusions: the share of galaxies that lose the image in training, and of those that lose the spectrum (and the
    photometry, where that is seen); none loses two."""
    balance: BalanceConfig | None = None
    """Of the intermediate fusion: its branches are watched, and treated if it says so."""
    seed: int = 0

    def loop(self, keep: Literal["best", "last"] = "best") -> LoopConfig:
        return LoopConfig(
            epochs=(self.passes,),
            lr=(self.lr,),
            batch_size=self.batch_size,
            weight_decay=self.weight_decay,
            huber_delta=self.delta,
            precision=fast_precision(),  # type: ignore[arg-type]
            keep=keep,
            seed=self.seed,
        )


@dataclass(frozen=True, eq=False)
class FittedNetwork:
    """A trained network with what scales its targets."""

    network: Regressor
    sees: tuple[str, ...]
    weight: np.ndarray
    """(P,), of the coordinates over the standard targets."""

    @property
    def weights(self) -> int:
        return self.network.n_weights

    def answers(self, seen: Seen, rows: np.ndarray, there: tuple[bool, ...] = ()) -> np.ndarray:
        """(n, P), in the targets' units; there : whether it is shown each of what it sees, all where nothing is said.

        Raises RequestError where that is of another number of modalities, and where nothing is left.
        """
        if there and (len(there) != len(self.sees) or not any(there)):
            raise RequestError(
                f"there = {there} of a network of {' and '.join(self.sees)}; accepted: one or more of what it sees"
            )
        nothing = np.zeros((len(seen), len(self.weight)), np.float32)
        data = _data(seen, rows, self.sees, nothing, batch_size=1, seed=0)
        return seen.in_units(answers_of(self.network, replace(data, kept=there)) / self.weight)


@dataclass(frozen=True)
class NetworkModel:
    """A network as a row of the bench."""

    kind: str
    """One of KINDS."""
    config: NetworkConfig = field(default_factory=NetworkConfig)
    variant: str = ""
    """Tells it from others of its kind, in its name."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise RequestError(f"network {self.kind!r}; accepted: {', '.join(KINDS)}")
        if self.config.balance is not None and self.kind != "intermediate fusion":
            raise RequestError(f"balance of {self.kind!r}; accepted: of 'intermediate fusion', which has two branches")

    @property
    def sees(self) -> tuple[str, ...]:
        return KINDS[self.kind].sees

    @property
    def name(self) -> str:
        what = self.kind + (f", {self.variant}" if self.variant else "")
        return f"{what}: {' + '.join(self.sees)}"

    @property
    def key(self) -> Any:
        """The settings: those of the fusions have no say in what sees one modality."""
        told = plain(self.config)
        return told if len(self.sees) > 1 else {name: value for name, value in told.items() if name != "lost"}

    def fit(self, seen: Seen, work: Path) -> FittedNetwork:
        """Learn from the galaxies of training; in `work` stands the checkpoint, and where branches are watched what was
        measured of them, BALANCE."""
        fitted, balance = fitted_network(self, seen, seen.rows("train"), seen.rows("validation"), work)
        if balance is not None:
            told = {
                "branches": [asdict(line) | {"use": line.use} for line in balance.history],
                "utilisation": utilised(fitted, seen, seen.rows("validation")),
            }
            (work / BALANCE).write_text(json.dumps(told) + "\n")
        return fitted


def fitted_network(
    model: NetworkModel,
    seen: Seen,
    learned: np.ndarray,
    held: np.ndarray,
    work: Path,
    keep: Literal["best", "last"] = "best",
) -> tuple[FittedNetwork, Balance | None]:
    """A network trained on the rows `learned`; its weights are those that are best on the rows `held`, or the last."""
    config, sees = model.config, model.sees
    weight = np.where(np.asarray(seen.names) == "redshift", config.redshift, 1.0)
    coordinates = (seen.standard() * weight).astype(np.float32)
    bands, side = seen.image.shape[1:3]
    shape = Shape(bands, side, seen.spectrum.shape[1], seen.photometry.shape[1])
    network = Regressor(lambda n: KINDS[model.kind].make(n, shape, config.net), len(weight), seed=config.seed)
    if "spectrum" in sees and "redshift" in seen.names:
        begin(network, at_rest(seen, learned))
    common: dict[str, Any] = {"batch_size": config.batch_size, "seed": config.seed, "lost": config.lost}
    data, validation = (_data(seen, rows, sees, coordinates, **common) for rows in (learned, held))
    loop = config.loop(keep)
    balance = None if config.balance is None else Balance(config.balance, validation, loop.delta)
    identity = [model.name, model.key, _told(learned), _told(held)]
    train(network, data, validation, loop, work, identity=identity, watch=balance)
    return FittedNetwork(network, sees, weight), balance


def at_rest(seen: Seen, rows: np.ndarray, kinds: int = TEMPLATES) -> np.ndarray:
    """(K, L), float32: mean spectra of galaxies, shifted to the rest frame by whole pixels, of as many equal parts of
    them from the bluest to the reddest, on the grid of the observed ones; where none reaches, 0."""
    redshift = seen.targets[rows, seen.names.index("redshift")]
    shift = np.rint(np.log10(1 + redshift) / DEX_PER_PIXEL).astype(int)
    half = seen.spectrum.shape[1] // 2
    slope = seen.spectrum[rows, half:].mean(axis=1) - seen.spectrum[rows, :half].mean(axis=1)
    found = np.zeros((kinds, seen.spectrum.shape[1]), np.float32)
    for k, own in enumerate(np.array_split(np.argsort(slope), kinds)):
        n = np.zeros(found.shape[1])
        for row, by in zip(rows[own], np.clip(shift[own], 0, None), strict=True):
            there = seen.spectrum[row, by:]
            found[k, : len(there)] += there
            n[: len(there)] += 1
        found[k] /= np.maximum(n, 1)
    return found


def _told(rows: np.ndarray) -> list[int]:
    return [int(rows[0]), int(rows[-1]), len(rows)]


def _data(
    seen: Seen,
    rows: np.ndarray,
    sees: tuple[str, ...],
    targets: np.ndarray,
    *,
    batch_size: int,
    seed: int,
    lost: float = 0.0,
) -> JoinedData:
    inputs = tuple(seen.block(name) for name in sees)
    shares = (lost,) * len(sees) if len(sees) > 1 else None
    return JoinedData(ArrayData(inputs, targets, batch_size, seed, rows), sees[0] == "image", shares)


def utilised(fitted: FittedNetwork, seen: Seen, rows: np.ndarray) -> dict[str, list[float]]:
    """Conditional utilisation rates by target, of a network of both: see galprism.train.balance."""
    asked = {there: fitted.answers(seen, rows, there) for there in ((True, True), (True, False), (False, True))}
    return utilisation(seen.targets[rows], asked[True, True], asked[True, False], asked[False, True])


def networks(config: NetworkConfig | None = None) -> list[NetworkModel]:
    """All networks of the bench but those that are trained to show imbalance. The intermediate fusion is watched; ours
    loses nothing in training, as of labels that are made of photometry there is little to say without."""
    config = config or NetworkConfig()
    special = {
        "intermediate fusion": replace(config, balance=BalanceConfig(treat=False)),
        OURS: replace(config, lost=0.0),
    }
    return [NetworkModel(kind, special.get(kind, config)) for kind in KINDS]


def balance_study(config: NetworkConfig | None = None) -> list[NetworkModel]:
    """The intermediate fusion watched, of which no modality is taken away: as it is, and with the branch of more use
    held, in the first half of the passes, while it is of much more."""
    whole = replace(config or NetworkConfig(), lost=0.0)
    watched, treated = BalanceConfig(treat=False), BalanceConfig(last_epoch=whole.passes // 2)
    return [
        NetworkModel("intermediate fusion", replace(whole, balance=watched), "untreated"),
        NetworkModel("intermediate fusion", replace(whole, balance=treated), "balanced"),
    ]
