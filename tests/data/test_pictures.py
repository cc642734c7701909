import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from galprism.data import Cutouts
from galprism.data.cutout_file import CutoutFile, CutoutWriter
from galprism.data.pictures import levels_of, read_jpegs
from galprism.errors import RequestError


def picture(path, mode="RGB", shape=(8, 10), colour=(30, 20, 10)):
    pixels = np.zeros((*shape, 3), np.uint8)
    pixels[:] = colour
    pixels[0, 0] = 255
    Image.fromarray(pixels).convert(mode).save(path)
    return path


def test_colours_become_bands_and_up_is_up(tmp_path):
    cutouts = read_jpegs([picture(tmp_path / "a.png"), picture(tmp_path / "b.png", colour=(3, 2, 1))], 0.396)
    assert cutouts.bands == ("g", "r", "i")
    assert cutouts.unit == "8-bit"
    np.testing.assert_array_equal(cutouts.flux[:, :, 0, 0], [[10, 20, 30], [1, 2, 3]])
    np.testing.assert_array_equal(cutouts.flux[:, :, -1, 0], 255)
    assert (cutouts.ivar == 1).all()
    assert cutouts.shape == (8, 10)


def test_jpeg(tmp_path):
    flux = read_jpegs([picture(tmp_path / "a.jpg")], 0.396).flux
    np.testing.assert_allclose(flux[0, :, 2, 7], [10, 20, 30], atol=20)


def test_what_was_trained_on_fluxes_refuses_them(tmp_path):
    cutouts = read_jpegs([picture(tmp_path / "a.png")], 0.396)
    with pytest.raises(
        RequestError, match="a model needs cutouts in nJy; these are in 8-bit: grey levels of a picture"
    ):
        cutouts.calibrated("a model")
    fluxes = Cutouts(cutouts.flux, cutouts.ivar, cutouts.bands, cutouts.pixel_scale)
    assert fluxes.calibrated("a model") is fluxes
    with pytest.raises(RequestError, match=r"in 8-bit cannot be joined to those of .* in nJy"):
        Cutouts.joined([fluxes, cutouts])
    with pytest.raises(RequestError, match="unit = 'counts'; accepted: nJy, 8-bit"):
        Cutouts(cutouts.flux, cutouts.ivar, cutouts.bands, 0.4, unit="counts")


def test_the_unit_and_flags_are_kept_in_a_file(tmp_path):
    cutouts = read_jpegs([picture(tmp_path / "a.png")] * 2, 0.396)
    with CutoutWriter(tmp_path / "a.h5") as writer:
        writer.write(np.array([4, 5]), cutouts, np.array([0, 8], np.uint32))
    file = CutoutFile(tmp_path / "a.h5")
    assert (file.unit, file.read().unit) == ("8-bit", "8-bit")
    np.testing.assert_array_equal(file.flags, [0, 8])


def test_refused(tmp_path):
    first = picture(tmp_path / "a.png")
    (tmp_path / "text.jpg").write_text("galaxy")
    fits.PrimaryHDU(np.ones((8, 10), "f4")).writeto(tmp_path / "image.fits")
    for paths, said in [
        ([first, picture(tmp_path / "b.png", shape=(9, 10))], "b.png: has 9 x 10 pixels, .*a.png has 8 x 10"),
        ([picture(tmp_path / "c.png", mode="L")], "c.png: its colours are L; accepted: RGB"),
        ([tmp_path / "text.jpg"], "text.jpg: is not a picture"),
        ([tmp_path / "image.fits"], "image.fits: is not a picture; accepted: JPEG, PNG"),
        ([tmp_path / "none.jpg"], "none.jpg: no such file"),
        ([], "0 pictures"),
    ]:
        with pytest.raises(RequestError, match=said):
            read_jpegs(paths, 0.396)


def test_a_size_that_is_asked_for(tmp_path):
    square = picture(tmp_path / "a.png", shape=(9, 9))
    assert read_jpegs([square], 0.396, size=9).shape == (9, 9)
    with pytest.raises(RequestError, match=r"a.png: has 9 x 9 pixels; accepted: 128 x 128"):
        read_jpegs([square], 0.396, size=128)


def test_levels_are_those_of_the_file(tmp_path):
    path = picture(tmp_path / "a.png")
    with Image.open(path) as opened:
        np.testing.assert_array_equal(levels_of(read_jpegs([path], 0.396))[0], np.asarray(opened))
    flux = np.ones((1, 3, 4, 4), np.float32)
    with pytest.raises(RequestError, match="in nJy; accepted: three bands in 8-bit"):
        levels_of(Cutouts(flux, flux, ("g", "r", "i"), 0.4))
