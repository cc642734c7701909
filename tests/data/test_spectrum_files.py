import numpy as np
import pytest
from astropy.io import fits

from galprism.data.spectrum_files import read_desi, read_sdss, read_spectra, read_spectrum_file
from galprism.data.spectrum_files.sdss import BRIGHTSKY
from galprism.errors import RequestError
from made_spectra import DESI_WAVE, FIRST, desi_arrays, write_desi, write_sdss


class TestSDSS:
    @pytest.mark.parametrize("name", ["SPALL", "SPECOBJ"])
    def test_what_the_file_says(self, tmp_path, name):
        found = read_sdss(write_sdss(tmp_path / "spec.fits", name=name, CLASS="QSO   ", ZWARNING=4))
        assert (found.id, found.spectral_class, found.zwarning) == ("0266-51602-0013", "QSO", 4)
        assert (found.ra, found.dec) == (146.9, -0.7)
        assert (found.redshift, found.sn) == (0.1, 17.7)
        np.testing.assert_array_equal(found.flux, np.arange(200))
        np.testing.assert_allclose(found.wave, 10 ** (1e-4 * (FIRST + np.arange(200))), rtol=1e-13)
        # one pixel of standard deviation is 69 km/s
        np.testing.assert_allclose(found.lsf_sigma / found.wave * 299792.458, 69.03, rtol=1e-3)

    def test_masked_pixels_have_no_data(self, tmp_path):
        mask = np.zeros(200, "i4")
        mask[3], mask[5] = BRIGHTSKY, 1 << 3
        ivar, flux = np.full(200, 4, "f4"), np.full(200, 7, "f4")
        ivar[8], flux[9] = 0, np.nan
        path = write_sdss(tmp_path / "spec.fits", and_mask=mask, ivar=ivar, flux=flux)
        found = read_sdss(path)
        np.testing.assert_array_equal(np.flatnonzero(found.ivar == 0), [3, 8, 9])
        assert not found.flux[[3, 8, 9]].any()
        said = "\n".join(found.notes)
        assert "1 of 200 pixels are masked by and_mask" in said
        assert "1 of 200 pixels, whose flux or error is not finite, are without data" in said
        np.testing.assert_array_equal(np.flatnonzero(read_sdss(path, mask=0).ivar == 0), [8, 9])

    @pytest.mark.parametrize("part", [0.1, 0.3, 0.6, 0.999])
    def test_a_file_that_ends_early_is_called_truncated(self, tmp_path, part):
        """Refused where pixels are lost; a note where it is what stands behind them."""
        path = write_sdss(tmp_path / "spec.fits")
        whole = path.read_bytes()
        path.write_bytes(whole[: int(part * len(whole))])
        try:
            said = read_sdss(path).notes[-1]
        except RequestError as error:
            said = str(error)
            assert part < 0.6
        else:
            assert part >= 0.6
        assert "spec.fits" in said
        assert "it is truncated, its" in said
        assert not read_sdss(write_sdss(tmp_path / "spec.fits")).notes

    def test_what_the_file_does_not_say(self, tmp_path):
        names = ("PLATE", "MJD", "FIBERID", "PLUG_RA", "Z", "ZWARNING", "SN_MEDIAN_ALL", "CLASS")
        path = write_sdss(tmp_path / "spec-a.fits", drop=("wdisp", "and_mask"), **dict.fromkeys(names))
        found = read_sdss(path)
        assert (found.id, found.spectral_class, found.zwarning) == ("spec-a", "", None)
        assert np.isnan([found.ra, found.redshift, found.sn]).all()
        assert found.lsf_sigma is None

    def test_on_one_grid_by_whole_pixels(self, tmp_path):
        """No resampling: every pixel of every file stands at its own k, to the bit."""
        files = [
            write_sdss(tmp_path / f"spec-{i}.fits", first=FIRST + start, n=n, FIBERID=i)
            for i, (start, n) in enumerate([(30, 200), (0, 100), (210, 90)])
        ]
        got = read_spectra(files)
        spectra = got.sources.spectra
        assert spectra.flux.shape == (3, 300)
        k = np.arange(300)
        for row, (start, n) in enumerate([(30, 200), (0, 100), (210, 90)]):
            there = (k >= start) & (k < start + n)
            np.testing.assert_array_equal(spectra.observed[row], there)
            np.testing.assert_array_equal(spectra.flux[row], np.where(there, k, 0))
            np.testing.assert_array_equal(np.isfinite(spectra.lsf_sigma[row]), there)
        np.testing.assert_allclose(np.log10(spectra.wave) * 1e4, FIRST + k, rtol=1e-12)
        np.testing.assert_array_equal(got.sources.id, [f"0266-51602-{i:04d}" for i in range(3)])

    def test_rows_that_are_not_in_the_file_stay_on_the_grid(self, tmp_path):
        k = FIRST + np.delete(np.arange(2000), np.s_[700:1500])
        columns = {"loglam": 1e-4 * k, "flux": k - FIRST, "ivar": np.ones(1200), "and_mask": np.zeros(1200, "i4")}
        files = [
            write_sdss(tmp_path / "a.fits", **columns, wdisp=np.ones(1200)),
            write_sdss(tmp_path / "b.fits", n=2000, FIBERID=14),
        ]
        got = read_spectra(files)
        there = np.isin(FIRST + np.arange(2000), k)
        np.testing.assert_array_equal(got.sources.spectra.observed[0], there)
        np.testing.assert_array_equal(got.sources.spectra.flux[0], np.where(there, np.arange(2000), 0))
        assert "a.fits: 800 pixels between its first and last are not in it" in got.notes[0]

    @pytest.mark.parametrize(
        ("other", "said"),
        [
            ({"loglam": (3.56 + 1e-4 * (np.arange(200) + 0.3))}, "is off the grid of SDSS by 0.30 pixels"),
            ({"loglam": 1e-4 * (FIRST + np.arange(200)[::-1])}, "wave does not ascend"),
            ({"loglam": np.full(200, np.nan)}, "loglam is not finite somewhere"),
            ({"drop": ("ivar",)}, "lacks ivar; it has and_mask, flux, loglam, wdisp"),
            ({"header": {"VACUUM": False}}, "VACUUM = F in its header; accepted: wavelengths in vacuum"),
        ],
    )
    def test_refused_by_name(self, tmp_path, other, said):
        with pytest.raises(RequestError, match=rf"spec.fits.*{said}"):
            read_sdss(write_sdss(tmp_path / "spec.fits", **other))

    def test_not_such_a_file(self, tmp_path):
        fits.writeto(tmp_path / "image.fits", np.ones((3, 3)))
        with pytest.raises(RequestError, match=r"image.fits: its HDU 1 has no column loglam"):
            read_sdss(tmp_path / "image.fits")
        with pytest.raises(RequestError, match=r"none.fits: no such file"):
            read_sdss(tmp_path / "none.fits")
        whole = write_sdss(tmp_path / "spec.fits").read_bytes()
        (tmp_path / "cut.fits").write_bytes(whole[:6000])
        with pytest.raises(RequestError, match=r"cut.fits: cannot be read as .fits"):
            read_sdss(tmp_path / "cut.fits")


class TestDESI:
    def test_overlaps_are_averaged_by_ivar(self, tmp_path):
        arrays = desi_arrays()
        found = read_desi(write_desi(tmp_path / "coadd.fits", arrays))
        assert [one.id for one in found] == [f"3962700000000000{i}" for i in range(3)]
        assert (found[2].ra, found[2].dec) == (12, -2)
        wave = found[0].wave
        np.testing.assert_allclose(np.diff(wave), 0.8)
        assert (wave[0], wave[-1]) == (3600, pytest.approx(DESI_WAVE["Z"][-1]))
        for i, one in enumerate(found):
            pixel = 180  # the fifth of R
            weights = arrays["B_IVAR"][i, 180], arrays["R_IVAR"][i, 5]
            flux = arrays["B_FLUX"][i, 180], arrays["R_FLUX"][i, 5]
            assert one.flux[pixel] == pytest.approx(np.average(flux, weights=weights), rel=1e-6)
            assert one.ivar[pixel] == pytest.approx(sum(weights), rel=1e-6)
            np.testing.assert_allclose(one.flux[:175], arrays["B_FLUX"][i, :175], rtol=1e-6)
            # all of it is noise about 5 + i, and its weights say how much
            chi2 = ((one.flux - 5 - i) ** 2 * one.ivar).sum()
            assert chi2 == pytest.approx(len(wave), abs=5 * np.sqrt(2 * len(wave)))

    def test_a_camera_that_is_masked_has_no_part(self, tmp_path):
        arrays = desi_arrays()
        arrays["B_MASK"][0, 180] = arrays["B_MASK"][0, 3] = 4
        one = read_desi(write_desi(tmp_path / "coadd.fits", arrays))[0]
        assert one.flux[180] == pytest.approx(arrays["R_FLUX"][0, 5], rel=1e-6)
        assert one.ivar[180] == pytest.approx(arrays["R_IVAR"][0, 5], rel=1e-6)
        assert one.ivar[3] == one.flux[3] == 0

    def test_lsf_from_the_resolution_matrix(self, tmp_path):
        for sigma in (1.0, 1.3):
            found = read_desi(write_desi(tmp_path / f"coadd{sigma}.fits", desi_arrays(sigma_pixels=sigma)))
            np.testing.assert_allclose(found[1].lsf_sigma, 0.8 * sigma, rtol=2e-3)

    def test_redshifts_from_beside_it(self, tmp_path):
        path = write_desi(tmp_path / "coadd-x.fits", desi_arrays(), redshifts=[0.1, 0.2, 0.3])
        found = read_desi(path)
        assert [(one.redshift, one.zwarning, one.spectral_class) for one in found] == [
            (z, 0, "GALAXY") for z in (0.1, 0.2, 0.3)
        ]  # redrock's rows are in another order
        got = read_spectra(tmp_path)
        np.testing.assert_array_equal(got.sources.redshift, [0.1, 0.2, 0.3])
        assert got.origin[1] == f"{path}[1]"

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (
                lambda a: a.update(R_WAVELENGTH=a["R_WAVELENGTH"] + 0.3),
                "wavelengths do not coincide where they overlap",
            ),
            (lambda a: a.pop("R_IVAR"), "has no HDU R_IVAR; it has PRIMARY, FIBERMAP, B_WAVELENGTH"),
            (lambda a: a.update(Z_FLUX=a["Z_FLUX"][:, :-1]), r"Z_FLUX has shape \(3, 99\); expected \(3, 100\)"),
            (lambda a: a.update(Z_RESOLUTION=a["Z_RESOLUTION"][0]), r"Z_RESOLUTION has shape \(11, 100\)"),
        ],
        ids=["not-aligned", "no-ivar", "flux-shape", "resolution-shape"],
    )
    def test_refused(self, tmp_path, change, said):
        arrays = desi_arrays()
        change(arrays)
        with pytest.raises(RequestError, match=rf"coadd.fits: .*{said}"):
            read_desi(write_desi(tmp_path / "coadd.fits", arrays))


def test_a_file_without_pixels_is_named(tmp_path):
    with pytest.raises(RequestError, match=r"a.fits: its HDU 1 has no rows"):
        read_spectrum_file(write_sdss(tmp_path / "a.fits", n=0))


def test_the_kind_of_file_is_found(tmp_path):
    sdss = write_sdss(tmp_path / "a.fits")
    desi = write_desi(tmp_path / "b.fits", desi_arrays())
    assert [len(read_spectrum_file(path)) for path in (sdss, desi)] == [1, 3]
    with pytest.raises(RequestError, match="says all that a reader needs; air: for tables of pixels alone"):
        read_spectrum_file(sdss, air=True)
