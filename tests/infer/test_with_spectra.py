"""Spectra of files put to the rows of a catalogue: by id, with what does not go together said."""

import numpy as np
import pytest

from galprism.data import Sources, Spectra
from galprism.data.spectrum_files import Spectrum, gathered
from galprism.errors import RequestError
from galprism.flags import Flag
from galprism.infer.with_spectra import (
    SpectraAlone,
    SpectrumRows,
    alone,
    attached,
    check_ids,
    is_spectra,
    read_from,
)
from galprism.medium import air_from_vacuum
from made_spectra import line_spectrum, write_sdss

WAVE = 10 ** (3.58 + 1e-4 * np.arange(3300))
Z = 0.08


def one(ident, wave=WAVE, redshift=np.nan, **said):
    flux = line_spectrum(WAVE, Z).astype("f4") + np.random.default_rng(1).normal(0, 0.3, len(WAVE)).astype("f4")
    return Spectrum(ident, wave, flux, np.full(len(wave), 10, "f4"), redshift=redshift, origin=ident, **said)


def has(sources, flag):
    return (sources.flags & np.uint32(flag) != 0).tolist()


def test_they_go_by_id_and_bring_their_redshifts_where_there_are_none():
    read = gathered([one("a", redshift=0.1), one("b", redshift=0.2), one("c", redshift=0.3)])
    flags = np.array([Flag.REDSHIFT_MISSING, 0, Flag.REDSHIFT_MISSING, Flag.REDSHIFT_MISSING], np.uint32)
    sources = Sources(np.array(["c", "b", "d", "a"]), redshift=[np.nan, 0.25, np.nan, np.nan], flags=flags)
    found = attached(sources, read)
    np.testing.assert_array_equal(found.id, sources.id)
    np.testing.assert_array_equal(found.redshift, [0.3, 0.25, np.nan, 0.1])  # the catalogue's own goes first
    assert has(found, Flag.REDSHIFT_MISSING) == [False, False, True, False]
    assert has(found, Flag.SPECTRUM_MISSING) == [False, False, True, False]
    assert not np.any(found.flags & np.uint32(Flag.LOOKS_LIKE_AIR | Flag.NOT_A_GALAXY | Flag.POSITION_MISMATCH))


def test_stars_and_quasars_are_flagged_in_their_own_rows():
    read = gathered(
        [one("1", spectral_class="STAR"), one("2", spectral_class="GALAXY"), one("3", spectral_class="qso")]
    )
    found = attached(Sources(np.array([3, 2, 4, 1]), redshift=np.full(4, Z)), read)
    assert has(found, Flag.NOT_A_GALAXY) == [True, False, False, True]


def test_spectra_of_another_place_are_flagged():
    read = gathered([one("1", ra=10.0, dec=60.0), one("2", ra=10.0, dec=60.0), one("3"), one("4", ra=20.0, dec=60.0)])
    ra = [10 + 1.9 / 3600 / np.cos(np.radians(60)), 10 + 2.1 / 3600 / np.cos(np.radians(60)), 10.0, np.nan]
    found = attached(Sources(np.array([1, 2, 3, 4]), ra, np.full(4, 60.0), np.full(4, Z)), read)
    assert has(found, Flag.POSITION_MISMATCH) == [False, True, False, False]
    assert not np.any(attached(Sources(np.arange(1, 5)), read).flags & np.uint32(Flag.POSITION_MISMATCH))


def test_air_given_as_vacuum_is_told_by_a_redshift_from_elsewhere():
    air = air_from_vacuum(WAVE)
    sources = Sources(np.array(["a"]), redshift=[Z])
    assert has(attached(sources, gathered([one("a", wave=air)])), Flag.LOOKS_LIKE_AIR) == [True]
    assert has(attached(sources, gathered([one("a")])), Flag.LOOKS_LIKE_AIR) == [False]
    # a survey's file says what its wavelengths are, and its redshift was measured on them
    own = one("a", wave=air, redshift=Z, own_redshift=True)
    assert has(attached(sources, gathered([own])), Flag.LOOKS_LIKE_AIR) == [False]
    told = [own, one("b", wave=air, redshift=Z), one("c", redshift=Z), one("d", wave=air)]
    assert has(alone(gathered(told[:2])), Flag.LOOKS_LIKE_AIR) == [False, True]
    assert has(alone(gathered(told[2:3])), Flag.LOOKS_LIKE_AIR) == [False]
    assert has(alone(gathered(told[3:])), Flag.LOOKS_LIKE_AIR) == [False]  # nothing to hold the lines against


def test_no_sources_have_no_spectra_of_as_many_pixels():
    none = attached(Sources(np.zeros(0, "U1")), gathered([one("a")]))
    assert none.spectra.flux.shape == (0, len(WAVE))


def test_ids_of_others_are_refused_with_some_of_both():
    read = gathered([one("a"), one("b")])
    check_ids(np.array(["b", "x"]), read, "spectra/")
    with pytest.raises(RequestError, match=r"spectra/: has no spectrum of any of the catalogue's first 2 ids \(x, …\)"):
        check_ids(np.array(["x", "y"]), read, "spectra/")


def test_a_folder_is_a_catalogue_of_its_spectra(tmp_path):
    for fiber, said in ((1, {}), (2, {"CLASS": "STAR", "Z": 1e-4}), (3, {"Z": 9.0})):
        write_sdss(tmp_path / f"spec-{fiber}.fits", FIBERID=fiber, **said)
    assert is_spectra(tmp_path)
    assert is_spectra(tmp_path / "spec-1.fits")
    rows = SpectrumRows(tmp_path, read_from(tmp_path))
    layout = SpectraAlone(rows.found)
    parts = [layout.sources(batch, 0) for batch in rows.batches((), 2)]
    assert [len(part) for part in parts] == [2, 1]
    assert has(parts[0], Flag.NOT_A_GALAXY) == [False, True]
    assert has(parts[1], Flag.REDSHIFT_MISSING) == [True]
    np.testing.assert_array_equal(parts[0].redshift, [0.1, 1e-4])
    assert [len(part) for part in rows.batches((), 2, start=2)] == [1]


def test_what_is_no_spectrum_is_none(tmp_path):
    (tmp_path / "words.fits").write_text("nothing")
    assert not is_spectra(tmp_path / "words.fits")
    assert not is_spectra(tmp_path / "missing.fits")
    assert not is_spectra(tmp_path / "table.parquet")


def test_tables_of_other_grids_are_brought_to_sdss_pixels(tmp_path):
    from astropy.table import Table

    unit = "1e-17 erg / (s cm2 Angstrom)"
    for name, wave in (("a", np.arange(4000.0, 5000.0)), ("b", np.arange(4100.0, 5200.0, 2.0))):
        columns = {"wave": wave, "flux": np.full(len(wave), 3.0), "flux_err": np.ones(len(wave))}
        Table(columns, units=["Angstrom", unit, unit]).write(tmp_path / f"{name}.ecsv")
    read = read_from(tmp_path)
    spectra: Spectra = read.sources.spectra
    np.testing.assert_allclose(np.diff(np.log10(spectra.wave)), 1e-4, rtol=1e-6)
    np.testing.assert_allclose(spectra.flux[spectra.observed], 3.0, rtol=1e-5)
    assert spectra.observed.any(axis=1).all()


def test_redshifts_that_a_reader_is_told_go_before_the_files_own(tmp_path):
    for fiber in (1, 2, 3):
        write_sdss(tmp_path / f"spec-{fiber}.fits", FIBERID=fiber)
    ids = np.array(["0266-51602-0002", "0266-51602-0003", "other"])
    read = read_from(tmp_path, redshifts=(ids, np.array([0.2, np.nan, 0.5])))
    np.testing.assert_array_equal(read.sources.redshift, [0.1, 0.2, np.nan])
    assert read.own_redshift.tolist() == [True, False, False]
    assert has(read.sources, Flag.REDSHIFT_MISSING) == [False, False, True]


def test_a_doubtful_redshift_is_said_of_the_source_that_takes_it():
    read = gathered([one(name, redshift=0.1, own_redshift=True, zwarning=4) for name in ("a", "b")])
    found = attached(Sources(np.array(["b", "a"]), redshift=[0.2, np.nan]), read)
    assert has(found, Flag.REDSHIFT_WARNING) == [False, True]
    assert has(alone(read), Flag.REDSHIFT_WARNING) == [True, True]


def test_another_redshift_than_was_measured_on_the_spectrum_is_said():
    """It is the catalogue's that is taken; half a per cent of 1 + z is where two redshifts part."""
    near, far = 0.1 + 0.004 * 1.1, 0.1 + 0.006 * 1.1
    read = gathered([one(name, redshift=0.1, own_redshift=name != "e") for name in "abcde"])
    found = attached(Sources(np.array(list("abcde")), redshift=[near, far, np.nan, 0.05, far]), read)
    np.testing.assert_array_equal(found.redshift, [near, far, 0.1, 0.05, far])
    assert has(found, Flag.REDSHIFT_MISMATCH) == [False, True, False, True, False]
