"""The classical models of the bench, on galaxies that are made of a number each."""

import json
from dataclasses import replace

import numpy as np
import pytest

from galprism.fit.search import Searched
from galprism.fit.tree_features import Features
from galprism.fit.tree_values import grow_boosted_values, grow_forest_values
from galprism.fit.trees import BoostConfig
from galprism.recipes.fusion import classical as module
from galprism.recipes.fusion.classical import (
    BLOCKS,
    KINDS,
    QUICK,
    SEARCH_FILE,
    Classical,
    classical_models,
    leading,
    ridge,
)
from galprism.recipes.fusion.seen import seen_of
from toy_fusion import made

RNG = np.random.default_rng(8)


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seen")
    return seen_of(made(folder / "sample"), folder)


def test_ridge_lies_between_least_squares_and_the_mean():
    x = Features(("a", "b", "c"), RNG.normal(2.0, 1.0, (50, 3)).astype(np.float32))
    y = RNG.normal(size=(50, 2)) + x.values[:, :2]
    free = np.linalg.lstsq(np.column_stack([x.values, np.ones(50)]), y, rcond=None)[0]
    np.testing.assert_allclose(ridge(x, y, 1e-9).slope, free[:3], rtol=1e-5)
    np.testing.assert_allclose(ridge(x, y, 1e-9).constant, free[3], rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(ridge(x, y, 1e12).values(x), np.broadcast_to(y.mean(axis=0), y.shape), atol=1e-8)
    held = ridge(x, y, 20.0)
    assert np.linalg.norm(held.slope) < np.linalg.norm(free[:3])
    assert held.weights == 8
    centred = x.values - x.values.mean(axis=0)  # where the slope of what is made small is zero
    left = y - y.mean(axis=0) - centred @ held.slope
    np.testing.assert_allclose(centred.T @ left, 20.0 * held.slope, atol=1e-3)


def test_trees_learn_several_values_and_their_numbers_are_counted():
    x = Features(("a",), np.repeat([0.0, 1.0], 40)[:, None].astype(np.float32))
    y = np.stack([3.0 * x.values[:, 0], 1.0 - x.values[:, 0]], axis=1)
    stump = BoostConfig(rounds=1, max_depth=1, learning_rate=1.0, reg_lambda=0.0)
    boosted = grow_boosted_values(x, y, stump)
    np.testing.assert_allclose(boosted.values(x), y, atol=1e-5)
    assert boosted.weights == 2 * (2 + 2)  # of each value one split and two leaves
    forest = grow_forest_values(x, y, trees=5)
    np.testing.assert_allclose(forest.values(x), y, atol=1e-9)
    assert forest.weights == 5 * (2 + 2 * 2)


def test_there_are_nine_with_names_of_their_own():
    models = classical_models()
    assert len({model.name for model in models}) == 9
    assert {model.sees for model in models} == set(BLOCKS.values())
    assert len({json.dumps([model.sees, model.key]) for model in models}) == 9


@pytest.mark.parametrize("kind", KINDS)
def test_what_galaxies_are_made_of_is_found(kind, seen, tmp_path):
    """Targets are multiples of one number, which all blocks tell to some per cent."""
    fitted = Classical(kind, "photometry + spectra", QUICK).fit(seen, tmp_path)
    rows = seen.rows("test")
    off = fitted.answers(seen, rows) - seen.targets[rows]
    assert (off.std(axis=0) < (0.1 if kind == "linear" else 0.55) * seen.targets[rows].std(axis=0)).all()
    assert fitted.weights > 0


def test_the_leading_components_are_given(seen, tmp_path):
    features = seen.features(("photometry", "components"), np.arange(3))
    some = leading(features, 5)
    assert some.names == (*seen.photometry_names, *(f"components_{k}" for k in range(5)))
    np.testing.assert_array_equal(some.values, np.hstack([seen.photometry[:3], seen.components[:3, :5]]))
    model = Classical("linear", "spectra", QUICK)
    fitted = model.fit(seen, tmp_path)
    given = Searched.of(json.loads((tmp_path / SEARCH_FILE).read_text())).best["components"]
    assert fitted.grown.slope.shape == (min(given, seen.components.shape[1]), 9)


def test_a_search_is_kept_and_taken_up(seen, tmp_path, monkeypatch):
    model = Classical("forest", "photometry", QUICK)
    first = model.fit(seen, tmp_path)
    found = Searched.of(json.loads((tmp_path / SEARCH_FILE).read_text()))
    assert len(found.trials) == QUICK.trials
    assert first.grown.model.n_estimators == 200
    assert first.grown.model.min_samples_leaf == found.best["min_leaf"]
    monkeypatch.setattr(module, "search", None)
    again = model.fit(seen, tmp_path)
    np.testing.assert_array_equal(again.answers(seen, seen.rows("test")), first.answers(seen, seen.rows("test")))


def test_the_search_sees_no_galaxy_of_validation_or_test(seen, tmp_path, monkeypatch):
    asked = []
    kind = KINDS["linear"]

    def grow(features, values, settings, seed):
        asked.append(features.values)
        return kind.grow(features, values, settings, seed)

    monkeypatch.setitem(module.KINDS, "linear", replace(kind, grow=grow))
    Classical("linear", "photometry", QUICK).fit(seen, tmp_path)
    learned = {row.tobytes() for row in seen.photometry[seen.rows("train")]}
    assert len(asked) == 2 * 2 + 1
    assert all(row.tobytes() in learned for values in asked for row in values)
    assert [len(values) for values in asked[:2]] == [20, 20]
