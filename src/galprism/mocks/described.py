"""What a simulated galaxy is made of, under the names that its truth and the models of a fit have."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from galprism.mocks.population import R_V
from galprism.params import compress_logssfr
from galprism.sps import Derived
from galprism.sps.spectra import LOG_GYR
from galprism.sps.ssp import Z_SUN

NO_RATE = -99.0
"""log sSFR of a galaxy that forms no stars."""


def weighted(derived: Derived) -> dict[str, np.ndarray]:
    """Logarithms of mean ages [yr] and metallicities [solar], by mass and by light, each (N,)."""
    found: dict[str, np.ndarray] = {}
    for name in ("mw", "lw"):
        age, z = (getattr(derived, f"{what}_{name}").double().numpy() for what in ("age", "z"))
        with np.errstate(divide="ignore"):
            found |= {f"log_age_{name}": np.log10(age) + LOG_GYR, f"logzsol_{name}": np.log10(z / Z_SUN)}
    return found


def described(
    derived: Derived, stars: Mapping[str, np.ndarray], logmformed: np.ndarray | float = 0.0
) -> dict[str, np.ndarray]:
    """Parameters of galprism.params by name, each (N,); masses and rates grow with the mass.

    stars : as galprism.mocks.draw_stars gives them; logmformed : log10 of the masses formed [Msun].
    """
    mstar, sfr, age_mw, age_lw = (
        getattr(derived, name).double().numpy() for name in ("mstar", "sfr", "age_mw", "age_lw")
    )
    age, ebv = np.asarray(stars["age"], float), np.asarray(stars["ebv"], float)
    with np.errstate(divide="ignore"):
        logssfr = np.maximum(np.log10(sfr / mstar), NO_RATE)
    logmstar = logmformed + np.log10(mstar)
    return {
        "logmstar": logmstar,
        "logsfr": logmstar + compress_logssfr(logssfr),
        "logssfr": logssfr,
        "logmformed": np.broadcast_to(logmformed, mstar.shape).astype(float),
        "age_mw": age_mw,
        "age_lw": age_lw,
        "logzsol": np.where(np.asarray(stars.get("f_second", 0.0)) > 0, np.nan, np.log10(stars["z_met"] / Z_SUN)),
        **weighted(derived),
        "av": ebv * R_V,
        "ebv": ebv,
        "tau": np.asarray(stars.get("tau", np.full(len(age), np.nan)), float),
        "age": age,
        "log_age": np.log10(age) + LOG_GYR,
    }


NAMES = (
    *("logmstar", "logsfr", "logssfr", "logmformed", "age_mw", "age_lw", "log_age_mw", "log_age_lw"),
    *("logzsol", "logzsol_mw", "logzsol_lw", "av", "ebv", "tau", "age", "log_age"),
)
"""What `described` gives."""
