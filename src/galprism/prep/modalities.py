"""Sources -> what a network of several modalities sees: photometry, images, spectra, each of which may be missing.

All goes into one row of numbers, in four parts: what is there and what is known beside the light (`context`), the
photometry, the spectrum's coefficients of a basis, and the image's pixels. What is missing is 0 there, and the context
says so: the network has a place of its own for it, so that nothing is made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from galprism import config as configs
from galprism.data import Photometry, Sources, Spectra
from galprism.errors import RequestError
from galprism.flags import Flag
from galprism.prep.augment import MOST_LOST, ModalitiesLost
from galprism.prep.colours import relative
from galprism.prep.images import ImageInputConfig, check_cutouts, image_inputs
from galprism.prep.inputs import Inputs
from galprism.prep.preparation import Features
from galprism.prep.scaling import Scaling
from galprism.prep.spectrum_basis import Coefficients, SpectrumBasis
from galprism.prep.typical import Typical

MODALITIES = ("photometry", "image", "spectrum")
"""In the order of the context's first numbers."""
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
    image: ImageInputConfig = field(default_factory=ImageInputConfig)
    basis_size: int = 40
    """Coefficients of a spectrum."""
    model_error: float = 0.01
    """Of a spectrum's pixels, relative: what the basis and the calibration leave out."""
    lose: ModalitiesLost = field(default_factory=ModalitiesLost)
    """In training."""

    def __post_init__(self) -> None:
        if not self.softening > 0:
            raise RequestError(f"modalities.softening = {self.softening}; accepted: above zero")
        if not 1 <= self.basis_size <= 200:
            raise RequestError(f"modalities.basis_size = {self.basis_size}; accepted: 1 to 200")
        if not 0 < self.model_error < 1:
            raise RequestError(f"modalities.model_error = {self.model_error}; accepted: a share of the flux, above 0")


@dataclass(frozen=True)
class Shape:
    """How many numbers of a row are what, in this order."""

    context: int
    photometry: int
    spectrum: int
    image: tuple[int, int, int]
    """Bands and pixels along each side."""

    @property
    def n_image(self) -> int:
        """Pixels of all bands."""
        return int(np.prod(self.image))

    @property
    def total(self) -> int:
        return self.context + self.photometry + self.spectrum + self.n_image


_NO_SCALING = Scaling(*(np.zeros(0),) * 4)


@dataclass(frozen=True, eq=False)
class Modalities:
    """A way to prepare sources of several modalities, with the statistics of its training set."""

    config: ModalitiesConfig
    bands: tuple[str, ...]
    assumed_err: np.ndarray
    """(B,), nJy, the training set's median errors: they stand in for errors that are not known."""
    spectra: SpectrumBasis
    redshift_range: tuple[float, float]
    wave_range: tuple[float, float]
    """Angstrom, observed: first and last pixel of the training's spectra."""
    photometry_scaling: Scaling = _NO_SCALING
    spectrum_scaling: Scaling = _NO_SCALING
    context_scaling: Scaling = _NO_SCALING
    typical_photometry: Typical | None = None
    typical_spectrum: Typical | None = None
    poor_ln_chi2: float = np.inf
    """Of the spectrum's fit by the basis: above, it is called poor."""

    blocks = ("photometry", "cutouts", "spectra")
    any_bands = False
    basis = None
    calibration: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def fit(cls, config: ModalitiesConfig, sources: Sources, spectra: SpectrumBasis) -> Modalities:
        """The statistics of a training set that has all modalities, redshifts too.

        Raises RequestError where it lacks one, or cutouts that the configuration asks for.
        """
        for name, block in (
            ("photometry", sources.photometry),
            ("cutouts", sources.cutouts),
            ("spectra", sources.spectra),
        ):
            if block is None:
                raise RequestError(f"the training set has no {name}; a network of several modalities learns from all")
        if sources.redshift is None:
            raise RequestError("the training set has no redshifts; a network of several modalities learns with them")
        assert sources.photometry is not None
        photometry = sources.photometry.select(config.bands or sources.photometry.bands)
        z = np.asarray(sources.redshift, np.float64)
        ends = float(np.nanmin(z)), float(np.nanmax(z))
        assert sources.spectra is not None
        seen_from = float(sources.spectra.wave[0]), float(sources.spectra.wave[-1])
        err = np.nanmedian(photometry.flux_err, axis=0).astype(np.float64)
        started = cls(config, tuple(photometry.bands), err, spectra, ends, seen_from)
        seen, spectrum, _ = started._measure(sources)
        context = started._context(sources)
        scalings = [Scaling.fit(inputs) for inputs in (seen, spectrum, context)]
        colours, coefficients = scalings[0].apply(seen), scalings[1].apply(spectrum)
        whole = seen.n_bands == len(started.bands)
        there = ~spectrum.broken
        chi2 = spectrum.values[there, started._chi2]
        return replace(
            started,
            photometry_scaling=scalings[0],
            spectrum_scaling=scalings[1],
            context_scaling=scalings[2],
            typical_photometry=Typical.fit(colours[whole][:, started._judged_photometry]),
            typical_spectrum=Typical.fit(coefficients[there][:, started._judged_spectrum]),
            poor_ln_chi2=float(np.quantile(chi2, 1.0 - POOR)),
        )

    @property
    def input_names(self) -> tuple[str, ...]:
        """Of the numbers of a row but for the image's pixels."""
        bands, images = self.bands, self.config.image.bands
        context = [f"has_{name}" for name in MODALITIES] + ["ln_1pz", *(f"ln_psf_{band}" for band in images)]
        context += ["no_redshift", *(f"psf_unknown_{band}" for band in images)]
        seen = [f"colour_{band}" for band in bands] + [f"ln_err_{band}" for band in bands] + ["ln_flux_ref"]
        seen += [f"missing_{band}" for band in bands] + [f"err_unknown_{band}" for band in bands]
        k = self.spectra.size
        spectrum = [f"mean_u{i + 1}" for i in range(k)] + [f"ln_err_u{i + 1}" for i in range(k)]
        spectrum += ["ln_level", "ln_sn", "ln_chi2", "share"]
        return (*context, *seen, *spectrum)

    @property
    def shape(self) -> Shape:
        """How a row is laid out."""
        image, k = self.config.image, self.spectra.size
        b = len(image.bands)
        return Shape(3 + 2 * (1 + b), 4 * len(self.bands) + 1, 2 * k + 4, (b, image.size, image.size))

    @property
    def n_inputs(self) -> int:
        """Of a row."""
        return self.shape.total

    @property
    def _judged_photometry(self) -> slice:
        return slice(0, len(self.bands))

    @property
    def _judged_spectrum(self) -> slice:
        return slice(0, self.spectra.size)

    @property
    def _chi2(self) -> int:
        return 2 * self.spectra.size + 2

    def features(self, sources: Sources, *, check: bool = True) -> Features:
        """What the network sees; every row is kept, and what cannot be inferred is flagged.

        check : compare with the training set (INPUT_OUT_OF_RANGE, UNLIKE_TRAINING, POOR_FIT)
        A source needs any one of the modalities, and a spectrum a redshift. Raises RequestError for sources that
        have none of the blocks, photometry without a band of the model's, and cutouts of another kind.
        """
        if sources.photometry is None and sources.cutouts is None and sources.spectra is None:
            raise RequestError("the sources have neither photometry, nor cutouts, nor spectra; accepted: any of them")
        n, shape = len(sources), self.shape
        assert sources.flags is not None
        flags = sources.flags.copy()
        seen, spectrum, found = self._measure(sources)
        context = self._context(sources)
        image, with_image = self._image(sources)
        parts = [
            scaling.apply(inputs)
            for scaling, inputs in (
                (self.context_scaling, context),
                (self.photometry_scaling, seen),
                (self.spectrum_scaling, spectrum),
            )
        ]
        there = np.stack([seen.n_bands > 0, with_image, found.there], axis=1)
        for column, (part, inputs) in ((0, (parts[1], seen)), (2, (parts[2], spectrum))):
            lost = there[:, column] & (inputs.broken | ~np.isfinite(part).all(axis=1))
            flags[lost] |= np.uint32(Flag.INPUT_OUT_OF_RANGE)
            there[lost, column] = False
            part[~there[:, column]] = 0.0
        self._mark(sources, flags, there, seen, found)
        usable = (flags & np.uint32(Flag.NOT_INFERRED)) == 0
        if check:
            self._compare(flags, usable, there, parts, (context, seen, spectrum))
        row = np.concatenate([there.astype(np.float32), parts[0], parts[1], parts[2]], axis=1, dtype=np.float32)
        whole = np.concatenate([row, image.reshape(n, shape.n_image)], axis=1)
        assert whole.shape[1] == shape.total
        return Features(whole, np.zeros(n), flags, np.where(there[:, 0], seen.n_bands, 0).astype(np.int16))

    def _mark(
        self, sources: Sources, flags: np.ndarray, there: np.ndarray, seen: Inputs, spectrum: Coefficients
    ) -> None:
        """What is missing, and which rows nothing can be said of."""
        n = len(sources)
        z = np.full(n, np.nan) if sources.redshift is None else np.asarray(sources.redshift, np.float64)
        low, high = self.redshift_range
        with np.errstate(invalid="ignore"):
            outside = np.isfinite(z) & ((z < low) | (z > high))
        flags[~np.isfinite(z)] |= np.uint32(Flag.REDSHIFT_MISSING)
        flags[outside] |= np.uint32(Flag.REDSHIFT_OUT_OF_RANGE | Flag.NOT_INFERRED)
        flags[~there[:, 0]] |= np.uint32(Flag.NO_PHOTOMETRY)
        flags[there[:, 0] & (seen.n_bands < len(self.bands))] |= np.uint32(Flag.BAND_MISSING)
        flags[~there[:, 1]] |= np.uint32(Flag.IMAGE_MISSING)
        flags[~there[:, 2]] |= np.uint32(Flag.SPECTRUM_MISSING)
        whole = self.spectra.within(*self.wave_range, z)
        most = MOST_LOST if self.config.lose.pixels else FEW
        flags[there[:, 2] & (spectrum.share < (1.0 - most) * whole)] |= np.uint32(Flag.PIXELS_MISSING)
        flags[~there.any(axis=1)] |= np.uint32(Flag.NOT_INFERRED)

    def _compare(self, flags: np.ndarray, usable: np.ndarray, there: np.ndarray, parts: list, measured: tuple) -> None:
        context, seen, spectrum = measured
        odd = _outside(self.context_scaling, context)
        odd |= there[:, 0] & _outside(self.photometry_scaling, seen)
        odd |= there[:, 2] & _outside(self.spectrum_scaling, spectrum)
        flags[usable & odd] |= np.uint32(Flag.INPUT_OUT_OF_RANGE)
        for typical, rows, part, judged in (
            (self.typical_photometry, seen.n_bands == len(self.bands), parts[1], self._judged_photometry),
            (self.typical_spectrum, there[:, 2], parts[2], self._judged_spectrum),
        ):
            if typical is not None:
                flags[usable & rows & typical.unlike(part[:, judged])] |= np.uint32(Flag.UNLIKE_TRAINING)
        poor = there[:, 2] & (spectrum.values[:, self._chi2] > self.poor_ln_chi2)
        flags[usable & poor] |= np.uint32(Flag.POOR_FIT)

    def _measure(self, sources: Sources) -> tuple[Inputs, Inputs, Coefficients]:
        """Photometry and spectra before they are standardised, and the coefficients of the latter."""
        n = len(sources)
        photometry = sources.photometry
        blank = np.zeros((n, len(self.bands)), np.float32)
        photometry = Photometry(blank, blank, self.bands) if photometry is None else photometry.select(self.bands)
        found = relative(photometry, self.config.softening, "", self.assumed_err)
        used, some = found.used, found.used.any(axis=1, keepdims=True)
        values = np.concatenate([found.colour, found.ln_err, found.ln_reference[:, None]], axis=1, dtype=np.float32)
        known = np.concatenate([used, used & ~found.unknown, some], axis=1)
        good = known & np.isfinite(values)
        seen = Inputs(
            values=np.where(good, values, np.float32(0)),
            there=known,
            indicators=np.concatenate([~used, found.unknown], axis=1).astype(np.float32),
            anchor=np.zeros(n),
            broken=np.asarray(np.any(known & ~good, axis=1)),
            n_bands=used.sum(axis=1).astype(np.int16),
        )
        of = self._coefficients(sources)
        columns = [of.ln_level, of.ln_sn, of.ln_chi2, of.share]
        values = np.concatenate([of.mean, of.ln_err, np.stack(columns, axis=1)], axis=1, dtype=np.float32)
        spectrum = Inputs(
            values=values,
            there=np.broadcast_to(of.there[:, None], values.shape),
            indicators=np.zeros((n, 0), np.float32),
            anchor=np.zeros(n),
            broken=~of.there,
            n_bands=np.zeros(n, np.int16),
        )
        return seen, spectrum, of

    def _coefficients(self, sources: Sources) -> Coefficients:
        n = len(sources)
        z = np.full(n, np.nan) if sources.redshift is None else np.asarray(sources.redshift, np.float64)
        given = sources.spectra
        if given is None:
            given = Spectra(np.zeros((n, 2), np.float32), np.zeros((n, 2), np.float32), self.spectra.wave[:2])
        return self.spectra.encode(given, z, self.config.model_error)

    def _context(self, sources: Sources) -> Inputs:
        """ln(1 + z) and the PSFs' sizes, and which of them are not known."""
        n, images = len(sources), self.config.image.bands
        z = np.full(n, np.nan) if sources.redshift is None else np.asarray(sources.redshift, np.float64)
        columns = [np.log1p(np.where(z > -1, z, np.nan))]
        psf = None if sources.cutouts is None else sources.cutouts.psf_fwhm
        for band in images:
            has = psf is not None and sources.cutouts is not None and band in sources.cutouts.bands
            fwhm = psf[:, sources.cutouts.bands.index(band)] if has else np.full(n, np.nan)  # type: ignore[index,union-attr]
            with np.errstate(divide="ignore", invalid="ignore"):
                columns.append(np.log(np.asarray(fwhm, np.float64)))
        values = np.stack(columns, axis=1)
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
        typical = {"photometry": self.typical_photometry, "spectrum": self.typical_spectrum}
        return {
            "config": configs.plain(self.config),
            "bands": list(self.bands),
            "inputs": list(self.input_names),
            "assumed_err": self.assumed_err.tolist(),
            "redshift_range": list(self.redshift_range),
            "wave_range": list(self.wave_range),
            "scaling": {
                "context": self.context_scaling.to_plain(),
                "photometry": self.photometry_scaling.to_plain(),
                "spectrum": self.spectrum_scaling.to_plain(),
            },
            "typical": {name: one.to_plain() for name, one in typical.items() if one is not None},
            "poor_ln_chi2": self.poor_ln_chi2,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], spectra: SpectrumBasis) -> Modalities:
        """The inverse of `to_plain`. Raises KeyError, TypeError or ValueError where something is missing or odd."""
        typical = {name: Typical.from_plain(one) for name, one in plain["typical"].items()}
        scaling = {name: Scaling.from_plain(one) for name, one in plain["scaling"].items()}
        return cls(
            config=configs.fill(ModalitiesConfig, plain["config"], "modalities"),
            bands=tuple(plain["bands"]),
            assumed_err=np.array(plain["assumed_err"], np.float64),
            spectra=spectra,
            redshift_range=(float(plain["redshift_range"][0]), float(plain["redshift_range"][1])),
            wave_range=(float(plain["wave_range"][0]), float(plain["wave_range"][1])),
            photometry_scaling=scaling["photometry"],
            spectrum_scaling=scaling["spectrum"],
            context_scaling=scaling["context"],
            typical_photometry=typical.get("photometry"),
            typical_spectrum=typical.get("spectrum"),
            poor_ln_chi2=float(plain["poor_ln_chi2"]),
        )


def _outside(scaling: Scaling, inputs: Inputs) -> np.ndarray:
    """(N,), bool: something that was measured is outside its range in training. What is not known says nothing: the
    statistics are of sources of which all is."""
    v = inputs.values.shape[1]
    return np.any(inputs.there & ((inputs.values < scaling.low[:v]) | (inputs.values > scaling.high[:v])), axis=1)
