"""Predictions go to a table and come back; the table says what its columns are."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io.votable.ucd import check_ucd

from galprism.data import Predictions
from galprism.data.tables import (
    FORMATS,
    ColumnInfo,
    PredictionsWriter,
    open_table,
    predictions_columns,
    quantile_column,
    read_predictions,
    write_predictions,
)
from galprism.errors import RequestError
from galprism.flags import SENTENCE, Flag
from galprism.params import PARAMS

ONE_EACH = [known.suffixes[0] for known in FORMATS]
N = 30


@pytest.fixture
def predictions() -> Predictions:
    rng = np.random.default_rng(5)
    quantiles = np.sort(rng.normal(size=(N, 2, 5)).astype(np.float32), axis=2)
    quantiles[4] = np.nan
    point = quantiles.mean(axis=2)
    return Predictions(
        id=2**60 + rng.permutation(N),
        names=("logmstar", "logsfr"),
        point=point,
        flags=np.where(np.arange(N) == 4, np.uint32(Flag.NO_PHOTOMETRY | Flag.NOT_INFERRED), 0).astype(np.uint32),
        n_bands=np.where(np.arange(N) == 4, 0, 9).astype(np.int16),
        levels=(0.025, 0.16, 0.5, 0.84, 0.975),
        quantiles=quantiles,
        ra=rng.uniform(0, 360, N),
        dec=rng.uniform(-90, 90, N),
        extra={"chi2": rng.random(N), "logmstar_linear_mean": rng.random(N).astype(np.float32), "best": np.arange(N)},
        meta={"method": "grid", "versions": {"galprism": "0.1.0"}, "seconds": 1.5},
    )


def assert_same(a, b, *, types=True):
    assert (a.names, a.levels, list(a.extra)) == (b.names, b.levels, list(b.extra))
    for name in ("id", "point", "flags", "n_bands", "quantiles", "ra", "dec"):
        before, after = getattr(b, name), getattr(a, name)
        assert (before is None) == (after is None)
        if before is not None:
            np.testing.assert_array_equal(after.astype(before.dtype), before)
            if types:
                assert after.dtype == before.dtype
    for name, values in b.extra.items():
        np.testing.assert_array_equal(a.extra[name].astype(values.dtype), values)


@pytest.mark.parametrize("suffix", ONE_EACH)
def test_round_trip(tmp_path, predictions, suffix):
    write_predictions(tmp_path / f"p{suffix}", predictions)
    back = read_predictions(tmp_path / f"p{suffix}")
    assert_same(back, predictions, types=suffix != ".csv")
    assert back.meta == ({} if suffix == ".csv" else predictions.meta)


def test_parts_joined_are_the_whole(predictions):
    whole = Predictions.joined([predictions.take(slice(0, 7)), predictions.take(slice(7, N))])
    for name in ("id", "point", "flags", "n_bands", "quantiles"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(predictions, name))
    assert whole.extra.keys() == predictions.extra.keys()
    with pytest.raises(RequestError, match="the same columns"):
        Predictions.joined([predictions, replace(predictions, extra={"other": np.zeros(N)})])


def test_columns_are_those_of_the_drawing(predictions):
    arrays, infos, _ = predictions_columns(predictions)
    levels = ("p2p5", "p16", "p50", "p84", "p97p5")
    expected = ["id", "ra", "dec"]
    for name in predictions.names:
        expected += [name, *(f"{name}_{level}" for level in levels)]
    assert (
        list(arrays)
        == [i.name for i in infos]
        == [*expected, "chi2", "logmstar_linear_mean", "best", "n_bands", "flags"]
    )
    np.testing.assert_array_equal(arrays["logsfr_p16"], predictions.quantile("logsfr", 0.16))
    assert quantile_column("av", 0.001) == "av_p0p1"


def test_a_point_alone_and_text_for_ids(tmp_path, predictions):
    bare = Predictions(
        id=np.array([f"KiDS J{i}" for i in range(N)]),
        names=("logmstar",),
        point=predictions.point[:, :1],
        flags=predictions.flags,
        n_bands=predictions.n_bands,
    )
    for suffix in ONE_EACH:
        write_predictions(tmp_path / f"p{suffix}", bare)
        assert_same(read_predictions(tmp_path / f"p{suffix}"), bare, types=False)


def test_every_column_says_unit_meaning_and_a_valid_ucd(tmp_path, predictions):
    write_predictions(tmp_path / "p.fits", predictions)
    columns = open_table(tmp_path / "p.fits").columns
    for name in predictions.names:
        for column in (name, f"{name}_p16", f"{name}_p50"):
            assert columns[column].unit == PARAMS[name].unit
            assert PARAMS[name].definition in columns[column].description
            assert columns[column].ucd.startswith(PARAMS[name].ucd)
    assert columns["logmstar_linear_mean"].unit == "dex(Msun)"
    assert "2 % quantile" not in columns["logmstar_p2p5"].description
    assert columns["logmstar_p2p5"].description.startswith("2.5 % quantile of logmstar")
    for column in columns.values():
        if column.ucd:
            assert check_ucd(column.ucd, check_controlled_vocabulary=True), column
    assert all(flag.name in columns["flags"].description for flag in Flag)


def test_the_table_carries_definitions_and_flags(tmp_path, predictions):
    write_predictions(tmp_path / "p.parquet", predictions)
    meta = open_table(tmp_path / "p.parquet").meta
    assert meta["parameters"]["logmstar"]["definition"] == PARAMS["logmstar"].definition
    assert meta["flags"]["BAND_MISSING"] == {"bit": 2, "meaning": SENTENCE[Flag.BAND_MISSING]}
    assert pq.read_table(tmp_path / "p.parquet")["logmstar_p50"].null_count == 0


@pytest.mark.parametrize("suffix", [".parquet", ".fits", ".csv"])
def test_batch_by_batch_is_the_same_table(tmp_path, predictions, suffix):
    write_predictions(tmp_path / f"whole{suffix}", predictions)
    with PredictionsWriter(tmp_path / f"parts{suffix}", N) as writer:
        for at in range(0, N, 7):
            writer.write(predictions.take(slice(at, at + 7)))
    assert_same(read_predictions(tmp_path / f"parts{suffix}"), read_predictions(tmp_path / f"whole{suffix}"))


def test_an_empty_table_of_predictions(tmp_path, predictions):
    for suffix in ONE_EACH:
        write_predictions(tmp_path / f"p{suffix}", predictions.take(slice(0, 0)))
        back = read_predictions(tmp_path / f"p{suffix}")
        assert len(back) == 0
        assert back.quantiles.shape == (0, 2, 5)


def test_further_columns_may_be_vectors_and_described(tmp_path, predictions):
    wide = Predictions(
        id=predictions.id,
        names=("logmstar",),
        point=predictions.point[:, :1],
        flags=predictions.flags,
        n_bands=predictions.n_bands,
        extra={"posterior": np.ones((N, 4), np.float32), "class": np.full(N, "galaxy", object)},
    )
    info = ColumnInfo("posterior", dtype=np.dtype(np.float32), description="mixture", shape=(4,))
    write_predictions(tmp_path / "p.parquet", wide, extra={"posterior": info})
    assert_same(read_predictions(tmp_path / "p.parquet"), wide)
    assert open_table(tmp_path / "p.parquet").columns["posterior"].description == "mixture"
    assert open_table(tmp_path / "p.parquet").columns["class"].ucd == "src.class"


def test_a_csv_says_its_levels_by_its_columns(tmp_path):
    (tmp_path / "p.csv").write_text("id,logmstar,logmstar_p16,logmstar_p50,redshift,flags\n1,10,9.5,10.1,0.3,2\n")
    back = read_predictions(tmp_path / "p.csv")
    assert (back.names, back.levels) == (("logmstar",), (0.16, 0.5))
    assert back.quantile("logmstar", 0.16).tolist() == [9.5]
    assert back.extra["redshift"].tolist() == [0.3]  # an input that was passed on: it has no quantiles
    assert back.flags.tolist() == [2]


@pytest.mark.parametrize("suffix", ONE_EACH)
def test_classes_alone_are_predictions(tmp_path, suffix):
    classes = {
        f"prob_{name}": np.array([0.25, np.nan, p]) for name, p in (("star", 0.5), ("qso", 0.0), ("galaxy", 0.5))
    }
    alone = Predictions(
        np.arange(3), (), np.empty((3, 0)), np.zeros(3, np.uint32), np.full(3, 9, np.int16), extra=classes
    )
    write_predictions(tmp_path / f"p{suffix}", alone)
    assert_same(read_predictions(tmp_path / f"p{suffix}"), alone, types=suffix != ".csv")


class TestRefused:
    def test_no_table_of_predictions(self, tmp_path):
        for text in ("id,x\n1,2\n", "logmstar\n10\n"):
            (tmp_path / "p.csv").write_text(text)
            with pytest.raises(RequestError, match=r"p\.csv: is no table of predictions: it needs id"):
                read_predictions(tmp_path / "p.csv")

    def test_path_is_asked_before_the_work(self, tmp_path):
        with pytest.raises(RequestError, match="no table format ends like this"):
            PredictionsWriter(tmp_path / "p.doc", 3)

    def test_nothing_written(self, tmp_path):
        with pytest.raises(RequestError, match="no predictions were given"), PredictionsWriter(tmp_path / "p.csv", 0):
            pass
        assert list(tmp_path.iterdir()) == []

    def test_an_error_before_or_after_the_first_batch(self, tmp_path, predictions):
        for n in (0, 1):
            with pytest.raises(ZeroDivisionError):
                interrupted(tmp_path / "p.csv", predictions, n)
        assert list(tmp_path.iterdir()) == []

    def test_a_further_column_under_a_name_that_is_taken(self, tmp_path, predictions):
        odd = Predictions(
            id=predictions.id,
            names=("logmstar",),
            point=predictions.point[:, :1],
            flags=predictions.flags,
            n_bands=predictions.n_bands,
            extra={"logmstar": np.ones(N)},
        )
        with pytest.raises(RequestError, match="'logmstar' is given twice"):
            write_predictions(tmp_path / "p.fits", odd)


def interrupted(path, predictions, n):
    with PredictionsWriter(path, len(predictions)) as writer:
        for _ in range(n):
            writer.write(predictions)
        raise ZeroDivisionError
