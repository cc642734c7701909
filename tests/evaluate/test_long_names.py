"""Figures of methods whose names are long: what stands on them is whole, and not over something else."""

from dataclasses import replace
from importlib import import_module
from itertools import combinations

import numpy as np
import pytest

from galprism.evaluate import judge
from galprism.evaluate.figures import Look, agreement, draw, fusion, style, three_way, threeway
from galprism.evaluate.figures.labels import HALF, MOST_LINES, axis_label, difference_label, heading

LONG = "late fusion, stacked: photometry + components + image + spectrum"
OTHER = "late fusion, stacked: image + spectrum of what is left of it"


@pytest.fixture
def drawn(monkeypatch):
    """Figures, laid out and not yet written."""
    kept = []
    monkeypatch.setattr(style, "DPI", 40)

    def keep(figure):
        found = style.png(figure)
        kept.append(figure)
        return found

    for name in ("agreement", "fusion", "threeway"):
        monkeypatch.setattr(import_module(f"galprism.evaluate.figures.{name}"), "png", keep)
    return kept


def boxes(figure):
    """Extents of labels and titles of axes, and of the axes themselves."""
    shown = [axes for axes in figure.axes if axes.get_visible()]
    texts = [text for axes in shown for text in (axes.xaxis.label, axes.yaxis.label, axes.title) if text.get_text()]
    return [text.get_window_extent() for text in texts], [axes.get_window_extent() for axes in shown]


def check(figure):
    texts, frames = boxes(figure)
    page = figure.bbox.padded(3)
    for box in texts:
        assert page.x0 <= box.x0, box
        assert page.y0 <= box.y0, box
        assert box.x1 <= page.x1, box
        assert box.y1 <= page.y1, box
        assert not any(frame.padded(-2).overlaps(box) for frame in frames)
    assert not any(one.padded(-2).overlaps(other) for one, other in combinations(texts, 2))


def test_axes_of_methods_with_long_names(small, drawn):
    point = replace(small.network, levels=(), quantiles=None)
    judgement = judge({LONG: point, OTHER: replace(point, point=point.point + 0.1)}, small.truth, small.sources)
    samples = [judgement.sample(name) for name in judgement.parameters]
    look = Look(judgement.methods)
    agreement("x", "x", samples, LONG, look)
    three_way("x", "x", samples, look)
    agreement("x", "x", [replace(sample, methods=(LONG,), reference=OTHER) for sample in samples], LONG, look)
    assert len(drawn) == 3
    for figure in drawn:
        check(figure)


def test_files_of_methods_with_long_names(small, monkeypatch):
    monkeypatch.setattr(style, "DPI", 30)
    point = replace(small.network, levels=(), quantiles=None)
    found = draw(judge({LONG: point, OTHER: point}, small.truth, parameters=["logmstar"]))
    names = [drawing.name for drawing in found]
    assert names[:3] == [
        "truth_late-fusion-stacked_1",
        "truth_late-fusion-stacked_2",
        "pair_late-fusion-stacked_late-fusion-stacked",
    ]
    assert LONG in found[0].caption


def test_labels_of_long_names():
    assert axis_label("redshift", "(true)") == "$z$  (true)"
    lines = difference_label("redshift", LONG, "true").splitlines()
    assert lines[-1] == "− true"
    assert " ".join(lines[1:-1]) == LONG
    assert max(map(len, lines[1:])) <= HALF
    longest = heading(" ".join(["word"] * 100)).splitlines()
    assert len(longest) == MOST_LINES
    assert longest[-1].endswith("…")


def test_bins_are_as_fine_as_a_method_asks_for():
    """Cut in two until they are nearest to 2 IQR / n^(1/3), in a step that is 16 of them."""
    d = np.random.default_rng(0).normal(0.0, 1e-3, 1000)
    own = 2 * 1.349e-3 / 10
    assert threeway._finer(d, 16 * own) == 16
    assert threeway._finer(16 * d, 16 * own) == 1
    assert threeway._finer(np.zeros(100), 1.0) == 1


def test_of_few_sources_each_is_drawn(small, drawn):
    point = replace(small.network, levels=(), quantiles=None)
    few = {"a": point.take(np.arange(12)), "b": replace(point, point=point.point + 0.1)}
    sample = judge(few, small.truth, small.sources).sample("logmstar")
    three_way("x", "x", [sample], Look(("a", "b")))
    middle = drawn[0].axes[1]
    assert [len(line.get_xdata()) for line in middle.lines[1:]] == [12, 12]
    assert [text.get_text() for text in middle.texts] == ["too few for medians"]


def test_every_model_is_seen_with_its_costs(drawn):
    """The costs of 28 models, some of which are the same, some tiny, and one at a power of ten."""
    rows = [
        {
            "name": f"{LONG} {k}" if k % 2 else f"model {k}", "group": ("light", "both")[k % 2], "joins": k % 7 == 0,
            "error": 0.7 - 0.02 * (k // 2), "seconds": (0.0, 130.0, 131.0, 1000.0)[k % 4], "microseconds": 10.0 ** k,
        }
        for k in range(28)
    ]  # fmt: skip
    fusion.accuracy_and_cost(rows, "text")
    (figure,) = drawn
    check(figure)
    for axes in figure.axes:
        (x0, x1), places = axes.get_xlim(), [float(line.get_xdata()[0]) for line in axes.lines]
        assert len(places) == 28
        assert x0 < min(places)
        assert max(places) < x1
    best = figure.axes[0].get_yticklabels()[0].get_text()
    assert min(rows, key=lambda row: row["error"])["name"] == best
