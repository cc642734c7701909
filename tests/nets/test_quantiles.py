"""Quantiles of mixtures against a root finder, on gentle mixtures and on nasty ones."""

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from galprism.nets.quantiles import cdf, moments, quantiles

LEVEL = np.array([0.025, 0.16, 0.5, 0.84, 0.975])


def mixtures(kind, n, k=8, seed=0):
    """weight (K, N), mean and sigma (1, K, N)."""
    rng = np.random.default_rng(seed)
    spread, ln_sigma, ln_weight = {
        "gentle": (0.5, rng.normal(-0.3, 0.4, (k, n)), 1.0),
        "wide": (1.0, rng.normal(-1.0, 0.8, (k, n)), 2.0),
        "nasty": (3.0, rng.uniform(-6, 1, (k, n)), 3.0),
    }[kind]
    weight = np.exp(rng.normal(0, ln_weight, (k, n)))
    return weight / weight.sum(0), rng.normal(0, spread, (1, k, n)), np.exp(ln_sigma)[None]


def exact(weight, mean, sigma, level):
    """(Q, N), by brentq."""
    result = np.empty((len(level), weight.shape[1]))
    for i in range(weight.shape[1]):
        w, m, s = weight[:, i], mean[0, :, i], sigma[0, :, i]
        for j, p in enumerate(level):
            own = m + s * ndtri(p)
            result[j, i] = brentq(
                lambda x, w=w, m=m, s=s, p=p: w @ ndtr((x - m) / s) - p, own.min() - 1e-9, own.max() + 1e-9, xtol=1e-12
            )
    return result


def solve(weight, mean, sigma, steps, dtype=torch.float64):
    tensors = [torch.as_tensor(x, dtype=dtype) for x in (weight, mean, sigma, LEVEL, ndtri(LEVEL))]
    return [x.double().numpy() for x in quantiles(*tensors, steps)]


@pytest.mark.parametrize("kind", ["gentle", "wide", "nasty"])
def test_quantiles_agree_with_brentq(kind):
    """Forty bracketed steps reach any root; a few reach the gentle ones, and say which they have not reached."""
    weight, mean, sigma = mixtures(kind, 150)
    truth = exact(weight, mean, sigma, LEVEL)
    sd = np.sqrt((weight * (sigma[0] ** 2 + mean[0] ** 2)).sum(0) - (weight * mean[0]).sum(0) ** 2)
    _, x, doubt = solve(weight, mean, sigma, 40)
    assert (np.abs(x[0] - truth) / sd)[doubt[0] < 1].max() < 2e-5
    assert (doubt[0] < 1).mean() > 0.99  # the rest lie where there is hardly any density
    _, x, doubt = solve(weight, mean, sigma, 3, torch.float32)
    assert (np.abs(x[0] - truth) / sd)[doubt[0] < 1].max() < 1e-3
    assert (doubt[0] < 1).mean() > {"gentle": 0.99, "wide": 0.6, "nasty": 0.1}[kind]


def test_one_component_is_exact_from_the_start():
    weight, mean, sigma = mixtures("wide", 50, k=1)
    centre, x, doubt = solve(weight, mean, sigma, 1)
    np.testing.assert_allclose(x[0], mean[0] + sigma[0] * ndtri(LEVEL)[:, None], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(centre, mean[:, 0])
    assert doubt.max() < 1


def test_moments_and_distribution_function():
    weight, mean, sigma = (torch.as_tensor(x) for x in mixtures("wide", 3, k=4, seed=2))
    centre, sd, skewness = moments(weight, mean, sigma)
    grid = torch.linspace(-40, 40, 400_001, dtype=torch.float64)
    for i in range(3):
        one = (weight[:, i, None], mean[:, :, i, None], sigma[:, :, i, None])
        probability = torch.diff(cdf(*[x.expand(*x.shape[:-1], len(grid)) for x in one], grid[None])[0])
        middle = 0.5 * (grid[1:] + grid[:-1])
        first = (probability * middle).sum()
        second = (probability * (middle - first) ** 2).sum()
        third = (probability * (middle - first) ** 3).sum()
        assert probability.sum() == pytest.approx(1.0)
        assert centre[0, i] == pytest.approx(first.item(), abs=1e-6)
        assert sd[0, i] == pytest.approx(second.item() ** 0.5, rel=1e-6)
        assert skewness[0, i] == pytest.approx((third / second**1.5).item(), rel=1e-4, abs=1e-6)
