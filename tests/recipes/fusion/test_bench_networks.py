"""The networks of the bench: what each can know of a sky whose images say one number and whose spectra another."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from galprism.errors import RequestError
from galprism.evaluate.figures.balance import balance
from galprism.nets.joined import JoinedConfig
from galprism.recipes.fusion.bench import judged
from galprism.recipes.fusion.late import HOW, LateFusion, stacked, weighed
from galprism.recipes.fusion.network_search import SPACE, NetworkCost, SearchedNetwork, settings_of
from galprism.recipes.fusion.networks import (
    BALANCE,
    KINDS,
    NetworkConfig,
    NetworkModel,
    at_rest,
    balance_study,
    networks,
)
from toy_fusion import toy_seen

NET = JoinedConfig(width=16, blocks=1, dropout=0.0, image_channels=(4, 8), spectrum_channels=4, tokens=2, heads=2)
CONFIG = NetworkConfig(NET, passes=16, lr=1e-2, batch_size=20, redshift=2.0)


@pytest.fixture(scope="module")
def seen():
    torch.set_num_threads(1)
    return toy_seen()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def rows(seen, folder):
    return {kind: judged(NetworkModel(kind, CONFIG), seen, "toy", folder) for kind in KINDS}


def test_each_alone_knows_half_and_fusions_know_all(rows, seen):
    for kind, row in rows.items():
        r2 = [row.scores[name].r2 for name in seen.names]
        if len(row.sees) > 1:
            assert min(r2) > 0.85, (kind, r2)
        else:  # of light + line and light - 2 line: 1/2 and 1/5, or 1/2 and 4/5
            most = np.array([0.5, 0.2] if row.sees == ("image",) else [0.5, 0.8])
            assert (r2 < most + 0.15).all(), (kind, r2)
            assert (r2 > 0.5 * most).all(), (kind, r2)
        assert row.weights > 100


def test_fusions_answer_without_one_and_others_say_what_they_need(seen, tmp_path):
    held = seen.rows("test")
    alone = NetworkModel("image CNN", replace(CONFIG, passes=1)).fit(seen, tmp_path / "alone")
    with pytest.raises(RequestError, match="image"):
        alone.answers(seen, held, (True, False))
    both = NetworkModel("intermediate fusion", replace(CONFIG, lost=0.3)).fit(seen, tmp_path / "both")
    with pytest.raises(RequestError, match="accepted"):
        both.answers(seen, held, (False, False))
    less = both.answers(seen, held, (False, True))
    assert np.corrcoef(less[:, 1], seen.targets[held, 1])[0, 1] > 0.8
    blank = replace(seen, image=np.full_like(np.asarray(seen.image), np.nan))
    np.testing.assert_allclose(both.answers(blank, held, (False, True)), less)


def test_ours_reads_photometry_too_and_answers_without(seen, tmp_path):
    third = np.random.default_rng(5).normal(size=len(seen))
    photometry = np.stack([third, np.zeros(len(seen))], axis=1).astype(np.float32)
    made = replace(seen, photometry=photometry, targets=seen.targets + third[:, None])
    fitted = NetworkModel("ours", replace(CONFIG, lost=0.15)).fit(made, tmp_path)
    rows = seen.rows("test")

    def left(*there: bool) -> np.ndarray:
        return (made.targets[rows] - fitted.answers(made, rows, there)).var(axis=0)

    # sum and other are of three numbers of one variance each, but that the spectrum's counts four times in the latter
    assert (left(True, True, True) < 0.15 * np.array([3, 6])).all()
    assert (left(True, True, False) > 0.7).all()
    np.testing.assert_allclose(left(True, False, True) / [1, 4], 1.0, atol=0.35)
    with pytest.raises(RequestError, match="accepted"):
        fitted.answers(made, rows, (True, True))


def test_late_fusion_beats_its_members(rows, seen, folder):
    models = tuple(NetworkModel(kind, CONFIG) for kind in ("image CNN", "spectrum CNN"))
    members = [rows[model.kind] for model in models]
    mean, own_answers, joined = (LateFusion(models, lambda model: rows[model.kind], how) for how in HOW)
    late = joined.fit(seen, folder)
    mean, own_answers, joined = (judged(model, seen, "toy", folder) for model in (mean, own_answers, joined))
    for name in seen.names:
        best = min(row.scores[name].rmse for row in members)
        assert joined.scores[name].rmse < 0.6 * best
        assert joined.scores[name].rmse < own_answers.scores[name].rmse < best
    answers = np.mean([row.answers["test"] for row in members], axis=0)
    np.testing.assert_allclose(mean.answers["test"], answers)
    own = sum(row.weights for row in members)
    assert (mean.weights, joined.weights) == (own, own + 10)
    assert own < own_answers.weights <= own + 4
    with pytest.raises(RequestError, match="training"):
        late.answers(seen, seen.rows("train"))
    with pytest.raises(RequestError, match="2 or more"):
        LateFusion(models[:1], judged, "stacked")


def test_mean_spectra_are_shifted_to_the_rest_frame(seen):
    """A line at pixel 20 at rest is there in the means of galaxies of any redshift, blue ones apart from red ones."""
    shift = np.arange(500) % 30
    spectrum = np.zeros((500, 64), np.float32)
    spectrum[np.arange(500), 20 + shift] = 3.0
    spectrum[:, 63] = np.where(np.arange(500) < 150, 7.0, -7.0)
    targets = np.stack([10 ** (1e-4 * shift) - 1, seen.targets[:, 1]], axis=1)
    made = replace(seen, spectrum=spectrum, targets=targets, names=("redshift", "other"))
    found = at_rest(made, np.arange(300), 2)
    np.testing.assert_allclose(found[:, 20], 3.0)
    np.testing.assert_allclose(found[:, 1:20], 0.0)
    assert found[0, 63] == -7.0
    assert found[1, 63] == 7.0


def test_weights_of_answers_are_those_of_each_target_and_none_is_below_zero():
    """Two models of two targets with independent errors: inverse variances weigh best; a third model is mirrored."""
    rng = np.random.default_rng(2)
    truth = rng.normal(size=(4000, 2))
    error = np.array([[0.1, 0.4], [0.2, 0.2]])  # of models by targets
    answers = [truth + off * rng.normal(size=truth.shape) for off in error] + [-truth]
    found, said = weighed(np.concatenate(answers, axis=1), truth)
    assert found.min() == 0
    assert set(zip(*np.nonzero(found), strict=True)) == {(0, 0), (2, 0), (1, 1), (3, 1)}
    best = error**-2 / (1 + (error**-2).sum(axis=0))  # the truth's own variance is 1
    np.testing.assert_allclose(found[[[0, 1], [2, 3]], [0, 1]], best, atol=0.02)
    np.testing.assert_allclose(said, np.concatenate(answers, axis=1) @ found[:-1], atol=0.02)
    assert not np.array_equal(said, np.concatenate(answers, axis=1) @ found[:-1])


def test_stacking_is_least_squares():
    rng = np.random.default_rng(0)
    answers = rng.normal(size=(60, 4))
    truth = answers @ rng.normal(size=(4, 2)) + 0.1 * rng.normal(size=(60, 2)) + 3
    columns = np.column_stack([answers, np.ones(60)])
    wanted = np.linalg.lstsq(columns, truth, rcond=None)[0]
    found, left_out = stacked(answers, truth, [0.0])
    np.testing.assert_allclose(found, wanted)
    rest = np.arange(60) != 7  # what is said of a galaxy is learned from the others
    own = np.linalg.lstsq(columns[rest], truth[rest], rcond=None)[0]
    np.testing.assert_allclose(left_out[7], columns[7] @ own)


def test_the_ridge_is_that_of_the_least_error_left_out():
    rng = np.random.default_rng(1)
    answers = rng.normal(size=(25, 8))
    truth = answers[:, :1] + rng.normal(size=(25, 1))
    columns = np.column_stack([answers, np.ones(25)])

    def left_out(ridge):
        held = np.diag([ridge] * 8 + [0.0])
        errors = []
        for i in range(25):
            rest = np.arange(25) != i
            own = np.linalg.solve(columns[rest].T @ columns[rest] + held, columns[rest].T @ truth[rest])
            errors.append(columns[i] @ own - truth[i])
        return np.mean(np.square(errors))

    ridges = [0.01, 1.0, 10.0, 1000.0]
    best = min(ridges, key=left_out)
    np.testing.assert_allclose(stacked(answers, truth, ridges)[0], stacked(answers, truth, [best])[0])


def test_branches_are_watched_and_drawn(seen, tmp_path):
    told = {}
    short = replace(CONFIG, passes=3)
    (plain,) = (model for model in networks(short) if model.config.balance is not None)
    assert plain.name == "intermediate fusion: image + spectrum"
    assert [model.kind for model in networks(short)] == list(KINDS)
    assert [model.config.balance.last_epoch for model in balance_study(CONFIG) if model.config.balance.treat] == [8]
    for model in (*balance_study(short), plain):
        row = judged(model, seen, "toy", tmp_path)
        told[row.name] = json.loads((row.place / BALANCE).read_text())
        assert len(told[row.name]["branches"]) == 3
        assert set(told[row.name]["utilisation"]) == {"image", "spectrum"}
    assert len(told) == 3
    drawn = balance({name: record["branches"] for name, record in told.items()})
    assert drawn.png.startswith(b"\x89PNG")
    with pytest.raises(RequestError, match="two branches"):
        NetworkModel("early fusion", balance_study(CONFIG)[0].config)


def test_a_cost_is_the_error_of_galaxies_held_back(seen):
    cost = NetworkCost(seen, "dense", CONFIG, folds=2, passes=6, most=200)
    settings = {"lr": 1e-2, "weight_decay": 1e-3, "dropout": 0.0, "width": 16, "redshift": 1.0}
    assert set(settings) == set(SPACE)
    good, bad = cost(settings), cost(settings | {"lr": 1e-5})
    # the spectrum says nothing of the light, which is 1/2 and 1/5 of the variances
    assert (0.5 + 0.2) / 2 * 0.81 < good < 0.56 < 0.81 < bad
    assert cost(settings) == good
    with pytest.raises(RequestError, match="speed"):
        cost({"speed": 1.0})
    with pytest.raises(RequestError, match="2 folds"):
        NetworkCost(seen, "dense", CONFIG, folds=1)


def test_a_search_is_kept_beside_the_result(seen, tmp_path):
    start = replace(CONFIG, net=replace(NET, width=64))
    model = SearchedNetwork("dense", start, trials=3, folds=2, passes=1, most=60)
    row = judged(model, seen, "toy", tmp_path)
    told = json.loads((row.place / "search.json").read_text())
    assert len(told["trials"]) == 3
    assert told["trials"][0]["settings"] == settings_of(start)
    assert told["best"] == min(told["trials"], key=lambda trial: trial["loss"])["settings"]
    assert row.name == "dense, searched: spectrum"
    stamp = (row.place / "search.json").stat().st_mtime_ns
    (row.place / "row.json").unlink()  # stopped behind the search
    again = judged(model, seen, "toy", tmp_path)
    np.testing.assert_array_equal(again.answers["test"], row.answers["test"])
    assert (row.place / "search.json").stat().st_mtime_ns == stamp
