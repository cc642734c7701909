"""Spectra of SDSS, BOSS and eBOSS on the archive server: the light files, spec-PLATE-MJD-FIBER.fits.

A light file has the coadded spectrum, what the pipeline found and the lines, and not the single exposures, which make
the others eight times as large: https://data.sdss.org/datamodel/files/SPECTRO_REDUX/RUN2D/spectra/lite/PLATE4/spec.html
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from galprism.archives.client import Client, Unavailable, Unsound
from galprism.archives.sdss_objects import Found
from galprism.archives.whole_fits import check_whole, glance
from galprism.data.pairs import FARTHEST, separation
from galprism.data.spectrum_files import read_sdss
from galprism.errors import RequestError

PATH = "dr17/sdss/spectro/redux/{run2d}/spectra/lite/{plate:04d}/{name}"


def spectrum_name(fiber: tuple[int, int, int]) -> str:
    """Of the file."""
    return "spec-{:04d}-{}-{:04d}.fits".format(*fiber)


def spectrum_path(run2d: str, fiber: tuple[int, int, int]) -> str:
    """Where it is on the archive server, from its base on."""
    return PATH.format(run2d=run2d, plate=fiber[0], name=spectrum_name(fiber))


class Spectra:
    """Fetches spectra into `folder`, each once."""

    def __init__(self, client: Client, sas: str, folder: Path) -> None:
        self.client, self.sas, self.folder = client, sas, folder
        self._why: dict[str, str] = {}

    def fetch(self, found: Found) -> str:
        """The spectrum of an object that has one; why it does not come, or nothing where it is there."""
        fiber = found.fiber
        assert fiber
        if found.id not in self._why:
            try:
                self.client.download(
                    f"{self.sas}/{spectrum_path(found.run2d, fiber)}",
                    self.folder / spectrum_name(fiber),
                    lambda path: check_spectrum(path, fiber, found.ra, found.dec),
                    glance,
                )
                self._why[found.id] = ""
            except Unavailable as error:
                self._why[found.id] = str(error)
        return self._why[found.id]


def check_spectrum(path: Path, fiber: tuple[int, int, int], ra: float, dec: float) -> None:
    """Raises Unsound where a file is not the whole spectrum of that fibre, or lies elsewhere on the sky."""
    check_whole(path)
    try:
        found = read_sdss(path)
    except (RequestError, OSError) as error:
        raise Unsound(f"is no spectrum of SDSS: {str(error).removeprefix(f'{path}: ')}") from error
    expected = "{:04d}-{}-{:04d}".format(*fiber)
    if found.id != expected:
        raise Unsound(f"is the spectrum {found.id}, not {expected}")
    apart = separation(*(np.array([value]) for value in (ra, dec, found.ra, found.dec)))[0]
    if apart > FARTHEST:
        raise Unsound(f"is of a fibre {apart:.1f} arcsec from where the catalogue has it")
