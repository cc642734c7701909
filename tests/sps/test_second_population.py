"""Galaxies of two populations, each with a metallicity of its own: light adds up, and means are weighted by it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from galprism import passbands, recipes
from galprism.cosmology import age_gyr
from galprism.errors import RequestError
from galprism.mocks import PopulationConfig, draw_stars
from galprism.recipes.sky import sky
from galprism.sps import Composite, Constant, ForwardModel, Galaxies, load_library

OURS = load_library("bc03-miles")
BANDS = [passbands.get(f"SLOAN/SDSS.{band}") for band in "griz"]
FIRST = {"tau": [1.0, 0.5, 3.0], "age": [10.0, 8.0, 6.0], "z_met": [0.004, 0.02, 0.008], "ebv": [0.1, 0.0, 0.3]}
SECOND = {
    "f_second": [0.1, 0.0, 0.6],
    "age_second": [0.02, 1.0, 2.0],
    "width_second": [0.1, 0.5, 1.0],
    "z_met_second": [0.03, 0.001, 0.02],
}
Z = np.array([0.05, 0.2, 0.4])


@pytest.fixture(scope="module")
def model():
    return ForwardModel(OURS, BANDS, metallicity="interpolate", z_max=1.0)


def apart() -> tuple[Galaxies, Galaxies]:
    """The two populations as galaxies of their own."""
    start = torch.tensor(SECOND["age_second"]) + torch.tensor(SECOND["width_second"])
    history = Constant(start.double(), torch.tensor(SECOND["age_second"]).double())
    young = Galaxies.from_numpy(redshift=Z, history=history, z_met=SECOND["z_met_second"], ebv=FIRST["ebv"])
    return Galaxies.from_numpy(redshift=Z, **FIRST), young


def test_light_and_masses_add_up(model):
    both = Galaxies.from_numpy(redshift=Z, **FIRST, **SECOND)
    found, (old, young) = model(both), (model(each) for each in apart())
    f = torch.tensor(SECOND["f_second"], dtype=torch.float64)
    for name in ("mstar", "sfr", "sfr_100myr", "light", "age_mw", "z_mw"):
        expected = (1 - f) * getattr(old, name) + f * getattr(young, name)
        torch.testing.assert_close(getattr(found, name), expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(found.flux, (1 - f)[:, None] * old.flux + f[:, None] * young.flux, rtol=1e-5, atol=0)
    weight = f * young.light / found.light
    torch.testing.assert_close(found.age_lw, (1 - weight) * old.age_lw + weight * young.age_lw)
    torch.testing.assert_close(found.z_lw, (1 - weight) * old.z_lw + weight * young.z_lw)
    torch.testing.assert_close(found.flux[1], old.flux[1])


def test_every_way_to_the_light_knows_of_it(model):
    both = Galaxies.from_numpy(redshift=Z, **FIRST, **SECOND)
    flux = model(both).flux
    torch.testing.assert_close(model.project(model.rest_sed(both), both.redshift), flux, rtol=1e-5, atol=0)
    at_each = model.fluxes_at(both, Z)
    torch.testing.assert_close(torch.stack([at_each[n, n] for n in range(3)]), flux, rtol=1e-5, atol=0)
    torch.testing.assert_close(model.derive(both).age_lw, model(both).age_lw)


def test_of_one_metallicity_it_is_a_history_of_two_parts(model):
    """Two populations of one metallicity, against one population with the sum of their histories."""
    same = SECOND | {"z_met_second": FIRST["z_met"], "f_second": [0.1, 0.2, 0.6]}
    found = model(Galaxies.from_numpy(redshift=Z, **FIRST, **same))
    old, young = apart()
    f = torch.tensor(same["f_second"], dtype=torch.float64)
    history = Composite([old.history, young.history], torch.stack([1 - f, f], dim=1))
    others = {name: FIRST[name] for name in ("z_met", "ebv")}
    expected = model(Galaxies.from_numpy(redshift=Z, history=history, **others))
    torch.testing.assert_close(found.flux, expected.flux, rtol=1e-5, atol=0)
    torch.testing.assert_close(found.age_lw, expected.age_lw)
    torch.testing.assert_close(found.sfr_10myr, expected.sfr_10myr)


def test_all_of_it_or_nothing():
    some = {name: value for name, value in SECOND.items() if name != "z_met_second"}
    with pytest.raises(RequestError, match=r"a second population needs .* not given: z_met_second"):
        Galaxies.from_numpy(redshift=Z, **FIRST, **some)


def test_the_population_draws_them_within_the_life_of_the_galaxy():
    config = PopulationConfig(second_share=0.4, z_met_between=True)
    redshift = np.random.default_rng(0).uniform(0.01, 3.0, 20_000)
    stars = draw_stars(config, redshift, np.random.default_rng(1))
    assert np.mean(stars["f_second"] > 0) == pytest.approx(0.4, abs=0.015)
    assert (stars["age_second"] + stars["width_second"] <= stars["age"] * (1 + 1e-12)).all()
    assert (stars["age_second"] + stars["width_second"] <= age_gyr(redshift)).all()
    assert stars["width_second"].min() > 0
    assert stars["z_met_second"].min() >= 0.0001
    assert abs(np.corrcoef(np.log(stars["z_met"]), np.log(stars["z_met_second"]))[0, 1]) < 0.03
    plain = draw_stars(replace(config, second_share=0.0), redshift, np.random.default_rng(1))
    np.testing.assert_array_equal(stars["tau"], plain["tau"])


def test_a_mock_says_what_its_galaxies_are_made_of():
    """Where there are two metallicities no one of them is the galaxy's; where there is one, all means are it."""
    settings = ["population.second_share=0.5", "population.z_met_between=true"]
    truth = sky(recipes.load("kids-mass-sfr", settings)).block(0).truth
    one = np.isfinite(truth.column("logzsol"))
    assert 0.4 < one.mean() < 0.6
    for name in ("logzsol_mw", "logzsol_lw"):
        np.testing.assert_allclose(truth.column(name)[one], truth.column("logzsol")[one], atol=1e-6)
        assert np.isfinite(truth.column(name)).all()
    assert np.std((truth.column("logzsol_mw") - truth.column("logzsol_lw"))[~one]) > 0.05


@pytest.mark.parametrize("setting", ["f_second=[0.5,1.2]", "age_second=[0.0,1.0]", "second_share=1.5"])
def test_settings_that_make_no_sense(setting):
    name = setting.split("=")[0]
    with pytest.raises(RequestError, match=rf"population.{name} = .*accepted"):
        recipes.load("kids-mass-sfr", [f"population.{setting}"])
