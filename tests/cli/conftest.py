"""The command line run in this process, on a small catalogue of the shipped one's galaxies."""

import numpy as np
import pytest
from commands import BANDS, MODEL, YESTERDAY, Result, everything

from galprism.cli.main import main
from galprism.data.tables import open_table, write_table
from galprism.recipes.demo import CATALOGUE, FOLDER


@pytest.fixture
def galprism(capsys):
    """Run one command: galprism("predict", "kids-mass-sfr", path, "-o", out)."""

    def run(*words):
        capsys.readouterr()
        try:
            status = main([str(word) for word in words])
        except SystemExit as end:
            status = end.code
        captured = capsys.readouterr()
        return Result(status, captured.out, captured.err)

    return run


@pytest.fixture
def refused(galprism, tmp_path):
    """Run a command that must be refused, in one line that has all `words`, with nothing written or removed."""

    def run(command, *words):
        before = everything(tmp_path)
        result = galprism(*command)
        assert result.status == 2, result
        assert len(result.complaint) == 1, result.err
        assert result.err.startswith(f"galprism {command[0]}: "), result.err
        assert result.out == ""
        for word in words:
            assert str(word) in result.err
        assert everything(tmp_path) == before
        return result.err

    return run


@pytest.fixture
def out(tmp_path):
    """Where a command writes; something stands there already."""
    path = tmp_path / "out.parquet"
    path.write_bytes(YESTERDAY)
    return path


@pytest.fixture(scope="session")
def _shipped():
    """All 2,000 galaxies: id, redshift, fluxes and errors in nJy."""
    names = ["id", "redshift", *(f"{kind}_{band}" for band in BANDS for kind in ("flux", "flux_err"))]
    with open_table(str(FOLDER / CATALOGUE)) as table:
        return table.read(names)


@pytest.fixture
def columns(_shipped):
    """The first 64 of them, to be spoiled."""
    return {name: np.array(values[:64]) for name, values in _shipped.items()}


@pytest.fixture
def catalogue(tmp_path):
    """Write columns as a table of this folder, fluxes in nJy unless said otherwise."""

    def write(columns, name="catalogue.parquet", unit="nJy"):
        path = tmp_path / name
        units = {column: unit for column in columns if column.startswith("flux")} if unit else {}
        write_table(path, columns, units=units)
        return path

    return write


@pytest.fixture
def predicted(galprism, tmp_path):
    """Predict a catalogue and give back the columns of the answer, by their names."""

    def run(path, *options, name="predicted.parquet"):
        answer = tmp_path / name
        result = galprism("predict", MODEL, path, "-o", answer, "--threads", 1, *options)
        assert result.status == 0, result.err
        with open_table(answer) as table:
            return table.read() | {"said": result.out}

    return run
