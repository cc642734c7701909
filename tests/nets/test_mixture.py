"""The mixture of Gaussians against scipy and against its own draws."""

import numpy as np
import torch
from scipy import stats
from scipy.special import logsumexp

from galprism.nets import Mixture, MixtureConfig


def head_and_raw(n_coordinates, components, n, seed=0):
    torch.manual_seed(seed)
    head = Mixture(n_coordinates, MixtureConfig(components))
    return head, torch.randn(n, head.n_raw, dtype=torch.float64)


def covariances(head, raw):
    """Weights, means and covariances (N, K, …) the long way: Sigma = (1 - B)^-1 S^2 (1 - B)^-T."""
    log_weight, mu, ln_sigma, b = (x.numpy() if hasattr(x, "numpy") else x for x in head.components(raw))
    d, (k, n) = head.n_coordinates, log_weight.shape
    weight = np.exp(log_weight).T
    mean = np.stack([m.numpy() for m in mu], -1).transpose(1, 0, 2)
    cov = np.empty((n, k, d, d))
    for i in range(n):
        for j in range(k):
            B = np.zeros((d, d))
            for (row, column), value in b.items():
                B[row, column] = value[j, i]
            L = np.linalg.inv(np.eye(d) - B) @ np.diag([np.exp(ls[j, i].item()) for ls in ln_sigma])
            cov[i, j] = L @ L.T
    return weight, mean, cov


def test_nll_is_that_of_the_mixture():
    head, raw = head_and_raw(3, 4, 20)
    y = torch.randn(20, 3, dtype=torch.float64)
    weight, mean, cov = covariances(head, raw)
    expected = [
        -logsumexp(
            [np.log(weight[i, k]) + stats.multivariate_normal(mean[i, k], cov[i, k]).logpdf(y[i]) for k in range(4)]
        )
        for i in range(20)
    ]
    np.testing.assert_allclose(head.nll(raw, y), expected, rtol=1e-9)


def test_marginals_of_linear_functionals():
    head, raw = head_and_raw(3, 4, 20)
    linear = torch.tensor([[1.0, 0, 0], [0, 0, 1], [1, 2, -0.5]], dtype=torch.float64)
    weight, mean, cov = covariances(head, raw)
    w, m, s = head.marginals(raw, linear)
    np.testing.assert_allclose(w.T, weight, rtol=1e-12)
    np.testing.assert_allclose(m, np.einsum("pd,nkd->pkn", linear, mean), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(s**2, np.einsum("pd,nkde,pe->pkn", linear, cov, linear), rtol=1e-9)


def test_the_density_integrates_to_one():
    head, raw = head_and_raw(2, 3, 1, seed=3)
    _, mean, cov = covariances(head, raw)
    reach = 9 * np.sqrt(np.max([np.diag(c) for c in cov[0]], axis=0))
    low, high = mean[0].min(0) - reach, mean[0].max(0) + reach
    axes = [torch.linspace(low[d], high[d], 1200, dtype=torch.float64) for d in range(2)]
    y = torch.cartesian_prod(*axes)
    total = (
        torch.exp(-head.nll(raw.expand(len(y), -1), y)).sum() * (axes[0][1] - axes[0][0]) * (axes[1][1] - axes[1][0])
    )
    assert abs(total.item() - 1) < 1e-6


def test_draws_have_the_mixtures_moments():
    head, raw = head_and_raw(2, 3, 2, seed=5)
    raw = raw.float()
    draws = head.sample(raw, 200_000, torch.Generator().manual_seed(1)).numpy()
    weight, mean, cov = covariances(head, raw.double())
    for i in range(2):
        centre = weight[i] @ mean[i]
        d = mean[i] - centre
        spread = np.einsum("k,kde->de", weight[i], cov[i] + d[:, :, None] * d[:, None, :])
        np.testing.assert_allclose(draws[:, i].mean(0), centre, atol=5 * np.sqrt(np.diag(spread) / 2e5).max())
        np.testing.assert_allclose(np.cov(draws[:, i].T), spread, rtol=0.05, atol=0.02)


def test_ln_sigma_stays_in_its_range_and_keeps_a_slope():
    head = Mixture(1, MixtureConfig(1))
    raw = torch.tensor([[0.0, 0.0, x] for x in (-1e4, -2.0, 1e4)], requires_grad=True)
    _, _, (ln_sigma,), _ = head.components(raw)
    np.testing.assert_allclose(ln_sigma.detach()[0], [-6, -2, 2], atol=1e-6)
    ln_sigma.sum().backward()
    assert raw.grad[1, 2] == 1.0


def test_it_starts_wide_and_spread():
    """The first guess covers standardised coordinates, and no component is idle."""
    torch.manual_seed(0)
    head = Mixture(2, MixtureConfig(8))
    last = torch.nn.Linear(16, head.n_raw)
    head.prepare(last)
    raw = last(torch.randn(1000, 16))
    assert head.nll(raw, torch.randn(1000, 2)).mean() < 4.0
    weight, mean, _ = head.marginals(raw, torch.eye(2))
    assert weight.min() > 0.01
    assert (mean.max(1).values - mean.min(1).values > 2.0).all()
