"""HSC-SSP, the Wide layer: grizy of Hyper Suprime-Cam on Subaru; Aihara et al. (2022, PASJ 74, 247).

Depths: 5-sigma for point sources, AB, of the third data release (their Table 1). Passbands with the r2 and i2 filters
that replaced the first ones in 2016. Extinction: the coefficients a_<band> of the survey's own tables. Zero-point
errors: rounded from the scatter between patches.
"""

from galprism.surveys.band import Band
from galprism.surveys.preset import Preset
from galprism.surveys.survey import Survey

SURVEY = Survey(
    "hsc",
    (
        Band("g", "Subaru/HSC.g", 26.5, 0.015, 3.240, 17.0, 28.5),
        Band("r", "Subaru/HSC.r2", 26.5, 0.015, 2.276, 16.5, 28.2),
        Band("i", "Subaru/HSC.i2", 26.2, 0.015, 1.633, 16.2, 28.0),
        Band("z", "Subaru/HSC.z", 25.2, 0.015, 1.263, 15.8, 27.3),
        Band("y", "Subaru/HSC.y", 24.4, 0.015, 1.075, 15.5, 27.0),
    ),
    (
        Preset(
            "hsc-cmodel",
            "{band}_cmodel_flux",
            "{band}_cmodel_fluxerr",
            "flux",
            "composite-model fluxes of the forced tables in nJy, as observed",
            unit="nJy",
            corrected=False,
            extinction="a_{band}",
        ),
        Preset(
            "hsc-cmodel-mag",
            "{band}_cmodel_mag",
            "{band}_cmodel_magerr",
            "mag",
            "composite-model magnitudes of the forced tables, as observed",
            corrected=False,
            extinction="a_{band}",
        ),
    ),
    "Hyper Suprime-Cam Subaru Strategic Program, Wide: grizy over 1,200 square degrees",
)
