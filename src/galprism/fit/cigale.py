"""CIGALE beside us: write what it reads, and read what it writes (Boquien et al. 2019; version 2022.1).

`write_cigale` makes a folder in which `pcigale run` fits the sources with the grid of Guo et al. (2024), Table 3;
`read_cigale` turns its `out/results.fits` into Predictions, so that both stand in one report.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from galprism.cosmology import luminosity_distance_mpc
from galprism.data import Predictions, Sources
from galprism.data.tables import match_ids, open_table, write_table
from galprism.errors import RequestError
from galprism.fit.models import EBV_FACTOR, GridConfig
from galprism.fit.rows import FluxError
from galprism.flags import Flag
from galprism.params import PARAMS, compress_logssfr
from galprism.surveys import Survey
from galprism.units import NJY_PER_UNIT

CATALOGUE, CONFIGURATION = "sources.fits", "pcigale.ini"
ALPHA = (1.0, 2.0, 3.0, 4.0)
"""Slopes of the dust emission of Dale et al. (2014) in the paper's grid."""
ALPHAS = " & ".join(f"{0.0625 * k:.4f}" for k in range(1, 65))
METALS = "0.0001 & 0.0004 & 0.004 & 0.008 & 0.02 & 0.05"

Entry = tuple[str, Any, str]
"""A key of pcigale.ini, its value, and how CIGALE checks it (a line of pcigale.ini.spec)."""


def cigale_filters(survey: Survey) -> dict[str, str]:
    """CIGALE's name of the filter of each band of a survey. Raises RequestError when the survey does not say."""
    for preset in survey.presets:
        if preset.name == "cigale":
            return {band: preset.column(preset.value, band) for band in survey.band_names}
    raise RequestError(
        f"{survey.name} has no preset named cigale, so CIGALE's names of its filters are not known; "
        "give `filters`, a mapping of band to CIGALE's filter"
    )


def write_cigale(
    folder: str | os.PathLike,
    sources: Sources,
    filters: Mapping[str, str],
    *,
    grid: GridConfig | None = None,
    alpha: Sequence[float] = ALPHA,
    model_error: float = 0.1,
    cores: int = 1,
    flux_err: FluxError | None = None,
) -> Path:
    """Make `folder` with `sources.fits`, `pcigale.ini` and `pcigale.ini.spec`; `pcigale run` in it does the rest.

    filters : CIGALE's filter of each band. Fluxes are written in mJy; NaN stands for a band that was not observed or
    whose error is not known (unless `flux_err` gives one), a negative error for an upper limit. Distances are
    given too, so that masses follow from our cosmology and not from CIGALE's.
    Sources without a redshift above zero or without any band are left out, since CIGALE would fit them with a wrong
    redshift or stop; `read_cigale` gives them back as nulls.
    Raises RequestError when a band has no filter, an id is repeated (CIGALE takes none twice), nothing is left to
    fit, or the folder cannot be made.
    """
    if sources.photometry is None:
        raise RequestError("the sources have no photometry; CIGALE needs fluxes")
    photometry = sources.photometry
    missing = [band for band in photometry.bands if band not in filters]
    if missing:
        raise RequestError(f"filters has no CIGALE filter for band {', '.join(missing)}; it has {', '.join(filters)}")
    unknown = np.isnan(photometry.ivar)
    ivar = np.where(unknown, 0.0, photometry.ivar)
    if flux_err is not None and unknown.any():
        ivar[unknown] = flux_err(np.asarray(photometry.flux, dtype=np.float64))[unknown] ** -2.0
    redshift = np.full(len(sources), np.nan) if sources.redshift is None else sources.redshift
    with np.errstate(invalid="ignore"):
        fitted = (redshift > 0) & (ivar > 0).any(axis=1)
    if not fitted.any():
        raise RequestError("no source has a redshift above zero and a band with an error; CIGALE has nothing to fit")
    ids, counts = np.unique(sources.id[fitted], return_counts=True)
    if counts.max() > 1:
        raise RequestError(
            f"id {str(ids[np.argmax(counts)])!r} stands in {counts.max()} rows; CIGALE takes each id once"
        )

    njy = NJY_PER_UNIT["mjy"]
    z = redshift[fitted]
    columns = {"id": sources.id[fitted], "redshift": z, "distance": luminosity_distance_mpc(z)}
    units = {"distance": "Mpc"}
    for b, band in enumerate(photometry.bands):
        seen = ivar[fitted, b] > 0
        error = np.full(seen.shape, np.nan)
        error[seen] = ivar[fitted, b][seen] ** -0.5 / njy
        if photometry.limit is not None:
            error = np.where(photometry.limit[fitted, b], -error, error)
        columns[filters[band]] = np.where(seen, photometry.flux[fitted, b] / njy, np.nan)
        columns[f"{filters[band]}_err"] = error
        units |= {filters[band]: "mJy", f"{filters[band]}_err": "mJy"}
    folder = Path(folder)
    names = [filters[band] for band in photometry.bands]
    entries = _entries(names, grid or GridConfig(), alpha, model_error, cores)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_table(folder / CATALOGUE, columns, units=units)
        (folder / CONFIGURATION).write_text(_ini(entries, 1), encoding="utf-8")
        (folder / f"{CONFIGURATION}.spec").write_text(_ini(entries, 2), encoding="utf-8")
    except OSError as error:
        raise RequestError(f"cannot write {folder}: {error.strerror}") from error
    return folder


def read_cigale(path: str | os.PathLike, sources: Sources, *, max_reduced_chi2: float = 10.0) -> Predictions:
    """CIGALE's `results.fits` as Predictions of the sources that were given to it, row by row, joined by id.

    The point estimates are the likelihood-weighted means of the logarithms where CIGALE was asked for them
    (`write_cigale` asks), else the logarithms of its linear means; the SFR is compressed as `logsfr` says. Sources
    that CIGALE did not fit are null and flagged. CIGALE's stellar mass is BC03's: living stars and remnants.
    Extra columns: `<parameter>_std`, `<parameter>_linear_mean`, `best_<parameter>`, `chi2`, `reduced_chi2`.
    Raises RequestError when the table lacks a column or gives an id of the sources twice.
    """
    with open_table(path) as table:
        batch = table.read()
    needed = ["id", *(f"bayes.{q}{e}" for q in ("stellar.m_star", "sfh.sfr") for e in ("", "_err"))]
    needed += ["best.chi_square", "best.reduced_chi_square", "best.stellar.m_star", "best.sfh.sfr"]
    missing = [name for name in needed if name not in batch]
    if missing:
        raise RequestError(f"{path} has no column {', '.join(missing)}; is it the results.fits of pcigale run?")
    match = match_ids(sources.id, batch["id"])
    if match.repeated.any():
        raise RequestError(f"{path} has id {str(sources.id[np.argmax(match.repeated)])!r} in more than one row")
    column = lambda name: np.where(match.found, batch[name][match.index].astype(np.float64), np.nan)  # noqa: E731

    with np.errstate(divide="ignore", invalid="ignore"):
        estimates = [_mean(column, batch, quantity) for quantity in ("stellar.m_star", "sfh.sfr")]
        linear, best = (
            np.stack([np.log10(column(f"{kind}.{q}")) for q in ("stellar.m_star", "sfh.sfr")], axis=1)
            for kind in ("bayes", "best")
        )
    mean, std = (np.stack(parts, axis=1) for parts in zip(*estimates, strict=True))
    point, best = _compressed(mean), _compressed(best)
    chi2, reduced = column("best.chi_square"), column("best.reduced_chi_square")
    failed = ~np.isfinite(point).all(axis=1)
    point[failed], std[failed], linear[failed], best[failed] = np.nan, np.nan, np.nan, np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        n_bands = np.where(failed | ~(reduced > 0), 0, np.rint(chi2 / reduced) + 1)
        flags = np.array(sources.flags, dtype=np.uint32)
        flags[failed] |= np.uint32(Flag.NOT_INFERRED)
        flags[reduced > max_reduced_chi2] |= np.uint32(Flag.POOR_FIT)
    names = ("logmstar", "logsfr")
    extra = {"chi2": chi2, "reduced_chi2": reduced}
    for j, name in enumerate(names):
        extra |= {f"{name}_std": std[:, j], f"best_{name}": best[:, j], f"{name}_linear_mean": linear[:, j]}
    return Predictions(
        id=sources.id,
        names=names,
        point=point,
        flags=flags,
        n_bands=n_bands.astype(np.int16),
        ra=sources.ra,
        dec=sources.dec,
        extra=extra,
        meta={
            "method": "cigale",
            "results": Path(path).name,
            "max_reduced_chi2": max_reduced_chi2,
            "definitions": {name: PARAMS[name].definition for name in names},
        },
    )


def _mean(column, batch: Mapping[str, np.ndarray], quantity: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of log10 of a quantity, each (N,)."""
    if f"bayes.{quantity}_log" in batch:
        return column(f"bayes.{quantity}_log"), column(f"bayes.{quantity}_log_err")
    mean = column(f"bayes.{quantity}")
    return np.log10(mean), column(f"bayes.{quantity}_err") / mean / np.log(10.0)


def _compressed(log_values: np.ndarray) -> np.ndarray:
    """(N, 2) log M* and log SFR, the second compressed at low sSFR."""
    logmstar, logsfr = log_values.T
    with np.errstate(invalid="ignore"):
        return np.stack([logmstar, logmstar + compress_logssfr(logsfr - logmstar)], axis=1)


def _entries(
    filters: Sequence[str], grid: GridConfig, alpha: Sequence[float], model_error: float, cores: int
) -> dict[tuple[str, ...], list[Entry]]:
    """The sections of pcigale.ini: (section, module) to entries."""
    myr = lambda gyr: [round(1000 * value) for value in gyr]  # noqa: E731
    modules = ["sfhdelayed", "bc03", "dustatt_modified_starburst", "dale2014", "redshifting"]
    bands = [name for band in filters for name in (band, f"{band}_err")]
    quantities = ["stellar.m_star", "stellar.m_star_log", "sfh.sfr", "sfh.sfr_log"]
    return {
        (): [
            ("data_file", CATALOGUE, "string()"),
            ("parameters_file", "", "string()"),
            ("sed_modules", modules, "cigale_string_list()"),
            ("analysis_method", "pdf_analysis", "string()"),
            ("cores", cores, "integer(min=1)"),
            ("bands", bands, "cigale_string_list()"),
            ("properties", "", "cigale_string_list()"),
            ("additionalerror", model_error, "float(min=0.0)"),
        ],
        ("sed_modules_params",): [],
        ("sed_modules_params", "sfhdelayed"): [
            ("tau_main", myr(grid.tau), "cigale_list()"),
            ("age_main", myr(grid.age), "cigale_list(dtype=int, minvalue=0.)"),
            ("tau_burst", 50.0, "cigale_list()"),
            ("age_burst", 100, "cigale_list(dtype=int, minvalue=1.)"),
            ("f_burst", 0.0, "cigale_list(minvalue=0., maxvalue=0.9999)"),
            ("sfr_A", 1.0, "cigale_list(minvalue=0.)"),
            ("normalise", True, "boolean()"),
        ],
        ("sed_modules_params", "bc03"): [
            ("imf", 1, "cigale_list(dtype=int, options=0. & 1.)"),
            ("metallicity", list(grid.z_met), f"cigale_list(options={METALS})"),
            ("separation_age", 10, "cigale_list(dtype=int, minvalue=0)"),
        ],
        ("sed_modules_params", "dustatt_modified_starburst"): [
            ("E_BV_lines", list(grid.ebv_lines), "cigale_list(minvalue=0.)"),
            ("E_BV_factor", EBV_FACTOR, "cigale_list(minvalue=0., maxvalue=1.)"),
            ("uv_bump_wavelength", 217.5, "cigale_list(minvalue=0.)"),
            ("uv_bump_width", 35.0, "cigale_list()"),
            ("uv_bump_amplitude", 0.0, "cigale_list(minvalue=0.)"),
            ("powerlaw_slope", 0.0, "cigale_list()"),
            ("Ext_law_emission_lines", 1, "cigale_list(dtype=int, options=1 & 2 & 3)"),
            ("Rv", 3.1, "cigale_list()"),
            ("filters", " & ".join(filters[:1]), "string()"),
        ],
        ("sed_modules_params", "dale2014"): [
            ("fracAGN", 0.0, "cigale_list(minvalue=0., maxvalue=1.)"),
            ("alpha", list(alpha), f"cigale_list(options={ALPHAS})"),
        ],
        ("sed_modules_params", "redshifting"): [("redshift", "", "cigale_list(minvalue=0.)")],
        ("analysis_params",): [
            ("variables", quantities, "cigale_string_list()"),
            ("bands", list(filters), "cigale_string_list()"),
            ("save_best_sed", False, "boolean()"),
            ("save_chi2", "none", "option('all', 'none', 'properties', 'fluxes')"),
            ("lim_flag", "full", "option('full', 'noscaling', 'none')"),
            ("mock_flag", False, "boolean()"),
            ("redshift_decimals", 2, "integer()"),
            ("blocks", 1, "integer(min=1)"),
        ],
    }


def _ini(entries: Mapping[tuple[str, ...], list[Entry]], which: int) -> str:
    """pcigale.ini (which = 1) or its .spec (which = 2)."""
    lines = []
    for section, content in entries.items():
        indent = "  " * len(section)
        if section:
            level = len(section)
            lines.append("  " * (level - 1) + "[" * level + section[-1] + "]" * level)
        for entry in content:
            value = entry[which]
            text = ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)
            lines.append(f"{indent}{entry[0]} = {text}".rstrip())
    return "\n".join(lines) + "\n"
