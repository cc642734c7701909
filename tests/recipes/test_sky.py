"""The sky of a recipe, from whatever stellar populations it names."""

import numpy as np
import pytest

from galprism import recipes
from galprism.data.tables import open_table
from galprism.errors import RequestError
from galprism.recipes.mock import write_mock
from galprism.recipes.sky import sky
from galprism.sps import load_bc03_miles

NEARBY = ("population.redshift=[0.01, 0.3]", "nebular=false")


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """BC03 as a user might bring it: a pPXF file, two metallicities and every second age, twice as bright."""
    stars = load_bc03_miles()
    path = tmp_path_factory.mktemp("own") / "spectra_fsps_mine.npz"
    ages = slice(None, None, 2)
    np.savez(
        path,
        templates=2.0 * stars.flux[3:5, ages].transpose(2, 1, 0),
        masses=stars.surviving[3:5, ages].T,
        ages=stars.age[ages],
        metals=np.log10(stars.z_met[3:5] / 0.02),
        lam=stars.to_vacuum(stars.wave),
    )
    return path


def test_galaxies_of_stars_twice_as_bright_weigh_half(own):
    metals = "population.z_met=[0.008, 0.02]"
    mass = {}
    for library in ("bc03-miles", str(own)):
        recipe = recipes.load("mlp-gap", (*NEARBY, metals, f"library='{library}'"))
        (block,) = sky(recipe).blocks(500)
        mass[library] = block.truth.column("logmstar")
    np.testing.assert_allclose(mass[str(own)] - mass["bc03-miles"], -np.log10(2.0), atol=0.02)


def test_a_mock_says_which_stars_it_is_made_of(own, tmp_path):
    recipe = recipes.load("mlp-gap", (*NEARBY, "population.z_met=[0.02]", f"library='{own}'"))
    write_mock(recipe, 10, tmp_path / "mock.parquet")
    with open_table(tmp_path / "mock.parquet") as table:
        assert table.meta["library"] == "spectra_fsps_mine"
        assert len(table.meta["library_hash"]) == 64


def test_what_a_library_cannot_do_is_refused(own):
    for settings, message in (
        ((), r"population\.z_met has 0\.0001; accepted, those of spectra_fsps_mine: 0\.008, 0\.02"),
        (("population.z_met=[0.02]", "nebular=true"), "no nebular grids; ask for nebular=False"),
    ):
        recipe = recipes.load("mlp-gap", (*NEARBY, f"library='{own}'", *settings))
        with pytest.raises(RequestError, match=message):
            sky(recipe)
