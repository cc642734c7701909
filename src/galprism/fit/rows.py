"""What both fits do to a catalogue before and after: which rows can be fitted and why not, and the output record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from galprism import __version__
from galprism.data import Predictions, Sources
from galprism.errors import RequestError
from galprism.fit.cache import ModelCache
from galprism.fit.likelihood import Weighted, weigh
from galprism.flags import Flag
from galprism.params import PARAMS

FluxError = Callable[[np.ndarray], np.ndarray]
"""The error in nJy (N, B) that a survey would give to fluxes (N, B), such as `Survey.flux_err`."""


@dataclass(frozen=True, eq=False)
class Rows:
    """The sources of a catalogue as a fit takes them."""

    sources: Sources
    bands: tuple[str, ...]
    photometry: Weighted
    redshift: np.ndarray
    """(N,)"""
    n_bands: np.ndarray
    """(N,), int16, bands that are used."""
    flags: np.ndarray
    """(N,), uint32."""
    usable: np.ndarray
    """(N,), bool."""

    def groups(self, step: float, low: float, high: float) -> Iterator[tuple[float, np.ndarray]]:
        """(redshift, rows) of usable rows whose redshift rounds to the same multiple of `step`."""
        rows = np.flatnonzero(self.usable)
        bins = np.rint(self.redshift[rows] / step).astype(np.int64)
        order = np.argsort(bins, kind="stable")
        edges = np.flatnonzero(np.diff(bins[order])) + 1
        for members in np.split(order, edges):
            if len(members):
                yield float(np.clip(bins[members[0]] * step, low, high)), rows[members]


def prepare(
    sources: Sources,
    cache: ModelCache,
    parameters: Sequence[str],
    *,
    flux_err: FluxError | None,
    model_error: np.ndarray | float,
) -> Rows:
    """Which rows can be fitted, and their photometry as the likelihood takes it.

    Bands of unknown error are given the error of `flux_err`, or left out when that is None. Raises RequestError when
    the catalogue has no photometry or a band that the cache has not, or the cache lacks a parameter.
    """
    missing = [name for name in parameters if name not in cache.values]
    if missing or not parameters:
        raise RequestError(
            f"parameters = {list(parameters)}: the model cache has {', '.join(sorted(cache.values))}; "
            f"not in it: {', '.join(missing) or 'none were asked for'}"
        )
    measured = measure(sources, cache.bands, flux_err=flux_err, model_error=model_error)
    n = len(sources)
    redshift = np.full(n, np.nan) if sources.redshift is None else np.asarray(sources.redshift)
    low, high = cache.redshift_range
    missing_z = ~np.isfinite(redshift)
    with np.errstate(invalid="ignore"):
        outside = ~missing_z & ((redshift < low) | (redshift > high))
    usable = ~missing_z & ~outside & (measured.n_bands > 0)
    flags = measured.flags.copy()
    for flag, where in (
        (Flag.REDSHIFT_MISSING, missing_z),
        (Flag.REDSHIFT_OUT_OF_RANGE, outside),
        (Flag.NOT_INFERRED, ~usable),
    ):
        flags[where] |= np.uint32(flag)
    return Rows(sources, measured.bands, measured.weighted, redshift, measured.n_bands, flags, usable)


@dataclass(frozen=True, eq=False)
class Measured:
    """The photometry of N sources as the likelihood takes it."""

    bands: tuple[str, ...]
    weighted: Weighted
    n_bands: np.ndarray
    """(N,), int16, bands that are used."""
    flags: np.ndarray
    """(N,), uint32, those of the sources and what was noticed of their bands."""


def measure(
    sources: Sources, known_bands: Sequence[str], *, flux_err: FluxError | None, model_error: np.ndarray | float
) -> Measured:
    """What is used of the photometry, whatever is known of redshifts; arguments as of `prepare`.

    known_bands : those that the models have. Raises RequestError when the catalogue has no photometry, or a band that
    the models have not.
    """
    if sources.photometry is None:
        raise RequestError("the sources have no photometry; a template fit needs fluxes")
    photometry = sources.photometry
    missing = [band for band in photometry.bands if band not in known_bands]
    if missing:
        raise RequestError(
            f"the models have no band {', '.join(missing)}; they have {', '.join(known_bands)}. "
            "Leave the band out, or make models that have it"
        )
    unknown = np.isnan(photometry.ivar)
    ivar = np.where(unknown, 0.0, photometry.ivar).astype(np.float64)
    if flux_err is not None and unknown.any():
        ivar[unknown] = flux_err(np.asarray(photometry.flux, dtype=np.float64))[unknown] ** -2.0
    seen = ivar > 0
    flags = np.array(sources.flags, dtype=np.uint32)
    for flag, where in (
        (Flag.ERROR_UNKNOWN, unknown.any(axis=1)),
        (Flag.NO_PHOTOMETRY, ~seen.any(axis=1)),
        (Flag.BAND_MISSING, ~seen.all(axis=1)),
    ):
        flags[where] |= np.uint32(flag)
    if photometry.limit is not None:
        flags[(photometry.limit & seen).any(axis=1)] |= np.uint32(Flag.UPPER_LIMIT)
    weighted = weigh(photometry.flux, ivar, photometry.limit, model_error)
    return Measured(photometry.bands, weighted, seen.sum(axis=1).astype(np.int16), flags)


class Estimates:
    """Arrays of what was estimated, filled row by row; NaN where nothing was."""

    def __init__(self, n: int, parameters: Sequence[str], levels: Sequence[float]):
        p = len(parameters)
        self.parameters, self.levels = tuple(parameters), tuple(levels)
        self.point, self.std, self.best = (np.full((n, p), np.nan) for _ in range(3))
        self.quantiles = np.full((n, p, len(self.levels)), np.nan)
        self.chi2 = np.full(n, np.nan)

    def predictions(
        self,
        rows: Rows,
        cache: ModelCache,
        extra: dict[str, np.ndarray],
        max_reduced_chi2: float,
        meta: dict[str, Any],
    ) -> Predictions:
        """The output record: rows without an estimate are null and flagged, rows fitted badly are flagged."""
        reduced = self.chi2 / np.where(rows.n_bands > 1, rows.n_bands - 1.0, np.nan)
        flags = rows.flags.copy()
        # A usable row without an estimate has no flux above zero in any model's sense: no mass can be given.
        flags[np.isnan(self.point[:, 0]) & rows.usable] |= np.uint32(Flag.INPUT_OUT_OF_RANGE)
        flags[np.isnan(self.point[:, 0])] |= np.uint32(Flag.NOT_INFERRED)
        with np.errstate(invalid="ignore"):
            flags[reduced > max_reduced_chi2] |= np.uint32(Flag.POOR_FIT)
        columns = {"chi2": self.chi2, "reduced_chi2": reduced}
        for j, name in enumerate(self.parameters):
            columns |= {f"{name}_std": self.std[:, j], f"best_{name}": self.best[:, j]}
        return Predictions(
            id=rows.sources.id,
            names=self.parameters,
            point=self.point,
            flags=flags,
            n_bands=np.where(rows.usable, rows.n_bands, 0).astype(np.int16),
            levels=self.levels,
            quantiles=self.quantiles,
            ra=rows.sources.ra,
            dec=rows.sources.dec,
            extra=columns | extra,
            meta={
                **meta,
                "max_reduced_chi2": max_reduced_chi2,
                "galprism": __version__,
                "bands": list(rows.bands),
                "cache": {"hash": cache.file_hash, **cache.meta},
                "definitions": {name: PARAMS[name].definition for name in self.parameters},
            },
        )
