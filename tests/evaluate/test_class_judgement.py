"""Class predictions of several methods judged on the same sources, nothing silently dropped."""

import numpy as np
import pytest
from planted_classes import GALAXY, QSO, STAR, drawn, predictions, sources_of, sure, truth_of
from planted_sky import shuffled

from galprism.data import Truth
from galprism.errors import RequestError
from galprism.evaluate.classes import judge_class_predictions
from galprism.evaluate.classes.tables import (
    bin_tables,
    called_table,
    confusion_tables,
    density_table,
    pairs_table,
    summary_tables,
    threshold_tables,
)
from galprism.evaluate.samples import Selection
from galprism.flags import Flag

NOT_INFERRED, UNLIKE = int(Flag.NOT_INFERRED), int(Flag.UNLIKE_TRAINING)


@pytest.fixture(scope="module")
def sky():
    """2,000 sources with exact probabilities, worse ones, and magnitudes."""
    n = 2000
    exact, true, _ = drawn(n)
    rng = np.random.default_rng(1)
    noisy = exact * rng.uniform(0.05, 1, exact.shape)
    ident = 10**15 + rng.permutation(n)
    return ident, exact, noisy / noisy.sum(axis=1, keepdims=True), true, rng.uniform(18, 24, n)


@pytest.fixture(scope="module")
def judgement(sky):
    ident, exact, noisy, true, mag = sky
    methods = {"exact": shuffled(predictions(ident, exact), 3), "noisy": predictions(ident, noisy)}
    return judge_class_predictions(methods, truth_of(ident, true), sources_of(ident, mag), area=2.0)


def test_methods_are_judged_on_the_same_sources(judgement, sky):
    ident, exact, noisy, true, _ = sky
    found = {entry.method: entry.found for entry in judgement.entries}
    assert found["exact"].accuracy == np.mean(exact.argmax(axis=1) == true)
    assert found["noisy"].accuracy == np.mean(noisy.argmax(axis=1) == true)
    assert [sample.label for sample in judgement.samples] == ["all"]
    assert judgement.whole.n == len(ident)
    assert judgement.whole.describe().startswith("all: 2,000 sources (")
    assert judgement.whole.describe().endswith("galaxies), r = 18.0 to 24.0")
    assert judgement.notes == ()


def test_bins_of_magnitude_add_up_to_the_whole(judgement):
    """Their confusions sum to that of all sources, and each is what its sources alone give."""
    for entry in judgement.entries:
        assert len(entry.bins) > 4
        assert np.array_equal(sum(b.found.confusion for b in entry.bins), entry.found.confusion)
        b = entry.bins[2]
        rows = (judgement.whole.magnitude >= b.low) & (judgement.whole.magnitude < b.high)
        right = judgement.whole.called(entry.method)[rows] == judgement.whole.true[rows]
        assert b.found.accuracy == right.mean()


def test_pairs_are_those_of_the_sources_one_by_one(judgement, sky):
    _, exact, noisy, true, _ = sky
    (pair,) = judgement.pairs
    first, second = exact.argmax(axis=1), noisy.argmax(axis=1)
    assert pair.share == np.mean(first == second)
    assert pair.right_alone == (
        np.sum((first == true) & (second != true)),
        np.sum((first != true) & (second == true)),
    )
    difference, error = pair.accuracy_difference
    assert difference == pytest.approx(np.mean(first == true) - np.mean(second == true))
    each = (first == true).astype(float) - (second == true)
    assert error == pytest.approx(each.std() / np.sqrt(len(true)))
    macro = [entry.found.macro_f1 for entry in judgement.entries]
    assert pair.macro_f1_difference[0] == pytest.approx(macro[0] - macro[1])
    assert 0 < pair.macro_f1_difference[1] < 2 * error


def test_sums_of_exact_probabilities_count_the_classes(judgement, sky):
    _, exact, *_ = sky
    called = {(record.method, record.name): record for record in judgement.called}
    for k, name in enumerate(("star", "qso", "galaxy")):
        record = called["exact", name]
        assert record.expected == pytest.approx(exact[:, k].sum())
        assert abs(record.expected - record.true) < 4 * np.sqrt((exact[:, k] * (1 - exact[:, k])).sum())
        assert record.n == np.sum(exact.argmax(axis=1) == k)
    assert called["exact", ""].sure == np.sum(exact.max(axis=1) >= 0.9)


def test_quasars_on_the_sky(judgement, sky):
    _, exact, _, true, mag = sky
    densities = {density.method: density for density in judgement.densities}
    assert list(densities) == ["truth", "exact", "noisy"]
    truth, ours = densities["truth"], densities["exact"]
    assert truth.area == 2.0
    assert truth.brighter[-1] == np.sum(true == QSO) == sum(truth.n) + np.sum(mag[true == QSO] < truth.edges[0])
    k = truth.edges.index(21.0) - 1
    assert truth.brighter[k] == np.sum((true == QSO) & (mag < 21))
    assert ours.expected[k] == pytest.approx(exact[mag < 21, QSO].sum())
    row = density_table(judgement).rows[k]
    assert row[:3] == ("21", str(truth.brighter[k]), f"{truth.brighter[k] / 2:.2f}")


def test_flagged_rows_are_counted_and_judged_apart(sky):
    """What is not classified is wrong; what is flagged as doubtful is left out of a second sample; both are said."""
    ident, exact, _, true, _ = sky
    probability, flags = exact.copy(), np.zeros(len(ident), int)
    probability[:30], flags[:20] = np.nan, NOT_INFERRED
    flags[30:70] = UNLIKE
    judgement = judge_class_predictions({"m": predictions(ident, probability, flags)}, truth_of(ident, true))
    whole, unflagged = judgement.samples
    assert (whole.n, unflagged.n, unflagged.label) == (2000, 1960, "unflagged")
    entry = judgement.entries[0]
    assert entry.found.not_classified == 30
    right = (exact.argmax(axis=1) == true)[30:].sum()
    assert entry.found.accuracy == pytest.approx(right / 2000)
    assert entry.thresholds[0].kept[0] < 1  # those not classified are never kept
    assert judgement.flags == {"m": {"UNLIKE_TRAINING": 40, "NOT_INFERRED": 20}}
    (note,) = judgement.notes
    assert note.startswith("m did not classify 30 of 2,000 sources, which count as wrong; 10 of these carry no flag")
    assert sum(int(row[-1].split()[0]) for row in confusion_tables(judgement)[0].rows) == 30


def test_cuts_are_those_asked_for(sky):
    ident, exact, _, true, mag = sky
    bright = Selection("r < 21", "mag_r", high=21.0)
    other = Selection("massive", "logmstar", low=10, parameters=("logmstar",))
    judgement = judge_class_predictions(
        {"m": predictions(ident, exact)}, truth_of(ident, true), sources_of(ident, mag), selections=[bright, other]
    )
    assert [sample.label for sample in judgement.samples] == ["all", "r < 21"]
    cut = judgement.samples[1]
    assert cut.n == np.sum(mag < 21)
    assert judgement.of(cut)[0].found.accuracy == np.mean((exact.argmax(axis=1) == true)[mag < 21])
    record = judgement.numbers()["samples"][1]
    assert record["magnitudes"][1] < 21
    assert sum(record["n_by_class"].values()) == cut.n


def test_sources_without_a_magnitude_or_a_class_are_said(sky):
    ident, exact, _, true, mag = sky
    mag, true = mag.copy(), true.copy()
    mag[:50], true[50:150] = np.nan, -1
    judgement = judge_class_predictions(
        {"m": predictions(ident, exact)}, truth_of(ident, true), sources_of(ident, mag), selections=()
    )
    entry = judgement.entries[0]
    assert entry.found.n == 1900
    assert np.isnan(entry.bins[-1].low)
    assert entry.bins[-1].found.n == 50
    assert bin_tables(judgement)[0].rows[-1][0] == "no magnitude"
    assert judgement.notes[0] == "The truth has no class for 100 of 2,000 sources; they are left out."
    assert judgement.notes[1].startswith("50 of 1,900 sources have no r magnitude")
    assert judgement.numbers()["samples"][0]["without_magnitude"] == 50


def test_classes_that_nobody_is_or_is_called(sky):
    ident, *_ = sky
    ident = ident[:4]
    never = predictions(ident, sure(np.array([STAR, STAR, GALAXY, STAR]), 1.0))
    judgement = judge_class_predictions({"m": never}, truth_of(ident, [STAR, STAR, GALAXY, QSO]))
    assert judgement.notes == (
        "m called no source a qso, nor did it give one a probability above 0; 1 of 4 are. Did it learn from any?",
    )
    stars = judge_class_predictions({"m": never}, truth_of(ident, [STAR] * 4))
    assert [note.split(":")[0] for note in stars.notes[:2]] == ["No source here is a qso", "No source here is a galaxy"]


def test_a_column_of_classes_that_says_otherwise_is_noted(sky):
    ident, exact, _, true, _ = sky
    said = np.array(["star", "qso", "galaxy"])[exact.argmax(axis=1)]
    agrees = predictions(ident, exact, **{"class": np.char.upper(said)})
    wrong = predictions(ident, exact, **{"class": np.where(np.arange(len(ident)) < 12, "nothing", said)})
    judgement = judge_class_predictions({"agrees": agrees, "wrong": wrong}, truth_of(ident, true))
    (note,) = judgement.notes
    assert note.startswith("wrong: in 12 of 2,000 rows the column class is not that of the highest of prob_star")


def test_without_a_truth_it_is_said_what_was_called_what(sky):
    ident, exact, noisy, _, mag = sky
    methods = {"exact": predictions(ident, exact), "noisy": predictions(ident, noisy)}
    judgement = judge_class_predictions(methods, None, sources_of(ident, mag), area=1.0)
    assert judgement.entries == ()
    assert judgement.pairs[0].right_alone is None
    assert judgement.pairs[0].share == np.mean(exact.argmax(axis=1) == noisy.argmax(axis=1))
    assert [density.method for density in judgement.densities] == ["exact", "noisy"]
    assert summary_tables(judgement)[0].text() == called_table(judgement).text()
    assert "–" in pairs_table(judgement).rows[0]


def test_tables_say_what_the_numbers_are(judgement):
    overall, by_class = summary_tables(judgement)
    entry = judgement.entries[0]
    assert f"{100 * entry.found.accuracy:.2f}% ± {100 * entry.found.accuracy_err:.2f}" in overall.rows[0]
    assert [row[:2] for row in by_class.rows[:3]] == [("star", "exact"), ("star", "noisy"), ("qso", "exact")]
    (cell,) = {table.rows[0][1] for table in confusion_tables(judgement)[:1]}
    n = entry.found.confusion[0, 0]
    assert cell == f"{n:,} ({100 * n / entry.found.of('star').n:.2f}%)"
    curve = entry.thresholds[2]
    row = threshold_tables(judgement)[0].rows[list(curve.threshold).index(0.9)]
    assert row[0] == "0.9"
    assert row[-4:] == tuple(
        f"{100 * getattr(curve, name)[5]:.2f}%" for name in ("kept", "precision", "recall", "completeness")
    )


def test_what_cannot_be_judged_is_refused(sky):
    ident, exact, _, true, mag = sky
    good, truth = predictions(ident, exact), truth_of(ident, true)
    lacking = predictions(ident, exact)
    del lacking.extra["prob_qso"]
    off, partly, text = exact.copy(), exact.copy(), predictions(ident, exact)
    off[7] *= 0.9
    partly[9, 1] = np.nan
    text.extra["prob_star"] = np.full(len(ident), "high")
    for given, against, message in (
        (lacking, truth, "m has no column prob_qso"),
        (predictions(ident, off), truth, f"m: of id {ident[7]} they do not add up to 1: .* 1 of 2,000 rows"),
        (predictions(ident, partly), truth, f"of id {ident[9]} they are given for some classes"),
        (text, truth, "m: column prob_star is no column of numbers"),
        (
            good,
            Truth(ident, (), np.empty((2000, 0))),
            "the truth has no classes; accepted: a truth with a column class",
        ),
        (good, truth_of(ident, np.full(2000, -1)), "has no class for any of the 2,000 sources"),
        (good, truth_of(ident + 10**6, true), "no id is common"),
    ):
        with pytest.raises(RequestError, match=message):
            judge_class_predictions({"m": given}, against)
    bright = Selection("r < 10", "mag_r", high=10.0)
    with pytest.raises(RequestError, match=r"cuts 'r < 10' leave none of all: 2,000 sources"):
        judge_class_predictions({"m": good}, truth, sources_of(ident, mag), selections=[bright])
    with pytest.raises(RequestError, match="area = 0"):
        judge_class_predictions({"m": good}, truth, sources_of(ident, mag), area=0.0)
    with pytest.raises(RequestError, match="no band 'z'; the photometry has g, r, i"):
        judge_class_predictions({"m": good}, truth, sources_of(ident, mag), band="z")


def test_probabilities_rounded_to_three_decimals_pass(sky):
    ident, exact, _, true, _ = sky
    rounded = predictions(ident, np.round(exact, 4))
    found = judge_class_predictions({"m": rounded}, truth_of(ident, true)).entries[0].found
    assert found.n == 2000
    assert found.not_classified == 0
