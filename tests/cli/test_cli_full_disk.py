"""A disk that fills up while a table is written: one line, and what stood there before still stands."""

import json
import resource
import subprocess
import sys

import numpy as np
import pytest
from commands import MODEL, YESTERDAY

ROWS = 20_000
LIMIT_BYTES = 40_000
"""No file may grow beyond this, which the answers to ROWS sources do in every format."""
SUFFIXES = ("parquet", "fits", "csv", "ecsv", "hdf5", "vot")
EACH = """
import contextlib, io, json, runpy, sys
for sys.argv in json.loads(sys.argv[1]):
    status, said = None, io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            runpy.run_module("galprism", run_name="__main__", alter_sys=True)
        except SystemExit as end:
            status = end.code
    print(json.dumps([status, said.getvalue()]))
"""
"""`python -m galprism …` for each command line in turn; prints its status and what it wrote to standard error."""


@pytest.fixture
def large(catalogue, columns):
    """A catalogue of ROWS rows."""
    many = {name: np.resize(values, ROWS) for name, values in columns.items()}
    return catalogue(many | {"id": np.arange(ROWS)})


@pytest.mark.parametrize("command", [("predict", MODEL), ("fit", "mlp-gap")])
def test_a_file_that_cannot_grow(command, large, catalogue, columns, tmp_path):
    path = large if command[0] == "predict" else catalogue({k: np.resize(v, 600) for k, v in columns.items()})
    outs = [tmp_path / f"out.{suffix}" for suffix in SUFFIXES]
    for out in outs:
        out.write_bytes(YESTERDAY)
    before = {entry.name for entry in tmp_path.iterdir()}
    done = subprocess.run(
        [sys.executable, "-c", EACH, json.dumps([["galprism", *command, str(path), "-o", str(out)] for out in outs])],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT_BYTES, LIMIT_BYTES)),
    )
    assert done.returncode == 0, done
    for out, line in zip(outs, done.stdout.splitlines(), strict=True):
        status, said = json.loads(line)
        assert status == 1, (out.name, status, said)
        assert "File too large" in said.splitlines()[-1], (out.name, said)
        assert "Traceback" not in said, (out.name, said)
        assert out.read_bytes() == YESTERDAY, out.name
    assert "Traceback" not in done.stderr, done.stderr
    assert {entry.name for entry in tmp_path.iterdir()} == before
