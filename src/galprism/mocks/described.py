"""What a simulated galaxy is made of, under the names that its truth and the models of a fit have."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from galprism.mocks.population import R_V
from galprism.params import compress_logssfr
from galprism.sps import Derived
from galprism.sps.ssp import Z_SUN

LOG_GYR = 9.0
"""log10 of the years in a Gyr."""
NO_RATE = -99.0
"""log sSFR of a galaxy that forms no stars."""


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
        log_ages = {name: np.log10(value) + LOG_GYR for name, value in (("mw", age_mw), ("lw", age_lw))}
    logmstar = logmformed + np.log10(mstar)
    return {
        "logmstar": logmstar,
        "logsfr": logmstar + compress_logssfr(logssfr),
        "logssfr": logssfr,
        "logmformed": np.broadcast_to(logmformed, mstar.shape).astype(float),
        "age_mw": age_mw,
        "age_lw": age_lw,
        "log_age_mw": log_ages["mw"],
        "log_age_lw": log_ages["lw"],
        "logzsol": np.where(np.asarray(stars.get("f_second", 0.0)) > 0, np.nan, np.log10(stars["z_met"] / Z_SUN)),
        "logzsol_mw": np.log10(derived.z_mw.double().numpy() / Z_SUN),
        "logzsol_lw": np.log10(derived.z_lw.double().numpy() / Z_SUN),
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
