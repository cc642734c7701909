"""Whether a file of FITS that was fetched is the whole of one."""

from __future__ import annotations

import warnings
from pathlib import Path

from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from galprism.archives.client import Unsound
from galprism.data.tables.base import FITS_BLOCK

NOT_WHOLE = "is not the whole of a FITS file"


def glance(path: Path) -> None:
    """Raises Unsound where a file cannot be the whole of a FITS file by its length, at no cost."""
    size = path.stat().st_size
    if not size or size % FITS_BLOCK:
        raise Unsound(NOT_WHOLE)


def check_whole(path: Path) -> None:
    """Raises Unsound where a file is no FITS file, has an image alone, or its headers speak of more than it has."""
    with open(path, "rb") as file:
        if file.read(6) != b"SIMPLE":
            raise Unsound("is no FITS file")
    glance(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            with fits.open(path, memmap=True) as hdus:
                ends = [hdu.fileinfo()["datLoc"] + hdu.fileinfo()["datSpan"] for hdu in hdus]
    except (OSError, ValueError) as error:
        raise Unsound(NOT_WHOLE) from error
    if len(ends) < 2 or max(ends) > path.stat().st_size:
        raise Unsound(NOT_WHOLE)
