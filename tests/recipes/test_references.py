"""Template fits by the words of a recipe: the models must be those that the recipe speaks of."""

import numpy as np
import pytest

from galprism import recipes
from galprism.cli.main import main
from galprism.data.tables import open_table
from galprism.errors import RequestError
from galprism.fit import load_cache
from galprism.flags import Flag
from galprism.recipes.references import check_cache, reference_cache
from mlp_gap_mock import MOCK

SHIPPED = str(MOCK)
DRAWS = ("fit.n_draws=3000", "population.redshift=[0.2,0.6]")


@pytest.fixture(scope="module")
def draws(tmp_path_factory):
    """The place of a small cache of prior draws."""
    path = tmp_path_factory.mktemp("draws") / "draws.npz"
    reference_cache(recipes.load("kids-mass-sfr", DRAWS), "posterior", path)
    return path


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("library=fsps-salpeter",), "library = 'bc03-miles', and the recipe says 'fsps-salpeter'"),
        (("nebular=false",), "nebular = True, and the recipe says False"),
        (("population.logu=-2.5",), r"population.logu = -3.0, and the recipe says -2.5"),
    ],
)
def test_the_shipped_grid_is_for_one_library(settings, message):
    with pytest.raises(RequestError, match=f"the shipped grid of kids was made for {message}"):
        reference_cache(recipes.load("kids-mass-sfr", settings), "grid")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("population.av=[0.0,0.1]",), r"population.av = \[0.0, 2.0\], and the recipe says \[0.0, 0.1\]"),
        (("population.burst_share=0.2",), "population.burst_share = 0.0"),
        (("library=fsps-chabrier",), "library = 'bc03-miles'"),
        (("fit.n_draws=4000",), "fit.n_draws = 3000, and the recipe says 4000"),
    ],
)
def test_draws_are_of_one_population(draws, settings, message):
    with pytest.raises(RequestError, match=message):
        reference_cache(recipes.load("kids-mass-sfr", (*DRAWS, *settings)), "posterior", draws)


def test_the_prior_of_magnitudes_is_no_part_of_the_draws(draws):
    cache = reference_cache(recipes.load("kids-mass-sfr", (*DRAWS, "population.counts_slope=0.4")), "posterior", draws)
    assert len(cache) == 3000


def test_a_grid_is_no_prior_and_draws_are_no_grid(draws):
    recipe = recipes.load("kids-mass-sfr", DRAWS)
    with pytest.raises(RequestError, match="holds the models of a grid fit, not of posterior"):
        check_cache(load_cache("kids"), recipe, "posterior", "it")
    with pytest.raises(RequestError, match="holds the models of a posterior fit, not of grid"):
        reference_cache(recipe, "grid", draws)


def test_a_setting_without_a_part_in_the_grid_is_refused(tmp_path, capsys):
    out = tmp_path / "out.parquet"
    assert main(["fit", "kids-mass-sfr", SHIPPED, "population.av=[0,0.1]", "-o", str(out)]) == 2
    assert "population.av has no part in a grid fit" in capsys.readouterr().err
    assert not out.exists()


def test_a_fit_flags_as_a_prediction_does(tmp_path, capsys):
    """Repeated ids, and a source without any light: said in the table and on the screen."""
    with open_table(SHIPPED) as table:
        batch = {name: np.array(values[:40]) for name, values in table.read().items()}
        units = {name: info.unit for name, info in table.columns.items() if info.unit}
    batch["id"][7] = batch["id"][3]
    for name in batch:
        if name.startswith("flux_") and not name.startswith("flux_err"):
            batch[name][5] = -1e3
    from galprism.data.tables import write_table

    path, out = tmp_path / "odd.parquet", tmp_path / "out.parquet"
    write_table(path, batch, units=units)
    assert main(["fit", "kids-mass-sfr", str(path), "-o", str(out)]) == 0
    said = capsys.readouterr().out
    assert "1 DUPLICATE_ID" in said
    with open_table(out) as table:
        found = table.read()
    assert found["flags"][7] & Flag.DUPLICATE_ID
    assert not found["flags"][3] & Flag.DUPLICATE_ID
    assert np.isnan(found["logmstar"][5])
    assert found["flags"][5] & Flag.INPUT_OUT_OF_RANGE
