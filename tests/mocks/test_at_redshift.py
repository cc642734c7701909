"""The galaxies of a field at one redshift: drawn as the field draws them, and of the density that is said."""

import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from scipy.stats import ks_2samp, kstest

from galprism import surveys
from galprism.errors import RequestError
from galprism.mocks.sky import latents
from galprism.mocks.sky.at_redshift import WIDTH, GalaxiesAt
from galprism.mocks.sky.field_config import GalaxyConfig
from galprism.mocks.sky.galaxies import FieldGalaxies
from galprism.mocks.sky.latents import Latents
from galprism.sps import load_bc03_miles
from galprism.units import abmag_from_njy

LOW, HIGH, LIMIT = 0.08, 0.084, 18.5


@pytest.fixture(scope="module")
def field():
    config = GalaxyConfig(redshift=(LOW, HIGH), lightest=8.5)
    return FieldGalaxies(config, surveys.get("sdss"), "r", LIMIT, load_bc03_miles())


@pytest.fixture(scope="module")
def at(field):
    return GalaxiesAt(field, 0.082, 15.0)


@pytest.fixture(scope="module")
def drawn(at):
    return at.draw(600, np.random.default_rng(1))


def test_draws_are_those_of_the_field_near_the_redshift(field, at, drawn):
    """Masses, rates, metals, dust and the share of quiescent ones, of galaxies that the field itself draws."""
    patch = field.patch(250.0, np.random.default_rng(2))
    patch = patch.take(np.flatnonzero(abmag_from_njy(patch.flux[:, field.place]) > 15.0))
    assert len(patch) > 400
    x, quiescent = drawn
    bodies = at.bodies(x, quiescent)
    own = at.field.light_of(bodies, at.shapes(x))
    magnitude = abmag_from_njy(own.flux[:, field.place])
    assert ((magnitude > 15.0) & (magnitude < LIMIT)).all()
    error = 0.5 / np.sqrt(len(patch)) + 0.5 / np.sqrt(len(x))
    assert quiescent.mean() == pytest.approx(patch.bodies.quiescent.mean(), abs=3 * error)
    for name in ("logmstar", "logssfr", "ebv", "logzsol_lw", "log_age_lw"):
        assert ks_2samp(own.values[name], patch.values[name]).pvalue > 1e-3, name
    for name in ("re_bulge", "re_disc", "q_bulge", "q_disc"):
        assert ks_2samp(getattr(own.shapes, name), getattr(patch.shapes, name)).pvalue > 1e-3, name


def test_the_density_is_that_of_the_draws(at, drawn):
    """By importance: galaxies of even masses, weighted by their density, have the masses of those that are drawn."""
    rng, n = np.random.default_rng(3), 20_000
    x = rng.standard_normal((n, WIDTH))
    x[:, 0] = rng.uniform(8.6, 12.15, n)
    calm = rng.random(n) < 0.5
    weight = np.exp(at.log_density(x, calm) + 0.5 * (x[:, 1:] ** 2).sum(axis=1))
    weight[~at.bright(at.bodies(x, calm))] = 0.0
    weight /= weight.sum()
    x_drawn, calm_drawn = drawn
    error = np.sqrt(1 / len(x_drawn) + (weight**2).sum())
    assert weight @ calm == pytest.approx(calm_drawn.mean(), abs=2 * error)
    assert weight @ x[:, 0] == pytest.approx(x_drawn[:, 0].mean(), abs=4 * error * x_drawn[:, 0].std())
    beyond = x.copy()
    beyond[:, 0] = 13.0
    assert np.isneginf(at.log_density(beyond[:5], calm[:5])).all()


def test_limits_foreseen_are_those_of_the_light(field, at):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((2000, WIDTH))
    x[:, 0] = rng.uniform(9.0, 12.0, 2000)
    bodies = at.bodies(x, rng.random(2000) < 0.5)
    magnitude = abmag_from_njy(field.light(bodies).flux[:, field.place])
    np.testing.assert_array_equal(at.bright(bodies), (magnitude > 15.0) & (magnitude < LIMIT))


def test_numbers_have_the_distributions_that_the_field_draws():
    x = np.random.default_rng(5).standard_normal((5000, latents.WIDTH))
    found, drawn = Latents.of_normals(x), Latents.drawn(5000, np.random.default_rng(6))
    for name in ("starburst", "old", "disc", "old_dust", "logu"):
        assert ks_2samp(getattr(found, name), getattr(drawn, name)).pvalue > 1e-3, name
    assert kstest(found.old_dust, "expon").pvalue > 1e-3
    np.testing.assert_allclose(ndtri(found.old), x[:, 6], atol=1e-9)
    np.testing.assert_allclose(np.exp(-found.old_dust), ndtr(-x[:, 8]), rtol=1e-9)


def test_a_redshift_that_the_field_does_not_reach(field):
    with pytest.raises(RequestError, match=r"redshift = 0\.5; accepted"):
        GalaxiesAt(field, 0.5)
