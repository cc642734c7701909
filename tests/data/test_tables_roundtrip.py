"""A table written and read back is the same table: in every format, by us and by others."""

import json
import warnings

import astropy.units as u
import h5py
import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from astropy.io import fits, votable
from astropy.io.votable.ucd import check_ucd
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning

from galprism.data.tables import FORMATS, ColumnInfo, TableWriter, open_table, write_table

SUFFIXES = [suffix for known in FORMATS for suffix in known.suffixes]
ONE_EACH = [known.suffixes[0] for known in FORMATS]
META = {"seed": 3, "note": "quotes \" and ' and ünïcode", "nested": {"levels": [0.16, 0.5]}, "long": "x" * 500}


def without_vectors(suffix, arrays, infos):
    if suffix != ".csv":
        return arrays, infos
    return {n: a for n, a in arrays.items() if n != "pdf"}, [i for i in infos if i.name != "pdf"]


def write(path, arrays, infos, meta=META, sizes=(100, 1, 156)):
    with TableWriter(path, infos, len(arrays["id"]), meta) as writer:
        at = 0
        for size in sizes:
            writer.write({name: values[at : at + size] for name, values in arrays.items()})
            at += size


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_all_comes_back(tmp_path, arrays, infos, suffix):
    arrays, infos = without_vectors(suffix, arrays, infos)
    write(tmp_path / f"t{suffix}", arrays, infos)
    table = open_table(tmp_path / f"t{suffix}")
    assert list(table.columns) == list(arrays)
    assert table.n_rows == len(arrays["id"])
    whole = table.read()
    for name, values in arrays.items():
        got = whole[name]
        np.testing.assert_array_equal(got.astype(values.dtype), values)
        assert got.dtype.isnative
        if values.dtype.kind in "Ub" or name == "id":
            assert got.dtype.kind == values.dtype.kind
    assert table.meta == ({} if suffix == ".csv" else META)
    assert [p.name for p in tmp_path.iterdir()] == [f"t{suffix}"]


@pytest.mark.parametrize("suffix", [s for s in ONE_EACH if s != ".csv"])
def test_units_descriptions_and_ucds_come_back(tmp_path, arrays, infos, suffix):
    write(tmp_path / f"t{suffix}", arrays, infos)
    for before in infos:
        after = open_table(tmp_path / f"t{suffix}").columns[before.name]
        assert (after.description, after.ucd, after.shape) == (before.description, before.ucd, before.shape)
        assert (after.unit is None) == (before.unit is None)
        if before.unit:
            assert u.Unit(after.unit) == u.Unit(before.unit)
        if suffix not in (".vot", ".csv"):  # VOTable has no unsigned integers
            assert after.dtype.kind == before.dtype.kind
            assert before.dtype.kind == "U" or after.dtype == before.dtype


@pytest.mark.parametrize("suffix", ONE_EACH)
@pytest.mark.parametrize("size", [1, 100, 257, 10_000])
def test_batches_are_the_table_cut(tmp_path, arrays, infos, suffix, size):
    arrays, infos = without_vectors(suffix, arrays, infos)
    write(tmp_path / f"t{suffix}", arrays, infos)
    batches = list(open_table(tmp_path / f"t{suffix}").batches(["flux_r", "id"], size))
    assert [len(b["id"]) for b in batches] == [min(size, 257 - at) for at in range(0, 257, size)]
    assert all(list(b) == ["flux_r", "id"] for b in batches)
    np.testing.assert_array_equal(np.concatenate([b["id"] for b in batches]), arrays["id"])


@pytest.mark.parametrize("suffix", ONE_EACH)
def test_a_run_of_rows(tmp_path, arrays, infos, suffix):
    arrays, infos = without_vectors(suffix, arrays, infos)
    write(tmp_path / f"t{suffix}", arrays, infos)
    table = open_table(tmp_path / f"t{suffix}")
    for start, stop in [(0, 10), (99, 103), (200, None), (256, 999)]:
        parts = [batch["id"] for batch in table.batches(["id"], 7, start=start, stop=stop)]
        np.testing.assert_array_equal(np.concatenate(parts), arrays["id"][start:stop])
    assert list(table.batches(["id"], start=257)) == []


@pytest.mark.parametrize("suffix", ONE_EACH)
def test_an_empty_table(tmp_path, arrays, infos, suffix):
    arrays, infos = without_vectors(suffix, arrays, infos)
    none = {name: values[:0] for name, values in arrays.items()}
    write(tmp_path / f"t{suffix}", none, infos, sizes=(0,))
    table = open_table(tmp_path / f"t{suffix}")
    assert table.n_rows == 0
    assert list(table.columns) == list(arrays)
    assert list(table.batches()) == []
    whole = table.read()
    assert {name: values.shape for name, values in whole.items()} == {n: a[:0].shape for n, a in arrays.items()}


@pytest.mark.parametrize("suffix", [".parquet", ".fits"])
def test_more_rows_than_a_batch_or_a_row_group(tmp_path, suffix):
    n = 200_000
    columns = {"id": np.arange(n), "x": np.random.default_rng(0).normal(size=n).astype(np.float32)}
    write_table(tmp_path / f"a{suffix}", columns)
    with open_table(tmp_path / f"a{suffix}") as table:
        assert [len(batch["x"]) for batch in table.batches()] == [65_536] * 3 + [n - 3 * 65_536]
        with TableWriter(tmp_path / f"b{suffix}", list(table.columns.values()), n) as writer:
            for batch in table.batches(size=30_000):
                writer.write(batch)
    for name, values in open_table(tmp_path / f"b{suffix}").read().items():
        np.testing.assert_array_equal(values, columns[name])
    if suffix == ".parquet":
        groups = pq.read_metadata(tmp_path / "b.parquet")
        rows = [groups.row_group(i).num_rows for i in range(groups.num_row_groups)]
        assert max(rows) < 2**20
        assert min(rows[:-1]) >= 65_536


def test_text_that_grows_from_batch_to_batch(tmp_path):
    texts = np.array(["a", "bcd", "ü" * 40, "", "ef"])
    for suffix in ONE_EACH:
        with TableWriter(tmp_path / f"t{suffix}", [ColumnInfo("s", dtype=np.dtype(str))], 5) as writer:
            for text in texts:
                writer.write({"s": np.array([text])})
        np.testing.assert_array_equal(open_table(tmp_path / f"t{suffix}").read()["s"], texts)


def test_every_integer_type_to_its_ends(tmp_path):
    types = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
    ends = {t: np.array([np.iinfo(t).min, np.iinfo(t).max, 1], t) for t in types}
    for suffix in ONE_EACH:
        given = {n: a for n, a in ends.items() if n != "uint64" or suffix in (".fits", ".parquet", ".ecsv", ".hdf5")}
        write_table(tmp_path / f"t{suffix}", given)
        for name, values in open_table(tmp_path / f"t{suffix}").read().items():
            assert values.dtype.kind in "iu"
            assert values.tolist() == ends[name].tolist()


def test_masked_values_are_written_as_missing(tmp_path):
    columns = {
        "x": np.ma.array([1.0, 2.0], mask=[True, False]),
        "n": np.ma.array([1, 2], mask=[False, True]),
        "m": np.ma.array([1, 2]),
    }
    for suffix in ONE_EACH:
        write_table(tmp_path / f"t{suffix}", columns)
        whole = open_table(tmp_path / f"t{suffix}").read()
        np.testing.assert_array_equal(whole["x"], [np.nan, 2])
        np.testing.assert_array_equal(whole["n"], [1, np.nan])
        assert whole["m"].dtype.kind == "i"


class TestByOthers:
    """What we write, read without our reader."""

    @pytest.mark.parametrize(
        ("suffix", "how"),
        [
            (".fits", {}),
            (".fits.gz", {}),
            (".ecsv", {}),
            (".vot", {}),
            (".hdf5", {"path": "table", "character_as_bytes": False}),
            (".parquet", {}),
        ],
    )
    def test_astropy(self, tmp_path, arrays, infos, suffix, how):
        write(tmp_path / f"t{suffix}", arrays, infos)
        with warnings.catch_warnings():
            if suffix.startswith(".fits"):  # the FITS standard has no unit for a logarithm
                warnings.filterwarnings("ignore", "'dex.Msun.' did not parse as fits unit", u.UnitsWarning)
            if suffix == ".parquet":
                warnings.filterwarnings("ignore", "No table::len::Name found", AstropyUserWarning)
            table = Table.read(tmp_path / f"t{suffix}", **how)
        assert table.colnames == list(arrays)
        for info in infos:
            column, values = table[info.name], arrays[info.name]
            if info.name == "Name" and suffix.startswith(".fits"):
                column = np.char.decode(np.asarray(column), "utf-8")
            # astropy masks NaN and empty text in some formats
            filled = np.ma.filled(np.ma.asarray(column), {"U": "", "f": np.nan}.get(info.dtype.kind, 0))
            np.testing.assert_array_equal(np.asarray(filled).astype(values.dtype), values)
            if info.unit and not (suffix.startswith(".fits") and "dex" in info.unit):  # FITS units have no dex
                assert table[info.name].unit == u.Unit(info.unit)

    def test_astropy_through_the_embedded_votable(self, tmp_path, arrays):
        # not with text: astropy 8 cannot stack the text of a VOTable onto that of Parquet
        numbers = {name: arrays[name] for name in ("id", "flux_r")}
        write_table(tmp_path / "t.parquet", numbers, units={"flux_r": "nJy"}, descriptions={"flux_r": "in r"})
        table = Table.read(tmp_path / "t.parquet", format="parquet.votable")
        np.testing.assert_array_equal(np.ma.filled(table["flux_r"], np.nan), arrays["flux_r"])
        assert table["id"].tolist() == arrays["id"].tolist()
        assert (table["flux_r"].unit, table["flux_r"].description) == (u.nJy, "in r")

    def test_fits_header(self, tmp_path, arrays, infos):
        write(tmp_path / "t.fits", arrays, infos)
        with fits.open(tmp_path / "t.fits") as hdus:
            hdus.verify("exception")
            header = hdus[1].header
            i = list(arrays).index("logm") + 1
            assert header[f"TUNIT{i}"] == "dex(Msun)"
            assert header[f"TUCD{i}"] == "phys.mass"
            assert header[f"TCOMM{i}"] == "log10 of the mass: <living> & dead"
            assert json.loads(header["GALPRISM"]) == META
            np.testing.assert_array_equal(hdus[1].data["flags"], arrays["flags"])
            np.testing.assert_array_equal(hdus[1].data["good"], arrays["good"])
        assert (tmp_path / "t.fits").stat().st_size % 2880 == 0

    def test_parquet_keys_and_fields(self, tmp_path, arrays, infos):
        write(tmp_path / "t.parquet", arrays, infos)
        table = pq.read_table(tmp_path / "t.parquet")
        assert table.schema.metadata[b"IVOA.VOTable-Parquet.version"] == b"1.0"
        assert table.field("flux_r").metadata == {
            b"unit": b"nJy",
            b"ucd": b"phot.flux.density",
            b"description": b"flux density in r",
        }
        np.testing.assert_array_equal(table["flux_r"].to_numpy(), arrays["flux_r"])
        assert table["flux_r"].null_count == 0  # NaN is a value here, in this format as in FITS
        np.testing.assert_array_equal(np.stack(table["pdf"].to_numpy()), arrays["pdf"])

    def test_embedded_votable_holds_no_data_and_describes_each_column(self, tmp_path, arrays, infos):
        write(tmp_path / "t.parquet", arrays, infos)
        content = pq.read_metadata(tmp_path / "t.parquet").metadata[b"IVOA.VOTable-Parquet.content"]
        assert b"<DATA" not in content
        (tmp_path / "head.vot").write_bytes(content)
        tree = votable.parse(tmp_path / "head.vot", verify="exception")
        fields = tree.get_first_table().fields
        assert [field.name for field in fields] == list(arrays)
        assert all(check_ucd(field.ucd, check_controlled_vocabulary=True) for field in fields if field.ucd)

    def test_hdf5_by_h5py(self, tmp_path, arrays, infos):
        write(tmp_path / "t.hdf5", arrays, infos)
        with h5py.File(tmp_path / "t.hdf5") as file:
            np.testing.assert_array_equal(file["table"]["flags"], arrays["flags"])
            assert file["table"].dtype["good"].kind == "b"

    def test_csv_has_names_numbers_and_empty_cells(self, tmp_path):
        write_table(tmp_path / "t.csv", {"id": np.array([2**60 + 1]), "x": np.array([np.nan]), "s": np.array(["a,b"])})
        assert (tmp_path / "t.csv").read_text() == f'id,x,s\n{2**60 + 1},,"a,b"\n'
        assert pyarrow.csv.read_csv(tmp_path / "t.csv")["id"].to_pylist() == [2**60 + 1]
