"""The noise of SDSS's frames: held against counts that are drawn, and the tables of the data model."""

import bz2
import io

import numpy as np
import pytest
from astropy.io import fits

from galprism.archives.client import Unsound
from galprism.archives.sdss_frames import (
    check_frame,
    dark_variance,
    frame_name,
    gain,
    inverse_variance,
    sky_of,
    write_calibrated,
)
from galprism.archives.sdss_objects import BANDS
from made_archive import CAMCOL, FIELD, RUN, made_frame, made_truth


@pytest.mark.parametrize("band", BANDS)
def test_the_noise_is_that_of_the_counts(band, tmp_path):
    """Pixels differ from the truth by as much as their ivar says: chi^2 per pixel is 1 to what 32,000 of them allow,
    sqrt(2 / 32000) = 0.008, on the sky and, where photons of sources add, on them."""
    path = tmp_path / "frame.fits.bz2"
    path.write_bytes(made_frame(band))
    write_calibrated(path, tmp_path / "out.fits", band, RUN, CAMCOL)
    image, ivar = (fits.getdata(tmp_path / "out.fits", hdu).astype(float) for hdu in (0, 1))
    chi = (image - made_truth()) * np.sqrt(ivar)
    bright = made_truth() > 0.05
    assert np.mean(chi[~bright] ** 2) == pytest.approx(1, abs=0.035)
    assert bright.sum() > 500
    assert np.mean(chi[bright] ** 2) == pytest.approx(1, abs=5 * np.sqrt(2 / bright.sum()))
    assert ivar[bright].mean() < ivar[~bright].mean()


def test_one_pixel_by_hand():
    """f = 2 nmgy at c = 0.005 over a sky of 100: 500 counts; with gain 4 and dark variance 1, 126 counts^2."""
    ivar = inverse_variance(np.full((1, 2), 2.0), np.full(2, 0.005), np.full((1, 2), 100.0), 4.0, 1.0)
    np.testing.assert_allclose(ivar, 1 / (126 * 0.005**2))


def test_pixels_that_have_no_variance_have_no_data():
    image = np.array([[np.nan, -10.0, 1.0]])
    ivar = inverse_variance(image, np.array([0.01, 0.01, 0.0]), np.full((1, 3), 10.0), 4.0, 1.0)
    np.testing.assert_array_equal(ivar, 0)


def test_the_sky_is_read_off_between_its_pixels():
    coarse = np.add.outer(10.0 * np.arange(3), np.arange(4.0))
    sky = sky_of(coarse, np.array([0.0, 0.5, 3.0, 9.0]), np.array([0.0, 1.25]))
    np.testing.assert_allclose(sky, [[0, 0.5, 3, 3], [12.5, 13, 15.5, 15.5]])


def test_tables_of_the_data_model():
    """Read off there: camera columns 1, 2 and 6, and those that changed between runs."""
    assert [gain(1, band, 94) for band in BANDS] == [1.62, 3.32, 4.71, 5.165, 4.745]
    assert [dark_variance(6, band, 94) for band in BANDS] == [7.0225, 1.8225, 0.9025, 5.0625, 1.21]
    assert (gain(2, "u", 1100), gain(2, "u", 1101)) == (1.595, 1.825)
    assert (dark_variance(4, "z", 1500), dark_variance(4, "z", 1501)) == (9.61, 12.6025)
    assert dark_variance(2, "r", 1501) == 1.0


def test_where_a_frame_is():
    assert frame_name("r", 301, 3900, 6, 45).endswith("/frames/301/3900/6/frame-r-003900-6-0045.fits.bz2")


def spoiled(change):
    """A frame, its HDUs changed."""
    with fits.open(io.BytesIO(bz2.decompress(made_frame("r")))) as file:
        content = io.BytesIO()
        change(file).writeto(content)
    return bz2.compress(content.getvalue(), 1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda: made_frame("r")[:5000], "not the whole"),
        (lambda: b"<html></html>", "no bzip2 file"),
        (lambda: b"", "no frame"),
        (lambda: bz2.compress(b"<html></html>"), "no frame"),
        (lambda: spoiled(lambda file: file[:1]), "no frame"),
        (lambda: spoiled(lambda file: fits.HDUList([file[0], fits.ImageHDU(file[1].data[:9]), file[2]])), "no frame"),
        (lambda: made_frame("r", number=FIELD + 1), f"FRAME = {FIELD + 1}"),
        (lambda: made_frame("g"), "FILTER = g"),
    ],
)
def test_other_files_are_no_frame(content, said, tmp_path):
    path = tmp_path / "frame.fits.bz2"
    path.write_bytes(content())
    with pytest.raises(Unsound, match=said):
        check_frame(path, "r", RUN, CAMCOL, FIELD)


def test_a_frame_is_one(tmp_path):
    path = tmp_path / "frame.fits.bz2"
    path.write_bytes(made_frame("r"))
    check_frame(path, "r", RUN, CAMCOL, FIELD)
