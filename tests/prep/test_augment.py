"""Bands and errors are taken away in the shares that were asked for, and nothing else is touched."""

import numpy as np
import pytest

import toy_sky
from galprism.errors import RequestError
from galprism.prep import DropConfig, drop
from galprism.prep.augment import MOST_GAPS, MOST_LOST, pixels_lost

N = 20_000
NIR = ("Z", "Y", "J", "H", "Ks")


@pytest.fixture(scope="module")
def photometry():
    return toy_sky.catalogue(N)[0].photometry


def test_nothing_is_dropped_unasked(photometry):
    same = drop(photometry, DropConfig(), np.random.default_rng(0))
    np.testing.assert_array_equal(same.flux, photometry.flux)
    np.testing.assert_array_equal(same.ivar, photometry.ivar)


def test_blocks_go_together_and_in_their_share(photometry):
    lossy = drop(photometry, DropConfig(blocks=0.3, together=(NIR, ("u",))), np.random.default_rng(0))
    lost = ~lossy.observed
    kinds = [
        tuple(band for band, gone in zip(toy_sky.BANDS, row, strict=True) if gone) for row in np.unique(lost, axis=0)
    ]
    assert set(kinds) == {(), NIR, ("u",)}
    assert lost.any(axis=1).mean() == pytest.approx(0.3, abs=0.015)
    np.testing.assert_array_equal(lossy.flux[lost], 0)
    np.testing.assert_array_equal(lossy.flux[~lost], photometry.flux[~lost])


def test_bands_go_at_random_but_never_too_many(photometry):
    lossy = drop(photometry, DropConfig(bands=1.0, at_most=1.0, keep=3), np.random.default_rng(0))
    left = lossy.observed.sum(axis=1)
    assert left.min() == 3
    per_band = (~lossy.observed).mean(axis=0)
    np.testing.assert_allclose(per_band, per_band.mean(), atol=0.02)
    assert set(np.unique(left)) == set(range(3, 10))


def test_errors_become_unknown_in_one_band_or_in_all(photometry):
    lossy = drop(photometry, DropConfig(errors=0.4), np.random.default_rng(0))
    unknown = np.isnan(lossy.ivar)
    assert set(np.unique(unknown.sum(axis=1))) == {0, 1, 9}
    assert unknown.any(axis=1).mean() == pytest.approx(0.4, abs=0.015)
    np.testing.assert_array_equal(lossy.flux, photometry.flux)


def test_the_same_seed_drops_the_same(photometry):
    config = DropConfig(bands=0.3, blocks=0.3, together=(NIR,), errors=0.2)
    one, two = (drop(photometry, config, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one.ivar, two.ivar)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bands": 1.2}, "shares from 0 to 1"),
        ({"bands": 0.6, "blocks": 0.6, "together": (NIR,)}, "at most 1"),
        ({"blocks": 0.1}, "needs drop.together"),
    ],
)
def test_shares(settings, message):
    with pytest.raises(RequestError, match=message):
        DropConfig(**settings)


def test_a_band_of_a_block_must_be_there(photometry):
    with pytest.raises(RequestError, match="names 'K'; the bands are u, g"):
        drop(photometry, DropConfig(blocks=0.1, together=(("K",),)), np.random.default_rng(0))


def test_pixels_are_lost_in_gaps_at_ends_and_here_and_there():
    n, size = 6000, 1000
    lost = pixels_lost(n, size, 0.6, np.random.default_rng(1))
    some = lost.any(axis=1)
    assert some.mean() == pytest.approx(0.6, abs=0.03)
    assert lost.mean(axis=1).max() <= MOST_LOST + 0.05
    pieces = np.abs(np.diff(lost.astype(int), axis=1)).sum(axis=1)
    at_end = lost[:, 0] | lost[:, -1]
    scattered = pieces > 2 * MOST_GAPS
    ends = at_end & (pieces == 1)
    gaps = some & ~scattered & ~ends
    for kind in (scattered, ends, gaps):
        assert kind.mean() == pytest.approx(0.2, abs=0.03)
    lengths = lost[gaps].sum(axis=1)
    assert lengths.min() >= 1
    assert np.percentile(lengths, 10) < 20 < 150 < np.percentile(lengths, 90)
    assert np.abs(lost[ends, 0].mean() - 0.5) < 0.05  # as often blue as red
    assert not pixels_lost(50, size, 0.0, np.random.default_rng(1)).any()
