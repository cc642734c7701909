"""Weighted moments and quantiles against sorting by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from galprism.fit.weighted import weighted_mean_std, weighted_quantiles


def by_hand(values, weights, level):
    """Walk up the sorted values until enough weight has passed."""
    passed, total = 0.0, float(np.sum(weights, dtype=float))
    for i in np.argsort(values):
        passed += float(weights[i])
        if passed >= level * total * (1 - 1e-12):
            return values[i]
    raise AssertionError


@pytest.mark.parametrize("n", [1, 7, 500, 6000])
def test_quantiles_are_those_of_a_sorted_walk(n):
    rng = np.random.default_rng(n)
    values, weights = rng.normal(10, 0.3, n), rng.exponential(size=n)
    levels = (0.025, 0.16, 0.5, 0.84, 0.999)
    assert weighted_quantiles(values, weights, levels) == pytest.approx([by_hand(values, weights, q) for q in levels])


def test_many_equal_values_and_few_heavy_weights():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 3, 9000).astype(np.float32)
    weights = np.where(values == 2, 1e-4, 1e-6).astype(np.float32)
    assert weighted_quantiles(values, weights, (0.001, 0.5, 0.99)).tolist() == [0.0, 2.0, 2.0]
    assert weighted_quantiles(np.full(9000, 4.0), np.ones(9000), (0.1, 0.9)).tolist() == [4.0, 4.0]


@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3)), min_size=1, max_size=40), st.floats(0.01, 0.99))
def test_a_quantile_splits_the_weight(pairs, level):
    values, weights = np.array(pairs).T
    quantile = weighted_quantiles(values, weights, (level,))[0]
    total = weights.sum()
    assert weights[values <= quantile].sum() >= level * total * (1 - 1e-9)
    assert weights[values < quantile].sum() <= level * total * (1 + 1e-9)


def test_moments():
    values, weights = np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 1.0])
    assert weighted_mean_std(values, weights) == pytest.approx((2.25, np.sqrt(1.1875)))
