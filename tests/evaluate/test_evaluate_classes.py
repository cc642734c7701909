"""Metrics of classes on probabilities whose answers are known."""

import numpy as np
import pytest
from planted_classes import GALAXY, QSO, STAR, drawn, sure

from galprism.data.classes import classify, with_priors
from galprism.data.truth import CLASSES
from galprism.errors import RequestError
from galprism.evaluate.classes import (
    by_threshold,
    calibration_curve,
    calibration_error,
    confusion_matrix,
    judge_classes,
    macro_f1,
)
from galprism.evaluate.sure_classes import gama_galaxy, moves_or_is_near


def test_a_confusion_by_hand():
    """Ten stars, of which one was called a quasar; four quasars, of which one was called a galaxy and one nothing."""
    true = np.array([STAR] * 10 + [QSO] * 4 + [GALAXY] * 6)
    called = np.array([STAR] * 9 + [QSO] + [QSO, QSO, GALAXY, 0] + [GALAXY] * 6)
    probability = sure(called)
    probability[13] = np.nan
    found = judge_classes(probability, true)
    np.testing.assert_array_equal(found.confusion, [[9, 1, 0, 0], [0, 2, 1, 1], [0, 0, 6, 0]])
    assert found.accuracy == pytest.approx(17 / 20)
    assert found.of("star").precision == 1.0
    assert found.of("star").recall == pytest.approx(0.9)
    assert found.of("qso").precision == pytest.approx(2 / 3)
    assert found.of("qso").recall == pytest.approx(0.5)
    assert found.of("qso").f1 == pytest.approx(4 / 7)
    assert found.of("galaxy").f1 == pytest.approx(2 * (6 / 7) / (6 / 7 + 1))
    assert found.macro_f1 == pytest.approx(np.mean([entry.f1 for entry in found.classes]))
    assert classify(probability)[13] == -1
    assert "66.67%" in found.table("toy").text()
    assert "10.00%" in found.confusion_table(shares=True).text()
    unknown = np.where(np.arange(20) < 10, -1, true)
    assert judge_classes(probability, unknown).n == 10


def test_exact_probabilities_are_calibrated():
    probability, true, _ = drawn(60_000)
    found = judge_classes(probability, true)
    assert found.calibration_error < 0.006
    for name in CLASSES:
        said, held, n = calibration_curve(probability, true, of=name)
        error = np.sqrt(said * (1 - said) / n)
        assert (np.abs(said - held) < 4 * error + 1e-3).all()
    bold = probability**2 / (probability**2).sum(axis=1, keepdims=True)  # too sure of itself, and right as often
    worse = judge_classes(bold, true)
    assert worse.accuracy == found.accuracy
    assert worse.calibration_error > 0.03


def test_a_perfect_classifier():
    true = np.repeat([STAR, QSO, GALAXY], [50, 7, 143])
    found = judge_classes(np.eye(3)[true], true)
    assert (found.accuracy, found.macro_f1, found.brier) == (1.0, 1.0, 0.0)
    assert (found.calibration_error, found.calibration_chance) == (0.0, 0.0)
    assert np.array_equal(found.confusion[:, :3], np.diag([50, 7, 143]))
    assert all(entry.precision == entry.recall == entry.f1 == 1.0 for entry in found.classes)
    assert found.accuracy_err > 0  # 200 right of 200 do not prove that the next is


def test_exact_probabilities_miss_by_what_chance_says():
    """The expected calibration error of exact probabilities, over many small samples, is the one by chance."""
    found = np.array([calibration_error(*drawn(900, seed=seed)[:2]) for seed in range(60)])
    error, chance = found.mean(axis=0)
    assert error == pytest.approx(chance, rel=0.1)
    assert (found[:, 0] < 3 * chance).all()


def test_stated_errors_are_the_spread_of_repetitions():
    """Standard errors of accuracy, F1 and macro F1 against their spread over independent samples."""
    many = [judge_classes(*drawn(1500, seed=seed)[:2]) for seed in range(120)]
    for value, error in (
        ([m.accuracy for m in many], [m.accuracy_err for m in many]),
        ([m.macro_f1 for m in many], [m.macro_f1_err for m in many]),
        ([m.of("qso").f1 for m in many], [m.of("qso").f1_err for m in many]),
        ([m.of("star").precision for m in many], [m.of("star").precision_err for m in many]),
    ):
        assert np.mean(error) == pytest.approx(np.std(value), rel=0.2)


def test_a_brier_score_is_least_for_exact_probabilities():
    exact, true, _ = drawn(20_000)
    best = judge_classes(exact, true).brier
    assert best == pytest.approx(np.mean(1 - (exact**2).sum(axis=1)), abs=0.01)
    for power in (0.5, 2.0):
        bent = exact**power / (exact**power).sum(axis=1, keepdims=True)
        assert judge_classes(bent, true).brier > best + 0.002


def test_macro_f1_of_a_confusion_is_that_of_its_classes():
    _, true, _ = drawn(300)
    called = np.where(np.arange(300) % 5 == 0, (true + 1) % 3, true)
    called[:3] = -1
    confusion = confusion_matrix(true, called)
    assert confusion.sum() == 300
    assert confusion[:, 3].sum() == 3
    f1 = [2 * confusion[k, k] / (confusion[k].sum() + confusion[:, k].sum()) for k in range(3)]
    assert macro_f1(confusion) == pytest.approx(np.mean(f1))


def test_priors_can_be_changed_afterwards():
    """Probabilities learned where all classes are alike, moved to the shares that the sky has, are exact there."""
    exact, true, alike = drawn(40_000, shares=(0.2, 0.02, 0.78))
    moved = with_priors(alike, [1, 1, 1], [0.2, 0.02, 0.78])
    np.testing.assert_allclose(moved, exact, atol=1e-12)
    assert judge_classes(moved, true).accuracy > judge_classes(alike, true).accuracy
    np.testing.assert_allclose(with_priors(moved, [0.2, 0.02, 0.78], [1, 1, 1]), alike, atol=1e-12)
    none = with_priors(alike, [1, 1, 1], [0.5, 0.0, 0.5])
    assert (none[:, QSO] == 0).all()


def test_thresholds():
    """Purity rises with the threshold, what is kept falls; completeness is both of what is kept and of recall."""
    probability, true, _ = drawn(30_000)
    levels = np.array([0.0, 0.5, 0.8, 0.95, 0.99, 1.1])
    for k, found in enumerate(by_threshold(probability, true, levels)):
        assert found.kept[0] == 1.0
        assert (np.diff(found.kept) <= 0).all()
        assert (np.diff(found.precision[:-1]) > -0.01).all()
        assert found.precision[4] > 0.985
        assert np.isnan(found.precision[-1])
        assert found.completeness[-1] == 0.0
        called = classify(probability)
        hit = (called == k) & (true == k) & (probability.max(axis=1) >= 0.8)
        assert found.completeness[2] == pytest.approx(hit.sum() / (true == k).sum())
    assert by_threshold(probability, true, [0.0])[2].f1[0] == pytest.approx(
        judge_classes(probability, true).of("galaxy").f1
    )


def test_a_class_that_nobody_is_or_nobody_is_called():
    found = judge_classes(sure(np.array([STAR, STAR, GALAXY])), np.array([STAR, GALAXY, GALAXY]))
    assert np.isnan(found.of("qso").recall)
    assert np.isnan(found.of("qso").precision)
    assert found.macro_f1 == pytest.approx(np.mean([found.of("star").f1, found.of("galaxy").f1]))
    lost = judge_classes(sure(np.array([STAR, GALAXY, GALAXY])), np.array([STAR, GALAXY, QSO]))
    assert lost.of("qso").recall == 0.0
    assert lost.of("qso").f1 == 0.0
    assert lost.macro_f1 == pytest.approx((1 + 0 + 2 / 3) / 3)  # one who calls nothing a quasar is not spared
    alone = judge_classes(sure(np.array([STAR, STAR, QSO])), np.zeros(3, int))
    assert alone.macro_f1 == pytest.approx(0.8)  # no quasar here: what is called one costs stars their recall


def test_what_are_no_probabilities():
    good, true = sure(np.array([0, 1, 2])), np.array([0, 1, 2])
    half = good.copy()
    half[1, 0] = np.nan
    for probability, classes, message in (
        (good[:, :2], true, r"have shape \(3, 2\); expected \(3, 3\)"),
        (good * 0.5, true, r"of row 0 they do not add up to 1: 0.45, 0.025, 0.025 .* 3 of 3 rows"),
        (good - 0.1, true, "are not from 0 to 1: 0.8, -0.05, -0.05"),
        (half, true, "of row 1 they are given for some classes and not for others: nan, 0.9, 0.05"),
        (good, np.array([0, 1, 3]), "class 3; accepted: 0 to 2, or -1"),
        (good, np.array([-1, -1, -1]), "no source has a known class"),
    ):
        with pytest.raises(RequestError, match=message):
            judge_classes(probability, classes)
    with pytest.raises(RequestError, match="class shares before"):
        with_priors(good, [1, 0, 1], [1, 1, 1])
    with pytest.raises(RequestError, match="class shares after"):
        with_priors(good, [1, 1, 1], [0, 0, 0])


def test_stars_by_gaia():
    """The second criterion by hand: 10 mas/yr +- 1 in one direction is 10 sigma; 3 +- 1 is 3."""
    nan = np.nan
    found = moves_or_is_near(
        parallax=np.array([5.0, 4.0, -6.0, nan, nan, nan]),
        parallax_err=np.array([1.0, 1.0, 1.0, nan, nan, nan]),
        pm_ra=np.array([0.0, 0.0, 0.0, 10.0, 3.0, nan]),
        pm_ra_err=np.array([1.0, 1.0, 1.0, 1.0, 1.0, nan]),
        pm_dec=np.zeros(6),
        pm_dec_err=np.ones(6),
    )
    np.testing.assert_array_equal(found, [True, False, True, True, False, False])


def test_galaxies_by_gama():
    found = gama_galaxy(np.array([0.2, 0.01, 1.5, 0.3]), np.array([4, 4, 4, 2]))
    np.testing.assert_array_equal(found, [True, False, False, False])
