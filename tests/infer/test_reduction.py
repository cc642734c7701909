"""Many Gaussians brought down to a few: what must stay stays, and the cheapest go first."""

from itertools import combinations

import numpy as np
import pytest

from galprism.infer.reduction import reduced, regressions

D = 3


def mixtures(n_components, n_sources, seed=0):
    """Weights (I, N), means (D, I, N) and covariances (D, D, I, N) of no particular mixtures."""
    rng = np.random.default_rng(seed)
    weight = rng.random((n_components, n_sources)) ** 3
    root = 0.5 * rng.standard_normal((n_components, n_sources, D, D))
    cov = (root @ root.swapaxes(2, 3) + 0.01 * np.eye(D)).transpose(2, 3, 0, 1)
    return weight / weight.sum(axis=0), rng.standard_normal((D, n_components, n_sources)), cov


def whole(weight, mean, cov):
    """Mean (D, N) and covariance (D, D, N) of everything; covariances are lower triangles."""
    full = np.where(np.tri(D)[:, :, None, None] > 0, cov, cov.swapaxes(0, 1))
    centre = (weight * mean).sum(axis=1)
    off = mean - centre[:, None]
    return centre, (weight * (full + off[:, None] * off[None])).sum(axis=2)


def by_hand(weight, mean, cov, n):
    """The weights that the greedy search leaves of one source, pair by pair (Runnalls 2007, eq. 21)."""
    held = [(weight[i], mean[:, i], cov[:, :, i]) for i in range(len(weight))]

    def together(one, other):
        w = one[0] + other[0]
        a, b, off = one[0] / w, other[0] / w, one[1] - other[1]
        return w, a * one[1] + b * other[1], a * one[2] + b * other[2] + a * b * np.outer(off, off)

    def cost(one, other):
        each = [w * np.linalg.slogdet(c)[1] for w, _, c in (together(one, other), one, other)]
        return each[0] - each[1] - each[2]

    while len(held) > n:
        i, j = min(combinations(range(len(held)), 2), key=lambda pair: cost(held[pair[0]], held[pair[1]]))
        both = together(held[i], held[j])
        held = [each for k, each in enumerate(held) if k not in (i, j)] + [both]
    return np.sort([w for w, _, _ in held])


@pytest.mark.parametrize("n", [1, 2, 5])
def test_mean_and_covariance_of_the_whole_are_kept(n):
    many = mixtures(12, 40)
    few = reduced(*many, n)
    assert few[0].shape == (n, 40)
    np.testing.assert_allclose(few[0].sum(axis=0), 1.0)
    for before, after in zip(whole(*many), whole(*few), strict=True):
        np.testing.assert_allclose(after, before, atol=1e-12)


def test_the_cheapest_pairs_are_merged_first():
    many = mixtures(9, 12, seed=1)
    found = np.sort(reduced(*many, 3)[0], axis=0)
    expected = [by_hand(*(each[..., i] for each in many), 3) for i in range(12)]
    np.testing.assert_allclose(found.T, expected, rtol=1e-9)


def test_groups_that_lie_apart_stay_apart():
    """Three heaps of six that weigh about the same: their weights and means are left."""
    weight, mean, cov = mixtures(18, 30, seed=2)
    weight = (weight + 1 / 18) / 2
    heap = np.arange(18) % 3
    mean[0] += 40.0 * heap[:, None]
    found, centre, _ = reduced(weight, mean, cov, 3)
    order = np.argsort(centre[0], axis=0)
    for k in range(3):
        inside = weight[heap == k].sum(axis=0)
        np.testing.assert_allclose(np.take_along_axis(found, order, 0)[k], inside)
        expected = (weight * mean[1])[heap == k].sum(axis=0) / inside
        np.testing.assert_allclose(np.take_along_axis(centre[1], order, 0)[k], expected, atol=1e-12)


def test_units_do_not_matter():
    weight, mean, cov = mixtures(10, 20, seed=3)
    scale = np.array([1e-3, 1.0, 50.0])
    one = reduced(weight, mean, cov, 4)
    other = reduced(weight, scale[:, None, None] * mean, np.multiply.outer(scale, scale)[:, :, None, None] * cov, 4)
    np.testing.assert_allclose(other[0], one[0])
    np.testing.assert_allclose(other[1], scale[:, None, None] * one[1], rtol=1e-9)


def test_components_without_weight_go_first():
    """A source has the same answer however many empty components it is filled up with; and few enough all stay."""
    weight, mean, cov = mixtures(7, 20, seed=4)
    empty = [np.zeros((*each.shape[:-2], 5, 20)) for each in (weight, mean, cov)]
    filled = [np.concatenate(pair, axis=-2) for pair in zip(empty, (weight, mean, cov), strict=True)]
    one, other = reduced(weight, mean, cov, 4), reduced(*filled, 4)
    np.testing.assert_allclose(np.sort(other[0], axis=0), np.sort(one[0], axis=0), rtol=1e-9)
    kept = reduced(weight, mean, cov, 7)
    np.testing.assert_array_equal(kept[0], weight)
    np.testing.assert_array_equal(kept[1], mean)
    np.testing.assert_array_equal(np.count_nonzero(reduced(*filled, 9)[0], axis=0), 7)


def test_regressions_are_those_of_least_squares():
    cov = mixtures(4, 5, seed=5)[2]
    ln_sigma, slope = regressions(cov)
    c = np.moveaxis(cov, (0, 1), (-2, -1))
    np.testing.assert_allclose(np.exp(2 * ln_sigma[0]), c[..., 0, 0])
    np.testing.assert_allclose(slope[0], c[..., 1, 0] / c[..., 0, 0])
    b = np.linalg.solve(c[..., :2, :2], c[..., 2, :2, None])[..., 0]
    np.testing.assert_allclose(np.moveaxis(slope[1:], 0, -1), b)
    left = c[..., 2, 2] - (b * c[..., 2, :2]).sum(axis=-1)
    np.testing.assert_allclose(np.exp(2 * ln_sigma[2]), left)
