import h5py
import numpy as np
import pytest

from galprism.data import Cutouts, Sources
from galprism.data.cutout_file import CutoutFile, CutoutWriter, read_cutouts, with_cutouts
from galprism.errors import RequestError

N, BANDS, SHAPE = 23, ("g", "r"), (5, 6)
IDS = 2**60 + np.random.default_rng(3).permutation(N)


def cutouts(n=N, seed=1, **other) -> Cutouts:
    rng = np.random.default_rng(seed)
    flux = rng.normal(size=(n, 2, *SHAPE)).astype(np.float32)
    ivar = np.where(rng.random(flux.shape) < 0.1, 0, 4).astype(np.float32)
    parts = {"flux": flux, "ivar": ivar, "bands": BANDS, "pixel_scale": 0.2, "psf_fwhm": rng.uniform(0.5, 1, (n, 2))}
    return Cutouts(**{**parts, **other})


def same(a: Cutouts, b: Cutouts) -> None:
    np.testing.assert_array_equal(a.flux, b.flux)
    np.testing.assert_array_equal(a.ivar, b.ivar)
    np.testing.assert_array_equal(a.psf_fwhm, b.psf_fwhm)
    assert (a.bands, a.pixel_scale) == (b.bands, b.pixel_scale)


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Written in batches of unequal size and kept in several chunks."""
    monkeypatch.setattr("galprism.data.cutout_file.CHUNK_BYTES", 4 * 4 * 60)
    path = tmp_path / "sky.h5"
    with CutoutWriter(path, {"seed": 7}) as writer:
        for rows in (slice(0, 10), slice(10, 11), slice(11, N)):
            writer.write(IDS[rows], cutouts().take(rows))
    return path


def test_round_trip(path):
    file = CutoutFile(path)
    assert (file.bands, file.pixel_scale, file.shape, len(file)) == (BANDS, 0.2, SHAPE, N)
    assert file.provenance == {"seed": 7}
    np.testing.assert_array_equal(file.id, IDS)
    same(file.read(), cutouts())
    assert file.read().flux.dtype == np.float32
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    with h5py.File(path) as stored:
        assert stored["flux"].chunks == (4, 2, *SHAPE)


def test_batches_are_the_whole(path):
    parts = list(CutoutFile(path).batches(7))
    assert [len(ids) for ids, _ in parts] == [7, 7, 7, 2]
    np.testing.assert_array_equal(np.concatenate([ids for ids, _ in parts]), IDS)
    same(Cutouts.joined([part for _, part in parts]), cutouts())


@pytest.mark.parametrize(
    "rows", [slice(3, 9), slice(None, None, -1), [22, 0, 7, 6], [-1], np.arange(N) % 3 == 0, [], 5], ids=str
)
def test_rows(path, rows):
    ids, read = read_cutouts(path, rows=rows)
    rows = np.atleast_1d(np.arange(N)[rows if not isinstance(rows, list) else np.array(rows, int)])
    np.testing.assert_array_equal(ids, IDS[rows])
    same(read, cutouts().take(rows))


def test_ids_in_the_order_asked_for(path):
    wanted = np.random.default_rng(5).permutation(N)[:11]
    ids, read = read_cutouts(path, ids=IDS[wanted])
    np.testing.assert_array_equal(ids, IDS[wanted])
    same(read, cutouts().take(wanted))


def test_ids_of_text(tmp_path):
    ids = np.array([f"J{i:03d}α" for i in range(N)])
    with CutoutWriter(tmp_path / "sky.hdf5") as writer:
        writer.write(ids, cutouts())
    read, some = read_cutouts(tmp_path / "sky.hdf5", ids=["J004α", "J001α"])
    assert read.tolist() == ["J004α", "J001α"]
    same(some, cutouts().take([4, 1]))


def test_a_psf_that_is_not_known(tmp_path):
    with CutoutWriter(tmp_path / "sky.h5") as writer:
        writer.write(IDS, cutouts(psf_fwhm=None))
    assert read_cutouts(tmp_path / "sky.h5")[1].psf_fwhm is None


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"ids": [int(IDS[0]), 5]}, r"has no cutout of id 5 \(1 of 2 ids\)"),
        ({"ids": [IDS[0], IDS[1], IDS[0]]}, f"id {IDS[0]} was asked for more than once"),
        ({"rows": [N]}, "has 23 cutouts, not rows"),
        ({"rows": np.ones(3, bool)}, "has 23 cutouts, not rows"),
        ({"ids": IDS, "rows": slice(3)}, "give ids or rows, not both"),
    ],
)
def test_what_is_not_there_is_refused(path, asked, said):
    with pytest.raises(RequestError, match=said):
        read_cutouts(path, **asked)


def write(path, batches, stop=None):
    with CutoutWriter(path) as writer:
        for ids, part in batches:
            writer.write(ids, part)
        if stop:
            raise stop


class TestWholeOrNotAtAll:
    @pytest.mark.parametrize("stop", [RuntimeError, KeyboardInterrupt])
    def test_an_interrupted_write_leaves_what_was_there(self, path, stop):
        with pytest.raises(stop):
            write(path, [(IDS[:3], cutouts(3, seed=2))], stop)
        same(CutoutFile(path).read(), cutouts())
        assert len(list(path.parent.iterdir())) == 1

    @pytest.mark.parametrize(
        ("batches", "said"),
        [
            ([], "no cutouts were given"),
            ([([1, 2], cutouts(2)), ([2], cutouts(1))], "id 2 was given more than once"),
            ([([1, 2, 3], cutouts(2))], r"ids have shape \(3,\); expected \(2,\)"),
            ([([1], cutouts(1)), ([2], cutouts(1, pixel_scale=0.3))], "cannot be joined"),
        ],
    )
    def test_what_does_not_fit_leaves_nothing(self, tmp_path, batches, said):
        with pytest.raises(RequestError, match=said):
            write(tmp_path / "sky.h5", batches)
        assert list(tmp_path.iterdir()) == []

    def test_paths(self, tmp_path):
        for name, said in [("sky.fits", r"ends in .h5 or .hdf5"), ("missing/sky.h5", "there is no folder")]:
            with pytest.raises(RequestError, match=said):
                CutoutWriter(tmp_path / name)
        with pytest.raises(RequestError, match="is not open"):
            CutoutWriter(tmp_path / "sky.h5").write(IDS, cutouts())


class TestNotOurs:
    def test_no_such_file(self, tmp_path):
        with pytest.raises(RequestError, match="no such file"):
            CutoutFile(tmp_path / "sky.h5")

    def test_not_hdf5(self, tmp_path):
        (tmp_path / "sky.h5").write_text("flux")
        with pytest.raises(RequestError, match=r"sky\.h5: is not HDF5; accepted: a file of cutouts"):
            CutoutFile(tmp_path / "sky.h5")

    def test_another_hdf5(self, path):
        with h5py.File(path, "a") as file:
            del file.attrs["format"]
        with pytest.raises(RequestError, match="is not a file of cutouts"):
            CutoutFile(path)

    def test_a_later_version(self, path):
        with h5py.File(path, "a") as file:
            file.attrs["version"] = 2
        with pytest.raises(RequestError, match="is of version 2; accepted: 1"):
            CutoutFile(path)

    @pytest.mark.parametrize("name", ["id", "ivar", "bands", "pixel_scale"])
    def test_a_dataset_is_missing(self, path, name):
        with h5py.File(path, "a") as file:
            del file[name]
        with pytest.raises(RequestError, match=f"lacks {name}; it has "):
            CutoutFile(path)

    @pytest.mark.parametrize(
        ("name", "shape", "said"),
        [
            ("flux", (N - 1, 2, *SHAPE), r"flux has shape \(22, 2, 5, 6\); expected \(23, 2, H, W\)"),
            ("ivar", (N, 2, 5, 5), r"flux has shape \(23, 2, 5, 6\), ivar \(23, 2, 5, 5\)"),
            ("psf_fwhm", (N, 3), r"psf_fwhm has shape \(23, 3\); expected \(23, 2\)"),
        ],
    )
    def test_shapes_differ(self, path, name, shape, said):
        with h5py.File(path, "a") as file:
            del file[name]
            file[name] = np.ones(shape, np.float32)
        with pytest.raises(RequestError, match=said):
            CutoutFile(path)


def test_put_to_sources_by_id():
    """The catalogue has another order, a source without a cutout, and not all that have one."""
    catalogue = Sources(id=np.array([IDS[4], 11, IDS[0]]))
    joined = with_cutouts(catalogue, IDS, cutouts()).cutouts
    same(joined.take([0, 2]), cutouts().take([4, 0]))
    assert not joined.observed[1].any()
    assert np.isnan(joined.psf_fwhm[1]).all()
    with pytest.raises(RequestError, match=f"several cutouts of id {IDS[4]}"):
        with_cutouts(catalogue, np.append(IDS[:-1], IDS[4]), cutouts())
    with pytest.raises(RequestError, match="3 ids were given for 23 cutouts"):
        with_cutouts(catalogue, IDS[:3], cutouts())


@pytest.mark.parametrize(
    ("name", "at", "value", "said"),
    [
        ("flux", (7, 1, 2, 3), np.nan, "flux = nan in band r at y, x = 2, 3; accepted: finite"),
        ("ivar", (7, 0, 4, 5), -2.0, "ivar = -2 in band g at y, x = 4, 5; accepted: 0 where"),
        ("ivar", (7, 0, 4, 5), np.inf, "ivar = inf in band g"),
        ("psf_fwhm", (7, 1), -0.5, "psf_fwhm = -0.5 in band r; accepted: positive"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_its_file_and_source(path, name, at, value, said):
    with h5py.File(path, "a") as file:
        file[name][at] = value
    with pytest.raises(RequestError) as refused:
        CutoutFile(path).read(rows=[3, 7, 9])
    assert f"{path}: id {IDS[7]} (row 7): {said}" in str(refused.value)
    CutoutFile(path).read(rows=[3, 9])
