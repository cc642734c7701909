import numpy as np
import pytest
from astropy.table import Table

from galprism.data.spectrum_files import gathered, read_sdss, read_spectra
from galprism.data.spectrum_files.spectrum import spectrum
from galprism.errors import RequestError
from galprism.flags import Flag, names
from made_spectra import FIRST, desi_arrays, write_desi, write_sdss


def flags(got):
    return [names(value) for value in got.sources.flags]


def test_a_folder_in_order(tmp_path):
    for fiber in (7, 3, 5):
        write_sdss(tmp_path / f"spec-{fiber}.fits", FIBERID=fiber, Z=fiber / 100, CLASS="STAR", first=FIRST + fiber)
    (tmp_path / "notes.txt").write_text("no spectrum")
    got = read_spectra(tmp_path)
    np.testing.assert_array_equal(got.sources.id, ["0266-51602-0003", "0266-51602-0005", "0266-51602-0007"])
    np.testing.assert_array_equal(got.sources.redshift, [0.03, 0.05, 0.07])
    np.testing.assert_array_equal(got.spectral_class, ["STAR"] * 3)
    np.testing.assert_array_equal(got.zwarning, [0, 0, 0])
    np.testing.assert_allclose(got.sn, 17.7)
    np.testing.assert_array_equal(got.origin, [str(tmp_path / f"spec-{fiber}.fits") for fiber in (3, 5, 7)])
    assert (got.failed, got.notes, flags(got)) == ((), (), [(), (), ()])
    assert read_spectra(tmp_path / "spec-5.fits").sources.id[0] == "0266-51602-0005"


def test_every_file_that_cannot_be_read_is_named(tmp_path):
    write_sdss(tmp_path / "a.fits")
    write_sdss(tmp_path / "b.fits", drop=("flux",))
    (tmp_path / "c.csv").write_text("file,z\nspec.fits,0.1\n")
    with pytest.raises(RequestError, match="2 of 3 files cannot be read as spectra") as caught:
        read_spectra(tmp_path)
    assert "b.fits: lacks flux" in str(caught.value)
    assert "c.csv: has no column wave, flux, ivar or flux_err" in str(caught.value)
    got = read_spectra(tmp_path, skip_unreadable=True)
    assert len(got.sources) == 1
    assert [path for path, _ in got.failed] == [str(tmp_path / name) for name in ("b.fits", "c.csv")]
    assert "lacks flux" in got.failed[0][1]
    with pytest.raises(RequestError, match="1 of 1 files cannot be read"):
        read_spectra([tmp_path / "b.fits"], skip_unreadable=True)


def test_ids_are_unique_and_what_was_there_before_is_flagged(tmp_path):
    files = [write_sdss(tmp_path / f"{name}.fits") for name in "abc"]
    got = read_spectra(files)
    np.testing.assert_array_equal(got.sources.id, [f"0266-51602-0013{suffix}" for suffix in ("", "#2", "#3")])
    assert flags(got) == [(), ("DUPLICATE_ID",), ("DUPLICATE_ID",)]
    assert "b.fits: its id 0266-51602-0013 stood before; it is 0266-51602-0013#2 here" in got.notes[0]
    ones = [spectrum("x", name, [1, 2], [1, 1], [1, 1]) for name in ("a#2", "a", "a")]
    np.testing.assert_array_equal(gathered(ones).sources.id, ["a#2", "a", "a#3"])


def test_a_spectrum_without_data_keeps_its_row(tmp_path):
    files = [write_sdss(tmp_path / "a.fits"), write_sdss(tmp_path / "b.fits", FIBERID=14, ivar=np.zeros(200, "f4"))]
    got = read_spectra(files)
    assert flags(got) == [(), ("SPECTRUM_MISSING",)]
    assert not got.sources.spectra.flux[1].any()
    assert "b.fits: none of its pixels has data" in got.notes[0]
    assert got.sources.flags.dtype == np.uint32
    assert Flag.SPECTRUM_MISSING == 1 << 21


@pytest.mark.parametrize(("z", "missing"), [(7.0, False), (-0.001, False), (7.01, True), (-9.0, True), (np.nan, True)])
def test_redshifts_that_are_none(tmp_path, z, missing):
    got = read_spectra(write_sdss(tmp_path / "a.fits", Z=z))
    assert flags(got) == [("REDSHIFT_MISSING",) if missing else ()]
    assert np.isnan(got.sources.redshift[0]) == missing
    assert any("was taken as none" in note for note in got.notes) == (missing and np.isfinite(z))


def test_other_wavelengths_are_resampled_only_where_asked(tmp_path):
    sdss = write_sdss(tmp_path / "a.fits", flux=np.full(200, 2, "f4"))
    desi = write_desi(tmp_path / "b.fits", desi_arrays(1))
    with pytest.raises(
        RequestError, match=r"b.fits\[0\]: its .* are not those of .*a.fits.*SDSS's grid for all, or `wave`"
    ):
        read_spectra([sdss, desi])
    wave = np.arange(3640.0, 3690.0)
    got = read_spectra([sdss, desi], wave=wave)
    np.testing.assert_array_equal(got.sources.spectra.wave, wave)
    np.testing.assert_allclose(got.sources.spectra.flux[0], 2, rtol=1e-6)
    np.testing.assert_allclose(got.sources.spectra.lsf_sigma[0], 3665 / 4343, rtol=0.02)
    chi2 = ((got.sources.spectra.flux[1] - 5) ** 2 * got.sources.spectra.ivar[1]).mean()
    assert 0.5 < chi2 < 1.5


def test_tables_of_sdss_go_on_its_grid(tmp_path):
    """Whatever file they came in, pixels on SDSS's grid are put there by whole pixels."""
    sdss = write_sdss(tmp_path / "a.fits")
    one = read_sdss(sdss)
    Table({"wave": one.wave[50:], "flux": one.flux[50:], "ivar": one.ivar[50:]}).write(tmp_path / "b.csv")
    table = read_spectra(tmp_path / "b.csv", wave_unit="Angstrom", flux_unit="1e-17 erg/(s cm2 Angstrom)")
    assert table.sources.id[0] == "b"
    assert np.isnan(table.zwarning[0])
    both = gathered([one, spectrum("b", "b", one.wave[50:], one.flux[50:], one.ivar[50:])])
    np.testing.assert_array_equal(both.sources.spectra.flux[1, 50:], one.flux[50:])
    assert not both.sources.spectra.observed[1, :50].any()


def test_nothing_to_read(tmp_path):
    with pytest.raises(RequestError, match=r"holds no file of spectra; accepted: .fits, "):
        read_spectra(tmp_path)
    with pytest.raises(RequestError, match="no files of spectra were given"):
        read_spectra([])
    with pytest.raises(RequestError, match="there are no spectra"):
        gathered([])
    with pytest.raises(RequestError, match=r"wave = 'boss'; accepted: 'sdss', wavelengths, None"):
        gathered([spectrum("a", "a", [4000.0, 4001.0], [1.0, 1.0], [1.0, 1.0])], wave="boss")
