"""Fluxes over their median, missing bands between their neighbours."""

import numpy as np
import pytest

from galprism.data import Photometry
from galprism.prep import medians

BANDS = ("a", "b", "c", "d", "e")


def measured(flux, observed=None, **more):
    flux = np.atleast_2d(np.asarray(flux, float))
    observed = np.ones(flux.shape, bool) if observed is None else np.atleast_2d(observed)
    return medians.measure(Photometry(flux, np.where(observed, 1.0, 0.0), BANDS, **more))


def test_fluxes_are_over_their_median_whatever_the_unit():
    flux = np.array([[1.0, 2.0, 3.0, 5.0, 8.0], [-1.0, 2.0, 4.0, 6.0, 7.0]])
    found = measured(flux)
    np.testing.assert_allclose(found.values, flux / [[3.0], [4.0]], rtol=1e-6)
    np.testing.assert_allclose(measured(1e5 * flux).values, found.values, rtol=1e-6)
    assert not found.broken.any()


def test_missing_bands_lie_between_their_neighbours():
    observed = np.array([[0, 1, 0, 0, 1], [1, 0, 1, 1, 0]], bool)
    found = measured([[9.0, 2.0, 9.0, 9.0, 8.0], [1.0, 9.0, 3.0, 4.0, 9.0]], observed)
    # medians of what is there: 5 and 3; beyond the last band its flux
    np.testing.assert_allclose(found.values * [[5.0], [3.0]], [[2, 2, 4, 6, 8], [1, 2, 3, 4, 4]], rtol=1e-6)
    np.testing.assert_array_equal(found.n_bands, [2, 3])


def test_a_random_spectrum_is_interpolated_as_numpy_does_it():
    rng = np.random.default_rng(2)
    flux, observed = rng.uniform(1.0, 9.0, (200, 5)), rng.random((200, 5)) < 0.6
    observed[:, 2] = True
    found = measured(flux, observed)
    for n in np.flatnonzero(~found.broken):
        there = observed[n]
        expected = np.interp(np.arange(5), np.flatnonzero(there), flux[n, there])
        np.testing.assert_allclose(found.values[n], expected / np.median(flux[n, there]), rtol=1e-5)


@pytest.mark.parametrize(
    ("flux", "observed"),
    [
        ([0.0] * 5, [True] * 5),
        ([-1.0, -2.0, -3.0, 4.0, 5.0], [True] * 5),
        ([1.0] * 5, [True, False, False, False, False]),
        ([1.0] * 5, [False] * 5),
    ],
    ids=["zero", "negative median", "one band", "no band"],
)
def test_what_has_no_positive_median_is_broken_and_finite(flux, observed):
    found = measured(flux, observed)
    assert found.broken.all()
    assert np.isfinite(found.values).all()


def test_an_upper_limit_is_no_measurement():
    limit = np.array([[False, True, False, False, False]])
    found = measured([1.0, 99.0, 3.0, 5.0, 7.0], limit=limit)
    np.testing.assert_allclose(found.values[0, 1] / found.values[0, 0], 2.0, rtol=1e-6)
