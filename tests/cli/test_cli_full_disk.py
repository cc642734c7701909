"""A disk that fills up while a table is written: one line, and what stood there before still stands."""

import resource
import subprocess
import sys

import numpy as np
import pytest
from commands import MODEL, YESTERDAY

ROWS = 20_000
LIMIT_BYTES = 40_000
"""No file may grow beyond this, which the answers to ROWS sources do in every format."""


@pytest.fixture
def large(catalogue, columns):
    """A catalogue of ROWS rows."""
    many = {name: np.resize(values, ROWS) for name, values in columns.items()}
    return catalogue(many | {"id": np.arange(ROWS)})


@pytest.mark.parametrize("suffix", ["parquet", "fits", "csv", "ecsv", "hdf5", "vot"])
@pytest.mark.parametrize("command", [("predict", MODEL), ("fit", "mlp-gap")])
def test_a_file_that_cannot_grow(command, suffix, large, catalogue, columns, tmp_path):
    path = large if command[0] == "predict" else catalogue({k: np.resize(v, 600) for k, v in columns.items()})
    out = tmp_path / f"out.{suffix}"
    out.write_bytes(YESTERDAY)
    before = {entry.name for entry in tmp_path.iterdir()}
    done = subprocess.run(
        [sys.executable, "-m", "galprism", *command, str(path), "-o", str(out)],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT_BYTES, LIMIT_BYTES)),
    )
    assert done.returncode == 1, done
    assert "File too large" in done.stderr.splitlines()[-1], done.stderr
    assert "Traceback" not in done.stderr
    assert out.read_bytes() == YESTERDAY
    assert {entry.name for entry in tmp_path.iterdir()} == before
