"""KiDS: ugri of OmegaCAM on the VST, with ZYJHKs of VIKING; Kuijken et al. 2019 (DR4), Wright et al. 2024 (DR5).

Depths: mean 5-sigma limits in 2" apertures, AB; ugri from the abstract of Kuijken et al. (2019, A&A 625, A2), ZYJHKs
from Edge et al. (2013, Msngr 154, 32). Extinction: Schlafly & Finkbeiner (2011), Table 6, R_V = 3.1, with SDSS ugriz,
LSST y and UKIRT JHK in place of u g r i Z, Y and J H Ks, as the KiDS pipeline takes them. Zero-point errors are rounded
from the scatter between tiles.
"""

from galprism.surveys.band import Band
from galprism.surveys.preset import Preset, cigale
from galprism.surveys.survey import Survey

_REDSHIFT = ("redshift", "z_spec", "Z_SPEC", "specz", "Z_B")
_GAAP = "GAaP magnitudes, corrected for Galactic extinction by the survey; 99 is not detected, -99 not observed"


def _gaap(release: str, i_band: str) -> Preset:
    return Preset(
        f"kids-{release}",
        "MAG_GAAP_{band}",
        "MAGERR_GAAP_{band}",
        "mag",
        _GAAP,
        columns={"i": i_band},
        not_observed=(-99.0,),
        not_detected=(99.0,),
        corrected=True,
        id=("ID", "SeqNr"),
        redshift=_REDSHIFT,
    )


SURVEY = Survey(
    "kids",
    (
        Band("u", "Paranal/OmegaCAM.u_SDSS", 24.23, 0.04, 4.239, 17.0, 26.5),
        Band("g", "Paranal/OmegaCAM.g_SDSS", 25.12, 0.02, 3.303, 16.0, 26.7),
        Band("r", "Paranal/OmegaCAM.r_SDSS", 25.02, 0.02, 2.285, 15.2, 26.5),
        Band("i", "Paranal/OmegaCAM.i_SDSS", 23.68, 0.02, 1.698, 14.9, 25.5),
        Band("Z", "Paranal/VISTA.Z", 23.1, 0.02, 1.263, 14.7, 25.0),
        Band("Y", "Paranal/VISTA.Y", 22.3, 0.02, 1.088, 14.6, 24.5),
        Band("J", "Paranal/VISTA.J", 22.1, 0.02, 0.709, 14.5, 24.3),
        Band("H", "Paranal/VISTA.H", 21.5, 0.02, 0.449, 14.2, 24.0),
        Band("Ks", "Paranal/VISTA.Ks", 21.2, 0.02, 0.302, 14.2, 23.8),
    ),
    (
        _gaap("dr4", "i"),
        # DR5 has two passes in i; the first is the one that DR4 calls i.
        _gaap("dr5", "i1"),
        cigale(
            {
                "u": "sdss.up",
                "g": "sdss.gp",
                "r": "sdss.rp",
                "i": "sdss.ip",
                **{band: f"vista.vircam.{band}" for band in ("Z", "Y", "J", "H", "Ks")},
            }
        ),
    ),
    "Kilo-Degree Survey with VIKING: ugri and ZYJHKs over 1350 square degrees",
)
