"""What full-spectrum fits give back: predictions, and models and weights for figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from galprism import __version__
from galprism.data import Predictions, Sources, Spectra
from galprism.data.tables.columns import ColumnInfo
from galprism.fit.spectrum_config import FullSpectrumConfig
from galprism.fit.spectrum_means import MEAN_LOGS, NAMES, shares
from galprism.fit.spectrum_templates import SpectrumTemplates
from galprism.flags import Flag
from galprism.flags import names as flag_names
from galprism.params import PARAMS

SAID = {
    "mean_log_age_lw": ("mean log age", "dex(yr)", 2),
    "mean_logzsol_lw": ("mean [M/H]", "dex", 2),
    "velocity": ("velocity", "km/s", 0),
    "dispersion": ("dispersion", "km/s", 0),
    "reduced_chi2": ("χ²/dof", "", 2),
}
"""Label, unit and decimals of what a figure says of a fit."""
EXTRA = {
    "velocity": ("km / s", "beyond the redshift, c times ln wavelength", "phys.veloc"),
    "dispersion": ("km / s", "standard deviation of the stars' velocities", "phys.veloc.dispersion"),
    **{name: (PARAMS[name].unit, PARAMS[name].definition, PARAMS[name].ucd) for name in MEAN_LOGS},
    "ebv": (PARAMS["ebv"].unit, "E(B-V) of the Calzetti et al. (2000) curve", PARAMS["ebv"].ucd),
    "reduced_chi2": ("", "chi2 over the degrees of freedom", "stat.fit.chi2;arith.ratio"),
    "n_pixels": ("", "pixels that were fitted", "meta.number"),
    "lsf_short": ("", "part of the pixels where the library's resolution is the coarser one", "stat.fit.goodness"),
    "lsf_known": ("", "1 where the line-spread function of the spectrum is known", "meta.code"),
}
"""Unit, description and UCD of further columns."""


def extra_columns() -> dict[str, ColumnInfo]:
    """How a table describes the columns of EXTRA and their errors."""
    infos = {}
    for name, (unit, description, ucd) in EXTRA.items():
        infos[name] = ColumnInfo(name, unit or None, description=description, ucd=ucd)
        error = f"{name}_std"
        infos[error] = ColumnInfo(error, unit or None, description=f"error of {name}", ucd=f"stat.error;{ucd}")
    return infos


@dataclass(frozen=True, eq=False)
class FullSpectrumFits:
    """Fits of N spectra in L pixels by templates of M metallicities and T ages."""

    predictions: Predictions
    spectra: Spectra
    """As they were fitted: the sources' own, or resampled to pixels even in ln wavelength."""
    model: np.ndarray
    """(N, L), float32, in the unit of the spectra; NaN outside of what was fitted."""
    used: np.ndarray
    """(N, L), bool: the pixel was fitted, and not masked or clipped."""
    light: np.ndarray
    """(N, M, T), shares of the light at 5500 A at rest, of sum 1; NaN where nothing was inferred."""
    mass: np.ndarray
    """(N, M, T), shares of the mass formed."""

    @property
    def wave(self) -> np.ndarray:
        """(L,), Angstrom, observed."""
        return self.spectra.wave

    def said(self, i: int) -> tuple[str, ...]:
        """What was found of row i, a line each, for a figure."""
        lines = []
        for name, (label, unit, digits) in SAID.items():
            value, error = self.predictions.extra[name][i], self.predictions.extra.get(f"{name}_std")
            spread = "" if error is None else f" ± {error[i]:.{digits}f}"
            lines.append(f"{label} = {value:.{digits}f}{spread} {unit}".rstrip())
        return (*lines, *flag_names(self.predictions.flags[i]))


@dataclass(eq=False)
class Row:
    """What was found of one source, with no weights where nothing was."""

    flag: Flag | None = None
    values: dict[str, float] = field(default_factory=dict)
    draws: dict[str, np.ndarray] = field(default_factory=dict)
    weights: np.ndarray | None = None
    part: slice = field(default_factory=lambda: slice(0, 0))
    model: np.ndarray | None = None
    used: np.ndarray | None = None


def gathered(
    sources: Sources,
    spectra: Spectra,
    templates: SpectrumTemplates,
    config: FullSpectrumConfig,
    rows: Sequence[Row],
    levels: tuple[float, ...],
    seconds: float,
) -> FullSpectrumFits:
    """The output record of rows fitted on `spectra`: those without an answer are null and flagged."""
    n, grid = len(rows), templates.light.shape
    drawn = ("velocity", "dispersion", *MEAN_LOGS, *(("ebv",) if config.reddening else ()))
    whole = ("chi2", "reduced_chi2", "n_pixels", "lsf_short", "lsf_known")
    extra = {name: np.array([row.values.get(name, np.nan) for row in rows]) for name in (*drawn, *whole)}
    levels = levels if config.n_realisations else ()
    quantiles = np.full((n, len(NAMES), len(levels)), np.nan)
    for name in (*NAMES, *drawn) if config.n_realisations else ():
        extra[f"{name}_std"] = np.array([_error(row, name, config) for row in rows])
    model, used = np.full(spectra.flux.shape, np.nan, np.float32), np.zeros(spectra.flux.shape, bool)
    light, mass = np.full((2, n, *grid), np.nan)
    flags = np.array(sources.flags, np.uint32)
    for i, row in enumerate(rows):
        if row.weights is None:
            flags[i] |= np.uint32((row.flag or 0) | Flag.NOT_INFERRED)
            continue
        model[i, row.part], used[i, row.part] = row.model, row.used
        light[i], mass[i] = shares(templates, row.weights)
        if row.draws:
            quantiles[i] = [_quantiles(row, name, config, levels) for name in NAMES]
        if row.values["reduced_chi2"] > config.max_reduced_chi2:
            flags[i] |= np.uint32(Flag.POOR_FIT)
    predictions = Predictions(
        id=sources.id,
        names=NAMES,
        point=np.array([[row.values.get(name, np.nan) for name in NAMES] for row in rows]).reshape(n, len(NAMES)),
        flags=flags,
        n_bands=np.zeros(n, np.int16),
        levels=levels,
        quantiles=quantiles if levels else None,
        ra=sources.ra,
        dec=sources.dec,
        extra=extra,
        meta={
            "method": "full spectrum",
            "templates": templates.name,
            "ages": templates.age.tolist(),
            "logzsol": templates.logzsol.tolist(),
            **{name: getattr(config, name) for name in config.__dataclass_fields__ if name != "clip"},
            "clip": config.clip if np.isfinite(config.clip) else None,
            "seconds": round(seconds, 3),
            "galprism": __version__,
            "definitions": {name: PARAMS[name].definition for name in NAMES},
        },
    )
    return FullSpectrumFits(predictions, spectra, model, used, light, mass)


def _quantiles(row: Row, name: str, config: FullSpectrumConfig, levels: tuple[float, ...]) -> np.ndarray:
    """Of the realisations of a spectrum; of those of a model, of the fit and their errors taken to either side of it: a
    fit that came out too high has them to its low side, where the truth is."""
    draws = row.draws[name]
    if config.realisations_of == "model":
        off = draws - row.values[name]
        draws = row.values[name] + np.concatenate([off, -off])
    return np.nanquantile(draws, levels)


def _error(row: Row, name: str, config: FullSpectrumConfig) -> float:
    """Root mean square over the realisations of their distance from what they were made of, or from their mean."""
    if not row.draws:
        return np.nan
    about = row.values[name] if config.realisations_of == "model" else np.nanmean(row.draws[name])
    return float(np.sqrt(np.nanmean((row.draws[name] - about) ** 2)))
