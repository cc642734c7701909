"""One recipe with every combination of some settings."""

import pytest

from galprism import bundle
from galprism.cli.main import main
from galprism.errors import RequestError
from galprism.recipes.sweep import combinations, sweep

SMALL = [
    "sample.train=400",
    "sample.validation=200",
    "sample.test=200",
    "train.epochs=[2]",
    "population.magnitude_step=0.0",
]


def test_every_combination_once():
    found = combinations(["train.batch_size=[32, 100]", "net.layers=[[8], [8, 4]]"])
    assert found == [
        ("train.batch_size=32", "net.layers=[8]"),
        ("train.batch_size=32", "net.layers=[8, 4]"),
        ("train.batch_size=100", "net.layers=[8]"),
        ("train.batch_size=100", "net.layers=[8, 4]"),
    ]


@pytest.mark.parametrize(
    ("sweeps", "message"),
    [
        (["train.batch_size=32"], r"accepted: train.batch_size=\[first, second"),
        (["train.batch_size=[]"], "a list of the setting's values"),
        (["train.lr=[[1e-3]]", "train.lr=[[2e-3]]"], "train.lr is given twice"),
        (["train.batch_size=[32, 32]"], "a value stands twice"),
    ],
)
def test_what_is_no_sweep(sweeps, message):
    with pytest.raises(RequestError, match=message):
        combinations(sweeps)


@pytest.mark.parametrize("recipe", ["star-qso-galaxy", "galaxy-populations", "mmlforgalam"])
def test_what_cannot_be_swept(recipe, tmp_path):
    with pytest.raises(RequestError, match=f"recipe {recipe} cannot be swept; accepted: recipes of parameters"):
        sweep(recipe, [], ["train.batch_size=[32, 64]"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_study_of_appendix_a_in_little(tmp_path, capsys):
    """Batch sizes by networks and dropout, as in the paper; taken up where it stopped, told apart from another one."""
    words = ["train", "jpas-ssp", "-o", str(tmp_path / "all"), *SMALL]
    words += ["--sweep", "train.batch_size=[32, 200]", "--sweep", "net.layers=[[16], [16, 8]]"]
    words += ["net.dropout=0.2"]
    assert main(words) == 0
    out = capsys.readouterr().out
    rows = [line for line in (tmp_path / "all" / "sweep.md").read_text().splitlines() if line.startswith("| 0")]
    assert len(rows) == 4
    assert "32 " in rows[0]
    assert "[16, 8]" in rows[3]
    assert out.count("[16, 8]") == 2
    small, large = (bundle.load(tmp_path / "all" / name).network["weights"] for name in ("01", "02"))
    assert large - small == 3 * (16 * 8 + 8 + 8 - 16)
    stamp = (tmp_path / "all" / "01" / "model.onnx").stat().st_mtime_ns
    assert main(words) == 0
    assert (tmp_path / "all" / "01" / "model.onnx").stat().st_mtime_ns == stamp
    with pytest.raises(RequestError, match="01 is of other settings"):
        sweep("jpas-ssp", SMALL, ["train.batch_size=[64]"], tmp_path / "all")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("sample.batch=[1, 2]", "batch"),
        ("net.dropout=[0.0, 1.5]", "net.dropout = 1.5; accepted: 0 up to"),
        ("net.layers=[[8], [0, 16]]", r"net.layers = \[0, 16\]; accepted"),
        ("train.batch_size=[100, -5]", "batch_size"),
        ("seed=[1]", "setting 'seed=7' is swept too"),
    ],
)
def test_a_wrong_setting_is_found_before_the_first_training(tmp_path, wrong, message):
    with pytest.raises(RequestError, match=message):
        sweep("jpas-ssp", [*SMALL, "seed=7"], [wrong], tmp_path / "all")
    assert not (tmp_path / "all").exists()
