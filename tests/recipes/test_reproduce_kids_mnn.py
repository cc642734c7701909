"""The reproduction of the KiDS DR5 classifier, tiny but whole; and its bars on numbers that are known."""

import json

import pytest

from galprism.data import CLASSES
from galprism.recipes import kids_mnn
from galprism.recipes.kids_mnn import ABLATIONS, OURS, PAPER_NETWORK, PHO9, WITHOUT_IMAGE, bars
from galprism.recipes.reproduce import reproduce

EDGES = "[15.0, 18.5, 19.5, 20.5, 22.4]"
CHOSEN = tuple(f"chosen.{name}_magnitude={EDGES}" for name in CLASSES)
SKY = ("field.limit=22.5", "field.area=0.005", *CHOSEN)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder after a run with as little of everything as there can be."""
    tiny = kids_mnn.Size(
        settings=(*SKY, "sample.train=320", "sample.validation=80", "sample.test=160"),
        epochs=("train.epochs=[1]", "train.batch_size=64"),
        few=(*SKY, "sample.train=96", "sample.validation=32", "sample.test=64", "train.epochs=[1]"),
        study=("train.epochs=[1]", "train.batch_size=64"),
        sizes=(80, 320),
        most=200,
        trials=1,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kids_mnn, "SMALL", tiny)
        patch.setattr(kids_mnn, "QUICK_OURS", ("train.epochs=[2]", "train.batch_size=64"))
        folder = tmp_path_factory.mktemp("reproduce") / "out"
        table = reproduce("kids-mnn", folder, quick=True, say=lambda text: None)
        again = []
        reproduce("kids-mnn", folder, quick=True, say=again.append)
    return folder, table, again


def test_it_ends_in_its_table_and_pages(whole):
    folder, table, again = whole
    found = json.loads((folder / "table.json").read_text())
    assert len(found) == 1 + 1 + 3 + 6 + 1 + 3 + 1 + 1 + 6
    assert all(bar["ours"] is not None for bar in found)
    assert "kids-mnn: weights over the paper's" in table.text()
    page = (folder / "results.md").read_text()
    for words in ("Brighter for fainter", "Few for many", "boosted trees", "templates", "size cut", *ABLATIONS):
        assert words in page
    assert any("of" in line and "done already" in line for line in again)
    assert len(list((folder / "report-all" / "figures").glob("*.png"))) >= 6


def test_bars_say_what_is_met():
    """Ours perfect, the paper's network at its own figures, its forms with an image a little better than without."""

    def records(method, accuracy, f1, error=0.001):
        metrics = {"method": method, "sample": "all", "accuracy": accuracy, "calibration_error": error}
        of = [{"method": method, "sample": "all", "class": name, "f1": v} for name, v in zip(CLASSES, f1, strict=True)]
        return metrics, of

    def numbers(*entries):
        return {"classes": {"metrics": [m for m, _ in entries], "classes": [r for _, of in entries for r in of]}}

    everything = numbers(
        records(PAPER_NETWORK, 0.9876, (0.9863, 0.9561, 0.9926)),
        records(OURS, 1.0, (1.0, 1.0, 1.0)),
        records(WITHOUT_IMAGE, 0.98, (0.98, 0.93, 0.98)),
        records(PHO9, 0.97, (0.99, 0.94, 0.98)),
    )
    baselines = numbers(
        records("boosted trees", 0.985, (0.985, 0.94, 0.97)),
        records("boosted trees, with size", 1.0, (1.0, 1.0, 1.0)),
    )
    few = numbers(records("Img1+Pho9", 0.95, (0.96, 0.9, 0.97)), records("Pho9", 0.94, (0.95, 0.91, 0.96)))
    samples = {"all": everything, "baselines": baselines, "few": few}
    found = {bar.name: bar for bar in bars(samples, {PAPER_NETWORK: 16_256_579, OURS: 283_843})}
    assert found["kids-mnn: accuracy"].met
    assert found["kids-mnn on few sources: what the image adds to the F1 of star"].met
    assert not found["kids-mnn on few sources: what the image adds to the F1 of qso"].met
    assert [found[f"kids-mnn: what the image adds to the F1 of {name}"].met for name in CLASSES] == [False, True, True]
    assert found["ours: weights over the paper's"].met
    alone = "ours, photometry alone: F1 of {} over the best boosted trees'"
    assert [found[alone.format(name)].met for name in CLASSES] == [False, False, True]
    assert all(found[f"ours: F1 of {name} over kids-mnn's"].ours > 0 for name in CLASSES)
