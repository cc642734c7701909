"""A search of settings: a planted least is found, the same for the same seed, kept as JSON, and what is refused."""

import json
import math

import pytest

from galprism.errors import RequestError
from galprism.fit.search import Searched, search

SPACE = {
    "rate": ("log", 1e-4, 1.0),
    "part": ("linear", 0.0, 1.0),
    "depth": ("int", 1, 9),
    "rounds": ("log-int", 10, 1000),
    "kind": ("choice", ["plain", "bent"]),
}


def planted(settings):
    """Least, 0, at a rate of 0.01, a part of 0.3, a depth of 5, 100 rounds, and bent."""
    return (
        math.log10(settings["rate"] / 0.01) ** 2
        + 4 * (settings["part"] - 0.3) ** 2
        + 0.05 * (settings["depth"] - 5) ** 2
        + math.log10(settings["rounds"] / 100) ** 2
        + (settings["kind"] != "bent")
    )


def test_a_planted_least_is_come_near_to():
    found = search(planted, SPACE, trials=60, seed=0)
    assert found.loss == planted(found.best) == min(trial.loss for trial in found.trials)
    assert found.best["kind"] == "bent"
    first = min(trial.loss for trial in found.trials[:10])  # drawn at random
    assert found.loss < min(0.3, first)
    for trial in found.trials:
        assert 1e-4 <= trial.settings["rate"] <= 1.0
        assert trial.settings["depth"] in range(1, 10)
        assert isinstance(trial.settings["rounds"], int)


def test_the_same_for_the_same_seed_and_what_is_given_comes_first():
    start = {"rate": 0.1, "part": 0.5, "depth": 2, "rounds": 20, "kind": "plain"}
    one, same, other = (search(planted, SPACE, trials=6, seed=seed, start=[start]) for seed in (3, 3, 4))
    tried = [[trial.settings for trial in found.trials] for found in (one, same, other)]
    assert tried[0] == tried[1] != tried[2]
    assert tried[0][0] == start


def test_it_is_kept_as_json():
    def sometimes(settings):
        return math.nan if settings["part"] < 0.5 else settings["part"]

    found = search(sometimes, {"part": ("linear", 0.0, 1.0)}, trials=12, seed=1)
    assert any(math.isinf(trial.loss) for trial in found.trials)  # tried in vain, and told
    assert found.loss >= 0.5
    text = json.dumps(found.record(), allow_nan=False)
    assert Searched.of(json.loads(text)) == found
    assert found.seconds == sum(trial.seconds for trial in found.trials)


@pytest.mark.parametrize(
    "given", [("linear", 1.0, 0.0), ("log", 0.0, 1.0), ("choice", []), ("int", 3), ("even", 0, 1), ("log-int", 0, 5)]
)
def test_what_is_no_range_is_refused(given):
    with pytest.raises(RequestError, match="range of rate"):
        search(planted, {"rate": given}, trials=1, seed=0)


def test_a_search_that_finds_nothing_says_so():
    with pytest.raises(RequestError, match="none of 2 trials has a finite loss"):
        search(lambda settings: math.inf, {"rate": ("log", 0.1, 1.0)}, trials=2, seed=0)
    with pytest.raises(RequestError, match="0 trials; accepted: 1 or more"):
        search(planted, SPACE, trials=0, seed=0)
