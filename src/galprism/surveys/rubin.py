"""Rubin Observatory LSST: ugrizy; Ivezic et al. (2019, ApJ 873, 111).

Depths: 5-sigma for point sources, AB, after ten years (their Table 1, design). Extinction: Schlafly & Finkbeiner
(2011), Table 6, R_V = 3.1. Zero-point errors: the design's 10 mmag, twice that in u.
"""

from galprism.surveys.band import Band
from galprism.surveys.preset import Preset
from galprism.surveys.survey import Survey

SURVEY = Survey(
    "rubin",
    (
        Band("u", "LSST/LSST.u", 26.1, 0.02, 4.145, 18.0, 28.5),
        Band("g", "LSST/LSST.g", 27.4, 0.01, 3.237, 17.5, 29.0),
        Band("r", "LSST/LSST.r", 27.5, 0.01, 2.273, 17.0, 28.7),
        Band("i", "LSST/LSST.i", 26.8, 0.01, 1.684, 16.5, 28.3),
        Band("z", "LSST/LSST.z", 26.1, 0.01, 1.323, 16.0, 27.8),
        Band("y", "LSST/LSST.y", 24.9, 0.01, 1.088, 15.5, 27.0),
    ),
    (
        Preset(
            "rubin-cmodel",
            "{band}_cModelFlux",
            "{band}_cModelFluxErr",
            "flux",
            "composite-model fluxes of the Object table in nJy, as observed",
            unit="nJy",
            corrected=False,
            id=("objectId",),
            ra=("coord_ra",),
            dec=("coord_dec",),
        ),
    ),
    "Rubin Observatory Legacy Survey of Space and Time: ugrizy over 18,000 square degrees",
)
