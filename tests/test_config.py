from dataclasses import dataclass
from typing import Literal

import pytest

from galprism import config
from galprism.errors import RequestError


@dataclass(frozen=True)
class Loop:
    lr: float = 1e-3
    epochs: int = 10
    kind: Literal["adam", "sgd"] = "adam"
    seed: int | None = None


@dataclass(frozen=True)
class Recipe:
    name: str
    loop: Loop = Loop()
    bands: tuple[str, ...] = ()
    limits: tuple[float, float] = (0.0, 1.0)


def test_fill_nests_and_converts():
    recipe = config.fill(Recipe, {"name": "x", "loop": {"lr": 1, "seed": 3}, "bands": ["u", "g"], "limits": [0, 2]})
    assert recipe == Recipe("x", Loop(lr=1.0, seed=3), ("u", "g"), (0.0, 2.0))
    assert isinstance(recipe.loop.lr, float)


def test_plain_comes_back_as_it_was():
    recipe = Recipe("x", Loop(seed=None), ("u",))
    assert config.fill(Recipe, config.plain(recipe)) == recipe


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "x", "lop": {}}, r"unknown key 'lop'; did you mean 'loop'"),
        ({"name": "x", "loop": {"epoch": 1}}, r"unknown key 'loop.epoch'; did you mean 'epochs'"),
        ({}, r"'name' is missing"),
        ({"name": 3}, r"name = 3 is a int; expected str"),
        ({"name": "x", "loop": {"epochs": 1.5}}, r"loop.epochs = 1.5 is a float; expected int"),
        ({"name": "x", "loop": {"epochs": True}}, r"loop.epochs = True is a bool"),
        ({"name": "x", "loop": {"kind": "lion"}}, r"loop.kind = 'lion'; accepted: 'adam', 'sgd'"),
        ({"name": "x", "loop": 3}, r"loop = 3 is not a section"),
        ({"name": "x", "bands": "u"}, r"bands = 'u' is not a list"),
        ({"name": "x", "bands": ["u", 1]}, r"bands\[1\] = 1"),
        ({"name": "x", "limits": [1.0]}, r"limits = \[1.0\] has 1 values; expected 2"),
    ],
)
def test_wrong_values_are_named(values, message):
    with pytest.raises(RequestError, match=message):
        config.fill(Recipe, values)


def test_override_leaves_the_original_alone():
    values = {"loop": {"lr": 1.0}}
    changed = config.override(values, ["loop.lr=3e-4", "name=mine", "bands=['u', 'g']"])
    assert changed == {"loop": {"lr": 3e-4}, "name": "mine", "bands": ["u", "g"]}
    assert values == {"loop": {"lr": 1.0}}


@pytest.mark.parametrize("setting", ["lr", "=3", "loop..lr=3", "name.x=1"])
def test_malformed_settings_are_refused(setting):
    with pytest.raises(RequestError, match="setting"):
        config.override({"name": "x"}, [setting])


def test_read_toml_names_the_file(tmp_path):
    with pytest.raises(RequestError, match=r"cannot read .*missing\.toml"):
        config.read_toml(tmp_path / "missing.toml")
    bad = tmp_path / "bad.toml"
    bad.write_text("a = = 1")
    with pytest.raises(RequestError, match=r"bad\.toml is not TOML"):
        config.read_toml(bad)
