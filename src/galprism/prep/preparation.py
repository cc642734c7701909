"""Sources -> Features: what a network sees, by the same code in training and in inference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from galprism import config as configs
from galprism.data import Photometry, Sources
from galprism.errors import RequestError
from galprism.flags import Flag
from galprism.passbands import Passband
from galprism.prep import colours, magnitudes, medians, spectra
from galprism.prep.basis import BandTable, Basis
from galprism.prep.inputs import Inputs
from galprism.prep.scaling import Scaling
from galprism.prep.typical import Typical

FIXED: dict[str, Any] = {"colours": colours, "magnitudes": magnitudes, "medians": medians}
"""Kinds of preparation of a fixed set of bands."""
STATISTICS_ROWS = 200_000
"""Ranges and spreads are taken from at most this many sources."""
SUSPECT = 0.02
"""The share of the training set whose bands go together so badly that it is itself called a poor fit."""
ERR_MARGIN = 1.5
"""An error may be this much beyond any of the training set."""


@dataclass(frozen=True)
class PreparationConfig:
    """How photometry becomes the inputs of a network."""

    kind: Literal["colours", "magnitudes", "medians", "coefficients", "spectra"] = "colours"
    """Of a fixed set of bands, or (`spectra`) of any bands. `coefficients` and `spectra` are by what the bands say of a
    basis of spectra; the others by the fluxes themselves."""
    basis_size: int = 20
    """Of coefficients and spectra: how many there are beside the scale."""
    model_error: float = 0.007
    """Of coefficients and spectra: relative, of every flux, what the basis leaves out."""
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
        if not 1 <= self.basis_size <= 64:
            raise RequestError(f"prep.basis_size = {self.basis_size}; accepted: 1 to 64")
        if not 0 < self.model_error < 1:
            raise RequestError(f"prep.model_error = {self.model_error}; accepted: a share of the flux, above 0")

    @property
    def by_basis(self) -> bool:
        """It takes a basis of spectra."""
        return self.kind in ("coefficients", "spectra")


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
    trust: dict[str, np.ndarray] = field(default_factory=dict)
    """By name, each (N,), float32: how well a source is described, larger is worse; NaN where not usable."""
    ln_evidence: np.ndarray | None = None
    """(N,), nat, of spectra: how probable the fluxes are at this redshift, up to a constant a source."""

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def usable(self) -> np.ndarray:
        """(N,), bool: something can be inferred."""
        return (self.flags & np.uint32(Flag.NOT_INFERRED)) == 0


_NO_SCALING = Scaling(*(np.zeros(0),) * 4)


@dataclass(frozen=True, eq=False)
class Preparation:
    """A way to prepare photometry, with the statistics of the set that it was fitted to."""

    config: PreparationConfig
    bands: tuple[str, ...]
    """Empty for a preparation of any bands that is not bound to some yet."""
    assumed_err: np.ndarray
    """(B,), nJy, the training set's median errors: they stand in for errors that are not known."""
    scaling: Scaling
    redshift_range: tuple[float, float]
    min_bands: int
    """The fewest bands of any source of the training set."""
    err_range: np.ndarray
    """(B, 2), nJy, the least and the largest error of each band that is as in training; empty for any bands."""
    typical: Typical | None = None
    """None where it was not fitted: then no source is called unlike the training set."""
    basis: Basis | None = None
    """Of coefficients and spectra; so are the next three."""
    table: BandTable | None = None
    """What the bands see of the basis."""
    calibration: dict[str, float] = field(default_factory=dict)
    """By band: errors of the zero points that the stated errors leave out, relative; 0 where not here."""
    limits: dict[str, float] = field(default_factory=dict)
    """By the names of `Features.trust`: what all of the training set but SUSPECT are below."""

    blocks = ("photometry",)

    @classmethod
    def fit(
        cls,
        config: PreparationConfig,
        sources: Sources | Sequence[Sources],
        *,
        typical: bool = True,
        basis: Basis | None = None,
        table: BandTable | None = None,
    ) -> Preparation:
        """The statistics of a training set as it comes, noise and missing bands included.

        basis, table : of the kinds that are by spectra; "spectra" takes several sets of sources, each with bands of its
        own.
        Raises RequestError where the sources have no photometry or redshifts, or where nothing can be prepared.
        """
        parts = [sources] if isinstance(sources, Sources) else list(sources)
        if config.by_basis != (basis is not None and table is not None):
            raise RequestError(
                f"prep.kind = {config.kind!r}: a basis and its table are for 'coefficients' and 'spectra', which need "
                "them"
            )
        bands = () if config.kind == "spectra" else _blocks(parts[0])[0].bands
        if config.reference and config.reference not in bands:
            raise RequestError(f"prep.reference = {config.reference!r}; accepted: {', '.join(bands) or 'none'}")
        n = sum(len(part) for part in parts)
        step = -(-n // STATISTICS_ROWS) if n else 1
        none = np.zeros((0, 2))
        started = cls(config, bands, np.ones(len(bands)), _NO_SCALING, (0.0, 0.0), 1, none, None, basis, table)
        measured, redshifts = [], []
        for part in parts:
            photometry, redshift = _blocks(part)
            photometry, redshift = photometry.take(slice(None, None, step)), redshift[::step]
            good = np.isfinite(redshift) & (redshift > 0)
            photometry, redshift = photometry.take(good), redshift[good]
            if bands and len(redshift):
                started = replace(started, assumed_err=_median_err(photometry), err_range=_err_range(photometry))
            measured.append(started._measure(photometry, redshift, trust=typical))
            redshifts.append(redshift)
        redshift = np.concatenate(redshifts)
        if not len(redshift):
            raise RequestError("no source of the training set has a positive redshift; nothing can be learnt from it")
        inputs = Inputs.joined(measured)
        if inputs.broken.all():
            raise RequestError(f"no source of the training set can be prepared as {config.kind}; are bands missing?")
        scaling = Scaling.fit(inputs)
        values = scaling.apply(inputs)[~inputs.broken]
        return replace(
            started,
            scaling=scaling,
            redshift_range=(float(redshift.min()), float(redshift.max())),
            min_bands=int(inputs.n_bands[~inputs.broken].min()),
            typical=Typical.fit(values[:, started._judged]) if typical else None,
            limits={name: float(np.quantile(v[~inputs.broken], 1.0 - SUSPECT)) for name, v in inputs.trust.items()},
        )

    def bind(self, bands: Sequence[str], passbands: Sequence[Passband], calibration: Sequence[float]) -> Preparation:
        """A preparation by a basis, made ready for these bands, each with the relative error of its zero point.

        Raises RequestError for a preparation of another kind, and for a passband beyond the spectra.
        """
        if self.basis is None:
            raise RequestError(f"a preparation of kind {self.config.kind!r} has its own bands: {', '.join(self.bands)}")
        table = self.basis.table(bands, passbands, self.redshift_range[1])
        known = dict(zip(bands, map(float, calibration), strict=True))
        return replace(self, bands=tuple(bands), table=table, calibration=known)

    @property
    def any_bands(self) -> bool:
        """It serves any bands once it is bound to them."""
        return self.config.kind == "spectra"

    @property
    def input_names(self) -> tuple[str, ...]:
        """The F inputs, in order."""
        if self.config.by_basis:
            values, indicators = spectra.names(self.config.basis_size, any_bands=self.any_bands)
        else:
            values, indicators = FIXED[self.config.kind].names(self.bands)
        return values + indicators

    @property
    def _judged(self) -> slice:
        """The inputs by which a source is called unlike the training set."""
        if self.config.by_basis:
            return spectra.typical_columns(self.config.basis_size)
        return slice(0, len(FIXED[self.config.kind].names(self.bands)[0]))

    def _measure(
        self, photometry: Photometry, redshift: np.ndarray, *, trust: bool = False, evidence: bool = False
    ) -> Inputs:
        config = self.config
        if config.kind == "magnitudes":
            return magnitudes.measure(photometry, redshift)
        if config.kind == "medians":
            return medians.measure(photometry)
        if config.kind == "colours":
            return colours.measure(photometry, redshift, config.softening, config.reference, self.assumed_err)
        if self.basis is None or self.table is None:
            raise RequestError("this model takes any bands: say which, for example bundle.bind(surveys.get('kids'))")
        table = self.table.select(photometry.bands)
        light = spectra.windows(self.basis) if self.any_bands else None
        errors = self._calibration(photometry), config.model_error
        return spectra.measure(photometry, redshift, table, light, *errors, trust=trust, evidence=evidence)

    def _calibration(self, photometry: Photometry) -> np.ndarray:
        """(B,), relative, of the bands of some photometry."""
        return np.array([self.calibration.get(band, 0.0) for band in photometry.bands])

    def features(self, sources: Sources, *, check: bool = True, evidence: bool = False) -> Features:
        """What the network sees; every row is kept, and what cannot be inferred is flagged.

        check : compare with the training set (INPUT_OUT_OF_RANGE, UNLIKE_TRAINING); training itself need not.
        evidence : say how probable the fluxes are at the sources' redshifts, of spectra.
        Raises RequestError where the sources have no photometry, no redshifts, or lack a band altogether.
        """
        photometry, redshift = _blocks(sources)
        if photometry.bands != self.bands and self.bands:
            photometry = photometry.select(self.bands)
        flags = _flags(sources, photometry, redshift, self.redshift_range)
        usable = (flags & np.uint32(Flag.NOT_INFERRED)) == 0
        inputs = self._measure(
            photometry, np.where(usable, redshift, min(1.0, self.redshift_range[1])), trust=check, evidence=evidence
        )
        scaled = self.scaling.apply(inputs) if check or self.config.standardise else None
        lost = inputs.broken
        if scaled is not None and not np.isfinite(scaled).all():  # a value is too far off to be standardised
            beyond = ~np.isfinite(scaled).all(axis=1)
            scaled[beyond] = 0.0
            lost = lost | beyond
        flags[usable & lost] |= np.uint32(Flag.INPUT_OUT_OF_RANGE | Flag.NOT_INFERRED)
        flags[usable & (inputs.n_bands < observed_bands(photometry))] |= np.uint32(Flag.BAND_MISSING)
        if check:
            assert scaled is not None
            outside = self.scaling.outside(inputs) | (inputs.n_bands < self.min_bands) | self._odd_errors(photometry)
            flags[usable & outside] |= np.uint32(Flag.INPUT_OUT_OF_RANGE)
            if self.typical is not None:
                beyond_typical = self.typical.beyond(scaled[:, self._judged])
                flags[usable & ~(beyond_typical <= 0)] |= np.uint32(Flag.UNLIKE_TRAINING)
                if self.config.by_basis:
                    inputs.trust["distance"] = beyond_typical
            for name, limit in self.limits.items():
                flags[usable & ~(inputs.trust[name] <= limit)] |= np.uint32(Flag.POOR_FIT)
        plain = scaled if self.config.standardise else np.concatenate([inputs.values, inputs.indicators], axis=1)
        assert plain is not None
        good = usable & ~lost
        trust = {name: np.where(good, value, np.float32(np.nan)) for name, value in inputs.trust.items()}
        return Features(plain, inputs.anchor, flags, inputs.n_bands, trust, inputs.ln_evidence)

    def ln_evidence(self, sources: Sources, redshifts: np.ndarray) -> np.ndarray:
        """(N, Z), nat: how probable each source's fluxes are at each of Z redshifts within the range, as far as the
        basis and its Gaussian prior know, up to a constant a source; -inf where they say nothing. Of preparations of
        any bands, bound to some; the sources' own redshifts are not looked at."""
        if self.basis is None or self.table is None or sources.photometry is None:
            raise RequestError(
                f"a preparation of kind {self.config.kind!r} cannot compare redshifts, unless it is of any bands and "
                "bound to some: bundle.bind(surveys.get('kids')), for example"
            )
        photometry = sources.photometry.select(self.bands)
        errors = self._calibration(photometry), self.config.model_error
        return spectra.evidence(photometry, redshifts, self.table, *errors)

    def expected(self, sources: Sources) -> np.ndarray:
        """(N, B), nJy: the flux of each band as the others say it is, with what is known of galaxies; NaN where a band
        was not observed, or nothing can be said. Of preparations of any bands, bound to some.

        Raises RequestError for another preparation, and as `features` does.
        """
        if self.basis is None or self.table is None:
            raise RequestError(f"a preparation of kind {self.config.kind!r} cannot say what a band should be")
        photometry, redshift = _blocks(sources)
        photometry = photometry.select(self.bands)
        good = np.isfinite(redshift) & (redshift > 0) & (redshift <= self.redshift_range[1])
        errors = self._calibration(photometry), self.config.model_error
        result = np.full(photometry.flux.shape, np.nan)
        with np.errstate(all="ignore"):
            found = spectra.encode(photometry.take(good), redshift[good], self.table, *errors, pulls=True)
            assert found.expected is not None
            result[good] = (found.expected * found.scale).T
        result[(np.isfinite(result)).sum(axis=1) < 2] = np.nan  # one band has no others
        return result

    def _odd_errors(self, photometry: Photometry) -> np.ndarray:
        """(N,), bool: an error is much larger or smaller than any of its band in training."""
        if not len(self.err_range):
            return np.zeros(len(photometry.ivar), bool)
        with np.errstate(divide="ignore"):
            most, least = (self.err_range.T**-2.0).astype(np.float32)  # of ivar
        ivar = photometry.ivar
        return ((ivar > most) | ((ivar < least) & (ivar > 0))).any(axis=1)

    def to_plain(self) -> dict[str, Any]:
        """Nested dicts and lists that JSON holds."""
        plain = {
            "config": configs.plain(self.config),
            "bands": [] if self.any_bands else list(self.bands),
            "inputs": list(self.input_names),
            "assumed_err": self.assumed_err.tolist(),
            "scaling": self.scaling.to_plain(),
            "redshift_range": list(self.redshift_range),
            "min_bands": self.min_bands,
            "err_range": self.err_range.tolist(),
        }
        if self.typical is not None:
            plain["typical"] = self.typical.to_plain()
        if self.limits:
            plain["limits"] = self.limits
        if self.calibration and not self.any_bands:
            plain["calibration"] = self.calibration
        return plain

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], basis: Basis | None = None) -> Preparation:
        """The inverse of `to_plain`. Raises KeyError, TypeError or ValueError where something is missing or odd."""
        typical = plain.get("typical")
        return cls(
            config=configs.fill(PreparationConfig, plain["config"], "prep"),
            bands=tuple(plain["bands"]),
            assumed_err=np.array(plain["assumed_err"], np.float64),
            scaling=Scaling.from_plain(plain["scaling"]),
            redshift_range=(float(plain["redshift_range"][0]), float(plain["redshift_range"][1])),
            min_bands=int(plain["min_bands"]),
            err_range=np.array(plain["err_range"], np.float64).reshape(-1, 2),
            typical=None if typical is None else Typical.from_plain(typical),
            basis=basis,
            limits={name: float(value) for name, value in plain.get("limits", {}).items()},
            calibration={name: float(value) for name, value in plain.get("calibration", {}).items()},
        )


def observed_bands(photometry: Photometry) -> np.ndarray:
    """(N,): bands that were measured, upper limits left out."""
    used = photometry.observed if photometry.limit is None else photometry.observed & ~photometry.limit
    return used.sum(axis=1)


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


def _err_range(photometry: Photometry) -> np.ndarray:
    """(B, 2), nJy, least and largest with a margin; 0 to infinity in a band whose errors are nowhere known."""
    err = np.asarray(photometry.flux_err, np.float64)
    known = np.isfinite(err)
    low, high = np.where(known, err, np.inf).min(axis=0), np.where(known, err, -np.inf).max(axis=0)
    never = ~known.any(axis=0)
    return np.stack([np.where(never, 0.0, low / ERR_MARGIN), np.where(never, np.inf, high * ERR_MARGIN)], axis=1)


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
