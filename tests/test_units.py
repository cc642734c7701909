"""Units against published values and against astropy."""

import astropy.units as u
import numpy as np
import pytest

from galprism.errors import RequestError
from galprism.units import (
    abmag_from_njy,
    flux_err_from_mag_err,
    mag_err_from_flux_err,
    njy_from_abmag,
    njy_per,
)


@pytest.mark.parametrize(
    ("unit", "njy"),
    [
        ("nJy", 1),
        ("uJy", 1e3),
        (" microJy ", 1e3),
        ("mJy", 1e6),
        ("Jy", 1e9),
        ("MJy", 1e15),  # mega, whatever its likeness to milli
        ("erg s-1 cm-2 Hz-1", 1e32),
        ("W m-2 Hz-1", 1e35),
        ("1e-29 erg s-1 cm-2 Hz-1", 1e3),
    ],
)
def test_known_units(unit, njy):
    assert njy_per(unit) == pytest.approx(njy, rel=1e-12)


def test_sdss_nanomaggies():
    # a nanomaggy is a source of 22.5 mag (AB): 3.631e-6 Jy
    for unit in ("nanomaggy", "nanomaggies", "nmgy"):
        assert njy_per(unit) == pytest.approx(3631, rel=2e-4)
        assert abmag_from_njy(njy_per(unit)) == pytest.approx(22.5)
    assert njy_per("maggy") == pytest.approx(1e9 * njy_per("nanomaggy"))
    astropys = (1 * u.nmgy).to_value(u.nJy, u.zero_point_flux(1 * u.AB))
    assert njy_per("nmgy") == pytest.approx(astropys, rel=1e-9)


@pytest.mark.parametrize("unit", ["mag", "erg s-1 cm-2 Angstrom-1", "counts", "flux", "", "deg"])
def test_what_is_no_flux_density_is_refused(unit):
    with pytest.raises(RequestError, match=f"unit {unit!r} is not a flux density; accepted: nJy"):
        njy_per(unit)


def test_ab_magnitudes():
    # Oke & Gunn 1983: m = -2.5 log10(f / erg s-1 cm-2 Hz-1) - 48.6
    cgs = np.array([1e-26, 3.63e-20])
    np.testing.assert_allclose(abmag_from_njy(cgs * 1e32), -2.5 * np.log10(cgs) - 48.6, atol=1e-12)
    np.testing.assert_allclose(abmag_from_njy(1e9 * 3631), 0, atol=1e-3)
    mags = np.linspace(-5, 35, 9)
    np.testing.assert_allclose(abmag_from_njy(njy_from_abmag(mags)), mags, atol=1e-12)


def test_no_magnitude_for_a_flux_that_is_not_positive():
    np.testing.assert_array_equal(abmag_from_njy([0.0, -1.0, np.nan]), [np.nan] * 3)
    np.testing.assert_array_equal(mag_err_from_flux_err([0.0, -1.0], [1.0, 1.0]), [np.nan] * 2)


def test_errors_are_the_derivative_of_the_magnitude():
    flux, err = np.array([1.0, 100.0]), np.array([1e-6, 1e-4])
    slope = (abmag_from_njy(flux) - abmag_from_njy(flux + err)) / err
    np.testing.assert_allclose(mag_err_from_flux_err(flux, err), slope * err, rtol=1e-5)
    np.testing.assert_allclose(flux_err_from_mag_err(flux, mag_err_from_flux_err(flux, err)), err)
    assert flux_err_from_mag_err(-2.0, 0.1) > 0
