"""Spectra in: SDSS and BOSS, DESI, plain tables and the objects of specutils, to Sources with a block of spectra."""

from galprism.data.spectrum_files.desi import is_desi, read_desi
from galprism.data.spectrum_files.joining import with_redshifts, with_spectra
from galprism.data.spectrum_files.many import ReadSpectra, gathered, read_spectra, read_spectrum_file
from galprism.data.spectrum_files.objects import from_specutils
from galprism.data.spectrum_files.sdss import is_sdss, read_sdss
from galprism.data.spectrum_files.spectrum import Spectrum
from galprism.data.spectrum_files.table import read_spectrum_table

__all__ = [
    "ReadSpectra",
    "Spectrum",
    "from_specutils",
    "gathered",
    "is_desi",
    "is_sdss",
    "read_desi",
    "read_sdss",
    "read_spectra",
    "read_spectrum_file",
    "read_spectrum_table",
    "with_redshifts",
    "with_spectra",
]
