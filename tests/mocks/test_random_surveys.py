"""Surveys drawn at random: what is measured scatters as it says, and what is not detected is not there."""

import numpy as np
import pytest

from galprism import passbands
from galprism.errors import RequestError
from galprism.mocks import RandomSurveysConfig, observe_at_random, pool_survey
from galprism.mocks.random_surveys import APART, BROAD, OPTICAL, WITH_INFRARED, ZEROPOINT_SCATTER
from galprism.units import njy_from_abmag

POOL = (*(f"sdss/{band}" for band in "ugriz"), "viking/J", "viking/H", "tophat/5000x150")
N = 20_000


def observed(magnitude: float, **settings):
    """N galaxies of one magnitude in every band, and [(rows, photometry)] of random surveys of 1000 each."""
    config = RandomSurveysConfig(pool=POOL, **({"n_bands": (3, 8), "sources": 1000} | settings))
    flux = np.full((N, len(POOL)), njy_from_abmag(magnitude), np.float32)
    return flux, list(observe_at_random(flux, config, np.random.default_rng(3)))


def test_bright_galaxies_are_all_seen_once_and_scatter_as_the_stated_errors():
    flux, parts = observed(20.0, depth=(26.0, 28.0), zeropoint_error=(1e-6, 1e-6))
    assert np.array_equal(np.sort(np.concatenate([rows for rows, _ in parts])), np.arange(N))
    pull = np.concatenate([((p.flux - flux[0, 0]) * np.sqrt(p.ivar)).ravel() for _, p in parts])
    assert np.mean(pull) == pytest.approx(0.0, abs=5 / np.sqrt(len(pull)))
    assert np.std(pull) == pytest.approx(1.0, abs=5 / np.sqrt(len(pull)))


def test_calibration_errors_are_in_the_fluxes_and_in_the_stated_errors():
    flux, parts = observed(15.0, depth=(28.0, 28.0), zeropoint_error=(0.02, 0.02))
    relative = 0.02 * np.log(10) / 2.5
    assert np.std(np.concatenate([(p.flux / flux[0, 0] - 1).ravel() for _, p in parts])) == pytest.approx(
        relative, rel=0.02
    )
    for _, p in parts:
        np.testing.assert_allclose(p.flux_err / p.flux, relative, rtol=0.01)


def test_surveys_differ_in_bands_and_depth():
    _, parts = observed(20.0)
    numbers = [len(p.bands) for _, p in parts]
    assert min(numbers) == 3
    assert max(numbers) > 5
    assert len({p.bands for _, p in parts}) > 15
    assert np.std([np.log10(p.ivar).mean() for _, p in parts]) > 0.5


def test_the_zero_points_of_one_survey_are_about_as_good_in_all_bands():
    _, parts = observed(15.0, depth=(30.0, 30.0), zeropoint_error=(1e-4, 0.1), n_bands=(8, 8), sources=100)
    spread, level = [], []
    for _, photometry in parts:
        stated = np.log(np.median(1.0 / (photometry.flux * np.sqrt(photometry.ivar)), axis=0))
        spread.append(stated.var(ddof=1))
        level.append(stated.mean())
    assert np.sqrt(np.mean(spread)) == pytest.approx(ZEROPOINT_SCATTER, rel=0.1)
    assert np.std(level) > 3 * ZEROPOINT_SCATTER


def test_what_is_not_detected_is_not_there():
    """A true S/N of 1: by the normal tail 16 % of the bands reach 2, and every galaxy that is left has one such."""
    _, parts = observed(
        25.0,
        depth=(23.25, 23.25),
        depth_slope=0.0,
        band_scatter=0.0,
        source_scatter=0.0,
        n_bands=(3, 3),
        zeropoint_error=(1e-6, 1e-6),
    )
    kept = sum(len(rows) for rows, _ in parts) / N
    assert kept == pytest.approx(1 - (1 - 0.1587) ** 3, abs=0.015)
    assert all(((p.flux * np.sqrt(p.ivar)).max(axis=1) > 2.0).all() for _, p in parts)


def test_the_pool_is_a_survey_of_all_its_passbands():
    survey = pool_survey(RandomSurveysConfig(pool=POOL), "sdss/r")
    assert survey.band_names == POOL
    assert len(pool_survey(RandomSurveysConfig(pool=POOL[:2]), "sdss/r").bands) == 3
    with pytest.raises(RequestError, match="no passband 'sdss/q'"):
        pool_survey(RandomSurveysConfig(pool=("sdss/q",)), "sdss/r")


@pytest.mark.parametrize(
    "settings",
    [
        {"n_bands": (0, 3)},
        {"n_bands": (5, 3)},
        {"sources": 0},
        {"depth": (30.0, 20.0)},
        {"zeropoint_error": (0.0, 0.1)},
        {"systems": 1.5},
    ],
)
def test_impossible_surveys_are_refused(settings):
    with pytest.raises(RequestError, match="accepted"):
        RandomSurveysConfig(pool=POOL, **settings)


def test_systems_are_broad_bands_side_by_side():
    pool = (*POOL, *(f"kids/{band}" for band in "ugri"), "viking/Z", "viking/Y", "viking/Ks", "tophat/6000x150")
    config = RandomSurveysConfig(pool=pool, n_bands=(3, 8), systems=1.0, sources=200)
    flux = np.full((N, len(pool)), njy_from_abmag(18.0), np.float32)
    curves = {name: passbands.get(name) for name in pool}
    seen = [photometry.bands for _, photometry in observe_at_random(flux, config, np.random.default_rng(5))]
    assert len(set(seen)) > 40
    for bands in seen:
        assert 3 <= len(bands) <= 8
        waves = np.array([curves[name].effective_wavelength for name in bands])
        assert np.diff(np.sort(np.log(waves))).min() >= APART[0]
        assert all(curves[name].width > BROAD * curves[name].effective_wavelength for name in bands)
    infrared = np.mean([max(curves[name].effective_wavelength for name in bands) > OPTICAL[1] for bands in seen])
    assert 0.1 < infrared <= WITH_INFRARED + 0.1
    narrow = RandomSurveysConfig(pool=tuple(f"tophat/{w}x150" for w in (5000, 6000, 7000)), systems=1.0)
    with pytest.raises(RequestError, match="the pool has no 3 broad bands side by side"):
        list(observe_at_random(flux[:, :3], narrow, np.random.default_rng(5)))
