"""From a recipe to a catalogue, a model and a report, by the commands that people give."""

import json

import numpy as np
import pytest

from galprism import recipes
from galprism.cli.main import main
from galprism.data.tables import open_table, read_truth
from galprism.recipes.demo import CATALOGUE, FOLDER, LIMIT, PARAMETERS, demo
from galprism.recipes.training import train_bundle
from mlp_gap_mock import MOCK

TINY = (
    "sample.train=3000",
    "sample.validation=300",
    "sample.test=1000",
    "net.width=32",
    "net.blocks=1",
    "net.components=3",
    "train.epochs=[3]",
    "train.batch_size=100",
)
SHIPPED = str(MOCK)


def read(path):
    with open_table(path) as table:
        return table.read()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small model, its training folder kept."""
    folder = tmp_path_factory.mktemp("trained")
    words = ["train", "kids-mass-sfr", "-o", str(folder / "tiny"), "--work", str(folder / "work"), *TINY]
    assert main(words) == 0
    return folder


def test_a_small_training_predicts_better_than_knowing_nothing(trained, tmp_path):
    out = tmp_path / "tiny.parquet"
    assert main(["predict", str(trained / "tiny"), SHIPPED, "-o", str(out), "--threads", "1"]) == 0
    answer, truth = read(out), read_truth(SHIPPED)
    assert np.array_equal(answer["id"], truth.id)
    for name, share in (("logmstar", 0.5), ("logsfr", 0.8)):
        true = truth.column(name)
        residual = answer[name] - true
        assert np.std(residual) < share * np.std(true), name
        inside = (answer[f"{name}_p16"] < true) & (true < answer[f"{name}_p84"])
        assert 0.4 < inside.mean() < 0.95, name


def test_a_training_says_what_it_did(trained):
    log = [json.loads(line) for line in (trained / "work" / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in log] == [0, 1, 2]
    assert log[-1]["valid_loss"] < log[0]["valid_loss"]
    assert (trained / "work" / "curves.png").read_bytes().startswith(b"\x89PNG")
    said = json.loads((trained / "tiny" / "bundle.json").read_text())
    assert said["recipe"]["train"]["batch_size"] == 100
    assert said["metrics"]["training_sources"] == 3000


def test_a_training_that_was_stopped_ends_in_the_same_model(trained, tmp_path, capsys):
    recipe = recipes.load("kids-mass-sfr", TINY)

    def stop(epoch, n_epochs):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_bundle(recipe, tmp_path / "again", work=tmp_path / "work", report=stop)
    assert not (tmp_path / "again").exists()
    words = ["train", "kids-mass-sfr", "-o", str(tmp_path / "again"), "--work", str(tmp_path / "work"), *TINY]
    assert main(words) == 0
    epochs = [line.split(":")[0] for line in capsys.readouterr().err.splitlines() if line.startswith("epoch")]
    assert epochs == ["epoch   2 of 3", "epoch   3 of 3"]
    assert (tmp_path / "again" / "model.onnx").read_bytes() == (trained / "tiny" / "model.onnx").read_bytes()


def test_a_training_with_other_settings_does_not_go_on_from_there(trained, tmp_path, capsys):
    words = ["train", "kids-mass-sfr", "-o", str(tmp_path / "other"), "--work", str(trained / "work"), *TINY]
    assert main([*words, "train.lr=[1e-3]"]) == 2
    assert "other settings" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def mock(out, *words):
    assert main(["mock", "kids-mass-sfr", "-o", str(out), *words]) == 0
    return read(out if out.suffix else out / "catalogue.parquet")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """400 galaxies with noise."""
    return mock(tmp_path_factory.mktemp("simulated") / "whole.parquet", "-n", "400")


def test_a_galaxy_depends_on_its_id_and_the_seed_alone(simulated, tmp_path):
    part = mock(tmp_path / "folder", "-n", "50", "--first", "100")
    other = mock(tmp_path / "other.fits", "-n", "50", "--first", "100", "seed=12")
    assert np.array_equal(simulated["id"], np.arange(400))
    assert set(part) == set(other) == set(simulated)
    for name in simulated:
        np.testing.assert_allclose(part[name], simulated[name][100:150], rtol=2e-5, atol=1e-5, err_msg=name)
    assert not np.any(other["true_logmstar"] == part["true_logmstar"])


def test_exact_magnitudes_and_perturbed_ones_are_of_the_same_galaxies(simulated, tmp_path):
    exact = mock(tmp_path / "exact.parquet", "-n", "400", "noise.perturb=false")
    assert np.array_equal(simulated["true_logmstar"], exact["true_logmstar"])
    for band in ("u", "r", "Ks"):
        pull = (simulated[f"flux_{band}"] - exact[f"flux_{band}"]) / simulated[f"flux_err_{band}"]
        assert abs(np.median(pull)) < 5 * 1.25 / np.sqrt(400)
        assert np.std(pull) > 0.8  # zero-point errors come on top of the stated ones
    assert np.all(exact["flux_r"] > 0)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The main job, run once."""
    folder, said = tmp_path_factory.mktemp("demo"), []
    return demo(folder, said.append), folder, "\n".join(map(str, said))


def test_the_demo_writes_its_tables_and_a_page(report):
    judged, folder, said = report
    assert judged.html.is_file()
    assert str(judged.html) in said
    assert said.count("galaxies/s") == 2
    for name in ("network.parquet", "grid.parquet"):
        table = read(folder / name)
        assert len(table["id"]) == 2000
        assert np.isfinite(table["logmstar"]).all()


def test_the_demo_says_that_its_galaxies_are_simulated(report):
    assert "no real galaxy" in report[2]


def rms(predictions, parameter):
    truth = read_truth(str(FOLDER / CATALOGUE))
    assert np.array_equal(predictions["id"], truth.id)
    return np.sqrt(np.mean((predictions[parameter] - truth.column(parameter)) ** 2))


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_in_the_demo_the_network_is_within_5_per_cent_of_the_limit_and_nobody_passes_it(report, parameter):
    limit = rms(read(str(FOLDER / LIMIT)), parameter)
    network, grid = (rms(read(report[1] / f"{name}.parquet"), parameter) for name in ("network", "grid"))
    assert limit < network < 1.05 * limit
    assert limit < grid


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_in_the_demo_the_network_is_near_the_limit(report, parameter):
    assert 0.98 < report[0].value("rms_over_limit", parameter=parameter, method="network") < 1.05


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_in_the_demo_the_grid_knows_less(report, parameter):
    """Its histories are smooth, and these galaxies' are not all."""
    network, grid = (report[0].value("rms", parameter=parameter, method=name) for name in ("network", "grid fit"))
    assert network < 0.95 * grid
