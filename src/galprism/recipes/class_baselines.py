"""The reference classifiers of stars, quasars and galaxies on one test set, judged alike.

What a network is held against: a cut in size, template fits, boosted trees and a random forest. Those that learn do so
from the same labelled sources, and none sees the test set's classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from galprism.data import CLASSES, Predictions, Sources, Truth
from galprism.data.classes import class_probabilities
from galprism.data.sizes import half_light_radii
from galprism.errors import RequestError
from galprism.evaluate.classes import Classification, judge_classes
from galprism.evaluate.tables import Table, number, percent
from galprism.fit.class_fit import fit_classes
from galprism.fit.class_shares import shares_by_magnitude
from galprism.fit.class_templates import ClassTemplates
from galprism.fit.size_cut import find_locus, fit_size, shares_by_side
from galprism.fit.tree_features import tree_features
from galprism.fit.tree_tuning import tune_boosted
from galprism.fit.trees import Trees, grow_boosted, grow_forest, predict_trees
from galprism.surveys import Survey
from galprism.units import abmag_from_njy

CUT = 3.0
"""Widths of the stellar locus above it from which a source is extended."""


@dataclass(frozen=True, eq=False)
class Measured:
    """Sources whose classes are known, and their sizes."""

    sources: Sources
    classes: np.ndarray
    """(N,), index into CLASSES, -1 unknown."""
    size: np.ndarray | None = None
    """(N,), half-light radii, best over their PSF's FWHM; NaN where not measured."""

    @classmethod
    def of(cls, sources: Sources, truth: Truth, *, band: str = "r") -> Measured:
        """With sizes from the sources' cutouts in one band, where they have any.

        Raises RequestError where the truth has no classes, or is of other sources; or the cutouts lack the band.
        """
        if truth.classes is None:
            raise RequestError("the truth has no classes; accepted: one of stars, quasars and galaxies")
        if not np.array_equal(truth.id, sources.id):
            raise RequestError("the truth is of other sources, or in another order, than those given")
        return cls(sources, truth.classes, None if sources.cutouts is None else sizes_over_psf(sources, band))


def sizes_over_psf(sources: Sources, band: str) -> np.ndarray:
    """(N,), half-light radii in one band, over the FWHM of the PSF where that is known of every cutout, in arcsec else.

    Raises RequestError where there are no cutouts, or none of the band.
    """
    cutouts = sources.cutouts
    if cutouts is None or band not in cutouts.bands:
        there = "there are none" if cutouts is None else f"they are in {', '.join(cutouts.bands)}"
        raise RequestError(f"no cutouts in {band}: {there}")
    place = cutouts.bands.index(band)
    radius = half_light_radii(cutouts)[0][:, place]
    fwhm = None if cutouts.psf_fwhm is None else cutouts.psf_fwhm[:, place]
    known = fwhm is not None and bool(np.isfinite(fwhm[np.isfinite(radius)]).all())
    return radius / fwhm if known and fwhm is not None else radius


@dataclass(frozen=True, eq=False)
class Baselines:
    """What each reference said of one test set, by name."""

    predictions: Mapping[str, Predictions]
    judged: Mapping[str, Classification]

    def table(self, caption: str = "") -> Table:
        """A row a method: accuracy, macro F1, F1 of each class, calibration error."""
        rows = tuple(
            (
                name,
                percent(one.accuracy, 2),
                percent(one.macro_f1, 2),
                *(percent(entry.f1 if np.isfinite(entry.f1) else None, 2) for entry in one.classes),
                number(one.calibration_error, 4),
            )
            for name, one in self.judged.items()
        )
        return Table(
            ("method", "right", "macro F1", *(f"F1 {name}" for name in CLASSES), "calibration error"), rows, caption
        )


def class_baselines(
    train: Measured,
    test: Measured,
    survey: Survey,
    *,
    templates: ClassTemplates | None = None,
    band: str = "r",
    trials: int = 0,
    seconds: float | None = None,
    most: int | None = None,
    seed: int = 0,
) -> Baselines:
    """Every reference that can be made: the cut in size where both sets have sizes, template fits where templates are
    given, trees without sizes, and with them where both sets have some.

    survey : whose bands the photometry has; its noise softens the magnitudes that trees are given
    band : magnitudes in it go with the sizes, and with the classes' shares
    trials : of the search for the settings of boosted trees, on the training set; none for the defaults alone
    seconds, most : after which no trial begins, and how many sources the search learns from; see tune_boosted

    Raises RequestError where the sets have no photometry, not the same bands or not the survey's, or not the band; have
    sources in common; and where a class is not in the training set.
    """
    bands, other = (_bands(one.sources, survey) for one in (train, test))
    if bands != other:
        raise RequestError(f"bands {', '.join(other)} to test on; those of the training set are {', '.join(bands)}")
    shared = np.isin(test.sources.id, train.sources.id)
    if shared.any():
        raise RequestError(
            f"{shared.sum()} sources to test on, {test.sources.id[shared][0]} the first, are learned from"
        )
    own, asked = (_magnitude(one.sources, band) for one in (train, test))
    sized = train.size is not None and test.size is not None
    predictions: dict[str, Predictions] = {}
    if sized:
        predictions["size cut"] = _by_size(train, own, test, asked)
    if templates is not None:
        prior = shares_by_magnitude(own, train.classes, asked)
        predictions["templates"] = fit_classes(test.sources, templates, prior=prior, flux_err=survey.flux_err)
    softening = survey.sky_err()[[survey.band_names.index(name) for name in bands]]
    search = partial(tune_boosted, trials=trials, seconds=seconds, most=most, seed=seed)
    for with_size in (False, True) if sized else (False,):
        learn, ask = (
            tree_features(one.sources, softening=softening, size=one.size if with_size else None)
            for one in (train, test)
        )
        also = ", with size" if with_size else ""
        grown: dict[str, Trees] = {"random forest": grow_forest(learn, train.classes, seed=seed)}
        grown["boosted trees"] = grow_boosted(learn, train.classes, seed=seed)
        if trials:
            config = search(learn, train.classes).config
            grown["boosted trees, tuned"] = grow_boosted(learn, train.classes, config, seed=seed)
        for name, trees in grown.items():
            predictions[name + also] = predict_trees(test.sources, ask, trees)
    judged = {name: judge_classes(class_probabilities(one), test.classes) for name, one in predictions.items()}
    return Baselines(predictions, judged)


def _by_size(train: Measured, own: np.ndarray, test: Measured, asked: np.ndarray) -> Predictions:
    """The cut in size; own, asked : magnitudes of the sets."""
    assert train.size is not None
    assert test.size is not None
    locus = find_locus(train.size, own)
    excess = locus.excess(train.size, own)
    shares = shares_by_side(excess > CUT, np.where(np.isfinite(excess), train.classes, -1))
    return fit_size(test.sources, test.size, asked, locus, shares, cut=CUT)


def _bands(sources: Sources, survey: Survey) -> tuple[str, ...]:
    if sources.photometry is None:
        raise RequestError("the sources have no photometry; the references are of magnitudes and colours")
    missing = [band for band in sources.photometry.bands if band not in survey.band_names]
    if missing:
        raise RequestError(f"{survey.name} has no band {', '.join(missing)}; it has {', '.join(survey.band_names)}")
    return sources.photometry.bands


def _magnitude(sources: Sources, band: str) -> np.ndarray:
    """(N,), AB; NaN where the flux is not above zero, or the band was not observed."""
    assert sources.photometry is not None
    return abmag_from_njy(np.asarray(sources.photometry.select((band,)).flux[:, 0], np.float64))
