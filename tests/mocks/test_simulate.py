import numpy as np
import pytest

from galprism import recipes, surveys
from galprism.data import Photometry
from galprism.data.tables import read_truth, write_catalogue
from galprism.errors import RequestError
from galprism.mocks import ErrorSample, NoiseConfig, calibration_error, observe, unstated_error
from galprism.mocks.simulate import Sky, simulate
from galprism.recipes.mock import write_mock
from galprism.recipes.sky import sky
from galprism.sps import load_library
from galprism.units import abmag_from_njy, flux_err_from_mag_err

KIDS = surveys.get("kids")


@pytest.fixture(scope="module")
def kids_sky() -> Sky:
    return sky(recipes.load("mlp-gap"))


def everything(pairs):
    sources, truths = zip(*pairs, strict=True)
    return (
        np.concatenate([s.id for s in sources]),
        np.concatenate([s.photometry.flux for s in sources]),
        np.concatenate([t.values for t in truths]),
    )


def test_every_galaxy_has_the_magnitude_that_was_drawn(kids_sky):
    block, draws = kids_sky.block(0), kids_sky.draw(0)
    r = KIDS.band_names.index("r")
    np.testing.assert_allclose(abmag_from_njy(block.sources.photometry.flux[:, r]), draws.magnitude, atol=1e-5)
    np.testing.assert_allclose(block.sources.redshift, draws.redshift)


def test_truth_obeys_its_definitions(kids_sky):
    truth = kids_sky.block(0).truth
    mass, formed, ssfr = truth.column("logmstar"), truth.column("logmformed"), truth.column("logssfr")
    assert (mass < formed).all()
    assert (mass > formed - 0.4).all(), "remnants and living stars keep more than 40 % of the mass formed"
    alive = ssfr >= -12
    np.testing.assert_allclose(truth.column("logsfr")[alive], (mass + ssfr)[alive])
    assert (truth.column("logsfr") - mass > -13).all()
    assert (truth.column("age_mw") < truth.column("age")).all()


def test_the_same_galaxies_however_they_are_asked_for(kids_sky):
    """A catalogue does not depend on where it is cut: here in the middle of a block."""
    noise = NoiseConfig()
    whole = everything(simulate(kids_sky, noise, 6000))
    first = everything(simulate(kids_sky, noise, 1234))
    rest = everything(simulate(kids_sky, noise, 6000 - 1234, first=1234))
    for one, part, other in zip(whole, first, rest, strict=True):
        np.testing.assert_array_equal(one, np.concatenate([part, other]))


def test_another_seed_is_another_sky():
    population = recipes.load("mlp-gap").population
    skies = [Sky(population, KIDS, load_library("bc03-miles"), seed=seed) for seed in (1, 2)]
    assert not np.allclose(skies[0].draw(0).stars["tau"], skies[1].draw(0).stars["tau"])


def test_a_population_in_a_band_that_the_survey_lacks_is_refused():
    population = recipes.load("mlp-gap", ["population.band='y'"]).population
    with pytest.raises(RequestError, match=r"population.band = 'y' is not a band of kids: u, g, r"):
        Sky(population, KIDS, load_library("bc03-miles"), seed=1)


def test_noise_is_as_wide_as_it_says():
    flux = np.full((40_000, 9), 3000.0)
    seen = observe(flux, KIDS, NoiseConfig(calibration=False), np.random.default_rng(3))
    pull = (seen.flux - flux) * np.sqrt(seen.ivar)
    np.testing.assert_allclose(pull.mean(axis=0), 0.0, atol=0.02)
    np.testing.assert_allclose(pull.std(axis=0), 1.0, atol=0.015)
    np.testing.assert_allclose(np.median(seen.flux_err, axis=0), KIDS.sky_err(), rtol=0.01)


def test_a_shallower_source_is_shallower_in_all_its_bands():
    config = NoiseConfig(shallower=(0.0, 1.5), depth_scatter=0.0)
    seen = observe(np.ones((20_000, 9)), KIDS, config, np.random.default_rng(3))
    worse = 2.5 * np.log10(seen.flux_err / KIDS.sky_err())
    assert worse.min() >= -1e-4
    assert worse.max() <= 1.5 + 1e-4
    np.testing.assert_allclose(worse, worse[:, :1] * np.ones(9), atol=1e-4)
    assert worse.mean() == pytest.approx(0.75, abs=0.02)


def test_calibration_errors_come_on_top():
    flux = np.full((40_000, 9), 1e7)  # so bright that the sky's noise is nothing
    seen = observe(flux, KIDS, NoiseConfig(), np.random.default_rng(3))
    np.testing.assert_allclose((seen.flux / flux).std(axis=0), calibration_error(KIDS), rtol=0.02)


def test_errors_of_the_simulated_light_come_on_top_and_are_not_stated():
    flux, off = np.full((40_000, 9), 1e7), tuple(0.02 * k for k in range(9))
    config = NoiseConfig(model_error=off)
    seen = observe(flux, KIDS, config, np.random.default_rng(3))
    spread = np.log(seen.flux / flux).std(axis=0)
    np.testing.assert_allclose(spread, np.hypot(calibration_error(KIDS), 0.4 * np.log(10) * np.array(off)), rtol=0.02)
    np.testing.assert_allclose(unstated_error(KIDS, config), spread, rtol=0.02)
    assert np.abs(np.corrcoef(np.log(seen.flux[:, 1:]).T) - np.eye(8)).max() < 0.03
    np.testing.assert_allclose(np.median(seen.flux_err, axis=0), KIDS.sky_err(), rtol=0.01)
    given = observe(flux, KIDS, config, np.random.default_rng(3), factor=np.ones((40_000, 9), np.float32))
    np.testing.assert_allclose(np.log(given.flux / flux).std(axis=0), calibration_error(KIDS), rtol=0.02)
    with pytest.raises(RequestError, match="a number for each of kids's bands"):
        observe(flux, KIDS, NoiseConfig(model_error=(0.1,)), np.random.default_rng(3))
    with pytest.raises(RequestError, match="zero or more"):
        NoiseConfig(model_error=(-0.1,) * 9)


def test_stated_errors_do_not_tell_the_true_flux():
    rng = np.random.default_rng(4)
    flux = np.stack([10 ** rng.uniform(1, 5, 20_000)] * 9, axis=1)
    seen = observe(flux, KIDS, NoiseConfig(), rng)
    assert abs(np.corrcoef(np.log(flux[:, 0]), np.log(seen.ivar[:, 0]))[0, 1]) < 0.03


def test_unperturbed_magnitudes_are_exact_and_errors_are_still_stated():
    flux = np.full((100, 9), 500.0, np.float32)
    seen = observe(flux, KIDS, NoiseConfig(perturb=False), np.random.default_rng(5))
    np.testing.assert_array_equal(seen.flux, flux)
    assert (seen.ivar > 0).all()


def catalogue_photometry(n=5000):
    rng = np.random.default_rng(6)
    mag = rng.uniform(18, 25, (n, 9))
    flux = 10 ** (0.4 * (31.4 - mag))
    err = flux_err_from_mag_err(flux, 0.01 + 0.02 * (mag - 18))
    return Photometry(flux=flux, ivar=err**-2.0, bands=KIDS.band_names)


def test_errors_from_a_catalogue_are_those_of_its_galaxies_of_that_magnitude():
    sample = ErrorSample(catalogue_photometry())
    mag = np.array([[19.3], [24.0]]) * np.ones(9)
    flux = (10 ** (0.4 * (31.4 - mag))).astype(np.float32)
    mag_err = sample.draw(flux, np.random.default_rng(7)) / flux / 0.9210
    np.testing.assert_allclose(mag_err, 0.01 + 0.02 * (mag - 18), atol=0.02 * 0.02)


def test_where_a_catalogue_has_no_such_magnitude_the_range_widens():
    sample = ErrorSample(catalogue_photometry())
    flux = np.full((1, 9), 10 ** (0.4 * (31.4 - 15.0)), np.float32)  # three magnitudes brighter than any row
    mag_err = sample.draw(flux, np.random.default_rng(8)) / flux / 0.9210
    assert (mag_err < 0.13).all()


def test_a_catalogue_without_errors_in_a_band_is_refused():
    photometry = catalogue_photometry(10)
    ivar = photometry.ivar.copy()
    ivar[:, 4] = 0.0
    with pytest.raises(RequestError, match="no good flux and error in band Z"):
        ErrorSample(Photometry(np.where(ivar > 0, photometry.flux, 0), ivar, KIDS.band_names))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"errors": "catalogue"}, "needs noise.catalogue"),
        ({"depth_scatter": -1.0}, "noise.depth_scatter = -1"),
        ({"shallower": (1.0, 0.0)}, "noise.shallower"),
    ],
)
def test_impossible_noise_is_refused(values, message):
    with pytest.raises(RequestError, match=message):
        NoiseConfig(**values)


def test_a_catalogue_of_the_users_gives_redshifts_magnitudes_and_errors(tmp_path, kids_sky):
    """The paper's way: (z, r) from the rows of a real catalogue, errors from its errors."""
    (sources, _), *_ = simulate(kids_sky, NoiseConfig(perturb=False), 1000)
    path = tmp_path / "kids.parquet"
    write_catalogue(path, sources)
    settings = [f"population.catalogue='{path}'", f"noise.catalogue='{path}'", "noise.errors='catalogue'"]
    recipe = recipes.load("mlp-gap", settings)
    out = tmp_path / "mock.fits"
    write_mock(recipe, 500, out)
    made = surveys.read(out, KIDS)
    assert set(np.round(made.redshift, 6)) <= set(np.round(sources.redshift, 6))
    assert np.isfinite(made.photometry.flux_err).all()
    truth = read_truth(out, ids=made.id)
    assert np.isfinite(truth.values).all()


def test_nothing_is_written_when_nothing_is_asked_for(tmp_path):
    with pytest.raises(RequestError, match="n = 0"):
        write_mock(recipes.load("mlp-gap"), 0, tmp_path / "x.parquet")
    assert not list(tmp_path.iterdir())
