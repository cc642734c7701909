"""The eight statistics of a distribution of log SFR, against distributions that are known."""

import numpy as np
import pytest
from scipy import stats

from galprism.data.sfr_labels import STATISTICS, out_of_order
from galprism.errors import RequestError
from galprism.fit.sfr_statistics import BIN, EDGES, SMOOTHED, binned, sfr_statistics


def told(*distributions):
    """By name without its prefix, (N,) each."""
    share = np.stack([np.diff(each.cdf(EDGES)) for each in distributions])
    return {
        name.removeprefix("sfr_tot_"): column for name, column in zip(STATISTICS, sfr_statistics(share).T, strict=True)
    }


@pytest.mark.parametrize("sigma", [0.15, 0.4, 1.0])
def test_of_a_gaussian_all_are_known(sigma):
    mean = np.array([-3.13, 0.017, 1.4])  # anywhere within a bin
    found = told(*(stats.norm(m, sigma) for m in mean))
    z95, z68 = stats.norm.isf([0.025, 0.16])
    for name, expected in (
        *((name, mean) for name in ("avg", "median", "mode")),
        ("p16", mean - z68 * sigma),
        ("p84", mean + z68 * sigma),
        ("p2p5", mean - z95 * sigma),
        ("p97p5", mean + z95 * sigma),
    ):
        np.testing.assert_allclose(found[name], expected, atol=0.005, err_msg=name)
    entropy = np.log(sigma * np.sqrt(2 * np.pi * np.e)) - np.log(BIN)
    np.testing.assert_allclose(found["entropy"], entropy, atol=0.006)


def test_of_a_uniform_distribution_the_entropy_counts_the_bins():
    found = told(stats.uniform(EDGES[200], 10 * BIN))
    assert found["entropy"][0] == pytest.approx(np.log(10))
    assert found["p16"][0] == pytest.approx(EDGES[200] + 1.6 * BIN)
    assert found["median"][0] == pytest.approx(EDGES[205])


def test_a_skewed_one_is_told_in_order():
    skewed = stats.gamma(3.0, loc=-1.0, scale=0.2)  # mode at (3 - 1) 0.2, mean at 3 x 0.2
    found = told(skewed, stats.norm(0, 1))
    names = ("p2p5", "p16", "median", "p84", "p97p5")
    assert np.all(np.diff([found[name][0] for name in names]) > 0)
    assert found["mode"][0] < found["median"][0] < found["avg"][0]
    assert found["avg"][0] == pytest.approx(-0.4, abs=1e-3)
    assert found["median"][0] == pytest.approx(skewed.median(), abs=2e-3)
    assert found["mode"][0] == pytest.approx(-0.6, abs=0.5 * SMOOTHED)  # smoothing moves it towards the tail
    assert found["entropy"][0] == pytest.approx(skewed.entropy() - np.log(BIN), abs=0.01)
    assert found["entropy"][0] < found["entropy"][1]


def test_draws_say_what_their_distribution_does():
    rng = np.random.default_rng(1)
    draws = rng.normal([[0.3], [-2.0]], [[0.2], [0.5]], (2, 40_000))
    found = sfr_statistics(binned(draws))
    wanted = np.quantile(draws, [0.16, 0.5, 0.84], axis=1).T
    columns = [STATISTICS.index(f"sfr_tot_{name}") for name in ("p16", "median", "p84")]
    np.testing.assert_allclose(found[:, columns], wanted, atol=0.01)
    np.testing.assert_allclose(found[:, 0], draws.mean(axis=1), atol=1e-3)
    assert not out_of_order(found, STATISTICS).any()


def test_weights_count_as_so_many_draws():
    values, weight = np.array([[0.1, 0.4, 0.9, 77.0]]), np.array([[1.0, 3.0, 2.0, 0.0]])
    many = np.repeat(values[0, :3], [1, 3, 2])
    np.testing.assert_allclose(binned(values, weight)[0], binned(many))
    np.testing.assert_allclose(binned(values, 5 * weight), binned(values, weight))


def test_the_same_distribution_at_another_place_within_a_bin_has_the_same_statistics():
    places = np.linspace(0.0, BIN, 7)
    found = told(*(stats.norm(place, 0.25) for place in places))
    for name in ("avg", "mode", "p16", "p97p5"):
        np.testing.assert_allclose(found[name] - found[name][0], places, atol=2e-3, err_msg=name)


def test_rows_without_a_distribution_have_no_statistics():
    share = np.stack([np.full(len(EDGES) - 1, np.nan), np.diff(stats.norm(0, 1).cdf(EDGES))])
    assert np.isnan(sfr_statistics(share)).all(axis=1).tolist() == [True, False]


def test_nonsense_is_refused():
    with pytest.raises(RequestError, match=r"log SFR = 6; accepted: -12 to 5"):
        binned(np.array([0.0, 6.0]))
    with pytest.raises(RequestError, match="row 1: no draw has a weight"):
        binned(np.zeros((2, 3)), np.array([[1.0, 0, 0], [0, 0, 0]]))
    with pytest.raises(RequestError, match=r"shape \(2, 5\)"):
        sfr_statistics(np.ones((2, 5)))
    with pytest.raises(RequestError, match="negative or zero everywhere"):
        sfr_statistics(np.zeros((1, len(EDGES) - 1)))
