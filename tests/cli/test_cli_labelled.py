"""`galprism train` on a catalogue of known classes, and `predict` with what comes of it."""

import numpy as np
import pytest

import toy_classes
from galprism.data import CLASSES
from galprism.data.tables import read_predictions, write_table
from galprism.units import abmag_from_njy

N = 1500
MAGNITUDES = ("u", "g", "r", "i", "z")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """The toy sky's first five bands as SDSS's magnitudes without errors, as its table of classes has them."""
    sources, classes = toy_classes.sources(N, seed=2)
    flux = np.maximum(sources.photometry.flux[:, :5], 1.0)
    columns = {band: abmag_from_njy(flux[:, k]) for k, band in enumerate(MAGNITUDES)}
    path = tmp_path_factory.mktemp("labelled") / "spectra.csv"
    write_table(path, columns | {"class": np.char.upper(np.array(CLASSES)[classes])})
    return path, classes


def test_several_networks_learn_from_a_catalogue(galprism, table, tmp_path):
    path, classes = table
    settings = ("classes.networks=2", "train.epochs=[4]", "net.width=32", "sample.validation=200")
    learned = (f"classes.labels.catalogue={path}", *settings)
    result = galprism("train", "sdss-star-qso-galaxy", *learned, "-o", tmp_path / "made")
    assert result.status == 0, result.err
    assert sorted(file.name for file in (tmp_path / "made").glob("*.png")) == [
        "curves-network-0.png",
        "curves-network-1.png",
    ]
    assert str(path.parent) not in (tmp_path / "made" / "bundle.json").read_text()
    columns = [word for band in MAGNITUDES for word in ("--column", f"mag_{band}={band}")]
    columns += [word for band in MAGNITUDES for word in ("--column", f"mag_err_{band}=none")]
    result = galprism("predict", tmp_path / "made", path, *columns, "-o", tmp_path / "out.csv")
    assert result.status == 0, result.err
    found = read_predictions(tmp_path / "out.csv")
    called = np.array([list(CLASSES).index(name) for name in found.extra["class"]])
    assert (called == classes).mean() > 0.75


def test_a_catalogue_without_such_a_column_is_refused_by_name(refused, table, tmp_path):
    path, _ = table
    words = (f"classes.labels.catalogue={path}", "classes.labels.column=kind")
    assert refused(("train", "sdss-star-qso-galaxy", *words, "-o", tmp_path / "made"), path, "'kind'", "class")
