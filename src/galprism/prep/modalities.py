"""Sources -> what a network of several modalities sees: photometry, images, spectra, each of which may be missing.

All goes into one row of numbers, in five parts: what is there and what is known beside the light (`context`), the
photometry, the spectrum's coefficients of a basis, the image's light in rings, and its pixels. What is missing is 0
there, and the context says so: the network has a place of its own for it, so that nothing is made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from galprism import config as configs
from galprism.data import Photometry, Sources, Spectra
from galprism.errors import RequestError
from galprism.flags import Flag
from galprism.prep.augment import MOST_LOST, ModalitiesLost
from galprism.prep.colours import measure_without_redshift, names_without_redshift
from galprism.prep.image_light import ImageLight
from galprism.prep.images import ImageInputConfig, check_cutouts, image_inputs
from galprism.prep.inputs import Inputs
from galprism.prep.preparation import Features
from galprism.prep.rings import ring_photometry
from galprism.prep.scaling import Scaling
from galprism.prep.spectrum_basis import Coefficients, SpectrumBasis
from galprism.prep.typical import Typical

MODALITIES = ("photometry", "image", "spectrum")
"""In the order of the context's first numbers."""
PARTS = {"context": "", "photometry": "photometry", "spectrum": "spectrum", "rings": "image"}
"""Of a row, in its order, before the pixels; and the modality that each is of."""
FEW = 0.02
"""Of the pixels: so many may a spectrum lack though those of the training have them all."""
POOR = 0.001
"""The share of the training set whose spectra the basis fits so badly that it is itself called a poor fit."""


@dataclass(frozen=True)
class ModalitiesConfig:
    """What a network of several modalities sees."""

    bands: tuple[str, ...] = ()
    """Of the photometry; all of the survey's when empty."""
    softening: float = 1.0
    """Of colours, see galprism.prep.preparation."""
    rings: tuple[float, ...] = ()
    """arcsec, growing, of which the image's light is told as a catalogue's would be; none where empty."""
    image: ImageInputConfig = field(default_factory=ImageInputConfig)
    basis_size: int = 40
    """Coefficients of a spectrum; 0 for a network that sees none."""
    redshift: bool = True
    """Is told, where it is known; false for a network that infers it."""
    model_error: float = 0.01
    """Of a spectrum's pixels, relative: what the basis and the calibration leave out."""
    lose: ModalitiesLost = field(default_factory=ModalitiesLost)
    """In training."""

    def __post_init__(self) -> None:
        if not self.softening > 0:
            raise RequestError(f"modalities.softening = {self.softening}; accepted: above zero")
        half = self.image.size * self.image.pixel_scale / 2
        if self.rings and (not self.image.bands or not 0 < self.rings[0] <= self.rings[-1] <= half):
            raise RequestError(f"modalities.rings = {list(self.rings)}; accepted: within images, 0 to {half:g} arcsec")
        if any(outer <= inner for inner, outer in pairwise(self.rings)):
            raise RequestError(f"modalities.rings = {list(self.rings)}; accepted: radii that grow")
        if not 0 <= self.basis_size <= 200:
            raise RequestError(f"modalities.basis_size = {self.basis_size}; accepted: 1 to 200, or 0 without spectra")
        if self.basis_size and not self.redshift:
            raise RequestError(
                f"modalities.redshift = false with basis_size = {self.basis_size}; accepted: 0, as the basis is of "
                "spectra at rest"
            )
        if not 0 < self.model_error < 1:
            raise RequestError(f"modalities.model_error = {self.model_error}; accepted: a share of the flux, above 0")


@dataclass(frozen=True)
class Shape:
    """How many numbers of a row are what, in this order."""

    context: int
    photometry: int
    spectrum: int
    rings: int
    image: tuple[int, int, int]
    """Bands and pixels along each side."""

    @property
    def n_image(self) -> int:
        """Pixels of all bands."""
        return int(np.prod(self.image))

    @property
    def total(self) -> int:
        return self.context + self.photometry + self.spectrum + self.rings + self.n_image


@dataclass(frozen=True, eq=False)
class Modalities:
    """A way to prepare sources of several modalities, with the statistics of its training set."""

    config: ModalitiesConfig
    bands: tuple[str, ...]
    assumed_err: np.ndarray
    """(B,), nJy, the training set's median errors: they stand in for errors that are not known."""
    spectra: SpectrumBasis | None
    """None of a network that sees no spectra."""
    redshift_range: tuple[float, float]
    wave_range: tuple[float, float] = (0.0, 0.0)
    """Angstrom, observed: first and last pixel of the training's spectra."""
    scaling: Mapping[str, Scaling] = field(default_factory=dict)
    """By PARTS."""
    typical: Mapping[str, Typical] = field(default_factory=dict)
    """By PARTS that are of a modality: of colours, and coefficients."""
    light: ImageLight | None = None
    """None without images."""
    poor_ln_chi2: float = np.inf
    """Of the spectrum's fit by the basis: above, it is called poor."""

    of = "modalities"
    any_bands = False
    basis = None
    calibration: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def fit(cls, config: ModalitiesConfig, sources: Sources, spectra: SpectrumBasis | None) -> Modalities:
        """The statistics of a training set that has all modalities, redshifts too; spectra : the basis, None for a
        network that sees none.

        Raises RequestError where it lacks one, or cutouts that the configuration asks for.
        """
        for name, block in (
            ("photometry", sources.photometry),
            ("cutouts", sources.cutouts),
            ("spectra", sources.spectra),
        ):
            if block is None and (name != "spectra" or spectra is not None):
                raise RequestError(f"the training set has no {name}; a network of several modalities learns from all")
        if sources.redshift is None:
            raise RequestError("the training set has no redshifts; a network of several modalities learns with them")
        assert sources.photometry is not None
        photometry = sources.photometry.select(config.bands or sources.photometry.bands)
        z = np.asarray(sources.redshift, np.float64)
        ends = float(np.nanmin(z)), float(np.nanmax(z))
        seen_from = (0.0, 0.0)
        if spectra is not None:
            assert sources.spectra is not None
            seen_from = float(sources.spectra.wave[0]), float(sources.spectra.wave[-1])
        err = np.nanmedian(photometry.flux_err, axis=0).astype(np.float64)
        started = cls(config, tuple(photometry.bands), err, spectra, ends, seen_from)
        measured, _ = started._measure(sources)
        scaling = {name: Scaling.fit(inputs) for name, inputs in measured.items()}
        typical = {}
        for name, judged in started._judged(measured).items():
            whole = judged & ~measured[name].broken
            typical[name] = Typical.fit(scaling[name].apply(measured[name])[whole, : started._n_judged(name)])
        light, poor = None, np.inf
        if spectra is not None:
            there = ~measured["spectrum"].broken
            poor = float(np.quantile(measured["spectrum"].values[there, started._chi2], 1.0 - POOR))
        if config.image.bands:
            assert sources.cutouts is not None
            light = ImageLight.fit(sources.cutouts, photometry, config.image)
        return replace(
            started,
            scaling=scaling,
            typical=typical,
            light=light,
            poor_ln_chi2=poor,
        )

    @property
    def input_names(self) -> tuple[str, ...]:
        """Of the numbers of a row but for the image's pixels."""
        bands, images = self.bands, self.config.image.bands
        told = self.config.redshift
        context = [f"has_{name}" for name in MODALITIES] + ["ln_1pz"] * told + [f"ln_psf_{band}" for band in images]
        context += ["no_redshift"] * told + [f"psf_unknown_{band}" for band in images]
        seen = names_without_redshift(bands)
        spectrum = []
        if self.spectra is not None:
            k = self.spectra.size
            spectrum = [f"mean_u{i + 1}" for i in range(k)] + [f"ln_err_u{i + 1}" for i in range(k)]
            spectrum += ["ln_level", "ln_sn", "ln_chi2", "share"]
        rings = [f"image_{name}" for name in names_without_redshift(self._ring_names)] if self.config.rings else []
        return (*context, *seen, *spectrum, *rings)

    @property
    def blocks(self) -> tuple[str, ...]:
        """Of sources, those that are looked at."""
        seen = {"photometry": True, "cutouts": bool(self.config.image.bands), "spectra": self.spectra is not None}
        return tuple(name for name, looked in seen.items() if looked)

    @property
    def shape(self) -> Shape:
        """How a row is laid out."""
        image = self.config.image
        b = len(image.bands)
        context, seen = 3 + 2 * (self.config.redshift + b), 4 * len(self.bands) + 1
        spectrum = 0 if self.spectra is None else 2 * self.spectra.size + 4
        rings = 4 * len(self._ring_names) + 1 if self.config.rings else 0
        return Shape(context, seen, spectrum, rings, (b, image.size, image.size))

    @property
    def n_inputs(self) -> int:
        """Of a row."""
        return self.shape.total

    @property
    def _ring_names(self) -> tuple[str, ...]:
        return tuple(f"{band}_{radius:g}" for band in self.config.image.bands for radius in self.config.rings)

    def _n_judged(self, name: str) -> int:
        """How many of a part's first numbers are held against the training set together."""
        k = 0 if self.spectra is None else self.spectra.size
        return {"photometry": len(self.bands), "spectrum": k, "rings": len(self._ring_names)}[name]

    def _judged(self, measured: Mapping[str, Inputs]) -> dict[str, np.ndarray]:
        """By part, (N,), bool: where all of them were measured."""
        own = {name: inputs.there[:, : self._n_judged(name)] for name, inputs in measured.items() if PARTS[name]}
        return {name: np.all(there, axis=1) for name, there in own.items()}

    @property
    def _chi2(self) -> int:
        assert self.spectra is not None
        return 2 * self.spectra.size + 2

    def features(self, sources: Sources, *, check: bool = True) -> Features:
        """What the network sees; every row is kept, and what cannot be inferred is flagged.

        check : compare with the training set (INPUT_OUT_OF_RANGE, UNLIKE_TRAINING, POOR_FIT)
        A source needs any one of the modalities, and a spectrum a redshift. Raises RequestError for sources that
        have none of the blocks, photometry without a band of the model's, and cutouts of another kind.
        """
        if all(getattr(sources, block) is None for block in self.blocks):
            raise RequestError(f"the sources have no {', no '.join(self.blocks)}; accepted: any of them")
        n, shape = len(sources), self.shape
        assert sources.flags is not None
        flags = sources.flags.copy()
        measured, found = self._measure(sources)
        image, with_image = self._image(sources)
        here = {"photometry": measured["photometry"].n_bands > 0, "image": with_image}
        here["spectrum"] = np.zeros(n, bool) if found is None else found.there
        parts = {name: self.scaling[name].apply(inputs) for name, inputs in measured.items()}
        for name, modality in PARTS.items():
            if name in parts and modality:
                lost = here[modality] & (measured[name].broken | ~np.isfinite(parts[name]).all(axis=1))
                flags[lost] |= np.uint32(Flag.INPUT_OUT_OF_RANGE)
                here[modality] &= ~lost
        for name, part in parts.items():
            if PARTS[name]:
                part[~here[PARTS[name]]] = 0.0
        there = np.stack([here[name] for name in MODALITIES], axis=1)
        self._mark(sources, flags, there, measured["photometry"], found)
        usable = (flags & np.uint32(Flag.NOT_INFERRED)) == 0
        if check:
            self._compare(flags, usable, here, parts, measured)
            self._compare_light(flags, usable & here["image"], sources)
        told = np.concatenate([there.astype(np.float32), *parts.values()], axis=1, dtype=np.float32)
        whole = np.zeros((n, shape.total), np.float32)  # memory that is never written to, as pixels are not, is free
        assert told.shape[1] == shape.total - shape.n_image
        whole[:, : told.shape[1]] = told
        rows = slice(None) if here["image"].all() else np.flatnonzero(here["image"])
        whole[rows, told.shape[1] :] = image[rows].reshape(-1, shape.n_image)
        bands = np.where(here["photometry"], measured["photometry"].n_bands, 0).astype(np.int16)
        return Features(whole, np.zeros(n), flags, bands)

    def _mark(
        self, sources: Sources, flags: np.ndarray, there: np.ndarray, seen: Inputs, spectrum: Coefficients | None
    ) -> None:
        """What is missing, and which rows nothing can be said of."""
        z = self._redshift(sources)
        if self.config.redshift:
            low, high = self.redshift_range
            with np.errstate(invalid="ignore"):
                outside = np.isfinite(z) & ((z < low) | (z > high))
            flags[~np.isfinite(z)] |= np.uint32(Flag.REDSHIFT_MISSING)
            flags[outside] |= np.uint32(Flag.REDSHIFT_OUT_OF_RANGE | Flag.NOT_INFERRED)
        flags[~there[:, 0]] |= np.uint32(Flag.NO_PHOTOMETRY)
        flags[there[:, 0] & (seen.n_bands < len(self.bands))] |= np.uint32(Flag.BAND_MISSING)
        flags[~there[:, 1]] |= np.uint32(Flag.IMAGE_MISSING)
        if self.spectra is not None and spectrum is not None:
            flags[~there[:, 2]] |= np.uint32(Flag.SPECTRUM_MISSING)
            whole = self.spectra.within(*self.wave_range, z)
            most = MOST_LOST if self.config.lose.pixels else FEW
            flags[there[:, 2] & (spectrum.share < (1.0 - most) * whole)] |= np.uint32(Flag.PIXELS_MISSING)
        flags[~there.any(axis=1)] |= np.uint32(Flag.NOT_INFERRED)

    def _compare(
        self,
        flags: np.ndarray,
        usable: np.ndarray,
        here: Mapping[str, np.ndarray],
        parts: Mapping[str, np.ndarray],
        measured: Mapping[str, Inputs],
    ) -> None:
        """What lies outside the training set's ranges, or is unlike it."""
        judged = self._judged(measured)
        for name, inputs in measured.items():
            rows = usable & here.get(PARTS[name], usable)
            flags[rows & _outside(self.scaling[name], inputs)] |= np.uint32(Flag.INPUT_OUT_OF_RANGE)
            if name in self.typical:
                unlike = self.typical[name].unlike(parts[name][:, : self._n_judged(name)])
                flags[rows & judged[name] & unlike] |= np.uint32(Flag.UNLIKE_TRAINING)
        if "spectrum" in measured:
            poor = usable & here["spectrum"] & (measured["spectrum"].values[:, self._chi2] > self.poor_ln_chi2)
            flags[poor] |= np.uint32(Flag.POOR_FIT)

    def _compare_light(self, flags: np.ndarray, rows: np.ndarray, sources: Sources) -> None:
        """Images that show nothing at their middle, or another flux than the catalogue's."""
        if self.light is not None and sources.cutouts is not None:
            odd = self.light.odd(sources.cutouts, sources.photometry, self.config.image)
            flags[rows & odd] |= np.uint32(Flag.INPUT_OUT_OF_RANGE)

    def _measure(self, sources: Sources) -> tuple[dict[str, Inputs], Coefficients | None]:
        """By PARTS, before it is standardised; and the coefficients of spectra, where they are looked at."""
        n = len(sources)
        photometry = sources.photometry
        blank = np.zeros((n, len(self.bands)), np.float32)
        photometry = Photometry(blank, blank, self.bands) if photometry is None else photometry.select(self.bands)
        seen = measure_without_redshift(photometry, self.config.softening, self.assumed_err)
        measured, of = {"context": self._context(sources), "photometry": seen}, self._coefficients(sources)
        if of is not None:
            columns = [of.ln_level, of.ln_sn, of.ln_chi2, of.share]
            values = np.concatenate([of.mean, of.ln_err, np.stack(columns, axis=1)], axis=1, dtype=np.float32)
            measured["spectrum"] = Inputs(
                values=values,
                there=np.broadcast_to(of.there[:, None], values.shape),
                indicators=np.zeros((n, 0), np.float32),
                anchor=np.zeros(n),
                broken=~of.there,
                n_bands=np.zeros(n, np.int16),
            )
        if self.config.rings:
            measured["rings"] = measure_without_redshift(
                self._rings(sources), self.config.softening, np.ones(len(self._ring_names))
            )
        return measured, of

    def _rings(self, sources: Sources) -> Photometry:
        config = self.config.image
        if sources.cutouts is None:
            blank = np.zeros((len(sources), len(self._ring_names)), np.float32)
            return Photometry(blank, blank, self._ring_names)
        check_cutouts(sources.cutouts, config, "the model")
        return ring_photometry(sources.cutouts, config.bands, self.config.rings)

    def _redshift(self, sources: Sources) -> np.ndarray:
        """(N,), as it is told; NaN where it is not known, or none is looked at."""
        if sources.redshift is None or not self.config.redshift:
            return np.full(len(sources), np.nan)
        return np.asarray(sources.redshift, np.float64)

    def _coefficients(self, sources: Sources) -> Coefficients | None:
        if self.spectra is None:
            return None
        n, z, given = len(sources), self._redshift(sources), sources.spectra
        if given is None:
            given = Spectra(np.zeros((n, 2), np.float32), np.zeros((n, 2), np.float32), self.spectra.wave[:2])
        return self.spectra.encode(given, z, self.config.model_error)

    def _context(self, sources: Sources) -> Inputs:
        """ln(1 + z) and the PSFs' sizes, and which of them are not known."""
        n, images = len(sources), self.config.image.bands
        z = self._redshift(sources)
        columns = [np.log1p(np.where(z > -1, z, np.nan))] if self.config.redshift else []
        psf = None if sources.cutouts is None else sources.cutouts.psf_fwhm
        for band in images:
            has = psf is not None and sources.cutouts is not None and band in sources.cutouts.bands
            fwhm = psf[:, sources.cutouts.bands.index(band)] if has else np.full(n, np.nan)  # type: ignore[index,union-attr]
            with np.errstate(divide="ignore", invalid="ignore"):
                columns.append(np.log(np.asarray(fwhm, np.float64)))
        values = np.stack(columns, axis=1) if columns else np.zeros((n, 0))
        known = np.isfinite(values)
        return Inputs(
            values=np.where(known, values, 0.0).astype(np.float32),
            there=known,
            indicators=(~known).astype(np.float32),
            anchor=np.zeros(n),
            broken=np.zeros(n, bool),
            n_bands=np.zeros(n, np.int16),
        )

    def _image(self, sources: Sources) -> tuple[np.ndarray, np.ndarray]:
        n, config = len(sources), self.config.image
        if sources.cutouts is None or not config.bands:
            return np.zeros((n, len(config.bands), config.size, config.size), np.float32), np.zeros(n, bool)
        check_cutouts(sources.cutouts, config, "the model")
        return image_inputs(sources.cutouts, config)

    def to_plain(self) -> dict[str, Any]:
        """Nested dicts and lists that JSON holds; the basis of spectra is a file of its own."""
        return {
            "of": self.of,
            "config": configs.plain(self.config),
            "bands": list(self.bands),
            "inputs": list(self.input_names),
            "assumed_err": self.assumed_err.tolist(),
            "redshift_range": list(self.redshift_range),
            "wave_range": list(self.wave_range),
            "scaling": {name: one.to_plain() for name, one in self.scaling.items()},
            "typical": {name: one.to_plain() for name, one in self.typical.items()},
            "light": None if self.light is None else self.light.to_plain(),
            "poor_ln_chi2": None if self.spectra is None else self.poor_ln_chi2,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], spectra: SpectrumBasis | None) -> Modalities:
        """The inverse of `to_plain`. Raises KeyError, TypeError or ValueError where something is missing or odd."""
        return cls(
            config=configs.fill(ModalitiesConfig, plain["config"], "modalities"),
            bands=tuple(plain["bands"]),
            assumed_err=np.array(plain["assumed_err"], np.float64),
            spectra=spectra,
            redshift_range=(float(plain["redshift_range"][0]), float(plain["redshift_range"][1])),
            wave_range=(float(plain["wave_range"][0]), float(plain["wave_range"][1])),
            scaling={name: Scaling.from_plain(plain["scaling"][name]) for name in PARTS if name in plain["scaling"]},
            typical={name: Typical.from_plain(one) for name, one in plain["typical"].items()},
            light=None if plain.get("light") is None else ImageLight.from_plain(plain["light"]),
            poor_ln_chi2=np.inf if spectra is None else float(plain["poor_ln_chi2"]),
        )


def _outside(scaling: Scaling, inputs: Inputs) -> np.ndarray:
    """(N,), bool: something that was measured is outside its range in training. What is not known says nothing: the
    statistics are of sources of which all is."""
    v = inputs.values.shape[1]
    return np.any(inputs.there & ((inputs.values < scaling.low[:v]) | (inputs.values > scaling.high[:v])), axis=1)
