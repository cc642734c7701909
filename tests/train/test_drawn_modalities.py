"""What a network of several modalities learns from: measured anew every pass, modalities taken away as was asked."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import toy_modalities as toy
from galprism.errors import RequestError
from galprism.prep import DropConfig, Targets, TargetsConfig
from galprism.prep.augment import ModalitiesLost
from galprism.prep.modalities import MODALITIES, Modalities
from galprism.recipes.pairs import measure_of
from galprism.train.modalities import DrawnModalities

N = 200
KNOWN = toy.pairs(N, 5)
VALUES = KNOWN.values[:, :2]


@pytest.fixture(scope="module")
def preparation():
    recipe = toy.recipe()
    sources = measure_of(recipe, KNOWN)(np.arange(N), np.random.default_rng(0))
    return Modalities.fit(recipe.modalities, sources, toy.basis())


@pytest.fixture(scope="module")
def targets():
    config = TargetsConfig(names=("mean_log_age_lw", "mean_logzsol_lw"), relative=False)
    return Targets.fit(config, VALUES, np.zeros(N), np.zeros(N))


@pytest.fixture
def data(preparation, targets):
    def make(batch_size=32, seed=3, measure=None, **options):
        measure = measure or measure_of(toy.recipe(), KNOWN)
        return DrawnModalities(measure, VALUES, preparation, targets, batch_size, seed, **options)

    return make


def rows_of(y, targets):
    """Which galaxies they are, by their truth."""
    encoded = targets.encode(VALUES, np.zeros(N), np.zeros(N))
    return [int(np.argmin(np.abs(encoded - each).sum(axis=1))) for each in y]


def test_a_pass_sees_each_galaxy_once_with_its_own_truth(data, targets):
    batches = list(data().batches(1))
    assert [len(x) for x, _ in batches] == [32] * 6  # what is left over waits for another pass
    rows = rows_of(torch.cat([y for _, y in batches]).numpy(), targets)
    assert len(set(rows)) == len(rows) == 192


def test_a_pass_is_the_same_again_and_another_is_measured_anew(data):
    made = data(lose=ModalitiesLost(spectrum=0.5, turn=True))
    one, same, other = (next(iter(made.batches(epoch)))[0] for epoch in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(data(fixed=True).everything()[0], data(fixed=True).everything()[0])
    assert len(data(fixed=True).everything()[0]) == N


def test_modalities_are_lost_in_the_shares_that_were_asked_for_and_one_is_left(data, preparation):
    lose = ModalitiesLost(photometry=0.3, image=0.6, spectrum=0.5)
    x = torch.cat([data(lose=lose, fixed=True, seed=seed).everything()[0] for seed in range(6)]).numpy()
    there = x[:, : len(MODALITIES)]
    assert there.sum(axis=1).min() == 1
    all_lost = 0.3 * 0.6 * 0.5 / 3  # of which each is spared in a third
    expected = np.array([0.3, 0.6, 0.5]) - all_lost
    np.testing.assert_allclose(1 - there.mean(axis=0), expected, atol=0.05)
    shape = preparation.shape
    ends = np.cumsum([shape.context, shape.photometry, shape.spectrum])
    for column, part in ((0, slice(ends[0], ends[1])), (2, slice(ends[1], ends[2])), (1, slice(ends[2], None))):
        assert np.all(x[there[:, column] == 0, part] == 0)
        assert np.all(np.any(x[there[:, column] == 1, part] != 0, axis=1))


def test_without_a_redshift_a_spectrum_has_no_say_and_a_row_has_another(data, preparation):
    x = data(lose=ModalitiesLost(photometry=0.7, image=0.7, redshift=0.9), fixed=True).everything()[0].numpy()
    unknown = x[:, preparation.input_names.index("no_redshift")] == 1
    assert 0.3 < unknown.mean() < 0.6  # never where the spectrum is all that is left
    assert np.all(x[unknown, 2] == 0)
    assert np.all(x[:, :3].sum(axis=1) >= 1)
    assert len(x) == N


def test_psfs_are_hidden_and_bands_dropped(data, preparation):
    names = preparation.input_names
    some = (
        data(lose=ModalitiesLost(psf=0.5), drop=DropConfig(bands=1.0, at_most=0.8), fixed=True).everything()[0].numpy()
    )
    assert some[:, names.index("psf_unknown_r")].mean() == pytest.approx(0.5, abs=0.12)
    assert some[:, names.index("missing_u")].mean() > 0.1


def test_turned_images_have_the_same_pixels_elsewhere(data, preparation):
    still, turned = (data(lose=ModalitiesLost(turn=turn), fixed=True).everything()[0].numpy() for turn in (False, True))
    n = preparation.shape.n_image
    before, after = (np.sort(x[:, -n:].reshape(N, 3, -1)) for x in (still, turned))
    np.testing.assert_allclose(before, after, atol=1e-4)
    assert np.any(still[:, -n:] != turned[:, -n:])


def test_sources_of_an_unknown_truth_are_left_out(preparation, targets):
    values = VALUES.copy()
    values[7] = np.nan
    made = DrawnModalities(measure_of(toy.recipe(), KNOWN), values, preparation, targets, 32, 0, fixed=True)
    assert len(made.everything()[1]) == N - 1


@pytest.mark.parametrize("name", ["photometry", "image", "spectrum", "redshift", "psf"])
def test_shares_that_are_none_are_refused(name):
    with pytest.raises(RequestError, match="accepted: shares from 0 to 1"):
        replace(ModalitiesLost(), **{name: 1.2})


def test_spectra_lose_pixels_where_that_is_asked(data, preparation):
    """The spectrum is still there, and says what share of it has data: a fifth less on average, as is drawn."""
    share = preparation.input_names.index("share")

    def shares(pixels):
        x = torch.cat([x for x, _ in data(lose=ModalitiesLost(pixels=pixels)).batches(1)]).numpy()
        assert (x[:, 2] == 1).all()
        return preparation.scaling["spectrum"].mean[-1] + x[:, share] * preparation.scaling["spectrum"].sd[-1]

    assert shares(1.0).mean() / shares(0.0).mean() == pytest.approx(0.84, abs=0.06)
