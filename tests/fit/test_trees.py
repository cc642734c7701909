"""Trees that learn classes: planted rules, a small simulated field, the same for the same seed, and what is refused."""

import json
from importlib import resources

import numpy as np
import pytest

from galprism import surveys
from galprism.data import Photometry, Sources
from galprism.data.classes import class_probabilities
from galprism.errors import RequestError
from galprism.evaluate.classes import judge_classes
from galprism.fit.tree_features import Features, tree_features
from galprism.fit.tree_tuning import stratified_folds, tune_boosted
from galprism.fit.trees import BoostConfig, BoostedTrees, grow_boosted, grow_forest, predict_trees
from galprism.flags import Flag
from galprism.mocks.noise import NoiseConfig, observe
from galprism.mocks.sky.field_config import QuasarConfig, StarConfig
from galprism.mocks.sky.quasars import Quasars
from galprism.mocks.sky.stars import Stars
from galprism.units import njy_from_abmag

KIDS = surveys.get("kids")
GROW = {
    "boosted": lambda features, classes, seed: grow_boosted(features, classes, BoostConfig(30), seed=seed),
    "forest": lambda features, classes, seed: grow_forest(features, classes, trees=30, seed=seed),
}


def planted(n=900, seed=0) -> tuple[Features, np.ndarray]:
    """Classes by the sign of two numbers of three, the third one noise, and a tenth of all numbers missing."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 3)).astype(np.float32)
    classes = np.where(x[:, 0] < 0, 0, np.where(x[:, 1] < 0, 1, 2))
    x[rng.random(x.shape) < 0.1] = np.nan
    return Features(("mag_g", "mag_r", "g-r"), x), classes


@pytest.fixture(scope="module")
def field():
    """400 of each class to r = 23, as KiDS measures them."""
    galaxies = surveys.read(resources.files("galprism.recipes") / "shipped" / "kids-mock.parquet", "kids").photometry
    bright = np.flatnonzero(galaxies.flux[:, 2] > njy_from_abmag(23.0))[:400]
    rng = np.random.default_rng(0)
    points = Stars(StarConfig(), KIDS, "r", 23.0), Quasars(QuasarConfig(), KIDS, "r", 23.0)
    parts = [kind.patch(area, rng).take(slice(0, 400)) for kind, area in zip(points, (1.0, 8.0), strict=True)]
    observed = [observe(part.flux, KIDS, NoiseConfig(), rng) for part in parts] + [galaxies.take(bright)]
    assert [len(part) for part in observed] == [400] * 3
    order = rng.permutation(1200)
    flux, ivar = (np.concatenate([getattr(part, name) for part in observed])[order] for name in ("flux", "ivar"))
    sources = Sources(id=np.arange(1200), photometry=Photometry(flux, ivar, KIDS.band_names))
    return sources, np.repeat([0, 1, 2], 400)[order]


@pytest.mark.parametrize("kind", GROW)
def test_a_small_field_is_learned(kind, field):
    """A third would be right by chance."""
    sources, classes = field
    features = tree_features(sources, softening=KIDS.sky_err())
    first, rest = slice(0, 700), slice(700, 1200)
    trees = GROW[kind](features.take(first), classes[first], 0)
    found = predict_trees(sources.take(rest), features.take(rest), trees)
    judged = judge_classes(class_probabilities(found), classes[rest])
    assert judged.accuracy > 0.85
    assert min(entry.f1 for entry in judged.classes) > 0.8
    assert found.n_bands.tolist() == [9] * 500
    assert not found.flags.any()


@pytest.mark.parametrize("kind", GROW)
def test_the_same_for_the_same_seed(kind):
    features, classes = planted()
    one, same = (GROW[kind](features, classes, 3).probability(features) for _ in range(2))
    np.testing.assert_array_equal(one, same)
    np.testing.assert_allclose(one.sum(axis=1), 1.0, rtol=1e-5)


@pytest.mark.parametrize("kind", GROW)
def test_planted_rules_are_found_with_numbers_missing(kind):
    """Where both numbers are there, the rule is followed; that of the sources left out too."""
    features, classes = planted()
    trees = GROW[kind](features, classes, 0)
    other, truth = planted(seed=1)
    whole = np.isfinite(other.values[:, :2]).all(axis=1) & (np.abs(other.values[:, :2]) > 0.1).all(axis=1)
    called = np.argmax(trees.probability(other), axis=1)
    assert (called == truth)[whole].mean() > 0.97


def test_sources_of_unknown_class_do_not_count():
    features, classes = planted()
    some = classes.copy()
    some[600:] = -1
    fewer = grow_boosted(features.take(slice(0, 600)), classes[:600]).probability(features)
    np.testing.assert_array_equal(grow_boosted(features, some).probability(features), fewer)


def test_boosted_trees_are_kept_as_json(tmp_path):
    features, classes = planted()
    trees = grow_boosted(features, classes)
    trees.save(tmp_path / "trees.json")
    json.loads((tmp_path / "trees.json").read_text())
    again = BoostedTrees.load(tmp_path / "trees.json")
    assert again.names == features.names
    np.testing.assert_array_equal(again.probability(features), trees.probability(features))
    trees.booster.set_attr(galprism=None)
    trees.booster.save_model(tmp_path / "other.json")
    with pytest.raises(RequestError, match=r"other.json: is not of galprism"):
        BoostedTrees.load(tmp_path / "other.json")
    (tmp_path / "none.json").write_text("{}")
    with pytest.raises(RequestError, match=r"none.json: is no model of XGBoost's"):
        BoostedTrees.load(tmp_path / "none.json")
    with pytest.raises(RequestError, match=r"ends in \.json"):
        trees.save(tmp_path / "trees.ubj")


class TestFeatures:
    def sources(self) -> Sources:
        flux = njy_from_abmag(np.array([[20.0, 19.0, 18.5], [21.0, 20.0, 19.5], [20.0, 20.0, 20.0]]))
        ivar = np.full((3, 3), 1e-4)
        flux[1, 0], flux[2, 1], ivar[2, 1] = -30.0, 0.0, 0.0
        return Sources(id=np.arange(3), redshift=[0.1, np.nan, 0.3], photometry=Photometry(flux, ivar, ("g", "r", "i")))

    def test_magnitudes_and_colours_of_neighbours(self):
        found = tree_features(self.sources(), size=np.array([1.0, np.nan, 2.0]), redshift=True)
        assert found.names == ("mag_g", "mag_r", "mag_i", "g-r", "r-i", "size", "redshift")
        np.testing.assert_allclose(found.values[0], [20.0, 19.0, 18.5, 1.0, 0.5, 1.0, 0.1], rtol=1e-6)
        missing = [[0, 3, 5, 6], [1, 3, 4]]
        for row, places in zip((1, 2), missing, strict=True):
            assert np.flatnonzero(np.isnan(found.values[row])).tolist() == places

    def test_soft_magnitudes_are_those_of_pogson_where_it_is_bright(self):
        """And are defined where the flux is negative: the magnitude of none is that of the softening."""
        soft = np.array([10.0, 10.0])
        found = tree_features(self.sources(), ("g", "r"), softening=soft).values
        assert found[0, :2] == pytest.approx([20.0, 19.0], abs=1e-5)
        assert 31.4 - 2.5 * np.log10(10.0) < found[1, 0] < 40.0
        assert np.isnan(found[2, 1])

    def test_requests_that_cannot_be_met(self):
        sources = self.sources()
        with pytest.raises(RequestError, match="photometry has no band z; it has g, r, i"):
            tree_features(sources, ("g", "z"))
        with pytest.raises(RequestError, match=r"size has shape \(2,\); expected \(3,\)"):
            tree_features(sources, size=np.ones(2))
        with pytest.raises(RequestError, match="accepted: nJy above zero, one for each of g, r, i"):
            tree_features(sources, softening=np.array([1.0, 0.0, 1.0]))
        bare = Sources(id=np.arange(3), photometry=sources.photometry)
        with pytest.raises(RequestError, match="the sources have no redshift"):
            tree_features(bare, redshift=True)
        with pytest.raises(RequestError, match="no photometry"):
            tree_features(Sources(id=np.arange(3)))


def test_rows_that_cannot_be_told_stay():
    features, classes = planted()
    trees = grow_boosted(features, classes)
    asked = Features(features.names, np.array([[0.5, 1.0, 0.0], [np.nan] * 3, [np.nan, -1.0, np.nan]], np.float32))
    found = predict_trees(Sources(id=np.array([5, 6, 7])), asked, trees)
    assert np.isfinite(class_probabilities(found)).all(axis=1).tolist() == [True, False, True]
    assert found.extra["class"][1] == ""
    assert (found.flags & np.uint32(Flag.NOT_INFERRED) > 0).tolist() == [False, True, False]
    assert (found.flags & np.uint32(Flag.BAND_MISSING) > 0).tolist() == [False, True, True]
    assert found.n_bands.tolist() == [2, 0, 1]


def test_a_search_does_no_worse_than_the_defaults():
    """They are its first trial; the same seed finds the same, and labels that say nothing are not learned by heart."""
    features, classes = planted(n=200)
    found = tune_boosted(features, classes, trials=5, folds=2, seed=1)
    assert found.trials == 5
    assert found.loss <= found.default_loss
    assert tune_boosted(features, classes, trials=5, folds=2, seed=1).config == found.config
    noise = np.random.default_rng(0).integers(0, 3, 200)
    assert tune_boosted(features, noise, trials=5, folds=2, seed=1).loss > 1.0
    one = tune_boosted(features, classes, trials=1, most=150)
    assert one.config == BoostConfig()


def test_folds_have_as_many_of_each_class():
    classes = np.repeat([0, 1, 2], [30, 9, 300])
    fold = stratified_folds(classes, 3, np.random.default_rng(0))
    assert [np.bincount(fold[classes == k]).tolist() for k in range(3)] == [[10] * 3, [3] * 3, [100] * 3]


def test_requests_that_cannot_be_met():
    features, classes = planted(n=60)
    with pytest.raises(RequestError, match="no example of class qso"):
        grow_boosted(features, np.where(classes == 1, -1, classes))
    with pytest.raises(RequestError, match=r"classes have shape \(59,\)"):
        grow_forest(features, classes[:-1])
    few = classes.copy()
    few[np.flatnonzero(few == 1)[1:]] = 0
    with pytest.raises(RequestError, match="1 examples of class qso; accepted: 3 or more"):
        tune_boosted(features, few, trials=1)
    with pytest.raises(RequestError, match="0 trials in 3 folds"):
        tune_boosted(features, classes, trials=0)
    with pytest.raises(RequestError, match="learning_rate = 0"):
        BoostConfig(learning_rate=0.0)
    with pytest.raises(RequestError, match="rounds = 0"):
        BoostConfig(rounds=0)
    trees = grow_boosted(features, classes)
    with pytest.raises(RequestError, match="the trees learned from mag_g, mag_r, g-r"):
        trees.probability(Features(("mag_g", "mag_r", "size"), features.values))
    with pytest.raises(RequestError, match="3 sources and features of 60"):
        predict_trees(Sources(id=np.arange(3)), features, trees)
