"""Calibration of planted posteriors, right and wrong ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from galprism.errors import RequestError
from galprism.evaluate import calibrate, pit_from_quantiles
from galprism.evaluate.calibration import central_intervals, coverage, ks_uniform, pinball, wilson

N = 20_000
ONE_SIGMA = (stats.norm.cdf(-1), 0.5, stats.norm.cdf(1))
LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)


def posterior(width=1.0, offset=0.0, levels=LEVELS, seed=1):
    """Truths drawn from N(mean, sigma), and the quantiles of N(mean + offset, width x sigma)."""
    rng = np.random.default_rng(seed)
    mean, sigma = rng.normal(10, 1, N), rng.uniform(0.05, 0.5, N)
    true = mean + sigma * rng.normal(size=N)
    quantiles = (mean + offset * sigma)[:, None] + width * sigma[:, None] * stats.norm.ppf(levels)
    return true, quantiles, levels


def test_one_sigma_of_a_gaussian_holds_68_27_per_cent():
    c = calibrate(*posterior(levels=ONE_SIGMA))
    found = c.at(0.68)
    assert found.nominal == pytest.approx(0.6827, abs=1e-4)
    assert found.observed == pytest.approx(0.6827, abs=3 * found.err)
    assert found.err == pytest.approx(np.sqrt(0.6827 * 0.3173 / N), rel=0.02)
    assert c.verdict == "as stated"


def test_a_right_posterior_is_called_right():
    c = calibrate(*posterior())
    assert [round(x.nominal, 3) for x in c.coverage] == [0.68, 0.95]
    for found in c.coverage:
        assert found.observed == pytest.approx(found.nominal, abs=3 * found.err)
    assert c.ks < 1.63 / np.sqrt(N)  # the 1 % point of the Kolmogorov distribution
    assert c.ks_p > 0.01
    assert c.verdict == "as stated"


@pytest.mark.parametrize(("width", "verdict"), [(0.7, "too narrow"), (1.4, "too wide")])
def test_wrong_widths_are_found(width, verdict):
    c = calibrate(*posterior(width=width))
    expected = 2 * stats.norm.cdf(width * stats.norm.ppf(0.84)) - 1
    assert c.at(0.68).observed == pytest.approx(expected, abs=4 * c.at(0.68).err)
    assert c.verdict == verdict
    # The PIT of N(0, 1) under N(0, width) departs from uniform by a known amount.
    x = np.linspace(-5, 5, 20_001)
    distance = np.max(np.abs(stats.norm.cdf(x) - stats.norm.cdf(x / width)))
    assert c.ks == pytest.approx(distance, abs=0.01)


def test_a_bias_shows_in_the_pit_with_intervals_of_the_right_width():
    true, quantiles, levels = posterior(offset=0.5)
    pit = pit_from_quantiles(true, quantiles, levels)
    assert pit.mean() < 0.4
    assert calibrate(true, quantiles, levels).ks == pytest.approx(2 * stats.norm.cdf(0.25) - 1, abs=0.01)


@pytest.mark.parametrize("levels", [(0.16, 0.84), (0.16, 0.5, 0.84), LEVELS])
def test_the_pit_of_a_gaussian_is_exact_from_few_quantiles(levels):
    true = np.linspace(-3, 3, 13)
    quantiles = np.tile(stats.norm.ppf(levels), (13, 1))
    assert pit_from_quantiles(true, quantiles, levels) == pytest.approx(stats.norm.cdf(true))


@given(st.lists(st.floats(-5, 5), min_size=4, max_size=4), st.floats(-8, 8), st.floats(0, 3))
def test_the_pit_never_falls_as_the_truth_grows(quantiles, true, step):
    q = np.sort(np.array(quantiles))[None]
    levels = (0.05, 0.3, 0.6, 0.95)
    low, high = (pit_from_quantiles([value], q, levels)[0] for value in (true, true + step))
    assert 0 <= low <= high + 1e-12 <= 1 + 2e-12


def test_the_pit_at_a_quantile_is_its_level():
    quantiles = np.array([[1.0, 4.0, 4.5, 9.0]])
    levels = (0.05, 0.3, 0.6, 0.95)
    for q, level in zip(quantiles[0], levels, strict=True):
        assert pit_from_quantiles([q], quantiles, levels)[0] == pytest.approx(level)


def test_quantiles_that_coincide_make_a_step():
    quantiles = np.array([[2.0, 2.0, 2.0]] * 3)
    pit = pit_from_quantiles([1.9, 2.0, 2.1], quantiles, (0.16, 0.5, 0.84))
    assert pit[0] == 0
    assert 0.16 < pit[1] < 0.84
    assert pit[2] == 1


def test_crossed_quantiles_are_counted_and_left_out():
    true, quantiles, levels = posterior()
    quantiles[:50, 1], quantiles[:50, 3] = quantiles[:50, 3].copy(), quantiles[:50, 1].copy()
    c = calibrate(true, quantiles, levels)
    assert (c.n, c.n_crossed) == (N - 50, 50)
    assert np.isnan(pit_from_quantiles(true, quantiles, levels)[:50]).all()


def test_a_pit_of_the_methods_own_goes_before_one_from_quantiles():
    true, quantiles, _ = posterior(levels=(0.16, 0.5, 0.84))
    pit = np.random.default_rng(4).uniform(size=N)
    c = calibrate(true, quantiles, (0.16, 0.5, 0.84), pit)
    assert c.pit_from == "column"
    assert c.ks == pytest.approx(stats.kstest(pit, "uniform").statistic)
    # no quantiles at 2.5 and 97.5 %: the 95 % interval follows from the PIT, and its width is not known
    assert c.at(0.95).observed == pytest.approx(np.mean(np.abs(pit - 0.5) <= 0.475))
    assert c.at(0.95).mean_width is None
    assert c.at(0.68).mean_width is not None


def test_a_pit_alone_is_enough():
    c = calibrate(np.zeros(1000), pit=np.linspace(0.0005, 0.9995, 1000))
    assert (c.levels, c.pinball) == ((), None)
    assert c.at(0.68).observed == pytest.approx(0.68)
    assert c.ks == pytest.approx(0.0005, abs=1e-9)


def test_without_outer_quantiles_the_95_per_cent_interval_is_not_made_up():
    c = calibrate(*posterior(levels=(0.16, 0.5, 0.84)))
    assert c.at(0.95) is None


def test_levels_without_a_pair_have_no_interval_to_judge():
    c = calibrate(*posterior(levels=(0.1, 0.5)))
    assert c.coverage == ()
    assert c.verdict == "no interval to judge"


@pytest.mark.parametrize(("quantiles", "levels"), [(None, ()), (np.zeros((3, 1)), (0.5,))])
def test_no_uncertainty_is_none(quantiles, levels):
    assert calibrate(np.zeros(3), quantiles, levels) is None


def test_no_usable_row_is_none():
    assert calibrate([np.nan, 1.0], np.array([[0.0, 1.0], [np.nan, 1.0]]), (0.16, 0.84)) is None


@pytest.mark.parametrize("levels", [(0.84, 0.16), (0.0, 0.5), (0.5, 1.0), (0.5, 0.5)])
def test_levels_must_ascend(levels):
    with pytest.raises(RequestError, match="do not ascend"):
        calibrate(np.zeros(3), np.zeros((3, 2)), levels)


def test_a_pit_outside_0_to_1_is_refused():
    with pytest.raises(RequestError, match=r"1\.2 is not a probability"):
        calibrate(np.zeros(3), pit=np.array([0.5, 1.2, 0.1]))


def test_ks_agrees_with_scipy():
    pit = np.random.default_rng(2).beta(1.1, 1.0, 5000)
    distance, p = ks_uniform(pit)
    theirs = stats.kstest(pit, "uniform", method="asymp")
    assert distance == pytest.approx(theirs.statistic)
    assert p == pytest.approx(theirs.pvalue, rel=1e-6)


@pytest.mark.parametrize(("k", "n"), [(0, 10), (10, 10), (3, 10), (680, 1000)])
def test_wilson_agrees_with_scipy(k, n):
    theirs = stats.binomtest(k, n).proportion_ci(confidence_level=stats.norm.cdf(1) * 2 - 1, method="wilson")
    assert wilson(k, n) == pytest.approx((theirs.low, theirs.high))


def test_coverage_of_everything_still_has_an_error():
    assert coverage(np.ones(20, bool), 0.95).err > 0


def test_pinball_of_many_levels_is_the_crps():
    """For N(0, 1) and a truth at 0 the CRPS is sigma (2 phi(0) - 1 / sqrt(pi)) (Gneiting & Raftery 2007, eq. 21)."""
    levels = (np.arange(2000) + 0.5) / 2000
    score = pinball([0.0], stats.norm.ppf(levels)[None], levels)
    assert score == pytest.approx(2 * stats.norm.pdf(0) - 1 / np.sqrt(np.pi), rel=1e-3)


def test_pinball_by_hand():
    # level 0.2, q = 1, truth 3: 2 x 0.2 x 2 = 0.8; level 0.8, q = 4, truth 3: 2 x (0.8 - 1) x (3 - 4) = 0.4
    assert pinball([3.0], np.array([[1.0, 4.0]]), (0.2, 0.8)) == pytest.approx(0.6)


def test_the_right_posterior_has_the_best_score():
    scores = [calibrate(*posterior(width=width)).pinball for width in (0.7, 1.0, 1.4)]
    assert scores[1] < min(scores[0], scores[2])


def test_central_intervals_need_equal_tails():
    assert central_intervals((0.05, 0.16, 0.5, 0.84, 0.9)) == [(pytest.approx(0.68), 1, 3)]
