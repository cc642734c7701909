"""Posteriors in a column of bytes: what comes back is what the network said."""

from dataclasses import replace

import numpy as np
import pytest

import toy_sky
from galprism import surveys
from galprism.data.tables import write_predictions
from galprism.errors import RequestError
from galprism.infer import Posteriors, predict, predict_file, read_posteriors, reweighted
from galprism.infer.stored import COLUMN, Components, n_bytes

LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)


@pytest.fixture(scope="module")
def packed(mixture):
    return mixture[0]


@pytest.fixture(scope="module")
def sky():
    return toy_sky.catalogue(1000, seed=5)[0]


@pytest.fixture(scope="module")
def found(packed, sky):
    """Answers with their posteriors; the first row cannot be answered."""
    sources = sky.take(np.flatnonzero(np.isfinite(predict(packed, sky).point[:, 0]))[:400])
    redshift = np.array(sources.redshift)
    redshift[0] = np.nan
    return predict(packed, replace(sources, redshift=redshift), LEVELS, posterior=True)


@pytest.fixture(scope="module")
def stored(found):
    return Posteriors.unpack(found.extra[COLUMN], found.point.astype(float), found.meta[COLUMN])


def test_sizes():
    assert n_bytes(8, 2) == 72
    assert n_bytes(8, 5) == 288
    assert n_bytes(8, 7) == 512


@pytest.mark.parametrize("name", ["logmstar", "logsfr"])
def test_quantiles_at_any_level_are_the_networks(found, stored, name):
    width = 0.5 * (found.quantile(name, 0.84) - found.quantile(name, 0.16))
    for level in LEVELS:
        off = (stored.quantile(name, level) - found.quantile(name, level)) / width
        assert np.isnan(off[0])
        assert np.quantile(np.abs(off[1:]), 0.98) < 0.06  # the few others lie between two modes
        assert np.abs(off[1:]).mean() < 0.015
    np.testing.assert_allclose(stored.below(name, stored.quantile(name, 0.3))[1:], 0.3, atol=1e-4)


def test_the_mean_is_the_point(found, stored):
    """Of the parameter that the anchors are taken from exactly, of the other as far as bytes hold the weights."""
    for name, few in (("logmstar", 1e-5), ("logsfr", 0.05)):
        weight, mean, _ = stored.marginal(name)
        width = 0.5 * (found.quantile(name, 0.84) - found.quantile(name, 0.16))
        off = (weight * mean).sum(axis=1) - found.column(name)
        assert np.abs(off / width)[1:].max() < few


def test_densities_are_the_slopes_of_the_distribution(stored):
    grid = np.linspace(-4, 16, 4001)
    density = stored.density("logmstar", grid)[1:]
    np.testing.assert_allclose(density.sum(axis=1) * (grid[1] - grid[0]), 1.0, atol=1e-3)
    low, high = np.full(400, 9.0), np.full(400, 9.5)
    between = stored.below("logmstar", high) - stored.below("logmstar", low)
    inside = (grid >= 9.0) & (grid < 9.5)
    np.testing.assert_allclose(density[:, inside].sum(axis=1) * 0.005, between[1:], atol=0.015)  # of one step


def test_draws_are_joint(found, stored):
    """Their marginals are the quantiles; mass and rate go together as the components' covariances say."""
    draws = stored.draws(4000, seed=1)[:, 1:]
    for p, name in enumerate(stored.names):
        width = 0.5 * (found.quantile(name, 0.84) - found.quantile(name, 0.16))[1:]
        off = (np.quantile(draws[:, :, p], 0.16, axis=0) - found.quantile(name, 0.16)[1:]) / width
        assert np.abs(off).mean() < 0.06
    spread = draws - draws.mean(axis=0)
    covariance = (spread[:, :, 0] * spread[:, :, 1]).mean(axis=0)
    weight, mean, factor = stored.weight[1:], stored.mean[1:], stored.factor[1:]
    centred = mean - (weight[:, :, None] * mean).sum(axis=1, keepdims=True)
    inside = np.einsum("nkpd,nkqd->nkpq", factor, factor) + centred[:, :, :, None] * centred[:, :, None, :]
    expected = (weight[:, :, None, None] * inside).sum(axis=1)[:, 0, 1]
    sd = np.sqrt(spread[:, :, 0].var(axis=0) * spread[:, :, 1].var(axis=0))
    assert np.abs((covariance - expected) / sd).mean() < 0.03
    np.testing.assert_array_equal(stored.draws(5, seed=1), stored.draws(5, seed=1))


def test_another_prior_by_weights():
    """A Gaussian answer times a Gaussian ratio of priors, whose product is known; and a size that says how alike."""
    rng = np.random.default_rng(0)
    draws = 1.0 + 0.5 * rng.standard_normal((200_000, 2, 1))
    ratio = -0.5 * ((draws[:, :, 0] - np.array([1.0, 3.0])) / 0.5) ** 2
    mean, sd, size = reweighted(draws, ratio)
    np.testing.assert_allclose(mean[:, 0], [1.0, 2.0], atol=0.02)
    np.testing.assert_allclose(sd[:, 0], 0.5 / np.sqrt(2), atol=0.02)
    assert size[0] > 0.8 * 200_000
    assert size[1] < 0.1 * 200_000
    flat = reweighted(draws, np.zeros((200_000, 2)))
    np.testing.assert_allclose(flat[0], draws.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(flat[2], 200_000, rtol=1e-9)
    apart = reweighted(draws, np.stack([ratio[:, 0], np.full(200_000, -np.inf)], axis=1))
    np.testing.assert_allclose(apart[2], [size[0], 0.0])
    assert np.isnan(apart[0][1]).all()
    with pytest.raises(RequestError, match=r"expected \(n, N, P\) and \(n, N\)"):
        reweighted(draws, ratio[:10])


@pytest.mark.parametrize("suffix", [".parquet", ".fits", ".hdf5"])
def test_through_a_file(found, stored, tmp_path, suffix):
    path = tmp_path / f"found{suffix}"
    write_predictions(path, found)
    again = read_posteriors(path)
    np.testing.assert_allclose(again.mean, stored.mean, atol=1e-5)
    np.testing.assert_allclose(again.quantile("logsfr", 0.9), stored.quantile("logsfr", 0.9), atol=1e-5)


def test_from_file_to_file(packed, sky, write_catalogue, tmp_path):
    """The column is there when it was asked for, and rows without an answer have none."""
    path, sources = write_catalogue(tmp_path / "in.parquet", sky), sky
    predict_file(packed, surveys.get("kids"), path, tmp_path / "with.parquet", posterior=True, batch_rows=64)
    predict_file(packed, surveys.get("kids"), path, tmp_path / "without.parquet")
    expected = predict(packed, sources, posterior=True)
    again = read_posteriors(tmp_path / "with.parquet")
    nothing = np.isnan(expected.point[:, 0])
    np.testing.assert_array_equal(np.isnan(again.mean[:, 0, 0]), nothing)
    good = ~nothing
    np.testing.assert_allclose(
        again.quantile("logmstar", 0.5)[good], expected.quantile("logmstar", 0.5)[good], atol=0.05
    )
    with pytest.raises(RequestError, match="no column posterior with its layout; write it with"):
        read_posteriors(tmp_path / "without.parquet")


def test_bytes_that_do_not_fit_their_layout(found):
    with pytest.raises(RequestError, match="bytes a source; expected"):
        Posteriors.unpack(found.extra[COLUMN][:, :-1], found.point, found.meta[COLUMN])


def test_a_model_of_points_has_none(point, sky):
    with pytest.raises(RequestError, match="has no posterior to keep"):
        predict(point[0], sky.take(slice(0, 5)), posterior=True)


def test_weights_that_vanish_and_means_that_are_far():
    raw = np.zeros((1, 6 * 2), np.float32)
    raw[0, 0:2] = [0.0, -40.0]
    raw[0, 2:4] = [1e6, 0.0]  # beyond half floats
    data = Components.of_network(raw, 2, 2).to_bytes()
    layout = {"names": ["logmstar", "logsfr"], "components": 2, "linear": np.eye(2).tolist(), "offset": [0, 0]}
    back = Posteriors.unpack(data, np.zeros((1, 2)), layout | {"anchored": [0, 0]})
    np.testing.assert_allclose(back.weight, [[1.0, 0.0]])
    assert np.isfinite(back.mean).all()


@pytest.mark.parametrize("n", [0, -1, 2.5])
def test_draws_that_are_no_number_of_them(stored, n):
    with pytest.raises(RequestError, match="accepted: a whole number from 1 on"):
        stored.draws(n)
