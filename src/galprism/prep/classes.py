"""Sources -> what a classifier of stars, quasars and galaxies sees: photometry, images, both, and what is missing.

Networks that learn parameters from a catalogue, redshifts above all, see the same of photometry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from galprism import config as configs
from galprism.data import Photometry, Sources
from galprism.errors import RequestError
from galprism.flags import Flag
from galprism.prep.colours import relative
from galprism.prep.image_light import ImageLight
from galprism.prep.images import ImageInputConfig, check_cutouts, image_inputs
from galprism.prep.inputs import Inputs
from galprism.prep.scaling import Scaling
from galprism.prep.typical import Typical
from galprism.units import AB_ZEROPOINT_NJY


@dataclass(frozen=True)
class ClassInputConfig:
    """What a classifier sees of a source."""

    photometry: Literal["colours", "magnitudes", "none"] = "colours"
    """Colours and errors against a reference flux, any of them missing; or magnitudes and the colours of neighbouring
    bands, all of them needed; or nothing."""
    bands: tuple[str, ...] = ()
    """Of the survey, in order; all of them when empty."""
    softening: float = 1.0
    """Of colours, in errors: where they go over from logarithmic to linear in flux."""
    redshift: bool = False
    """It may be given; never with magnitudes."""
    image: ImageInputConfig = field(default_factory=ImageInputConfig)

    def __post_init__(self) -> None:
        if self.photometry == "none" and not self.image.bands:
            raise RequestError("classes.photometry = 'none' and no classes.image.bands: there is nothing to learn from")
        if not self.softening > 0:
            raise RequestError(f"classes.inputs.softening = {self.softening}; accepted: above zero")
        if self.redshift and self.photometry != "colours":
            raise RequestError(f"classes.redshift with photometry = {self.photometry!r}; accepted: with 'colours'")

    @property
    def needs_all(self) -> bool:
        """Every band, and the image where there is one."""
        return self.photometry == "magnitudes" or (self.photometry == "none" and len(self.image.bands) > 1)


@dataclass(frozen=True, eq=False)
class ClassFeatures:
    """What a classifier sees of N sources."""

    inputs: np.ndarray
    """(N, F), float32, finite everywhere."""
    image: np.ndarray | None
    """(N, B, H, W), float32, 0 where there is none; None of classifiers without."""
    there: np.ndarray
    """(N,), float32, 0 or 1: there is an image."""
    flags: np.ndarray
    """(N,), uint32."""
    n_bands: np.ndarray
    """(N,), int16, bands of photometry used."""

    @property
    def usable(self) -> np.ndarray:
        """(N,), bool: something can be said."""
        return (self.flags & np.uint32(Flag.NOT_INFERRED)) == 0

    @property
    def anchor(self) -> np.ndarray:
        """(N,), dex: parameters that are learned are relative to nothing."""
        return np.zeros(len(self.inputs))

    @property
    def trust(self) -> dict[str, np.ndarray]:
        """Nothing but the flags says how well a source is described."""
        return {}


@dataclass(frozen=True, eq=False)
class ClassPreparation:
    """A way to prepare sources for a classifier, with the statistics of its training set."""

    config: ClassInputConfig
    bands: tuple[str, ...]
    """Of the photometry; empty for images alone."""
    assumed_err: np.ndarray
    """(B,), nJy, the training set's median errors."""
    scaling: Scaling
    magnitude_range: tuple[float, float]
    """AB, in `magnitude_band`, that the training set lies within but for one in a thousand at each end: beyond, answers
    are extrapolated."""
    magnitude_band: str
    """Empty where there is no photometry."""
    typical: Typical | None = None
    light: ImageLight | None = None
    """None without images."""

    any_bands = False
    basis = None
    of = "classes"
    """What bundles call it."""
    calibration: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def fit(
        cls, config: ClassInputConfig, sources: Sources, magnitude_band: str, usual_err: Mapping[str, float]
    ) -> ClassPreparation:
        """The statistics of a training set.

        usual_err : by band, nJy, where the set does not know its errors.
        Raises RequestError where it lacks what the classifier is to see.
        """
        bands: tuple[str, ...] = ()
        errors = np.zeros(0)
        if config.photometry != "none":
            if sources.photometry is None:
                raise RequestError("the training set has no photometry; accepted with it: classes.photometry = 'none'")
            photometry = sources.photometry.select(config.bands or sources.photometry.bands)
            bands = tuple(photometry.bands)
            known = photometry.error_known.any(axis=0)
            errors = np.array([usual_err[band] for band in bands])
            errors[known] = np.nanmedian(photometry.flux_err[:, known], axis=0)
        light = None
        if config.image.bands and sources.cutouts is not None:
            light = ImageLight.fit(sources.cutouts, sources.photometry, config.image)
        nothing = Scaling(*(np.zeros(0),) * 4)
        started = cls(config, tuple(bands), errors, nothing, (-np.inf, np.inf), magnitude_band if bands else "")
        inputs = started.measure(sources)
        scaling = Scaling.fit(inputs)
        if not bands:
            return cls(config, started.bands, errors, scaling, (-np.inf, np.inf), "", light=light)
        magnitude = started.magnitude(sources)
        low, high = np.quantile(magnitude[np.isfinite(magnitude)], [0.001, 0.999])
        values = scaling.apply(started.measure(started._supposed(sources)))[inputs.n_bands == len(bands)]
        typical = Typical.fit(values[:, started.judged]) if len(values) else None
        ends, band = (float(low), float(high)), started.magnitude_band
        return cls(config, started.bands, errors, scaling, ends, band, typical, light)

    @property
    def blocks(self) -> tuple[str, ...]:
        """What of a source it looks at."""
        return (*(("photometry",) if self.bands else ()), *(("cutouts",) if self._images else ()))

    @property
    def input_names(self) -> tuple[str, ...]:
        """The F inputs, in order."""
        bands, config = self.bands, self.config
        if config.photometry == "none":
            return ()
        if config.photometry == "magnitudes":
            return (*(f"mag_{band}" for band in bands), *(f"{a}-{b}" for a, b in pairwise(bands)))
        values = [f"colour_{b}" for b in bands] + [f"ln_err_{b}" for b in bands] + ["ln_flux_ref"]
        values += ["ln_1pz"] * config.redshift + [f"ln_psf_{b}" for b in config.image.bands]
        missing = [f"missing_{b}" for b in bands] + [f"err_unknown_{b}" for b in bands]
        missing += ["no_redshift"] * config.redshift + [f"psf_unknown_{b}" for b in config.image.bands]
        return (*values, *missing)

    @property
    def judged(self) -> slice:
        """The inputs by which a source is called unlike the training set."""
        return slice(0, 2 * len(self.bands) + (1 if self.config.photometry == "colours" else -1))

    def measure(self, sources: Sources) -> Inputs:
        """The photometry before it is standardised, and what goes with it."""
        n, config = len(sources), self.config
        if config.photometry == "none":
            none = np.zeros((n, 0), np.float32)
            return Inputs(none, none.astype(bool), none, np.zeros(n), np.zeros(n, bool), np.zeros(n, np.int16))
        photometry = self._photometry(sources)
        if config.photometry == "magnitudes":
            return _magnitudes(photometry, self.assumed_err)
        found = relative(photometry, config.softening, "", self.assumed_err)
        used, some = found.used, found.used.any(axis=1, keepdims=True)
        values, there = [found.colour, found.ln_err, found.ln_reference[:, None]], [used, used & ~found.unknown, some]
        absent = [~used, found.unknown]
        beside = ([_ln_1pz(sources)] if config.redshift else []) + ([_ln_psf(sources, config)] if self._images else [])
        for column in beside:
            values.append(np.nan_to_num(column))
            there.append(np.isfinite(column))
            absent.append(~np.isfinite(column))
        value = np.concatenate(values, axis=1, dtype=np.float32)
        known = np.concatenate(there, axis=1)
        broken = np.any(known & ~np.isfinite(value), axis=1)
        return Inputs(
            values=np.where(known & np.isfinite(value), value, np.float32(0)),
            there=known,
            indicators=np.concatenate(absent, axis=1).astype(np.float32),
            anchor=np.zeros(n),
            broken=np.asarray(broken),
            n_bands=used.sum(axis=1).astype(np.int16),
        )

    def features(self, sources: Sources, *, check: bool = True) -> ClassFeatures:
        """What the classifier sees; every row is kept, and what cannot be classified is flagged.

        check : compare with the training set (INPUT_OUT_OF_RANGE, EXTRAPOLATED, UNLIKE_TRAINING).
        Raises RequestError where the sources lack all that the classifier sees, a band altogether, or have cutouts that
        it cannot take.
        """
        n, config = len(sources), self.config
        image, there = self._image(sources)
        inputs, scaled = self.measure(sources), np.zeros((n, 0), np.float32)
        if self.bands:
            scaled = self.scaling.apply(inputs)
        assert sources.flags is not None
        flags = sources.flags.copy()
        if self.bands:
            lost = inputs.broken | ~np.isfinite(scaled).all(axis=1)
            scaled[lost] = 0.0
            flags[inputs.n_bands == 0] |= np.uint32(Flag.NO_PHOTOMETRY)
            flags[(inputs.n_bands > 0) & (inputs.n_bands < len(self.bands))] |= np.uint32(Flag.BAND_MISSING)
            without = inputs.n_bands < (len(self.bands) if config.needs_all else 1)
            nothing = lost | (without if config.needs_all or not self._images else without & (there == 0))
        else:
            nothing = np.zeros(n, bool)
        if self._images:
            flags[there == 0] |= np.uint32(Flag.IMAGE_MISSING)
            if config.needs_all or not self.bands:
                nothing = nothing | (there == 0)
        flags[nothing] |= np.uint32(Flag.NOT_INFERRED)
        if check and self.bands:
            self._compare(sources, inputs, scaled, flags, ~nothing & (inputs.n_bands > 0))
            flags[~nothing & (there > 0) & self._psf_beyond(inputs)] |= np.uint32(Flag.INPUT_OUT_OF_RANGE)
        if check and self.light is not None and sources.cutouts is not None:
            odd = self.light.odd(sources.cutouts, sources.photometry, config.image)
            flags[~nothing & (there > 0) & odd] |= np.uint32(Flag.INPUT_OUT_OF_RANGE)
        return ClassFeatures(scaled, image, there.astype(np.float32), flags, inputs.n_bands)

    def _compare(self, sources: Sources, inputs: Inputs, scaled: np.ndarray, flags: np.ndarray, rows: np.ndarray):
        low, high = self.magnitude_range
        magnitude = self.magnitude(sources)
        flags[rows & ((magnitude < low) | (magnitude > high))] |= np.uint32(Flag.EXTRAPOLATED)
        values, known = inputs.values[:, self.judged], inputs.there[:, self.judged]
        n = values.shape[1]
        odd = (known & ((values < self.scaling.low[:n]) | (values > self.scaling.high[:n]))).any(axis=1)
        flags[rows & odd] |= np.uint32(Flag.INPUT_OUT_OF_RANGE)
        if self.typical is not None:
            whole = rows & (inputs.n_bands == len(self.bands))
            if np.isnan(self._photometry(sources).ivar).any():
                scaled = self.scaling.apply(self.measure(self._supposed(sources)))
            odd = self.typical.unlike(scaled[:, self.judged])
            flags[whole & odd] |= np.uint32(Flag.UNLIKE_TRAINING)

    def _supposed(self, sources: Sources) -> Sources:
        """With the usual errors where they are not known: what is like the training set is not told by their lack."""
        photometry = self._photometry(sources)
        ivar = np.where(np.isnan(photometry.ivar), self.assumed_err**-2.0, photometry.ivar).astype(np.float32)
        return replace(sources, photometry=replace(photometry, ivar=ivar))

    def _psf_beyond(self, inputs: Inputs) -> np.ndarray:
        """(N,), bool: the PSF of an image is told, and narrower or wider than any in training."""
        columns = [k for k, name in enumerate(self.input_names) if name.startswith("ln_psf_")]
        values, low, high = inputs.values[:, columns], self.scaling.low[columns], self.scaling.high[columns]
        return np.any(inputs.there[:, columns] & ((values < low) | (values > high)), axis=1)

    def magnitude(self, sources: Sources) -> np.ndarray:
        """(N,), AB, in `magnitude_band`; NaN where it has none."""
        photometry = self._photometry(sources)
        flux = photometry.flux[:, photometry.bands.index(self.magnitude_band)]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(flux > 0, AB_ZEROPOINT_NJY - 2.5 * np.log10(flux), np.nan)

    @property
    def _images(self) -> bool:
        return bool(self.config.image.bands)

    def _photometry(self, sources: Sources) -> Photometry:
        if sources.photometry is not None:
            return sources.photometry.select(self.bands)
        if self._images and not self.config.needs_all:
            blank = np.zeros((len(sources), len(self.bands)), np.float32)
            return Photometry(blank, blank, self.bands)
        raise RequestError(f"the sources have no photometry; the model needs {', '.join(self.bands)}")

    def _image(self, sources: Sources) -> tuple[np.ndarray | None, np.ndarray]:
        n, config = len(sources), self.config.image
        if not self._images:
            return None, np.zeros(n)
        if sources.cutouts is None:
            if self.config.needs_all or not self.bands:
                raise RequestError(f"the sources have no cutouts; the model needs them in {', '.join(config.bands)}")
            return np.zeros((n, len(config.bands), config.size, config.size), np.float32), np.zeros(n)
        check_cutouts(sources.cutouts, config, "this model")
        return image_inputs(sources.cutouts, config)

    def to_plain(self) -> dict[str, Any]:
        """What JSON holds of it."""
        return {
            "of": self.of,
            "config": configs.plain(self.config),
            "bands": list(self.bands),
            "assumed_err": self.assumed_err.tolist(),
            "scaling": self.scaling.to_plain(),
            "magnitude_range": list(self.magnitude_range) if self.bands else [],
            "magnitude_band": self.magnitude_band,
            "typical": None if self.typical is None else self.typical.to_plain(),
            "light": None if self.light is None else self.light.to_plain(),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> ClassPreparation:
        """The inverse of `to_plain`."""
        low, high = plain["magnitude_range"] or (-np.inf, np.inf)
        return cls(
            config=configs.fill(ClassInputConfig, plain["config"]),
            bands=tuple(plain["bands"]),
            assumed_err=np.array(plain["assumed_err"], np.float64),
            scaling=Scaling.from_plain(plain["scaling"]),
            magnitude_range=(float(low), float(high)),
            magnitude_band=str(plain["magnitude_band"]),
            typical=None if plain["typical"] is None else Typical.from_plain(plain["typical"]),
            light=None if plain.get("light") is None else ImageLight.from_plain(plain["light"]),
        )


def _magnitudes(photometry: Photometry, assumed_err: np.ndarray) -> Inputs:
    """Magnitudes and colours of neighbouring bands, as asinh magnitudes (Lupton, Gunn & Szalay 1999, eq. 3) softened at
    the training set's median error b: m = -(2.5 / ln 10) (asinh(f / 2b) + ln b) + zero point. For f >> b they are
    the usual ones; where a flux is within its noise, or negative, they stay finite."""
    used = photometry.observed if photometry.limit is None else photometry.observed & ~photometry.limit
    flux = np.where(used, photometry.flux, 0.0)
    magnitude = AB_ZEROPOINT_NJY - 2.5 / np.log(10.0) * (np.arcsinh(0.5 * flux / assumed_err) + np.log(assumed_err))
    values = np.concatenate([magnitude, magnitude[:, :-1] - magnitude[:, 1:]], axis=1).astype(np.float32)
    there = np.concatenate([used, used[:, :-1] & used[:, 1:]], axis=1)
    n = len(flux)
    return Inputs(
        values=np.where(there, values, np.float32(0)),
        there=there,
        indicators=np.zeros((n, 0), np.float32),
        anchor=np.zeros(n),
        broken=np.asarray(~np.isfinite(values).all(axis=1)),
        n_bands=used.sum(axis=1).astype(np.int16),
    )


def _ln_1pz(sources: Sources) -> np.ndarray:
    """(N, 1); NaN where there is no redshift. A star's may be a little below zero."""
    n = len(sources)
    redshift = np.full(n, np.nan) if sources.redshift is None else sources.redshift
    with np.errstate(invalid="ignore"):
        return np.where(redshift > -0.1, np.log1p(redshift), np.nan)[:, None]


def _ln_psf(sources: Sources, config: ClassInputConfig) -> np.ndarray:
    """(N, B), of the images' bands; NaN where it is not known."""
    cutouts, bands = sources.cutouts, config.image.bands
    if cutouts is None or cutouts.psf_fwhm is None:
        return np.full((len(sources), len(bands)), np.nan)
    return np.log(cutouts.psf_fwhm[:, [cutouts.bands.index(band) for band in bands]])
