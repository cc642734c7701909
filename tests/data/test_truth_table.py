"""Truth in tables of its own and beside the catalogue it belongs to; joined by id."""

import numpy as np
import pytest

from galprism.data import Photometry, Sources, Truth
from galprism.data.tables import (
    FORMATS,
    CatalogueWriter,
    aligned,
    match_ids,
    open_table,
    read_truth,
    write_catalogue,
    write_truth,
)
from galprism.errors import RequestError

ONE_EACH = [known.suffixes[0] for known in FORMATS]
N = 25


@pytest.fixture
def truth() -> Truth:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(N, 3))
    values[3, 1] = np.nan
    return Truth(
        id=2**60 + rng.permutation(N),
        names=("redshift", "logmstar", "logsfr"),
        values=values,
        classes=rng.integers(-1, 3, N).astype(np.int8),
        weight=rng.random(N),
    )


@pytest.fixture
def sources(truth) -> Sources:
    rng = np.random.default_rng(2)
    flux = rng.normal(5, 3, (N, 3)).astype(np.float32)
    ivar = np.full((N, 3), 4, np.float32)
    flux[2, 1], ivar[2, 1] = 0, 0  # not observed
    ivar[5, 0] = np.nan  # error unknown
    return Sources(
        id=truth.id,
        ra=rng.uniform(0, 360, N),
        dec=rng.uniform(-90, 90, N),
        redshift=truth.column("redshift") + 0.1,
        photometry=Photometry(flux, ivar, ("u", "Z", "Ks")),
    )


def assert_same(a, b):
    assert a.names == b.names
    for name in ("id", "values", "classes", "weight"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


@pytest.mark.parametrize("suffix", ONE_EACH)
def test_round_trip(tmp_path, truth, suffix):
    write_truth(tmp_path / f"t{suffix}", truth)
    assert_same(read_truth(tmp_path / f"t{suffix}"), truth)


def test_other_columns_are_ignored_and_classes_read_in_any_case(tmp_path):
    (tmp_path / "t.csv").write_text("id,ra,logmstar,CLASS,class\n1,2,10,x,GALAXY\n2,3,11,x,\n3,4,9,x,Qso\n")
    truth = read_truth(tmp_path / "t.csv")
    assert (truth.names, truth.classes.tolist(), truth.weight) == (("logmstar",), [2, -1, 1], None)


def test_columns_under_other_names(tmp_path):
    (tmp_path / "t.csv").write_text("objid,lgm,logsfr,w\na,10,1,2\nb,11,2,3\n")
    truth = read_truth(tmp_path / "t.csv", id_column="objid", columns={"logmstar": "lgm", "weight": "w"})
    assert set(truth.names) == {"logmstar", "logsfr"}
    assert truth.column("logmstar").tolist() == [10, 11]
    assert truth.weight.tolist() == [2, 3]


class TestCatalogue:
    @pytest.mark.parametrize("suffix", ONE_EACH)
    def test_the_truth_beside_a_catalogue_is_behind_true(self, tmp_path, sources, truth, suffix):
        write_catalogue(tmp_path / f"c{suffix}", sources, truth, meta={"seed": 4})
        assert_same(read_truth(tmp_path / f"c{suffix}"), truth)  # true_redshift, not the redshift that was measured
        table = open_table(tmp_path / f"c{suffix}")
        got = table.read()
        np.testing.assert_array_equal(got["redshift"], sources.redshift)
        np.testing.assert_array_equal(got["flux_Ks"].astype(np.float32), sources.photometry.flux[:, 2])
        assert np.isnan([got["flux_Z"][2], got["flux_err_Z"][2], got["flux_err_u"][5]]).all()
        assert np.float32(got["flux_u"][5]) == sources.photometry.flux[5, 0]
        assert got["flux_err_u"][0] == 0.5
        if suffix != ".csv":
            assert (table.columns["flux_u"].unit, table.meta["seed"]) == ("nJy", 4)
            assert "logmstar" in table.meta["parameters"]

    def test_no_column_that_a_prediction_reads_holds_truth(self, tmp_path, sources, truth):
        write_catalogue(tmp_path / "c.fits", sources, truth)
        write_catalogue(tmp_path / "bare.fits", sources)
        more = set(open_table(tmp_path / "c.fits").columns) - set(open_table(tmp_path / "bare.fits").columns)
        assert more == {"true_redshift", "true_logmstar", "true_logsfr", "true_class", "true_weight"}

    def test_upper_limits(self, tmp_path, sources):
        limit = np.zeros((N, 3), bool)
        limit[1, 2] = True
        photometry = Photometry(sources.photometry.flux, sources.photometry.ivar, ("u", "Z", "Ks"), limit)
        write_catalogue(tmp_path / "c.fits", Sources(id=sources.id, photometry=photometry))
        assert open_table(tmp_path / "c.fits").read()["limit_Ks"].nonzero()[0].tolist() == [1]

    def test_batch_by_batch(self, tmp_path, sources, truth):
        with CatalogueWriter(tmp_path / "parts.parquet", N) as writer:
            for at in range(0, N, 4):
                rows = slice(at, at + 4)
                writer.write(sources.take(rows), truth.take(rows))
        write_catalogue(tmp_path / "whole.parquet", sources, truth)
        parts, whole = (open_table(tmp_path / f"{name}.parquet").read() for name in ("parts", "whole"))
        for name in whole:
            np.testing.assert_array_equal(parts[name], whole[name])

    def test_refused(self, tmp_path, sources, truth):
        with pytest.raises(RequestError, match="different ids, or the same in another order"):
            write_catalogue(tmp_path / "c.fits", sources, truth.take(slice(None, None, -1)))
        with pytest.raises(RequestError, match="no sources were given"), CatalogueWriter(tmp_path / "c.fits", 0):
            pass
        with pytest.raises(RequestError, match="there is no folder"):
            CatalogueWriter(tmp_path / "no" / "c.fits", 0)
        assert list(tmp_path.iterdir()) == []

    def test_interrupted(self, tmp_path, sources):
        with pytest.raises(ZeroDivisionError):
            interrupted(tmp_path / "c.fits", sources)
        assert list(tmp_path.iterdir()) == []


def interrupted(path, sources):
    with CatalogueWriter(path, 2 * N) as writer:
        writer.write(sources)
        raise ZeroDivisionError


class TestJoining:
    def test_by_id_never_by_position(self, tmp_path, truth):
        write_truth(tmp_path / "t.fits", truth)
        order = np.random.default_rng(0).permutation(N)[:7]
        wanted = truth.take(order)
        assert_same(read_truth(tmp_path / "t.fits", ids=wanted.id), wanted)

    def test_what_a_missing_id_would_say_is_unknown(self, truth):
        ids = np.array([truth.id[3], 17, truth.id[0]])
        got = aligned(truth, ids)
        np.testing.assert_array_equal(got.id, ids)
        np.testing.assert_array_equal(got.values[[0, 2]], truth.values[[3, 0]])
        assert not got.known[1].any()
        assert (got.classes[1], got.weight[1]) == (-1, 0)

    def test_an_id_asked_for_twice_is_answered_twice(self, truth):
        got = aligned(truth, truth.id[[4, 4]])
        np.testing.assert_array_equal(got.values, truth.values[[4, 4]])

    def test_no_ids(self, truth):
        assert len(aligned(truth, truth.id[:0])) == 0

    def test_several_rows_of_one_id_are_refused_only_when_asked_for(self, truth):
        twice = truth.take([0, 1, 1, 2, 2, 2])
        assert len(aligned(twice, truth.id[:1])) == 1
        with pytest.raises(RequestError, match=f"ids stand in several rows: {truth.id[1]}, {truth.id[2]}; each must"):
            aligned(twice, truth.id[:3])

    def test_ids_of_another_catalogue(self, tmp_path, truth):
        write_truth(tmp_path / "t.fits", truth)
        with pytest.raises(RequestError, match=r"t\.fits: has none of the ids asked for: 0, 1, 2, … \(25 in all\)"):
            read_truth(tmp_path / "t.fits", ids=np.arange(N))

    @pytest.mark.parametrize(
        ("wanted", "others"),
        [
            ([7, 2**60 + 1, 3], [3, 2**60 + 1, 7]),
            (["7", "b", " 3 "], ["3", "b", "7"]),
            ([7, 5, 3], ["3", "5", "7"]),
            ([7.0, 5.0, 3.0], [3, 5, 7]),
            ([b"7", b"5", b"3"], np.array(["3", "5", "7"], object)),
            (np.array([7, 2**64 - 1, 3], np.uint64), ["3", str(2**64 - 1), "7"]),
        ],
    )
    def test_ids_match_by_what_they_say(self, wanted, others):
        match = match_ids(np.asarray(wanted), np.asarray(others))
        assert match.index.tolist() == [2, 1, 0]
        assert match.found.all()
        assert not match.repeated.any()

    def test_ids_that_float64_cannot_tell_apart_are_told_apart(self):
        match = match_ids(np.array([2**60, 2**60 + 1]), np.array([2**60 + 1, 2**60 + 2]))
        assert match.index.tolist() == [-1, 0]

    def test_repeated_and_missing(self):
        match = match_ids(np.array([1, 2, 3]), np.array([2, 9, 2, 1]))
        assert match.index.tolist() == [3, 0, -1]
        assert match.repeated.tolist() == [False, True, False]
        assert match_ids(np.array([1]), np.array([], int)).index.tolist() == [-1]


def test_classes_alone_are_a_truth(tmp_path):
    """As a spectroscopic catalogue has them, without a parameter."""
    (tmp_path / "t.csv").write_text("id,class\n1,STAR\n2,Galaxy\n3,\n")
    truth = read_truth(tmp_path / "t.csv", ids=np.array([3, 2, 1, 4]))
    assert truth.names == ()
    assert truth.values.shape == (4, 0)
    assert truth.classes.tolist() == [-1, 2, 0, -1]


class TestRefused:
    def test_tables_without_what_is_needed(self, tmp_path):
        for text, said in [
            ("id,mass\n1,10\n", "has no column of a parameter; accepted: redshift, logmstar"),
            ("name,logmstar\na,10\n", "no column 'id'; it has name, logmstar"),
            ("id,logmstar\n1,heavy\n", "column 'logmstar' is text; logmstar is a number"),
            ("id,logmstar,class\n1,10,nebula\n", "column 'class' holds nebula; accepted: star, qso, galaxy"),
            ("id,logmstar,class\n1,10,2\n", "column 'class' holds 2; accepted: star, qso, galaxy"),
        ]:
            (tmp_path / "t.csv").write_text(text)
            with pytest.raises(RequestError, match=said):
                read_truth(tmp_path / "t.csv")

    def test_an_unknown_parameter(self, tmp_path):
        (tmp_path / "t.csv").write_text("id,logmstar\n1,10\n")
        with pytest.raises(RequestError, match="no such parameter: mass; known: redshift"):
            read_truth(tmp_path / "t.csv", columns={"mass": "logmstar"})
