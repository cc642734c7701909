"""Light in rings: sums that are known, errors that scatter tells, and pixels that are not there."""

from dataclasses import replace

import numpy as np
import pytest

from galprism.data import Cutouts
from galprism.prep.rings import ring_photometry

RADII = (1.5, 3.0, 6.0)
SCALE, SIDE = 0.4, 40
AREA = np.pi * np.diff(np.square([0.0, *RADII])) / SCALE**2


def cutouts(flux, ivar=1.0, bands=("g", "r")):
    flux = np.broadcast_to(np.asarray(flux, np.float32), (len(flux), len(bands), SIDE, SIDE))
    return Cutouts(flux, np.full_like(flux, ivar), bands, SCALE)


def test_of_an_even_sky_a_ring_has_its_area():
    found = ring_photometry(cutouts(np.ones((2, 1, 1, 1))), ("g", "r"), RADII)
    assert found.bands == ("g_1.5", "g_3", "g_6", "r_1.5", "r_3", "r_6")
    np.testing.assert_allclose(found.flux, np.tile(AREA, (2, 2)), rtol=0.01)


def test_of_a_gaussian_each_ring_has_its_share():
    """1 - exp(-r^2 / 2 sigma^2) lies within r."""
    y, x = (np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2) * SCALE
    sigma = 1.8
    profile = np.exp(-(x**2 + y**2) / (2 * sigma**2)) * SCALE**2 / (2 * np.pi * sigma**2)
    within = 1 - np.exp(-np.square(RADII) / (2 * sigma**2))
    found = ring_photometry(cutouts(500 * profile[None, None], bands=("r",)), ("r",), RADII)
    np.testing.assert_allclose(found.flux[0], 500 * np.diff([0, *within]), rtol=0.01)


def test_errors_are_the_scatter_of_empty_rings():
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 2.0, (1500, 1, SIDE, SIDE))
    found = ring_photometry(cutouts(noise, 0.25, bands=("r",)), ("r",), RADII)
    np.testing.assert_allclose(found.flux.std(axis=0) * np.sqrt(found.ivar[0]), 1.0, rtol=0.06)  # 3 sigma of 1,500


def test_bands_are_found_by_name():
    seen = cutouts(np.array([1.0, 2.0])[None, :, None, None])
    found = ring_photometry(seen, ("r",), RADII)
    np.testing.assert_allclose(found.flux[0], 2 * AREA, rtol=0.01)


@pytest.mark.parametrize(("lost", "observed"), [(0.1, True), (0.5, False)])
def test_few_pixels_lost_are_made_up_for_and_many_leave_it_unobserved(lost, observed):
    whole = cutouts(np.ones((1, 1, 1, 1)), bands=("r",))
    gone = np.random.default_rng(1).random(whole.flux.shape) < lost
    seen = replace(whole, flux=np.where(gone, 0, whole.flux), ivar=np.where(gone, 0, whole.ivar))
    found = ring_photometry(seen, ("r",), RADII)
    assert found.observed.tolist() == [[observed] * 3]
    if observed:
        np.testing.assert_allclose(found.flux[0], AREA, rtol=0.01)
        assert np.all(found.ivar < ring_photometry(whole, ("r",), RADII).ivar)
    else:
        assert not found.flux.any()


def test_no_images_have_no_rings_of_as_many_bands():
    none = cutouts(np.ones((2, 1, 1, 1))).take(slice(0, 0))
    assert ring_photometry(none, ("g", "r"), RADII).flux.shape == (0, 6)
