"""The light of stars: published colours given back, black bodies where stars are such, a user's templates."""

import re

import numpy as np
import pytest

from galprism.errors import GalprismError, RequestError
from galprism.passbands import abflux, get
from galprism.sps.published import read_table
from galprism.sps.star_colours import (
    AB_FROM_VEGA,
    BANDS,
    absolute_r,
    dwarf_colours,
    giant_colours,
    giant_g_i,
    magnitudes,
    white_dwarfs,
)
from galprism.sps.star_spectra import WAVE, StarSpectra, load_star_spectra, smooth_spectra
from galprism.sps.stars import StarModel
from galprism.units import LIGHT_SPEED_ANGSTROM_PER_S, abmag_from_njy

KNOWN = [get(name) for name in BANDS]
G_BAND, R_BAND, I_BAND = (BANDS.index(f"SLOAN/SDSS.{band}") for band in "gri")


@pytest.fixture(scope="module")
def model() -> StarModel:
    return StarModel([*KNOWN, get("kids/u"), get("kids/Y"), get("euclid/VIS")])


def planck(wave: np.ndarray, teff: float) -> np.ndarray:
    """f_lambda of a black body, any unit."""
    return wave**-5.0 / np.expm1(1.438777e8 / (wave * teff))


def test_photometry_gives_back_the_locus(model):
    """At metallicities and colours between the rows of the tables, too."""
    g_i = np.repeat(np.arange(0.12, 4.3, 0.23), 3)
    feh = np.tile([-1.9, -0.6, -0.1], len(g_i) // 3)
    for flux, colours in ((model.dwarfs, dwarf_colours), (model.giants, giant_colours)):
        found = abmag_from_njy(flux(20.0, g_i, feh))[:, :8]
        np.testing.assert_allclose(found, 20.0 + magnitudes(colours(g_i, feh)), atol=0.01)
        grid = np.arange(0.1, 4.3, 0.2)
        np.testing.assert_allclose(
            -np.diff(abmag_from_njy(flux(20.0, grid, -0.5))[:, :8]), colours(grid, -0.5), atol=0.005
        )


def test_a_smooth_spectrum_has_its_magnitudes_by_independent_photometry():
    colours = dwarf_colours(np.array([0.3, 1.5, 3.0]), -0.5)
    spectra = smooth_spectra(KNOWN, magnitudes(colours))
    found = np.stack([abmag_from_njy(abflux(band, WAVE, spectra)) for band in KNOWN], axis=1)
    np.testing.assert_allclose(-np.diff(found), colours, atol=0.004)


def test_the_locus_is_that_of_the_paper():
    """Covey et al. (2007): an M star of g-i = 2.5 has g-r 1.41, r-i 1.08 and 2MASS J-H 0.62 in Vega magnitudes."""
    colours = dwarf_colours(2.5, -0.5)
    np.testing.assert_allclose(colours[[1, 2]], [1.412, 1.08], atol=0.01)
    assert colours[5] - AB_FROM_VEGA["J"] + AB_FROM_VEGA["H"] == pytest.approx(0.62, abs=0.01)


def test_vega_zero_points():
    """Blanton & Roweis (2007, AJ 133, 734) have 0.91, 1.39 and 1.85 by Kurucz's Vega."""
    np.testing.assert_allclose([AB_FROM_VEGA[band] for band in ("J", "H", "Ks")], [0.91, 1.39, 1.85], atol=0.025)


def test_fewer_metals_less_blanketing():
    """At one g-i a metal-poor F star is bluer in u-g, by about 0.2 mag from -0.5 to -2 (Yuan et al. 2015)."""
    poor, rich = dwarf_colours(0.5, -2.0)[0], dwarf_colours(0.5, -0.5)[0]
    assert 0.15 < rich - poor < 0.35


def test_absolute_magnitudes():
    """The Sun, g-i = 0.57 (Holmberg et al. 2006 with the locus), has M_r = 4.65; subdwarfs lie below the dwarfs."""
    assert absolute_r(0.57, 0.0) == pytest.approx(4.65, abs=0.35)
    assert absolute_r(0.57, -1.5) - absolute_r(0.57, 0.0) == pytest.approx(1.26, abs=0.01)
    assert np.all(np.diff(giant_g_i(np.arange(-1.0, 2.5, 0.5), -1.5)) < 0), "the giant branch reddens upwards"


def test_a_magnitude_scales_the_light(model):
    """Ten times as far, a hundred times fainter."""
    near, far = model.dwarfs([15.0], [1.0], [-0.5]), model.dwarfs([20.0], [1.0], [-0.5])
    np.testing.assert_allclose(near, 100.0 * far)
    teff = np.array([6000.0, 30000.0])
    np.testing.assert_allclose(model.white_dwarfs(0.0, teff), 100.0 * model.white_dwarfs(5.0, teff))


def test_bands_between_follow(model):
    """VISTA Y lies between z and J in wavelength and so does its flux for a cool star; Euclid's I_E between r and z."""
    mags = abmag_from_njy(model.dwarfs([20.0], [2.5], [-0.5]))[0]
    z, j, y, vis = mags[4], mags[5], mags[9], mags[10]
    assert j < y < z
    assert z < vis < mags[R_BAND] + 0.1
    assert mags[8] == pytest.approx(mags[0], abs=0.2), "OmegaCAM u is like that of SDSS"


def test_hot_white_dwarfs_are_black_bodies_in_the_rayleigh_jeans_limit(model):
    """Colours of 100 000 K from r to Ks are those of f_nu ~ nu^2 to 0.12 mag, and those of Planck more closely."""
    found = -np.diff(abmag_from_njy(model.white_dwarfs(0.0, [100_000.0]))[0, R_BAND:8])
    limit = -np.diff([abmag_from_njy(abflux(band, WAVE, WAVE**-4.0)) for band in KNOWN[R_BAND:]])
    black = -np.diff([abmag_from_njy(abflux(band, WAVE, planck(WAVE, 1e5))) for band in KNOWN[R_BAND:]])
    np.testing.assert_allclose(found, limit, atol=0.12)
    assert np.abs(found - black).sum() < np.abs(found - limit).sum()


def test_hotter_white_dwarfs_are_bluer_and_brighter(model):
    mags = abmag_from_njy(model.white_dwarfs(0.0, [5000.0, 8000.0, 15000.0, 40000.0]))
    assert np.all(np.diff(mags[:, G_BAND] - mags[:, I_BAND]) < 0)
    assert np.all(np.diff(mags[:, R_BAND]) < 0)


def test_hydrogen_shows_in_u():
    """The Balmer jump: at 12 000 K a DA is fainter in u, against g, than a DB by some 0.4 mag."""
    at = {name: white_dwarfs(name) for name in ("DA", "DB")}
    u_g = [np.interp(12000.0, s.teff[::-1], (s.absolute[:, 0] - s.absolute[:, 1])[::-1]) for s in at.values()]
    assert 0.3 < u_g[0] - u_g[1] < 0.7


def test_white_dwarfs_between_the_models(model):
    sequence = white_dwarfs("DA")
    rows = slice(10, 40, 7)
    found = abmag_from_njy(model.white_dwarfs(0.0, sequence.teff[rows]))[:, :8]
    np.testing.assert_allclose(found, sequence.absolute[rows], atol=0.002)


def test_the_ends_of_smooth_spectra():
    """Redwards of Ks they are of the Rayleigh–Jeans law; bluewards of u they go on as from g to u."""
    spectrum = smooth_spectra(KNOWN, magnitudes(dwarf_colours(1.0, -0.5))[None])[0]
    f_nu = spectrum * WAVE**2 / LIGHT_SPEED_ANGSTROM_PER_S
    slope = np.gradient(np.log(f_nu), np.log(WAVE))
    np.testing.assert_allclose(slope[WAVE > 25000.0], -2.0, atol=1e-6)
    assert np.ptp(slope[WAVE < 3400.0]) < 1e-6
    assert slope[0] > 3.0, "a G star fades fast into the ultraviolet"


def test_what_is_off_the_tables_is_refused(model):
    with pytest.raises(RequestError, match=r"g-i from 0.05 .*accepted: 0.1 to 4.34"):
        model.dwarfs([20.0], [0.05], [-0.5])
    with pytest.raises(RequestError, match=r"g-i from 5 "):
        dwarf_colours(5.0, 0.0)
    with pytest.raises(RequestError, match=r"Teff from 2000 .*3250"):
        model.white_dwarfs(0.0, [2000.0])
    with pytest.raises(RequestError, match="atmosphere 'DQ'"):
        model.white_dwarfs(0.0, [9000.0], "DQ")
    with pytest.raises(RequestError, match="atmosphere 'DQ'"):
        white_dwarfs("DQ")
    with pytest.raises(RequestError, match="all of them finite"):
        smooth_spectra(KNOWN, [[20.0, 20.0, 20.0, 20.0, 20.0, 20.0, 20.0, np.inf]])
    with pytest.raises(GalprismError, match="no smooth spectrum"):
        smooth_spectra(KNOWN[:3], [[60.0, 20.0, 60.0]])


def test_tables_are_shipped_whole():
    assert len(read_table("galprism.sps", "covey2007.csv")["g_i"]) == 44
    assert set(read_table("galprism.sps", "white_dwarfs.csv")["type"]) == {"DA", "DB"}


# Templates of the user's.


def write_template(path, teff, wave=None):
    wave = np.arange(3000.0, 26000.0, 50.0) if wave is None else wave
    flux = planck(wave, teff) / planck(np.array(5500.0), teff)
    path.write_text("# a star\n" + "".join(f"{w} {f:.6e}\n" for w, f in zip(wave, flux, strict=True)))


def test_each_star_takes_the_template_nearest_in_colour(tmp_path):
    for teff in (3500, 5000, 7000):
        write_template(tmp_path / f"t{teff}.sed", teff)
    library = load_star_spectra(tmp_path)
    assert library.names == ("t3500", "t5000", "t7000")
    bands = KNOWN[1:7]
    model = StarModel(bands, library)
    wave = library.wave
    own = {
        t: abmag_from_njy([float(abflux(band, wave, planck(wave, t))) for band in bands]) for t in (3500, 5000, 7000)
    }
    g_i = [own[7000][0] - own[7000][2] - 0.1, own[5000][0] - own[5000][2] + 0.05, 4.0]
    found = abmag_from_njy(model.dwarfs([18.0, 19.0, 20.0], g_i, 0.0))
    np.testing.assert_allclose(found[:, 1], [18.0, 19.0, 20.0], atol=1e-6)
    for row, teff in zip(found, (7000, 5000, 3500), strict=True):
        np.testing.assert_allclose(np.diff(row), np.diff(own[teff]), atol=1e-3)


def test_templates_on_other_wavelengths_are_brought_to_one_grid(tmp_path):
    write_template(tmp_path / "a.txt", 6000)
    write_template(tmp_path / "b.txt", 4000, np.arange(3500.0, 25000.0, 20.0))
    library = load_star_spectra(tmp_path)
    assert (library.wave[0], library.wave[-1]) == (3500.0, 24950.0)
    shape = planck(library.wave, 4000.0) / planck(np.array(5500.0), 4000.0)
    np.testing.assert_allclose(library.flux[1], shape, rtol=1e-3)


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("3000 1\n3100 x\n", 2, "expected two numbers"),
        ("# head\n3000 1\n3100\n", 3, "expected two numbers"),
        ("3000 1\n2900 1\n", 2, "expected to ascend"),
        ("3000 1\n3100 nan\n", 2, "expected finite"),
        ("3000 1\n\n3100 -1\n3200 -0.001\n", 3, "expected none below"),
    ],
)
def test_bad_templates_are_named_with_the_line(tmp_path, text, line, why):
    write_template(tmp_path / "good.txt", 5000)
    (tmp_path / "wrong.txt").write_text(text)
    with pytest.raises(RequestError, match=rf"wrong\.txt, line {line}: .*{why}"):
        load_star_spectra(tmp_path)


def test_folders_without_templates(tmp_path):
    with pytest.raises(RequestError, match="no such folder"):
        load_star_spectra(tmp_path / "none")
    with pytest.raises(RequestError, match="no files here"):
        load_star_spectra(tmp_path)
    (tmp_path / "empty.txt").write_text("# nothing\n")
    with pytest.raises(RequestError, match=re.escape("empty.txt: 0 points")):
        load_star_spectra(tmp_path)
    (tmp_path / "empty.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RequestError, match="not text"):
        load_star_spectra(tmp_path)
    write_template(tmp_path / "empty.txt", 5000, np.arange(3000.0, 4000.0, 10.0))
    write_template(tmp_path / "red.txt", 5000, np.arange(5000.0, 6000.0, 10.0))
    with pytest.raises(RequestError, match="no wavelengths in common"):
        load_star_spectra(tmp_path)


def test_templates_must_cover_the_bands(tmp_path):
    write_template(tmp_path / "a.txt", 5000, np.arange(2900.0, 11300.0, 20.0))
    with pytest.raises(RequestError, match=r"2MASS/2MASS\.J reaches"):
        StarModel(KNOWN[:6], load_star_spectra(tmp_path))
    dark = StarSpectra(("dark",), WAVE, np.where(WAVE > 9000.0, 1.0, 0.0)[None])
    with pytest.raises(RequestError, match="dark has no light"):
        StarModel(KNOWN[:3], dark)
    with pytest.raises(RequestError, match="expected 2 names"):
        StarSpectra(("a", "b"), WAVE, np.ones((1, len(WAVE))))
