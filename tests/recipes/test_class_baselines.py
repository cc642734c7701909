"""The reference classifiers side by side, on a planted sky that all of them can tell."""

from dataclasses import replace

import numpy as np
import pytest

from galprism import surveys
from galprism.data import CLASSES, Cutouts, Photometry, Sources, Truth
from galprism.errors import RequestError
from galprism.fit.class_templates import ClassTemplates
from galprism.recipes.class_baselines import Measured, class_baselines, sizes_over_psf
from galprism.units import njy_from_abmag
from made_images import SCALE, stars

KIDS = surveys.get("kids")
SLOPE = np.array([[0.5], [0.0], [1.5]])
"""mag a band by which stars, quasars and galaxies get brighter to the red, on average."""


def planted(n, seed, first_id=0) -> Measured:
    """Colours of each class that overlap a little; points and galaxies hardly do in size."""
    rng = np.random.default_rng(seed)
    classes = rng.choice(3, n, p=[0.3, 0.2, 0.5]).astype(np.int8)
    slope = SLOPE[classes] + 0.25 * rng.standard_normal((n, 1))
    mag = rng.uniform(18.0, 21.0, (n, 1)) - slope * (np.arange(9) - 2) / 4
    err = KIDS.sky_err()
    flux = njy_from_abmag(mag) + err * rng.standard_normal((n, 9))
    size = 0.64 * np.exp(0.01 * rng.standard_normal(n) + np.where(classes == 2, rng.uniform(0.05, 1.0, n), 0.0))
    photometry = Photometry(flux, np.broadcast_to(err**-2.0, flux.shape), KIDS.band_names)
    return Measured(Sources(id=first_id + np.arange(n), photometry=photometry), classes, size)


def templates() -> ClassTemplates:
    slope = np.linspace(-0.75, 2.25, 60)[:, None]
    flux = np.tile(10 ** (0.4 * slope * (np.arange(9) - 2) / 4), (3, 1))
    weight = np.exp(-0.5 * ((slope - SLOPE.T) / 0.25) ** 2).T.ravel()
    return ClassTemplates(KIDS.band_names, flux, np.repeat([0, 1, 2], 60), np.zeros(180), weight)


@pytest.fixture(scope="module")
def found():
    return class_baselines(planted(600, 0), planted(500, 1, 600), KIDS, templates=templates(), trials=1, most=200)


def test_every_reference_is_there_and_right(found):
    """The more they are told the better: the cut alone calls no quasar, and trees with sizes tell galaxies better."""
    assert list(found.judged) == [
        *("size cut", "templates", "random forest", "boosted trees", "boosted trees, tuned"),
        *("random forest, with size", "boosted trees, with size", "boosted trees, tuned, with size"),
    ]
    for name, judged in found.judged.items():
        assert judged.accuracy > (0.75 if name == "size cut" else 0.85)
    assert found.judged["size cut"].of("galaxy").f1 > 0.97
    assert found.judged["size cut"].of("qso").recall == 0.0
    for kind in ("random forest", "boosted trees"):
        assert found.judged[f"{kind}, with size"].accuracy > found.judged[kind].accuracy
    best = max(judged.accuracy for name, judged in found.judged.items() if "size" not in name)
    assert found.judged["templates"].accuracy > best - 0.02  # what made the colours, with their prior


def test_every_row_is_a_row_of_the_test_set(found):
    for predictions in found.predictions.values():
        np.testing.assert_array_equal(predictions.id, 600 + np.arange(500))


def test_one_table(found):
    text = found.table("planted").text().splitlines()
    assert text[0] == "planted"
    assert [f"F1 {name}" in text[1] for name in CLASSES] == [True] * 3
    assert len(text) == 3 + len(found.judged)
    assert "nan" not in found.table().text()


def test_without_sizes_and_templates_there_are_trees():
    one, other = (replace(planted(200, seed, 200 * seed), size=None) for seed in (0, 1))
    assert list(class_baselines(one, other, KIDS).judged) == ["random forest", "boosted trees"]


def test_sizes_come_from_cutouts():
    """Over the width of the PSF; where a width is not known, in arcsec."""
    image = np.stack([stars((25, 25), 12, 12, 1e4, sigma) for sigma in (1.5, 3.0)])[:, None]
    fwhm = np.full((2, 1), 0.7)
    cutouts = Cutouts(image, np.ones_like(image), ("r",), SCALE, fwhm)
    sources = Sources(id=np.arange(2), cutouts=cutouts)
    arcsec = sizes_over_psf(replace(sources, cutouts=replace(cutouts, psf_fwhm=None)), "r")
    np.testing.assert_allclose(sizes_over_psf(sources, "r"), arcsec / 0.7, rtol=0.02)
    truth = Truth(np.arange(2), (), np.zeros((2, 0)), classes=np.array([0, 2], np.int8))
    np.testing.assert_array_equal(Measured.of(sources, truth).size, sizes_over_psf(sources, "r"))
    with pytest.raises(RequestError, match="no cutouts in g: they are in r"):
        sizes_over_psf(sources, "g")
    with pytest.raises(RequestError, match="the truth has no classes"):
        Measured.of(sources, replace(truth, classes=None))
    with pytest.raises(RequestError, match="of other sources"):
        Measured.of(sources, replace(truth, id=np.array([1, 0])))


def test_requests_that_cannot_be_met():
    one, other = planted(60, 0), planted(60, 1, 60)
    with pytest.raises(RequestError, match="60 sources to test on, 0 the first, are learned from"):
        class_baselines(one, one, KIDS)
    fewer = replace(other, sources=replace(other.sources, photometry=other.sources.photometry.select(("u", "g", "r"))))
    with pytest.raises(RequestError, match="bands u, g, r to test on"):
        class_baselines(one, fewer, KIDS)
    with pytest.raises(RequestError, match="sdss has no band Z, Y, J, H, Ks; it has u, g, r, i, z"):
        class_baselines(one, other, surveys.get("sdss"))
    with pytest.raises(RequestError, match="no example of class qso"):
        class_baselines(replace(one, classes=np.where(one.classes == 1, -1, one.classes), size=None), other, KIDS)
    with pytest.raises(RequestError, match="no photometry"):
        class_baselines(Measured(Sources(id=np.arange(3)), np.arange(3)), other, KIDS)
