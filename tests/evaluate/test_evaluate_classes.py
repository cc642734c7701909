"""Metrics of classes on probabilities whose answers are known."""

import numpy as np
import pytest

from galprism.data.classes import classify, with_priors
from galprism.data.truth import CLASSES
from galprism.errors import RequestError
from galprism.evaluate.classes import by_threshold, calibration_curve, judge_classes
from galprism.evaluate.sure_classes import gama_galaxy, moves_or_is_near

STAR, QSO, GALAXY = range(3)


def sure(called, p=0.9):
    """Probabilities of as many sources, p for what each is called."""
    probability = np.full((len(called), 3), (1 - p) / 2)
    probability[np.arange(len(called)), called] = p
    return probability


def drawn(n, seed=0, shares=(0.3, 0.1, 0.6), spread=2.0):
    """Sources of three Gaussians on a plane: exact probabilities, and what they are."""
    rng = np.random.default_rng(seed)
    centres = spread * np.array([[0, 1], [1, 0], [-0.7, -0.7]])
    true = rng.choice(3, n, p=shares)
    x = centres[true] + rng.standard_normal((n, 2))
    like = np.exp(-0.5 * ((x[:, None] - centres) ** 2).sum(axis=2))
    weighted = like * shares
    return weighted / weighted.sum(axis=1, keepdims=True), true, like / like.sum(axis=1, keepdims=True)


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


def test_what_are_no_probabilities():
    good, true = sure(np.array([0, 1, 2])), np.array([0, 1, 2])
    half = good.copy()
    half[1, 0] = np.nan
    for probability, classes, message in (
        (good[:, :2], true, r"have shape \(3, 2\); expected \(3, 3\)"),
        (good * 0.5, true, "add up to 0.5, not 1"),
        (good - 0.1, true, "not from 0 to 1"),
        (half, true, "some classes of a source have one and others none"),
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
