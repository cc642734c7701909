"""The two recipes of J-PAS's simple populations, small but whole."""

from dataclasses import replace

import numpy as np
import pytest

from galprism import bundle, recipes, surveys
from galprism.data import Photometry, Sources
from galprism.errors import RequestError
from galprism.flags import Flag
from galprism.infer import predict
from galprism.mocks.simulate import simulate
from galprism.recipes.estimators import build_estimator
from galprism.recipes.references import reference_cache
from galprism.recipes.sky import sky
from galprism.recipes.training import train_bundle
from galprism.surveys.reading import concatenate

LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)
PAPER = ("sample.train=8000", "sample.validation=400", "sample.test=400", "train.epochs=[10]")
OURS = (
    "sample.train=12000",
    "sample.validation=500",
    "sample.test=2000",
    "prep.basis_size=10",
    "net.width=48",
    "net.blocks=1",
    "net.components=3",
    "train.epochs=[8]",
    "train.batch_size=200",
)


def mock(name: str, level: float, n: int = 1500):
    recipe = recipes.load(
        name, [f"population.magnitude=[{level},{level + 0.001}]", "population.magnitude_step=0.0", "seed=4"]
    )
    parts = list(simulate(sky(recipe), recipe.noise, n))
    sources = concatenate([s for s, _ in parts], surveys.get("jpas"))
    return sources, {k: np.concatenate([t.column(k) for _, t in parts]) for k in ("log_age", "logzsol", "ebv")}


def without(sources: Sources, lost: np.ndarray) -> Sources:
    seen = sources.photometry
    photometry = Photometry(np.where(lost, 0, seen.flux), np.where(lost, 0, seen.ivar), seen.bands)
    return replace(sources, photometry=photometry)


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jpas") / "paper"
    return bundle.load(train_bundle(recipes.load("jpas-ssp", PAPER), folder))


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jpas") / "ours"
    return bundle.load(train_bundle(recipes.load("jpas-populations", OURS), folder))


def test_the_papers_networks_are_three_of_172289_weights():
    estimator, _ = build_estimator(recipes.load("jpas-ssp"), 57, 0)
    assert estimator.n_weights == 3 * 172_289
    larger = recipes.load("jpas-ssp", ["net.layers=[128,300,300,300,300,300,300]"])
    assert build_estimator(larger, 57, 0)[0].n_weights == 3 * 497_925
    with pytest.raises(RequestError, match=r"net\.kind = 'separate' gives points"):
        build_estimator(recipes.load("jpas-ssp", ["net.components=2"]), 57, 0)


def test_the_papers_networks_learn_and_see_nothing_but_the_shape(paper):
    sources, true = mock("jpas-ssp", 17.0)
    found = predict(paper, sources)
    assert found.quantiles is None
    answered = np.isfinite(found.point).all(axis=1)
    beyond = (found.flags & np.uint32(Flag.REDSHIFT_OUT_OF_RANGE)) > 0
    np.testing.assert_array_equal(answered, ~beyond)  # a training of few galaxies ends short of the range
    assert answered.mean() > 0.99
    for name in true:
        off = (found.column(name) - true[name])[answered]
        assert np.std(off) < 0.75 * np.std(true[name]), name
    brighter = replace(
        sources,
        photometry=replace(sources.photometry, flux=100 * sources.photometry.flux, ivar=1e-2 * sources.photometry.ivar),
    )
    np.testing.assert_allclose(predict(paper, brighter).point, found.point, atol=2e-4)


def test_fluxes_without_a_positive_median_are_flagged_and_none_is_lost(paper):
    sources, _ = mock("jpas-ssp", 17.0, 20)
    seen = sources.photometry
    flux = seen.flux.copy()
    flux[3], flux[4] = 0.0, -flux[4]
    found = predict(paper, replace(sources, photometry=replace(seen, flux=flux)))
    assert len(found) == 20
    bad = np.isin(np.arange(20), (3, 4))
    np.testing.assert_array_equal(np.isnan(found.point).all(axis=1), bad)
    assert (found.flags[bad] & np.uint32(Flag.NOT_INFERRED)).all()


def test_ours_says_how_sure_it_is_and_is_surer_of_the_brighter(ours):
    widths = []
    for level in (17.0, 21.0):
        sources, true = mock("jpas-populations", level)
        found = predict(ours, sources, LEVELS)
        for name in true:
            inside = (found.quantile(name, 0.16) < true[name]) & (true[name] < found.quantile(name, 0.84))
            assert 0.5 < inside.mean() < 0.88, (level, name)
        widths.append([np.median(found.quantile(name, 0.84) - found.quantile(name, 0.16)) for name in true])
    assert (np.array(widths[0]) < 0.8 * np.array(widths[1])).all()


def test_bands_may_be_missing_and_cost_information(ours):
    sources, true = mock("jpas-populations", 17.0)
    rng = np.random.default_rng(5)
    lost = np.argsort(rng.random(sources.photometry.flux.shape), axis=1) < 30
    whole, part = predict(ours, sources, LEVELS), predict(ours, without(sources, lost), LEVELS)
    assert (part.n_bands == 27).all()
    for name in true:
        errors = [np.sqrt(np.mean((each.column(name) - true[name]) ** 2)) for each in (whole, part)]
        assert errors[0] < errors[1] < 0.9 * np.std(true[name]), name
        inside = (part.quantile(name, 0.025) < true[name]) & (true[name] < part.quantile(name, 0.975))
        assert inside.mean() > 0.85, name


def test_a_bundle_of_coefficients_keeps_its_bands_through_a_file(ours, tmp_path):
    sources, _ = mock("jpas-populations", 19.0, 50)
    back = bundle.load(bundle.save(ours, tmp_path / "again"))
    assert back.bands == surveys.get("jpas").band_names
    assert not back.any_bands
    np.testing.assert_array_equal(predict(back, sources).point, predict(ours, sources).point)
    order = np.random.default_rng(1).permutation(57)
    seen = sources.photometry
    shuffled = Photometry(seen.flux[:, order], seen.ivar[:, order], tuple(seen.bands[k] for k in order))
    np.testing.assert_array_equal(
        predict(back, replace(sources, photometry=shuffled)).point, predict(ours, sources).point
    )
    with pytest.raises(RequestError, match="is for the bands uJPAS"):
        back.bind("kids")


def test_what_cannot_be_inferred_is_flagged(ours):
    sources, _ = mock("jpas-populations", 19.0, 6)
    seen = sources.photometry
    flux = seen.flux.copy()
    flux[1] = 0.0
    redshift = sources.redshift.copy()
    redshift[2] = 0.5  # beyond the training
    found = predict(ours, replace(sources, redshift=redshift, photometry=replace(seen, flux=flux)))
    assert found.flags[2] & np.uint32(Flag.REDSHIFT_OUT_OF_RANGE)
    assert np.isnan(found.point[2]).all()
    assert found.flags[1] & np.uint32(Flag.INPUT_OUT_OF_RANGE | Flag.UNLIKE_TRAINING | Flag.POOR_FIT)
    assert np.isfinite(found.point[0]).all()


def test_a_catalogue_that_lacks_bands_altogether_is_refused(ours):
    sources, _ = mock("jpas-populations", 19.0, 6)
    seen = sources.photometry
    some = replace(sources, photometry=Photometry(seen.flux[:, :50], seen.ivar[:, :50], seen.bands[:50]))
    with pytest.raises(RequestError, match="J0900"):
        predict(ours, some)


@pytest.mark.parametrize(
    ("method", "setting", "message"),
    [
        ("grid", "seed=1", r"population\.single = true: the grid is of delayed histories"),
        ("posterior", 'libraries=["other"]', r"libraries = \['other'\]: a fit's models are of one library"),
    ],
)
def test_fits_whose_models_would_be_others_are_refused(method, setting, message, tmp_path):
    with pytest.raises(RequestError, match=message):
        reference_cache(recipes.load("jpas-populations", [setting]), method, tmp_path)


@pytest.mark.parametrize("setting", ["fit.n_draws=0", "fit.n_limit=-1", "fit.redshift_step=0.0"])
def test_fits_of_nothing(setting):
    key, value = setting.split("=")
    with pytest.raises(RequestError, match=rf"{key} = {value}; accepted"):
        recipes.load("jpas-populations", [setting])
