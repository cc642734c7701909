"""One table of physical parameters: name, unit, range, transform, label, UCD and definition.

A labelled parameter is one row here. A computed one is that row and a function in `galprism.sps.derived`.
The definition travels with every number that galprism writes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

COSMOLOGY = "flat LCDM, H0 = 70 km/s/Mpc, Omega_m = 0.3"


@dataclass(frozen=True)
class Parameter:
    """A quantity that is inferred or recorded."""

    name: str
    unit: str
    """As astropy writes it; logarithms are dex(unit)."""
    low: float
    high: float
    """The range of values that mean something, not a training range (a bundle carries that)."""
    label: str
    """For figures, in matplotlib's mathtext."""
    ucd: str
    definition: str


def _table(*rows: Parameter) -> dict[str, Parameter]:
    return {row.name: row for row in rows}


OF_RATE = "the posterior of logsfr given the photometry and the redshift"
STATISTICS_OF_RATE = {
    "avg": (r"\langle\log\,{\rm SFR}\rangle", "stat.mean", f"mean of {OF_RATE}"),
    "entropy": (
        r"S(\log\,{\rm SFR})",
        "stat.value",
        f"- sum p ln p, in nats, of {OF_RATE} in bins of 0.05 dex",
    ),
    "median": (r"\log\,{\rm SFR}_{50}", "stat.median", f"median of {OF_RATE}"),
    "mode": (r"\log\,{\rm SFR}_{\rm mode}", "stat", f"where {OF_RATE} is highest, smoothed by 0.1 dex"),
    "p16": (r"\log\,{\rm SFR}_{16}", "stat.percentile", f"16 % of {OF_RATE} is below"),
    "p2p5": (r"\log\,{\rm SFR}_{2.5}", "stat.percentile", f"2.5 % of {OF_RATE} is below"),
    "p84": (r"\log\,{\rm SFR}_{84}", "stat.percentile", f"84 % of {OF_RATE} is below"),
    "p97p5": (r"\log\,{\rm SFR}_{97.5}", "stat.percentile", f"97.5 % of {OF_RATE} is below"),
}
"""Label, UCD and definition, by what SDSS's galSpecExtra has after `sfr_tot_`."""


def _statistic_of_rate(name: str, label: str, ucd: str, definition: str) -> Parameter:
    if name == "entropy":
        return Parameter("sfr_tot_entropy", "", 0.0, 6.0, f"${label}$", ucd, definition)
    unit = r"[M_\odot\,{\rm yr}^{-1}]"
    ucd = f"phys.SFR;{ucd}"
    return Parameter(f"sfr_tot_{name}", "dex(Msun / yr)", -12.0, 5.0, rf"${label}\ {unit}$", ucd, definition)


PARAMS = _table(
    Parameter("redshift", "", -0.01, 10.0, r"$z$", "src.redshift", "heliocentric redshift"),
    Parameter(
        "logmstar",
        "dex(Msun)",
        3.0,
        14.0,
        r"$\log\,M_\star\ [M_\odot]$",
        "phys.mass",
        f"log10 of the stellar mass that survives at the time of observation: living stars and remnants; {COSMOLOGY}",
    ),
    Parameter(
        "logmlive",
        "dex(Msun)",
        3.0,
        14.0,
        r"$\log\,M_{\rm live}\ [M_\odot]$",
        "phys.mass",
        f"log10 of the mass of living stars alone, remnants left out; {COSMOLOGY}",
    ),
    Parameter(
        "logmformed",
        "dex(Msun)",
        3.0,
        14.0,
        r"$\log\,M_{\rm formed}\ [M_\odot]$",
        "phys.mass",
        f"log10 of the mass of all stars ever formed: the integral of the SFR; {COSMOLOGY}",
    ),
    Parameter(
        "logsfr",
        "dex(Msun / yr)",
        -12.0,
        5.0,
        r"$\log\,{\rm SFR}\ [M_\odot\,{\rm yr}^{-1}]$",
        "phys.SFR",
        "log10 of the instantaneous star-formation rate; "
        "log sSFR = log SFR - log M* is compressed smoothly below -12, towards a floor at -13",
    ),
    Parameter(
        "logsfr_10myr",
        "dex(Msun / yr)",
        -12.0,
        5.0,
        r"$\log\,{\rm SFR}_{10}\ [M_\odot\,{\rm yr}^{-1}]$",
        "phys.SFR",
        "log10 of the star-formation rate averaged over the last 10 Myr",
    ),
    Parameter(
        "logsfr_100myr",
        "dex(Msun / yr)",
        -12.0,
        5.0,
        r"$\log\,{\rm SFR}_{100}\ [M_\odot\,{\rm yr}^{-1}]$",
        "phys.SFR",
        "log10 of the star-formation rate averaged over the last 100 Myr",
    ),
    *(_statistic_of_rate(name, *row) for name, row in STATISTICS_OF_RATE.items()),
    Parameter(
        "logssfr",
        "dex(1 / yr)",
        -20.0,
        -6.0,
        r"$\log\,{\rm sSFR}\ [{\rm yr}^{-1}]$",
        "phys.SFR",
        "log10 of the instantaneous star-formation rate over the surviving stellar mass, not compressed",
    ),
    Parameter(
        "age_mw",
        "Gyr",
        0.0,
        14.0,
        r"$\langle t\rangle_M\ [{\rm Gyr}]$",
        "time.age",
        "mean age of the stars weighted by the mass that they formed with",
    ),
    Parameter(
        "age_lw",
        "Gyr",
        0.0,
        14.0,
        r"$\langle t\rangle_L\ [{\rm Gyr}]$",
        "time.age",
        "mean age of the stars weighted by their light at 5500 A in the rest frame before dust",
    ),
    Parameter(
        "log_age",
        "dex(yr)",
        5.0,
        10.3,
        r"$\log\,t\ [{\rm yr}]$",
        "time.age",
        "log10 of the time since star formation began: of a simple population, all of whose stars formed then, its age",
    ),
    Parameter(
        "log_age_mw",
        "dex(yr)",
        5.0,
        10.3,
        r"$\log\,\langle t\rangle_M\ [{\rm yr}]$",
        "time.age",
        "log10 of the mean age of the stars weighted by the mass that they formed with",
    ),
    Parameter(
        "log_age_lw",
        "dex(yr)",
        5.0,
        10.3,
        r"$\log\,\langle t\rangle_L\ [{\rm yr}]$",
        "time.age",
        "log10 of the mean age of the stars weighted by their light at 5500 A in the rest frame before dust",
    ),
    Parameter(
        "mean_log_age_mw",
        "dex(yr)",
        5.0,
        10.3,
        r"$\langle\log\,t\rangle_M\ [{\rm yr}]$",
        "time.age",
        "mean of log10 of the stars' ages weighted by the mass that they formed with; pPXF has it so",
    ),
    Parameter(
        "mean_log_age_lw",
        "dex(yr)",
        5.0,
        10.3,
        r"$\langle\log\,t\rangle_L\ [{\rm yr}]$",
        "time.age",
        "mean of log10 of the stars' ages weighted by their light at 5500 A in the rest frame before dust; "
        "pPXF has it so",
    ),
    Parameter(
        "logzsol", "dex", -3.0, 1.0, r"$[M/H]$", "phys.abund.Z", "log10(Z / 0.02), one metallicity for all stars"
    ),
    Parameter(
        "logzsol_mw",
        "dex",
        -3.0,
        1.0,
        r"$\langle[M/H]\rangle_M$",
        "phys.abund.Z",
        "log10(Z / 0.02) of the mean Z weighted by the mass formed",
    ),
    Parameter(
        "logzsol_lw",
        "dex",
        -3.0,
        1.0,
        r"$\langle[M/H]\rangle_L$",
        "phys.abund.Z",
        "log10(Z / 0.02) of the mean Z weighted by the light at 5500 A in the rest frame before dust",
    ),
    Parameter(
        "mean_logzsol_mw",
        "dex",
        -3.0,
        1.0,
        r"$\langle\log\,Z/Z_\odot\rangle_M$",
        "phys.abund.Z",
        "mean of log10(Z / 0.02) of the stars weighted by the mass formed; pPXF has it so",
    ),
    Parameter(
        "mean_logzsol_lw",
        "dex",
        -3.0,
        1.0,
        r"$\langle\log\,Z/Z_\odot\rangle_L$",
        "phys.abund.Z",
        "mean of log10(Z / 0.02) of the stars weighted by the light at 5500 A in the rest frame before dust; "
        "pPXF has it so",
    ),
    Parameter(
        "av",
        "mag",
        0.0,
        10.0,
        r"$A_V$",
        "phys.absorption;em.opt.V",
        "A_V of the MLP-GaP paper's Table 1: 3.1 x the stellar E(B-V); with Calzetti's R_V = 4.05 "
        "the attenuation at V is 1.31 times this",
    ),
    Parameter("ebv", "mag", 0.0, 5.0, r"$E(B-V)$", "phys.absorption", "colour excess of the stars"),
    Parameter(
        "tau", "Gyr", 0.0, 100.0, r"$\tau\ [{\rm Gyr}]$", "time.scale", "e-folding time of SFR ~ t exp(-t / tau)"
    ),
    Parameter("age", "Gyr", 0.0, 14.0, r"$t_{\rm start}\ [{\rm Gyr}]$", "time.age", "time since star formation began"),
    Parameter("logu", "", -5.0, 0.0, r"$\log\,U$", "phys.ionizParam", "log10 of the ionisation parameter"),
)


def compress_logssfr(logssfr: np.ndarray) -> np.ndarray:
    """log sSFR with everything below -12 folded smoothly into (-13, -12): -13 + exp(x + 12).

    Value and slope are continuous at -12, and the order is kept. Below -12 no photometry tells one rate from
    another (Katsianis et al. 2021 take -12 as the limit of measurable activity), while an uncompressed tail to
    -infinity would dominate every mean.
    """
    logssfr = np.asarray(logssfr)
    return np.where(logssfr >= -12.0, logssfr, -13.0 + np.exp(np.minimum(logssfr, -12.0) + 12.0))
