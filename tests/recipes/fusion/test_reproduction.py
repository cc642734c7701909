"""The bench sdss-fusion, tiny but whole, on toy galaxies; and its bars on errors that are planted."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from galprism.data.sfr_labels import STATISTICS
from galprism.evaluate import Bar
from galprism.fit.field_posterior import RateDistributions
from galprism.recipes.fusion import reproduction as module
from galprism.recipes.fusion.bars import BOTH, LIGHT, SPECTRUM, bars, group_of, standing
from galprism.recipes.fusion.bench import Row, record, scores_of
from galprism.recipes.fusion.classical import BLOCKS, QUICK, Classical
from galprism.recipes.fusion.sample import TARGETS
from galprism.recipes.fusion.seen import seen_of
from galprism.recipes.reproduce import reproduce
from galprism.recipes.stages import Stage
from toy_fusion import COUNTS, made

NOISE = 0.2
"""Of one label of another's."""


class Counted:
    """A study that counts the galaxies of the test."""

    def __init__(self, bench):
        self.bench, self.path = bench, bench.folder / "counted"

    def stages(self):
        return [Stage("count", "galaxies", 1, (self.path,), 1, lambda: self.path.write_text(str(len(self.rows))))]

    @property
    def rows(self):
        return self.bench.seen.rows("test")

    def bars(self):
        return [Bar("galaxies counted", 1, float(self.path.read_text()), ">=")]

    def tables(self):
        return ["### Counted\n\ngalaxies of the test"]

    def drawings(self):
        return []


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reproduce") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "fusion_sample", lambda recipe, place, workers: made(place / "fusion-toy"))
        patch.setattr(module, "distributions", again)
        patch.setattr(module, "sfr_statistics", lambda share: share)
        patch.setattr(module, "models", lambda bench: [Classical("linear", shown, QUICK) for shown in BLOCKS])
        patch.setattr(module, "STUDIES", (Counted,))
        said = []
        tables = [reproduce("sdss-fusion", folder, quick=True, say=said.append) for _ in range(2)]
    assert tables[0].rows == tables[1].rows
    return folder, tables[0], said


def again(recipe, flux, ivar, redshift, workers):
    """Labels of the test with noise, in two parts."""
    rng, n = np.random.default_rng(5), len(flux)
    labels = made(Path("none")).targets[-n:, 1:]
    for rows in (np.arange(0, n, 2), np.arange(1, n, 2)):
        some = labels[rows] + rng.normal(0.0, NOISE, labels[rows].shape)
        yield rows, RateDistributions(some, np.full(len(rows), 100.0))


def test_it_ends_in_its_table_and_pages(whole):
    folder, table, said = whole
    found = json.loads((folder / "table.json").read_text())
    assert len(found) == 1 + len(TARGETS) + 1
    assert all(bar["ours"] is not None for bar in found)
    assert (found[0]["ours"], found[0]["met"]) == (3, True)
    assert (found[-1]["name"], found[-1]["ours"]) == ("galaxies counted", COUNTS[2])
    assert "redshift: RMSE, best fused over better alone" in table.text()
    page = (folder / "results.md").read_text()
    for words in (
        "### RMSE",
        "### R²",
        "### MAE",
        "### Costs",
        "### What joining gains",
        "### Settings that were searched",
        "### Counted",
        "| linear: photometry + spectra | both |",
        "| labels from other draws |",
    ):
        assert words in page
    assert {path.stem for path in (folder / "report" / "figures").glob("*.png")} >= {
        "errors_by_model",
        "against_true",
        "accuracy_and_cost",
    }
    assert any("8 of 8 stages are done already" in line for line in said)


def test_the_numbers_are_those_of_the_answers(whole):
    folder = whole[0]
    measured = json.loads((folder / "measured.json").read_text())
    seen = seen_of(made(folder / "sample" / "fusion-toy"), folder / "seen")
    row = next(row for row in measured["rows"] if row["name"] == "linear: photometry")
    (kept,) = (folder / "models").glob("linear-photometry-????????????????/answers.npz")
    off = np.load(kept)["test"] - seen.targets[seen.rows("test")]
    np.testing.assert_allclose([row["scores"][name]["rmse"] for name in TARGETS], np.sqrt(np.mean(off**2, axis=0)))
    assert row["search"]["trials"] == QUICK.trials
    assert row["weights"] == 9 * (14 + 1)


def test_labels_of_other_draws_say_how_much_labels_scatter(whole):
    told = json.loads((whole[0] / "label-noise.json").read_text())
    assert set(told["all"]) == set(STATISTICS)  # a redshift is no draw
    mean = np.sqrt(np.mean(np.square(list(told["all"].values()))))
    assert mean == pytest.approx(NOISE / np.sqrt(2), rel=0.2)  # 96 numbers


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seen")
    return seen_of(made(folder / "sample"), folder)


class TestStanding:
    def row(self, seen, name, sees, off, off_validation=None):
        """A model whose answers are off by so much, up and down."""
        answers = {}
        for part, size in (("validation", off if off_validation is None else off_validation), ("test", off)):
            rows = seen.rows(part)
            answers[part] = seen.targets[rows] + size * np.where(np.arange(len(rows)) % 2, 1.0, -1.0)[:, None]
        scores = scores_of(answers["test"], seen, seen.rows("test"))
        return Row(name, sees, 10, 1.0, 1.0, scores, answers, Path("none"))

    def test_groups_are_of_what_is_seen(self):
        assert group_of(("image",)) == group_of(("photometry", "image")) == LIGHT
        assert group_of(("components",)) == group_of(("spectrum",)) == SPECTRUM
        assert group_of(("image", "spectrum")) == group_of(("photometry", "components")) == BOTH

    def test_joining_gains_what_was_planted(self, seen):
        rows = [
            self.row(seen, "a: image", ("image",), 0.4),
            self.row(seen, "a: spectrum", ("spectrum",), 0.2),
            self.row(seen, "a: both", ("image", "spectrum"), 0.1),
            self.row(seen, "b: both", ("image", "spectrum"), 0.05, off_validation=0.3),  # lucky on the test
        ]
        found = standing(rows, seen)
        for name in TARGETS:
            assert found["best"][name] == {LIGHT: "a: image", SPECTRUM: "a: spectrum", BOTH: "a: both"}
            assert found["gain"][name]["ratio"] == pytest.approx(0.5)
            assert found["gain"][name]["alone"] == "a: spectrum"
            assert found["fused"]["a: both"][name]["ratio"] == pytest.approx(0.5)
            assert found["fused"]["b: both"][name]["ratio"] == pytest.approx(0.25)
        assert list(found["families"]) == ["a"]
        measured = {"rows": [record(row) for row in rows], "targets": list(TARGETS), **found}
        assert all(bar.met for bar in bars(measured))
        for size, met in ((0.1, True), (0.3, False)):
            more = [*rows, self.row(seen, "ours: all", ("image", "spectrum", "photometry"), size)]
            measured = {"rows": [record(row) for row in more], "targets": list(TARGETS), **standing(more, seen)}
            assert [(bar.ours, bar.met) for bar in bars(measured)[1:2]] == [(len(TARGETS) if met else 0, met)]
        worse = [*rows[:2], replace(rows[2], answers=rows[0].answers)]
        ratios = [gain["ratio"] for gain in standing(worse, seen)["gain"].values()]
        np.testing.assert_allclose(ratios, 2.0)

    def test_without_a_fused_model_nothing_is_claimed(self, seen):
        rows = [self.row(seen, "a: image", ("image",), 0.4), self.row(seen, "a: spectrum", ("spectrum",), 0.2)]
        found = standing(rows, seen)
        assert set(found["gain"].values()) == {None}
        assert not found["families"]
        assert not found["fused"]
        assert len(bars({"rows": [record(row) for row in rows], "targets": list(TARGETS), **found})) == 1
