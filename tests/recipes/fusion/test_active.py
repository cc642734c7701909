"""Active learning: what is asked for, what is told of it, and that it is taken up again."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from test_seen import made

from galprism.errors import RequestError
from galprism.nets.bayesian import BayesianConfig
from galprism.recipes.fusion.acquisition import ACQUISITIONS, chosen, mutual_information, predictive_entropy
from galprism.recipes.fusion.active import Study, learning_curves, summary
from galprism.recipes.fusion.bayes_study import RECORD, Size, bayes_study
from galprism.recipes.fusion.bayesian import BayesianModel, Training, calibration_of, inputs_of
from galprism.recipes.fusion.bench import judged
from galprism.recipes.fusion.maps import kinds_of, maps_of
from galprism.recipes.fusion.seen import seen_of
from galprism.train.bayesian import Draws

FEW = Training(passes=2, steps=12, draws=4)
NARROW = BayesianConfig(channels=(4,), width=8)


def test_a_network_that_is_sure_of_its_weights_learns_nothing_from_a_label():
    sigma = np.broadcast_to(np.random.default_rng(0).uniform(0.1, 2, (1, 5, 3)), (9, 5, 3))
    draws = Draws(np.ones((9, 5, 3)), sigma)
    np.testing.assert_allclose(mutual_information(draws), 0, atol=1e-12)
    expected = np.sum(0.5 * np.log(2 * math.pi * math.e * sigma[0] ** 2), axis=1)
    np.testing.assert_allclose(predictive_entropy(draws), expected)


def test_means_that_are_gaussian_have_the_information_of_a_gaussian_channel():
    """Exact: of two targets whose means are correlated by rho, 1/2 ln det(1 + S / sigma^2)."""
    rng, sigma, rho = np.random.default_rng(1), 0.5, 0.8
    spread = np.array([[1.0, rho], [rho, 1.0]])
    means = rng.multivariate_normal([0, 0], spread, size=60_000)[:, None]
    found = mutual_information(Draws(means, np.full(means.shape, sigma)))
    assert found[0] == pytest.approx(0.5 * math.log(np.linalg.det(np.eye(2) + spread / sigma**2)), rel=0.01)


@pytest.mark.parametrize("apart", [0.3, 1.0, 4.0])
def test_information_of_two_disagreeing_draws_is_bounded_from_above(apart):
    """The mixture's own entropy by quadrature; nearly the same where its Gaussians overlap, and never more."""

    def density(y):
        return 0.5 * sum(math.exp(-0.5 * (y - m) ** 2) for m in (-apart, apart)) / math.sqrt(2 * math.pi)

    entropy = -quad(lambda y: density(y) * math.log(max(density(y), 1e-300)), -12, 12, limit=400)[0]
    exact = entropy - 0.5 * math.log(2 * math.pi * math.e)
    found = mutual_information(Draws(np.array([-apart, apart]).reshape(2, 1, 1), np.ones((2, 1, 1))))[0]
    assert exact <= found + 1e-9
    if apart <= 1:
        assert found == pytest.approx(exact, rel=0.05)


def planted():
    """300 sources: the first 20 are uncertain because draws disagree, the next 20 because they are noisy."""
    rng = np.random.default_rng(2)
    means, sigma = 0.05 * rng.normal(size=(30, 300, 2)), np.full((30, 300, 2), 0.3)
    means[:, :20] += rng.normal(size=(30, 20, 2))
    sigma[:, 20:40] = 3.0
    return Draws(means, sigma)


def test_what_is_asked_for():
    draws, rng = planted(), np.random.default_rng(0)
    assert set(chosen("bald", draws, 300, 20, rng)) == set(range(20))
    assert set(chosen("entropy", draws, 300, 20, rng)) == set(range(20, 40))  # noise, which no label takes away
    some = chosen("power-bald", draws, 300, 20, rng)
    assert len(set(some)) == 20
    assert 10 < np.sum(some < 20) < 20  # most of them, but not those alone
    shares = (
        np.bincount(np.concatenate([chosen("random", None, 300, 30, rng) for _ in range(400)]), minlength=300) / 400
    )
    np.testing.assert_allclose(shares, 0.1, atol=0.07)


def test_requests_that_cannot_be_met():
    rng = np.random.default_rng(0)
    with pytest.raises(RequestError, match=f"'variance'; accepted: {', '.join(ACQUISITIONS)}"):
        chosen("variance", None, 5, 2, rng)
    with pytest.raises(RequestError, match="6 labels of a pool of 5"):
        chosen("random", None, 5, 6, rng)
    with pytest.raises(RequestError, match="two rising numbers"):
        Study(labels=(20, 10))
    with pytest.raises(RequestError, match="accepted: random and others"):
        Study(acquisitions=("bald",))
    with pytest.raises(RequestError, match="accepted: image, photometry, components"):
        BayesianModel(("spectrum",))


def test_what_is_told_of_planted_curves():
    """Random labels err as n^-1/2; planted ones as if they were twice as many."""
    study = Study(labels=(100, 200, 400), acquisitions=("random", "bald"), seeds=2)
    labels = np.array(study.labels)
    full = np.array([0.1, 2.0]) / math.sqrt(1000)
    by_random = np.array([0.1, 2.0]) / np.sqrt(labels)[:, None]
    curves = {"random": np.stack([by_random] * 2), "bald": np.stack([by_random / math.sqrt(2)] * 2)}
    told = summary(study, ("a", "b"), 1000, np.stack([full] * 2), curves)
    assert told["half"] == 400
    for target in ("a", "b", "mean"):
        found = told["targets"][target]["by"]
        assert found["random"]["worth"] == pytest.approx(400)
        assert found["bald"]["worth"] == pytest.approx(800)
        assert found["bald"]["of_random"] == pytest.approx(1 / math.sqrt(2))
        assert found["bald"]["at_half"] == pytest.approx(math.sqrt(1000 / 800))
        assert found["bald"]["reached"] is None
    near = summary(study, ("a", "b"), 1000, np.stack([full] * 2), curves | {"bald": np.stack([by_random / 1.5] * 2)})
    assert near["targets"]["mean"]["by"]["bald"]["at_half"] == pytest.approx(math.sqrt(2.5) / 1.5)
    assert near["targets"]["mean"]["by"]["bald"]["reached"] is None
    nearer = summary(study, ("a", "b"), 1000, np.stack([full] * 2), curves | {"bald": np.stack([by_random / 1.6] * 2)})
    assert nearer["targets"]["mean"]["by"]["bald"]["reached"] == 400


def test_calibration_of_a_mixture_that_is_right():
    """Truths drawn of the mixtures themselves, and of the same with half the stated width."""
    rng = np.random.default_rng(3)
    means, sigma = rng.normal(size=(6, 4000, 1)), rng.uniform(0.2, 1.5, (6, 4000, 1))
    which = rng.integers(6, size=4000), np.arange(4000), 0
    true = means[which] + sigma[which] * rng.normal(size=4000)
    right, narrow = (calibration_of(Draws(means, k * sigma), 0, true) for k in (1, 0.5))
    assert right["coverage_68"] == pytest.approx(0.68, abs=0.02)
    assert right["coverage_95"] == pytest.approx(0.95, abs=0.01)
    assert right["ks_p"] > 0.01
    assert narrow["coverage_68"] < 0.63
    assert narrow["log_score"] < right["log_score"] - 5 * right["log_score_err"]


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return made(tmp_path_factory.mktemp("active") / "sample")


@pytest.fixture(scope="module")
def seen(sample, tmp_path_factory):
    return seen_of(sample, tmp_path_factory.mktemp("seen"))


def test_pixels_are_averaged_and_columns_stand_side_by_side(seen):
    rows = np.array([7, 2])
    image, columns = inputs_of(seen, ("image", "photometry", "components"), rows)
    expected = np.asarray(seen.image[rows], float).reshape(2, 5, 3, 4, 3, 4).mean(axis=(3, 5))
    np.testing.assert_allclose(image, expected, rtol=2e-3, atol=2e-3)
    np.testing.assert_array_equal(columns, np.hstack([seen.photometry[rows], seen.components[rows]]))


def test_a_bayesian_network_is_a_model_of_the_bench(seen, tmp_path):
    network, training = (
        BayesianConfig(form="variational", width=16, tempering=0.1),
        Training(lr=1e-2, passes=10, steps=150),
    )
    model = BayesianModel(("photometry",), network, training, seed=1)
    row = judged(model, seen, "sample", tmp_path)
    assert row.name == "Bayesian CNN (variational): photometry"
    assert all(score.r2 > 0.8 for score in row.scores.values())


def test_curves_are_taken_up_again(seen, tmp_path):
    study = Study(BayesianModel(("components",), NARROW, FEW), (8, 16, 24), ACQUISITIONS[:3], seeds=1)
    said: list[str] = []
    told = learning_curves(study, seen, "sample", tmp_path, said.append)
    assert len(said) == 3 * 2 + 3 + 1  # the last rounds differ in what was labelled
    again = learning_curves(study, seen, "sample", tmp_path, said.append)
    assert told == again
    assert len(said) == 10
    firsts = {curve["rmse"][0][0] for curve in told["targets"]["redshift"]["by"].values()}
    assert len(firsts) == 1
    assert not list(tmp_path.glob("training-*"))
    with pytest.raises(RequestError, match="40 labels of a pool of 40"):
        learning_curves(Study(study.model, (8, 40)), seen, "sample", tmp_path)


def test_the_whole_study(seen, sample, tmp_path, monkeypatch):
    monkeypatch.setattr("galprism.recipes.fusion.maps.embedding", lambda array, method, seed: array[:, :2])
    study = Study(BayesianModel(("image",), NARROW, FEW), (8, 16), ("random", "power-bald"), seeds=1)
    found = bayes_study(seen, sample, tmp_path, Size(study, FEW), say=lambda text: None)
    assert [model["form"] for model in found["models"]] == ["dropout"] * 2 + ["variational"] * 2
    there = sorted(path.name for path in tmp_path.iterdir() if path.is_file())
    assert there == [RECORD, "embeddings.html", "embeddings.png"]


def test_maps_take_any_labels(seen, sample, tmp_path, monkeypatch):
    monkeypatch.setattr("galprism.recipes.fusion.maps.embedding", lambda array, method, seed: array[:, :2])
    fitted = BayesianModel(("components",), NARROW, FEW).fit(seen, tmp_path)
    own = np.arange(len(seen)) % 3
    maps = maps_of(fitted, seen, sample, labels={"shape": own})
    np.testing.assert_array_equal(maps.values["shape"], own[maps.rows])
    assert "class" not in maps.values
    assert set(maps_of(fitted, seen, sample).values["class"]) <= {"star-forming", "quiescent"}
    assert (kinds_of(sample) == "star-forming").all()  # their log sSFR is some 0
