"""Polished quantiles against a root finder, the nastiest mixtures included."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from galprism.infer.quantiles import mixture_cdf, mixture_quantiles


def mixtures(n, k=8, seed=0):
    rng = np.random.default_rng(seed)
    weight = np.exp(rng.normal(0, 3, (n, k)))
    return weight, rng.normal(0, 3, (n, k)), np.exp(rng.uniform(-7, 1, (n, k)))


def exact(w, m, s, p):
    own = m + s * ndtri(p)
    return brentq(lambda x: w @ ndtr((x - m) / s) / w.sum() - p, own.min() - 1e-9, own.max() + 1e-9, xtol=1e-13)


@pytest.mark.parametrize("start", [None, "wild", "nan"])
def test_they_agree_with_brentq_wherever_they_start(start):
    weight, mean, sigma = mixtures(300)
    level = np.random.default_rng(1).choice([0.025, 0.16, 0.5, 0.84, 0.975], 300)
    starts = {None: None, "wild": np.random.default_rng(2).normal(0, 100, 300), "nan": np.full(300, np.nan)}[start]
    found = mixture_quantiles(weight, mean, sigma, level, starts)
    truth = np.array([exact(*row) for row in zip(weight, mean, sigma, level, strict=True)])
    w = weight / weight.sum(1, keepdims=True)
    sd = np.sqrt((w * (sigma**2 + mean**2)).sum(1) - (w * mean).sum(1) ** 2)
    assert np.max(np.abs(found - truth) / sd) < 2e-6


def test_no_mixture_gives_no_quantile():
    empty = np.zeros((0, 3))
    assert mixture_quantiles(empty, empty, empty, np.zeros(0)).shape == (0,)


def test_the_distribution_function_is_the_inverse():
    weight, mean, sigma = mixtures(200, seed=4)
    level = np.random.default_rng(3).uniform(0.01, 0.99, 200)
    x = mixture_quantiles(weight, mean, sigma, level)
    slope = (weight * np.exp(-0.5 * ((x[:, None] - mean) / sigma) ** 2) / sigma).sum(1) / weight.sum(1)
    np.testing.assert_array_less(np.abs(mixture_cdf(weight, mean, sigma, x) - level), 1e-5 * (1 + slope))
