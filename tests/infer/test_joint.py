"""Posteriors joint with the redshift, of candidates that were planted."""

import numpy as np
import pytest
from scipy.special import ndtri

from galprism.errors import RequestError
from galprism.infer import Posteriors
from galprism.infer.candidates import Candidates
from galprism.infer.joint import at_known_redshift, layout, over_redshift, probit
from galprism.infer.stored import LN_SIGMA, Components

ENDS = (0.005, 3.0)
K = 4
CELL = 0.005
"""Of ln(1 + z), between neighbours."""


@pytest.fixture(scope="module")
def bundle(mixture):
    """Of log M* and log SFR, both relative to the anchor, by four components."""
    packed = mixture[0]
    assert packed.coordinates["components"] == K
    assert packed.anchored == (1.0, 1.0)
    return packed


def raw_of(weight, mean, sigma, slope):
    """(R,), what a network puts out for components of weights (K,), means and sigmas (K, 2) and slopes (K,)."""
    bent = LN_SIGMA[0] + 4 + 4 * np.arctanh((np.log(sigma) - LN_SIGMA[0] - 4) / 4)
    return np.concatenate([[np.log(weight)], np.transpose(mean), np.transpose(bent), [slope]]).ravel()


def some_raw(n, seed=0):
    """(n, R), of no particular answers."""
    rng = np.random.default_rng(seed)
    raws = []
    for _ in range(n):
        weight = rng.dirichlet(np.full(K, 5.0))
        raws.append(raw_of(weight, rng.normal(0, 0.7, (K, 2)), rng.uniform(0.2, 0.8, (K, 2)), rng.normal(0, 0.5, K)))
    return np.array(raws, np.float32)


def candidates(row, weight, redshift, anchor):
    """Each as sure of its redshift as an even cell is."""
    redshift = np.asarray(redshift, float)
    ln = np.log1p(redshift)
    cell = probit(np.expm1(ln + CELL / 2), ENDS) - probit(np.expm1(ln - CELL / 2), ENDS)
    inputs = np.zeros((len(redshift), 0))
    values = (np.asarray(value, float) for value in (weight, inputs, anchor, redshift, probit(redshift, ENDS)))
    return Candidates(np.asarray(row), *values, cell**2 / 12)


def moments(bundle, found, raw, row):
    """Mean (3,) and covariance (3, 3) of log M*, log SFR and the probit of the redshift over a source's candidates."""
    linear, offset = np.array(bundle.coordinates["linear"]), np.array(bundle.coordinates["offset"])
    total, square = np.zeros(3), np.zeros((3, 3))
    for c in np.flatnonzero(found.row == row):
        each = Components.of_network(raw[c : c + 1], K, 2)
        for k in range(K):
            mean = np.append(linear @ each.mean[0, k] + offset + found.anchor[c], found.place[c])
            cov = np.zeros((3, 3))
            cov[:2, :2] = linear @ each.root()[0, k] @ each.root()[0, k].T @ linear.T
            cov[2, 2] = found.variance[c]
            total += found.weight[c] * each.weight[0, k] * mean
            square += found.weight[c] * each.weight[0, k] * (cov + np.outer(mean, mean))
    return total, square - np.outer(total, total)


def stored(bundle, found, raw):
    """What is read back, and the means and covariances that were planted, (N, 3) and (N, 3, 3)."""
    n = found.row.max() + 1
    planted = [moments(bundle, found, raw, row) for row in range(n)]
    redshift = np.bincount(found.row, found.weight * found.redshift)
    data = over_redshift(bundle, found, raw, probit(redshift, ENDS))
    mean, cov = (np.array(each) for each in zip(*planted, strict=True))
    point = np.column_stack([mean[:, :2], redshift])
    return Posteriors.unpack(data, point, layout(bundle, ENDS)), mean, cov


def test_one_candidate_is_a_known_redshift(bundle):
    """To the precision of bytes, and the redshift is the cell of its node."""
    raw, redshift, anchor = some_raw(6), np.array([0.03, 0.1, 0.5, 1.0, 2.0, 2.8]), np.linspace(9, 11, 6)
    joint, *_ = stored(bundle, candidates(np.arange(6), np.ones(6), redshift, anchor), raw)
    one = Components.of_network(raw, K, 2)
    x = one.mean @ np.array(bundle.coordinates["linear"]).T + np.array(bundle.coordinates["offset"])
    point = (one.weight[:, :, None] * x).sum(axis=1) + anchor[:, None]
    known = Posteriors.unpack(one.to_bytes(), point, layout(bundle))
    for name in ("logmstar", "logsfr"):
        width = known.quantile(name, 0.84) - known.quantile(name, 0.16)
        for level in (0.025, 0.16, 0.5, 0.84, 0.975):
            off = joint.quantile(name, level) - known.quantile(name, level)
            assert np.abs(off / width).max() < 1e-3
    assert joint.names == ("logmstar", "logsfr", "redshift")
    ln = np.log1p([joint.quantile("redshift", level) for level in (0.16, 0.5, 0.84)])
    np.testing.assert_allclose(ln[1], np.log1p(redshift), atol=1e-5)
    np.testing.assert_allclose(ln[2] - ln[0], 2 * ndtri(0.84) * CELL / np.sqrt(12), rtol=0.03)


def test_two_peaks_stay_two_with_their_probabilities(bundle):
    redshift = np.concatenate([np.expm1(np.log1p(z) + CELL * np.arange(5)) for z in (0.3, 1.5)])
    share = np.array([1, 2, 4, 2, 1]) / 10
    low = np.array([0.2, 0.5, 0.8])
    weight = np.concatenate([np.concatenate([p * share, (1 - p) * share]) for p in low])
    anchor = np.where(redshift < 1, 9.0, 11.0)
    row = np.repeat(np.arange(3), 10)
    found = candidates(row, weight, np.tile(redshift, 3), np.tile(anchor, 3))
    joint, *_ = stored(bundle, found, np.repeat(some_raw(1), 30, axis=0))
    np.testing.assert_allclose(joint.below("redshift", np.full(3, 0.8)), low, atol=0.01)
    for below, above in ((0.0, 0.27), (0.37, 1.4), (1.65, 2.9)):  # nothing is outside the peaks
        values = (joint.below("redshift", np.full(3, z)) for z in (below, above))
        np.testing.assert_allclose(np.diff(list(values), axis=0), 0.0, atol=1e-4)
    inside = (joint.weight * (np.abs(joint.mean[:, :, 2] - probit(np.array([0.8]), ENDS)) < 0.3)).sum(axis=1)
    np.testing.assert_allclose(inside, 0.0, atol=1e-6)  # no component lies between
    draws = joint.draws(4000, seed=2)
    heavy = draws[:, :, 2] > 0.8
    np.testing.assert_allclose(heavy.mean(axis=0), 1 - low, atol=0.03)
    gap = [draws[heavy[:, i], i, 0].mean() - draws[~heavy[:, i], i, 0].mean() for i in range(3)]
    np.testing.assert_allclose(gap, 2.0, atol=0.1)  # the mass of each peak is its own


def many(seed=3):
    """Twenty sources of five to forty candidates, with masses that go with redshift; and what the network says."""
    rng = np.random.default_rng(seed)
    row = np.repeat(np.arange(20), rng.integers(5, 40, 20))
    ln = np.log(1.1 + rng.random(20))[row] + CELL * (np.arange(len(row)) - np.searchsorted(row, row))
    weight = rng.random(len(row))
    weight /= np.bincount(row, weight)[row]
    return candidates(row, weight, np.expm1(ln), 8.0 + 3.0 * ln), np.repeat(some_raw(20, seed), np.bincount(row), 0)


def test_mean_and_covariance_of_all_candidates_are_kept(bundle):
    """Sources with their posteriors of 20 to 160 components kept in four, to the precision of bytes."""
    joint, mean, cov = stored(bundle, *many())
    found = (joint.weight[:, :, None] * joint.mean).sum(axis=1)
    sd = np.sqrt(np.einsum("nii->ni", cov))
    np.testing.assert_allclose((found - mean) / sd, 0.0, atol=0.03)
    off = joint.mean - found[:, None]
    inside = joint.factor @ joint.factor.swapaxes(2, 3) + off[:, :, :, None] * off[:, :, None, :]
    kept = (joint.weight[:, :, None, None] * inside).sum(axis=1)
    np.testing.assert_allclose((kept - cov) / (sd[:, :, None] * sd[:, None, :]), 0.0, atol=0.05)


def test_draws_go_together_as_the_candidates_do(bundle):
    """Correlations of the redshift with mass and rate, which the anchors plant."""
    joint, _, cov = stored(bundle, *many(seed=4))
    draws = joint.draws(4000, seed=5)
    x = probit(draws[:, :, 2].ravel(), ENDS).reshape(4000, -1)
    planted = cov[:, :2, 2] / np.sqrt(np.einsum("nii->ni", cov)[:, :2] * cov[:, 2, 2][:, None])
    assert planted.max() > 0.3
    for j in (0, 1):
        found = [np.corrcoef(draws[:, i, j], x[:, i])[0, 1] for i in range(20)]
        np.testing.assert_allclose(found, planted[:, j], atol=0.08)


def test_a_redshift_that_is_known_is_a_spike(bundle):
    """As narrow as bytes can say, and the rest is as without it."""
    answers, redshift = Components.of_network(some_raw(5), K, 2), np.array([0.01, 0.2, 0.7, 1.5, 2.9])
    point = np.column_stack([np.full(5, 10.0), np.full(5, 1.0), redshift])
    joint = Posteriors.unpack(at_known_redshift(answers).to_bytes(), point, layout(bundle, ENDS))
    alone = Posteriors.unpack(answers.to_bytes(), point[:, :2], layout(bundle))
    np.testing.assert_allclose(joint.mean[:, :, :2], alone.mean, rtol=1e-12)
    np.testing.assert_allclose(joint.marginal("logsfr")[2], alone.marginal("logsfr")[2], rtol=1e-12)
    np.testing.assert_allclose(joint.quantile("redshift", 0.5), redshift, rtol=1e-7)
    off = np.log1p(joint.draws(500)[:, :, 2]) - np.log1p(redshift)
    assert off.std(axis=0).max() < 5e-4
    np.testing.assert_allclose(joint.below("redshift", redshift + 0.01), 1.0, atol=1e-6)


def test_densities_of_redshift(bundle):
    """They integrate to one, are the slope of `below`, and are nought beyond the ends, as probabilities are."""
    joint, *_ = stored(bundle, *many(seed=6))
    edges = np.linspace(ENDS[0], ENDS[1], 6001)
    middle = 0.5 * (edges[1:] + edges[:-1])
    density = joint.density("redshift", middle)
    np.testing.assert_allclose(density.sum(axis=1) * (edges[1] - edges[0]), 1.0, atol=1e-3)
    below = joint.below("redshift", np.full(20, middle[1000]))
    np.testing.assert_allclose(density[:, :1000].sum(axis=1) * (edges[1] - edges[0]), below, atol=5e-3)
    np.testing.assert_array_equal(joint.density("redshift", [-2.0, 0.004, 3.1]), 0.0)
    np.testing.assert_array_equal(joint.below("redshift", np.full(20, -2.0)), 0.0)
    np.testing.assert_allclose(joint.below("redshift", np.full(20, 3.1)), 1.0, rtol=1e-12)
    for level in (0.01, 0.5, 0.99):
        np.testing.assert_allclose(joint.below("redshift", joint.quantile("redshift", level)), level, atol=1e-5)


def test_a_source_without_candidates_has_no_bytes(bundle):
    """Nor do its neighbours change; it reads as nan."""
    found, raw = many(seed=7)
    moved = Candidates(found.row + (found.row > 4), *(getattr(found, name) for name in list(vars(found))[1:]))
    centre = probit(np.bincount(moved.row, moved.weight * moved.redshift, 21), ENDS)
    data = over_redshift(bundle, moved, raw, centre)
    assert not data[5].any()
    np.testing.assert_array_equal(np.delete(data, 5, 0), over_redshift(bundle, found, raw, np.delete(centre, 5)))
    point = np.full((21, 3), 1.0)
    point[5] = np.nan
    joint = Posteriors.unpack(data, point, layout(bundle, ENDS))
    for name in joint.names:
        assert np.isnan(joint.quantile(name, 0.5)[5])
        assert np.isnan(joint.below(name, np.ones(21))[5])
        assert np.isnan(joint.density(name, [1.0])[5]).all()
        assert np.isfinite(np.delete(joint.quantile(name, 0.5), 5)).all()
    assert np.isnan(joint.draws(3)[:, 5]).all()


def test_bytes_of_another_layout_are_refused(bundle):
    data = over_redshift(bundle, *many(), np.zeros(20))
    with pytest.raises(RequestError, match="bytes a source; expected"):
        Posteriors.unpack(data, np.ones((20, 2)), layout(bundle))
