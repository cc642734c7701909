import numpy as np
import pytest
from astropy.visualization import make_lupton_rgb

from galprism.data import Cutouts
from galprism.data.pictures import read_jpegs
from galprism.data.three_colour import NANOMAGGY, SDSS_PIXEL, ColourMapping, pictures_of
from galprism.errors import RequestError

SHARP = ColourMapping(smoothing=0.0)


def cutouts(nanomaggies, bands=("g", "r", "i"), scale=SDSS_PIXEL, ivar=None):
    flux = np.asarray(nanomaggies, np.float32) * np.float32(NANOMAGGY)
    return Cutouts(flux, np.ones_like(flux) if ivar is None else ivar, bands, scale)


def one_pixel(g, r, i):
    """Levels of red, green and blue where the sky is alike all over."""
    flux = np.broadcast_to(np.array([g, r, i])[None, :, None, None], (1, 3, 3, 3))
    return pictures_of(cutouts(flux))[0, 1, 1].astype(int)


def test_the_same_as_astropys_lupton():
    """Whose stretch is 0.1 asinh(Q x / s) / asinh(0.1 Q): ours for asinh(0.1 Q) = 0.9 and Q / s = 9."""
    rng = np.random.default_rng(1)
    flux = rng.normal(0, 0.03, (4, 3, 16, 18)) + rng.exponential(0.5, (4, 3, 16, 18)) * (
        rng.random((4, 1, 16, 18)) < 0.5
    )
    q = 10 * np.sinh(0.9)
    ours = pictures_of(cutouts(flux), SHARP)
    for picture, (g, r, i) in zip(ours, flux, strict=True):
        theirs = make_lupton_rgb(4.9 * i, 5.7 * r, 7.8 * g, Q=q, stretch=q / 9)[::-1]
        assert np.abs(picture.astype(int) - theirs).max() <= 1  # they cut levels, we round them
    assert (ours == 255).any()


def test_known_levels():
    """f(I) = asinh(9 I) / 9 of the mean of 7.8 g, 5.7 r and 4.9 i: of grey light of I = 0.2, 0.1436 of 255."""
    np.testing.assert_array_equal(one_pixel(0.2 / 7.8, 0.2 / 5.7, 0.2 / 4.9), [round(255 * np.arcsinh(1.8) / 9)] * 3)
    np.testing.assert_array_equal(one_pixel(0, 0, 0), 0)
    np.testing.assert_array_equal(one_pixel(-0.1, -0.1, -0.1), 0)
    np.testing.assert_array_equal(one_pixel(1e4, 1e4 * 7.8 / 5.7, 1e4 * 7.8 / 4.9), 255)


def test_hue_stands_and_brightness_rises():
    """A galaxy as red as an elliptical (g : r : i = 1 : 2.5 : 3.6) has one hue at any brightness, also beyond white."""
    levels = np.array([one_pixel(g, 2.5 * g, 3.6 * g) for g in np.geomspace(0.01, 20, 25)])
    assert (np.diff(levels[:, 0]) >= 0).all()
    assert levels[0, 0] < 60
    assert levels[-1, 0] == 255
    bright = levels[levels[:, 0] > 50]
    np.testing.assert_allclose(bright[:, 1] / bright[:, 0], 2.5 * 5.7 / (3.6 * 4.9), atol=0.02)
    np.testing.assert_allclose(bright[:, 2] / bright[:, 0], 7.8 / (3.6 * 4.9), atol=0.02)


def test_surface_brightness_is_what_is_shown():
    """The same sky in pixels of twice the side has four times the flux in each, and looks the same."""
    flux = np.broadcast_to(np.array([0.1, 0.2, 0.3])[None, :, None, None], (1, 3, 4, 4))
    wide = pictures_of(cutouts(4 * flux, scale=2 * SDSS_PIXEL))
    np.testing.assert_array_equal(wide, pictures_of(cutouts(flux)))


def test_bands_by_name_and_up_is_up(tmp_path):
    flux = np.zeros((1, 3, 5, 6))
    flux[0, 1, 4, 0] = 3.0  # r, at the top left
    levels = pictures_of(cutouts(flux), SHARP)[0]
    assert levels[0, 0, 1] == levels.max() == levels.sum()
    swapped = pictures_of(cutouts(flux[:, [2, 0, 1]], bands=("i", "g", "r")), SHARP)[0]
    np.testing.assert_array_equal(swapped, levels)
    from PIL import Image

    Image.fromarray(levels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(pictures_of(read_jpegs([tmp_path / "a.png"], SDSS_PIXEL))[0], levels)


def test_missing_pixels_have_their_neighbours_light():
    flux = np.broadcast_to(np.array([0.1, 0.2, 0.3])[None, :, None, None], (1, 3, 21, 21))
    ivar = np.ones(flux.shape, np.float32)
    ivar[0, 2, 10, 10] = 0
    ivar[0, :, :5, :5] = 0
    levels = pictures_of(cutouts(flux * (ivar > 0), ivar=ivar))[0]
    np.testing.assert_allclose(levels[10, 10], one_pixel(0.1, 0.2, 0.3), atol=1)
    np.testing.assert_array_equal(levels[-1, 0], 0)
    np.testing.assert_array_equal(pictures_of(cutouts(flux * (ivar > 0), ivar=ivar), SHARP)[0, 10, 10, 0], 0)


def test_smoothing_takes_off_noise_and_keeps_light():
    rng = np.random.default_rng(2)
    flux = 0.05 + rng.normal(0, 0.02, (2, 3, 64, 64))
    sharp, smooth = (pictures_of(cutouts(flux), mapping).astype(float) for mapping in (SHARP, None))
    assert smooth.std() < 0.7 * sharp.std()
    np.testing.assert_allclose(smooth.mean(), sharp.mean(), rtol=0.02)


def test_batches_do_not_matter(monkeypatch):
    flux = np.random.default_rng(3).exponential(0.2, (7, 3, 9, 9))
    whole = pictures_of(cutouts(flux))
    monkeypatch.setattr("galprism.data.three_colour.BATCH_PIXELS", 2 * 81)
    np.testing.assert_array_equal(pictures_of(cutouts(flux)), whole)
    assert pictures_of(cutouts(flux[:0])).shape == (0, 9, 9, 3)


def test_refused():
    with pytest.raises(RequestError, match="needs cutouts in i, r, g; these are in g, r, z and lack i"):
        pictures_of(cutouts(np.zeros((1, 3, 4, 4)), bands=("g", "r", "z")))
    with pytest.raises(RequestError, match="accepted: three of each, no band twice"):
        ColourMapping(bands=("i", "r", "r"))
    with pytest.raises(RequestError, match="accepted: numbers above zero"):
        ColourMapping(scales=(1.0, 0.0, 1.0))
