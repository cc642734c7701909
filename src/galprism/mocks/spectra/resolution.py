"""What libraries of stellar populations resolve."""

from __future__ import annotations

import numpy as np

from galprism.data.apertures import FWHM_PER_SIGMA
from galprism.sps.ssp import SSPLibrary

MILES = 2.51
"""Angstrom, FWHM, of the stars of MILES (Falcon-Barroso et al. 2011, A&A 532, A95)."""
PIECES = {
    "bc03-miles": ((0.0, 1.0), (3541.0, MILES), (7409.0, 3.0)),
}
"""(from where in vacuum, FWHM), Angstrom: BC03-MILES has models of stars at 1 Angstrom in the ultraviolet, MILES, and
then STELIB (Le Borgne et al. 2003, A&A 402, 433) up to 8750 Angstrom; beyond it its pixels say what it resolves."""
WIDE, PIXELS = 2.0, 2.0
"""Where pixels are wider than this, in Angstrom, what is resolved is so many pixels wide, at least."""


def library_sigma(library: SSPLibrary, wave: np.ndarray) -> np.ndarray:
    """(W,), Angstrom: standard deviation of a library's line-spread function at rest wavelengths in vacuum (W,).

    What is known of it, and MILES's for libraries that are not known.
    """
    starts, widths = np.array(PIECES.get(library.name, ((0.0, MILES),))).T
    fwhm = widths[np.searchsorted(starts, wave, side="right") - 1]
    own = library.to_vacuum(library.wave)
    pixel = np.interp(wave, 0.5 * (own[1:] + own[:-1]), np.diff(own))
    # a pixel of 0.9 Angstrom is 2.5 times narrower than what MILES resolves, and so are those of all good libraries
    return np.maximum(fwhm, np.where(pixel > WIDE, PIXELS * pixel, 0.0)) / FWHM_PER_SIGMA
