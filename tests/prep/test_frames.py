"""Parameters within a range: where in it they lie, there and back, and what a Gaussian of that means."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr
from scipy.stats import kstest

from galprism.cosmology import age_gyr
from galprism.errors import RequestError
from galprism.prep import Targets, TargetsConfig
from galprism.prep.frames import Frame, mean_fraction, narrowed, ranges_of

NAMES = ("logmstar", "age_mw", "logzsol", "log_age")
BOUNDED = ("age_mw", "logzsol", "log_age")


@pytest.fixture(scope="module")
def galaxies():
    """Values (N, 4), anchors and redshifts; ages and their logarithms even up to the Universe's, metallicities even."""
    rng = np.random.default_rng(4)
    z = rng.uniform(0.01, 3.0, 20_000)
    log_age = 6.0 + rng.random(z.size) * (np.log10(age_gyr(z)) + 3.0)
    age, metal = age_gyr(z) * rng.random(z.size), rng.uniform(-2, 0.4, z.size)
    values = np.stack([rng.normal(10, 1, z.size), age, metal, log_age], axis=1)
    return values, values[:, 0] - 0.3, z


def test_what_is_even_over_its_range_is_standard_normal(galaxies):
    values, anchor, z = galaxies
    x = Frame.of([1, 0, 0, 0], ranges_of(NAMES, BOUNDED, values), anchor, z).coordinates(values.T)
    np.testing.assert_allclose(x[0], 0.3)
    for j in (1, 2, 3):
        assert kstest(x[j], "norm").pvalue > 0.01


def test_there_and_back(galaxies):
    values, anchor, z = galaxies
    targets = Targets.fit(TargetsConfig(NAMES, bounded=BOUNDED), values, anchor, z)
    back = targets.decode(targets.encode(values, anchor, z).astype(float), anchor, z)
    np.testing.assert_allclose(back, values, atol=2e-6)


def test_no_answer_is_outside(galaxies):
    values, anchor, z = galaxies
    targets = Targets.fit(TargetsConfig(NAMES, bounded=BOUNDED), values, anchor, z)
    far = targets.decode(np.random.default_rng(0).normal(0, 30, values.shape), anchor, z)
    assert (far[:, 1] >= 0).all()
    assert (far[:, 1] <= age_gyr(z)).all()
    assert (far[:, 3] <= np.log10(age_gyr(z)) + 9).all()
    assert far[:, 2].min() == pytest.approx(-2, abs=0.01)
    assert far[:, 2].max() == pytest.approx(0.4, abs=0.01)


def test_values_outside_are_infinitely_far(galaxies):
    values, anchor, z = galaxies
    frame = Frame.of([1, 0, 0, 0], ranges_of(NAMES, BOUNDED, values), anchor[:2], z[:2])
    x = frame.coordinates(np.array([[10.0, 10.0], [-1.0, 14.0], [-3.0, 2.0], [5.0, 10.2]]))
    np.testing.assert_array_equal(x[1:], [[-np.inf, np.inf]] * 3)
    with pytest.raises(RequestError, match="not in its range"):
        Targets.fit(TargetsConfig(NAMES, bounded=BOUNDED), values + np.array([0, 14, 0, 0]), anchor, z)


@given(st.floats(-4, 4), st.floats(0.01, 4))
def test_the_mean_of_a_gaussian(mean, sigma):
    """Against the sum over it, by Gauss and Hermite's rule of many nodes."""
    node, weight = np.polynomial.hermite_e.hermegauss(120)
    expected = weight @ ndtr(mean + sigma * node) / weight.sum()
    assert mean_fraction(np.array(mean), np.array(sigma)) == pytest.approx(expected, abs=2e-4)


def test_a_gaussian_of_a_narrower_range():
    """Of the same range it is itself; else its points one sigma away stay where they are, and its mean about so."""
    mean, sigma = np.array([-0.5, 0.3, 1.0]), np.array([0.2, 0.4, 0.3])
    np.testing.assert_allclose(narrowed(mean, sigma, np.ones(3)), [mean, sigma])
    share = np.array([0.5, 0.7, 0.9])
    m, s = narrowed(mean, sigma, share)
    np.testing.assert_allclose(ndtr(m - s), share * ndtr(mean - sigma))
    np.testing.assert_allclose(ndtr(m + s), share * ndtr(mean + sigma))
    np.testing.assert_allclose(mean_fraction(m, s), share * mean_fraction(mean, sigma), atol=0.002)


def test_a_gaussian_that_is_all_at_an_end_stays_there():
    mean = np.array([-40.0, -9.0, 9.0, 40.0, 7.0, -3.0], np.float32)
    sigma = np.array([0.1, 0.3, 0.3, 0.1, 18.0, 50.0], np.float32)
    for share in (1.0, 0.999999, 0.5):
        m, s = narrowed(mean, sigma, np.full(6, share))
        assert np.isfinite(m).all()
        assert (s > 0).all()
        np.testing.assert_allclose(mean_fraction(m[:4], s[:4]), [0, 0, share, share], atol=1e-9)


def test_which_may_be_bounded(galaxies):
    with pytest.raises(RequestError, match=r"targets.bounded = \('logmstar',\); accepted: some of age_mw"):
        TargetsConfig(("logmstar", "age_mw"), bounded=("logmstar",))
    with pytest.raises(RequestError, match="which is no range"):
        ranges_of(("logzsol",), ("logzsol",), np.zeros((5, 1)))
