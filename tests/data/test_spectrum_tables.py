import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import InverseVariance, StdDevUncertainty, VarianceUncertainty
from astropy.table import Table
from specutils import Spectrum, SpectrumCollection, SpectrumList

from galprism.data.spectrum_files import from_specutils, read_spectrum_table
from galprism.data.spectrum_files.spectrum import spectrum
from galprism.errors import RequestError
from galprism.medium import air_from_vacuum

WAVE = np.arange(5000.0, 5100.0)
FLUX = 3 + np.sin(WAVE)
UNIT = u.Unit("1e-17 erg / (s cm2 AA)")


def table(**other) -> Table:
    return Table({"wave": WAVE * u.AA, "flux": FLUX * UNIT, "flux_err": np.full(len(WAVE), 0.5) * UNIT, **other})


class TestTables:
    @pytest.mark.parametrize("suffix", ["fits", "ecsv"])
    def test_read(self, tmp_path, suffix):
        path = tmp_path / f"mine.{suffix}"
        table().write(path)
        found = read_spectrum_table(path, redshift=0.2, spectral_class="GALAXY")
        assert (found.id, found.redshift, found.spectral_class) == ("mine", 0.2, "GALAXY")
        np.testing.assert_array_equal(found.wave, WAVE)
        np.testing.assert_allclose(found.flux, FLUX, rtol=1e-6)
        np.testing.assert_allclose(found.ivar, 4)

    def test_csv_needs_units(self, tmp_path):
        path = tmp_path / "mine.csv"
        plain = table()
        Table({name: plain[name].value for name in plain.colnames}).write(path)
        with pytest.raises(RequestError, match=r"mine.csv: the wavelengths have no unit; accepted: Angstrom"):
            read_spectrum_table(path)
        with pytest.raises(RequestError, match=r"mine.csv: the flux has no unit; accepted: a flux density"):
            read_spectrum_table(path, wave_unit="Angstrom")
        found = read_spectrum_table(path, wave_unit="Angstrom", flux_unit="1e-16 erg / (s cm2 Angstrom)")
        np.testing.assert_allclose(found.flux, 10 * FLUX, rtol=1e-6)
        np.testing.assert_allclose(found.ivar, 0.04)

    @pytest.mark.parametrize(
        ("wave", "unit", "said"),
        [
            (np.linspace(3.55, 4.01, 100), u.AA, r"column wave has wavelengths from 3\.55 to 4\.01 Angstrom; .*10\*\*"),
            (np.linspace(0.38, 0.92, 100), u.nm, r"from 0\.38 to 0\.92 nm; .*is the unit right\?"),
            (np.linspace(3800, 9200, 100), u.um, r"from 3800 to 9200 um; .*is the unit right\?"),
        ],
        ids=["log10", "um-called-nm", "angstrom-called-um"],
    )
    def test_wavelengths_of_no_light_are_refused(self, tmp_path, wave, unit, said):
        made = table()
        made["wave"] = wave * unit
        made.write(tmp_path / "odd.ecsv")
        with pytest.raises(RequestError, match=said):
            read_spectrum_table(tmp_path / "odd.ecsv")

    def test_a_gap_is_not_filled_without_end(self, tmp_path):
        made = table()
        made["wave"] = np.r_[5000 + 1e-3 * np.arange(99), 9e6] * u.AA
        made.write(tmp_path / "gap.ecsv")
        with pytest.raises(RequestError, match=r"5000\.1 and 9e\+06 Angstrom stand side by side"):
            read_spectrum_table(tmp_path / "gap.ecsv")

    def test_units_are_converted(self, tmp_path):
        """The same spectrum in nm and mJy, of which the errors are in uJy, and with an ivar in its own unit."""
        made = table()
        as_jansky = {"equivalencies": u.spectral_density(WAVE * u.AA)}
        made["flux"] = made["flux"].quantity.to(u.mJy, **as_jansky)
        made["flux_err"] = made["flux_err"].quantity.to(u.uJy, **as_jansky)
        made["wave"] = made["wave"].quantity.to(u.nm)
        made["lsf_sigma"] = np.full(len(WAVE), 0.12) * u.nm
        made.write(tmp_path / "jansky.ecsv")
        found = read_spectrum_table(tmp_path / "jansky.ecsv")
        np.testing.assert_allclose(found.wave, WAVE)
        np.testing.assert_allclose(found.flux, FLUX, rtol=1e-6)
        np.testing.assert_allclose(found.ivar, 4, rtol=1e-6)
        np.testing.assert_allclose(found.lsf_sigma, 1.2, rtol=1e-6)
        other = table(ivar=np.full(len(WAVE), 4e34) * u.Unit("erg-2 s2 cm4 AA2"))
        other.remove_column("flux_err")
        other.write(tmp_path / "ivar.ecsv")
        np.testing.assert_allclose(read_spectrum_table(tmp_path / "ivar.ecsv").ivar, 4, rtol=1e-6)

    def test_air_is_brought_to_vacuum(self, tmp_path):
        made = table()
        made["wave"] = air_from_vacuum(WAVE) * u.AA
        made.write(tmp_path / "air.ecsv")
        np.testing.assert_allclose(read_spectrum_table(tmp_path / "air.ecsv", air=True).wave, WAVE, rtol=1e-9)
        assert WAVE[0] - read_spectrum_table(tmp_path / "air.ecsv").wave[0] == pytest.approx(1.39, abs=0.01)

    def test_other_names(self, tmp_path):
        made = table()
        made.rename_columns(["wave", "flux_err"], ["WAVELENGTH", "SIGMA"])
        made.write(tmp_path / "names.fits")
        with pytest.raises(RequestError, match="has no column wave, ivar or flux_err; it has WAVELENGTH, flux, SIGMA"):
            read_spectrum_table(tmp_path / "names.fits")
        columns = {"wave": "WAVELENGTH", "flux_err": "SIGMA"}
        np.testing.assert_allclose(read_spectrum_table(tmp_path / "names.fits", columns=columns).ivar, 4)
        with pytest.raises(RequestError, match="columns noise were given; accepted: wave, flux, ivar"):
            read_spectrum_table(tmp_path / "names.fits", columns={"noise": "SIGMA"})

    def test_a_gap_is_filled_with_pixels_without_data(self, tmp_path):
        made = table()
        made.remove_rows(slice(30, 50))
        made.write(tmp_path / "gap.ecsv")
        found = read_spectrum_table(tmp_path / "gap.ecsv")
        np.testing.assert_allclose(found.wave, WAVE)
        np.testing.assert_array_equal(np.flatnonzero(found.ivar == 0), np.arange(30, 50))
        assert "no data from 5029 to 5050 Angstrom" in found.notes[0]

    def test_odd_pixels_are_said(self, tmp_path):
        made = table()
        made["flux"][3], made["flux_err"][4], made["flux_err"][5], made["flux_err"][6] = np.nan, -1, 0, np.inf
        made.write(tmp_path / "odd.ecsv")
        found = read_spectrum_table(tmp_path / "odd.ecsv")
        np.testing.assert_array_equal(np.flatnonzero(found.ivar == 0), [3, 4, 5, 6])
        assert "1 of 100 pixels, whose flux or error is not finite" in found.notes[0]
        assert "2 of 100 pixels, whose ivar is negative or error not positive" in found.notes[1]

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda t: t.add_column(FLUX, name="ivar"), "has both ivar and flux_err"),
            (lambda t: t["wave"].__setitem__(7, 5006.0), "wave does not ascend: 5006 and then 5006 at pixels 6, 7"),
            (lambda t: setattr(t["flux"], "unit", u.K), "unit 'K' of the flux; accepted: a flux density"),
            (lambda t: setattr(t["wave"], "unit", u.s), "unit 's' of the wavelengths; accepted: Angstrom"),
            (lambda t: t.remove_rows(slice(None)), "has no rows; expected a row a pixel"),
            (lambda t: t.replace_column("flux", np.ones((100, 2))), "'flux' is no column of single numbers"),
        ],
        ids=["two-errors", "not-ascending", "no-flux", "no-wavelength", "empty", "vectors"],
    )
    def test_refused_by_name(self, tmp_path, change, said):
        made = table()
        change(made)
        made.write(tmp_path / "bad.ecsv")
        with pytest.raises(RequestError, match=rf"bad.ecsv: .*{said}"):
            read_spectrum_table(tmp_path / "bad.ecsv")


class TestSpecutils:
    def test_uncertainties_of_every_kind(self):
        for uncertainty in (
            StdDevUncertainty(np.full(100, 0.5), unit=UNIT),
            StdDevUncertainty(np.full(100, 0.5)),
            VarianceUncertainty(np.full(100, 2.5e-35), unit="erg2 s-2 cm-4 AA-2"),
            InverseVariance(np.full(100, 4.0)),
        ):
            one = Spectrum(spectral_axis=WAVE * u.AA, flux=FLUX * UNIT, uncertainty=uncertainty)
            (found,) = from_specutils(one)
            np.testing.assert_allclose(found.flux, FLUX, rtol=1e-6)
            np.testing.assert_allclose(found.ivar, 4, rtol=1e-6)
            assert np.isnan(found.redshift)

    def test_frequencies_and_janskys(self):
        """The other way round, from red to blue."""
        frequency = (WAVE * u.AA).to(u.THz, u.spectral())
        as_jansky = {"equivalencies": u.spectral_density(WAVE * u.AA)}
        error = (np.full(100, 0.5) * UNIT).to(u.mJy, **as_jansky)
        one = Spectrum(
            spectral_axis=frequency, flux=(FLUX * UNIT).to(u.Jy, **as_jansky), uncertainty=StdDevUncertainty(error)
        )
        (found,) = from_specutils(one)
        np.testing.assert_allclose(found.wave, WAVE)
        np.testing.assert_allclose(found.flux, FLUX, rtol=1e-6)
        np.testing.assert_allclose(found.ivar, 4, rtol=1e-6)

    def test_masks_redshift_and_meta(self):
        mask = np.zeros(100, bool)
        mask[10:20] = True
        one = Spectrum(
            spectral_axis=air_from_vacuum(WAVE) * u.AA,
            flux=FLUX * UNIT,
            uncertainty=InverseVariance(np.ones(100)),
            mask=mask,
            redshift=0.3,
            meta={"id": "M 31", "ra": 10.7, "dec": 41.3},
        )
        (found,) = from_specutils(one, air=True)
        assert (found.id, found.redshift, found.ra, found.dec) == ("M 31", pytest.approx(0.3), 10.7, 41.3)
        np.testing.assert_array_equal(found.ivar == 0, mask)
        np.testing.assert_allclose(found.wave, WAVE, rtol=1e-9)

    def test_several(self):
        flux = np.array([FLUX, 2 * FLUX])
        weights = InverseVariance(np.full((2, 100), 4.0))
        one = Spectrum(spectral_axis=WAVE * u.AA, flux=flux * UNIT, uncertainty=weights)
        each = SpectrumCollection(
            spectral_axis=np.array([WAVE, WAVE + 1]) * u.AA, flux=flux * UNIT, uncertainty=weights
        )
        found = from_specutils(SpectrumList([one, each]), ids=["a", "b", "c", "d"])
        assert [one.id for one in found] == ["a", "b", "c", "d"]
        np.testing.assert_allclose([one.flux[0] for one in found], FLUX[0] * np.array([1, 2, 1, 2]), rtol=1e-6)
        np.testing.assert_allclose([one.wave[0] for one in found], [5000, 5000, 5000, 5001])
        with pytest.raises(RequestError, match="3 ids were given for 4 spectra"):
            from_specutils([one, each], ids=[1, 2, 3])

    def test_refused(self):
        with pytest.raises(RequestError, match="uncertainty of kind None; accepted: std, var, ivar"):
            from_specutils(Spectrum(spectral_axis=WAVE * u.AA, flux=FLUX * UNIT))
        with pytest.raises(RequestError, match="spectrum 1 is str, without spectral_axis"):
            from_specutils(
                [Spectrum(spectral_axis=WAVE * u.AA, flux=FLUX * UNIT, uncertainty=InverseVariance(FLUX)), "spectrum"]
            )


@pytest.mark.parametrize(("flux", "ivar"), [(1e45, 1.0), (1.0, 1e40), (1e30, 1e-60)])
def test_numbers_that_32_bits_do_not_hold_are_named(flux, ivar):
    with pytest.raises(RequestError, match=r"a file: flux up to .*32 bits"):
        spectrum("a file", "a", np.arange(4000.0, 4003.0), np.full(3, flux), np.full(3, ivar))
