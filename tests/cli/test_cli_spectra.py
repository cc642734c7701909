"""`galprism fit LIBRARY SPECTRA … --method full-spectrum`, on files of galaxies whose light is known."""

import sys

import numpy as np
import pytest
from astropy.table import Table
from commands import everything

from galprism.data.tables import open_table, write_table
from galprism.flags import Flag
from galprism.medium import air_from_vacuum
from made_spectra import FIRST, LINES, write_sdss
from spectrum_toys import FWHM, LIBRARY_SIGMA, MIXED, STEP, galaxy, library

N = 2500
WAVE = 10 ** (1e-4 * (FIRST + np.arange(N)))
LOST = np.uint32(Flag.NOT_INFERRED)
SNR = 200.0
BARE = ("--method", "full-spectrum", "--ages", "all", "--logzsol", "all", "--fwhm", LIBRARY_SIGMA * FWHM)
QUICK = (*BARE, "--realisations", "0", "multiplicative=3", "regularisation=0")
LOG_AGE = 9 + np.log10(0.3 * 1 + 0.7 * 8)


@pytest.fixture
def stars(tmp_path):
    """The toy library, as pPXF 9 keeps its own."""
    toy = library()
    nothing = np.zeros((len(toy.age), len(toy.z_met)))
    path = tmp_path / "spectra_fsps_toy.npz"
    metals = np.log10(toy.z_met / 0.02)
    np.savez(path, templates=toy.flux.transpose(2, 1, 0), masses=nothing, ages=toy.age, metals=metals, lam=toy.wave)
    return path


@pytest.fixture(scope="session")
def light():
    """Of the galaxy at redshift 0.05, with noise."""
    flux = 10 * galaxy(MIXED, wave=WAVE)
    return flux + np.random.default_rng(0).normal(0, 10 / SNR, N)


@pytest.fixture
def spec(tmp_path, light):
    """Write it as SDSS does, spoiled as asked."""

    def write(fiber, there=slice(None), **said):
        columns = {"flux": light.astype("f4"), "ivar": np.full(N, (SNR / 10) ** 2, "f4"), "wdisp": 1.3 / STEP / WAVE}
        columns |= {"loglam": 1e-4 * (FIRST + np.arange(N)), "and_mask": np.zeros(N, "i4")}
        columns = {name: column[there] for name, column in columns.items()}
        path = tmp_path / f"spec-{fiber:04d}.fits"
        return write_sdss(path, n=len(columns["flux"]), FIBERID=fiber, **({"Z": 0.05} | columns | said))

    return write


@pytest.fixture
def table(tmp_path, light):
    """Write it as a table, with emission lines, at wavelengths as asked."""

    def write(name="galaxy.ecsv", wave=WAVE):
        lines = sum(h * np.exp(-(((WAVE / 1.05 / rest - 1) * 299792 / 120) ** 2) / 2) for rest, h in LINES["emission"])
        columns = {"wave": wave, "flux": light + lines, "flux_err": np.full(N, 10 / SNR)}
        made = Table(columns, units=["Angstrom", *["1e-17 erg / (s cm2 Angstrom)"] * 2])
        made.write(tmp_path / name)
        return tmp_path / name

    return write


def read(path):
    with open_table(path) as found:
        return found.read() | {"meta": found.meta, "units": {name: info.unit for name, info in found.columns.items()}}


def test_a_row_for_every_spectrum_and_a_reason_for_every_null(galprism, stars, spec, tmp_path):
    files = [
        spec(1),
        spec(2, CLASS="STAR"),
        spec(3, CLASS="QSO"),
        spec(4, ivar=np.zeros(N)),
        spec(5, Z=np.nan),
        spec(6, Z=9.0),
        spec(7, Z=1e-4),
        spec(8, Z=-0.5),
        spec(9, there=np.r_[0:900, 1100:N]),
    ]
    result = galprism("fit", stars, *files, "-o", tmp_path / "ages.parquet", *QUICK)
    assert result.status == 0, result.err
    found = read(tmp_path / "ages.parquet")
    assert found["id"].tolist() == [f"0266-51602-{i:04d}" for i in range(1, 10)]
    reasons = [0, Flag.NOT_A_GALAXY, Flag.NOT_A_GALAXY, Flag.SPECTRUM_MISSING, Flag.REDSHIFT_MISSING]
    reasons += [Flag.REDSHIFT_MISSING, Flag.REDSHIFT_OUT_OF_RANGE, Flag.REDSHIFT_OUT_OF_RANGE, 0]
    assert found["flags"].tolist() == [int(r | LOST) if r else 0 for r in reasons]
    answered = np.array(reasons) == 0
    assert np.array_equal(np.isfinite(found["log_age_lw"]), answered)
    np.testing.assert_allclose(found["log_age_lw"][answered], LOG_AGE, atol=0.06)
    assert found["spectral_class"].tolist()[:3] == ["GALAXY", "STAR", "QSO"]
    assert [name.rpartition("/")[2] for name in found["file"]] == [file.name for file in files]
    assert found["n_pixels"][8] < found["n_pixels"][0] - 150
    assert "2 NOT_A_GALAXY: " in result.out
    assert "9 spectra by full spectrum" in result.out
    assert found["units"]["dispersion"] == "km / s"


def test_any_class_is_fitted_where_asked(galprism, stars, spec, tmp_path):
    out = tmp_path / "ages.csv"
    assert galprism("fit", stars, spec(2, CLASS="STAR"), "-o", out, *QUICK, "--any-class").status == 0
    assert read(out)["log_age_lw"][0] == pytest.approx(LOG_AGE, abs=0.06)


def test_figures_errors_and_a_folder(galprism, stars, spec, tmp_path):
    (tmp_path / "many").mkdir()
    for fiber in (1, 2):
        spec(fiber, Z=0.05 if fiber == 1 else np.nan).rename(tmp_path / "many" / f"spec-{fiber}.fits")
    words = ("--realisations", "3", "multiplicative=3", "--figures", tmp_path / "figures")
    result = galprism("fit", stars, tmp_path / "many", "-o", tmp_path / "ages.fits", *BARE, *words)
    assert result.status == 0, result.err
    found = read(tmp_path / "ages.fits")
    assert found["log_age_lw_std"][0] > 0
    assert found["log_age_lw_p16"][0] < found["log_age_lw"][0] < found["log_age_lw_p84"][0]
    assert found["units"]["velocity_std"] == "km s-1"
    (figure,) = (tmp_path / "figures").iterdir()
    assert figure.name == "0266-51602-0001.png"
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert found["meta"]["predictions"]["n_realisations"] == 3


def test_air_is_declared_or_told_by_lines(galprism, stars, table, tmp_path):
    path = table(wave=air_from_vacuum(WAVE))
    flags, velocity = {}, {}
    for said in ((), ("--air",)):
        out = tmp_path / f"ages{len(said)}.ecsv"
        result = galprism("fit", stars, path, "-o", out, *QUICK, "--redshift", "0.05", *said)
        assert result.status == 0, result.err
        found = read(out)
        flags[said], velocity[said] = found["flags"][0], found["velocity"][0]
    assert flags == {(): Flag.LOOKS_LIKE_AIR, ("--air",): 0}
    assert velocity[("--air",)] - velocity[()] == pytest.approx(83, abs=4)


def test_redshifts_of_a_table_and_files_of_different_grids(galprism, stars, spec, table, tmp_path):
    files = [table("a.ecsv"), table("b.ecsv"), table("c.ecsv"), spec(1, Z=0.3)]
    write_table(tmp_path / "z.csv", {"id": ["0266-51602-0001", "c", "a"], "redshift": [0.05, 8.0, 0.05]})
    out = tmp_path / "ages.parquet"
    result = galprism("fit", stars, *files, "-o", out, *QUICK, "--redshift", tmp_path / "z.csv")
    assert result.status == 0, result.err
    found = read(out)
    missing = int(Flag.REDSHIFT_MISSING | LOST)
    assert found["flags"].tolist() == [0, missing, missing, 0]
    np.testing.assert_array_equal(found["redshift"], [0.05, np.nan, np.nan, 0.05])
    np.testing.assert_allclose(found["log_age_lw"][[0, 3]], LOG_AGE, atol=0.1)  # resampled, and lines masked


def test_files_that_are_no_spectra_are_named_all(refused, galprism, stars, spec, table, tmp_path):
    (tmp_path / "words.fits").write_text("no spectrum")
    (tmp_path / "picture.csv").write_bytes(b"\xff\xd8\xff\xe0" + bytes(range(256)))
    write_table(tmp_path / "catalogue.fits", {"id": [1, 2], "flux_r": [1.0, 2.0]})
    back = WAVE.copy()
    back[7] = back[5]
    table("turns.ecsv", wave=back)
    bad = [tmp_path / name for name in ("words.fits", "picture.csv", "catalogue.fits", "turns.ecsv", "none.fits")]
    words = ("fit", stars, spec(1), *bad, "-o", tmp_path / "ages.parquet", *QUICK)
    before = everything(tmp_path)
    result = galprism(*words)
    assert result.status == 2
    assert all(path.name in result.err for path in bad)
    assert "5 of 6 files cannot be read as spectra" in result.err
    assert f"wave does not ascend: {back[6]:.8g} and then {back[7]:.8g} at pixels 6, 7" in result.err
    assert everything(tmp_path) == before
    result = galprism(*words, "--skip-unreadable")
    assert result.status == 0, result.err
    assert result.out.count("left out: ") == 5
    assert len(read(tmp_path / "ages.parquet")["id"]) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--ages", "3"), "no age 3; it has 0.5"),
        (("--ages", "old"), "--ages old; accepted: numbers"),
        (("--logzsol", "0.1"), "no logzsol 0.1"),
        (("--fwhm", "-1"), "fwhm"),
        (("--realisations", "-1"), "n_realisations = -1; accepted: 0 or more"),
        (("regularization=3",), "did you mean 'regularisation'"),
        (("realisations_of=both",), "realisations_of = 'both'; accepted: 'model', 'observed'"),
        (("--redshift", "nowhere.csv"), "--redshift nowhere.csv; accepted: a number, or a table"),
        (("--redshift", "12"), "--redshift 12; accepted: above -1, to 7, or a table"),
        (("--redshift", "nan"), "--redshift nan; accepted: above -1, to 7, or a table"),
        (("--survey", "kids"), "--survey has no part in --method full-spectrum"),
        (("--workers", "2"), "--workers has no part in --method full-spectrum"),
        (("--method", "grid"), "--ages has no part in --method grid"),
        (("--method", "ppxf"), "pip install ppxf"),
        (("-o", "ages.jpg"), "ages.jpg"),
    ],
)
def test_wrong_requests(refused, stars, spec, tmp_path, monkeypatch, words, said):
    monkeypatch.setitem(sys.modules, "ppxf", None)
    figures = ("--figures", tmp_path / "figures")
    assert refused(("fit", stars, spec(1), "-o", tmp_path / "ages.fits", *BARE, *figures, *words), said)


def test_what_a_file_says_is_not_said_again(galprism, stars, spec, tmp_path):
    result = galprism("fit", stars, spec(1), "-o", tmp_path / "ages.fits", *QUICK, "--air")
    assert result.status == 2
    assert "spec-0001.fits: says all that a reader needs; air: for tables of pixels alone" in result.err


def test_a_library_that_is_none(refused, spec, tmp_path):
    command = ("fit", "bc30", spec(1), "-o", tmp_path / "ages.fits", *QUICK)
    assert refused(command, "library = 'bc30'; accepted: bc03-miles")
