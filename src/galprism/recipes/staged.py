"""The networks of MMLforGalAM (2025), one after the other: a recipe of pictures and spectra to a bundle. Needs PyTorch.

M1 learns from spectra; M2 learns from pictures what M1 made of the spectra; M3 learns from pictures; M4 learns from
what M2 and M3 made of the pictures. Every one is trained once and kept, so that a training that stopped is taken up
where it stood, at any stage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from galprism import bundle
from galprism.config import plain
from galprism.data import Sources
from galprism.data.spectrum_noise import signal_to_noise
from galprism.errors import RequestError
from galprism.nets import Regressor
from galprism.nets.eight_bits import in_eight_bits
from galprism.nets.mmlforgalam import (
    AttentionConfig,
    AttentionNetwork,
    PictureConfig,
    PictureNetwork,
    SimulatorConfig,
    SimulatorNetwork,
    SpectrumConfig,
    SpectrumNetwork,
)
from galprism.nets.staged import FromPictures, FromSpectra, staged_to_onnx
from galprism.prep import Targets, observed_spectra
from galprism.prep.pictures import REASONS, prepare_pictures
from galprism.prep.pictures import PictureConfig as Preparing
from galprism.prep.pictures_and_spectra import PicturesAndSpectra, SeenConfig, Sees, as_inputs, cropped
from galprism.recipes.pairs import NAMES, Pairs, measure_of
from galprism.recipes.parts import origin
from galprism.recipes.populations import pairs_of, rows_of
from galprism.recipes.recipe import Recipe
from galprism.recipes.sky import describe
from galprism.recipes.stages import digest
from galprism.sps import load_library
from galprism.train import Epoch, LoopConfig, train
from galprism.train.arrays import ArrayData, answers_of, features_of

NETWORKS = ("M1", "M2", "M3", "M4")
REAL = "M4 of spectra"
"""The fusion of what M1, in place of M2, makes: the paper's MMLforGalAMwithReal."""
BATCH = 512
"""Galaxies that are prepared at a time."""
CALIBRATION_ROWS = 256
"""Galaxies of training by which the scales of 8-bit numbers are set."""
STREAM = 11
"""Sets the noise that the paper's spectra have, once, apart from other random numbers of the same seed."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """What the networks see of N pairs."""

    spectra: np.ndarray
    """(N, 4171), float16, 0 to 1; 0 where there is none."""
    pictures: np.ndarray
    """(N, 3, size, size), uint8."""
    sn: np.ndarray
    """(N,), of a pixel in r."""
    spectrum_reason: np.ndarray
    """(N,), text: why a spectrum is left out; empty where it is not."""
    picture_reason: np.ndarray
    """(N,), text, of pictures."""

    @property
    def good(self) -> np.ndarray:
        """(N,), bool: pairs that are learned from and tried on, as the paper's are."""
        return (self.spectrum_reason == "") & (self.picture_reason == "")

    def dropped(self) -> dict[str, int]:
        """How many pairs were left out for each reason, the spectrum's first."""
        reason = np.where(self.spectrum_reason != "", self.spectrum_reason, self.picture_reason)
        told = (*observed_spectra.REASONS, *REASONS)
        return {name: n for name in told if (n := int(np.count_nonzero(reason == name)))}


def prepared(recipe: Recipe, known: Pairs, folder: Path, progress: Callable[[int], None] | None = None) -> Prepared:
    """The pairs as the paper prepares them, spectra with the noise of one exposure; kept in `folder`."""
    seen = seen_of(recipe)
    n, size = len(known), seen.size
    identity: list[Any] = [
        plain(each) for each in (recipe.field, recipe.chosen, recipe.images, recipe.spectra, recipe.noise)
    ]
    identity.append([load_library(name).hash for name in recipe.stars])
    place = folder / f"prepared-{digest([*identity, recipe.survey, recipe.seed, n, size, seen.crop])}"
    files = ("spectra", "pictures", "sn", "spectrum_reason", "picture_reason")
    if not place.exists():
        part = place.with_suffix(".part")
        part.mkdir(parents=True, exist_ok=True)
        longest = max(map(len, (*observed_spectra.REASONS, *REASONS)))
        kinds: tuple[Any, ...] = (np.float16, np.uint8, np.float32, f"U{longest}", f"U{longest}")
        shapes = ((n, len(observed_spectra.WAVE)), (n, 3, size, size), (n,), (n,), (n,))
        kept = {
            name: np.lib.format.open_memmap(part / f"{name}.npy", "w+", kind, shape)
            for name, kind, shape in zip(files, kinds, shapes, strict=True)
        }
        for rows, sources in exposed_once(recipe, known):
            assert sources.spectra is not None
            sn = signal_to_noise(sources.spectra, per="pixel")
            found = observed_spectra.prepare(sources.spectra, known.redshift[rows], np.zeros(len(rows)), sn)
            kept["spectra"][rows[found.index]] = found.values
            kept["sn"][rows], kept["spectrum_reason"][rows] = sn, found.reason
            pictures = prepare_pictures(cropped(np.asarray(known.pictures[rows]), seen.crop), Preparing(size))
            kept["pictures"][rows], kept["picture_reason"][rows] = pictures.values, pictures.reason
            if progress is not None:
                progress(len(rows))
        for array in kept.values():
            array.flush()
        part.replace(place)
    return Prepared(**{name: np.load(place / f"{name}.npy", mmap_mode="r") for name in files})


def exposed_once(
    recipe: Recipe, known: Pairs, wanted: np.ndarray | None = None
) -> Iterator[tuple[np.ndarray, Sources]]:
    """Pairs with the noise of one exposure, which is the same whenever it is asked for: rows, and their sources, some
    at a time; wanted : rows, of which none is missing from what is given; None for all."""
    measure, n = measure_of(recipe, known), len(known)
    for number, start in enumerate(range(0, n, BATCH)):
        rows = np.arange(start, min(start + BATCH, n))
        if wanted is not None and not np.isin(rows, wanted).any():
            continue
        yield rows, measure(rows, np.random.default_rng((recipe.seed, STREAM, number)))


def seen_of(recipe: Recipe) -> SeenConfig:
    """What the recipe's networks see. Raises RequestError for a recipe that is not of theirs."""
    if recipe.staged is None:
        raise RequestError(
            f"recipe {recipe.name} has no [staged]; accepted: recipes of networks of pictures and spectra"
        )
    return recipe.staged.seen


class Staged:
    """The training of the networks, each made when it is asked for and kept below `work`."""

    def __init__(
        self,
        recipe: Recipe,
        known: Pairs,
        seen: Prepared,
        work: Path,
        *,
        device: str = "cpu",
        report: Callable[[str, Epoch, int], None] | None = None,
        spectra: Staged | None = None,
        asked: np.ndarray | None = None,
    ):
        """report : called after every pass with the name of the network; spectra : others, whose M1 is taken; asked :
        rows of the test set that are asked about; None for all.

        Raises RequestError for targets that pairs do not have.
        """
        check_targets(recipe)
        assert recipe.staged is not None
        self.recipe, self.config, self.known, self.seen = recipe, recipe.staged, known, seen
        self.work, self.device, self.report = work, device, report
        every = {what: rows_of(recipe, what) for what in SETS}
        if asked is not None:
            every["test"] = np.intersect1d(every["test"], asked)
        self.whole = np.concatenate(list(every.values()))
        """The rows that features are made of."""
        self.rows = {what: rows[np.asarray(seen.good[rows])] for what, rows in every.items()}
        values = np.stack([known.column(name) for name in recipe.targets.names], axis=1)
        nothing = np.zeros(len(values))
        self.targets = Targets.fit(recipe.targets, values[self.rows["train"]], nothing[self.rows["train"]])
        self.values = self.targets.encode(values, nothing)
        """(N, D), the coordinates of all pairs."""
        self._spectra = spectra
        self._networks: dict[str, Regressor] = {}
        self._features: dict[str, np.ndarray] = {}

    def network(self, name: str) -> Regressor:
        """A trained network: one of NETWORKS, or REAL."""
        if name == "M1" and self._spectra is not None:
            return self._spectra.network(name)
        if name not in self._networks:
            self._networks[name] = self._trained(name)
        return self._networks[name]

    def features(self, name: str) -> np.ndarray:
        """(N, 1024), float32: what M1, M2 or M3 makes of the pairs; 0 of those that are not in `whole`."""
        if name == "M1" and self._spectra is not None:
            return self._spectra.features(name)
        if name not in self._features:
            place = self.work / f"features-{name}-{digest(self._kept_by())}.npy"
            if not place.exists():
                found = features_of(self.network(name), self._data(name, self.whole), self.device)
                whole = np.zeros((len(self.known), found.shape[1]), np.float32)
                whole[self.whole] = found
                place.parent.mkdir(parents=True, exist_ok=True)
                partial = place.with_suffix(".part.npy")
                np.save(partial, whole)
                partial.replace(place)
            self._features[name] = np.load(place, mmap_mode="r")
        return self._features[name]

    def answers(self, name: str, rows: np.ndarray) -> np.ndarray:
        """(n, P): the parameters of the targets that a network gives for some pairs."""
        found = answers_of(self.network(name), self._data(name, rows), self.device)
        return self.targets.decode(found, np.zeros(len(rows)))

    def _data(self, name: str, rows: np.ndarray) -> ArrayData:
        """What a network learns from, or is asked about."""
        assert self.config is not None
        common: dict[str, Any] = {"batch_size": self.config.batch_size, "seed": self.recipe.seed, "rows": rows}
        if name == "M1":
            return ArrayData((self.seen.spectra,), self.values, **common)
        if name in ("M2", "M3"):
            targets = self.features("M1") if name == "M2" else self.values
            return ArrayData((self.seen.pictures,), targets, channels=self.config.seen.channels, **common)
        spectral = self.features("M1" if name == REAL else "M2")
        return ArrayData((spectral, self.features("M3")), self.values, **common)

    def _trained(self, name: str) -> Regressor:
        config, number = self.config, NETWORKS.index("M4" if name == REAL else name)
        loop = LoopConfig(
            epochs=(config.epochs[number],),
            lr=(config.lr[number],),
            schedule="constant",
            batch_size=config.batch_size,
            optimizer="adam",
            l2=config.l2 if name in ("M1", "M3") else 0.0,
            l2_of="convolutions",
            clip=0.0,
            loss="mse",
            precision=config.precision,
            seed=number,
        )
        network = Regressor(self._make(name), self._n_outputs(name), seed=number)
        report = self.report
        train(
            network,
            self._data(name, self.rows["train"]),
            self._data(name, self.rows["validation"]),
            loop,
            self.work / name.replace(" ", "-"),
            identity=[name, self._identity()],
            device=self.device,
            report=None if report is None else lambda epoch, of: report(name, epoch, of),
        )
        return network

    def _kept_by(self) -> list[Any]:
        """What features depend on: the networks, and the rows that they are made of."""
        return [self._identity(), self.whole.tolist()]

    def _identity(self) -> dict[str, Any]:
        """What the networks depend on: neither which of them are exported, nor how."""
        config = replace(self.config, eight_bits=True, seen=replace(self.config.seen, sees="pictures"))
        told = plain(replace(self.recipe, staged=config))
        return {key: value for key, value in told.items() if key not in BESIDE}

    def _make(self, name: str) -> Callable[[int], Any]:
        size, channels = self.config.seen.size, len(self.config.seen.bands)
        return {
            "M1": lambda n: SpectrumNetwork(n, SpectrumConfig(), n_points=self.seen.spectra.shape[1]),
            "M2": lambda n: SimulatorNetwork(channels, size, SimulatorConfig()),
            "M3": lambda n: PictureNetwork(channels, size, n, PictureConfig()),
        }.get(name, lambda n: AttentionNetwork(n, AttentionConfig()))

    def _n_outputs(self, name: str) -> int:
        return SimulatorConfig().features if name == "M2" else len(self.targets.names)

    def model(self, sees: Sees) -> tuple[bytes, int]:
        """As ONNX, from rows of galprism.prep.pictures_and_spectra to parameters, and how many weights it has:
        "pictures" by M2, M3 and M4; "spectra" by M1; "both" by M1, M3 and their M4."""
        parts = [self.network(name).cpu().eval() for name in NEEDS[sees]]
        make: Any = {"pictures": FromPictures, "both": FromSpectra}.get(sees, lambda body: body)
        seen = replace(self.config.seen, sees=sees)
        picture = (len(seen.bands), seen.size, seen.size) if seen.n_picture else (0, 0, 0)
        whole = make(*(part.body for part in parts))
        made = staged_to_onnx(whole, seen.n_spectrum, picture, self.targets.linear, self.targets.offset)
        if self.config.eight_bits:
            made = in_eight_bits(made, self._few(seen))
        return made, sum(part.n_weights for part in parts)

    def _few(self, seen: SeenConfig) -> list[dict[str, np.ndarray]]:
        """Rows of the training set by which the scales of 8-bit numbers are set."""
        found = []
        for start in range(0, min(CALIBRATION_ROWS, len(self.rows["train"])), 16):
            rows = self.rows["train"][start : min(start + 16, CALIBRATION_ROWS)]
            parts = [self.seen.spectra[rows].astype(np.float32)] if seen.n_spectrum else []
            parts += [as_inputs(self.seen.pictures[rows], seen)] if seen.n_picture else []
            found.append({"features": np.concatenate(parts, axis=1)})
        return found


def staged_bundle(recipe: Recipe, trained: Staged, sees: Sees) -> bundle.Bundle:
    """What inference needs of trained networks; sees : as of `Staged.model`."""
    model, n_weights = trained.model(sees)
    targets, seen = trained.targets, replace(trained.config.seen, sees=sees)
    name = recipe.name if sees == "pictures" else f"{recipe.name}-{sees}"
    return bundle.Bundle(
        **origin(recipe, (), describe(recipe)) | {"name": name},
        preparation=PicturesAndSpectra(seen),
        targets=targets.names,
        anchored=tuple(targets.anchored.tolist()),
        ranges=targets.ranges,
        kind="point",
        network={"kind": "mmlforgalam", "parts": list(NEEDS[sees]), "weights": n_weights},
        metrics={f"{what}_sources": len(rows) for what, rows in trained.rows.items()},
        model=model,
    )


def check_targets(recipe: Recipe) -> None:
    """Raises RequestError for targets that pairs do not have."""
    missing = [name for name in recipe.targets.names if name not in NAMES]
    if missing:
        raise RequestError(
            f"recipe {recipe.name}: targets.names has {', '.join(missing)}; accepted: {', '.join(NAMES)}"
        )


def train_staged(
    recipe: Recipe,
    *,
    work: Path,
    device: str = "cpu",
    report: Callable[[Epoch, int], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> bundle.Bundle:
    """Train a recipe of these networks; `work` keeps pairs, features and checkpoints, and takes up a training that
    stopped, at whatever stage. The bundle is not written yet."""
    check_targets(recipe)
    known = pairs_of(recipe, work, progress)
    seen = prepared(recipe, known, work)
    told = None if report is None else lambda name, epoch, of: report(epoch, of)
    trained = Staged(recipe, known, seen, work, device=device, report=told)
    return staged_bundle(recipe, trained, seen_of(recipe).sees)


SETS = ("train", "validation", "test")
NEEDS = {"pictures": ("M2", "M3", "M4"), "spectra": ("M1",), "both": ("M1", "M3", REAL)}
BESIDE = ("name", "title", "reference", "fit", "redshift", "net", "train", "prep", "drop")
"""What may change in a recipe without the networks becoming others."""
