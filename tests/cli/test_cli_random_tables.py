"""Any table that can be read at all: no crash, no row lost or moved, and every null explained by a flag."""

import tempfile
from pathlib import Path

import numpy as np
from commands import BANDS, MODEL
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from galprism.cli.main import main
from galprism.data.tables import open_table, write_table
from galprism.flags import Flag

ODD = st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -99.0, 99.0, -9999.0, -1.0, 1e-30, 1e30, 3.0e38])
NUMBER = ODD | st.floats(width=32)
FAULTS = st.lists(st.tuples(st.integers(0, 29), st.integers(0, 18), NUMBER), max_size=60)
"""Row, column (fluxes, errors, redshift) and what stands there instead of a number that makes sense."""


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    n=st.integers(0, 30),
    faults=FAULTS,
    ids=st.sampled_from(["number", "text", "same"]),
    suffix=st.sampled_from(["parquet", "fits", "csv"]),
)
def test_no_row_is_lost_moved_or_null_without_a_reason(n, faults, ids, suffix, columns):
    names = [*(f"flux_{band}" for band in BANDS), *(f"flux_err_{band}" for band in BANDS), "redshift"]
    table = {name: columns[name][:n].astype(np.float32) for name in names}
    for row, column, value in faults:
        if row < n:
            table[names[column]][row] = value
    number = np.arange(n)[::-1] * 3
    table["id"] = {"number": number, "text": np.array([f"s{k}" for k in number], "U8"), "same": number // 9}[ids]
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / f"table.{suffix}", Path(folder) / f"answer.{suffix}"
        write_table(path, table)
        status = main(["predict", MODEL, str(path), "-o", str(out), "--threads", "1", "--unit", "nJy"])
        if status == 2:  # most rows were spoiled: the table as a whole cannot be the survey's
            assert len(faults) > n // 4
            assert [found.name for found in Path(folder).iterdir()] == [path.name]
            return
        assert status == 0
        with open_table(out) as written:
            answer = written.read()
    assert np.array_equal(answer["id"].astype(table["id"].dtype), table["id"])
    null = np.isnan(answer["logmstar"].astype(float))
    reason = Flag.NO_PHOTOMETRY | Flag.REDSHIFT_MISSING | Flag.REDSHIFT_OUT_OF_RANGE
    flags = answer["flags"].astype(np.int64)
    assert np.array_equal(null, (flags & reason) != 0)
    assert np.array_equal(null, (flags & Flag.NOT_INFERRED) != 0)
    quantiles = np.stack([answer[f"logsfr_p{level}"].astype(float) for level in (16, 50, 84)])
    assert np.array_equal(np.isnan(quantiles), np.broadcast_to(null, quantiles.shape))
    assert np.all(np.diff(quantiles[:, ~null], axis=0) > 0)
    assert np.all((answer["n_bands"] == 9) | ((flags & (Flag.BAND_MISSING | reason)) != 0))
