"""SDSS: ugriz of the 2.5 m telescope's imager; York et al. 2000, Fukugita et al. 1996, Doi et al. 2010.

Depths: median 5-sigma limits for point sources, AB (SDSS DR12 and later, "Scope"); the 95 % completeness limits of DR7
(22.0 22.2 22.2 21.3 20.5) are for detection and lie 0.15 to 0.9 mag above them. Model magnitudes of galaxies are
noisier than point sources of the same brightness. Zero-point errors: Padmanabhan et al. (2008). Extinction:
Schlafly & Finkbeiner (2011), Table 6, R_V = 3.1. Softening of asinh magnitudes: Lupton, Gunn & Szalay (1999), with the
survey's b. SDSS's u and z are 0.04 and 0.02 mag off AB (DR7's estimate); galprism takes them as AB.
"""

from galprism.surveys.band import Band
from galprism.surveys.preset import Preset, cigale
from galprism.surveys.survey import Survey

_ID = ("objID", "objid", "OBJID", "specObjID")
_MISSING = (-9999.0,)

SURVEY = Survey(
    "sdss",
    (
        Band("u", "SLOAN/SDSS.u", 22.15, 0.02, 4.239, 15.3, 24.6),
        Band("g", "SLOAN/SDSS.g", 23.13, 0.01, 3.303, 14.0, 24.6),
        Band("r", "SLOAN/SDSS.r", 22.70, 0.01, 2.285, 13.3, 24.2),
        Band("i", "SLOAN/SDSS.i", 22.20, 0.01, 1.698, 13.0, 23.7),
        Band("z", "SLOAN/SDSS.z", 20.71, 0.01, 1.263, 12.8, 22.5),
    ),
    (
        Preset(
            "sdss-modelmag",
            "modelMag_{band}",
            "modelMagErr_{band}",
            "mag",
            "asinh model magnitudes as observed; -9999 is missing",
            not_observed=_MISSING,
            corrected=False,
            extinction="extinction_{band}",
            softening={"u": 1.4e-10, "g": 0.9e-10, "r": 1.2e-10, "i": 1.8e-10, "z": 7.4e-10},
            id=_ID,
        ),
        Preset(
            "sdss-modelflux",
            "modelFlux_{band}",
            "modelFluxIvar_{band}",
            "flux",
            "model fluxes in nanomaggies with inverse variances, as observed",
            unit="nanomaggy",
            error_kind="ivar",
            not_observed=_MISSING,
            corrected=False,
            extinction="extinction_{band}",
            id=_ID,
        ),
        Preset(
            "sdss-vector",
            "MODELFLUX[{band}]",
            "MODELFLUX_IVAR[{band}]",
            "flux",
            "vectors of five fluxes in nanomaggies with inverse variances, as observed",
            unit="nanomaggy",
            error_kind="ivar",
            columns={"u": "0", "g": "1", "r": "2", "i": "3", "z": "4"},
            not_observed=_MISSING,
            corrected=False,
            extinction="EXTINCTION[{band}]",
            id=("OBJID", "NSAID"),
            redshift=("Z", "ZDIST"),
        ),
        cigale({"u": "sdss.up", "g": "sdss.gp", "r": "sdss.rp", "i": "sdss.ip", "z": "sdss.zp"}),
    ),
    "Sloan Digital Sky Survey imaging: ugriz over 14,555 square degrees",
)
