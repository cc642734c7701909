"""Figures are drawn for what there is, leave matplotlib's own state alone, and show each method in its colour."""

import subprocess
import sys
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from planted_sky import emptied

from galprism.evaluate import Sample, judge, match
from galprism.evaluate.figures import (
    Look,
    against_limit,
    agreement,
    calibration,
    draw,
    slug,
    stated_errors,
    style,
    three_way,
)
from galprism.evaluate.figures.labels import difference_label, quantity_label, symbol, unit
from galprism.evaluate.figures.style import (
    density,
    running,
    span,
)

PNG = b"\x89PNG\r\n\x1a\n"


def names(drawings):
    return [drawing.name for drawing in drawings]


def test_all_of_the_figures_with_truth_limit_and_photometry(report):
    assert names(report.figures) == [
        "truth_network",
        "truth_grid-fit",
        "pair_network_grid-fit",
        "methods_and_truth",
        "limit_by_magnitude",
        "calibration",
        "stated_errors",
    ]


def test_each_is_a_page_wide_png_with_a_title_and_a_caption(report):
    for drawing in report.figures:
        assert drawing.png.startswith(PNG)
        pixels = imread(report.out / "figures" / f"{drawing.name}.png")
        assert pixels.shape[1] == round(style.WIDTH * 40)
        assert pixels[..., :3].std() > 0.05  # something is drawn
        assert drawing.title
        assert "logmstar: all" in drawing.caption


@pytest.fixture
def draft(monkeypatch):
    """Small pictures of one parameter, for what is drawn and not how."""
    monkeypatch.setattr(style, "DPI", 30)
    return {"parameters": ["logmstar"]}


def test_without_a_truth_the_methods_are_drawn_against_each_other(small, draft):
    found = draw(judge({"network": small.network, "grid": small.grid}, None, small.sources, **draft))
    assert names(found) == ["pair_network_grid", "stated_errors"]
    assert found[0].caption.startswith("network and grid; logmstar: all, n = 120.")


def test_points_without_redshift_or_photometry(small, draft):
    point, other = (replace(table, levels=(), quantiles=None) for table in (small.network, small.grid))
    before = dict(matplotlib.rcParams)
    found = draw(judge({"network": point, "grid": other}, small.truth, **draft))
    assert dict(matplotlib.rcParams) == before
    assert names(found) == ["truth_network", "truth_grid", "pair_network_grid", "methods_and_truth"]


def test_methods_whose_names_differ_in_punctuation_have_files_of_their_own(small, draft):
    point = replace(small.network, levels=(), quantiles=None)
    found = names(draw(judge({"a b": point, "a-b": point}, small.truth, **draft)))
    assert found == ["truth_a-b_1", "truth_a-b_2", "pair_a-b_a-b", "methods_and_truth"]


def test_a_method_that_inferred_nothing_is_not_drawn(small, draft):
    nothing = emptied(small.grid, slice(None))
    found = names(draw(judge({"network": small.network, "grid": nothing}, small.truth, small.sources, **draft)))
    assert found == ["truth_network", "limit_by_magnitude", "calibration", "stated_errors"]
    assert names(draw(judge({"grid": nothing}, small.truth, small.sources))) == []


@pytest.mark.parametrize(("n", "drawn_at_all"), [(1, False), (2, True)])
def test_next_to_no_sources(small, draft, n, drawn_at_all):
    rows = np.arange(n)
    judgement = judge({"network": small.network.take(rows)}, small.truth.take(rows), small.sources.take(rows), **draft)
    assert ("truth_network" in names(draw(judgement))) == drawn_at_all


def test_constant_values_and_perfect_predictions(small, draft):
    truth = replace(small.truth, values=np.full((120, 2), 10.0))
    perfect = replace(small.network, point=truth.values, levels=(), quantiles=None)
    found = names(draw(judge({"network": perfect, "same": perfect}, truth, small.sources, **draft)))
    assert "methods_and_truth" in found


def test_a_limit_alone_has_its_figures(small, draft):
    nowhere = replace(small.sources, redshift=np.full(120, np.nan))
    found = names(draw(judge({"exact": small.posterior}, small.truth, nowhere, limit="exact", **draft)))
    assert found == ["truth_exact", "limit_by_magnitude", "calibration", "stated_errors"]


def test_intervals_without_a_median_and_a_pit_of_ones_own(small, draft):
    outer = replace(small.network, levels=(0.16, 0.84), quantiles=small.network.quantiles[:, :, [1, 3]])
    outer = replace(outer, extra={"pit_logmstar": np.linspace(0.01, 0.99, 120)})
    judgement = judge({"network": outer}, small.truth, **draft)
    assert names(draw(judgement)) == ["truth_network", "calibration", "stated_errors"]
    assert np.array_equal(np.sort(judgement.sample("logmstar").pit("network")), np.linspace(0.01, 0.99, 120))


def test_a_limit_that_lacks_a_parameter(small, monkeypatch):
    monkeypatch.setattr(style, "DPI", 30)
    masses = replace(
        small.posterior,
        names=("logmstar",),
        point=small.posterior.point[:, :1],
        levels=(),
        quantiles=None,
    )
    judgement = judge({"network": small.network, "exact": masses}, small.truth, small.sources, limit="exact")
    samples = [judgement.sample(name) for name in ("logmstar", "logsfr")]
    assert against_limit("x", "x", samples, "mag_r", Look(("network", "exact"), "exact")).png.startswith(PNG)


def test_nothing_to_draw_is_none(small):
    point = replace(small.network, levels=(), quantiles=None)
    sample = Sample(match({"n": point}, small.truth, None), "logmstar", ("n",))
    look = Look(("n",))
    assert agreement("x", "x", [], "n", look) is None
    assert three_way("x", "x", [sample], look) is None
    assert calibration("x", "x", [sample], look) is None
    assert stated_errors("x", "x", [sample], look) is None
    assert against_limit("x", "x", [sample], "mag_r", look) is None


def test_the_same_numbers_give_the_same_bytes(small, draft):
    samples = [judge({"network": small.network}, small.truth, **draft).sample("logmstar")]
    first, again = (agreement("x", "x", samples, "network", Look(("network",))) for _ in range(2))
    assert first.png == again.png


def test_a_method_keeps_its_colour_and_the_limit_is_grey():
    look = Look(("a", "exact", "b"), "exact")
    assert look.colour("a") == style.CYCLE[0]
    assert look.colour("b") == style.CYCLE[1]
    assert look.colour("exact") == style.LIMIT_COLOUR
    assert len({look.line(name) for name in look.methods}) == 3
    many = Look(tuple("abcdefgh"))
    assert many.colour("g") == many.colour("a")


def test_points_outside_the_frame_are_counted_in_it():
    axes = Figure().subplots()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    density(axes, np.array([0.5, 2.0, 0.1]), np.array([0.5, 0.5, -1.0]), Look(("n",)), "n")
    assert [text.get_text() for text in axes.texts] == ["2 outside"]


def test_the_running_median_is_that_of_each_bin():
    x = np.repeat([0.1, 0.9], 50)
    y = np.concatenate([np.arange(50.0), np.arange(50.0) + 100])
    middle, percentiles = running(x, y)
    assert middle.tolist() == [0.1, 0.9]
    assert percentiles[:, 1].tolist() == [24.5, 124.5]
    assert len(running(x[:5], y[:5])[0]) == 0


def test_labels_have_units():
    assert symbol("logmstar") == r"$\log\,M_\star$"
    assert symbol("logzsol") == "$[M/H]$"
    assert unit("logsfr") == "dex"
    assert unit("age_mw") == "Gyr"
    assert unit("redshift") == ""
    assert difference_label("logmstar", "network", "true").endswith("[dex]\nnetwork − true")
    assert difference_label("redshift") == r"$\Delta\,$$z$"
    assert quantity_label("snr_r") == "S/N in $r$"
    assert quantity_label("mag_Ks") == "$Ks$ [AB mag]"


def test_span_holds_the_bulk_and_is_never_empty():
    low, high = span(np.array([1.0, np.nan, 1.0]))
    assert low < 1 < high


@pytest.mark.parametrize(
    ("text", "expected"), [("kids-mass-sfr", "kids-mass-sfr"), ("Grid fit (z)", "grid-fit-z"), ("Δ", "method")]
)
def test_slugs(text, expected):
    assert slug(text) == expected


def test_metrics_import_without_matplotlib():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import galprism.evaluate, galprism.evaluate.metrics, galprism.evaluate.report\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
