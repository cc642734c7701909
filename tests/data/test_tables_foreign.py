"""Tables that others wrote: missing values as each format says them, types of all kinds, odd headers."""

import gzip
import warnings
from decimal import Decimal

import astropy.units as u
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Column, MaskedColumn, QTable, Table

from galprism.data.tables import delimited, open_table, write_table
from galprism.errors import RequestError

N = 40
BIG = 2**60 + 1


@pytest.fixture
def table() -> Table:
    """Masked values of every kind."""
    rng = np.random.default_rng(3)
    hole = np.zeros(N, bool)
    hole[[2, 30]] = True
    table = Table(
        {
            "id": np.arange(N) + BIG,
            "n": MaskedColumn(np.arange(N, dtype=np.int32), mask=hole),
            "x": MaskedColumn(rng.normal(size=N), mask=hole, unit="mJy", description="a flux"),
            "s": MaskedColumn([f"é{i}" for i in range(N)], mask=hole),
            "b": rng.random(N) > 0.5,
            "v": rng.normal(size=(N, 4)),
        }
    )
    return table


def write(table, path):
    hows = {".hdf5": {"path": "deep/down", "serialize_meta": True}, ".vot": {"format": "votable"}}
    how = hows.get(path.suffix, {})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table.write(path, **how)


@pytest.mark.parametrize("suffix", [".fits", ".parquet", ".ecsv", ".vot", ".hdf5", ".csv"])
def test_what_astropy_masks_is_missing(tmp_path, table, suffix):
    if suffix == ".csv":
        table.remove_column("v")
    if suffix == ".fits":
        table["s"] = [f"e{i}" for i in range(N)]  # FITS as astropy writes it has no text beyond ASCII
    write(table, tmp_path / f"t{suffix}")
    read = open_table(tmp_path / f"t{suffix}")
    assert list(read.columns) == table.colnames
    for size in (7, 1000):
        parts = list(read.batches(size=size))
        whole = {name: np.concatenate([part[name] for part in parts]) for name in read.columns}
        np.testing.assert_array_equal(whole["n"], np.ma.filled(table["n"].astype(float), np.nan))
        assert {part["n"].dtype for part in parts} == {np.dtype(float)}  # in batches without a null, too
        np.testing.assert_array_equal(whole["x"], np.ma.filled(table["x"], np.nan))
        np.testing.assert_array_equal(whole["s"], np.ma.filled(np.ma.asarray(table["s"]), ""))
        np.testing.assert_array_equal(whole["b"], table["b"])
        assert whole["b"].dtype == bool
        assert whole["id"].tolist() == table["id"].tolist()
        if suffix != ".csv":
            np.testing.assert_array_equal(whole["v"], table["v"])
    if suffix != ".csv":
        assert read.columns["x"].unit == "mJy"
    if suffix not in (".csv", ".fits"):
        assert read.columns["x"].description == "a flux"


@pytest.mark.parametrize("suffix", [".parquet", ".ecsv", ".hdf5"])
def test_quantities_and_astropys_masks(tmp_path, suffix):
    table = QTable({"q": [1.0, 2.0] * u.nJy, "n": MaskedColumn([1, 2], mask=[False, True])})
    if suffix == ".ecsv":
        table["n"].info.serialize_method["ecsv"] = "data_mask"
    write(table, tmp_path / f"t{suffix}")
    read = open_table(tmp_path / f"t{suffix}")
    assert list(read.columns) == ["q", "n"]
    assert read.columns["q"].unit == "nJy"
    np.testing.assert_array_equal(read.read()["n"], [1, np.nan])


@pytest.mark.parametrize("suffix", [".fits", ".parquet", ".vot", ".hdf5"])
def test_a_null_among_large_integers_is_refused_rather_than_rounded(tmp_path, suffix):
    table = Table({"id": MaskedColumn([BIG, BIG + 1], mask=[False, True])})
    write(table, tmp_path / f"t{suffix}")
    with pytest.raises(RequestError, match=r"'id' has nulls among integers beyond 2\^53"):
        open_table(tmp_path / f"t{suffix}").read()


class TestFITS:
    def test_types_of_the_standard(self, tmp_path):
        columns = [
            fits.Column("L", "L", array=np.array([True, False])),
            fits.Column("X", "11X", array=np.tile([True, False, True] + [False] * 8, (2, 1))),
            fits.Column("B", "B", array=np.array([0, 255], np.uint8)),
            fits.Column("u16", "I", bzero=2**15, array=np.array([0, 65535], np.uint16)),
            fits.Column("u64", "K", bzero=2**63, array=np.array([0, 2**64 - 1], np.uint64)),
            fits.Column("scaled", "I", array=np.array([1, 4], np.int16)),
            fits.Column("A", "8A", array=np.array(["x  ", "  y"])),
            fits.Column("AA", "12A", dim="(4,3)", array=np.array([["a", "bc", "d"], ["", "e", "ffff"]])),
            fits.Column("D", "6D", dim="(3,2)", array=np.arange(12.0).reshape(2, 2, 3)),
            fits.Column("C", "M", array=np.array([1 + 2j, 3])),
            fits.Column("P", "PE()", array=np.array([np.arange(2.0), np.arange(3.0)], object)),
        ]
        fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "t.fits")
        fits.setval(tmp_path / "t.fits", "TSCAL6", value=0.5, ext=1)
        fits.setval(tmp_path / "t.fits", "TZERO6", value=10, ext=1)
        table = open_table(tmp_path / "t.fits")
        got = table.read([name for name in table.columns if name != "P"])
        assert got["L"].tolist() == [True, False]
        assert got["X"][0].tolist() == [True, False, True] + [False] * 8
        assert got["B"].tolist() == [0, 255]
        assert (got["u16"].dtype, got["u16"].tolist()) == (np.uint16, [0, 65535])
        assert (got["u64"].dtype, got["u64"].tolist()) == (np.uint64, [0, 2**64 - 1])
        assert got["scaled"].tolist() == [10.5, 12.0]
        assert got["A"].tolist() == ["x", "  y"]
        assert got["AA"].tolist() == [["a", "bc", "d"], ["", "e", "ffff"]]
        np.testing.assert_array_equal(got["D"], np.arange(12.0).reshape(2, 2, 3))
        np.testing.assert_array_equal(got["C"], [1 + 2j, 3])
        with pytest.raises(RequestError, match="'P' holds lists of varying length"):
            table.read(["P"])

    def test_text_as_substrings_and_of_no_width(self, tmp_path):
        hdu = fits.BinTableHDU.from_columns(
            [fits.Column("a", "6A", array=["aaabbb", "cccddd"]), fits.Column("n", "J", array=[1, 2])]
        )
        hdu.writeto(tmp_path / "t.fits")
        raw = (tmp_path / "t.fits").read_bytes()
        (tmp_path / "s.fits").write_bytes(raw.replace(b"TFORM1  = '6A      '", b"TFORM1  = '6A3     '"))
        assert open_table(tmp_path / "s.fits").read()["a"].tolist() == [["aaa", "bbb"], ["ccc", "ddd"]]
        hdu = fits.BinTableHDU.from_columns([fits.Column("n", "J", array=[7]), fits.Column("e", "1A", array=["x"])])
        hdu.writeto(tmp_path / "one.fits")
        raw = (tmp_path / "one.fits").read_bytes().replace(b"TFORM2  = '1A      '", b"TFORM2  = '0A      '")
        (tmp_path / "e.fits").write_bytes(
            raw.replace(b"NAXIS1  =                    5", b"NAXIS1  =                    4")
        )
        assert open_table(tmp_path / "e.fits").read(["n"])["n"].tolist() == [7]

    def test_a_dimension_that_does_not_fit_its_column_is_overlooked(self, tmp_path):
        hdu = fits.BinTableHDU.from_columns(
            [fits.Column("s", "4A", array=["abcd"]), fits.Column("v", "2J", array=[[1, 2]])]
        )
        hdu.writeto(tmp_path / "t.fits")
        fits.setval(tmp_path / "t.fits", "TDIM1", value="(3,2)", ext=1)
        fits.setval(tmp_path / "t.fits", "TDIM2", value="(3)", ext=1)
        got = open_table(tmp_path / "t.fits").read()
        assert (got["s"].tolist(), got["v"].tolist()) == (["abcd"], [[1, 2]])

    def test_null_that_is_announced_but_never_used_leaves_integers(self, tmp_path):
        column = fits.Column("id", "K", null=-1, array=np.array([BIG, BIG + 1]))
        fits.BinTableHDU.from_columns([column]).writeto(tmp_path / "t.fits")
        got = open_table(tmp_path / "t.fits").read()["id"]
        assert (got.dtype, got.tolist()) == (np.int64, [BIG, BIG + 1])

    def test_null_of_a_scaled_column(self, tmp_path):
        column = fits.Column("m", "I", null=-99, array=np.array([-99, 2000], np.int16))
        fits.BinTableHDU.from_columns([column]).writeto(tmp_path / "t.fits")
        fits.setval(tmp_path / "t.fits", "TSCAL1", value=0.001, ext=1)
        np.testing.assert_allclose(open_table(tmp_path / "t.fits").read()["m"], [np.nan, 2.0])

    def test_an_image_first_and_a_choice_of_tables(self, tmp_path):
        hdus = [
            fits.PrimaryHDU(np.zeros((4, 4))),
            fits.BinTableHDU.from_columns([fits.Column("a", "J", array=[1])], name="ONE"),
            fits.ImageHDU(np.zeros(3)),
            fits.BinTableHDU.from_columns([fits.Column("b", "J", array=[2])], name="TWO"),
        ]
        fits.HDUList(hdus).writeto(tmp_path / "t.fits")
        with pytest.raises(RequestError, match=r"has 2 tables; say which: .*t.fits#1, .*t.fits#3"):
            open_table(tmp_path / "t.fits")
        assert open_table(f"{tmp_path}/t.fits#3").read()["b"].tolist() == [2]
        assert open_table(f"{tmp_path}/t.fits#one").read()["a"].tolist() == [1]
        with pytest.raises(RequestError, match="has no table '2'; it has 1, 3"):
            open_table(f"{tmp_path}/t.fits#2")

    def test_names_that_differ_in_case_alone(self, tmp_path):
        Table({"flux_z": [1.0], "flux_Z": [2.0]}).write(tmp_path / "t.parquet")
        both = open_table(tmp_path / "t.parquet").read()
        assert (both["flux_z"][0], both["flux_Z"][0]) == (1.0, 2.0)

    def test_gzip_is_read_as_the_plain_file(self, tmp_path, table):
        table["s"] = "e"
        write(table, tmp_path / "t.fits")
        (tmp_path / "t.fits.gz").write_bytes(gzip.compress((tmp_path / "t.fits").read_bytes()))
        plain, zipped = (open_table(tmp_path / name).read() for name in ("t.fits", "t.fits.gz"))
        for name in plain:
            np.testing.assert_array_equal(plain[name], zipped[name])

    def test_a_record_wider_than_a_piece(self, tmp_path):
        spectra = np.arange(3 * 400_000, dtype=np.float32).reshape(3, -1)
        Table({"flux": spectra}).write(tmp_path / "t.fits")
        np.testing.assert_array_equal(open_table(tmp_path / "t.fits").read()["flux"], spectra)


class TestParquet:
    def test_types_of_arrow(self, tmp_path):
        table = pa.table(
            {
                "i": pa.array([1, None, 3], pa.int16()),
                "b": pa.array([True, None, False]),
                "h": pa.array(np.array([1.5, 2, 3], np.float16)),
                "d": pa.array([Decimal("1.25"), None, Decimal("3")]),
                "none": pa.nulls(3),
                "cat": pa.array(["a", None, "b"]).dictionary_encode(),
                "bytes": pa.array([b"x", b"\xc3\xa9", None]),
                "day": pa.array([0, 1, 2], pa.date32()),
                "v": pa.array([[1.0, 2.0], None, [3.0, None]], pa.list_(pa.float32(), 2)),
                "vi": pa.array([[1, 2], [3, 4], [5, None]], pa.list_(pa.int32(), 2)),
                "var": pa.array([[1.0], [], [2.0, 3.0]]),
                "struct": pa.array([{"a": 1}] * 3),
                "bayes.mass": pa.array([1, 2, None]),
            }
        )
        pq.write_table(table, tmp_path / "t.parquet", row_group_size=2)
        read = open_table(tmp_path / "t.parquet")
        got = read.read([name for name in read.columns if name not in ("var", "struct")])
        np.testing.assert_array_equal(got["i"], [1, np.nan, 3])
        np.testing.assert_array_equal(got["b"], [1, np.nan, 0])
        np.testing.assert_array_equal(got["h"], [1.5, 2, 3])
        np.testing.assert_array_equal(got["d"], [1.25, np.nan, 3])
        np.testing.assert_array_equal(got["none"], [np.nan] * 3)
        assert got["cat"].tolist() == ["a", "", "b"]
        assert got["bytes"].tolist() == ["x", "é", ""]
        assert got["day"].tolist() == ["1970-01-01", "1970-01-02", "1970-01-03"]
        np.testing.assert_array_equal(got["v"], [[1, 2], [np.nan, np.nan], [3, np.nan]])
        np.testing.assert_array_equal(got["vi"], [[1, 2], [3, 4], [5, np.nan]])
        np.testing.assert_array_equal(got["bayes.mass"], [1, 2, np.nan])
        for name in ("var", "struct"):
            with pytest.raises(RequestError, match=f"'{name}' holds lists of varying length or structures"):
                read.read([name])

    def test_nulls_are_found_without_statistics(self, tmp_path):
        table = pa.table({"i": [1, 2, None], "v": pa.array([[1], [2], [None]], pa.list_(pa.int8(), 1)), "k": [1, 2, 3]})
        pq.write_table(table, tmp_path / "t.parquet", write_statistics=False, row_group_size=1)
        first = next(open_table(tmp_path / "t.parquet").batches(size=1))
        assert (first["i"].dtype.kind, first["v"].dtype.kind, first["k"].dtype.kind) == ("f", "f", "i")

    def test_rows_from_any_place_in_any_row_group(self, tmp_path):
        pq.write_table(pa.table({"i": np.arange(100)}), tmp_path / "t.parquet", row_group_size=13)
        table = open_table(tmp_path / "t.parquet")
        for start in range(0, 100, 9):
            for stop in range(start + 1, 101, 11):
                got = np.concatenate([b["i"] for b in table.batches(size=10, start=start, stop=stop)])
                assert got.tolist() == list(range(start, stop))


class TestHDF5:
    def test_a_group_of_columns(self, tmp_path):
        with h5py.File(tmp_path / "t.h5", "w") as file:
            file["cat/x"] = np.arange(3.0)
            file["cat/x"].attrs["unit"] = "mJy"
            file["cat/x"].attrs["description"] = "flux"
            file["cat/name"] = ["a", "bé", "c"]
            file["cat/v"] = np.ones((3, 2), ">f4")
            file["other/y"] = np.arange(5)
            file["one"] = 3.0
        with pytest.raises(RequestError, match=r"has 2 tables; say which: .*#cat, .*#other"):
            open_table(tmp_path / "t.h5")
        table = open_table(f"{tmp_path}/t.h5#/cat")
        assert (table.columns["x"].unit, table.columns["x"].description) == ("mJy", "flux")
        got = table.read()
        assert got["name"].tolist() == ["a", "bé", "c"]
        assert got["v"].dtype == np.dtype(np.float32)

    def test_columns_at_the_root(self, tmp_path):
        with h5py.File(tmp_path / "t.h5", "w") as file:
            file["x"], file["y"] = np.arange(3), np.arange(3.0)
        assert list(open_table(tmp_path / "t.h5").columns) == ["x", "y"]

    def test_datasets_of_different_lengths_are_no_table(self, tmp_path):
        with h5py.File(tmp_path / "t.h5", "w") as file:
            file["x"], file["y"] = np.arange(3), np.arange(4.0)
        with pytest.raises(RequestError, match="there is no table in this file"):
            open_table(tmp_path / "t.h5")


class TestCSV:
    def read(self, tmp_path, text, encoding="utf-8"):
        (tmp_path / "t.csv").write_bytes(text.encode(encoding))
        return open_table(tmp_path / "t.csv")

    def test_types_and_missing_values(self, tmp_path):
        table = self.read(
            tmp_path,
            f"id,n,x,b,s,day,none\n{BIG},1,1.5,true,a,2024-01-01,\n{BIG + 1},,NaN,False,,2024-01-02,\n"
            f"{BIG + 2},3,-inf,TRUE,NA,2024-01-03,--\n",
        )
        got = table.read()
        assert got["id"].tolist() == [BIG, BIG + 1, BIG + 2]
        np.testing.assert_array_equal(got["n"], [1, np.nan, 3])
        np.testing.assert_array_equal(got["x"], [1.5, np.nan, -np.inf])
        assert got["b"].tolist() == [True, False, True]
        assert got["s"].tolist() == ["a", "", "NA"]
        assert got["day"].tolist() == ["2024-01-01", "2024-01-02", "2024-01-03"]
        assert np.isnan(got["none"]).all()

    @pytest.mark.parametrize(
        "text",
        [
            "#id,x\n1,2.5\n2,3.5\n",
            "# id;x\n1,2.5\n2,3.5\n",  # the header's separator is not that of the rows
            "# made by hand, twice\nid,x\n1,2.5\n2,3.5\n",
            "#Table1\nid,x\n1,2.5\n2,3.5\n",
            "id;x\n1;2.5\n2;3.5\n",
            "id\tx\r\n1\t2.5\r\n2\t3.5\r\n",
            "id|x\n1|2.5\n\n2|3.5",
            "\ufeffid, x\n1, 2.5\n2, 3.5\n",
        ],
    )
    def test_headers_and_separators(self, tmp_path, text):
        got = self.read(tmp_path, text).read()
        assert {name: values.tolist() for name, values in got.items()} == {"id": [1, 2], "x": [2.5, 3.5]}

    def test_a_commented_header_over_text(self, tmp_path):
        assert self.read(tmp_path, "#id,name\na,b\nc,d\n").read()["name"].tolist() == ["b", "d"]

    def test_a_header_alone(self, tmp_path):
        for text in ("#id,x\n", "id,x\n", "id,x"):
            table = self.read(tmp_path, text)
            assert (table.n_rows, list(table.columns)) == (0, ["id", "x"])

    def test_one_column_with_holes(self, tmp_path):
        np.testing.assert_array_equal(self.read(tmp_path, "x\n1\n\n3\n").read()["x"], [1, np.nan, 3])

    def test_text_that_is_not_utf8(self, tmp_path):
        got = self.read(tmp_path, "id,s\n1,é\n2,b\n", "latin-1").read()["s"]
        assert got.tolist() == ["\ufffd", "b"]

    def test_types_that_only_later_rows_tell(self, tmp_path, monkeypatch):
        monkeypatch.setattr(delimited, "BLOCK_BYTES", 64)
        rows = [
            (i, "" if i < 30 else i, 1 if i < 50 else 1.5, i if i < 90 else "x", "true" if i % 2 else "7")
            for i in range(100)
        ]
        text = "i,late,number,mixed,odd\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)
        table = self.read(tmp_path, text)
        got = table.read()
        assert got["i"].tolist() == list(range(100))
        np.testing.assert_array_equal(got["late"], [np.nan] * 30 + list(range(30, 100)))
        assert got["number"].tolist() == [1.0] * 50 + [1.5] * 50
        assert got["mixed"].tolist() == [str(i) for i in range(90)] + ["x"] * 10
        assert got["odd"].tolist() == ["7", "true"] * 50
        assert np.concatenate([b["i"] for b in table.batches(["i"], 9, start=37, stop=61)]).tolist() == list(
            range(37, 61)
        )

    def test_a_line_break_between_quotes(self, tmp_path, monkeypatch):
        monkeypatch.setattr(delimited, "BLOCK_BYTES", 32)
        texts = [f"line {i}\nand another; {'x' * (7 * i % 40)}" for i in range(30)]
        text = "i,s\n" + "".join(f'{i},"{s}"\n' for i, s in enumerate(texts))
        got = self.read(tmp_path, text).read()
        assert got["s"].tolist() == texts
        assert got["i"].tolist() == list(range(30))


class TestECSV:
    def test_vectors_with_holes_and_text_with_blanks(self, tmp_path):
        (tmp_path / "t.ecsv").write_text(
            "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: s, datatype: string}\n"
            "# - {name: v, datatype: string, subtype: 'float64[2]'}\n"
            "# - {name: k, datatype: string, subtype: 'int64[2]'}\n"
            "# - {name: var, datatype: string, subtype: 'float64[null]'}\n# schema: astropy-2.0\n"
            's v k var\n"a b" [1.0,null] [1,2] [1.0]\n"" [2.0,NaN] [3,null] []\n'
        )
        table = open_table(tmp_path / "t.ecsv")
        got = table.read(["s", "v", "k"])
        assert got["s"].tolist() == ["a b", ""]
        np.testing.assert_array_equal(got["v"], [[1, np.nan], [2, np.nan]])
        np.testing.assert_array_equal(got["k"], [[1, 2], [3, np.nan]])
        with pytest.raises(RequestError, match="'var' holds lists of varying length"):
            table.read(["var"])

    def test_units_of_logarithms(self, tmp_path):
        Table({"m": Column([1.0], unit="dex(Msun)")}).write(tmp_path / "t.ecsv")
        assert u.Unit(open_table(tmp_path / "t.ecsv").columns["m"].unit) == u.Unit("dex(Msun)")


def test_a_votable_of_several_tables(tmp_path):
    one, two = (
        f'<TABLE name="{name}"><FIELD name="x" datatype="int"/><DATA><TABLEDATA><TR><TD>{n}</TD></TR>'
        "</TABLEDATA></DATA></TABLE>"
        for name, n in (("one", 1), ("two", 2))
    )
    (tmp_path / "t.xml").write_text(f'<VOTABLE version="1.4"><RESOURCE>{one}{two}</RESOURCE></VOTABLE>')
    with pytest.raises(RequestError, match=r"say which: .*#one, .*#two"):
        open_table(tmp_path / "t.xml")
    assert open_table(f"{tmp_path}/t.xml#two").read()["x"].tolist() == [2]


def test_votable_names_that_xml_cannot_tell_apart(tmp_path):
    columns = {"a b": np.arange(2), "a_b": np.arange(2) + 5, "9": np.ones(2), "sdss.up": np.zeros(2)}
    write_table(tmp_path / "t.vot", columns)
    got = open_table(tmp_path / "t.vot").read()
    assert {name: values.tolist() for name, values in got.items()} == {n: v.tolist() for n, v in columns.items()}
