"""Curves by name: shipped, of installed packages, in a user's files."""

import numpy as np
import pytest
from astropy.table import Table

from galprism import passbands
from galprism.errors import RequestError
from galprism.passbands import known
from galprism.passbands.files import filter_res_headers

WAVE = np.arange(5000.0, 6001.0, 50.0)
TOP = np.clip(np.minimum(WAVE - 5000, 6000 - WAVE) / 200, 0, 1).round(6)


@pytest.fixture(autouse=True)
def no_network(monkeypatch, tmp_path):
    monkeypatch.setenv("GALPRISM_OFFLINE", "1")
    monkeypatch.setenv("GALPRISM_CACHE", str(tmp_path / "cache"))


def two_columns(path, wave=WAVE, value=TOP, header=""):
    path.write_text(header + "".join(f"{w} {t}\n" for w, t in zip(wave, value, strict=True)))
    return path


def test_every_survey_band_has_its_curve():
    """Effective wavelengths of the surveys' papers: KiDS (de Jong et al. 2013), VIKING (Edge et al. 2013), SDSS."""
    expected = dict(u=3560, g=4680, r=6260, i=7530, Z=8770, Y=10200, J=12520, H=16450, Ks=21470)
    for band, wave in expected.items():
        assert passbands.get(f"kids/{band}").effective_wavelength == pytest.approx(wave, rel=0.006), band
    for band, wave in dict(u=3551, g=4686, r=6166, i=7480, z=8932).items():
        assert passbands.get(f"sdss/{band}").effective_wavelength == pytest.approx(wave, rel=0.008), band


@pytest.mark.parametrize("name", [name for name in passbands.names() if "/" in name and name in known.SHIPPED])
def test_shipped_curves_say_where_they_come_from_and_are_read_by_astropy(name):
    band = passbands.get(name)
    for key in ("description", "source", "reference", "response", "changes"):
        assert band.provenance[key], key
    table = Table.read(known.CURVES / f"{known.SHIPPED[name][0]}.ecsv")
    assert table.meta["name"] == name
    assert str(table["wavelength"].unit) == "Angstrom"
    np.testing.assert_array_equal(table["wavelength"], band.wave)
    np.testing.assert_array_equal(table["throughput"], band.throughput)


def test_aliases_are_the_same_passband():
    assert passbands.get("kids/Z") is passbands.get("vista.vircam.Z") is passbands.get("Paranal/VISTA.Z")
    assert set(known.ALIASES.values()) == set(known.SHIPPED)


def test_every_curve_of_speclite_and_sedpy_can_be_had():
    found = [name for name in passbands.names() if name.startswith(("speclite/", "sedpy/"))]
    assert len(found) > 300
    hashes = {passbands.get(name).hash for name in found}
    assert len(hashes) > 0.9 * len(found)


def test_without_the_packages_their_curves_are_refused_by_name(monkeypatch):
    monkeypatch.setattr(known, "find_spec", lambda package: None)
    known._package_curves.cache_clear()
    try:
        assert [name for name in passbands.names() if not name.startswith("jpas/")] == list(known.SHIPPED)
        with pytest.raises(RequestError, match=r"sedpy, which is not installed \(pip install astro-sedpy\)"):
            passbands.get("sedpy/sdss_u0")
    finally:
        known._package_curves.cache_clear()


def test_an_unknown_name_is_answered_with_near_ones():
    with pytest.raises(RequestError, match="did you mean kids/Ks"):
        passbands.get("kids/ks")


def test_a_two_column_file(tmp_path):
    path = two_columns(tmp_path / "mine.res", value=100 * TOP, header="# a comment\nlambda T\n\n")
    band = passbands.get(path)
    assert band.name == "mine"
    assert band.provenance["file"] == "mine.res"
    np.testing.assert_allclose(band.throughput.max(), 1.0)
    nm = two_columns(tmp_path / "nm.csv", wave=WAVE / 10)
    assert passbands.read_curve(nm, wave_unit="nm", name="x").hash == passbands.get(two_columns(path)).hash


def test_an_ecsv_of_the_users_with_units_and_meta(tmp_path):
    table = Table({"wl": WAVE / 10, "T": 90 * TOP}, meta={"name": "lab/V", "medium": "air"})
    table["wl"].unit, table["T"].unit = "nm", "%"
    for delimiter in (" ", ","):
        table.write(tmp_path / "lab.ecsv", delimiter=delimiter, overwrite=True)
        band = passbands.get(tmp_path / "lab.ecsv")
        assert band.name == "lab/V"
        assert band.throughput.max() == pytest.approx(0.9)
        assert band.wave[0] == pytest.approx(5001.4, abs=0.05)


def test_an_ecsv_with_names_of_its_own_is_read_by_position(tmp_path):
    Table({"x": WAVE, "y": TOP}).write(tmp_path / "xy.ecsv")
    assert passbands.get(tmp_path / "xy.ecsv").hash == passbands.get(two_columns(tmp_path / "xy.txt")).hash


def test_what_is_written_is_read_back(tmp_path):
    band = passbands.get("viking/J")
    passbands.write_ecsv(tmp_path / "j.ecsv", band)
    again = passbands.get(tmp_path / "j.ecsv")
    assert again.hash == band.hash
    assert again.name == band.name
    assert again.provenance["reference"] == band.provenance["reference"]


@pytest.fixture
def filter_res(tmp_path):
    path = tmp_path / "FILTER.RES"
    with path.open("w") as file:
        for shift, header in ((0, "one/V.dat +atm lambda_c= 5.5e3"), (1000, "two/R.dat"), (2000, "two/I.dat")):
            file.write(f"{len(WAVE):6d} {header}\n")
            file.writelines(f"{i + 1} {w + shift} {t}\n" for i, (w, t) in enumerate(zip(WAVE, TOP, strict=True)))
    return path


def test_filter_res_by_number_and_by_name(filter_res):
    assert passbands.get(f"{filter_res}:2").pivot == pytest.approx(passbands.get(f"{filter_res}:two/R").pivot)
    band = passbands.get(f"{filter_res}:1")
    assert band.name == "FILTER.RES:1"
    assert band.provenance["description"].startswith("one/V.dat")
    assert band.wave[0] == 5000
    assert len(filter_res_headers(filter_res.read_text() + "\n")) == 3


@pytest.mark.parametrize(
    ("selector", "says"),
    [("4", "it has 1 to 3"), ("0", "it has 1 to 3"), ("two", "fits 2 curves"), ("K", "fits 0 curves .* .none.")],
)
def test_filter_res_wants_one_curve(filter_res, selector, says):
    with pytest.raises(RequestError, match=says):
        passbands.get(f"{filter_res}:{selector}")


@pytest.mark.parametrize(
    ("content", "selector", "says"),
    [
        ("not a curve\n", None, "holds no curve"),
        ("5000 0\n5100 1\n5200 zero\n", None, "line 3"),
        ("5000 0\n5100 1\n", "1", "could not convert|expected lines of number"),
        ("a b\n", "1", "is not a FILTER.RES file"),
        ("2 x\n1 5000 0\n2 5100 one\n", "1", "could not convert"),
        ("2 x\n1 5000\n2 5100\n", "1", "expected lines of number, wavelength, transmission"),
        ("# %ECSV 1.0\n", None, "no row of column names"),
        ("# %ECSV 1.0\nwavelength\n5000\n", None, "expected a wavelength and a throughput"),
        ("# %ECSV 1.0\nwavelength T\n5000 x\n", None, "a row is not numbers"),
        ("# %ECSV 1.0\nwavelength T\n5000 1\n", None, "holds 1 rows"),
        ("2.0e9 0\n2.1e9 1\n2.2e9 0\n", None, "peaks at 2.1e.09 Angstrom .* no models there: leave the curve out"),
        ("400 0\n500 1\n600 0\n", None, "peaks at 500 Angstrom .* Is the unit nm or um"),
        ("4000 0\n5000 0\n6000 0\n", None, "no value is positive"),
    ],
)
def test_a_broken_file_is_refused_by_name(tmp_path, content, selector, says):
    path = tmp_path / "broken.txt"
    path.write_text(content)
    with pytest.raises(RequestError, match=says) as error:
        passbands.read_curve(path, selector)
    assert "broken.txt" in str(error.value)


def test_a_file_that_is_not_there_or_not_text(tmp_path):
    with pytest.raises(RequestError, match="cannot read passband file"):
        passbands.read_curve(tmp_path / "none.txt")
    (tmp_path / "binary.dat").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(RequestError, match="is not text"):
        passbands.read_curve(tmp_path / "binary.dat")
