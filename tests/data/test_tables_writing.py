"""A table is written whole or not at all, and what cannot be written is refused before any work."""

import os

import numpy as np
import pytest

from galprism.data.tables import FORMATS, ColumnInfo, TableWriter, check_apart, check_writable, open_table, write_table
from galprism.errors import RequestError

SUFFIXES = [suffix for known in FORMATS for suffix in known.suffixes]
ONE_EACH = [known.suffixes[0] for known in FORMATS]
COLUMNS = [ColumnInfo("id", dtype=np.dtype(np.int64)), ColumnInfo("s", dtype=np.dtype(str))]


def batch(n, text="a"):
    return {"id": np.arange(n), "s": np.full(n, text)}


def write_half(path, stop):
    before = path.exists()
    with TableWriter(path, COLUMNS, 10) as writer:
        writer.write(batch(5))
        assert path.exists() == before
        raise stop


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("stop", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_nothing(tmp_path, suffix, stop):
    with pytest.raises(stop):
        write_half(tmp_path / f"t{suffix}", stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", ONE_EACH)
def test_what_stood_there_stays_until_the_new_one_is_whole(tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    write_table(path, {"id": np.array([1])})
    with pytest.raises(RuntimeError):
        write_half(path, RuntimeError)
    assert open_table(path).read()["id"].tolist() == [1]
    write_table(path, {"id": np.array([2, 3])})
    assert open_table(path).read()["id"].tolist() == [2, 3]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", ONE_EACH)
def test_rows_too_few_or_too_many(tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    with pytest.raises(RequestError, match="5 rows were given; 10 were announced"), TableWriter(path, COLUMNS, 10) as w:
        w.write(batch(5))
    with (
        pytest.raises(RequestError, match="15 rows were given; 10 were announced"),
        TableWriter(path, COLUMNS, 10) as w,
    ):
        w.write(batch(15))
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fails_at_the_end_leaves_nothing(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_table(tmp_path / "t.fits", batch(3))
    assert list(tmp_path.iterdir()) == []


class TestRefusedBeforeAnyWork:
    def test_paths(self, tmp_path):
        (tmp_path / "d.fits").mkdir()
        (tmp_path / "file").write_text("")
        for name, said in [
            ("t.doc", "no table format ends like this; accepted: .fits"),
            ("t", "no table format ends like this"),
            ("t.JPG", "a picture is no table; accepted: .fits"),
            ("d.fits", "is a directory; the output must be a file"),
            ("missing/t.fits", "there is no folder"),
            ("file/t.fits", "there is no folder"),
            ("x" * 300 + ".fits", "cannot be written: File name too long"),
        ]:
            with pytest.raises(RequestError, match=said) as caught:
                check_writable(tmp_path / name)
            assert name in str(caught.value)
            with pytest.raises(RequestError):
                TableWriter(tmp_path / name, COLUMNS, 1)
        assert sorted(p.name for p in tmp_path.iterdir()) == ["d.fits", "file"]

    def test_a_good_path_is_left_as_it_was(self, tmp_path):
        assert check_writable(str(tmp_path / "t.FITS")) == tmp_path / "t.FITS"
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_that_takes_no_files(self, tmp_path, monkeypatch):
        def denied(self, *args, **kwargs):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("pathlib.Path.mkdir", denied)
        with pytest.raises(RequestError, match=r"t\.fits: cannot be written: Permission denied"):
            check_writable(tmp_path / "t.fits")

    @pytest.mark.parametrize(
        ("columns", "said"),
        [
            ([], "needs at least one column"),
            ([ColumnInfo("a"), ColumnInfo("b"), ColumnInfo("a")], "'a' is given twice"),
            ([ColumnInfo("")], "'' cannot name a column"),
            ([ColumnInfo("a\n")], "cannot name a column"),
            ([ColumnInfo("a", dtype=np.dtype(complex))], "'a' has type complex128; accepted: bool"),
            ([ColumnInfo("a", dtype=np.dtype(object))], "'a' has type object"),
            ([ColumnInfo("a", dtype=np.dtype(np.float16))], "'a' has type float16"),
            ([ColumnInfo("a", shape=(2, 3))], r"'a' has rows of shape \(2, 3\)"),
            ([ColumnInfo("a", dtype=np.dtype(str), shape=(2,))], "accepted: scalars, and vectors of numbers"),
        ],
    )
    def test_columns(self, tmp_path, columns, said):
        with pytest.raises(RequestError, match=said):
            TableWriter(tmp_path / "t.fits", columns, 1)

    def test_columns_that_one_format_lacks(self, tmp_path):
        for name, columns, said in [
            ("t.csv", {"v": np.ones((2, 2))}, "t.csv: column 'v' is a vector, which CSV cannot hold"),
            ("t.fits", {"masse_é": np.ones(2)}, "t.fits: column 'masse_é' has no name that FITS can hold"),
            ("t.vot", {"n": np.array([2**63], np.uint64)}, r"t.vot: column 'n' has integers beyond 2\^63"),
        ]:
            with pytest.raises(RequestError, match=said):
                write_table(tmp_path / name, columns)
        assert list(tmp_path.iterdir()) == []

    def test_meta_that_json_cannot_hold(self, tmp_path):
        with pytest.raises(TypeError):
            TableWriter(tmp_path / "t.fits", COLUMNS, 1, {"x": object()})


class TestBatches:
    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"id": np.arange(2)}, "differ in 's'"),
            (batch(2) | {"t": np.arange(2)}, "differ in 't'"),
            ({"id": np.arange(2), "s": np.array(["a"])}, r"'s' has shape \(1,\); expected \(2,\)"),
            ({"id": np.ones((2, 1), int), "s": np.array(["a", "b"])}, r"'id' has shape \(2, 1\)"),
            ({"id": np.array([1.5, 2.0]), "s": np.array(["a", "b"])}, "'id' is float64 in this batch"),
            ({"id": np.ma.array([1, 2], mask=[0, 1]), "s": np.array(["a", "b"])}, "'id' is float64 in this batch"),
        ],
    )
    def test_that_do_not_fit(self, tmp_path, given, said):
        with pytest.raises(RequestError, match=said), TableWriter(tmp_path / "t.fits", COLUMNS, 2) as writer:
            writer.write(given)
        assert list(tmp_path.iterdir()) == []

    def test_outside_the_block(self, tmp_path):
        writer = TableWriter(tmp_path / "t.fits", COLUMNS, 2)
        with pytest.raises(RequestError, match="the table is not open"):
            writer.write(batch(2))

    def test_objects_and_bytes_are_text(self, tmp_path):
        texts = np.array(["a", None, b"\xc3\xa9", 3], object)
        write_table(tmp_path / "t.parquet", {"s": texts, "b": np.array([b"x", b"\xe9", b"", b"y"])})
        got = open_table(tmp_path / "t.parquet").read()
        assert got["s"].tolist() == ["a", "", "é", "3"]
        assert got["b"].tolist() == ["x", "é", "", "y"]

    def test_half_floats_are_widened(self, tmp_path):
        write_table(tmp_path / "t.fits", {"x": np.array([0.5], np.float16)})
        assert open_table(tmp_path / "t.fits").columns["x"].dtype == np.float32


class TestApartFromWhatIsRead:
    """A spectrum or a catalogue that somebody waited a night for must not become the table that was made of it."""

    @pytest.fixture
    def folder(self, tmp_path):
        (tmp_path / "sp").mkdir()
        for name in ("sp/a.fits", "m.h5"):
            (tmp_path / name).write_text("precious")
        (tmp_path / "by_link.h5").symlink_to(tmp_path / "m.h5")
        (tmp_path / "by_hard_link.h5").hardlink_to(tmp_path / "m.h5")
        (tmp_path / "link.fits").symlink_to(tmp_path / "sp" / "a.fits")
        (tmp_path / "linked").symlink_to(tmp_path / "sp")
        return tmp_path

    @pytest.mark.parametrize(
        ("output", "read", "said"),
        [
            ("m.h5", "m.h5", "is what is read"),
            ("sp/../m.h5", "m.h5", "is what is read"),
            ("by_link.h5", "m.h5", "is what is read"),
            ("by_hard_link.h5", "m.h5", "is what is read"),
            ("m.h5", "by_link.h5", "is what is read"),
            ("sp/a.fits", "sp", "lies in .*sp, all of which is read"),
            ("sp/new.fits", "sp", "lies in .*sp, all of which is read"),
            ("linked/a.fits", "sp", "lies in"),
            ("sp/a.fits", "linked", "lies in"),
            ("link.fits", "sp", "lies in"),
            ("sp", "sp/a.fits", "holds .*a.fits, which is read"),
        ],
    )
    def test_refused(self, folder, output, read, said):
        with pytest.raises(RequestError, match=said):
            check_apart(folder / output, [folder / "absent", folder / read])

    @pytest.mark.parametrize(("output", "read"), [("new.h5", "m.h5"), ("m.h5", "sp"), ("b.fits", "sp"), ("sp", "m.h5")])
    def test_of_its_own(self, folder, output, read):
        check_apart(folder / output, [folder / read])
