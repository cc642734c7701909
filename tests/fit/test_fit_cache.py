"""Caches: what goes in comes out, and what is wrong is refused by name."""

import dataclasses
import json
import zipfile

import numpy as np
import pytest
from fit_toys import REDSHIFT, cache_of, log_light, toy_cache, toy_values, young_enough

from galprism import surveys
from galprism.cosmology import age_gyr, luminosity_distance_mpc
from galprism.errors import RequestError
from galprism.fit import load_cache, save_cache
from galprism.fit.cache import compress, from_light, log_distance_factor, project, sort_by_age


@pytest.fixture
def path(tmp_path):
    save_cache(toy_cache(), tmp_path / "toy.npz")
    return tmp_path / "toy.npz"


def rewritten(path, **changes):
    """The file with some arrays changed, its hash as before unless `header` changes it."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    header = json.loads(arrays["header"].tobytes())
    header.update(changes.pop("header", {}))
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    arrays.update(changes)
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


def test_light_at_and_between_the_redshifts():
    values = toy_values(300, np.random.default_rng(3))
    cache = cache_of(values)
    order = np.argsort(values["age"])
    for z in (REDSHIFT[0], 0.4567, REDSHIFT[-1]):
        expected = log_light(values["slope"], values["curvature"], [z])[order, 0]
        assert np.log10(cache.light(z)) == pytest.approx(expected, abs=3e-6)
    assert cache.light(0.5, slice(10, 20)) == pytest.approx(cache.light(0.5)[10:20])


def test_distance_factor_turns_light_into_flux():
    z = np.array([0.1, 1.0])
    assert 10 ** log_distance_factor(z) == pytest.approx((1 + z) / luminosity_distance_mpc(z) ** 2)


def test_fluxes_of_some_models_for_each_of_some_redshifts():
    """The same numbers as one redshift after the other gives."""
    cache = toy_cache()
    redshift, rows = np.array([0.3, 0.31, 1.7]), np.array([[0, 5], [7, 399], [200, 200]])
    found = cache.ln_flux(redshift, rows)
    for z, some, flux in zip(redshift, rows, np.exp(found), strict=True):
        np.testing.assert_allclose(flux, cache.light(z, some) * 10 ** log_distance_factor(z), rtol=1e-5)


def test_interpolation_is_sure_of_what_is_smooth_and_not_of_a_step():
    """A band's light doubles between two redshifts, no one knows where: at a share s of the way the variance of its
    logarithm is s (1 - s) (ln 2)^2, as of a coin that says which side of the step one is on."""
    smooth = toy_cache()
    light = np.stack([smooth.light(z) for z in REDSHIFT], axis=1).astype(float)
    light[:, 6:, 2] *= 2.0
    stepped = from_light(smooth.bands, REDSHIFT, light, smooth.values, n_scores=3)
    share = np.array([0.0, 0.25, 0.5, 0.9])
    redshift, rows = REDSHIFT[5] + share * (REDSHIFT[6] - REDSHIFT[5]), np.zeros((4, 3), int)
    found = stepped.interpolation_variance(redshift, rows)
    np.testing.assert_allclose(found[:, 2], share * (1 - share) * np.log(2.0) ** 2, rtol=1e-2, atol=1e-9)
    assert np.abs(found[:, [0, 1, 3, 4]]).max() < 1e-6
    edges = np.array([REDSHIFT[0], REDSHIFT[-1], 0.5 * (REDSHIFT[0] + REDSHIFT[1])])
    assert smooth.interpolation_variance(edges, rows[:3]).max() < 1e-6


@pytest.mark.parametrize("block", [None, 64])
def test_models_older_than_the_universe_are_left_out(block):
    cache = toy_cache(block=block)
    for z in (0.02, 0.9, 2.0):
        rows = np.concatenate([np.arange(b.start, b.stop) for b in cache.blocks(z)])
        assert rows.tolist() == np.flatnonzero(young_enough(cache, z)).tolist()
        assert np.arange(len(cache))[cache.models(z)].tolist() == rows.tolist()
    assert cache.values["age"][cache.models(2.0)].max() <= age_gyr(2.0)


def test_no_model_is_young_enough():
    values = toy_values(20, np.random.default_rng(0))
    values["age"] += 14.0
    assert len(np.arange(20)[cache_of(values).models(0.5)]) == 0


def test_compression_of_few_and_of_many_models_is_one():
    rng = np.random.default_rng(8)
    few = rng.normal(size=(9, 4, 5))
    mean, curves = compress(few, 8)
    assert project(few, mean, curves) @ curves.reshape(8, -1) + mean.ravel() == pytest.approx(few.reshape(9, -1))
    many = rng.normal(size=(90, 2, 5))
    mean, curves = compress(many, 10)
    assert project(many, mean, curves) @ curves.reshape(10, -1) + mean.ravel() == pytest.approx(many.reshape(90, -1))


def test_sorting_by_age_stays_within_blocks():
    age = np.array([5.0, 1.0, 3.0, 2.0, 9.0, 0.5, 4.0])
    assert age[sort_by_age(age, 3)].tolist() == [1.0, 3.0, 5.0, 0.5, 2.0, 9.0, 4.0]


def test_round_trip(path):
    before, after = toy_cache(), load_cache(path)
    assert after.bands == before.bands
    assert after.block == before.block
    assert after.meta == before.meta
    assert after.redshift == pytest.approx(before.redshift)
    for name, value in before.values.items():
        assert np.array_equal(after.values[name], value)
    # 16 bits a score: the greatest score is 32767 steps, and the light is off by half a step of each at most
    assert np.log10(after.light(0.7)) == pytest.approx(np.log10(before.light(0.7)), abs=1e-4)
    assert before.file_hash is None
    assert load_cache(path).file_hash == after.file_hash
    assert len(after.file_hash) == 64
    assert after.select(("u",)).file_hash == after.file_hash
    assert not [p for p in path.parent.iterdir() if p != path]


def test_bands_are_selected_by_name():
    cache = toy_cache()
    some = cache.select(("Ks", "g"))
    assert some.light(0.3) == pytest.approx(cache.light(0.3)[:, [4, 1]])
    with pytest.raises(RequestError, match="no band W1"):
        cache.select(("g", "W1"))


def test_a_newer_version_is_refused(path):
    with pytest.raises(RequestError, match=r"version 99; this galprism reads version 1"):
        load_cache(rewritten(path, header={"version": 99}))


def test_other_contents_than_the_hash_says_are_refused(path):
    with pytest.raises(RequestError, match="damaged: its contents do not have the hash"):
        load_cache(rewritten(path, redshift=REDSHIFT * 1.01))


def test_a_table_of_something_else_is_refused(path, tmp_path):
    with pytest.raises(RequestError, match="does not say galprism-model-cache"):
        load_cache(rewritten(path, header={"format": "photographs"}))
    np.savez(tmp_path / "other.npz", a=np.arange(3))
    with pytest.raises(RequestError, match="not a model cache or is damaged"):
        load_cache(tmp_path / "other.npz")
    (tmp_path / "text.npz").write_text("u g r i\n")
    with pytest.raises(RequestError, match="not a model cache or is damaged"):
        load_cache(tmp_path / "text.npz")


def test_a_pickle_is_never_opened(tmp_path):
    np.savez(tmp_path / "evil.npz", header=np.array([{"format": "galprism-model-cache"}], dtype=object))
    with pytest.raises(RequestError, match="not a model cache or is damaged; accepted: a file that galprism wrote"):
        load_cache(tmp_path / "evil.npz")


@pytest.mark.parametrize("share", [0.2, 0.97])
def test_a_truncated_file_is_refused(path, share):
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(RequestError, match="damaged"):
        load_cache(path)


def test_a_flipped_bit_is_noticed(path):
    with zipfile.ZipFile(path) as file:
        info = file.getinfo("scores.npy")
    content = bytearray(path.read_bytes())
    content[info.header_offset + info.compress_size // 2] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(RequestError, match="damaged"):
        load_cache(path)


def test_names_and_files_that_are_not_there(tmp_path):
    with pytest.raises(RequestError, match=r"no model cache 'kidz'.*shipped one"):
        load_cache("kidz")
    with pytest.raises(RequestError, match=r"cannot read the model cache .*none\.npz: No such file"):
        load_cache(tmp_path / "none.npz")
    with pytest.raises(RequestError, match=r"cannot write .*: No such file"):
        save_cache(toy_cache(), tmp_path / "nowhere" / "toy.npz")
    with pytest.raises(RequestError, match=r"cannot write"):
        save_cache(toy_cache(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_another_curve_of_a_band_is_refused(tmp_path):
    kids = surveys.get("kids")
    cache = dataclasses.replace(toy_cache(), meta={"passbands": {"u": "0" * 64}})
    save_cache(cache, tmp_path / "toy.npz")
    with pytest.raises(
        RequestError, match=r"another curve of band u \(sha256 0{12}…\) than kids's Paranal/OmegaCAM.u_SDSS \("
    ):
        load_cache(tmp_path / "toy.npz", kids)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"curves": np.zeros((3, 4, 5), np.float32)}, r"curves has shape \(3, 4, 5\); expected \(12, 4, 5\)"),
        ({"redshift": REDSHIFT - 0.02}, "ascending redshifts above zero"),
        ({"redshift": REDSHIFT[::-1]}, "ascending redshifts above zero"),
        ({"values": {"mass": np.zeros(400)}}, "no such parameter: mass"),
        ({"values": {"age": np.zeros(3)}}, r"values\['age'\] has shape \(3,\)"),
        ({"values": {"logmstar": np.zeros(400)}}, "has no age"),
        ({"block": 7, "values": {"age": np.arange(400.0)[::-1]}}, "not sorted within blocks of 7"),
    ],
)
def test_what_does_not_fit_together_is_refused(change, message):
    with pytest.raises(RequestError, match=message):
        dataclasses.replace(toy_cache(), **change)


def test_the_hash_tells_contents_apart(path):
    cache, first = toy_cache(), load_cache(path).file_hash
    save_cache(cache, path)
    assert load_cache(path).file_hash == first
    for other in (dataclasses.replace(cache, meta={"survey": "other"}), toy_cache(seed=9)):
        save_cache(other, path)
        assert load_cache(path).file_hash != first
