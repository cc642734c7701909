"""Points told from what is extended: planted loci, and simulated cutouts."""

import numpy as np
import pytest

from galprism import surveys
from galprism.data import CLASSES, Sources
from galprism.data.classes import class_probabilities
from galprism.data.sizes import half_light_radii
from galprism.errors import RequestError
from galprism.fit.size_cut import find_locus, fit_size, shares_by_side
from galprism.flags import Flag
from galprism.mocks.images.cutouts import ImageConfig, take_images
from galprism.mocks.sky.members import Members, Shapes
from galprism.mocks.sky.patch import Patch
from galprism.units import njy_from_abmag

KIDS = surveys.get("kids")


def planted(n=4000, stars=0.2, seed=0):
    """Sizes and magnitudes of points of size 0.64, with scatter that grows to fainter ones, and of what is larger."""
    rng = np.random.default_rng(seed)
    magnitude = rng.uniform(17.0, 22.0, n)
    star = rng.random(n) < stars
    width = 0.01 * 10 ** (0.15 * np.maximum(magnitude - 19.0, 0.0))
    size = 0.64 * np.exp(width * rng.standard_normal(n))
    size[~star] *= np.exp(rng.uniform(0.2, 1.2, n))[~star]
    return size, magnitude, star


@pytest.mark.parametrize("stars", [0.1, 0.5, 0.9])
def test_the_locus_is_found_however_many_stars_there_are(stars):
    size, magnitude, _ = planted(n=12_000, stars=stars)
    locus = find_locus(size, magnitude)
    assert locus.size == pytest.approx(0.64, rel=0.005)
    assert (np.diff(locus.width) >= 0).all()
    assert np.interp([18.0, 21.9], locus.magnitude, locus.width) == pytest.approx([0.010, 0.027], rel=0.4)


def test_sizes_that_are_not_there_change_nothing():
    size, magnitude, _ = planted()
    more = find_locus(np.append(size, [np.nan, 0.0, 0.5]), np.append(magnitude, [18.0, 18.0, np.nan]))
    assert more.size == find_locus(size, magnitude).size


def test_probabilities_are_the_shares_of_each_side():
    """Nothing is called a quasar, since most points are stars; how many of them are not is said all the same."""
    size, magnitude, star = planted()
    locus = find_locus(size, magnitude)
    rng = np.random.default_rng(1)
    classes = np.where(star, np.where(rng.random(len(star)) < 0.1, 1, 0), 2)
    shares = shares_by_side(locus.excess(size, magnitude) > 3.0, classes)
    found = fit_size(Sources(id=np.arange(len(size))), size, magnitude, locus, shares)
    probability = class_probabilities(found)
    called = found.extra["class"]
    assert set(called) == {"star", "galaxy"}
    assert (called[star] == "star").mean() > 0.99
    assert (called[~star] == "galaxy").mean() > 0.99
    point = called == "star"
    assert probability[point, 1] == pytest.approx((classes[point] == 1).mean())
    np.testing.assert_allclose(probability.sum(axis=1), 1.0)


def test_rows_without_a_size_stay():
    size, magnitude, _ = planted()
    locus = find_locus(size, magnitude)
    shares = np.array([[0.8, 0.15, 0.05], [0.0, 0.1, 0.9]])
    found = fit_size(
        Sources(id=np.array([7, 8, 9])), np.array([np.nan, 0.64, 1.5]), np.array([18.0, 18.0, np.nan]), locus, shares
    )
    assert found.extra["class"].tolist() == ["", "star", ""]
    assert found.n_bands.tolist() == [0, 1, 0]
    assert (found.flags & np.uint32(Flag.NOT_INFERRED) > 0).tolist() == [True, False, True]
    assert np.isnan(class_probabilities(found)[[0, 2]]).all()


def test_simulated_cutouts_of_points_and_galaxies():
    """Of r = 19 to 21 in KiDS's seeing: what has an effective radius of 0.5 to 1.5 arcsec is told from points."""
    n = 400
    rng = np.random.default_rng(3)
    magnitude = rng.uniform(19.0, 21.0, n)
    flux = np.zeros((n, len(KIDS.bands)))
    flux[:, 2] = njy_from_abmag(magnitude)
    star = rng.random(n) < 0.4
    re = rng.uniform(0.5, 1.5, n)
    shapes = Shapes(0.5 * re, re, np.full(n, 0.8), rng.uniform(0.5, 1.0, n), rng.uniform(0, np.pi, n))
    share = np.where(star, 0.0, 0.3)[:, None]
    disc = flux * np.where(star, 0.0, 0.7)[:, None]
    patch = Patch(np.arange(n), Members(np.zeros(n), flux * star[:, None], flux * share, disc, shapes))
    cutouts = take_images(patch, KIDS, ImageConfig(), seed=5)
    size = (half_light_radii(cutouts)[0] / cutouts.psf_fwhm)[:, 0]
    locus = find_locus(size, magnitude, bright=(19.0, 20.5))
    extended = locus.excess(size, magnitude) > 3.0
    assert extended[~star].mean() > 0.99
    assert extended[star].mean() < 0.05
    assert locus.size == pytest.approx(np.median(size[star]), rel=0.01)


def test_requests_that_cannot_be_met():
    size, magnitude, _ = planted(n=100)
    with pytest.raises(RequestError, match="0 sources with a size between magnitudes 10 and 11"):
        find_locus(size, magnitude, bright=(10.0, 11.0))
    with pytest.raises(RequestError, match="0 sources with a size"):
        find_locus(np.full(100, np.nan), magnitude)
    with pytest.raises(RequestError, match="no source of known class is a point"):
        shares_by_side(np.ones(100, bool), np.zeros(100, int))
    locus = find_locus(size, magnitude)
    sources = Sources(id=np.arange(100))
    with pytest.raises(RequestError, match="size has shape"):
        fit_size(sources, size[:50], magnitude, locus, np.full((2, 3), 1 / 3))
    with pytest.raises(RequestError, match="add up to 1"):
        fit_size(sources, size, magnitude, locus, np.full((2, len(CLASSES)), 0.5))
    with pytest.raises(RequestError, match="expected the same"):
        find_locus(size, magnitude[:-1])


def test_a_chance_crowd_of_galaxies_is_no_locus():
    """Twenty galaxies of one size stand closer together than points do; points are the smallest crowd all the same."""
    rng = np.random.default_rng(3)
    points = np.exp(rng.normal(np.log(0.64), 0.02, 70))
    galaxies = np.concatenate([np.exp(rng.normal(np.log(1.1), 0.25, 250)), np.exp(rng.normal(np.log(1.2), 0.003, 20))])
    size = np.concatenate([points, galaxies])
    magnitude = rng.uniform(17.0, 19.0, len(size))
    assert find_locus(size, magnitude, bright=(17.0, 19.0)).size == pytest.approx(0.64, rel=0.01)
