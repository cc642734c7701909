"""Any table: no crash, no row lost or out of order, the same batches wherever they are cut."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from galprism.data.tables import FORMATS, open_table, write_table

ONE_EACH = [known.suffixes[0] for known in FORMATS]
TYPES = ["?", "i2", "i4", "i8", "u4", "f4", "f8"]
TEXT = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=8)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.]{0,8}", fullmatch=True)


@st.composite
def tables(draw):
    n = draw(st.integers(0, 40))
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique_by=str.lower))
    columns = {}
    for name in names:
        kind = draw(st.sampled_from([*TYPES, "text", "vector"]))
        if kind == "text":
            columns[name] = np.array(draw(st.lists(TEXT, min_size=n, max_size=n)), dtype=str)
        elif kind == "vector":
            columns[name] = draw(hnp.arrays("f4", (n, draw(st.integers(1, 3)))))
        else:
            columns[name] = draw(hnp.arrays(kind, n))
    return columns


@pytest.mark.parametrize("suffix", ONE_EACH)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(columns=tables(), size=st.integers(1, 50), start=st.integers(0, 45), length=st.integers(0, 45))
def test_every_row_comes_back_in_order(suffix, columns, size, start, length):
    if suffix == ".csv":
        # CSV has neither vectors nor types: only numbers, and text that looks like nothing else, come back as they were
        columns = {
            name: np.char.add("'", values) if values.dtype.kind == "U" else values
            for name, values in columns.items()
            if values.ndim == 1
        } or {"id": np.arange(3)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"t{suffix}"
        write_table(path, columns)
        table = open_table(path)
        whole = table.read()
        assert list(whole) == list(columns)
        for name, values in columns.items():
            np.testing.assert_array_equal(whole[name].astype(values.dtype), values)
            assert whole[name].shape == values.shape
        parts = list(table.batches(size=size, start=start, stop=start + length))
        for name in columns:
            cut = whole[name][start : start + length]
            assert [len(part[name]) for part in parts] == [len(cut[at : at + size]) for at in range(0, len(cut), size)]
            if parts:
                np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), cut)


@pytest.mark.parametrize("suffix", [s for s in ONE_EACH if s != ".csv"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(meta=st.dictionaries(st.text(max_size=20), st.text("'\"&<>\\/ \n\tµ=,{}:ab", max_size=300), max_size=3))
def test_any_meta_comes_back(suffix, meta):
    with tempfile.TemporaryDirectory() as folder:
        write_table(Path(folder) / f"t{suffix}", {"x": np.arange(2)}, meta=meta)
        assert open_table(Path(folder) / f"t{suffix}").meta == meta


@settings(max_examples=50, deadline=None)
@given(text=st.text("&/\\ =,:ab'", max_size=300))
def test_any_description_is_a_card_that_astropy_reads(text):
    with tempfile.TemporaryDirectory() as folder:
        write_table(Path(folder) / "t.fits", {"x": np.arange(2)}, descriptions={"x": text})
        said = " ".join(text.replace("'", "`").split())
        with fits.open(Path(folder) / "t.fits") as hdus:
            hdus.verify("exception")
            assert hdus[1].header.get("TCOMM1", "") == said
        assert open_table(Path(folder) / "t.fits").columns["x"].description == said
