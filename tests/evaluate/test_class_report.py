"""Reports on classes, alone and beside parameters."""

import json
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread
from planted_classes import QSO, cutouts_of, drawn, predictions, sources_of, sure, truth_of
from planted_sky import planted

from galprism.data import Truth
from galprism.data.cutout_file import CutoutFile, CutoutWriter
from galprism.errors import RequestError
from galprism.evaluate import Bar, Column, Shown, evaluate, judge_class_predictions
from galprism.evaluate.classes.shown import colour_bands
from galprism.evaluate.figures import draw_classes, style
from galprism.evaluate.figures.class_mistakes import mistakes

N = 600


@pytest.fixture(autouse=True)
def coarse(monkeypatch):
    monkeypatch.setattr(style, "DPI", 30)


@pytest.fixture(scope="module")
def sky():
    exact, true, alike = drawn(N, seed=4)
    rng = np.random.default_rng(2)
    ident = 5000 + rng.permutation(N)
    mag = rng.uniform(18, 23, N)
    return ident, exact, alike, true, mag


def test_a_report_on_classes_alone(sky, tmp_path):
    ident, exact, alike, true, mag = sky
    size = Column(ident[::-1], np.where(true == 2, 0.8, 0.4)[::-1] + 0.01 * mag[::-1], "R50", "arcsec")
    report = evaluate(
        {"exact": predictions(ident, exact), "alike": predictions(ident, alike)},
        truth_of(ident, true),
        sources_of(ident, mag, cutouts=cutouts_of(ident)),
        tmp_path / "r",
        shown=Shown(size=size, area=1.5),
        bars=lambda numbers: [Bar("accuracy", 0.5, numbers["classes"]["metrics"][0]["accuracy"], ">=")],
        meta={"sample": "three Gaussians"},
    )
    assert report.judgement is None
    assert report.not_drawn == ()
    assert [drawing.name for drawing in report.figures] == [
        "classes_confusion",
        "classes_by_magnitude",
        "classes_thresholds",
        "classes_reliability",
        "classes_distributions",
        "classes_colours",
        "classes_sizes",
        "classes_quasars",
        "classes_mistakes_exact",
        "classes_mistakes_alike",
    ]
    numbers = json.loads((report.out / "metrics.json").read_text())
    accuracy = np.mean(exact.argmax(axis=1) == true)
    assert report.class_value("accuracy", method="exact") == accuracy
    assert numbers["classes"]["metrics"][0]["accuracy"] == pytest.approx(accuracy)
    recall = np.mean(exact.argmax(axis=1)[true == QSO] == QSO)
    assert report.class_value("recall", method="exact", of="qso") == pytest.approx(recall)
    assert numbers["classes"]["samples"][0]["n_by_class"]["qso"] == np.sum(true == QSO)
    page = report.html.read_text()
    for said in ("three Gaussians", "Confusion", "Classes of the methods against each other", "By magnitude", "deg⁻²"):
        assert said in page
    assert all((report.out / "figures" / f"{drawing.name}.png").exists() for drawing in report.figures)
    assert all(len(line) <= 110 for line in report.text().splitlines())
    assert "met" in report.markdown()
    with pytest.raises(RequestError, match="no metric 'acuracy'; there are sample, method, n, accuracy"):
        report.class_value("acuracy", method="exact")
    with pytest.raises(RequestError, match="no classes of xgboost"):
        report.class_value("accuracy", method="xgboost")
    with pytest.raises(RequestError, match="no metrics of logmstar"):
        report.value("rms", parameter="logmstar", method="exact")


def test_classes_and_parameters_are_both_judged(tmp_path):
    """Each on the sources that the methods which have them have in common."""
    sky = planted(120, seed=3)
    exact, true, _ = drawn(120)
    both = replace(sky.network, extra=predictions(sky.truth.id, exact).extra)
    few = predictions(sky.truth.id[:100], exact[:100])
    truth = replace(sky.truth, classes=true.astype(np.int8))
    report = evaluate({"joint": both, "classifier": few, "grid": sky.grid}, truth, sky.sources, tmp_path / "r")
    assert report.judgement.methods == ("joint", "grid")
    assert len(report.judgement.matched) == 120
    assert report.classes.methods == ("joint", "classifier")
    assert report.classes.whole.n == 100
    assert report.value("rms", parameter="logmstar", method="grid") > 0
    text = report.text()
    assert text.index("classes, all: 100 sources") < text.index("logmstar [dex(Msun)], all: n = 120")
    names = [drawing.name for drawing in report.figures]
    assert "classes_confusion" in names
    assert "truth_joint" in names
    page = report.html.read_text()
    assert "Methods against the truth" in page
    assert "Classes: tables are joined by id; 100 ids are common to all." in page


def test_classes_without_a_truth_for_them(sky, tmp_path):
    """Not judged beside parameters, and said so; refused where there is nothing else."""
    ident, exact, *_ = sky
    other = planted(120, seed=3)
    both = replace(other.network, extra=predictions(other.truth.id, drawn(120)[0]).extra)
    report = evaluate({"joint": both}, other.truth, None, tmp_path / "r", parameters=["logmstar"])
    assert report.classes is None
    assert report.judgement.notes[-1].startswith("Classes were predicted by joint and are not judged")
    with pytest.raises(RequestError, match="m have classes, and the truth has none"):
        evaluate({"m": predictions(ident, exact)}, Truth(ident, (), np.empty((N, 0))), None, tmp_path / "s")
    with pytest.raises(RequestError, match="limit 'best' is not among the predictions: m"):
        evaluate(
            {"m": predictions(ident, exact)}, truth_of(ident, exact.argmax(axis=1)), None, tmp_path / "s", limit="best"
        )
    assert not (tmp_path / "s").exists()


def test_parameters_that_nothing_is_held_against_are_said(sky, tmp_path):
    ident, exact, _, true, _ = sky
    other = planted(N, seed=3).network
    masses = replace(other, id=ident)
    report = evaluate({"m": predictions(ident, exact), "fit": masses}, truth_of(ident, true), None, tmp_path / "r")
    assert report.judgement is None
    (note,) = report.classes.notes
    assert note == "Predicted and not judged, for the truth does not have them: logmstar, logsfr, by fit."
    assert note in report.html.read_text()


def test_real_sources_need_no_truth_and_no_second_method(sky, tmp_path):
    ident, exact, _, _, mag = sky
    report = evaluate({"m": predictions(ident, exact)}, None, sources_of(ident, mag), tmp_path / "r")
    assert [drawing.name for drawing in report.figures] == ["classes_distributions", "classes_colours"]
    assert "what was called what, all: 600 sources, r = 18.0 to 23.0" in report.text()
    assert "There is no truth here" in report.html.read_text()


def test_what_is_not_drawn_is_said(sky):
    ident, exact, _, true, mag = sky
    bare = judge_class_predictions({"m": predictions(ident, exact)}, truth_of(ident, true))
    drawings, missing = draw_classes(bare)
    assert [drawing.name for drawing in drawings] == [
        "classes_confusion",
        "classes_thresholds",
        "classes_reliability",
        "classes_distributions",
    ]
    assert [sentence.split(":")[0] for sentence in missing] == [
        "By magnitude, colour against colour, size against magnitude and quasars on the sky are not drawn",
        "Mistakes are not shown",
    ]
    perfect = predictions(ident, np.eye(3)[true])
    sources = sources_of(ident[:60], mag[:60], cutouts=cutouts_of(ident[:60]))
    drawings, missing = draw_classes(judge_class_predictions({"m": perfect}, truth_of(ident, true), sources))
    assert [sentence.split(":")[0] for sentence in missing] == [
        "Size against magnitude is not drawn",
        "Quasars on the sky are not drawn",
        "Mistakes of m are not shown",
    ]


def test_colours_are_those_of_bands_that_there_are(sky):
    ident, *_, mag = sky
    photometry = sources_of(ident, mag).photometry
    assert colour_bands(photometry, None) == (("g", "r"), ("r", "i"))
    assert colour_bands(photometry.select(("i", "g", "r")), None) == (("g", "r"), ("r", "i"))
    assert colour_bands(photometry, ("g-i", "r-i")) == (("g", "i"), ("r", "i"))
    assert colour_bands(photometry.select(("g", "r")), None) is None
    for odd in ("g-z", "g", "g-g"):
        with pytest.raises(RequestError, match=rf"colour '{odd}'; accepted: BAND-BAND of g, r, i, such as g-r"):
            colour_bands(photometry, (odd, "r-i"))


def test_the_surest_mistakes_stand_first(sky, tmp_path):
    """Every cutout has a middle pixel of its own; the first picture is that of the surest mistake, under its name."""
    ident = np.arange(60)
    true = np.zeros(60, int)
    probability = sure(true)
    probability[7], probability[30] = (0.01, 0.98, 0.01), (0.2, 0.7, 0.1)
    level = np.full(60, 5.0)
    level[7], level[30] = 1e6, -1e6
    for cutouts in (cutouts_of(level), None):
        sources = sources_of(ident, np.full(60, 20.0), cutouts=cutouts)
        judgement = judge_class_predictions({"m": predictions(ident, probability)}, truth_of(ident, true), sources)
        if cutouts is None:
            with CutoutWriter(tmp_path / "c.h5") as writer:
                order = np.random.default_rng(0).permutation(60)
                writer.write(ident[order], cutouts_of(level[order]))
            cutouts = CutoutFile(tmp_path / "c.h5")
        drawing = mistakes("x", "X", judgement.whole, "m", cutouts)
        assert "2 are called what they are not; all of those with a cutout" in drawing.caption
        assert "1 arcsec across, in r" in drawing.caption
        (tmp_path / "x.png").write_bytes(drawing.png)
        pixels = imread(tmp_path / "x.png")[:, :, :3]
        cell = pixels.shape[1] // 8
        dark = [(pixels[:, k * cell : (k + 1) * cell].mean(axis=2) < 0.1).sum() for k in range(2)]
        assert dark[0] > 3  # the bright one, dark on light
        assert dark[1] == 0
        red = (pixels[..., 0] > 0.6) & (pixels[..., 1] < 0.4)
        assert red.any()  # the corner without data


def test_mistakes_in_three_bands_are_in_colour():
    ident, true = np.arange(10), np.zeros(10, int)
    probability = sure(np.arange(10) % 2)
    cutouts = cutouts_of(np.full(10, 50.0), ("g", "r", "i"))
    judgement = judge_class_predictions(
        {"m": predictions(ident, probability)},
        truth_of(ident, true),
        sources_of(ident, np.full(10, 20.0), cutouts=cutouts),
    )
    drawing = mistakes("x", "X", judgement.whole, "m", cutouts)
    assert "g, r and i as blue, green and red" in drawing.caption
    none = replace(cutouts, ivar=np.zeros_like(cutouts.ivar))
    assert mistakes("x", "X", judgement.whole, "m", none) is None


def test_next_to_no_sources_still_make_a_report(tmp_path):
    """One source, without a magnitude, not classified."""
    nothing = predictions(np.array([1]), np.full((1, 3), np.nan))
    for n, table in ((1, nothing), (2, predictions(np.array([1, 2]), sure(np.array([0, 2]))))):
        ident = np.arange(1, n + 1)
        sources = sources_of(ident, np.full(n, np.nan), cutouts=cutouts_of(np.ones(n)))
        shown = Shown(size=Column(ident, np.full(n, np.nan), "R"), area=1.0)
        report = evaluate({"m": table}, truth_of(ident, np.zeros(n)), sources, tmp_path / str(n), shown=shown)
        assert report.classes.whole.n == n
        assert report.html.exists()


def test_a_size_is_joined_by_id():
    column = Column(np.array(["b", "a", "a "]), np.array([1.0, 2.0, 3.0]), "R")
    with pytest.raises(RequestError, match="R is given several times for id a"):
        column.of(np.array(["a"]))
    assert np.array_equal(column.of(np.array(["c", "b"])), [np.nan, 1.0], equal_nan=True)
    with pytest.raises(RequestError, match=r"R has shape \(2,\); expected \(3,\)"):
        Column(np.arange(3), np.arange(2.0), "R")
    with pytest.raises(RequestError, match="R is no column of numbers"):
        Column(np.arange(1), np.array(["x"]), "R")
