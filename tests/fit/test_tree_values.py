"""Trees that learn a parameter: a planted relation is found, weights count, the same for the same seed, bad input."""

import numpy as np
import pytest

from galprism.errors import RequestError
from galprism.fit.tree_features import Features
from galprism.fit.tree_values import grow_boosted_values, grow_forest_values, tune_boosted_values
from galprism.fit.trees import BoostConfig

GROW = {
    "boosted": lambda features, values, seed: grow_boosted_values(features, values, BoostConfig(60), seed=seed),
    "forest": lambda features, values, seed: grow_forest_values(features, values, trees=30, seed=seed),
}


def planted(n=1200, seed=0):
    """A redshift that is a bent function of one colour of two, with a scatter of 0.01, and some numbers missing."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.0, 2.0, (n, 2)).astype(np.float32)
    z = 0.1 + 0.2 * x[:, 0] ** 2 + 0.01 * rng.standard_normal(n)
    x[rng.random(n) < 0.1, 1] = np.nan
    return Features(("g-r", "r-i"), x), z


@pytest.mark.parametrize("kind", GROW)
def test_a_planted_relation_is_found(kind):
    trees = GROW[kind](*planted(), 0)
    other, z = planted(seed=1)
    assert np.median(np.abs(trees.values(other) - z)) < 0.015
    with pytest.raises(RequestError, match="learned from g-r, r-i"):
        trees.values(Features(("r-i", "g-r"), other.values))


@pytest.mark.parametrize("kind", GROW)
def test_the_same_for_the_same_seed(kind):
    features, z = planted()
    one, same = (GROW[kind](features, z, 3).values(features) for _ in range(2))
    np.testing.assert_array_equal(one, same)


def test_the_absolute_error_does_not_mind_outliers():
    """A tenth of the redshifts are 5: the mean is pulled by 0.5, the median is not."""
    features, z = planted()
    wrong = np.where(np.arange(len(z)) % 10 == 0, 5.0, z)
    config = BoostConfig(60, max_depth=3, min_child_weight=20.0)
    off = {
        loss: np.median(np.abs(grow_boosted_values(features, wrong, config, loss=loss).values(features) - z))
        for loss in ("squared", "absolute")
    }
    assert off["absolute"] < 0.05 < off["squared"]


def test_weights_count():
    features = Features(("g-r",), np.zeros((100, 1), np.float32))
    z = np.repeat([0.2, 0.8], 50)
    weight = np.where(z < 0.5, 3.0, 1.0)
    trees = grow_boosted_values(features, z, BoostConfig(200, reg_lambda=0.0), weight=weight)
    np.testing.assert_allclose(trees.values(features), 0.35, atol=1e-3)


def test_a_search_begins_with_the_defaults_and_is_no_worse():
    features, z = planted(300)
    found = tune_boosted_values(features, z, trials=3, folds=2)
    assert found.trials == 3
    assert found.loss <= found.default_loss < 0.1


def test_what_is_no_value_is_refused():
    features, z = planted(50)
    with pytest.raises(RequestError, match=r"values have shape \(49,\); expected \(50,\)"):
        grow_forest_values(features, z[1:])
    z[7] = np.nan
    with pytest.raises(RequestError, match="1 values are not finite"):
        grow_boosted_values(features, z)
    with pytest.raises(RequestError, match="50 sources in 60 folds"):
        tune_boosted_values(features, np.ones(50), folds=60)
    with pytest.raises(RequestError, match="0 trials"):
        tune_boosted_values(features, np.ones(50), trials=0)
