"""Synthetic photometry against laws, published magnitudes and other packages."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from galprism import passbands
from galprism.errors import RequestError
from galprism.passbands import Passband, abflux, band_matrix, line_abflux
from galprism.units import LIGHT_SPEED_ANGSTROM_PER_S as C

SHIPPED = [name for name in passbands.names() if not name.startswith(("speclite", "sedpy"))]


def spectrum(name):
    """(wave, f_lambda) of a star that sedpy ships: Vega (CALSPEC) or the Sun (Kurucz 1993, at 1 au)."""
    table = fits.getdata(Path(find_spec("sedpy").origin).parent / "data" / f"{name}.fits")
    wave, flux = np.array(table["WAVELENGTH"], float), np.array(table["FLUX"], float)
    wave, first = np.unique(wave[np.isfinite(flux)], return_index=True)
    return wave, flux[np.isfinite(flux)][first]


def ab(name, wave, flux):
    return 31.4 - 2.5 * np.log10(abflux(passbands.get(name), wave, flux))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_flat_source_has_the_same_flux_in_every_band(name):
    """1 uJy of f_nu is 1000 nJy through any curve, given as f_nu on any grid, or as f_lambda on a fine one."""
    band = passbands.get(name)
    coarse = np.array([1000.0, 7000.0, 30000.0])
    assert abflux(band, coarse, np.full(3, 1e-29), kind="f_nu") == pytest.approx(1000.0, rel=1e-12)
    fine = np.geomspace(2000, 30000, 20001)
    assert abflux(band, fine, 1e-29 * C / fine**2) == pytest.approx(1000.0, rel=1e-6)


def test_integration_is_exact_for_curves_and_spectra_that_are_linear():
    band = Passband.from_arrays("triangle", [4000.0, 5000.0, 6000.0], [0.0, 1.0, 0.0])
    # f = a + b l; int f T l dl and int T / l dl in closed form
    a, b = 1e-17, 2e-21

    def moment(p):
        """int T l^p dl over both sides of the triangle."""
        power = lambda low, high, q: (high**q - low**q) / q  # noqa: E731
        rising = power(4000, 5000, p + 2) - 4000 * power(4000, 5000, p + 1)
        falling = 6000 * power(5000, 6000, p + 1) - power(5000, 6000, p + 2)
        return (rising + falling) / 1000

    below = (1000 - 4000 * np.log(5 / 4)) / 1000 + (6000 * np.log(6 / 5) - 1000) / 1000
    expected = 1e32 * (a * moment(1) + b * moment(2)) / (C * below)
    assert abflux(band, [3000.0, 9000.0], [a + 3000 * b, a + 9000 * b]) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize(("band", "published"), [("u", 6.39), ("g", 5.11), ("r", 4.65), ("i", 4.53), ("z", 4.50)])
def test_the_sun_in_sdss(band, published):
    """Absolute AB magnitudes of Willmer (2018, ApJS 236, 47), Table 3."""
    wave, flux = spectrum("sun_kurucz93")
    parsec_in_au = 648000 / np.pi
    assert ab(f"sdss/{band}", wave, flux / (10 * parsec_in_au) ** 2) == pytest.approx(published, abs=0.02)


@pytest.mark.parametrize(
    ("name", "zero_point_jy"),
    [
        # SVO Filter Profile Service, SLOAN/SDSS.*; u through the response of 2001, which the zero point belongs to
        ("sedpy/sdss_u0", 1582.54),
        ("sdss/g", 4023.57),
        ("sdss/r", 3177.38),
        ("sdss/i", 2593.40),
        ("sdss/z", 2238.99),
        # Cohen, Wheaton & Megeath (2003, AJ 126, 1090), Table 2
        ("speclite/twomass-J", 1594.0),
        ("speclite/twomass-H", 1024.0),
        ("speclite/twomass-Ks", 666.7),
    ],
)
def test_vega_in_sdss_and_2mass(name, zero_point_jy):
    wave, flux = spectrum("alpha_lyr_stis_011" if "sdss" in name else "alpha_lyr_stis_005")
    assert ab(name, wave, flux) == pytest.approx(31.4 - 2.5 * np.log10(zero_point_jy * 1e9), abs=0.02)


def test_agreement_with_speclite():
    """Within 1 mmag on a smooth red spectrum, through the shipped SDSS curves and a sample of speclite's own.

    Shipped u is left out: speclite draws a straight line over 3460 A between u and its red leak, where its table has
    no rows; that line alone is worth 6 mmag here.
    """
    filters = pytest.importorskip("speclite.filters")
    wave = np.arange(2500.0, 30000.0, 5.0)
    flux = 1e-16 * (wave / 5000) ** 1.5 * (1 + 0.3 * np.sin(wave / 300))
    pairs = [(f"sdss/{band}", f"sdss2010-{band}") for band in "griz"]
    pairs += [
        (f"speclite/{name}", name) for name in ("sdss2010-u", "hsc2017-g", "decam2014-z", "twomass-Ks", "lsst2023-y")
    ]
    for ours, theirs in pairs:
        response = filters.load_filter(theirs)
        expected = response.get_ab_magnitude(flux, wave)
        assert ab(ours, wave, flux) == pytest.approx(expected, abs=1e-3), ours


@pytest.mark.parametrize("name", ["vista_vircam_Z", "vista_vircam_Y", "vista_vircam_J", "vista_vircam_H", "sdss_u0"])
def test_agreement_with_sedpy(name):
    """Within 1 mmag on Vega; the shipped VISTA curves stay within 1 mmag too after the noise is cut off."""
    observate = pytest.importorskip("sedpy.observate")
    wave, flux = spectrum("alpha_lyr_stis_011")
    expected = observate.Filter(name).ab_mag(wave, flux)
    assert ab(f"sedpy/{name}", wave, flux) == pytest.approx(expected, abs=1e-3)
    if name.startswith("vista"):
        assert ab(f"viking/{name[-1]}", wave, flux) == pytest.approx(expected, abs=1e-3)


def test_many_spectra_are_one_product():
    wave = np.linspace(3000, 12000, 500)
    flux = np.random.default_rng(0).random((4, 3, 500))
    together = abflux(passbands.get("sdss/r"), wave, flux)
    assert together.shape == (4, 3)
    assert together[2, 1] == pytest.approx(abflux(passbands.get("sdss/r"), wave, flux[2, 1]), rel=1e-12)


def test_a_spectrum_that_does_not_reach_is_refused():
    with pytest.raises(RequestError, match=r"covers 5000 to 9000 Angstrom, but passband Paranal/OmegaCAM.u_SDSS"):
        abflux(passbands.get("kids/u"), [5000.0, 9000.0], [1.0, 1.0])


@pytest.mark.parametrize(
    ("wave", "flux", "kind", "says"),
    [
        ([3000, 9000], [1, 1, 1], "f_lambda", "expected"),
        ([9000, 3000], [1, 1], "f_lambda", "do not ascend"),
        ([3000, 9000], [1, 1], "photons", "accepted: 'f_lambda', 'f_nu'"),
    ],
)
def test_what_is_not_a_spectrum_is_refused(wave, flux, kind, says):
    with pytest.raises(RequestError, match=says):
        abflux(passbands.get("kids/r"), wave, flux, kind)


def test_the_matrix_gives_what_direct_integration_gives():
    """Bin-averaged f_lambda on the grid of the forward model, against the spectrum itself, within 1 mmag."""
    bands = [passbands.get(name) for name in SHIPPED]
    step = 0.002
    centres = np.exp(np.arange(np.log(2000), np.log(30000), step))
    fine = np.exp(np.arange(np.log(1990), np.log(30100), step / 50))
    shape = 1e-16 * (fine / 5000) ** -0.5 * (1 + 0.2 * np.sin(fine / 150))
    # mean of the spectrum over each bin, exact for a spectrum linear between the fine points
    integral = np.concatenate([[0.0], np.cumsum(0.5 * (shape[1:] + shape[:-1]) * np.diff(fine))])
    edges = np.concatenate([centres * np.exp(-step / 2), [centres[-1] * np.exp(step / 2)]])
    mean = np.diff(np.interp(edges, fine, integral)) / np.diff(edges)
    matrix = band_matrix(bands, centres)
    assert matrix.shape == (len(centres), len(bands))
    direct = [abflux(band, fine, shape) for band in bands]
    assert np.abs(2.5 * np.log10(mean @ matrix / direct)).max() < 1e-3


def test_the_matrix_keeps_every_photon():
    """Column sums are int T lambda dlambda / (c int T dlambda / lambda) = pivot^2 / c, whatever the bins."""
    band = passbands.get("viking/H")
    for step in (0.05, 0.002):
        centres = np.exp(np.arange(np.log(5000), np.log(30000), step))
        total = band_matrix([band], centres).sum()
        assert total == pytest.approx(1e32 * band.pivot**2 / C, rel=1e-9)


def test_the_matrix_wants_uniform_bins_that_cover_the_bands():
    band = passbands.get("kids/r")
    with pytest.raises(RequestError, match="not uniform in ln"):
        band_matrix([band], np.linspace(3000, 10000, 100))
    with pytest.raises(RequestError, match="at least two positive"):
        band_matrix([band], [5000.0])
    short = np.geomspace(6500, 10000, 100)
    with pytest.raises(RequestError, match=r"passband Paranal/OmegaCAM.r_SDSS reaches from"):
        band_matrix([band], short)
    whole = band_matrix([band], np.geomspace(4000, 10000, 2000)).sum()
    assert 0.2 * whole < band_matrix([band], short, partial=True).sum() < 0.5 * whole


def test_a_line_is_the_limit_of_a_narrow_spectrum():
    band = passbands.get("kids/i")
    wave = np.linspace(6000, 10000, 400_001)
    total, sigma = 3e-16, 0.5
    for centre in (7000.0, 7523.0, 8300.0):
        narrow = total * np.exp(-0.5 * ((wave - centre) / sigma) ** 2) / (np.sqrt(2 * np.pi) * sigma)
        assert line_abflux(band, centre, total) == pytest.approx(abflux(band, wave, narrow), rel=1e-4)
    assert line_abflux(band, 5000.0, total) == 0.0
