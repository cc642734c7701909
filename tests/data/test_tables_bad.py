"""Files that cannot be read and requests that cannot be met: one line that names the file, and no warning."""

import gzip
import os

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits

from galprism.data.tables import FORMATS, open_table, write_table
from galprism.errors import RequestError

ONE_EACH = [known.suffixes[0] for known in FORMATS]


def refused(path) -> str:
    """The one line that opening and reading the file is refused with."""
    with pytest.raises(RequestError) as caught:
        open_table(path).read()
    message = str(caught.value)
    assert str(path).split("#")[0] in message
    assert "\n" not in message
    return message


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    return {"id": np.arange(20_000), "flux_r": rng.normal(size=20_000), "flux_err_r": rng.random(20_000)}


@pytest.mark.parametrize("suffix", ONE_EACH)
def test_missing(tmp_path, suffix):
    assert "no such file" in refused(tmp_path / f"t{suffix}")


def test_removed_after_it_was_opened(tmp_path, table):
    for suffix in (s for s in ONE_EACH if s != ".vot"):  # a VOTable is held in memory
        write_table(tmp_path / f"t{suffix}", table)
        opened = open_table(tmp_path / f"t{suffix}")
        (tmp_path / f"t{suffix}").unlink()
        with pytest.raises(RequestError, match="no such file"):
            opened.read()


def test_a_name_that_no_file_can_have(tmp_path):
    assert "cannot be read" in refused(tmp_path / ("x" * 300 + ".fits"))


def test_directory(tmp_path):
    (tmp_path / "t.parquet").mkdir()
    assert "is a directory" in refused(tmp_path / "t.parquet")


def test_unknown_suffix(tmp_path):
    (tmp_path / "t.xlsx").write_text("")
    message = refused(tmp_path / "t.xlsx")
    assert all(suffix in message for suffix in (".fits", ".parquet", ".ecsv", ".vot", ".csv", ".hdf5"))


@pytest.mark.parametrize("suffix", [s for s in ONE_EACH if s != ".csv"] + [".fits.gz"])
@pytest.mark.parametrize("content", [b"", b"this is a shopping list\n", bytes(range(256)) * 20])
def test_another_thing_under_this_name(tmp_path, suffix, content):
    (tmp_path / f"t{suffix}").write_bytes(content)
    assert f"t{suffix}" in refused(tmp_path / f"t{suffix}")


def test_a_csv_without_a_header(tmp_path):
    for text, said in [("", "is empty"), ("1,2\n3,4\n", "first line holds numbers"), ("a,,c\n", "empty name")]:
        (tmp_path / "t.csv").write_text(text)
        assert said in refused(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text("a,a\n1,2\n")
    assert "one twice: a, a" in refused(tmp_path / "t.csv")


def test_a_csv_with_a_short_row(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3\n")
    assert "Expected 2 columns, got 1" in refused(tmp_path / "t.csv")


@pytest.mark.parametrize("suffix", [".fits", ".parquet", ".vot", ".hdf5", ".fits.gz"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99])
def test_truncated(tmp_path, table, suffix, kept):
    write_table(tmp_path / f"t{suffix}", table)
    whole = (tmp_path / f"t{suffix}").read_bytes()
    (tmp_path / f"t{suffix}").write_bytes(whole[: int(kept * len(whole))])
    message = refused(tmp_path / f"t{suffix}")
    if suffix == ".fits" and kept > 0.1:
        assert "truncated" in message


def test_a_fits_file_cut_before_its_table(tmp_path, table):
    write_table(tmp_path / "t.fits", table)
    (tmp_path / "t.fits").write_bytes((tmp_path / "t.fits").read_bytes()[:4000])
    assert "it is truncated, its 4,000 bytes are not whole blocks" in refused(tmp_path / "t.fits")


def test_a_fits_file_cut_while_it_is_read(tmp_path, table):
    write_table(tmp_path / "t.fits", table)
    batches = open_table(tmp_path / "t.fits").batches(size=100)
    next(batches)
    os.truncate(tmp_path / "t.fits", 100_000)
    with pytest.raises(RequestError, match="truncated"):
        list(batches)


def test_a_text_table_cut_while_it_is_read(tmp_path, table):
    write_table(tmp_path / "t.csv", table)
    opened = open_table(tmp_path / "t.csv")
    lines = (tmp_path / "t.csv").read_text().splitlines(keepends=True)
    (tmp_path / "t.csv").write_text("".join(lines[:10_001]))
    with pytest.raises(RequestError, match="ends after 10000 of 20000 rows"):
        opened.read()


def test_a_gzip_that_is_none(tmp_path, table):
    write_table(tmp_path / "t.fits", table)
    (tmp_path / "t.fits").rename(tmp_path / "t.fits.gz")
    assert "t.fits.gz" in refused(tmp_path / "t.fits.gz")
    (tmp_path / "u.fits.gz").write_bytes(gzip.compress(b"not FITS" * 1000))
    assert "u.fits.gz" in refused(tmp_path / "u.fits.gz")


def test_files_without_a_table(tmp_path):
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(tmp_path / "image.fits")
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(np.zeros((30, 30)))]).writeto(tmp_path / "tiles.fits")
    with h5py.File(tmp_path / "t.hdf5", "w") as file:
        file["x"] = 3
    (tmp_path / "t.vot").write_text('<VOTABLE version="1.3"></VOTABLE>')
    for name in ("image.fits", "tiles.fits", "t.hdf5", "t.vot"):
        assert "there is no table in this file" in refused(tmp_path / name)


def test_fits_that_says_what_cannot_be(tmp_path):
    fits.BinTableHDU.from_columns([fits.Column("a", "J", array=[1]), fits.Column("b", "J", array=[2])]).writeto(
        tmp_path / "t.fits"
    )
    raw = (tmp_path / "t.fits").read_bytes()
    for name, old, new in [
        ("type", b"TFORM2  = 'J       '", b"TFORM2  = 'Q2X!    '"),
        ("type", b"TFORM2  = 'J       '", b"TFORM2  = 'Z       '"),
        ("width", b"TFORM2  = 'J       '", b"TFORM2  = '400K    '"),
        ("name", b"TTYPE2  = 'b       '", b"TTYPE2  = 'a       '"),
    ]:
        (tmp_path / f"{name}.fits").write_bytes(raw.replace(old, new))
        refused(tmp_path / f"{name}.fits")
    fits.setval(tmp_path / "t.fits", "ZTABLE", value=True, ext=1)
    assert "funpack" in refused(tmp_path / "t.fits")


def test_an_ecsv_whose_names_differ_from_its_header(tmp_path):
    head = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: a, datatype: int64}\n# - {name: b, datatype: int64}\n"
    (tmp_path / "t.ecsv").write_text(head + "a c\n1 2\n")
    assert "differs from its header: a, c" in refused(tmp_path / "t.ecsv")
    (tmp_path / "t.ecsv").write_text(head + "a b\n1 x\n")
    assert "x" in refused(tmp_path / "t.ecsv")
    (tmp_path / "t.ecsv").write_text("a,b\n1,2\n")
    assert "should end in .csv" in refused(tmp_path / "t.ecsv")


def test_no_such_part(tmp_path):
    write_table(tmp_path / "t.parquet", {"a": np.arange(3)})
    assert "has no table 'two'" in refused(f"{tmp_path}/t.parquet#two")


class TestColumns:
    def test_the_close_ones_are_named(self, tmp_path, table):
        write_table(tmp_path / "t.fits", table)
        opened = open_table(tmp_path / "t.fits")
        with pytest.raises(RequestError, match=r"t\.fits: no column 'FLUX_R'; did you mean 'flux_r'\?"):
            opened.batches(["id", "FLUX_R"])
        with pytest.raises(RequestError, match=r"no column 'flux_er_r'; did you mean 'flux_err_r' or 'flux_r'\?"):
            opened.read(["flux_er_r"])
        with pytest.raises(RequestError, match="no column 'zzz'; it has id, flux_r, flux_err_r"):
            opened.read(["zzz"])

    def test_a_wide_table_is_not_listed_whole(self, tmp_path):
        pq.write_table(pa.table({f"c{i}": [1] for i in range(50)}), tmp_path / "t.parquet")
        with pytest.raises(RequestError, match="c29 and 20 more"):
            open_table(tmp_path / "t.parquet").read(["nothing like it"])

    def test_nothing_asked(self, tmp_path, table):
        write_table(tmp_path / "t.fits", table)
        with pytest.raises(RequestError, match="no column was asked for"):
            open_table(tmp_path / "t.fits").batches([])
        with pytest.raises(RequestError, match="batch size 0"):
            open_table(tmp_path / "t.fits").batches(size=0)
