"""Catalogues from files, in every way that gives the same sources."""

import os
from pathlib import Path

import numpy as np
import pytest

from galprism import surveys
from galprism.data import Photometry, Sources
from galprism.data.tables import ColumnInfo, open_table, write_catalogue, write_table
from galprism.errors import RequestError
from galprism.flags import Flag, counts


@pytest.fixture
def written(made, kids, tmp_path):
    """(path, flux, err) of a catalogue of 100 galaxies, three of them with something amiss."""
    flux, err = made.catalogue(kids, 100)
    batch, _ = made.plain(kids, flux, err)
    batch["redshift"] = np.linspace(0.1, 1.0, 100)
    batch["ra"], batch["dec"] = np.linspace(180, 181, 100), np.zeros(100)
    batch["flux_u"][3] = np.nan
    batch["flux_err_g"][70] = -1.0
    batch["redshift"][99] = -99.0
    path = tmp_path / "catalogue.parquet"
    write_table(path, batch, units={name: "nJy" for name in batch if name.startswith("flux")})
    return path, batch


def test_a_catalogue_is_the_same_in_one_batch_or_seven(written, kids):
    path, batch = written
    whole = surveys.read(path, kids)
    parts = list(surveys.stream(path, kids, 17))
    assert [len(part) for part in parts] == [17] * 5 + [15]
    for name in ("id", "ra", "dec", "redshift", "flags"):
        np.testing.assert_array_equal(np.concatenate([getattr(part, name) for part in parts]), getattr(whole, name))
    for name in ("flux", "ivar"):
        values = np.concatenate([getattr(part.photometry, name) for part in parts])
        np.testing.assert_array_equal(values, getattr(whole.photometry, name))
    np.testing.assert_array_equal(whole.id, batch["id"])
    assert counts(whole.flags) == {"BAND_MISSING": 2, "NEGATIVE_ERROR": 1, "REDSHIFT_MISSING": 1}
    assert whole.photometry.flux.flags.c_contiguous


def test_limits_survive_the_joining(made, kids, tmp_path):
    flux, err = made.catalogue(kids, 10)
    names = [
        "sdss.up",
        "sdss.gp",
        "sdss.rp",
        "sdss.ip",
        *(f"vista.vircam.{band}" for band in ("Z", "Y", "J", "H", "Ks")),
    ]
    batch = {"id": np.arange(10), "redshift": np.full(10, 0.3)}
    for number, name in enumerate(names):
        batch[name], batch[f"{name}_err"] = flux[:, number] / 1e6, err[:, number] / 1e6
    batch["sdss.up_err"][7] *= -1
    write_table(tmp_path / "cigale.fits", batch)
    parts = list(surveys.stream(tmp_path / "cigale.fits", kids, 4))
    assert [part.photometry.limit is None for part in parts] == [True, False, True]
    joined = surveys.reading.concatenate(parts, kids)
    assert joined.photometry.limit.sum() == 1
    assert joined.photometry.limit[7, 0]
    assert joined.flags[7] == Flag.UPPER_LIMIT


@pytest.mark.parametrize("suffix", ["parquet", "fits", "csv"])
def test_limits_come_back_from_our_own_tables(suffix, made, kids, tmp_path):
    flux, err = made.catalogue(kids, 10)
    limit = np.zeros(flux.shape, bool)
    limit[7, 0] = limit[2, 8] = True
    ivar = (err**-2).astype(np.float32)
    ivar[4, 1] = 0.0
    photometry = Photometry(np.where(ivar > 0, flux, 0).astype(np.float32), ivar, kids.band_names, limit)
    path = tmp_path / f"limits.{suffix}"
    write_catalogue(path, Sources(id=np.arange(10), redshift=np.full(10, 0.3), photometry=photometry))
    found = surveys.read(path, kids, unit="nJy")
    np.testing.assert_array_equal(found.photometry.limit, limit)
    np.testing.assert_array_equal(np.flatnonzero(found.flags & np.uint32(Flag.UPPER_LIMIT)), [2, 7])
    assert "upper limits by limit_u" in "\n".join(kids.layout(open_table(path).columns, unit="nJy").describe())


def test_a_limit_column_of_words_is_refused(written, kids):
    path, _ = written
    columns = dict(open_table(path).columns)
    columns["limit_g"] = ColumnInfo("limit_g", None, np.dtype(str))
    with pytest.raises(RequestError, match=r"column limit_g holds .*; expected true or false"):
        kids.layout(columns)


def test_errors_name_the_file(kids, written, tmp_path):
    path, _ = written
    with pytest.raises(RequestError, match=r"catalogue.parquet: kids has no preset"):
        surveys.read(path, kids, preset="nothing")
    with pytest.raises(RequestError, match=r"catalogue.parquet: column .* is in nJy by the table, and 'uJy' was said"):
        surveys.read(path, kids, unit="uJy")
    with pytest.raises(RequestError, match=r"none.fits.*no such file"):
        surveys.read(tmp_path / "none.fits", kids)


def test_an_empty_table_gives_no_sources(made, kids, tmp_path):
    batch, _ = made.plain(kids, np.zeros((0, 9)), np.zeros((0, 9)))
    write_table(tmp_path / "empty.fits", batch, units={name: "mJy" for name in batch if name != "id"})
    sources = surveys.read(tmp_path / "empty.fits", kids)
    assert len(sources) == 0
    assert sources.photometry.bands == kids.band_names


def test_the_real_cigale_table_is_read_without_any_option(kids):
    """226 of 275 KiDS+VIKING galaxies have all nine bands; needs GALPRISM_DATA."""
    if "GALPRISM_DATA" not in os.environ:
        pytest.skip("GALPRISM_DATA is not set: the real catalogue is not checked")
    sources = surveys.read(Path(os.environ["GALPRISM_DATA"]) / "tables/kids_viking_galex_cigale.fits", kids)
    assert sources.photometry.observed.all(axis=1).sum() == 226
    assert counts(sources.flags) == {"BAND_MISSING": 49}
    assert 21 < np.median(31.4 - 2.5 * np.log10(sources.photometry.flux[:, 2])) < 22.5
