"""Sources -> Features: what a network sees, by the same code in training and in inference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from galprism import config as configs
from galprism.data import Photometry, Sources
from galprism.errors import RequestError
from galprism.flags import Flag
from galprism.prep import colours, magnitudes
from galprism.prep.inputs import Inputs
from galprism.prep.scaling import Scaling
from galprism.prep.typical import Typical

STATISTICS_ROWS = 200_000
"""Ranges and spreads are taken from at most this many sources."""


@dataclass(frozen=True)
class PreparationConfig:
    """How photometry becomes the inputs of a network."""

    kind: Literal["colours", "magnitudes"] = "colours"
    standardise: bool = True
    softening: float = 1.0
    """Of colours: where they go over from logarithmic to linear in flux, in units of the flux's error: 1 for noisy
    data, a hundredth for fluxes that are exact though an error is stated."""
    reference: str = ""
    """Of colours: the band that they and the anchor refer to (where it is missing, and when this is empty: the
    inverse-variance mean of the bands that are there)."""

    def __post_init__(self) -> None:
        if not self.softening > 0:
            raise RequestError(f"prep.softening = {self.softening}; accepted: a positive number")


@dataclass(frozen=True, eq=False)
class Features:
    """What a network sees of N sources, and what is known of each before it does."""

    inputs: np.ndarray
    """(N, F), float32, finite everywhere; meaningless where `usable` is false."""
    anchor: np.ndarray
    """(N,), dex, see Targets; 0 where not usable."""
    flags: np.ndarray
    """(N,), uint32: those of the sources and what was noticed here."""
    n_bands: np.ndarray
    """(N,), int16, bands used."""

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def usable(self) -> np.ndarray:
        """(N,), bool: something can be inferred."""
        return (self.flags & np.uint32(Flag.NOT_INFERRED)) == 0


@dataclass(frozen=True, eq=False)
class Preparation:
    """A way to prepare photometry, with the statistics of the set that it was fitted to."""

    config: PreparationConfig
    bands: tuple[str, ...]
    assumed_err: np.ndarray
    """(B,), nJy, the training set's median errors: they stand in for errors that are not known."""
    scaling: Scaling
    redshift_range: tuple[float, float]
    typical: Typical | None = None
    """None where it was not fitted: then no source is called unlike the training set."""

    @classmethod
    def fit(cls, config: PreparationConfig, sources: Sources, *, typical: bool = True) -> Preparation:
        """The statistics of a training set as it comes, noise and missing bands included.

        Raises RequestError where the sources have no photometry or redshifts, or where nothing can be prepared.
        """
        photometry, redshift = _blocks(sources)
        if config.reference and config.reference not in photometry.bands:
            raise RequestError(f"prep.reference = {config.reference!r}; accepted: {', '.join(photometry.bands)}")
        step = -(-len(sources) // STATISTICS_ROWS) if len(sources) else 1
        photometry, redshift = photometry.take(slice(None, None, step)), redshift[::step]
        good = np.isfinite(redshift) & (redshift > 0)
        if not good.any():
            raise RequestError("no source of the training set has a positive redshift; nothing can be learnt from it")
        photometry, redshift = photometry.take(good), redshift[good]
        assumed_err = _median_err(photometry)
        inputs = _measure(config, photometry, redshift, assumed_err)
        if inputs.broken.all():
            raise RequestError(f"no source of the training set can be prepared as {config.kind}; are bands missing?")
        scaling = Scaling.fit(inputs)
        values = scaling.apply(inputs)[~inputs.broken, : inputs.values.shape[1]]
        return cls(
            config=config,
            bands=photometry.bands,
            assumed_err=assumed_err,
            scaling=scaling,
            redshift_range=(float(redshift.min()), float(redshift.max())),
            typical=Typical.fit(values) if typical else None,
        )

    @property
    def input_names(self) -> tuple[str, ...]:
        """The F inputs, in order."""
        values, indicators = (colours if self.config.kind == "colours" else magnitudes).names(self.bands)
        return values + indicators

    def features(self, sources: Sources, *, check: bool = True) -> Features:
        """What the network sees; every row is kept, and what cannot be inferred is flagged.

        check : compare with the training set (INPUT_OUT_OF_RANGE, UNLIKE_TRAINING); training itself need not.
        Raises RequestError where the sources have no photometry, no redshifts, or lack a band altogether.
        """
        photometry, redshift = _blocks(sources)
        if photometry.bands != self.bands:
            photometry = photometry.select(self.bands)
        flags = _flags(sources, photometry, redshift, self.redshift_range)
        usable = (flags & np.uint32(Flag.NOT_INFERRED)) == 0
        inputs = _measure(self.config, photometry, np.where(usable, redshift, 1.0), self.assumed_err)
        broken = usable & inputs.broken
        flags[broken] |= np.uint32(Flag.INPUT_OUT_OF_RANGE | Flag.NOT_INFERRED)
        n = inputs.values.shape[1]
        scaled = self.scaling.apply(inputs) if check or self.config.standardise else None
        if check:
            assert scaled is not None
            flags[usable & self.scaling.outside(inputs)] |= np.uint32(Flag.INPUT_OUT_OF_RANGE)
            if self.typical is not None:
                flags[usable & self.typical.unlike(scaled[:, :n])] |= np.uint32(Flag.UNLIKE_TRAINING)
        plain = scaled if self.config.standardise else np.concatenate([inputs.values, inputs.indicators], axis=1)
        assert plain is not None
        return Features(inputs=plain, anchor=inputs.anchor, flags=flags, n_bands=inputs.n_bands)

    def to_plain(self) -> dict[str, Any]:
        """Nested dicts and lists that JSON holds."""
        plain = {
            "config": configs.plain(self.config),
            "bands": list(self.bands),
            "inputs": list(self.input_names),
            "assumed_err": self.assumed_err.tolist(),
            "scaling": self.scaling.to_plain(),
            "redshift_range": list(self.redshift_range),
        }
        if self.typical is not None:
            plain["typical"] = self.typical.to_plain()
        return plain

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Preparation:
        """The inverse of `to_plain`. Raises KeyError, TypeError or ValueError where something is missing or odd."""
        typical = plain.get("typical")
        return cls(
            config=configs.fill(PreparationConfig, plain["config"], "prep"),
            bands=tuple(plain["bands"]),
            assumed_err=np.array(plain["assumed_err"], np.float64),
            scaling=Scaling.from_plain(plain["scaling"]),
            redshift_range=(float(plain["redshift_range"][0]), float(plain["redshift_range"][1])),
            typical=None if typical is None else Typical.from_plain(typical),
        )


def _blocks(sources: Sources) -> tuple[Photometry, np.ndarray]:
    if sources.photometry is None:
        raise RequestError("the sources have no photometry")
    if sources.redshift is None:
        raise RequestError("the sources have no redshifts; a column `redshift` is needed")
    return sources.photometry, sources.redshift


def _median_err(photometry: Photometry) -> np.ndarray:
    """(B,), nJy; 1 in a band whose errors are nowhere known."""
    err = np.asarray(photometry.flux_err, np.float64)
    err[:, np.isnan(err).all(axis=0)] = 1.0
    return np.nanmedian(err, axis=0)


def _measure(
    config: PreparationConfig, photometry: Photometry, redshift: np.ndarray, assumed_err: np.ndarray
) -> Inputs:
    if config.kind == "magnitudes":
        return magnitudes.measure(photometry, redshift)
    return colours.measure(photometry, redshift, config.softening, config.reference, assumed_err)


def _flags(
    sources: Sources, photometry: Photometry, redshift: np.ndarray, redshift_range: tuple[float, float]
) -> np.ndarray:
    """(N,), uint32: the sources' own flags and what their photometry and redshifts show."""
    assert sources.flags is not None
    flags = sources.flags.copy()
    observed = photometry.observed

    def mark(flag: Flag, where: np.ndarray) -> None:
        flags[where] |= np.uint32(flag)

    used = observed
    if photometry.limit is not None:
        used = observed & ~photometry.limit
        mark(Flag.UPPER_LIMIT, np.any(observed & photometry.limit, axis=1))
    if not used.all():
        mark(Flag.BAND_MISSING, np.any(~observed, axis=1))
        mark(Flag.NO_PHOTOMETRY | Flag.NOT_INFERRED, ~np.any(used, axis=1))
    if (unknown := np.isnan(photometry.ivar)).any():
        mark(Flag.ERROR_UNKNOWN, np.any(unknown, axis=1))
    mark(Flag.REDSHIFT_MISSING | Flag.NOT_INFERRED, ~np.isfinite(redshift))
    low, high = redshift_range
    mark(Flag.REDSHIFT_OUT_OF_RANGE | Flag.NOT_INFERRED, (redshift < low) | (redshift > high))
    return flags
