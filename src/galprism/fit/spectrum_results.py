"""What full-spectrum fits give back: predictions, and models and weights for figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from galprism import __version__
from galprism.data import Predictions, Sources, Spectra
from galprism.fit.spectrum_config import FullSpectrumConfig
from galprism.fit.spectrum_means import MEAN_LOGS, NAMES, shares
from galprism.fit.spectrum_templates import SpectrumTemplates
from galprism.flags import Flag
from galprism.params import PARAMS


@dataclass(frozen=True, eq=False)
class FullSpectrumFits:
    """Fits of N spectra in L pixels by templates of M metallicities and T ages."""

    predictions: Predictions
    wave: np.ndarray
    """(L,), Angstrom, observed: the spectra's own, or those that they were resampled to."""
    model: np.ndarray
    """(N, L), float32, in the unit of the spectra; NaN outside of what was fitted."""
    used: np.ndarray
    """(N, L), bool: the pixel was fitted, and not masked or clipped."""
    light: np.ndarray
    """(N, M, T), shares of the light at 5500 A at rest, of sum 1; NaN where nothing was inferred."""
    mass: np.ndarray
    """(N, M, T), shares of the mass formed."""


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
        extra[f"{name}_std"] = np.array([np.nanstd(row.draws[name]) if row.draws else np.nan for row in rows])
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
            quantiles[i] = [np.nanquantile(row.draws[name], levels) for name in NAMES]
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
    return FullSpectrumFits(predictions, spectra.wave, model, used, light, mass)
