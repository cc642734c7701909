"""Euclid, the Wide survey: VIS, and Y J H of NISP; Euclid Collaboration: Scaramella et al. (2022, A&A 662, A112).

Depths: 5-sigma for point sources, AB (their Sect. 2 and Table 1). Zero-point errors: assumed. Extinction: between the
values of other surveys' bands at the same wavelengths (Schlafly & Finkbeiner 2011, Table 6, R_V = 3.1). Its catalogues
give fluxes in microjansky; ground-based bands come with them and are a survey file of yours (docs/adding-a-survey.md).
"""

from galprism.surveys.band import Band
from galprism.surveys.preset import Preset
from galprism.surveys.survey import Survey

SURVEY = Survey(
    "euclid",
    (
        Band("VIS", "Euclid/VIS.vis", 26.2, 0.01, 1.767, 16.5, 28.2),
        Band("Y", "Euclid/NISP.Y", 24.3, 0.015, 0.967, 15.5, 27.0),
        Band("J", "Euclid/NISP.J", 24.5, 0.015, 0.614, 15.5, 27.0),
        Band("H", "Euclid/NISP.H", 24.4, 0.015, 0.403, 15.5, 27.0),
    ),
    (
        Preset(
            "euclid-mer",
            "flux_{band}_templfit",
            "fluxerr_{band}_templfit",
            "flux",
            "template-fit fluxes of the MER catalogue in microjansky, as observed",
            unit="uJy",
            columns={"VIS": "vis", "Y": "y", "J": "j", "H": "h"},
            corrected=False,
            id=("object_id",),
            ra=("right_ascension",),
            dec=("declination",),
        ),
    ),
    "Euclid Wide Survey: VIS and NISP's Y J H over 14,000 square degrees",
)
