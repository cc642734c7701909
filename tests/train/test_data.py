"""What the loop is fed: fresh noise every pass, the same for the same seed, every row once."""

import numpy as np
import pytest
import torch

import toy_sky
from galprism.data import Sources
from galprism.prep import DropConfig, Preparation, PreparationConfig, Targets, TargetsConfig
from galprism.train import DrawnData, take_rows

N = 1000


@pytest.fixture(scope="module")
def parts():
    flux, z, values = toy_sky.draw(N)

    def draw(rows, rng):
        return [(rows, Sources(id=rows, redshift=z[rows], photometry=toy_sky.observe(flux[rows], rng)))]

    ((_, sources),) = draw(np.arange(N), np.random.default_rng(0))
    preparation = Preparation.fit(PreparationConfig(), sources, typical=False)
    targets = Targets.fit(TargetsConfig(), values, preparation.features(sources).anchor)
    return draw, values, preparation, targets


def passes(data, *epochs):
    return [[(x.clone(), y.clone()) for x, y in data.batches(epoch)] for epoch in epochs]


def test_noise_and_order_are_new_every_pass_and_the_same_when_asked_again(parts):
    data = DrawnData(*parts, batch_size=64, seed=3)
    one, two, again = passes(data, 0, 1, 0)
    assert len(one) == data.n_batches == N // 64
    assert all(x.shape == (64, 39) and y.shape == (64, 2) and x.dtype == y.dtype == torch.float32 for x, y in one)
    assert not torch.equal(one[0][0], two[0][0])
    for (x, y), (x2, y2) in zip(one, again, strict=True):
        assert torch.equal(x, x2)
        assert torch.equal(y, y2)


def test_every_row_comes_once_a_pass(parts):
    _, _, preparation, targets = parts
    sources = toy_sky.catalogue(N)[0]
    data = DrawnData(take_rows(sources), np.arange(2.0 * N).reshape(N, 2), preparation, targets, N, seed=0)
    ((_, y),) = data.batches(5)
    anchor = preparation.features(sources).anchor
    rows = targets.encode(np.arange(2.0 * N).reshape(N, 2), anchor)
    np.testing.assert_array_equal(np.sort(y.numpy()[:, 0]), np.sort(rows[:, 0]))


def test_weights_say_how_often_a_row_comes(parts):
    draw, values, preparation, targets = parts
    weight = np.where(np.arange(N) < 100, 9.0, 1.0)
    seen = np.zeros(N)

    def spy(rows, rng):
        np.add.at(seen, rows, 1)
        return draw(rows, rng)

    data = DrawnData(spy, values, preparation, targets, 100, seed=0, weight=weight)
    for epoch in range(20):
        list(data.batches(epoch))
    assert seen[:100].mean() / seen[100:].mean() == pytest.approx(9.0, rel=0.05)


def test_validation_is_fixed_and_whole(parts):
    data = DrawnData(*parts, batch_size=64, seed=3, fixed=True, drop=DropConfig(bands=0.5))
    x, _ = data.everything()
    assert x.shape == (N, 39)
    x2, _ = data.everything()
    assert torch.equal(x, x2)
    assert x[:, 21:30].sum() > 0  # some bands are missing


def test_what_cannot_be_used_is_left_out(parts):
    draw, values, preparation, targets = parts
    values = values.copy()
    values[::10] = np.nan

    def lossy(rows, rng):
        ((_, sources),) = draw(rows, rng)
        redshift = np.where(rows % 2 == 0, sources.redshift, np.nan)
        return [(rows, Sources(rows, redshift=redshift, photometry=sources.photometry))]

    x, y = DrawnData(lossy, values, preparation, targets, 64, seed=0, fixed=True).everything()
    assert len(x) == N // 2 - N // 10
    assert torch.isfinite(y).all()


def test_a_set_smaller_than_a_batch_is_one_batch(parts):
    data = DrawnData(*parts, batch_size=5000, seed=0)
    assert [len(x) for x, _ in data.batches(0)] == [N]
    assert data.n_batches == 1
