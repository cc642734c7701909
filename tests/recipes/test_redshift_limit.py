"""The exact posterior of a recipe's galaxies is that of its own field, choice and noise."""

import numpy as np
import pytest
import torch

from galprism import surveys
from galprism.data import Photometry
from galprism.errors import RequestError
from galprism.fit.field_draws import FieldPosteriorConfig
from galprism.recipes.recipe import load
from galprism.recipes.redshift_limit import exact_redshifts, redshift_posterior
from galprism.units import njy_from_abmag

FEW = FieldPosteriorConfig(block=200, most=1, looks=1)
NARROW = ["field.galaxies.redshift=[0.08, 0.085]", "chosen.galaxy_magnitude=[16, 17.3]"]


def test_it_is_of_the_recipes_field_choice_and_noise():
    torch.set_num_threads(1)
    recipe, done = load("galaxy-redshift", NARROW), []
    flux = njy_from_abmag(np.array([[18.9, 17.6, 17.0, 16.7, 16.5], [18.4, 17.2, 16.7, 16.4, 16.2]]))
    photometry = Photometry(flux, (0.02 * flux) ** -2.0, surveys.get("sdss").band_names)
    found = exact_redshifts(recipe, photometry, FEW, progress=done.append)
    np.testing.assert_allclose(found.edges[[0, -1]], [0.08, 0.085])
    np.testing.assert_allclose(found.share.sum(axis=1), 1.0)
    assert done[-1] == 1.0


def test_other_recipes_are_refused():
    with pytest.raises(RequestError, match=r"recipe kids-mass-sfr has no \[field\] or no \[chosen\]"):
        redshift_posterior(load("kids-mass-sfr"))
