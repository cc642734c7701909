import numpy as np
import pytest

from galprism.data.background import measure_background
from galprism.data.cutting import Cutter, strips
from galprism.data.images import open_image
from galprism.errors import RequestError
from galprism.flags import Flag
from made_images import NJY, SCALE, ZEROPOINT, stars, tan, write_fits

SHAPE = (700, 600)
NOISE, SKY = 2.0, 50.0
"""Counts."""
RNG = np.random.default_rng(5)
X, Y = RNG.uniform(40, SHAPE[1] - 41, 60), RNG.uniform(40, SHAPE[0] - 41, 60)
FLUX = RNG.uniform(500, 5000, 60)


def opened(path, **other):
    return open_image(path, **{"zeropoint": ZEROPOINT, "pixel_scale": SCALE, **other})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two bands with noise on a sky with a slope, one tile-compressed; a third without noise or sky."""
    folder = tmp_path_factory.mktemp("sky")
    clean = stars(SHAPE, X, Y, FLUX)
    slope = SKY + np.linspace(0, 5, SHAPE[1])
    for band, factor in (("g", 0.5), ("r", 1.0)):
        noise = np.random.default_rng(ord(band)).normal(0, NOISE, SHAPE)
        write_fits(folder / f"{band}.fits", factor * clean + noise + slope, tan(SHAPE), compressed=band == "r")
    write_fits(folder / "clean.fits", clean, tan(SHAPE), extra=[("wht", np.full(SHAPE, NOISE**-2, np.float32))])
    return folder


@pytest.fixture(scope="module")
def cut(folder):
    return Cutter({band: opened(folder / f"{band}.fits") for band in "gr"}).at_pixels(X, Y)


@pytest.fixture(scope="module")
def clean(folder):
    return opened(folder / "clean.fits:0", weight=f"{folder}/clean.fits:wht")


def test_planted_sources_lie_in_the_middle_with_their_flux(clean):
    cut = Cutter({"r": clean}, subtract=False).at_pixels(X, Y)
    alone = np.array(
        [np.hypot(X - x, Y - y)[np.arange(60) != i].min() > 60 for i, (x, y) in enumerate(zip(X, Y, strict=True))]
    )
    assert alone.sum() > 5
    flux = cut.cutouts.flux[:, 0].astype(np.float64)
    np.testing.assert_allclose(flux[alone].sum(axis=(1, 2)), FLUX[alone] * NJY, rtol=1e-5)
    y, x = np.indices((41, 41)) - 20.0
    for at, axis in ((x, 0), (y, 1)):
        centroid = (flux * at).sum(axis=(1, 2)) / flux.sum(axis=(1, 2))
        np.testing.assert_allclose(centroid[alone], cut.offset[alone, 0, axis], atol=1e-4)
    assert np.abs(cut.offset).max() <= 0.5
    np.testing.assert_allclose(cut.cutouts.ivar, NOISE**-2 / NJY**2, rtol=1e-6)
    assert not cut.flags.any()


def test_sky_and_pixels_agree_and_order_is_kept(folder, cut):
    cutter = Cutter({band: opened(folder / f"{band}.fits", pixel_scale=None) for band in "gr"}, fwhm={"g": 0.8})
    order = np.random.default_rng(1).permutation(60)
    ra, dec = tan(SHAPE).wcs_pix2world(X[order], Y[order], 0)
    by_sky = cutter.at_sky(ra, dec)
    np.testing.assert_array_equal(by_sky.cutouts.flux, cut.cutouts.flux[order])
    np.testing.assert_array_equal(by_sky.cutouts.ivar, cut.cutouts.ivar[order])
    np.testing.assert_allclose(by_sky.offset, cut.offset[order], atol=1e-5)
    assert by_sky.cutouts.bands == ("g", "r")
    assert by_sky.cutouts.pixel_scale == pytest.approx(SCALE)
    np.testing.assert_allclose(by_sky.cutouts.psf_fwhm[0], [0.8, np.nan])


@pytest.mark.parametrize("size", [1 + 2 * 8, 16])
def test_even_and_odd_sizes(clean, size):
    cut = Cutter({"r": clean}, size, subtract=False).at_pixels(X, Y)
    flux = cut.cutouts.flux[:, 0].astype(np.float64)
    _, x = np.indices((size, size)) - (size - 1) / 2
    bright = np.argmax(FLUX)
    assert (flux * x).sum(axis=(1, 2))[bright] / flux[bright].sum() == pytest.approx(cut.offset[bright, 0, 0], abs=0.02)
    assert np.abs(cut.offset).max() <= 0.5


def test_the_sky_is_taken_off_without_bias_and_its_noise_is_measured(cut):
    sky = cut.cutouts.flux[:, :, [0, 0, -1, -1], [0, -1, 0, -1]] / NJY
    assert abs(np.median(sky)) < 5 * NOISE / np.sqrt(sky.size)
    np.testing.assert_allclose(cut.cutouts.ivar**-0.5, NOISE * NJY, rtol=0.03)
    assert np.median(cut.cutouts.ivar**-0.5) == pytest.approx(NOISE * NJY, rel=0.02)


def test_the_sky_may_be_kept(folder):
    kept = Cutter({"g": opened(folder / "g.fits")}, subtract=False).at_pixels(X, Y)
    assert np.median(kept.cutouts.flux) / NJY == pytest.approx(SKY + 2.5, abs=2)
    np.testing.assert_allclose(kept.cutouts.ivar**-0.5, NOISE * NJY, rtol=0.03)


def test_photons_of_the_source_where_a_gain_is_known(folder):
    plain, photons = (
        Cutter({"r": opened(folder / "r.fits", gain=gain)}).at_pixels(X, Y).cutouts for gain in (None, 4.0)
    )
    extra = (1 / photons.ivar - 1 / plain.ivar) / NJY**2
    bright = plain.flux > 30 * NJY
    np.testing.assert_allclose(extra[bright], plain.flux[bright] / NJY / 4.0, rtol=1e-3)
    assert abs(extra[plain.flux < 0]).max() < 1e-4 * NOISE**2


def test_relative_weights_are_scaled_to_the_sky(folder, tmp_path):
    weight = write_fits(tmp_path / "w.fits", np.full(SHAPE, 123.0, np.float32))
    image = opened(folder / "g.fits", weight=weight, weight_kind="relative")
    cut = Cutter({"g": image}).at_pixels(X, Y)
    np.testing.assert_allclose(cut.cutouts.ivar**-0.5, NOISE * NJY, rtol=0.02)


class TestEdges:
    def test_beyond_the_edge_there_are_no_data(self, clean):
        cut = Cutter({"r": clean}, subtract=False).at_pixels([3.2, SHAPE[1] - 1.0], [0.0, SHAPE[0] - 5.4])
        seen = cut.cutouts.observed[:, 0]
        x, y = np.array([3, SHAPE[1] - 1]), np.array([0, SHAPE[0] - 5])
        for k in range(2):
            columns, rows = np.arange(-20, 21) + x[k], np.arange(-20, 21) + y[k]
            inside = ((rows >= 0) & (rows < SHAPE[0]))[:, None] & ((columns >= 0) & (columns < SHAPE[1]))
            np.testing.assert_array_equal(seen[k], inside)
        assert not cut.cutouts.flux[~cut.cutouts.observed].any()
        np.testing.assert_array_equal(cut.flags, [Flag.MASKED, Flag.MASKED])

    def test_off_the_image(self, clean):
        cut = Cutter({"r": clean}).at_pixels([-0.6, 100, np.nan, 1e30, 5], [100, SHAPE[0], 10, 10, 5])
        assert not cut.cutouts.observed[:4].any()
        np.testing.assert_array_equal(cut.flags & Flag.OFF_IMAGE > 0, [True] * 4 + [False])
        np.testing.assert_array_equal(cut.flags & Flag.MASKED > 0, [False] * 5)
        assert np.isnan(cut.offset[:4]).all()

    def test_no_source_at_all(self, clean):
        assert len(Cutter({"r": clean}).at_pixels([], []).cutouts) == 0


class TestNoData:
    def test_nan_blocks_masks_and_saturation(self, folder, tmp_path):
        counts = stars(SHAPE, X, Y, FLUX).astype(np.float32)
        counts += np.random.default_rng(2).normal(0, NOISE, SHAPE).astype(np.float32)
        mask = np.zeros(SHAPE, np.uint8)
        x, y = np.array([100, 300, 500, 200]), np.array([200, 400, 600, 500])
        counts[y[0] - 60 : y[0] + 60, x[0] - 60 : x[0] + 60] = np.nan
        mask[y[1], x[1]] = 1
        counts[y[2] + 10, x[2]] = 9e4
        path = write_fits(tmp_path / "r.fits", counts, extra=[("mask", mask)])
        cut = Cutter({"r": opened(f"{path}:0", mask=f"{path}:1", saturation=8e4)}).at_pixels(x, y)
        assert not cut.cutouts.observed[0].any()
        for k, (dy, dx) in ((1, (20, 20)), (2, (30, 20))):
            assert not cut.cutouts.observed[k, 0, dy, dx]
            assert cut.cutouts.flux[k, 0, dy, dx] == 0
            assert cut.cutouts.observed[k].sum() == 41 * 41 - 1
        np.testing.assert_array_equal(cut.flags, [Flag.MASKED, Flag.MASKED, 0, 0])

    def test_padding_is_no_data(self, tmp_path):
        """Without a weight map a stretch of one and the same number is no sky without noise."""
        counts = np.random.default_rng(3).normal(0, NOISE, (512, 512))
        counts[:256] = 0
        cut = Cutter({"r": opened(write_fits(tmp_path / "r.fits", counts))}).at_pixels([100, 100], [100, 400])
        assert not cut.cutouts.observed[0].any()
        assert cut.cutouts.observed[1].all()
        nothing = Cutter({"r": opened(write_fits(tmp_path / "n.fits", np.full(SHAPE, np.nan)))}).at_pixels([9], [9])
        assert not nothing.cutouts.observed.any()

    def test_integers(self, tmp_path):
        counts = np.rint(np.random.default_rng(4).normal(1000, NOISE, SHAPE)).astype(np.int16)
        cut = Cutter({"r": opened(write_fits(tmp_path / "r.fits", counts))}).at_pixels([300], [300])
        assert np.median(cut.cutouts.ivar**-0.5) / NJY == pytest.approx(np.hypot(NOISE, 12**-0.5), rel=0.02)
        assert abs(cut.cutouts.flux.mean() / NJY) < 5 * NOISE / 41


class TestTiles:
    def test_each_source_from_the_tile_that_has_it_deepest(self, tmp_path):
        """Two tiles that overlap by 100 pixels; which one a pixel is of is written in its value."""
        shape, step = (200, 300), 200
        tiles = []
        for t in range(2):
            wcs = tan(shape, x=150 - t * step, y=100)
            path = write_fits(tmp_path / f"{t}.fits", np.full(shape, t + 1.0), wcs, extra=[("w", np.ones(shape))])
            tiles.append(opened(f"{path}:0", weight=f"{path}:w"))
        x = np.array([450, 30, 260, 240, 600, 250.4, 249.0])
        ra, dec = tan(shape, x=150, y=100).wcs_pix2world(x, np.full(7, 100.0), 0)
        for order in (tiles, tiles[::-1]):
            cut = Cutter({"r": order}, 11, subtract=False).at_sky(ra, dec)
            np.testing.assert_allclose(cut.cutouts.flux[:, 0, 5, 5] / NJY, [2, 1, 2, 1, 0, 2, 1], rtol=1e-6)
            np.testing.assert_array_equal(np.flatnonzero(cut.flags & Flag.OFF_IMAGE), [4])
        with pytest.raises(RequestError, match="band r has 2 images, so that pixels name no position"):
            Cutter({"r": tiles}).at_pixels([3], [3])


def test_strips_are_few_and_hold_everything():
    first = np.random.default_rng(0).integers(-30, 5000, 400)
    groups = list(strips(first, 41))
    np.testing.assert_array_equal(np.sort(np.concatenate(groups)), np.arange(400))
    assert all(np.ptp(first[group]) <= 512 for group in groups)
    assert len(groups) < 20
    assert list(strips(np.zeros(0, int), 41)) == []


def test_background_mesh_follows_the_sky(folder):
    sky = measure_background(opened(folder / "g.fits"))
    level, noise = sky.at(slice(0, SHAPE[0]), slice(0, SHAPE[1]))
    expected = np.tile(SKY + np.linspace(0, 5, SHAPE[1]), (SHAPE[0], 1))
    middle = slice(100, -100), slice(100, -100)
    np.testing.assert_allclose(level[middle], expected[middle], atol=0.5)
    assert abs((level - expected)[middle].mean()) < 0.1
    np.testing.assert_allclose(noise, NOISE, rtol=0.05)
    np.testing.assert_allclose(sky.at(slice(50, 91), slice(300, 341))[0], level[50:91, 300:341])
    with pytest.raises(RequestError, match="boxes of 4 pixels"):
        measure_background(opened(folder / "g.fits"), 4)


def test_what_was_done_is_said(folder, clean):
    said = Cutter({"r": opened(folder / "r.fits"), "z": clean}).described()
    assert "scatter of the sky in boxes of 128 pixels" in said["bands"]["r"][0]["noise"]
    assert said["bands"]["z"][0]["noise"] == "weight map clean.fits:1 (ivar)"
    assert said["background"].startswith("subtracted")
    assert str(folder) not in str(said)


def test_what_does_not_fit_is_refused(folder, clean, tmp_path):
    other = opened(write_fits(tmp_path / "small.fits", np.ones((50, 60))))
    with pytest.raises(RequestError, match=r"small\.fits:0: has shape \(50, 60\), .*clean\.fits:0 has \(700, 600\)"):
        Cutter({"r": clean, "i": other}).at_pixels([9], [9])
    with pytest.raises(RequestError, match=r"small\.fits:0: has no celestial WCS"):
        Cutter({"i": other}).at_sky([150.0], [2.0])
    with pytest.raises(RequestError, match="no image was given"):
        Cutter({})
    with pytest.raises(RequestError, match="no image was given of band i"):
        Cutter({"r": clean, "i": []})
    with pytest.raises(RequestError, match="size = 2; accepted: 3 pixels or more"):
        Cutter({"r": clean}, 2)
    with pytest.raises(RequestError, match="fwhm of band z; the images are of r"):
        Cutter({"r": clean}, fwhm={"z": 1.0})
