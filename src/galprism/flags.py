"""One table of flags: bit, name, sentence. A flag explains a null or a doubt; it never drops a row."""

from __future__ import annotations

from enum import IntFlag

import numpy as np


class Flag(IntFlag):
    """Bits of the `flags` column (unsigned 32-bit)."""

    NO_PHOTOMETRY = 1 << 0
    BAND_MISSING = 1 << 1
    NONFINITE = 1 << 2
    NEGATIVE_ERROR = 1 << 3
    ZERO_ERROR = 1 << 4
    ERROR_UNKNOWN = 1 << 5
    UPPER_LIMIT = 1 << 6
    FLUX_IMPLAUSIBLE = 1 << 7
    REDSHIFT_MISSING = 1 << 8
    REDSHIFT_OUT_OF_RANGE = 1 << 9
    INPUT_OUT_OF_RANGE = 1 << 10
    UNLIKE_TRAINING = 1 << 11
    POOR_FIT = 1 << 12
    LOW_SAMPLE_SIZE = 1 << 13
    NOT_INFERRED = 1 << 14
    DUPLICATE_ID = 1 << 15
    REDSHIFT_INFERRED = 1 << 16
    OFF_IMAGE = 1 << 17
    MASKED = 1 << 18
    IMAGE_MISSING = 1 << 19
    EXTRAPOLATED = 1 << 20
    SPECTRUM_MISSING = 1 << 21
    POSITION_MISMATCH = 1 << 22
    NOT_A_GALAXY = 1 << 23
    LOOKS_LIKE_AIR = 1 << 24
    BLENDED = 1 << 25
    PIXELS_MISSING = 1 << 26
    REDSHIFT_WARNING = 1 << 27
    REDSHIFT_MISMATCH = 1 << 28
    REDSHIFT_UNSURE = 1 << 29
    CLASS_UNSURE = 1 << 30


SENTENCE = {
    Flag.NO_PHOTOMETRY: "no band was observed",
    Flag.BAND_MISSING: "at least one band was not observed, or is beyond the model at this redshift; it was left out",
    Flag.NONFINITE: "at least one flux or error was infinite; that band was left out",
    Flag.NEGATIVE_ERROR: "at least one error was negative and the format gives that no meaning; that band was left out",
    Flag.ZERO_ERROR: "at least one error was zero; that band was left out",
    Flag.ERROR_UNKNOWN: "at least one flux came without an error",
    Flag.UPPER_LIMIT: "at least one band was given as an upper limit",
    Flag.FLUX_IMPLAUSIBLE: "at least one flux is far outside the survey's range of magnitudes; check its unit",
    Flag.REDSHIFT_MISSING: "the redshift is missing or is a sentinel",
    Flag.REDSHIFT_OUT_OF_RANGE: "the redshift is outside the range that the model covers, so nothing was inferred",
    Flag.INPUT_OUT_OF_RANGE: "a flux, error, PSF or number of bands is outside its range in training or the models",
    Flag.UNLIKE_TRAINING: "the inputs taken together are unlike anything in training",
    Flag.POOR_FIT: "no model, or none like the answer, reproduces the data, or one band is far from the others",
    Flag.LOW_SAMPLE_SIZE: "too few prior draws resemble the source; its quantiles are coarse",
    Flag.NOT_INFERRED: "nothing could be inferred from this row; its values are null",
    Flag.DUPLICATE_ID: "the same id stands in an earlier row",
    Flag.REDSHIFT_INFERRED: "the redshift was inferred from the photometry, and the answers are averages over it",
    Flag.OFF_IMAGE: "the source lies off the images of at least one band, so that its cutout there is without data",
    Flag.MASKED: "at the source, pixels of at least one band are masked, saturated or without data",
    Flag.IMAGE_MISSING: "there is no image of the source, or most of its middle is without data; it was left out",
    Flag.EXTRAPOLATED: "the source is brighter or fainter than those that the model learned from",
    Flag.SPECTRUM_MISSING: "there is no spectrum to be used: none, or too few pixels with data where a model looks",
    Flag.POSITION_MISMATCH: "what was put to the source by its id lies elsewhere on the sky",
    Flag.NOT_A_GALAXY: "its file calls the source a star or a quasar, which models of galaxies are not for",
    Flag.LOOKS_LIKE_AIR: "lines of the spectrum stand where wavelengths in air have them, which were taken as vacuum",
    Flag.BLENDED: "its picture shows another galaxy that overlaps with it",
    Flag.PIXELS_MISSING: "more pixels of the spectrum are without data than the model has learned to do without",
    Flag.REDSHIFT_WARNING: "the file of the spectrum warns of its redshift",
    Flag.REDSHIFT_MISMATCH: "the redshift that was taken is not the one that the file of the spectrum has",
    Flag.REDSHIFT_UNSURE: "another redshift goes with the spectrum about as well, or none does, or it is at an end",
    Flag.CLASS_UNSURE: "another class goes with the spectrum about as well",
}


def names(value: int) -> tuple[str, ...]:
    """The names of the bits set in one flags value."""
    return tuple(flag.name or "" for flag in Flag if int(value) & flag)


def counts(flags: np.ndarray) -> dict[str, int]:
    """How many rows carry each flag, in bit order, flags that no row carries left out."""
    flags = np.asarray(flags)
    totals = {flag.name or "": int(np.count_nonzero(flags & np.uint32(flag))) for flag in Flag}
    return {name: n for name, n in totals.items() if n}
