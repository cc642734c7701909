import numpy as np
import pytest

from galprism.data import Spectra
from galprism.errors import RequestError
from galprism.prep.observed_spectra import (
    CONSTANT,
    NO_REDSHIFT,
    NOISE,
    RANGE,
    REDSHIFT,
    WARNING,
    WAVE,
    SelectionConfig,
    min_max,
    prepare,
    selection,
    within_reach,
)
from made_spectra import line_spectrum

OLD = 10 ** (3.57 + 1e-4 * np.arange(3700))
"""Angstrom, 3715 to 8710."""


def spectra(n=3, **other) -> Spectra:
    flux = np.array([line_spectrum(OLD, 0.01 * (i + 1), sigma=500) for i in range(n)])
    return Spectra(**{"flux": flux, "ivar": np.full(flux.shape, 1.0), "wave": OLD, **other})


def test_the_paper_has_4171_points():
    assert WAVE.shape == (4171,)
    assert (WAVE[0], WAVE[-1]) == (3830, 8000)
    np.testing.assert_array_equal(np.diff(WAVE), 1)


def test_selection_says_why():
    redshift = [0.1, np.nan, 0.0019, 0.3001, 0.1, 0.1, 0.1, 0.1, 0.002, 0.3, 0.5]
    warning = [0, 0, 0, 0, 4, np.nan, 0, 0, 0, 0, 4]
    sn = [10, 10, 10, 10, 10, 10, 4.99, np.nan, 5, 5, 1]
    reason = selection(redshift, warning, sn)
    expected = ["", NO_REDSHIFT, REDSHIFT, REDSHIFT, WARNING, WARNING, NOISE, NOISE, "", "", REDSHIFT]
    np.testing.assert_array_equal(reason, expected)
    wider = selection(redshift, warning, sn, SelectionConfig((0, 1), 0.5))
    np.testing.assert_array_equal(np.flatnonzero(wider == ""), [0, 2, 3, 6, 8, 9])
    with pytest.raises(RequestError, match=r"selection.sn has shape \(3,\); expected \(11,\)"):
        selection(redshift, warning, sn[:3])


def test_min_max_is_between_0_and_1_and_undone():
    flux = np.array([[-2.0, 0, 6, 2], [5, 5, 5, 5], [0, 0, 0, 0], [7, 0, 0, 10]])
    ivar = np.ones(flux.shape)
    ivar[2], ivar[3, 1:3] = 0, 0
    values, constant = min_max(Spectra(flux, ivar, np.array([1.0, 2, 3, 4])))
    np.testing.assert_allclose(values[0], [0, 0.25, 1, 0.5])
    np.testing.assert_allclose(values[0] * 8 - 2, flux[0])  # Eq. 1 of the paper, solved for x
    np.testing.assert_array_equal(constant, [False, True, True, False])
    assert not values[1:3].any()
    np.testing.assert_allclose(values[3], [0, 1 / 3, 2 / 3, 1], rtol=1e-6)  # the zeros of no data are no minimum


def test_reach():
    ivar = np.ones((4, len(OLD)))
    ivar[1, OLD < 3831], ivar[2, OLD > 7999], ivar[3, 500:600] = 0, 0, 0
    made = spectra(4, flux=ivar, ivar=ivar)
    np.testing.assert_array_equal(within_reach(made), [True, False, False, True])
    np.testing.assert_array_equal(within_reach(made, np.arange(3900.0, 7900)), True)


def test_prepared():
    """Whatever is left out is counted, and what is left is the spectrum that was planted."""
    n = 7
    flux, ivar = np.array(spectra(n).flux), np.ones((n, len(OLD)))
    flux[4] = 3.0
    ivar[3, OLD > 7000] = ivar[5, 1000:1005] = 0
    flux[ivar == 0] = 0
    redshift, warning = 0.01 * (1 + np.arange(n)), np.array([0, 4, 0, 0, 0, 0, 0])
    redshift[2] = 0.4
    sn = np.where(np.arange(n) == 6, 1.0, 20.0)
    found = prepare(spectra(flux=flux, ivar=ivar), redshift, warning, sn)
    np.testing.assert_array_equal(found.reason, ["", WARNING, REDSHIFT, RANGE, CONSTANT, "", NOISE])
    np.testing.assert_array_equal(found.index, [0, 5])
    assert found.dropped() == {REDSHIFT: 1, WARNING: 1, NOISE: 1, RANGE: 1, CONSTANT: 1}
    assert found.values.shape == found.filled.shape == (2, 4171)
    truth = line_spectrum(WAVE, 0.01, sigma=500)
    truth = (truth - truth.min()) / np.ptp(truth)
    np.testing.assert_allclose(found.values[0], truth, atol=0.015)
    np.testing.assert_array_equal(found.filled.sum(axis=1) > 0, [False, True])
    assert (found.values.min(axis=1), found.values.max(axis=1)) == (pytest.approx(0), pytest.approx(1))


def test_its_own_signal_to_noise():
    """10 of flux with an error of 1 passes, with an error of 3 it does not."""
    ivar = np.ones((2, len(OLD)))
    ivar[1] /= 9
    found = prepare(spectra(2, ivar=ivar), np.full(2, 0.1), np.zeros(2))
    np.testing.assert_array_equal(found.reason, ["", NOISE])


def test_none_left():
    found = prepare(spectra(2), np.full(2, np.nan), np.zeros(2))
    assert found.values.shape == (0, 4171)
    assert found.dropped() == {NO_REDSHIFT: 2}
    with pytest.raises(RequestError, match=r"prepare: redshift has shape \(3,\); expected \(2,\)"):
        prepare(spectra(2), np.zeros(3), np.zeros(3))
