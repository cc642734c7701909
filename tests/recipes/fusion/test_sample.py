"""The sample of sdss-fusion: images, spectra, photometry and labels of the same galaxies, kept."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from galprism import recipes, surveys
from galprism.data.sfr_labels import STATISTICS, out_of_order
from galprism.data.spectrum_files.sdss import DEX_PER_PIXEL
from galprism.errors import RequestError
from galprism.fit.sfr_statistics import EDGES
from galprism.flags import Flag
from galprism.mocks.images.cutouts import sky_sigma
from galprism.mocks.spectra.instrument import instrument
from galprism.recipes import processes
from galprism.recipes.fusion import sample as module
from galprism.recipes.fusion.sample import MEASURED, PARTS, TARGETS, fusion_sample
from galprism.recipes.staged import train_staged

COUNTS = (24, 5, 7)
N, SIDE = sum(COUNTS), 32
SETTINGS = (
    "field.limit=18.0",
    "field.area=0.02",
    "field.galaxies.redshift=[0.08, 0.088]",
    f"images.size={SIDE}",
    "spectra.wave_range=[5500.0, 6800.0]",
    "spectra.farthest=0.1",
    "fit.n_draws=3000",
    *(f"sample.{part}={n}" for part, n in zip(PARTS, COUNTS, strict=True)),
)


@pytest.fixture(scope="module")
def recipe():
    torch.set_num_threads(1)
    return recipes.load("sdss-fusion", SETTINGS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fusion")


@pytest.fixture(scope="module")
def sample(recipe, folder):
    counted = []
    made = fusion_sample(recipe, folder, progress=counted.append)
    assert sum(counted) == 2 * N
    return made


def test_the_recipe_has_whole_spectra_and_five_images():
    whole = recipes.load("sdss-fusion")
    wave = instrument(whole.spectra).wave
    assert len(wave) == 4620
    np.testing.assert_allclose(np.diff(np.log10(wave)), DEX_PER_PIXEL)
    assert (whole.images.size, whole.images.pixel_scale) == (64, 0.396)
    assert whole.images.bands == surveys.get("sdss").band_names == tuple("ugriz")
    assert whole.targets.names == TARGETS
    assert sum((whole.sample.train, whole.sample.validation, whole.sample.test)) == 5000


def test_arrays_are_laid_out_as_models_take_them(sample):
    pixels = len(sample.wave)
    for name, shape, dtype in (
        ("image", (N, 5, SIDE, SIDE), "f4"),
        ("spectrum", (N, pixels), "f4"),
        ("spectrum_ivar", (N, pixels), "f4"),
        ("flux", (N, 5), "f4"),
        ("flux_ivar", (N, 5), "f4"),
        ("targets", (N, 9), "f8"),
        ("share", (N, len(EDGES) - 1), "f4"),
    ):
        array = getattr(sample, name)
        assert (array.shape, array.dtype) == (shape, np.dtype(dtype)), name
        assert np.isfinite(array).all(), name
    assert len(set(sample.ident.tolist())) == N
    rows = np.concatenate([np.arange(N)[sample.rows(part)] for part in PARTS])
    np.testing.assert_array_equal(rows, np.arange(N))
    assert [len(sample.ident[sample.rows(part)]) for part in PARTS] == list(COUNTS)
    with pytest.raises(RequestError, match="'all'"):
        sample.rows("all")


def test_labels_are_of_the_galaxies_that_are_shown(sample):
    truth = sample.labels(slice(None))
    np.testing.assert_array_equal(truth.column("redshift"), sample.column("redshift"))
    assert not out_of_order(sample.targets[:, 1:], STATISTICS).any()
    true, low, high = sample.column("logsfr"), truth.column("sfr_tot_p2p5"), truth.column("sfr_tot_p97p5")
    assert np.mean((true > low) & (true < high)) > 0.8  # 95 %, of 36
    off = true - truth.column("sfr_tot_avg")
    assert np.std(off) < 0.7 * np.std(true)
    shuffled = true[np.random.default_rng(0).permutation(N)] - truth.column("sfr_tot_avg")
    assert np.std(off) < 0.7 * np.std(shuffled)  # each its own


def test_images_and_spectra_have_the_light_and_the_noise_that_are_stated(recipe, sample):
    total = np.asarray(sample.image[:, 1:4]).sum(axis=(2, 3))
    assert np.corrcoef(np.log(total[:, 1]), np.log(sample.flux[:, 2]))[0, 1] > 0.9
    corner = np.asarray(sample.image[:, :, :4, :4])
    sky = sky_sigma(surveys.get("sdss"), recipe.images)
    spread = 0.5 * np.diff(np.percentile(corner, [16, 84], axis=(0, 2, 3)), axis=0)[0]
    np.testing.assert_allclose(spread, sky, rtol=0.3)  # neighbours and the galaxies' own wings add to it
    r = (sample.wave > 5600) & (sample.wave < 6700)
    light = np.median(np.asarray(sample.spectrum)[:, r] * sample.wave[r] ** 2, axis=1)
    assert np.corrcoef(np.log(light), np.log(sample.flux[:, 2]))[0, 1] > 0.5
    noise = np.diff(np.asarray(sample.spectrum), axis=1) * np.sqrt(sample.spectrum_ivar[:, 1:]) / np.sqrt(2)
    assert 0.8 < np.median(np.abs(noise)) / 0.6745 < 1.5


def test_sources_carry_all_blocks_and_flags(sample):
    rows = sample.rows("test")
    sources = sample.sources(rows)
    assert sources.photometry.bands == sources.cutouts.bands == tuple("ugriz")
    np.testing.assert_array_equal(sources.spectra.flux, sample.spectrum[rows])
    np.testing.assert_array_equal(sources.id, sample.labels(rows).id)
    coarse = replace(sample, ess=np.where(np.arange(N) == N - 1, 3.0, 1e3)).sources(rows)
    assert coarse.flags.tolist() == [0] * 6 + [Flag.LOW_SAMPLE_SIZE]


def test_it_is_found_again_and_distributions_are_taken_up(recipe, folder, sample, monkeypatch):
    monkeypatch.setattr(module, "_simulate", None)
    with monkeypatch.context() as patch:
        patch.setattr(module, "_infer", None)
        again = fusion_sample(recipe, folder)
    for name in (*MEASURED, "share", "targets"):
        np.testing.assert_array_equal(getattr(again, name), getattr(sample, name), err_msg=name)
    monkeypatch.setattr(processes, "ProcessPoolExecutor", lambda n, _, **first: ThreadPoolExecutor(1, **first))
    for place in folder.glob("rates-*"):
        place.rename(folder / "gone")  # as if it had been stopped in between
    shared = fusion_sample(recipe, folder, workers=2)
    np.testing.assert_array_equal(shared.share, sample.share)


@pytest.mark.parametrize("name", ["field", "chosen", "images", "spectra"])
def test_a_recipe_that_lacks_a_part_is_refused(recipe, tmp_path, name):
    gone = {name: None} | ({"chosen": None} if name == "field" else {})
    with pytest.raises(RequestError, match=rf"sdss-fusion has no \[{name}\]"):
        fusion_sample(replace(recipe, **gone), tmp_path)


def test_the_staged_networks_refuse_its_targets_before_anything_is_made(tmp_path):
    with pytest.raises(RequestError, match=r"recipe sdss-fusion: targets\.names has sfr_tot_avg, "):
        train_staged(recipes.load("sdss-fusion"), work=tmp_path)
    assert not list(tmp_path.iterdir())


def test_galaxies_chosen_by_several_magnitudes_are_not_the_posteriors(recipe, tmp_path):
    chosen = replace(recipe.chosen, galaxy_magnitude=(14.0, 16.0, 17.0))
    with pytest.raises(RequestError, match=r"galaxy_magnitude = \[14\.0, 16\.0, 17\.0\]"):
        fusion_sample(replace(recipe, chosen=chosen), tmp_path)
