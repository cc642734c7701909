"""Bundles and recipes that are wrong: refused in one line, and nothing is written."""

import hashlib
import json
import shutil

import pytest
from commands import MODEL, everything

from galprism import bundle

RECIPE = """
name = "mine"
title = "a recipe of the user's"
survey = "kids"
[targets]
names = ["logmstar", "logsfr"]
"""


@pytest.fixture
def model(tmp_path):
    """A copy of the shipped model, to be spoiled."""
    return shutil.copytree(str(bundle.SHIPPED / MODEL), tmp_path / "model")


def edited(model, **changes):
    """The same with other words in its bundle.json."""
    path = model / "bundle.json"
    plain = json.loads(path.read_text()) | changes
    plain.pop("sha256")
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps(plain | {"sha256": digest}))


@pytest.fixture
def predict_refused(refused, catalogue, columns, out):
    def run(model, *words):
        return refused(("predict", model, catalogue(columns), "-o", out), *words)

    return run


def test_a_copy_of_the_model_is_as_good(predicted, catalogue, columns, model, galprism, tmp_path):
    path = catalogue(columns)
    answer = tmp_path / "copied.parquet"
    assert galprism("predict", model, path, "-o", answer).status == 0
    predicted(path)
    assert answer.read_bytes() == (tmp_path / "predicted.parquet").read_bytes()


def test_a_number_that_was_changed_by_hand(model, predict_refused):
    path = model / "bundle.json"
    path.write_text(path.read_text().replace('"anchored": [', '"anchored": [0.9, ', 1))
    assert predict_refused(model, "bundle.json was changed after the bundle was made")


@pytest.mark.parametrize("name", ["model.onnx", "README.md"])
def test_a_file_that_is_not_what_the_bundle_was_made_with(name, model, predict_refused):
    whole = bytearray((model / name).read_bytes())
    whole[len(whole) // 2] ^= 1
    (model / name).write_bytes(whole)
    assert predict_refused(model, name, "sha256", hashlib.sha256(whole).hexdigest()[:12])


def test_a_missing_network(model, predict_refused):
    (model / "model.onnx").unlink()
    assert predict_refused(model, "model.onnx", "No such file")


def test_a_network_that_is_none(model, predict_refused):
    (model / "model.onnx").write_bytes(b"not a network")
    files = json.loads((model / "bundle.json").read_text())["files"]
    edited(model, files=files | {"model.onnx": hashlib.sha256(b"not a network").hexdigest()})
    assert predict_refused(model, MODEL, "cannot load its network")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format_version": 99, "galprism": "9.0"}, ("format 99", "galprism 9.0", "update")),
        ({"format_version": "one"}, ("'one'",)),
        ({"format": "a cake"}, ("not a bundle",)),
        ({"targets": ["logmass", "logsfr"]}, ("logmass",)),
        ({"kind": "oracle"}, ("'oracle'", "mixture")),
        ({"files": {"../../secret": "0"}}, ("'../../secret'", "outside")),
        ({"files": {}}, ("model.onnx",)),
        ({"preparation": {}}, ("bundle.json",)),
        ({"survey": "kidz"}, ("'kidz'", "kids")),
    ],
)
def test_a_bundle_that_cannot_be_understood(changes, words, model, predict_refused):
    edited(model, **changes)
    assert predict_refused(model, *words)


def test_a_bundle_cut_off(model, predict_refused):
    path = model / "bundle.json"
    path.write_text(path.read_text()[:1000])
    assert predict_refused(model, "not a bundle", "JSON")


def test_what_is_no_bundle(predict_refused, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    assert predict_refused(tmp_path / "empty", "not a bundle", "bundle.json")
    assert predict_refused(tmp_path / "file", "not a bundle", "folder")
    assert predict_refused("kids-mass-sfx", "'kids-mass-sfx'", MODEL)


def test_check_and_fit_refuse_it_too(refused, catalogue, columns, out):
    path = catalogue(columns)
    assert refused(("check", "kids-mass-sfx", path), "'kids-mass-sfx'")
    assert refused(("fit", "kids-mass-sfx", path, "-o", out), "'kids-mass-sfx'")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("bands = 9\n", ("'bands'", "unknown key")),
        ("seed = 'one'\n", ("seed = 'one'", "int")),
        ("survey = 7\n", ("survey",)),
        ("[population]\nredshift = [0.1]\n", ("population.redshift",)),
        ("[population]\nmagnitud = [15, 24]\n", ("'population.magnitud'", "'magnitude'")),
        ("[noise]\nperturb = 'yes'\n", ("noise.perturb", "'yes'", "bool")),
        ("[noise]\nerrors = 'guess'\n", ("noise.errors", "'guess'", "depth")),
        ("[noise]\ndepth_scatter = -1\n", ("noise.depth_scatter", "-1")),
        ("[sample]\ntrain = 0\n", ("sample.train = 0",)),
        ("[prep]\nkind = 'spells'\n", ("prep.kind", "'spells'")),
        ("[drop\n", ("not TOML",)),
    ],
)
@pytest.mark.parametrize("verb", ["mock", "train"])
def test_a_recipe_that_cannot_be_understood(verb, lines, words, refused, tmp_path):
    path = tmp_path / "mine.toml"
    key = lines.split(" = ")[0]
    plain = "\n".join(line for line in RECIPE.strip().splitlines() if not line.startswith(f"{key} ="))
    top, bracket, targets = plain.partition("[targets]")
    path.write_text(top + lines + bracket + targets if not lines.startswith("[") else f"{plain}\n{lines}")
    assert refused((verb, path, "-o", tmp_path / "made"), path.name, *words)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("seed", ("'seed'", "section.key=value")),
        ("=7", ("'=7'", "section.key=value")),
        ("noise..perturb=true", ("'noise..perturb=true'", "section.key=value")),
        ("seed.of=7", ("'seed.of=7'", "not a section")),
        ("sed=7", ("'sed'", "'seed'")),
        ("seed=seven", ("seed = 'seven'", "int")),
        ("sample.train=1.5", ("sample.train", "1.5")),
        ("survey=kidz", ("'kidz'", "kids")),
        ("library=sb99", ("'sb99'", "bc03-miles")),
    ],
)
def test_a_wrong_setting(setting, words, refused, tmp_path):
    assert refused(("mock", "mlp-gap", "-n", "10", "-o", tmp_path / "made.parquet", setting), *words)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("net.kind=oracle", ("net.kind", "'oracle'", "mlp")),
        ("net.width=wide", ("net.width", "'wide'")),
        ("net.depth=9", ("'net.depth'", "unknown key")),
        ("net.components=-1", ("net.components = -1",)),
        ("train.epochs=20", ("train.epochs", "20")),
        ("train.learning=1e-3", ("'train.learning'", "unknown key")),
        ("train.optimizer=sgd", ("train.optimizer", "'sgd'", "adam")),
        ("survey=kidz", ("'kidz'",)),
        ("library=sb99", ("'sb99'",)),
        ('targets.names=["logmass"]', ("logmass",)),
    ],
)
def test_a_wrong_training_is_refused_before_a_galaxy_is_made(setting, words, refused, tmp_path):
    small = ("sample.train=50", "sample.validation=20", "sample.test=20")
    assert refused(("train", "kids-mass-sfr", "-o", tmp_path / "made", *small, setting), *words)


def test_a_recipe_that_is_not_there(refused, tmp_path):
    assert refused(("mock", "mlp-gab", "-o", tmp_path / "made"), "'mlp-gab'", "'mlp-gap'")
    assert refused(("train", tmp_path / "nowhere.toml", "-o", tmp_path / "made"), "nowhere.toml", "No such file")


@pytest.mark.parametrize("n", ["0", "-5"])
def test_a_catalogue_of_no_galaxies(n, refused, tmp_path):
    assert refused(("mock", "mlp-gap", "-n", n, "-o", tmp_path / "made"), f"n = {n}", "1 or more")


def test_outputs_that_cannot_be_written(refused, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("years of work")
    assert refused(("mock", "mlp-gap", "-n", "10", "-o", tmp_path / "made.dat"), "made.dat", "accepted: .fits")
    assert refused(("mock", "mlp-gap", "-n", "10", "-o", tmp_path / "file"), "file")
    assert refused(("mock", "mlp-gap", "-n", "10", "-o", tmp_path / "file" / "made"), "file")
    assert refused(("train", "mlp-gap", "-o", tmp_path / "thesis"), "thesis", "not a bundle")
    assert refused(("train", "mlp-gap", "-o", tmp_path / "file" / "made"), "file is not a folder")
    assert refused(("demo", "-o", tmp_path / "file"), "file")
    assert refused(("demo", "-o", tmp_path / "file" / "made"), "file")
    assert refused(("reproduce", "mlp-gap", "-o", tmp_path / "thesis"), "thesis", "not made by galprism")
    assert refused(("reproduce", "mlp-gab", "-o", tmp_path / "made"), "'mlp-gab'", "mlp-gap")


def test_a_device_that_is_not_there(refused, tmp_path):
    assert refused(("train", "mlp-gap", "--device", "abacus", "-o", tmp_path / "made"), "'abacus'", "cpu")


def test_a_method_whose_models_are_not_shipped_asks_for_a_place_to_keep_them(
    refused, catalogue, columns, out, tmp_path
):
    path = catalogue(columns)
    assert refused(("fit", "mlp-gap", path, "-o", out, "--method", "posterior"), "posterior", "kids", "--cache")


def test_a_survey_whose_grid_is_not_shipped_asks_for_a_place_to_keep_it(refused, catalogue, columns, out):
    five = {name: values for name, values in columns.items() if name.split("_")[-1] in "ugri"}
    five |= {name.replace("_Z", "_z"): columns[name] for name in ("flux_Z", "flux_err_Z")}
    path = catalogue(five | {"id": columns["id"], "redshift": columns["redshift"]})
    assert refused(("fit", "sdss-mass-sfr", path, "-o", out), "grid", "sdss", "--cache")


def test_a_cache_that_is_none(refused, catalogue, columns, out, tmp_path):
    cache = tmp_path / "models.npz"
    cache.write_bytes(b"not a cache")
    assert refused(("fit", "mlp-gap", catalogue(columns), "-o", out, "--cache", cache), "models.npz")


def test_a_fit_takes_a_model_for_its_recipe(galprism, catalogue, columns, tmp_path):
    path = catalogue({name: values[:5] for name, values in columns.items()})
    for name in (MODEL, "kids-mass-sfr"):
        assert galprism("fit", name, path, "-o", tmp_path / "fit.fits").status == 0
    assert "fit.fits" in everything(tmp_path)
