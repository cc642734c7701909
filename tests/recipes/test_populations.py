"""A recipe of several modalities, from pairs to a bundle that answers whatever it is shown."""

from dataclasses import replace

import numpy as np
import pytest

import toy_modalities as toy
from galprism import bundle
from galprism.data.spectrum_noise import signal_to_noise
from galprism.errors import RequestError
from galprism.flags import Flag
from galprism.infer import Posteriors, Predictor, predict
from galprism.infer.joint import layout
from galprism.recipes.mmlforgalam import shown
from galprism.recipes.populations import learn_populations, pairs_of, populations_bundle, rows_of

TARGETS = toy.recipe().targets.names
SEEN = {
    "photometry": ("photometry",),
    "image": ("cutouts",),
    "spectrum": ("spectra",),
    "photometry + image": ("photometry", "cutouts"),
    "all": ("photometry", "cutouts", "spectra"),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Written and read again."""
    return bundle.load(bundle.save(toy.bundle(), tmp_path_factory.mktemp("populations") / "toy"))


@pytest.fixture(scope="module")
def answers(model):
    sources = toy.measured(toy.TEST)
    return {name: predict(model, shown(sources, blocks), (0.16, 0.5, 0.84)) for name, blocks in SEEN.items()}


def truth(name):
    return toy.pairs().column(name)[toy.TEST]


def test_each_modality_tells_of_it_and_all_of_them_most(answers):
    for name in ("mean_log_age_lw", "mean_logzsol_lw"):
        spread = truth(name).std()
        rms = {seen: np.sqrt(np.mean((found.column(name) - truth(name)) ** 2)) for seen, found in answers.items()}
        told = rms.values() if name == "mean_log_age_lw" else [rms["spectrum"], rms["all"]]
        assert max(told) < 0.85 * spread, rms
        assert rms["spectrum"] < 0.5 * spread
        assert rms["all"] < min(rms["photometry"], rms["image"])


def test_stated_errors_are_those_that_are_made(answers):
    """To the factor of two that so short a training leaves."""
    for seen, found in answers.items():
        low, middle, high = (found.quantile("mean_log_age_lw", level) for level in (0.16, 0.5, 0.84))
        pull = (truth("mean_log_age_lw") - middle) / (0.5 * (high - low))
        assert 0.4 < 1.4826 * np.median(np.abs(pull)) < 1.8, seen
        assert np.all(low < high)


def test_less_is_known_where_less_is_seen(answers):
    width = {
        seen: np.median(found.quantile("mean_log_age_lw", 0.84) - found.quantile("mean_log_age_lw", 0.16))
        for seen, found in answers.items()
    }
    assert width["all"] < width["photometry + image"]
    assert width["spectrum"] < width["image"]


def test_flags_say_what_was_missing(answers):
    missing = {"photometry": Flag.NO_PHOTOMETRY, "cutouts": Flag.IMAGE_MISSING, "spectra": Flag.SPECTRUM_MISSING}
    for seen, blocks in SEEN.items():
        flags = answers[seen].flags
        for block, flag in missing.items():
            assert np.all((flags & np.uint32(flag) != 0) == (block not in blocks)), (seen, block)
        assert np.all((flags & np.uint32(Flag.REDSHIFT_MISSING) != 0) == ("spectra" not in blocks))
        assert not np.any(flags & np.uint32(Flag.NOT_INFERRED))


def test_a_row_that_has_nothing_is_null_and_the_others_are_as_without_it(model, answers):
    sources = toy.measured(toy.TEST)
    flux, ivar = sources.photometry.flux.copy(), sources.photometry.ivar.copy()
    flux[3], ivar[3] = 0, 0
    photometry = replace(sources.photometry, flux=flux, ivar=ivar)
    found = predict(model, shown(replace(sources, photometry=photometry), ("photometry",)), (0.16, 0.5, 0.84))
    assert np.isnan(found.point[3]).all()
    assert found.flags[3] & np.uint32(Flag.NOT_INFERRED)
    others = np.arange(100) != 3
    np.testing.assert_allclose(found.point[others], answers["photometry"].point[others], rtol=1e-5)


def test_a_bundle_comes_back_as_it_was_written(model):
    made, sources = toy.bundle(), toy.measured(toy.TEST[:20])
    np.testing.assert_array_equal(predict(model, sources).point, predict(made, sources).point)
    assert model.targets == TARGETS
    assert model.passbands == made.passbands
    assert not model.needs_redshift
    assert model.metrics["training_sources"] == 800
    for words in ("photometry of sdss in u, g, r, i, z", "an image in g, r, i of 24 x 24", "may be missing"):
        assert words in model.card


def test_posteriors_are_kept_and_agree_with_the_answers(model):
    found = predict(model, toy.measured(toy.TEST[:5]), (0.16, 0.5, 0.84), posterior=True)
    joint = Posteriors.unpack(found.extra["posterior"], found.point.astype(float), layout(model))
    draws = joint.draws(4000, seed=1)
    spread = (found.quantile("logmstar", 0.84) - found.quantile("logmstar", 0.16)) / 2
    off = draws.mean(axis=0) - found.point
    assert np.abs(off[:, TARGETS.index("logmstar")] / spread).max() < 0.1
    np.testing.assert_allclose(joint.quantile("ebv", 0.84), found.quantile("ebv", 0.84), atol=2e-3)
    ages = draws[:, :, TARGETS.index("mean_log_age_lw")]
    assert model.ranges[TARGETS.index("mean_log_age_lw")][0] <= ages.min()
    assert ages.max() < 10.14  # the Universe's age today


TINY = (
    "sample.train=150",
    "sample.validation=50",
    'net={kind="multimodal", components=2, width=16, heads=2, fusions=1, blocks=1, channels=[4]}',
    "train={epochs=[3], lr=[4e-3], batch_size=50}",
)


def test_a_training_that_was_stopped_ends_in_the_same_model(tmp_path):
    recipe = toy.recipe(*TINY)

    def stop(epoch, of):
        if epoch.epoch == 0:
            raise KeyboardInterrupt

    def learn(work, **options):
        return learn_populations(recipe, toy.pairs(), toy.basis(), tmp_path / work, **options)

    with pytest.raises(KeyboardInterrupt):
        learn("again", report=stop)
    seen = []
    again = learn("again", report=lambda epoch, of: seen.append(epoch.epoch))
    assert seen == [1, 2]
    assert populations_bundle(recipe, again).model == populations_bundle(recipe, learn("whole")).model


def test_sets_follow_one_another():
    recipe = toy.recipe()
    rows = [rows_of(recipe, what) for what in ("train", "validation", "test")]
    assert np.array_equal(np.concatenate(rows), np.arange(1000))
    assert [len(each) for each in rows] == [800, 100, 100]


def test_targets_that_pairs_lack_are_named(tmp_path):
    recipe = toy.recipe('targets.names=["logmstar", "logsfr"]', "targets.bounded=[]")
    with pytest.raises(RequestError, match=r"targets\.names has logsfr; accepted of pairs: mean_log_age_lw"):
        learn_populations(recipe, toy.pairs(), toy.basis(), tmp_path)


def test_recipes_without_a_part_of_the_sky_have_no_pairs(tmp_path):
    with pytest.raises(RequestError, match=r"recipe toy has no \[spectra\]; accepted: of networks that see none"):
        pairs_of(replace(toy.recipe(), name="toy", spectra=None), tmp_path)
    with pytest.raises(RequestError, match=r"recipe toy has no \[images\]; galaxies with images need one"):
        pairs_of(replace(toy.recipe(), name="toy", images=None), tmp_path)


def test_the_toy_is_bright_enough_for_the_papers_selection():
    assert np.median(signal_to_noise(toy.measured(np.arange(50)).spectra, per="pixel")) > 5


BLIND = (
    *("modalities.basis_size=0", "modalities.redshift=false", "modalities.lose.spectrum=0"),
    *('targets.names=["redshift"]', 'targets.bounded=["redshift"]'),
)
"""Of a network that sees no spectrum and infers the redshift."""


@pytest.fixture(scope="module")
def blind(tmp_path_factory):
    """Learned from the toy's galaxies without their spectra; written and read again."""
    recipe = replace(toy.recipe(*BLIND), spectra=None)
    known = replace(toy.pairs(), spectra=None)
    trained = learn_populations(recipe, known, None, tmp_path_factory.mktemp("blind-work"))
    return bundle.load(bundle.save(populations_bundle(recipe, trained), tmp_path_factory.mktemp("blind") / "toy"))


def test_redshifts_are_inferred_from_the_light_whatever_is_told(blind):
    """Of the toy a red galaxy is no farther than others: what its magnitude says of its redshift is little, and the
    posterior is of that width."""
    sources = replace(toy.measured(toy.TEST), spectra=None)
    lie = replace(sources, redshift=np.full(100, 0.5))
    found, again = predict(blind, sources, (0.16, 0.84)), predict(blind, lie, (0.16, 0.84))
    np.testing.assert_array_equal(found.point, again.point)
    assert not np.any(again.flags & np.uint32(Flag.REDSHIFT_OUT_OF_RANGE | Flag.SPECTRUM_MISSING))
    z = sources.redshift
    inside = (found.quantile("redshift", 0.16) < z) & (z < found.quantile("redshift", 0.84))
    assert 0.5 < inside.mean() < 0.85
    density = Predictor(blind).redshifts(sources)
    np.testing.assert_allclose(density.mean, found.point[:, 0], atol=2e-3)
    assert blind.tells_redshift
    assert "inferred, from 0.02" in blind.card


def test_a_network_without_spectra_says_what_it_looks_at(blind):
    sources = toy.measured(toy.TEST[:2])
    with pytest.raises(RequestError, match="the sources have no photometry, no cutouts; accepted: any of them"):
        predict(blind, shown(sources, ("spectra",)))


def test_a_redshift_that_is_told_cannot_be_asked_for(tmp_path):
    recipe = toy.recipe('targets.names=["redshift"]', "targets.bounded=[]")
    with pytest.raises(RequestError, match=r"modalities\.redshift = true tells the network; accepted: false"):
        learn_populations(recipe, toy.pairs(), toy.basis(), tmp_path)
    with pytest.raises(RequestError, match=r"redshift = false with basis_size = 40; accepted: 0"):
        toy.recipe("modalities.redshift=false")


def test_without_spectra_nothing_is_known_of_the_light_in_the_fibre(tmp_path):
    recipe = replace(toy.recipe("modalities.basis_size=0"), spectra=None)
    with pytest.raises(RequestError, match=r"mean_log_age_lw, mean_logzsol_lw; accepted of pairs: ebv, logmstar"):
        learn_populations(recipe, replace(toy.pairs(), spectra=None), None, tmp_path)
