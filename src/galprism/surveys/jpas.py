"""J-PAS: 56 narrow filters over 3,400 to 9,800 A, and i, in which its sources are detected.

Filters and depths (5 sigma in an aperture, AB): Benitez et al. (2014, arXiv:1403.5237), Table 4; the curves are
modelled (see galprism.passbands.jpas). Assumed: i to 23, zero points good to 4 %. Extinction at the filters' centres,
between the values of SDSS's and VISTA's bands: Schlafly & Finkbeiner (2011), Table 6, R_V = 3.1.

The archive's tables (https://archive.cefca.es) have vectors of a value for each filter: of 57 in J-PAS, taken to be the
56 in order of wavelength and then i; of 60 in mini-JPAS, taken to be the 56, then u, g, r and i (Bonoli et al. 2021,
A&A 653, A31). No table says that order itself: look at the colours once. The bluest filter as built, uJAVA there, is
wider than the uJPAS of the survey's first paper, which stands here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from galprism.passbands.jpas import FILTERS
from galprism.surveys.band import Band
from galprism.surveys.preset import Preset
from galprism.surveys.survey import Survey

_DEPTHS = """
    uJPAS 22.66, J0378 22.2, J0390 22.23, J0400 22.3, J0410 22.35, J0420 22.37, J0430 22.37,
    J0440 22.38, J0450 22.39, J0460 22.39, J0470 22.4, J0480 22.39, J0490 22.4, J0500 22.39,
    J0510 22.39, J0520 22.37, J0530 22.38, J0540 22.39, J0550 22.28, J0560 22.14, J0570 22.36,
    J0580 22.34, J0590 22.23, J0600 22.33, J0610 22.37, J0620 22.31, J0630 22.2, J0640 22.54,
    J0650 22.74, J0660 22.73, J0670 22.32, J0680 22.25, J0690 22.18, J0700 22.21, J0710 22.19,
    J0720 22.11, J0730 22.0, J0740 21.98, J0750 21.95, J0760 21.78, J0770 21.76, J0780 21.65,
    J0790 21.64, J0800 21.62, J0810 21.62, J0820 21.55, J0830 21.77, J0840 21.85, J0850 21.82,
    J0860 21.68, J0870 21.58, J0880 21.36, J0890 21.36, J0900 21.34, J0910 21.22, J1007 21.51
"""

DEPTH = {name: float(depth) for name, depth in (row.split() for row in _DEPTHS.strip().split(","))}
"""AB magnitude of a source at 5 sigma."""
ZEROPOINT_ERROR = 0.04

# A / E(B-V) of SDSS ugriz and VISTA Y by effective wavelength in Angstrom
_WAVE = (3594.9, 4640.4, 6122.3, 7439.5, 8897.1, 10_200.0)
_EXTINCTION = (4.239, 3.303, 2.285, 1.698, 1.263, 1.05)


def _extinction(wave: float) -> float:
    return round(float(np.exp(np.interp(np.log(wave), np.log(_WAVE), np.log(_EXTINCTION)))), 3)


def _band(name: str) -> Band:
    depth = DEPTH[name]
    return Band(name, f"jpas/{name}", depth, ZEROPOINT_ERROR, _extinction(FILTERS[name][0]), depth - 9.0, depth + 2.0)


_NARROW = [_band(name) for name in FILTERS]
_REDDER_THAN_I = [name for name, (centre, _) in FILTERS.items() if centre > 7480]
_I = Band("i", "SLOAN/SDSS.i", 23.0, ZEROPOINT_ERROR, 1.698, 13.5, 25.0)

SPOILT = ~0b11
"""Of SExtractor's flags all but neighbours (1) and blends (2): saturated, cut off, incomplete or failed."""
_KINDS = {"auto": "AUTO", "aper-cor-3": "APER_COR_3_0", "psfcor": "PSFCOR"}


def _presets(survey: str, length: int) -> list[Preset]:
    """Magnitudes, and fluxes with relative errors, of some kinds of photometry."""
    places = {name: str(k) for k, name in enumerate(FILTERS)} | {"i": str(length - 1)}
    shared: dict[str, Any] = {
        "columns": places,
        "length": length,
        "bad": {"FLAGS[{band}]": SPOILT, "MASK_FLAGS[{band}]": ~0},
        "corrected": False,
        "id": ("NUMBER",),
        "ra": ("ALPHA_J2000",),
        "dec": ("DELTA_J2000",),
    }
    made = []
    for name, column in _KINDS.items():
        what = f"vectors of {length} AB magnitudes {column}; 99 is not detected, -99 not observed"
        value, error = f"MAG_{column}[{{band}}]", f"MAG_ERR_{column}[{{band}}]"
        missing: dict[str, Any] = {"not_observed": (-99.0,), "not_detected": (99.0,)}
        made.append(Preset(f"{survey}-mag-{name}", value, error, "mag", what, **missing, **shared))
        what = f"vectors of {length} fluxes per frequency {column} with relative errors"
        value, error = f"FLUX_{column}[{{band}}]", f"FLUX_RELERR_{column}[{{band}}]"
        made.append(Preset(f"{survey}-flux-{name}", value, error, "flux", what, error_kind="relative", **shared))
    return made


SURVEY = Survey(
    "jpas",
    (*_NARROW[: -len(_REDDER_THAN_I)], _I, *_NARROW[-len(_REDDER_THAN_I) :]),
    (*_presets("jpas", 57), *_presets("minijpas", 60)),
    description="Javalambre Physics of the Accelerating Universe survey: 56 filters and i over 8,500 square degrees",
)
