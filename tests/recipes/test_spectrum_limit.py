"""The exact posterior of a recipe's spectra."""

import pytest

from galprism.errors import RequestError
from galprism.recipes.recipe import load
from galprism.recipes.spectrum_limit import posterior_of


def test_a_recipe_without_a_field_has_no_such_posterior():
    with pytest.raises(RequestError, match="kids-mass-sfr"):
        posterior_of(load("kids-mass-sfr", ()))
