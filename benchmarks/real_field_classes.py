"""What `real_field.py` has a network say of sources: as it should be asked, and otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter

from galprism.bundle import Bundle
from galprism.data import CLASSES, Cutouts, Predictions, Sources
from galprism.data.apertures import FWHM_PER_SIGMA
from galprism.data.classes import classify
from galprism.data.sizes import half_light_radii
from galprism.fit.size_cut import find_locus
from galprism.infer import ClassPredictor
from galprism.units import AB_ZEROPOINT_NJY
from real_field_samples import PIXEL, STARS, R, RealField, with_fluxes

STAR, QSO, GALAXY = range(len(CLASSES))
SEEN = {"both": "photometry and image", "photometry": "photometry", "image": "image"}
UNTOLD = "width of the PSF not told"
EXTENDED = 1.15
"""Half-light radii, over that of point sources, from which a source is extended."""


@dataclass(frozen=True, eq=False)
class Calls:
    """What N sources are called."""

    probability: np.ndarray
    """(N, K)."""
    flags: np.ndarray

    @property
    def classes(self) -> np.ndarray:
        """(N,), index into CLASSES; -1 where nothing is known."""
        return classify(self.probability)

    @property
    def sure(self) -> np.ndarray:
        """(N,), the highest probability."""
        return self.probability.max(axis=1)

    def count(self, code: int) -> int:
        return int((self.classes == code).sum())


def calls_of(predictions: Predictions) -> Calls:
    columns = [predictions.extra[f"prob_{name}"] for name in CLASSES]
    return Calls(np.stack(columns, axis=1).astype(float), predictions.flags)


def classify_all(network: Bundle, sources: Sources, priors: Sequence[float] | None) -> dict[str, Calls]:
    """By what is seen of the sources: both, photometry, image."""
    shown = {
        "both": sources,
        "photometry": replace(sources, cutouts=None),
        "image": replace(sources, photometry=None),
    }
    predictor = ClassPredictor(network, priors)
    return {name: calls_of(predictor.predict(some)) for name, some in shown.items()}


def points_by_image(network: Bundle, sources: Sources) -> float:
    """The share of point sources that the image alone, under the shares of training, calls stars."""
    alone = replace(sources, photometry=None)
    return float(np.mean(calls_of(ClassPredictor(network).predict(alone)).classes == STAR))


def variants(network: Bundle, real: RealField, priors: Sequence[float], offset: np.ndarray) -> dict[str, Calls]:
    """The real sources measured or asked otherwise; offset : (B,), mag to be added by the stellar locus."""
    sources, held = real.sources, real.sources.photometry
    assert held is not None
    asked = ClassPredictor(network, priors)
    with np.errstate(divide="ignore"):
        total = 10 ** (-0.4 * (real.found.mag - AB_ZEROPOINT_NJY)) / held.flux[:, R]
    total = np.where(held.flux[:, R] > 0, total, 1.0)
    local = np.repeat(real.fwhm[:, None], len(held.bands), axis=1).astype(np.float32)
    told = {
        "shares of classes as in training": ClassPredictor(network).predict(sources),
        "errors as stated": asked.predict(real.stated),
        "zero points moved onto the stellar locus": asked.predict(with_fluxes(sources, 10 ** (-0.4 * offset))),
        "fluxes scaled to Kron's in r": asked.predict(with_fluxes(sources, total[:, None])),
        "galprism's own background": asked.predict(real.boxes),
        "width of the PSF by the nearest stars": asked.predict(_with_cutouts(sources, psf_fwhm=local)),
        UNTOLD: asked.predict(_with_cutouts(sources, psf_fwhm=None)),
        "image smoothed to 0.70 arcsec": asked.predict(smoothed(sources, float(real.psf[R, 0]), 0.70)),
    }
    return {name: calls_of(predictions) for name, predictions in told.items()}


def smoothed(sources: Sources, fwhm: float, wanted: float) -> Sources:
    """With r cutouts convolved with the Gaussian that widens a PSF of one FWHM to another, arcsec, and told so."""
    cutouts = sources.cutouts
    assert cutouts is not None
    sigma = np.sqrt(wanted**2 - fwhm**2) / FWHM_PER_SIGMA / PIXEL
    flux, ivar = cutouts.flux.copy(), cutouts.ivar.copy()
    for image in flux[:, R]:
        image[:] = gaussian_filter(image, sigma)
    ivar[:, R] *= 4 * np.pi * sigma**2  # of white noise, smoothed
    flux[ivar == 0] = 0.0
    told = np.full((len(sources), len(cutouts.bands)), np.nan, np.float32)
    told[:, R] = wanted
    return _with_cutouts(sources, flux=flux, ivar=ivar, psf_fwhm=told)


def _with_cutouts(sources: Sources, **changed) -> Sources:
    assert sources.cutouts is not None
    return replace(sources, cutouts=replace(sources.cutouts, **changed))


@dataclass(frozen=True, eq=False)
class Sizes:
    """Half-light radii on the r cutouts, for a cut in size."""

    scaled: np.ndarray
    """(N,), over the FWHM of the PSF there, in units of what point sources have; NaN where it cannot be told."""

    @property
    def point(self) -> np.ndarray:
        return self.scaled < EXTENDED

    def against(self, calls: Calls) -> np.ndarray:
        """(N,), bool: a point that is called a galaxy, or something extended that is called a star or a quasar."""
        return np.isfinite(self.scaled) & (self.point == (calls.classes == GALAXY))


def sizes_of(sources: Sources, mag: np.ndarray, fwhm: np.ndarray | None = None) -> Sizes:
    """By galprism's half-light radii and the stellar locus that it finds in them.

    mag : (N,), in r; fwhm : (N,), arcsec, of the PSF at each source, where it is known better than the cutouts say
    """
    cutouts = sources.cutouts
    assert cutouts is not None
    assert cutouts.psf_fwhm is not None
    place = cutouts.bands.index("r")
    some = slice(place, place + 1)
    r = Cutouts(cutouts.flux[:, some], cutouts.ivar[:, some], ("r",), cutouts.pixel_scale, cutouts.psf_fwhm[:, some])
    radius = half_light_radii(r)[0][:, 0] / (cutouts.psf_fwhm[:, place] if fwhm is None else fwhm)
    return Sizes(radius / find_locus(radius, mag, bright=STARS).size)
