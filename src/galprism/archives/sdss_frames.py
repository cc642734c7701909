"""Corrected frames of SDSS's imager: pixels in nanomaggies, their noise, and cutouts of them in nJy.

A frame (frame-BAND-RUN-CAMCOL-FIELD.fits.bz2) has in HDU 0 the image f (1489, 2048), sky taken off, in nanomaggies; in
HDU 1 the calibration c of each column, nanomaggies a count; in HDU 2 the sky that was taken off, counts on a coarse
grid ALLSKY with the places XINTERP and YINTERP where it is read off for each column and row. Then

    counts = f / c + sky,   variance = (counts / gain + dark variance) c^2

with the gain, electrons a count, and the dark variance, counts^2, that hold for a camera column, a band and a run:
https://data.sdss.org/datamodel/files/BOSS_PHOTOOBJ/frames/RERUN/RUN/CAMCOL/frame.html, whose tables these are.
"""

from __future__ import annotations

import bz2
import io
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from scipy.ndimage import map_coordinates

from galprism.archives.client import Unsound
from galprism.archives.sdss_objects import BANDS

PATH = "dr17/eboss/photoObj/frames/{rerun}/{run}/{camcol}/frame-{band}-{run:06d}-{camcol}-{field:04d}.fits.bz2"
PIXEL_SCALE = 0.396
"""arcsec."""
ZEROPOINT = 22.5
"""AB magnitude of a nanomaggy. SDSS's u and z are 0.04 and 0.02 mag off AB; galprism takes them as AB."""
GAIN = (
    (1.62, 3.32, 4.71, 5.165, 4.745),
    (1.595, 3.855, 4.6, 6.565, 5.155),
    (1.59, 3.845, 4.72, 4.86, 4.885),
    (1.6, 3.995, 4.76, 4.885, 4.775),
    (1.47, 4.05, 4.725, 4.64, 3.48),
    (2.17, 4.035, 4.895, 4.76, 4.69),
)
"""Electrons a count, by camera column from 1, and by BANDS."""
DARK_VARIANCE = (
    (9.61, 15.6025, 1.8225, 7.84, 0.81),
    (12.6025, 1.44, 1.0, 5.76, 1.0),
    (8.7025, 1.3225, 1.3225, 4.6225, 1.0),
    (12.6025, 1.96, 1.3225, 6.25, 9.61),
    (9.3025, 1.1025, 0.81, 7.84, 1.8225),
    (7.0225, 1.8225, 0.9025, 5.0625, 1.21),
)
"""Counts^2, the same way."""
LATER_GAIN = {(2, "u"): (1100, 1.825)}
"""After the run of that number it was another."""
LATER_DARK_VARIANCE = {
    (2, "i"): (1500, 6.25),
    (4, "i"): (1500, 7.5625),
    (4, "z"): (1500, 12.6025),
    (5, "z"): (1500, 2.1025),
}


def gain(camcol: int, band: str, run: int) -> float:
    """Electrons a count."""
    return _of_run(GAIN, LATER_GAIN, camcol, band, run)


def dark_variance(camcol: int, band: str, run: int) -> float:
    """Counts^2 of a pixel without light: the dark current's, and that of reading it."""
    return _of_run(DARK_VARIANCE, LATER_DARK_VARIANCE, camcol, band, run)


def _of_run(table, later, camcol: int, band: str, run: int) -> float:
    after, value = later.get((camcol, band), (np.inf, 0.0))
    return value if run > after else table[camcol - 1][BANDS.index(band)]


def inverse_variance(
    image: np.ndarray, calibration: np.ndarray, sky: np.ndarray, gain: float, dark_variance: float
) -> np.ndarray:
    """(H, W), nanomaggies^-2; 0 where a pixel's variance would not be positive and finite.

    image : (H, W), nanomaggies; calibration : (W,), nanomaggies a count; sky : (H, W), counts
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        variance = ((image / calibration + sky) / gain + dark_variance) * calibration**2
        ivar = 1 / variance
    return np.where(np.isfinite(ivar) & (variance > 0), ivar, 0.0)


def sky_of(allsky: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(H, W), counts: the coarse sky (h, w) read off at places x (W,) and y (H,) of its pixels, bilinearly; beyond its
    edges what is at them."""
    places = np.meshgrid(y, x, indexing="ij")
    return map_coordinates(allsky.astype(np.float64), places, order=1, mode="nearest")


def frame_name(band: str, rerun: int, run: int, camcol: int, field: int) -> str:
    """Where a frame is on the archive server, from its base on."""
    return PATH.format(band=band, rerun=rerun, run=run, camcol=camcol, field=field)


def check_frame(path: Path, band: str, run: int, camcol: int, field: int) -> None:
    """Raises Unsound where a file is not the whole of that frame."""
    expected = {"FILTER": band, "RUN": run, "CAMCOL": camcol, "FRAME": field}
    with _opened(path) as file:
        said = {key: str(file[0].header[key]).strip() for key in expected if key in file[0].header}
        wrong = [f"{key} = {value}" for key, value in said.items() if value != str(expected[key])]
    if wrong or "RUN" not in said:
        raise Unsound(f"is another frame: {', '.join(wrong) or 'its header has no RUN'}")


def write_calibrated(path: Path, out: Path, band: str, run: int, camcol: int) -> None:
    """A frame as a plain file: its image in HDU 0, nanomaggies, with its WCS, and the inverse variance in HDU 1.

    Raises Unsound where it is no frame.
    """
    with _opened(path) as file:
        image, header = file[0].data.astype(np.float64), file[0].header
        table = file[2].data
        sky = sky_of(table["ALLSKY"][0], table["XINTERP"][0], table["YINTERP"][0])
        if sky.shape != image.shape:
            raise Unsound(f"has a sky of {sky.shape} pixels for an image of {image.shape}")
        ivar = inverse_variance(image, file[1].data, sky, gain(camcol, band, run), dark_variance(camcol, band, run))
        hdus = [fits.PrimaryHDU(image.astype(np.float32), header), fits.ImageHDU(ivar.astype(np.float32), name="IVAR")]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            fits.HDUList(hdus).writeto(out, overwrite=True, output_verify="silentfix+ignore")


def _opened(path: Path) -> fits.HDUList:
    """The frame in a file. Raises Unsound where it is not the whole of one."""
    try:
        content = bz2.decompress(path.read_bytes())
    except (ValueError, OSError, EOFError) as error:
        raise Unsound("is no bzip2 file, or not the whole of one") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            file = fits.open(io.BytesIO(content), memmap=False)
            shapes = [hdu.data.shape for hdu in file[:2]]
            table = {name.upper() for name in file[2].columns.names}
    except (OSError, IndexError, AttributeError, ValueError, TypeError) as error:
        raise Unsound(f"is no frame of SDSS: {error}") from error
    if len(shapes[0]) != 2 or shapes[1] != shapes[0][1:] or not {"ALLSKY", "XINTERP", "YINTERP"} <= table:
        raise Unsound(f"is no frame of SDSS: its HDUs have shapes {shapes} and columns {', '.join(sorted(table))}")
    return file
