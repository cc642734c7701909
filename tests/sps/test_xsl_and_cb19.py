"""XSL's and CB19's SSPs, read from small files made here in their layouts."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from galprism import passbands
from galprism.errors import RequestError
from galprism.sps import ForwardModel, Galaxies, load_library
from galprism.sps.galaxev import load_galaxev
from galprism.sps.xsl import PER_MSUN, load_xsl

LOG_AGES = (8.0, 9.0, 10.0)
METALS = (-0.4, 0.0, 0.2)
CB_AGES = np.array([0.0, 1e7, 1e9, 1e10])
CB_WAVE = np.linspace(3000.0, 11000.0, 900)


def shape(metal, age, wave):
    """A made-up SSP: fainter and redder with age and metals."""
    return 1e-4 * (age + 0.01) ** -0.8 * (wave / 5500.0) ** (0.3 * np.log10(age + 0.01) + metal)


def write_xsl(folder, *, skip=(), imf="Kroupa", isochrones="PC", change=None):
    log_wave = np.arange(2.5442, 3.394, 5e-4)  # log10 nm
    for metal in METALS:
        for log_age in LOG_AGES:
            if (metal, log_age) in skip:
                continue
            flux = shape(metal, 10 ** (log_age - 9), 10 ** (log_wave + 1)) / PER_MSUN[imf]
            if change is not None:
                change(flux)
            hdu = fits.PrimaryHDU(flux)
            hdu.header["CRVAL1"], hdu.header["CDELT1"], hdu.header["CRPIX1"] = log_wave[0], 5e-4, 1.0
            hdu.writeto(folder / f"XSL_SSP_logT{log_age:.1f}_MH{metal:.1f}_{imf}_{isochrones}.fits")


def write_cb19(folder, *, metals=("004", "017", "0400"), ages=CB_AGES, without=(), imf="chab"):
    for digits in metals:
        metal = np.log10(float("0." + digits) / 0.02)
        spectra = Table({"Wavelength": CB_WAVE})
        for k, age in enumerate(ages):
            spectra[f"t_{k}"] = shape(metal, age / 1e9, CB_WAVE).astype(np.float32)
        old = np.log10(ages[1:])
        properties = Table({"logage_yr": old, "M*_liv": 1 - 0.05 * (old - 6), "M_remnants": 0.02 * (old - 6)})
        for name in without:
            properties.remove_column(name)
        nothing = Table({"x": [1.0]})
        tables = [spectra, properties, nothing, nothing, Table({"age-yr": ages})]
        hdus = [fits.PrimaryHDU(), *(fits.table_to_hdu(table) for table in tables)]
        fits.HDUList(hdus).writeto(folder / f"cb2019_z{digits}_{imf}_hr_xmilesi_ssp.fits")


def test_xsl_names_say_everything(tmp_path):
    write_xsl(tmp_path)
    library = load_library(str(tmp_path))
    np.testing.assert_allclose(library.age, [0.1, 1.0, 10.0])
    np.testing.assert_allclose(library.z_met, 0.0152 * 10 ** np.array(METALS))
    assert library.wave[0] == pytest.approx(3501.1, abs=0.5)
    assert library.wave[-1] == pytest.approx(24_760, rel=0.01)
    np.testing.assert_allclose(library.flux[2, 1], shape(0.2, 1.0, library.wave), rtol=1e-5)
    assert (library.name, library.imf, library.medium) == ("xsl-kroupa-pc", "Kroupa (2001), 0.1-100 Msun", "air")
    assert np.all((library.living < library.surviving) & (library.surviving < 1))


def test_xsl_by_age_and_metallicity_in_the_name(tmp_path):
    write_xsl(tmp_path, isochrones="P00", imf="Salpeter")
    for path in tmp_path.glob("*.fits"):
        log_age, metal = float(path.name[12:].split("_")[0]), float(path.name.split("MH")[1].split("_")[0])
        path.rename(tmp_path / f"XSL_SSP_T{10**log_age:.2e}_Z{0.019 * 10**metal:.6f}_Salpeter_P00.fits")
    library = load_xsl(tmp_path)
    np.testing.assert_allclose(library.z_met, 0.019 * 10 ** np.array(METALS), rtol=1e-4)
    np.testing.assert_allclose(library.age, [0.1, 1.0, 10.0])
    assert library.imf.startswith("Salpeter")


def test_xsl_that_cannot_be_used(tmp_path):
    for name in ("gap", "mixed", "nan"):
        (tmp_path / name).mkdir()
    write_xsl(tmp_path / "gap", skip=[(0.0, 9.0)])
    with pytest.raises(RequestError, match=r"1 SSPs are missing .* the first \[M/H\] = \+0.00, 1 Gyr"):
        load_xsl(tmp_path / "gap")
    write_xsl(tmp_path / "mixed")
    write_xsl(tmp_path / "mixed", imf="Salpeter")
    with pytest.raises(RequestError, match="SSPs of more than one imf: Kroupa, Salpeter"):
        load_xsl(tmp_path / "mixed")
    write_xsl(tmp_path / "nan", change=lambda flux: flux.__setitem__(7, np.nan))
    with pytest.raises(RequestError, match=r"logT8.0_MH-0.4_Kroupa_PC.fits: the flux is not finite at 35\d\d"):
        load_xsl(tmp_path / "nan")
    with pytest.raises(RequestError, match=r"no SSPs here; expected names such as XSL_SSP_logT8.5"):
        load_xsl(tmp_path)


def test_cb19_tables(tmp_path):
    write_cb19(tmp_path)
    library = load_library(str(tmp_path))
    np.testing.assert_allclose(library.z_met, [0.004, 0.017, 0.04])
    np.testing.assert_allclose(library.age, CB_AGES / 1e9)
    np.testing.assert_allclose(library.flux[1, 2], shape(np.log10(0.85), 1.0, CB_WAVE), rtol=1e-5)
    np.testing.assert_allclose(library.living[0], [0.95, 0.95, 0.85, 0.8])  # at age zero as at the first age
    np.testing.assert_allclose(library.surviving[0], [0.97, 0.97, 0.91, 0.88])
    assert library.name == "cb2019-chab"
    assert library.imf.startswith("Chabrier")


def test_the_forward_model_sees_both_alike(tmp_path):
    """The same made-up light in either layout, through a passband."""
    (tmp_path / "xsl").mkdir()
    (tmp_path / "cb").mkdir()
    write_xsl(tmp_path / "xsl")
    write_cb19(tmp_path / "cb", metals=("0152",), ages=np.array([1e8, 1e9, 1e10]))
    fluxes = []
    for library, z_met in ((load_xsl(tmp_path / "xsl"), 0.0152), (load_galaxev(tmp_path / "cb"), 0.0152)):
        model = ForwardModel(library, [passbands.get("SLOAN/SDSS.r")], nebular=False, z_max=0.02)
        fluxes.append(model(Galaxies.from_numpy(redshift=0.01, age=1.0, single_width=0.0, z_met=z_met, ebv=0.0)).flux)
    ratio = shape(0.0, 1.0, 6100.0) / shape(np.log10(0.0152 / 0.02), 1.0, 6100.0)
    assert (fluxes[0] / fluxes[1]).item() == pytest.approx(ratio, rel=0.01)


def test_cb19_that_cannot_be_used(tmp_path):
    for name in ("columns", "ages", "imfs", "none"):
        (tmp_path / name).mkdir()
    write_cb19(tmp_path / "columns", without=["M_remnants"])
    with pytest.raises(RequestError, match="no column M_remnants; expected a table of GALAXEV 2019"):
        load_galaxev(tmp_path / "columns")
    write_cb19(tmp_path / "ages", metals=("004",))
    write_cb19(tmp_path / "ages", metals=("017",), ages=CB_AGES[:3])
    with pytest.raises(RequestError, match=r"z017.*its ages or wavelengths are not those of cb2019_z004"):
        load_galaxev(tmp_path / "ages")
    write_cb19(tmp_path / "imfs")
    write_cb19(tmp_path / "imfs", imf="kroup")
    with pytest.raises(RequestError, match="more than one imf: chab, kroup"):
        load_galaxev(tmp_path / "imfs")
    (tmp_path / "none" / "cb2019_z017_chab_hr_xmilesi_ssp.fits").write_bytes(b"no table")
    with pytest.raises(RequestError, match="cannot be read as a table of GALAXEV 2019"):
        load_galaxev(tmp_path / "none")
    turned = tmp_path / "turned"
    turned.mkdir()
    write_cb19(turned, ages=CB_AGES[[0, 2, 1, 3]])
    with pytest.raises(RequestError, match="age is not ascending"):
        load_galaxev(turned)
