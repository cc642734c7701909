"""Point metrics against numbers worked out by hand, laws, and the same formulas taken another way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from galprism.evaluate import binned, edges, point_metrics
from galprism.evaluate.metrics import bin_index, log_edges, nmad, outlier_threshold, root_mean_error

values = st.floats(-20, 20, width=32)


def test_known_answers_by_hand():
    # d = 0.1, -0.1, 0.4, 0.0; their mean is 0.1, their squares 0.01, 0.01, 0.16, 0.
    m = point_metrics([10.1, 10.9, 12.4, 13.0], [10.0, 11.0, 12.0, 13.0], outlier=0.3)
    assert m.n == 4
    assert m.not_inferred == 0
    assert m.bias == pytest.approx(0.1)
    assert m.mse == pytest.approx(0.045)
    assert m.rms == pytest.approx(0.045**0.5)
    assert m.sigma == pytest.approx(0.035**0.5)
    assert m.mae == pytest.approx(0.15)
    # median d = 0.05; deviations 0.05, 0.15, 0.35, 0.05; their median 0.1
    assert m.sigma_nmad == pytest.approx(0.14826)
    # sum d^2 = 0.18; true about its mean of 11.5: 2.25 + 0.25 + 0.25 + 2.25 = 5
    assert m.r2 == pytest.approx(1 - 0.18 / 5)
    # predictions about 11.5: 1.4^2 + 0.6^2 + 0.9^2 + 1.5^2 = 5.38
    assert m.r2_paper == pytest.approx(1 - 0.18 / 5.38)
    assert m.outlier_fraction == 0.25


def test_a_constant_prediction_shows_how_the_two_r2_differ():
    """Always predicting the mean explains nothing: R2 = 0. The paper's formula divides by zero there: null."""
    m = point_metrics(np.full(5, 2.0), [0.0, 1.0, 2.0, 3.0, 4.0])
    assert m.r2 == pytest.approx(0)
    assert m.r2_paper is None


def test_predictions_spread_too_far_flatter_the_papers_r2():
    true = np.linspace(-1, 1, 101)
    m = point_metrics(2 * true, true)
    assert m.r2 == pytest.approx(0, abs=1e-12)
    assert m.r2_paper == pytest.approx(0.75)


def test_the_mlp_gap_papers_own_figures_hang_together():
    """sigma = 0.060 without bias is MSE = 0.0036 (its Fig. 3): sigma divides by n as ours does."""
    d = 0.060 * np.array([1.0, -1.0] * 50)
    m = point_metrics(d, np.zeros(100))
    assert m.sigma == pytest.approx(0.060)
    assert m.mse == pytest.approx(0.0036)


@given(arrays(np.float64, st.integers(2, 30), elements=values), st.integers(0, 2**31))
def test_laws(true, seed):
    rng = np.random.default_rng(seed)
    predicted = true + rng.normal(0, 1, len(true))
    m = point_metrics(predicted, true, outlier=0.3)
    assert m.rms**2 == pytest.approx(m.bias**2 + m.sigma**2)
    assert m.mse == pytest.approx(m.rms**2)
    assert abs(m.bias) <= m.mae * (1 + 1e-9) <= m.rms * (1 + 1e-9) ** 2
    moved = point_metrics(predicted + 3, true + 3, outlier=0.3)
    assert moved.sigma_nmad == pytest.approx(m.sigma_nmad, abs=1e-6)
    order = rng.permutation(len(true))
    again = point_metrics(predicted[order], true[order], outlier=0.3)
    assert again.sigma == pytest.approx(m.sigma)
    assert again.outlier_fraction == m.outlier_fraction


def test_agrees_with_the_same_quantities_taken_another_way():
    rng = np.random.default_rng(5)
    true = rng.normal(10, 1, 4000)
    predicted = 0.9 * true + 1.1 + rng.standard_t(4, 4000) * 0.2
    m = point_metrics(predicted, true)
    d = predicted - true
    assert m.sigma_nmad == pytest.approx(stats.median_abs_deviation(d, scale="normal"), rel=1e-4)
    assert m.sigma == pytest.approx(stats.tstd(d) * np.sqrt(3999 / 4000))
    # R2 = 1 - (1 - r^2) ... of a line fitted is at least R2 of the 1:1 line
    assert m.r2 == pytest.approx(1 - np.mean(d**2) / np.var(true))
    assert m.r2 <= stats.pearsonr(predicted, true).statistic ** 2


def test_standard_errors_are_what_a_bootstrap_gives():
    rng = np.random.default_rng(6)
    d = rng.standard_t(8, 2000) * 0.1 + 0.02
    m = point_metrics(d, np.zeros_like(d))
    draws = d[rng.integers(0, len(d), (2000, len(d)))]
    assert m.rms_err == pytest.approx(np.sqrt((draws**2).mean(axis=1)).std(), rel=0.08)
    assert m.sigma_err == pytest.approx(draws.std(axis=1).std(), rel=0.08)
    assert m.bias_err == pytest.approx(draws.mean(axis=1).std(), rel=0.08)


def test_the_error_of_sigma_is_the_gaussian_one():
    """For a Gaussian, sigma / sqrt(2 n)."""
    d = np.random.default_rng(7).normal(0, 0.3, 50_000)
    assert point_metrics(d, np.zeros_like(d)).sigma_err == pytest.approx(0.3 / np.sqrt(1e5), rel=0.02)


def test_nulls_and_unknown_truths_are_counted_apart():
    true = np.array([1.0, 2.0, np.nan, 4.0, 5.0])
    predicted = np.array([1.0, np.nan, 3.0, np.inf, 5.5])
    m = point_metrics(predicted, true)
    assert m.n == 2
    assert m.not_inferred == 0.5
    assert m.bias == 0.25


@pytest.mark.parametrize("true", [[], [np.nan, np.nan]])
def test_nothing_known_gives_nulls(true):
    m = point_metrics(np.zeros(len(true)), true, outlier=0.3)
    assert (m.n, m.not_inferred, m.bias, m.sigma, m.r2, m.outlier_fraction) == (0, None, None, None, None, None)


def test_everything_null_gives_nulls():
    m = point_metrics([np.nan, np.nan], [1.0, 2.0], outlier=0.3)
    assert (m.n, m.not_inferred, m.rms) == (0, 1.0, None)


def test_one_source_has_an_error_and_no_scatter():
    m = point_metrics([1.5], [1.0], outlier=0.3)
    assert (m.bias, m.rms, m.outlier_fraction) == (0.5, 0.5, 1.0)
    assert (m.sigma, m.sigma_nmad, m.r2, m.rms_err) == (None, None, None, None)


def test_a_constant_truth_has_no_r2():
    m = point_metrics([0.1, 0.2, 0.3], [0.1, 0.1, 0.1])
    assert m.r2 is None
    assert m.sigma == pytest.approx(np.std([0.0, 0.1, 0.2]))


def test_perfect_predictions():
    m = point_metrics([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    assert (m.rms, m.rms_err, m.sigma_err, m.r2) == (0, 0, 0, 1)


def test_a_prediction_too_large_to_square_gives_null_and_no_warning():
    m = point_metrics([1e300, 1.0, 2.0], [0.0, 1.0, 2.0])
    assert m.mse is None
    assert m.mae is not None


def test_only_logarithms_have_a_threshold_of_their_own():
    assert outlier_threshold("logmstar") == 0.3
    assert outlier_threshold("logzsol") == 0.3
    assert outlier_threshold("age_mw") is None


def test_nmad_is_sigma_for_a_gaussian_and_ignores_outliers():
    d = np.random.default_rng(8).normal(0, 0.2, 40_000)
    assert nmad(d) == pytest.approx(0.2, rel=0.02)
    d[:400] = 50
    assert nmad(d) == pytest.approx(0.2, rel=0.04)


def test_no_scatter_has_no_error():
    assert root_mean_error(np.zeros(3)) == 0.0


def test_edges_are_round_and_hold_the_bulk():
    borders = edges(np.random.default_rng(9).uniform(0.02, 2.97, 5000))
    assert borders[0] == 0
    assert borders[-1] == pytest.approx(3)
    assert np.allclose(np.diff(borders), borders[1] - borders[0])
    assert 5 <= len(borders) - 1 <= 16


@pytest.mark.parametrize(("given_values", "n"), [([], 0), ([np.nan], 0), ([0.7, 0.7], 2), ([3.0], 2)])
def test_edges_of_next_to_nothing(given_values, n):
    borders = edges(given_values)
    assert len(borders) == n
    if n:
        assert borders[0] <= given_values[0] <= borders[-1]


def test_one_wild_value_does_not_stretch_the_bins():
    borders = edges([*np.random.default_rng(1).uniform(18, 24, 2000), 99.0])
    assert borders[-1] < 25


def test_log_edges_go_1_2_5():
    borders = log_edges(np.geomspace(1.5, 400, 500))
    assert np.allclose(borders, [1, 2, 5, 10, 20, 50, 100, 200, 500])
    assert len(log_edges([-3.0, 0.0])) == 0
    assert np.allclose(log_edges([2.0]), [2, 5])


@given(arrays(np.float64, st.integers(1, 40), elements=values))
def test_bins_lose_no_row(by):
    index = bin_index(by, edges(by))
    assert np.all(index >= 0)
    assert np.all(index < max(len(edges(by)) - 1, 1))


def test_binned_metrics_are_those_of_the_rows_in_each_bin():
    rng = np.random.default_rng(11)
    z = rng.uniform(0, 1, 3000)
    true = rng.normal(size=3000)
    predicted = true + rng.normal(size=3000) * (0.1 + z)
    bins = binned(predicted, true, z, [0, 0.25, 0.5, 1.0], outlier=0.3)
    inside = (z >= 0.25) & (z < 0.5)
    assert bins[1].metrics == point_metrics(predicted[inside], true[inside], outlier=0.3)
    assert bins[1].median == pytest.approx(np.median(z[inside]))
    assert sum(b.metrics.n for b in bins) == 3000
    assert bins[0].metrics.sigma < bins[1].metrics.sigma < bins[2].metrics.sigma


def test_binned_leaves_out_what_has_no_place_and_opens_the_end_bins():
    by = np.array([np.nan, -5.0, 0.5, 7.0])
    bins = binned(np.zeros(4), np.zeros(4), by, [0, 1, 2, 3])
    assert [(b.low, b.high, b.metrics.n) for b in bins] == [(-5.0, 1.0, 2), (2.0, 7.0, 1)]
