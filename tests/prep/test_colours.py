"""Colours against their definition, and the laws that a preparation keeps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toy_sky
from galprism.cosmology import distance_modulus
from galprism.data import Photometry
from galprism.prep import colours
from galprism.units import abmag_from_njy

BANDS = ("g", "r", "i")
ASSUMED = np.array([10.0, 20.0, 30.0])


def photometry(flux, err, limit=None):
    flux, err = np.atleast_2d(np.array(flux, float)), np.atleast_2d(np.array(err, float))
    with np.errstate(divide="ignore"):
        return Photometry(np.where(err == np.inf, 0, flux), err**-2.0, BANDS, limit)


def measure(phot, z=0.5, softening=1.0, reference=""):
    return colours.measure(phot, np.full(len(phot), z), softening, reference, ASSUMED)


def test_bright_colours_are_logarithms_of_flux_ratios():
    inputs = measure(photometry([1e5, 2e5, 4e5], [1.0, 1.0, 1.0]), reference="r")
    np.testing.assert_allclose(inputs.values[0, :3], np.log([0.5, 1.0, 2.0]), atol=1e-5)
    np.testing.assert_allclose(inputs.values[0, 3:6], np.log(1.0 / 2e5), atol=1e-4)
    np.testing.assert_allclose(inputs.values[0, 6:], [np.log(2e5), 0.5, np.log(1.5)], rtol=1e-6)


def test_the_anchor_is_the_absolute_magnitude_of_the_reference():
    """-0.4 M with M = m - DM + 2.5 log(1 + z), to 1e-4 dex at every redshift."""
    z = np.geomspace(1e-3, 8, 50)
    inputs = colours.measure(photometry([[3e4, 3e4, 3e4]] * 50, [[1.0] * 3] * 50), z, 1.0, "", ASSUMED)
    absolute = abmag_from_njy(3e4) - distance_modulus(z) + 2.5 * np.log10(1 + z)
    np.testing.assert_allclose(inputs.anchor, -0.4 * absolute, atol=1e-4)


def test_the_reference_is_the_inverse_variance_mean():
    inputs = measure(photometry([1e5, 3e5, 2e5], [100.0, 200.0, np.inf]))
    expected = (1e5 / 100**2 + 3e5 / 200**2) / (1 / 100**2 + 1 / 200**2)
    assert np.exp(inputs.values[0, 6]) == pytest.approx(expected, rel=1e-4)


def test_a_missing_reference_band_falls_back_on_the_mean():
    one = measure(photometry([1e5, 3e5, 2e5], [100.0, np.inf, 100.0]), reference="r")
    assert np.exp(one.values[0, 6]) == pytest.approx(1.5e5, rel=1e-4)


def test_faint_colours_are_linear_in_flux():
    """At the noise a colour is f / 2s against the reference: a negative flux is a number like any other."""
    flux = np.array([-1.0, 0.0, 1.0])
    inputs = measure(photometry(np.stack([flux, [1e4] * 3, [1e4] * 3], 1), [[100.0, 1, 1]] * 3))
    np.testing.assert_allclose(np.diff(inputs.values[:, 0]), 0.005, rtol=1e-3)


@given(st.floats(-1e6, 1e6), st.floats(1e-2, 1e5))
def test_the_same_source_ten_times_brighter_has_the_same_colours(flux, err):
    """Fluxes and errors in other units: the colours, relative errors and mass-to-light ratios stay."""
    one, ten = (
        measure(photometry([flux, 1e3, 2e3], [err] * 3)),
        measure(photometry([10 * flux, 1e4, 2e4], [10 * err] * 3)),
    )
    np.testing.assert_allclose(ten.values[:, :6], one.values[:, :6], atol=2e-4)
    assert ten.values[0, 6] - one.values[0, 6] == pytest.approx(np.log(10), abs=1e-4)
    assert ten.anchor[0] - one.anchor[0] == pytest.approx(1.0, abs=1e-4)


def test_states_of_a_band_are_kept_apart():
    limit = np.array([[False, False, True]])
    one = measure(photometry([1e3, 1e3, 1e3], [10.0, np.nan, 10.0], limit))
    np.testing.assert_array_equal(one.indicators[0], [0, 0, 1, 0, 1, 0])  # i is a limit: not used; r has no error
    np.testing.assert_array_equal(one.there[0], [True, True, False, True, False, False, True, True, True])
    np.testing.assert_array_equal(one.values[0, [2, 4, 5]], 0)
    assert one.n_bands[0] == 2
    assert not one.broken[0]


def test_the_assumed_error_stands_in():
    known = measure(photometry([1e3, 1e3, 1e3], [10.0, 20.0, 30.0]))
    unknown = measure(photometry([1e3, 1e3, 1e3], [np.nan] * 3))
    np.testing.assert_allclose(unknown.values[0, :3], known.values[0, :3], rtol=1e-6)
    assert unknown.anchor[0] == known.anchor[0]


def test_what_overflows_is_broken_and_finite():
    phot = Photometry(np.array([[1e300, 1.0, 1.0], [1.0, 1.0, 1.0]]), np.array([[1.0] * 3, [1e-300, 1e300, 1]]), BANDS)
    inputs = measure(phot)
    assert inputs.broken.all()
    assert np.isfinite(inputs.values).all()
    assert np.isfinite(inputs.anchor).all()


def test_softening_a_hundredth_of_the_error_is_as_good_as_a_logarithm():
    """For fluxes that are exact though an error is stated: colours hardly depend on that error."""
    flux, err = [300.0, 1e3, 2e3], [100.0, 100.0, 100.0]
    soft = measure(photometry(flux, err), softening=0.01, reference="r")
    np.testing.assert_allclose(soft.values[0, :3], np.log(np.array(flux) / 1e3), atol=0.02)


def test_names_stand_in_the_order_of_the_inputs():
    values, indicators = colours.names(toy_sky.BANDS)
    inputs = colours.measure(toy_sky.catalogue(3)[0].photometry, np.full(3, 0.1), 1.0, "", np.ones(9))
    assert len(values) == inputs.values.shape[1]
    assert len(indicators) == inputs.indicators.shape[1]
    assert values[9] == "ln_err_u"
    assert values[18:] == ("ln_flux_ref", "redshift", "ln_1pz")
    assert indicators[8] == "missing_Ks"
