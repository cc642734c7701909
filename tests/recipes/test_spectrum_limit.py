"""The exact posterior of a recipe's spectra."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from galprism.errors import RequestError
from galprism.fit.tempering import TemperingConfig
from galprism.recipes import processes, spectrum_limit
from galprism.recipes.pairs import measure_of, pairs
from galprism.recipes.recipe import load
from galprism.recipes.spectrum_limit import posterior_of


def test_a_recipe_without_a_field_has_no_such_posterior():
    with pytest.raises(RequestError, match="kids-mass-sfr"):
        posterior_of(load("kids-mass-sfr", ()))


def test_its_answers_are_the_same_from_several_workers(tmp_path, monkeypatch):
    """Threads stand for processes here, which take long to begin."""
    monkeypatch.setattr(spectrum_limit, "PIECE", 1)
    monkeypatch.setattr(
        processes, "ProcessPoolExecutor", lambda n, _, **first: ThreadPoolExecutor(max(n - 1, 1), **first)
    )
    recipe = load("mmlforgalam", ("sample.train=6", "images.size=64"))
    sources = measure_of(recipe, pairs(recipe, tmp_path, 3))(np.arange(3), np.random.default_rng(2))
    config, seen = TemperingConfig(points=40, sweeps=1, settle=1, final=1, kept=0.2), []
    alone = spectrum_limit.exact_answers(recipe, sources.take(slice(1, 3)), config)
    shared = spectrum_limit.exact_answers(recipe, sources.take(slice(1, 3)), config, workers=2, progress=seen.append)
    assert seen == [1, 1]
    assert shared.id.tolist() == sources.id[1:].tolist()
    np.testing.assert_allclose(shared.point, alone.point, rtol=1e-5)
    np.testing.assert_allclose(shared.extra["rhat"], alone.extra["rhat"], rtol=1e-5)
