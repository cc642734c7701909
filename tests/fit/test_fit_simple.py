"""Template fits of simple populations: known answers, planted truths, the same answer another way."""

from dataclasses import replace

import numpy as np
import pytest

from galprism import recipes
from galprism.data import Photometry, Sources
from galprism.errors import RequestError
from galprism.fit.simple import (
    LEAST_ESS,
    NAMES,
    fit_simple_grid,
    fit_simple_posterior,
    least_chi2,
    library_grid,
    log_likelihood,
    model_fluxes,
    prior_draws,
)
from galprism.flags import Flag
from galprism.recipes.sky import sky
from galprism.sps.ssp import Z_SUN

Z = 0.00075
TRUE = np.array([[9.7, -0.4, 0.1], [8.2, 0.1, 0.5], [9.1, -1.5, 0.3], [7.3, -0.8, 0.7]])


@pytest.fixture(scope="module")
def made():
    return sky(recipes.load("jpas-populations", [f"population.redshift=[{Z}, 0.001]"]))


@pytest.fixture(scope="module")
def draws(made):
    return prior_draws(made, Z, 60_000)


@pytest.fixture(scope="module")
def grid(made):
    return library_grid(made, Z, (0.0, 0.1, 0.3, 0.6))


def observed(made, values, sn, seed=0, level=1000.0) -> Sources:
    """Populations (N, 3) at an S/N in every band."""
    flux = level * model_fluxes(made, values, Z, 0.1).astype(float)
    err = flux / sn
    seen = flux + err * np.random.default_rng(seed).standard_normal(flux.shape)
    photometry = Photometry(seen.astype("f4"), (err**-2).astype("f4"), made.survey.band_names)
    return Sources(id=np.arange(len(flux)), redshift=np.full(len(flux), Z), photometry=photometry)


def scaled(sources: Sources, factor: float) -> Sources:
    seen = sources.photometry
    return replace(sources, photometry=replace(seen, flux=seen.flux * factor, ivar=seen.ivar / factor**2))


def test_the_scale_is_integrated_over():
    """Against the sum over many scales of the Gaussian likelihood."""
    rng = np.random.default_rng(3)
    models, flux = rng.uniform(0.2, 1.0, (4, 6)), rng.uniform(0.2, 1.0, (1, 6))
    ivar = rng.uniform(20, 60, (1, 6))
    scale = np.linspace(-1.0, 6.0, 200_001)
    chi2 = (ivar[0] * (flux[0] - scale[:, None, None] * models) ** 2).sum(axis=2)
    expected = np.log(np.exp(-0.5 * chi2).sum(axis=0))
    found = log_likelihood(models, flux, ivar)[:, 0]
    np.testing.assert_allclose(found - found[0], expected - expected[0], atol=1e-6)


def test_planted_populations_are_found(made, draws):
    """S/N 100: within three of the stated errors, and these are small."""
    found = fit_simple_posterior(observed(made, TRUE, 100.0), made, draws)
    half = 0.5 * (found.quantiles[:, :, 2] - found.quantiles[:, :, 0])
    assert (np.abs(found.point - TRUE) < 3.5 * half).all()
    assert (half < [0.1, 0.2, 0.04]).all()
    assert (found.extra["ess"] > LEAST_ESS).all()
    assert not found.flags.any()


def test_draws_around_the_answer_are_as_good_as_very_many_from_the_prior(made):
    sources = observed(made, TRUE, 12.0, seed=5)
    few = fit_simple_posterior(sources, made, prior_draws(made, Z, 3000, seed=1), seed=2)
    many = fit_simple_posterior(sources, made, prior_draws(made, Z, 200_000, seed=3))
    assert (many.extra["ess"] > 1000).all()  # none drawn around
    half = 0.5 * (many.quantiles[:, :, 2] - many.quantiles[:, :, 0])
    assert (np.abs(few.point - many.point) < 0.2 * half).all()


def test_a_model_of_the_grid_is_found_in_it(made, grid):
    rows = np.arange(0, len(grid.values), 97)
    flux = 50.0 * grid.flux[rows]
    photometry = Photometry(flux, (1e-4 * flux) ** -2.0, grid.bands)
    found = fit_simple_grid(Sources(id=rows, redshift=np.full(len(rows), Z), photometry=photometry), grid)
    np.testing.assert_allclose(found.point, grid.values[rows], atol=1e-3)
    assert set(np.round(grid.values[:, 2], 3)) == {0.0, 0.1, 0.3, 0.6}
    np.testing.assert_allclose(np.unique(Z_SUN * 10 ** grid.values[:, 1]), made.libraries[0].z_met, rtol=1e-6)


def test_the_nearest_model_is_as_far_as_the_noise(made, grid):
    """Of models of the grid with Gaussian noise, chi2 of the nearest is a chi2 of all bands but the few fitted."""
    rng = np.random.default_rng(8)
    rows = rng.integers(0, len(grid.values), 400)
    flux = 50.0 * grid.flux[rows].astype(float)
    ivar = (0.02 * flux) ** -2.0
    noisy = flux + rng.standard_normal(flux.shape) / np.sqrt(ivar)
    sources = Sources(id=np.arange(400), photometry=Photometry(noisy, ivar, grid.bands))
    found, n = least_chi2(sources, grid), len(grid.bands)
    own = (ivar * noisy * flux).sum(1) / (ivar * flux**2).sum(1)
    assert (found <= (ivar * (noisy - own[:, None] * flux) ** 2).sum(1) + 1e-6).all()
    assert n - 6 < found.mean() < n
    np.testing.assert_allclose(least_chi2(scaled(sources, 1e3), grid), found, rtol=1e-6)


def test_brightness_says_nothing(made, draws, grid):
    sources = observed(made, TRUE, 30.0)
    for fit in (lambda s: fit_simple_grid(s, grid), lambda s: fit_simple_posterior(s, made, draws)):
        np.testing.assert_allclose(fit(scaled(sources, 1e4)).point, fit(sources).point, rtol=1e-5)


def test_a_missing_band_is_one_that_was_not_asked(made, grid):
    sources = observed(made, TRUE, 30.0)
    seen = sources.photometry
    kept = [k for k in range(len(seen.bands)) if k % 4]
    ivar = np.where(np.isin(np.arange(len(seen.bands)), kept), seen.ivar, 0)
    flux = np.where(ivar > 0, seen.flux, 0)
    lost = fit_simple_grid(replace(sources, photometry=Photometry(flux, ivar, seen.bands)), grid)
    rest = Photometry(seen.flux[:, kept], seen.ivar[:, kept], tuple(seen.bands[k] for k in kept))
    np.testing.assert_allclose(lost.point, fit_simple_grid(replace(sources, photometry=rest), grid).point)
    assert (lost.n_bands == len(kept)).all()


def test_what_cannot_be_fitted(made, draws, grid):
    sources = observed(made, TRUE, 30.0)
    ivar = sources.photometry.ivar.copy()
    ivar[1] = 0.0
    blind = replace(sources, photometry=replace(sources.photometry, ivar=ivar))
    for found in (fit_simple_grid(blind, grid), fit_simple_posterior(blind, made, draws)):
        assert np.isnan(found.point[1]).all()
        assert found.flags[1] == Flag.NO_PHOTOMETRY | Flag.NOT_INFERRED
        assert np.isfinite(found.point[[0, 2, 3]]).all()
        assert found.names == NAMES
    with pytest.raises(RequestError, match="no photometry"):
        fit_simple_grid(replace(sources, photometry=None), grid)
    other = Photometry(sources.photometry.flux[:, :1], ivar[:, :1], ("K",))
    with pytest.raises(RequestError, match="the models have no band K; they have"):
        fit_simple_grid(replace(sources, photometry=other), grid)
    with pytest.raises(RequestError, match=r"redshift = 0.05: the models are at 0.00075"):
        fit_simple_grid(replace(sources, redshift=np.full(len(TRUE), 0.05)), grid)
    both = type(made)(made.population, made.survey, made.libraries * 2, seed=1, nebular=False)
    with pytest.raises(RequestError, match="fits are of one library; this sky has bc03-miles, bc03-miles"):
        prior_draws(both, Z, 10)
    with pytest.raises(RequestError, match="no steps of ebv"):
        prior_draws(sky(recipes.load("jpas-ssp")), Z, 10)
