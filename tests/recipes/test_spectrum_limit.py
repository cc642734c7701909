"""Methods beside the exact posterior: planted errors give the ratio that was planted, on converged galaxies alone."""

from dataclasses import replace

import numpy as np
import pytest

from galprism.data import Predictions
from galprism.errors import RequestError
from galprism.fit.spectrum_posterior import LEVELS
from galprism.recipes.recipe import load
from galprism.recipes.spectrum_limit import against_limit, limit_table, posterior_of

NAMES = ("mean_log_age_lw", "mean_logzsol_lw")
N = 4000
RNG = np.random.default_rng(8)
TRUE = RNG.normal(0, 1, (N, 2))
SN = RNG.uniform(5, 30, N)
SD = 0.1


def predictions(point, ids, **changes):
    none = np.zeros(len(ids), np.uint32)
    return Predictions(np.asarray(ids), NAMES, point.astype("f4"), none, none.astype("i2"), **changes)


@pytest.fixture(scope="module")
def limit():
    """Of half of the galaxies, in an order of their own; one in ten has not converged and is far off."""
    rows = RNG.permutation(N)[: N // 2]
    converged = (np.arange(len(rows)) % 10 > 0).astype(float)
    mean = TRUE[rows] + SD * RNG.standard_normal((len(rows), 2)) + 5.0 * (1.0 - converged[:, None])
    width = SD * np.array([-1.96, -0.9945, 0.0, 0.9945, 1.96])
    quantiles = (mean[..., None] + width).astype("f4")
    return predictions(mean, rows, levels=LEVELS, quantiles=quantiles, extra={"converged": converged})


def test_ratios_are_those_that_were_planted(limit):
    there = {int(one): k for k, one in enumerate(limit.id)}
    exact = np.array([limit.point[there[k]] if k in there else TRUE[k] for k in range(N)])
    methods = {
        "the limit itself": predictions(exact, np.arange(N)),
        "with noise of its own": predictions(exact + SD * RNG.standard_normal((N, 2)), np.arange(N)),
    }
    found = against_limit(limit, methods, NAMES, np.arange(N), TRUE, SN)
    assert (found["n"], found["asked"]) == (N // 2 - N // 20, N // 2)
    np.testing.assert_allclose(found["ratios"]["the limit itself"]["ratio"], 1.0, rtol=1e-5)
    noisy = found["ratios"]["with noise of its own"]
    assert (np.abs(np.array(noisy["ratio"]) - np.sqrt(2)) < 4 * np.array(noisy["err"])).all()
    np.testing.assert_allclose(found["errors"]["sd"], SD, rtol=0.06)
    np.testing.assert_allclose(found["inside"], 0.68, atol=0.04)
    table = limit_table(found, list(NAMES))
    assert "On 1800 galaxies, those of 2000 whose two runs agree" in table
    assert "| the limit itself | 1.000 ± 0.000" in table


def test_where_nothing_converged_nothing_is_said(limit):
    none = replace(limit, extra={"converged": np.zeros(len(limit))})
    found = against_limit(none, {"a": predictions(TRUE, np.arange(N))}, NAMES, np.arange(N), TRUE, SN)
    assert found["n"] == 0
    assert found["ratios"]["a"]["ratio"] == [None, None]
    assert "On 0 galaxies" in limit_table(found, list(NAMES))


def test_a_recipe_without_a_field_has_no_such_posterior():
    with pytest.raises(RequestError, match="kids-mass-sfr"):
        posterior_of(load("kids-mass-sfr", ()))
