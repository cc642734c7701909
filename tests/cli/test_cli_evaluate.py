"""`galprism evaluate`: what it judges, and what it refuses before anything is written."""

import json

import numpy as np
import pytest
from commands import MODEL, everything

from galprism.data.tables import write_table
from mlp_gap_mock import MOCK

TRUTH = MOCK


@pytest.fixture
def predictions(tmp_path):
    """Write a table of predictions of some ids, by hand."""

    def write(ids, name="guess.parquet", shift=0.0):
        n = len(ids)
        logmstar = np.linspace(9, 11, n).astype(np.float32) + np.float32(shift)
        table = {"id": np.asarray(ids), "logmstar": logmstar, "n_bands": np.full(n, 9, np.int16)}
        write_table(tmp_path / name, table | {"flags": np.zeros(n, np.uint32)})
        return tmp_path / name

    return write


def test_two_fits_are_compared_without_a_truth(galprism, predictions, tmp_path):
    ids = np.arange(300)
    first, second = predictions(ids), predictions(ids, "other.fits", shift=0.25)
    result = galprism("evaluate", f"ours={first}", second, "-o", tmp_path / "report", "--title", "Two guesses")
    assert result.status == 0, result.err
    assert {"report/index.html", "report/metrics.json"} <= set(everything(tmp_path))
    assert str(tmp_path / "report" / "index.html") in result.out
    assert "ours" in result.out
    assert "other" in result.out
    assert "Two guesses" in (tmp_path / "report" / "index.html").read_text()
    metrics = (tmp_path / "report" / "metrics.json").read_text()
    biases = [abs(value) for value in numbers(json.loads(metrics), "bias")]
    assert any(np.isclose(value, 0.25, atol=1e-5) for value in biases)


def numbers(tree, key):
    """Every number under `key`, however deep."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            if name == key and isinstance(value, float):
                yield value
            yield from numbers(value, key)
    elif isinstance(tree, list):
        for value in tree:
            yield from numbers(value, key)


def test_what_cannot_be_judged_is_refused(refused, predictions, catalogue, columns, tmp_path):
    ids, report = np.arange(30), tmp_path / "report"
    path, far = predictions(ids), predictions(10_000 + ids, "far.parquet")
    empty = predictions(ids[:0], "empty.parquet")
    (tmp_path / "other").mkdir()
    same = predictions(ids, "other/guess.fits")
    table = catalogue(columns)
    assert refused(("evaluate", path, "-o", report), "without a truth", "two")
    assert refused(("evaluate", path, same, "-o", report), "same name", "NAME=PATH")
    assert refused(("evaluate", path, far, "-o", report), "no id is common", "10000")
    assert refused(("evaluate", far, "--truth", TRUTH, "-o", report), "no id is common")
    assert refused(("evaluate", empty, "--truth", TRUTH, "-o", report), "empty", "no rows")
    assert refused(("evaluate", table, "--truth", TRUTH, "-o", report), "nothing can be judged", "logmstar")
    assert refused(
        ("evaluate", path, "--truth", table, "-o", report), "nothing can be judged", "the truth has redshift"
    )
    assert refused(
        ("evaluate", tmp_path / "nowhere.fits", "--truth", TRUTH, "-o", report), "nowhere.fits", "no such file"
    )
    assert refused(("evaluate", path, "--truth", TRUTH, "--limit", "best", "-o", report), "'best'", "guess")
    assert refused(
        ("evaluate", path, "--truth", TRUTH, "--catalogue", TRUTH, "--survey", "kidz", "-o", report), "'kidz'"
    )
    assert refused(("evaluate", f"truth={path}", "--truth", TRUTH, "-o", report), "'truth'")


def test_a_report_does_not_replace_what_is_none(refused, predictions, tmp_path):
    path = predictions(np.arange(30))
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("years of work")
    assert refused(("evaluate", path, "--truth", TRUTH, "-o", tmp_path / "thesis"), "thesis", "not a report")
    assert refused(("evaluate", path, "--truth", TRUTH, "-o", path), path, "is what is read")
    other = tmp_path / "thesis" / "thesis.tex"
    assert refused(("evaluate", path, "--truth", TRUTH, "-o", other), other, "is a file")
    assert refused(("evaluate", path, "--truth", TRUTH, "-o", path / "report"), path)


def test_ids_of_a_catalogue_join_text_and_numbers(predicted, galprism, catalogue, columns, tmp_path):
    columns["id"] = columns["id"].astype(str)
    predicted(catalogue(columns))
    result = galprism(
        "evaluate", tmp_path / "predicted.parquet", "--truth", TRUTH, "-o", tmp_path / "report", "--title", MODEL
    )
    assert result.status == 0, result.err
    assert "64" in result.out


@pytest.fixture
def classes(tmp_path, catalogue, columns):
    """A table of probabilities of 64 sources, a truth of their classes, and their catalogue with a size."""
    ids = columns["id"]
    called = np.arange(64) % 3
    probability = np.where(np.arange(3) == called[:, None], 0.9, 0.05)
    table = {f"prob_{name}": probability[:, k] for k, name in enumerate(("star", "qso", "galaxy"))}
    write_table(tmp_path / "xgboost.csv", {"id": ids} | table)
    truth = np.array(["STAR", "QSO", "GALAXY"])[np.where(np.arange(64) < 16, 0, called)]
    write_table(tmp_path / "spectra.csv", {"id": ids, "class": truth})
    columns["r50"] = np.full(64, 0.7)
    return tmp_path / "xgboost.csv", tmp_path / "spectra.csv", catalogue(columns)


def test_classes_of_anybodys_table_are_judged(galprism, classes, tmp_path):
    table, truth, path = classes
    words = ("--catalogue", path, "--band", "g", "--colours", "u-g,g-r", "--size", "r50", "--area", 2)
    result = galprism("evaluate", f"trees={table}", "--truth", truth, *words, "-o", tmp_path / "report")
    assert result.status == 0, result.err
    numbers = json.loads((tmp_path / "report" / "metrics.json").read_text())["classes"]
    assert numbers["metrics"][0]["accuracy"] == 54 / 64
    assert numbers["samples"][0]["n_by_class"] == {"star": 32, "qso": 16, "galaxy": 16}
    assert (numbers["band"], numbers["area"]) == ("g", 2.0)
    assert "84.38%" in result.out
    assert "Mistakes are not shown: that needs cutouts" in result.out
    assert {f"report/figures/classes_{name}.png" for name in ("colours", "sizes", "quasars")} <= set(
        everything(tmp_path)
    )


def test_what_classes_are_drawn_of_must_be_there(refused, classes, tmp_path):
    table, truth, path = classes
    words, report = ("evaluate", table, "--truth", truth), ("-o", tmp_path / "report")
    assert refused((*words, "--size", "r50", *report), "--size r50", "give --catalogue")
    assert refused((*words, "--colours", "g-r,r-i", *report), "--colours g-r,r-i", "give --catalogue")
    assert refused((*words, "--catalogue", path, "--colours", "g-r", *report), "'g-r'", "two of them")
    assert refused((*words, "--catalogue", path, "--colours", "g-r,r-w", *report), "'r-w'", "BAND-BAND")
    assert refused((*words, "--catalogue", path, "--size", "R_E", *report), "R_E")
    assert refused((*words, "--catalogue", path, "--band", "w", *report), "no band 'w'")
    assert refused((*words, "--area", -1, *report), "area = -1")
    assert refused((*words, "--cutouts", tmp_path / "none.h5", *report), "none.h5")
    (tmp_path / "half.csv").write_text("id,prob_star,prob_qso,prob_galaxy\n0,0.5,0.2,0.1\n")
    assert refused(("evaluate", tmp_path / "half.csv", *words[2:], *report), "half: of id 0", "0.5, 0.2, 0.1")


def test_labels_of_rates_whose_percentiles_fall_are_refused(refused, predictions, tmp_path):
    path, names = predictions(np.arange(4)), ("sfr_tot_p16", "sfr_tot_median", "sfr_tot_p84")
    labels = {name: np.full(4, value) for name, value in zip(names, (-0.2, 0.1, 0.4), strict=True)}
    labels["sfr_tot_p16"][2] = 0.7
    write_table(tmp_path / "labels.fits", {"id": np.arange(4), "logmstar": np.full(4, 10.0), **labels})
    told = ("labels.fits", "row 2 (id 2)", "sfr_tot_p16 = 0.7", "sfr_tot_p84 = 0.4", " <= ".join(names))
    assert refused(("evaluate", path, "--truth", tmp_path / "labels.fits", "-o", tmp_path / "report"), *told)
    assert not (tmp_path / "report").exists()
