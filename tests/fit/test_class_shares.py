"""Shares of classes by magnitude: planted ones."""

import numpy as np
import pytest

from galprism.errors import RequestError
from galprism.fit.class_shares import shares_by_magnitude


def planted(n=60_000):
    """Stars fall from 0.9 at 16 to 0.2 at 23; a tenth of the others are quasars."""
    rng = np.random.default_rng(0)
    magnitude = rng.uniform(16.0, 23.0, n)
    star = rng.random(n) < star_share(magnitude)
    return magnitude, np.where(star, 0, np.where(rng.random(n) < 0.1, 1, 2))


def star_share(magnitude):
    return 0.9 - 0.1 * (np.asarray(magnitude) - 16.0)


def test_planted_shares_are_found():
    at = np.array([17.0, 19.5, 22.0])
    found = shares_by_magnitude(*planted(), at)
    expected = np.stack([star_share(at), 0.1 * (1 - star_share(at)), 0.9 * (1 - star_share(at))], axis=1)
    np.testing.assert_allclose(found, expected, atol=0.03)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


def test_beyond_the_ends_and_without_a_magnitude():
    """The nearest bin's; and those of all. No share is zero, and sources of unknown class do not count."""
    magnitude, classes = planted()
    found = shares_by_magnitude(magnitude, classes, np.array([5.0, 10.0, np.nan]))
    np.testing.assert_array_equal(found[0], found[1])
    assert found[2, 0] == pytest.approx((classes == 0).mean(), abs=1e-3)
    stars = shares_by_magnitude(magnitude, np.where(classes == 0, 0, -1), np.array([20.0]))
    assert stars[0, 0] > 0.999
    assert (stars > 0).all()


def test_requests_that_cannot_be_met():
    with pytest.raises(RequestError, match="0 sources of known class and magnitude"):
        shares_by_magnitude(np.array([20.0, np.nan]), np.array([-1, 0]), np.array([20.0]))
    with pytest.raises(RequestError, match=r"classes of \(3,\)"):
        shares_by_magnitude(np.ones(2), np.ones(3), np.ones(1))
