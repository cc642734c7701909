"""The reproduction of the J-PAS paper, tiny but whole; and its numbers on answers that are known."""

import json

import numpy as np
import pytest

from galprism import recipes
from galprism.data import Photometry, Predictions, Sources, Truth
from galprism.errors import RequestError
from galprism.evaluate import bars_table
from galprism.mocks.composites import FAMILIES
from galprism.recipes import jpas_measured, jpas_ssp
from galprism.recipes.jpas_measured import (
    GALAXIES,
    MAGNITUDES,
    NAMES,
    OURS,
    PAPER,
    beaten,
    by_parameter,
    family_bias,
    levels_of,
    ratios,
    without,
)
from galprism.recipes.reproduce import reproduce
from galprism.recipes.sky import sky
from galprism.units import njy_from_abmag


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder after a run with as little of everything as there can be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jpas_ssp, "SMALL", jpas_ssp.Size(test=260, limit=4, limit_lost=3, draws=3000))
        patch.setattr(jpas_ssp, "QUICK", ("sample.train=1200", "sample.validation=300", "train.epochs=[1]"))
        patch.setattr(jpas_measured, "COMPOSITE_TIMES", (0.5, 2.0, 8.0))
        folder = tmp_path_factory.mktemp("reproduce") / "out"
        said = []
        table = reproduce("jpas-ssp", folder, quick=True, say=said.append)
        again = []
        reproduce("jpas-ssp", folder, quick=True, say=again.append)
    return folder, table, said, again


def test_it_ends_in_its_table_and_pages(whole):
    folder, table, said, again = whole
    bars = json.loads((folder / "table.json").read_text())
    assert len(bars) == 6 + 3 + 15 + 12 + 3 + 1 + 3
    few = ("outliers", "exact posterior")  # of the latter there are too few here
    assert all(bar["ours"] is not None for bar in bars if not any(word in bar["name"] for word in few))
    assert "jpas-galaxies, burst" in table.text()
    page = (folder / "results.md").read_text()
    assert page.count("![") >= 30
    for name in ("by_magnitude", "planes_jpas-ssp", "missing", "composites_jpas-galaxies", "predicted_grid-fit"):
        assert (folder / "report-off-grid" / "figures" / f"{name}.png").stat().st_size > 20_000, name
    assert "12 of 12 stages are done already" in again
    assert any("[12/12]" in line for line in said)


def test_its_samples_are_the_papers(whole):
    """13 magnitudes; on the grid the library's own ages and the paper's steps of dust."""
    folder, *_ = whole
    on, off = (json.loads((folder / f"levels-{name}.json").read_text()) for name in ("on-grid", "off-grid"))
    assert len(on[PAPER]) == len(off[OURS]) == len(MAGNITUDES) == 13
    made = sky(recipes.load(PAPER, jpas_ssp.SETTINGS))
    truth = made.block(30_000).truth
    np.testing.assert_allclose(np.unique(truth.column("ebv")), recipes.load(PAPER).population.ebv)
    stars = made.libraries[0]
    assert np.isin(np.round(truth.column("age"), 6), np.round(stars.age, 6)).all()


def answered(true: np.ndarray, off: np.ndarray, width: float = 0.1) -> tuple[Predictions, Truth]:
    ident = np.arange(len(true))
    quantiles = (true + off)[:, :, None] + width * np.array([-1.96, -0.9945, 0, 0.9945, 1.96])
    n = len(true)
    found = Predictions(
        ident, NAMES, true + off, np.zeros(n, np.uint32), np.ones(n, np.int16), jpas_ssp.LEVELS, quantiles
    )
    return found, Truth(ident, NAMES, true)


def test_metrics_of_gaussian_errors():
    rng = np.random.default_rng(0)
    true = rng.uniform(0, 1, (40_000, 3))
    found, truth = answered(true, 0.1 * rng.standard_normal(true.shape) + 0.02)
    row = by_parameter(found, truth)["logzsol"]
    assert row["bias"] == pytest.approx(0.02, abs=0.003)
    assert row["sigma_nmad"] == pytest.approx(0.1, rel=0.02)
    assert row["rms"] == pytest.approx(np.hypot(0.1, 0.02), rel=0.02)
    assert row["outliers"] == pytest.approx(0.0141, abs=0.003)  # both tails beyond 0.25
    assert row["pearson"] == pytest.approx(np.sqrt(1 / 12 / (1 / 12 + 0.01)), abs=0.003)
    assert row["covers_68"] == pytest.approx(0.67, abs=0.02)


def test_a_ratio_is_of_the_same_sources_where_enough_draws_count():
    rng = np.random.default_rng(1)
    true = rng.uniform(0, 1, (500, 3))
    found, truth = answered(true, 0.2 * rng.standard_normal(true.shape))
    limit, _ = answered(true, 0.5 * (found.point - true))
    limit.extra["ess"] = np.where(np.arange(500) < 300, 1000.0, 5.0)
    order = rng.permutation(500)
    result = ratios(found, limit.take(order), truth)
    assert result["n"] == 300
    for name in NAMES:
        assert result[name][0] == pytest.approx(2.0)


def test_bands_are_taken_from_each_source_anew():
    bands = tuple(f"b{k}" for k in range(57))
    sources = Sources(id=np.arange(200), photometry=Photometry(np.ones((200, 57)), np.ones((200, 57)), bands))
    for lost in (0, 15, 30):
        kept = without(sources, lost).photometry.ivar > 0
        assert (kept.sum(axis=1) == 57 - lost).all()
    assert len({tuple(row) for row in kept}) == 200
    np.testing.assert_array_equal(kept, without(sources, 30).photometry.ivar > 0)


def test_magnitudes_are_those_of_i():
    flux = njy_from_abmag(np.array([[20.0, 15.9], [20.0, 17.2], [20.0, 19.6], [20.0, 25.0]]))
    sources = Sources(id=np.arange(4), photometry=Photometry(flux, flux**-2.0, ("g", "i")))
    np.testing.assert_array_equal(levels_of(sources), [16.0, 17.0, 19.5, 22.0])


def test_where_the_grid_is_better_is_counted():
    good = {"sigma_nmad": 0.1, "outliers": 0.1, "pearson": 0.9, "rms": 0.1}
    worse = good | {"pearson": 0.8, "rms": 0.2}
    row = {name: good for name in NAMES}
    assert beaten({OURS: [row] * 2, jpas_measured.GRID: [row] * 2}).met
    bar = beaten({OURS: [row | {"ebv": worse}, row], jpas_measured.GRID: [row] * 2})
    assert bar.ours == 2
    assert not bar.met
    assert "of 24 metrics" in bars_table([bar]).text()


def test_an_unknown_system(tmp_path):
    with pytest.raises(RequestError, match="accepted: mlp-gap, jpas-ssp"):
        reproduce("jpas-spp", tmp_path / "out")


def test_composite_histories_are_what_the_model_of_galaxies_is_for(whole):
    """Of the paper's three families: a network that knows simple populations alone takes a constant rate for a young
    burst, by more than a dex; ours is nearer in each, and takes none of them for dusty."""
    found = json.loads((whole[0] / "composites.json").read_text())
    for family in FAMILIES:
        ours, simple = (abs(family_bias(found[name], family)) for name in (GALAXIES, OURS))
        assert ours < 0.25, family
        assert ours < simple, family
        assert abs(family_bias(found[GALAXIES], family, "ebv")) < 0.06
    assert abs(family_bias(found[OURS], "constant")) > 1.0
