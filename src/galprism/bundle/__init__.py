"""A bundle: all that passes from training to inference, as a folder of JSON and ONNX.

    bundle.json   what it is: survey, bands, preparation, targets, definitions, ranges, recipe, seed, versions, metrics,
                  and the sha256 of the other files and of itself
    model.onnx    the network with its weights; features in, parameters out (see galprism.nets.readout)
    basis.npz     of a model of any bands: its basis of spectra
    redshift.onnx of a model that needs no redshift: the network that ranks redshifts (see galprism.nets.scorer)
    spectra.npz   of a model of several modalities: the basis of its spectra
    redshifts.npz of a model that finds redshifts of spectra: spectra at rest of each class
    README.md     the model card

Nothing in it is pickled, and loading one runs no code from it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

import galprism
from galprism import passbands, surveys
from galprism.bundle.card import define, model_card
from galprism.errors import RequestError
from galprism.params import PARAMS
from galprism.prep import Preparation
from galprism.prep.basis import Basis
from galprism.prep.classes import ClassPreparation
from galprism.prep.frames import Frame, Range
from galprism.prep.modalities import Modalities
from galprism.prep.pictures_and_spectra import PicturesAndSpectra
from galprism.prep.redshift_basis import RedshiftBasis
from galprism.prep.spectroscopic import Spectroscopic
from galprism.prep.spectrum_basis import SpectrumBasis
from galprism.surveys import Survey
from galprism.units import FRACTIONAL_ERROR_PER_MAG

FORMAT = "galprism bundle"
FORMAT_VERSION = 1
JSON_NAME, MODEL_NAME, CARD_NAME, BASIS_NAME = "bundle.json", "model.onnx", "README.md", "basis.npz"
RANKING_NAME, SPECTRA_NAME, REDSHIFTS_NAME = "redshift.onnx", "spectra.npz", "redshifts.npz"
ANY_REDSHIFT = "any_redshift"
"""In a bundle's prior: the standard deviation of each target over all redshifts."""
SHIPPED = resources.files("galprism") / "models"
"""A folder for each shipped bundle."""


@dataclass(frozen=True, eq=False)
class Bundle:
    """A trained model with everything that it depends on."""

    name: str
    title: str
    """One sentence, for lists."""
    survey: str
    passbands: dict[str, dict[str, str]]
    """Band to the `name` and `hash` of its curve, in the preparation's order of bands; empty for a model of any bands
    that is not bound to a survey."""
    preparation: Preparation | ClassPreparation | Modalities | PicturesAndSpectra
    """The second of kind `classes`, and of parameters learned from a catalogue; the third of models of several
    modalities, the last of the published networks of pictures and spectra."""
    targets: tuple[str, ...]
    """P parameters, the rows of the model's outputs."""
    anchored: tuple[float, ...]
    """(P,): how many times a source's anchor is added to each."""
    ranges: tuple[Range, ...]
    """(P,): what each lies within, see galprism.prep.frames."""
    kind: str
    """`mixture`, with quantiles, `point`, or `classes`, with probabilities of stars, quasars and galaxies."""
    network: dict[str, Any] = field(default_factory=dict)
    """Its name and settings, for the record."""
    recipe: dict[str, Any] = field(default_factory=dict)
    """The recipe as it was run."""
    seed: int = 0
    metrics: dict[str, Any] = field(default_factory=dict)
    """How well it did on its validation set, as its maker measured."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """Libraries and versions that it was made with."""
    prior: dict[str, list[float]] = field(default_factory=dict)
    """The standard deviation of each target in training by redshift, at the redshifts of `redshift`, and of all targets
    over all redshifts under ANY_REDSHIFT; may be empty."""
    coordinates: dict[str, Any] = field(default_factory=dict)
    """Of a mixture: `components`, and `linear` (P, D) and `offset` (P,) that make parameters of its coordinates. Of
    classes: their names in the order of the model's outputs, `classes`; their `shares` in training; and `tempering`, by
    what is seen of a source (photometry, image, both) a factor for the logits and what is added to each."""
    definitions: dict[str, dict[str, str]] = field(default_factory=dict)
    """Unit and definition of each target."""
    version: str = galprism.__version__
    """Of the galprism that made it."""
    model: bytes = b""
    """model.onnx."""
    ranking: bytes = b""
    """redshift.onnx; empty where redshifts must be known."""
    spectroscopic: Spectroscopic | None = None
    """What finds redshifts and classes of spectra, beside a network that sees none."""
    hash: str = ""
    """sha256 of bundle.json, which holds the hashes of the rest: the identity of the whole."""

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands that go in, in order."""
        return self.preparation.bands

    def frame(self, anchor: np.ndarray, redshift: np.ndarray | None) -> Frame:
        """What makes parameters of the network's answers for sources with anchors and redshifts, both (N,).

        A model that does without redshifts knows no age of the Universe but today's.
        """
        if not self.needs_redshift:
            redshift = np.zeros(len(anchor))
        return Frame.of(self.anchored, self.ranges, anchor, redshift)

    @property
    def needs_redshift(self) -> bool:
        """It infers nothing of a source without one: models of parameters from photometry."""
        return isinstance(self.preparation, Preparation)

    @property
    def has_quantiles(self) -> bool:
        """Its answers are distributions."""
        return self.kind == "mixture"

    @property
    def blocks(self) -> tuple[str, ...]:
        """Of sources, those that it looks at."""
        return self.preparation.blocks + (("spectra",) if self.spectroscopic is not None else ())

    @property
    def tells_redshift(self) -> bool:
        """Redshifts, within a range, are among what it infers of every source."""
        return "redshift" in self.targets and self.ranges[self.targets.index("redshift")] is not None

    @property
    def of_parameters(self) -> Preparation:
        """The preparation of a model that infers parameters from photometry alone. Raises RequestError for others."""
        if not isinstance(self.preparation, Preparation):
            what = "sees images or spectra"
            if isinstance(self.preparation, ClassPreparation):
                what = "learned from a catalogue, not a simulated sky"
            if self.kind == "classes":
                what = "tells classes and infers no parameters"
            raise RequestError(f"bundle {self.name} {what}; accepted: bundles of parameters from photometry")
        return self.preparation

    @property
    def any_bands(self) -> bool:
        """It serves any survey, once it is bound to it."""
        return self.preparation.any_bands

    def bind(self, survey: Survey | str) -> Bundle:
        """A model of any bands, made ready for the bands of a survey, or of the one of that name.

        Raises RequestError for any other model, an unknown survey, and a band of which the model knows nothing.
        """
        survey = surveys.get(survey) if isinstance(survey, str) else survey
        if not self.any_bands:
            raise RequestError(f"bundle {self.name} is for the bands {', '.join(self.bands)} and takes no others")
        curves = [passbands.get(band.passband) for band in survey.bands]
        described = {
            band.name: {"name": band.passband, "hash": curve.hash}
            for band, curve in zip(survey.bands, curves, strict=True)
        }
        calibration = [FRACTIONAL_ERROR_PER_MAG * band.zeropoint_error for band in survey.bands]
        preparation = self.of_parameters.bind(survey.band_names, curves, calibration)
        return replace(self, survey=survey.name, passbands=described, preparation=preparation)

    @property
    def recipe_name(self) -> str:
        """The recipe that it was trained by."""
        return str(self.recipe.get("name", self.name))

    @cached_property
    def card(self) -> str:
        """The model card, in Markdown."""
        return model_card(self)


def load(name_or_path: str | os.PathLike[str]) -> Bundle:
    """A bundle by its folder, or by the name of a shipped one.

    Raises RequestError where there is none, a file is missing or is not what bundle.json says, or it was made by a
    newer galprism than this one can read.
    """
    folder = _folder(name_or_path)
    try:
        text = (folder / JSON_NAME).read_bytes()
        plain = json.loads(text)
    except OSError as error:
        raise RequestError(f"{folder} is not a bundle: {JSON_NAME} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise RequestError(f"{folder} is not a bundle: {JSON_NAME} is not JSON ({error})") from error
    if not isinstance(plain, dict) or plain.get("format") != FORMAT:
        raise RequestError(f"{folder} is not a bundle: its {JSON_NAME} does not say {FORMAT!r}")
    version = plain.get("format_version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise RequestError(
            f"{folder} has bundle format {version!r}, made by galprism {plain.get('galprism')}; this is galprism "
            f"{galprism.__version__}, which reads formats up to {FORMAT_VERSION}: update it, or train the bundle anew"
        )
    if plain.pop("sha256", None) != _digest(plain):
        raise RequestError(
            f"{folder / JSON_NAME} was changed after the bundle was made; take the bundle as it was made"
        )
    try:
        files = {name: _checked(folder, name, digest) for name, digest in plain["files"].items()}
        basis: Basis | SpectrumBasis | None = None
        if BASIS_NAME in files:
            basis = Basis.from_bytes(files[BASIS_NAME])
        elif SPECTRA_NAME in files:
            basis = SpectrumBasis.from_bytes(files[SPECTRA_NAME])
        made = _from_plain(plain, files[MODEL_NAME], basis, hashlib.sha256(text).hexdigest())
        spectroscopic = None
        if REDSHIFTS_NAME in files:
            classes = RedshiftBasis.from_bytes(files[REDSHIFTS_NAME])
            spectroscopic = Spectroscopic.from_plain(plain["spectroscopic"], classes)
        return replace(made, ranking=files.get(RANKING_NAME, b""), spectroscopic=spectroscopic)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, RequestError):
            raise RequestError(f"{folder / JSON_NAME}: {error}") from error
        raise RequestError(f"{folder / JSON_NAME} is incomplete or damaged: {type(error).__name__} {error}") from error


def _digest(plain: Mapping[str, Any]) -> str:
    """sha256 of all that bundle.json says, but for itself."""
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def names() -> list[str]:
    """The shipped bundles."""
    if not SHIPPED.is_dir():
        return []
    return sorted(entry.name for entry in SHIPPED.iterdir() if (entry / JSON_NAME).is_file())


def save(bundle: Bundle, folder: str | os.PathLike[str]) -> Path:
    """Write a bundle as a new folder, whole or not at all; one that stands there is replaced.

    Raises RequestError where the folder holds something else, or cannot be written.
    """
    folder = check_folder(folder)
    contents = {CARD_NAME: bundle.card.encode(), MODEL_NAME: bundle.model}
    if bundle.preparation.basis is not None:
        contents[BASIS_NAME] = bundle.preparation.basis.to_bytes()
    if isinstance(bundle.preparation, Modalities) and bundle.preparation.spectra is not None:
        contents[SPECTRA_NAME] = bundle.preparation.spectra.to_bytes()
    if bundle.ranking:
        contents[RANKING_NAME] = bundle.ranking
    if bundle.spectroscopic is not None:
        contents[REDSHIFTS_NAME] = bundle.spectroscopic.basis.to_bytes()
    plain = _to_plain(bundle) | {"files": {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}}
    contents[JSON_NAME] = (json.dumps(plain | {"sha256": _digest(plain)}, indent=1, allow_nan=False) + "\n").encode()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
        try:
            for name, data in contents.items():
                (part / name).write_bytes(data)
            part.chmod(0o755)
            if folder.exists():
                shutil.rmtree(folder)
            os.replace(part, folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise RequestError(f"{folder}: cannot be written: {error.strerror}") from error
    return folder


def check_folder(folder: str | os.PathLike[str]) -> Path:
    """The folder, when a bundle may be written there; asked before any work is done.

    Raises RequestError where it holds something else, or lies in what is not a folder.
    """
    folder = Path(folder)
    if folder.exists() and not (folder / JSON_NAME).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise RequestError(f"{folder} exists and is not a bundle; give a new folder")
    above = next(parent for parent in folder.absolute().parents if parent.exists())
    if not above.is_dir():
        raise RequestError(f"{folder}: cannot be written: {above} is not a folder")
    return folder


def _folder(name_or_path: str | os.PathLike[str]) -> Path:
    path = Path(name_or_path)
    if path.is_dir():
        return path
    if str(name_or_path) in names():
        return Path(str(SHIPPED / str(name_or_path)))
    if path.exists():
        raise RequestError(f"{path} is not a bundle: a bundle is a folder with {JSON_NAME} in it")
    raise RequestError(
        f"no bundle {str(name_or_path)!r}; shipped: {', '.join(names()) or 'none'}, or give a folder; a recipe that is "
        f"not among them is trained first: galprism train RECIPE -o FOLDER"
    )


def _checked(folder: Path, name: str, digest: str) -> bytes:
    """The contents of one file of a bundle, when they are what bundle.json says."""
    if Path(name).name != name:
        raise RequestError(f"file {name!r} is outside the bundle")
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise RequestError(f"{folder / name} is part of the bundle and cannot be read ({error.strerror})") from error
    found = hashlib.sha256(data).hexdigest()
    if found != digest:
        raise RequestError(
            f"{folder / name} is not what the bundle was made with: sha256 {found[:12]}…, expected {str(digest)[:12]}…"
        )
    return data


_PLAIN = ("name", "title", "survey", "passbands", "kind", "network", "recipe", "seed", "metrics", "provenance")
"""Fields that go into JSON as they are."""


def _to_plain(bundle: Bundle) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "galprism": bundle.version,
        **{name: getattr(bundle, name) for name in _PLAIN},
        "bands": list(bundle.passbands),
        "targets": list(bundle.targets),
        "anchored": list(bundle.anchored),
        "ranges": [limits and list(limits) for limits in bundle.ranges],
        "prior": bundle.prior,
        "coordinates": bundle.coordinates,
        "definitions": bundle.definitions or define(bundle.targets),
        "preparation": bundle.preparation.to_plain(),
        **({} if bundle.spectroscopic is None else {"spectroscopic": bundle.spectroscopic.to_plain()}),
    }


def _from_plain(plain: Mapping[str, Any], model: bytes, basis: Basis | SpectrumBasis | None, digest: str) -> Bundle:
    unknown = [name for name in plain["targets"] if name not in PARAMS]
    if unknown:
        raise RequestError(f"target {', '.join(unknown)} is no parameter of this galprism")
    if plain["kind"] not in ("mixture", "point", "classes"):
        raise RequestError(f"kind {plain['kind']!r} is not known; accepted: mixture, point, classes")
    preparation: Preparation | ClassPreparation | Modalities | PicturesAndSpectra
    if plain["kind"] == "classes" or plain["preparation"].get("of") == ClassPreparation.of:
        preparation = ClassPreparation.from_plain(plain["preparation"])
    elif isinstance(basis, SpectrumBasis) or plain["preparation"].get("of") == Modalities.of:
        preparation = Modalities.from_plain(plain["preparation"], basis if isinstance(basis, SpectrumBasis) else None)
    elif plain["preparation"].get("of") == PicturesAndSpectra.of:
        preparation = PicturesAndSpectra.from_plain(plain["preparation"])
    else:
        preparation = Preparation.from_plain(plain["preparation"], basis)
    if isinstance(preparation, Preparation) and preparation.config.by_basis and not preparation.any_bands:
        curves = [passbands.get(plain["passbands"][band]["name"]) for band in preparation.bands]
        calibration = [preparation.calibration.get(band, 0.0) for band in preparation.bands]
        preparation = preparation.bind(preparation.bands, curves, calibration)
    return Bundle(
        **{name: plain[name] for name in _PLAIN},
        preparation=preparation,
        targets=tuple(plain["targets"]),
        anchored=tuple(plain["anchored"]),
        ranges=tuple(limits and tuple(limits) for limits in plain.get("ranges", [None] * len(plain["targets"]))),
        prior=plain["prior"],
        coordinates=plain["coordinates"],
        definitions=plain["definitions"],
        version=plain["galprism"],
        model=model,
        hash=digest,
    )
