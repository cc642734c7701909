"""`galprism train` on a catalogue of redshifts from spectra, and `predict` and `evaluate` with what comes of it."""

import h5py
import numpy as np
import pytest

import toy_redshifts
from galprism.data.tables import read_predictions, write_table

N = 800
COLUMNS = [word for target, column in toy_redshifts.columns().items() for word in ("--column", f"{target}={column}")]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """800 rows, of which ten have no redshift."""
    columns = toy_redshifts.catalogue(N)
    columns["zspec"][:10] = np.nan
    path = tmp_path_factory.mktemp("learned") / "spectra.csv"
    write_table(path, columns)
    return path


def test_from_a_catalogue_to_posteriors(galprism, table, tmp_path):
    settings = toy_redshifts.settings(table, **{"train.epochs": "[30]", "sample.validation": 50})
    result = galprism("train", "sdss-redshift", *settings, "-o", tmp_path / "made")
    assert result.status == 0, result.err
    assert f"{table}: sdss-redshift learns from 790 of 800 rows; left out: 10 without redshift" in result.err
    assert str(table.parent) not in (tmp_path / "made" / "bundle.json").read_text()
    out, kept = tmp_path / "out.csv", tmp_path / "pz.hdf5"
    result = galprism("predict", tmp_path / "made", table, *COLUMNS, "-o", out, "--redshift-pdf", kept)
    assert result.status == 0, result.err
    found = read_predictions(out)
    assert len(found) == N
    off = found.quantile("redshift", 0.5) - toy_redshifts.exact(toy_redshifts.catalogue(N), 0.5)
    assert np.sqrt(np.mean(off**2)) < toy_redshifts.SIGMA
    with h5py.File(kept) as file:
        pdf, edges = file["data/pdfs"][:], file["meta/bins"][0]
        assert file["ancil/id"][:3].tolist() == [100, 101, 102]
    np.testing.assert_allclose(pdf @ np.diff(edges), 1.0, rtol=1e-4)
    truth = tmp_path / "truth.csv"
    write_table(truth, {"id": found.id[10:], "redshift": toy_redshifts.catalogue(N)["zspec"][10:]})
    result = galprism("evaluate", out, "--truth", truth, "-o", tmp_path / "report")
    assert result.status == 0, result.err
    result = galprism("predict", tmp_path / "made", table, *COLUMNS, "-o", out, "--infer-redshift")
    assert result.status == 2
    assert "infers the redshift of every source; leave it out" in result.err


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ((), ("learns from a catalogue with redshift", "labels.catalogue=FILE")),
        (("labels.catalogue={path}", 'labels.columns.redshift="z_sp"'), ("z_sp",)),
        (("labels.catalogue=nowhere.csv",), ("nowhere.csv",)),
        (("labels.catalogue={path}",), ("spectra.csv",)),
    ],
)
def test_what_cannot_be_learned_is_refused(refused, table, tmp_path, settings, words):
    given = [setting.format(path=table) for setting in settings]
    refused(("train", "sdss-redshift", *given, "-o", tmp_path / "made"), *words)


@pytest.mark.parametrize("verb", ["mock", "fit"])
def test_there_is_no_sky_to_simulate(refused, table, tmp_path, verb):
    words = ("-n", "10") if verb == "mock" else (table, "--method", "posterior")
    out = tmp_path / "out.parquet"
    refused((verb, "sdss-redshift", *words, "-o", out), "sdss-redshift", "catalogue")
    assert not out.exists()
