"""Caches made by the forward model: they say what it says, to the error that they state; and the shipped one does."""

import subprocess
import sys
from importlib import resources

import numpy as np
import pytest

from galprism import passbands, surveys
from galprism.cosmology import age_gyr
from galprism.data import Sources
from galprism.errors import RequestError
from galprism.fit import GridConfig, fit_grid, load_cache, magnitude_prior, prior_columns, shipped
from galprism.fit.cache import log_distance_factor
from galprism.fit.make_cache import make_cache, make_draws, make_grid
from galprism.mocks import MagnitudeRedshift, PopulationConfig, draw_stars, observe
from galprism.mocks.noise import NoiseConfig
from galprism.params import compress_logssfr
from galprism.sps import ForwardModel, Galaxies, load_bc03_miles
from galprism.units import njy_from_abmag

KIDS = surveys.get("kids")
GRID = GridConfig(tau=(0.5, 4.0), age=(0.25, 1.0, 4.0, 9.0), z_met=(0.004, 0.02), ebv_lines=(0.0, 0.2, 1.0))


@pytest.fixture(scope="module")
def library():
    return load_bc03_miles()


@pytest.fixture(scope="module")
def model(library):
    return ForwardModel(library, [passbands.get(band.passband) for band in KIDS.bands], z_max=3.01)


@pytest.fixture(scope="module")
def grid(library):
    return make_grid(KIDS, library, GRID, n_scores=30, redshift=(0.3, 0.6))


def direct(model, cache, rows, redshift):
    """What the forward model says of some models of a cache: Observed."""
    columns = {name: cache.values[name][rows] for name in ("tau", "age", "ebv")}
    z_met = 0.02 * 10.0 ** cache.values["logzsol"][rows].astype(float)
    return model(Galaxies.from_numpy(redshift=np.full(len(rows), redshift), z_met=z_met, logu=-3.0, **columns))


def magnitude_error(model, cache, rows, redshift):
    flux = cache.light(redshift)[rows] * 10 ** log_distance_factor(redshift)
    return 2.5 * np.log10(flux / direct(model, cache, rows, redshift).flux.numpy())


@pytest.mark.parametrize("redshift", [0.3, 0.3337, 0.512, 0.6])
def test_a_cached_flux_is_the_forward_models(grid, model, redshift):
    """Measured: 1.5 mmag rms with 48 models in 30 scores, up to 0.03 where an emission line crosses a band's edge."""
    error = magnitude_error(model, grid, np.arange(len(grid)), redshift)
    assert np.sqrt(np.mean(error**2)) < 0.003
    assert np.abs(error).max() < 0.05


def test_parameters_are_the_forward_models(grid, model):
    rows = np.arange(len(grid))
    seen = direct(model, grid, rows, 0.4)
    mstar, sfr = seen.mstar.numpy(), seen.sfr.numpy()
    assert grid.values["logmstar"] == pytest.approx(np.log10(mstar), abs=1e-5)
    ssfr = np.log10(sfr / mstar)
    assert grid.values["logssfr"] == pytest.approx(ssfr, abs=1e-4)
    assert grid.values["logsfr"] == pytest.approx(np.log10(mstar) + compress_logssfr(ssfr), abs=1e-4)
    assert grid.values["age_mw"] == pytest.approx(seen.age_mw.numpy(), rel=1e-5)
    assert grid.values["av"] == pytest.approx(3.1 * grid.values["ebv"])
    assert not grid.values["logmformed"].any()


def test_a_cache_says_what_it_was_made_of(grid, library):
    assert len(grid) == 2 * 4 * 2 * 3
    assert np.all(np.diff(grid.values["age"]) >= 0)
    assert grid.redshift_range == (0.3, 0.6)
    assert grid.bands == KIDS.band_names
    assert grid.meta["library"]["name"] == library.name
    assert grid.meta["grid"]["tau"] == (0.5, 4.0)
    assert 0 < grid.meta["error_mag"]["rms"] < 0.003
    assert grid.meta["error_mag"]["rms"] < grid.meta["error_mag"]["p99"] < grid.meta["error_mag"]["max"] < 0.05
    grid.check_passbands(KIDS)
    assert np.unique(grid.values["ebv"]) == pytest.approx([0.0, 0.088, 0.44])


def test_draws_are_the_prior_at_every_redshift(library, model):
    population = PopulationConfig(redshift=(0.05, 1.2))
    done = []
    draws = make_draws(KIDS, library, population, 2500, seed=4, block=500, n_scores=35, step=0.02, progress=done.append)
    assert sum(done) == len(draws) == 2500
    assert draws.redshift_range == (0.05, 1.2)
    assert draws.meta["population"]["av"] == (0.0, 2.0)
    rows = np.arange(0, 2500, 25)
    rows = rows[draws.values["age"][rows] < age_gyr(0.05)]
    error = magnitude_error(model, draws, rows, draws.redshift[7])
    assert np.sqrt(np.mean(error**2)) < 0.004
    # At z = 1.2 the draws that are young enough have the ages that the population draws there.
    kept = draws.values["age"][draws.models(1.2)]
    there = draw_stars(population, np.full(20_000, 1.2), np.random.default_rng(0))["age"]
    assert kept.max() <= age_gyr(1.2)
    assert np.quantile(kept, [0.1, 0.5, 0.9]) == pytest.approx(np.quantile(there, [0.1, 0.5, 0.9]), abs=0.25)
    # Blocks are random draws each, so that any of them alone is the prior too.
    means = [draws.values["av"][start : start + 500].mean() for start in range(0, 2500, 500)]
    assert means == pytest.approx([1.0] * 5, abs=0.1)


def test_prior_columns_are_reproducible_and_in_range():
    population = PopulationConfig()
    columns = prior_columns(population, 4000, 7)
    assert all(np.array_equal(value, prior_columns(population, 4000, 7)[name]) for name, value in columns.items())
    assert not np.array_equal(columns["tau"], prior_columns(population, 4000, 8)["tau"])
    assert columns["tau"].min() >= 0.25
    assert columns["age"].max() <= age_gyr(population.redshift[0])
    assert columns["ebv"].max() <= 2.0 / 3.1
    assert set(columns["z_met"]) == set(population.z_met)


def test_the_grid_of_the_paper():
    columns = GridConfig().columns()
    assert len(columns["tau"]) == 15 * 20 * 6 * 21
    assert columns["ebv"].max() == pytest.approx(0.66)
    assert len(np.unique(np.stack(list(columns.values())), axis=1).T) == 37_800


@pytest.mark.parametrize(
    ("change", "message"),
    [({"tau": ()}, r"grid.tau = \[\]"), ({"age": (0.0, 1.0)}, "grid.age"), ({"ebv_lines": (-0.1,)}, "grid.ebv_lines")],
)
def test_grids_that_make_no_sense(change, message):
    with pytest.raises(RequestError, match=message):
        GridConfig(**change)


def test_a_range_of_redshifts_that_makes_no_sense(library):
    with pytest.raises(RequestError, match=r"redshift = \[0.6, 0.3\]"):
        make_cache(KIDS, library, GRID.columns(), redshift=(0.6, 0.3))


def test_the_prior_of_the_magnitudes_is_the_populations():
    population = PopulationConfig(magnitude=(17.0, 23.0))
    prior = magnitude_prior(population, MagnitudeRedshift(population))
    assert (prior.band, prior.bright, prior.faint) == ("r", 17.0, 23.0)
    assert prior.at(0.4).log_density(np.array(22.0)) > prior.at(0.4).log_density(np.array(18.0))


# The shipped cache


def test_the_shipped_cache_is_small_and_needs_no_torch():
    assert shipped() == ["kids"]
    file = resources.files("galprism.fit") / "caches" / "kids.npz"
    assert len(file.read_bytes()) < 5e6
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from galprism import surveys\n"
        "from galprism.fit import load_cache\n"
        "cache = load_cache('kids', surveys.get('kids'))\n"
        "assert cache.light(0.5).shape == (37800, 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_shipped_cache_is_the_forward_models_of_today(model):
    cache = load_cache("kids", KIDS)
    assert cache.redshift_range == (0.005, 3.0)
    rng = np.random.default_rng(3)
    for redshift in (0.005, 0.0723, 0.431, 1.234, 2.9):
        rows = rng.choice(np.arange(len(cache))[cache.models(redshift)], 150)
        error = magnitude_error(model, cache, rows, redshift)
        assert np.sqrt(np.mean(error**2)) < 0.006
        assert np.quantile(np.abs(error), 0.99) < 0.02
    seen = direct(model, cache, rows, 1.0)
    assert cache.values["logmstar"][rows] == pytest.approx(np.log10(seen.mstar.numpy()), abs=1e-5)


def test_planted_galaxies_are_found_with_the_shipped_cache(model):
    """100 galaxies off the grid with KiDS noise: errors as large as they say, and no bias beyond them."""
    rng = np.random.default_rng(5)
    redshift = rng.uniform(0.1, 0.9, 100)
    stars = draw_stars(PopulationConfig(), redshift, rng)
    seen = model(Galaxies.from_numpy(redshift=redshift, **stars))
    log_mass = np.log10(njy_from_abmag(rng.uniform(19.5, 22.5, 100)) / seen.flux.numpy()[:, 2])
    flux = seen.flux.numpy() * 10 ** log_mass[:, None]
    photometry = observe(flux, KIDS, NoiseConfig(), rng)
    sources = Sources(id=np.arange(100), redshift=redshift, photometry=photometry)
    found = fit_grid(sources, load_cache("kids"), model_error=0.03)
    truth = log_mass + np.log10(seen.mstar.numpy())
    error = found.column("logmstar") - truth
    assert np.sqrt(np.mean(error**2)) < 0.16
    assert abs(np.median(error)) < 0.05
    inside = (truth > found.quantile("logmstar", 0.16)) & (truth < found.quantile("logmstar", 0.84))
    assert 0.5 < inside.mean() < 0.85
    assert not found.flags.any()
