"""From file to file: the same answers as in memory, in order, whole or not at all, taken up where it stopped."""

from dataclasses import replace

import numpy as np
import pytest

import toy_sky
from galprism import surveys
from galprism.data.tables import open_table, read_predictions
from galprism.errors import GalprismError, RequestError
from galprism.flags import Flag
from galprism.infer import beside, predict, predict_file
from galprism.infer import stream as stream_module

N = 700
KIDS = surveys.get("kids")


@pytest.fixture(scope="module")
def sky():
    return toy_sky.catalogue(N, seed=21)[0]


@pytest.fixture
def catalogue(sky, tmp_path, write_catalogue):
    return write_catalogue(tmp_path / "in.parquet", sky)


def assert_same(one, two):
    np.testing.assert_array_equal(one.id, two.id)
    np.testing.assert_array_equal(one.flags, two.flags)
    np.testing.assert_array_equal(one.n_bands, two.n_bands)
    np.testing.assert_array_equal(one.point, two.point)
    np.testing.assert_array_equal(one.quantiles, two.quantiles)


def left_over(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("suffix", ["parquet", "fits", "ecsv", "csv", "vot", "hdf5"])
def test_any_format_gives_the_answers_of_memory(mixture, sky, tmp_path, write_catalogue, suffix):
    few = sky.take(slice(0, 150))
    path = write_catalogue(tmp_path / "in.parquet", few)
    summary = predict_file(mixture[0], KIDS, path, tmp_path / f"out.{suffix}", batch_rows=64)
    found, expected = read_predictions(tmp_path / f"out.{suffix}"), predict(mixture[0], few)
    np.testing.assert_array_equal(found.id, expected.id)
    np.testing.assert_allclose(found.point, expected.point, atol=2e-5)
    np.testing.assert_allclose(found.quantiles, expected.quantiles, atol=2e-3)
    np.testing.assert_array_equal(found.flags, expected.flags)
    assert summary.n_rows == 150
    assert not left_over(tmp_path)


def test_columns_units_and_definitions(mixture, catalogue, tmp_path):
    predict_file(mixture[0], KIDS, catalogue, tmp_path / "out.parquet", levels=(0.025, 0.5))
    with open_table(tmp_path / "out.parquet") as table:
        names = ["id", "logmstar", "logmstar_p2p5", "logmstar_p50", "logsfr", "logsfr_p2p5", "logsfr_p50"]
        assert list(table.columns) == [*names, "n_bands", "flags"]
        assert table.columns["logmstar_p50"].unit == "dex(Msun)"
        assert table.meta["predictions"]["model_hash"] == mixture[0].hash


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_do_not_matter(mixture, catalogue, tmp_path, threads):
    predict_file(mixture[0], KIDS, catalogue, tmp_path / "one.parquet", batch_rows=100)
    predict_file(mixture[0], KIDS, catalogue, tmp_path / "more.parquet", batch_rows=100, threads=threads)
    assert_same(read_predictions(tmp_path / "one.parquet"), read_predictions(tmp_path / "more.parquet"))


def test_a_point_model(point, catalogue, tmp_path):
    predict_file(point[0], KIDS, catalogue, tmp_path / "out.parquet")
    assert read_predictions(tmp_path / "out.parquet").quantiles is None


def test_duplicates_are_found_across_batches(mixture, sky, tmp_path, write_catalogue, monkeypatch):
    ids = np.array([f"KiDS {i}" for i in range(N)])
    ids[[300, 650]] = ids[7]
    path = write_catalogue(tmp_path / "in.parquet", sky, id=ids)
    for buckets in (False, True):
        if buckets:
            monkeypatch.setattr(
                stream_module, "repeated_in_parts", lambda *a, f=stream_module.repeated_in_parts: f(*a, bucket_rows=50)
            )
        summary = predict_file(mixture[0], KIDS, path, tmp_path / "out.parquet", batch_rows=100)
        found = read_predictions(tmp_path / "out.parquet")
        np.testing.assert_array_equal(np.flatnonzero(found.flags & np.uint32(Flag.DUPLICATE_ID)), [300, 650])
        np.testing.assert_array_equal(found.id, ids)
        assert summary.flags["DUPLICATE_ID"] == 2


def test_an_empty_table_has_its_columns(mixture, sky, tmp_path, write_catalogue):
    path = write_catalogue(tmp_path / "in.parquet", sky.take(slice(0, 0)))
    summary = predict_file(mixture[0], KIDS, path, tmp_path / "out.parquet")
    assert summary.n_rows == 0
    assert read_predictions(tmp_path / "out.parquet").point.shape == (0, 2)


def test_a_band_that_the_table_lacks(mixture, sky, tmp_path, write_catalogue):
    path = write_catalogue(tmp_path / "in.parquet", sky, flux_u=None, flux_err_u=None)
    with pytest.raises(RequestError, match=r"in\.parquet.*u"):
        predict_file(mixture[0], KIDS, path, tmp_path / "out.parquet")
    summary = predict_file(mixture[0], KIDS, path, tmp_path / "out.parquet", without=("u",))
    assert summary.flags["BAND_MISSING"] == N
    assert np.all(read_predictions(tmp_path / "out.parquet").n_bands[:5] == 8)


def test_positions_that_are_none_are_told_once_and_kept(mixture, sky, tmp_path, write_catalogue):
    ra, dec = np.full(N, 10.0), np.full(N, 5.0)
    ra[[130, 140]], dec[150], ra[160] = 400.0, 95.0, np.nan
    path = write_catalogue(tmp_path / "in.parquet", sky, ra=ra, dec=dec)
    summary = predict_file(mixture[0], KIDS, path, tmp_path / "out.parquet", batch_rows=100)
    (note,) = summary.notes
    assert f"3 positions are none on the sky, such as row 130 (id {sky.id[130]}), ra = 400, dec = 5" in note
    np.testing.assert_array_equal(read_predictions(tmp_path / "out.parquet").ra, ra)


class Stop:
    """A progress report that interrupts after some rows."""

    def __init__(self, after):
        self.left = after

    def __call__(self, rows):
        self.left -= rows
        if self.left <= 0:
            raise KeyboardInterrupt


class TestInterrupted:
    @pytest.mark.parametrize("threads", [1, 2])
    @pytest.mark.parametrize("after", [1, 350, 700])
    def test_it_is_taken_up_with_the_same_answer(self, mixture, catalogue, tmp_path, threads, after):
        out, whole = tmp_path / "out.parquet", tmp_path / "whole.parquet"
        with pytest.raises(KeyboardInterrupt, match=r"of 700 rows are done; run the same command again to take it up"):
            predict_file(mixture[0], KIDS, catalogue, out, batch_rows=100, threads=threads, progress=Stop(after))
        assert not out.exists()
        assert len(left_over(tmp_path)) == 1
        seen = []
        summary = predict_file(mixture[0], KIDS, catalogue, out, batch_rows=100, progress=seen.append)
        assert summary.n_resumed == -(-after // 100) * 100
        assert sum(seen) == N
        predict_file(mixture[0], KIDS, catalogue, whole, batch_rows=100)
        assert_same(read_predictions(out), read_predictions(whole))
        assert not left_over(tmp_path)

    def test_where_nothing_is_kept_nothing_is_promised(self, mixture, catalogue, tmp_path, monkeypatch):
        def stopped(*args, **options):
            raise KeyboardInterrupt

        monkeypatch.setattr("galprism.infer.stream.Predictor.predict", stopped)
        with pytest.raises(KeyboardInterrupt) as stop:
            predict_file(mixture[0], KIDS, catalogue, tmp_path / "out.parquet")
        assert str(stop.value) == ""
        assert not left_over(tmp_path)

    def test_a_part_that_was_cut_off_is_done_again(self, mixture, catalogue, tmp_path):
        out = tmp_path / "out.parquet"
        with pytest.raises(KeyboardInterrupt):
            predict_file(mixture[0], KIDS, catalogue, out, batch_rows=100, progress=Stop(300))
        (parts,) = [path for path in tmp_path.iterdir() if path.name.startswith(".")]
        (parts / "0000001.npz").write_bytes((parts / "0000001.npz").read_bytes()[:500])
        assert predict_file(mixture[0], KIDS, catalogue, out, batch_rows=100).n_resumed == 100

    @pytest.mark.parametrize("what", ["levels", "table", "without"])
    def test_another_request_starts_afresh(self, mixture, sky, catalogue, tmp_path, write_catalogue, what):
        out, options = tmp_path / "out.parquet", {}
        with pytest.raises(KeyboardInterrupt):
            predict_file(mixture[0], KIDS, catalogue, out, batch_rows=100, progress=Stop(300))
        if what == "levels":
            options = {"levels": (0.5,)}
        elif what == "table":
            write_catalogue(catalogue, sky.take(slice(1, None)))
        else:
            write_catalogue(catalogue, sky, flux_u=None, flux_err_u=None)
            options = {"without": ("u",)}
        assert predict_file(mixture[0], KIDS, catalogue, out, batch_rows=100, **options).n_resumed == 0


class TestRefused:
    def check(self, match, tmp_path, *args, out="out.parquet", **options):
        with pytest.raises(RequestError, match=match):
            predict_file(*args, tmp_path / out, **options)
        assert not left_over(tmp_path)
        assert not (tmp_path / "out.parquet").exists()

    def test_tables(self, mixture, sky, catalogue, tmp_path, write_catalogue):
        bundle = mixture[0]
        self.check("no such file", tmp_path, bundle, KIDS, tmp_path / "none.parquet")
        bare = write_catalogue(tmp_path / "bare.parquet", sky, redshift=None)
        self.check("redshift", tmp_path, bundle, KIDS, bare)
        bright = {f"flux_{band}": sky.photometry.flux[:, i] * 1e3 for i, band in enumerate(toy_sky.BANDS)}
        bright |= {f"flux_err_{band}": sky.photometry.flux_err[:, i] * 1e3 for i, band in enumerate(toy_sky.BANDS)}
        wrong = write_catalogue(tmp_path / "wrong.parquet", sky, **bright)
        self.check("too bright", tmp_path, bundle, KIDS, wrong)
        whole = catalogue.read_bytes()
        (tmp_path / "cut.parquet").write_bytes(whole[: len(whole) // 2])
        self.check(r"cut\.parquet", tmp_path, bundle, KIDS, tmp_path / "cut.parquet")

    def test_settings(self, mixture, catalogue, tmp_path):
        bundle = mixture[0]
        self.check("threads = 0", tmp_path, bundle, KIDS, catalogue, threads=0)
        self.check("levels = ", tmp_path, bundle, KIDS, catalogue, levels=(2.0,))
        self.check("no folder", tmp_path, bundle, KIDS, catalogue, out="none/out.parquet")
        self.check("no table format", tmp_path, bundle, KIDS, catalogue, out="out.txt")

    def test_other_passbands(self, mixture, catalogue, tmp_path):
        bundle = mixture[0]
        self.check("needs band u; survey kids has g, r, i", tmp_path, bundle, KIDS.without("u"), catalogue)
        self.check("band u of survey sdss is SLOAN", tmp_path, bundle, surveys.get("sdss"), catalogue)
        other = {**bundle.passbands, "r": {"name": "Another/r", "hash": "0" * 64}}
        message = r"band r of survey kids is Paranal/OmegaCAM\.r_SDSS, whose curve is not"
        self.check(message, tmp_path, replace(bundle, passbands=other), KIDS, catalogue)

    def test_a_table_that_ends_early_leaves_nothing(self, mixture, catalogue, tmp_path, monkeypatch):
        """Damage that shows only while reading: what was done is removed, the old output stays."""
        out = tmp_path / "out.parquet"
        predict_file(mixture[0], KIDS, catalogue, out)
        before = out.read_bytes()
        real = beside.open_table

        def damaged(path):
            table = real(path)
            batches = table.batches

            def cut(*args, **options):
                for number, batch in enumerate(batches(*args, **options)):
                    if number == 3:
                        raise RequestError(f"{path}: the file ends after 300 of 700 rows")
                    yield batch

            monkeypatch.setattr(table, "batches", cut)
            return table

        monkeypatch.setattr(beside, "open_table", damaged)
        with pytest.raises(GalprismError, match="ends after 300"):
            predict_file(mixture[0], KIDS, catalogue, out, batch_rows=100)
        assert out.read_bytes() == before
        assert not left_over(tmp_path)
