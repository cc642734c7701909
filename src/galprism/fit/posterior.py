"""The exact posterior under the prior of a simulated population: the limit of what the photometry can tell.

A population draws a galaxy's stars (its star-formation history, metallicity, dust) from one prior and its magnitude
in one band from another, p(m | z); the mass follows from both. So with colours c (B,), fluxes over the flux F in that
band, known for many draws of the stars, the weight of a draw is the likelihood integrated over the true magnitude,

    W = integral of p(m | z) exp(-chi2(F(m) c) / 2) dm,

done for each draw by Gauss-Legendre quadrature in ln F over the range where the likelihood is not negligible. The
posterior of any parameter is that of the draws under these weights. Galaxies older than the Universe are left out:
the prior of the stars must not depend on redshift in any other way.

Draws are taken in blocks until a source has enough of them, so a faint source costs one block and a bright one all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import chdtrc, log_ndtr, ndtri

from galprism.data import Predictions, Sources
from galprism.data.predictions import LEVELS
from galprism.errors import RequestError
from galprism.fit.cache import SCALED, ModelCache, log_distance_factor
from galprism.fit.likelihood import CANCELLATION, CUT, Table, Weighted, residual_chi2
from galprism.fit.rows import Estimates, FluxError, Rows, prepare
from galprism.fit.weighted import weighted_mean_std, weighted_quantiles
from galprism.flags import Flag
from galprism.units import AB_ZEROPOINT_NJY

CHUNK = 8
"""Sources that go through the matrix products together."""
REACH = 4.5
"""The quadrature runs over this many errors of the scale to both sides."""
NODES, NODES_WITH_LIMITS = (np.polynomial.legendre.leggauss(n) for n in (16, 64))
LN_PER_MAG = 0.4 * np.log(10.0)
PER_DEX = np.log(10.0)
PRIOR_STEP = 0.005
"""mag, between the tabulated values of p(m | z)."""
MARGIN = 6.0
"""mag, how far the flat prior of a source reaches that lies outside the prior's range."""
GOLDEN_RATIO = 0.6180339887498949
LIKELIHOOD = ("log_weight", "chi2")
SCALE_NODES, SCALE_WEIGHTS = np.polynomial.hermite_e.hermegauss(7)
SCALE_WEIGHTS = SCALE_WEIGHTS / SCALE_WEIGHTS.sum()
"""Of the scale about its best, in errors: what it adds to chi2 is their square."""
VALUES = 4000
"""Values that quantiles are read from at least."""


@dataclass(frozen=True, eq=False)
class MagnitudePrior:
    """p(m | z) in one band."""

    band: str
    bright: float
    """AB; nothing is brighter."""
    faint: float
    log_density: Callable[[np.ndarray, Any], np.ndarray]
    """ln p(m | z) up to a constant, of magnitudes (K,) at one redshift; -inf where there is nothing."""

    def __post_init__(self) -> None:
        if not self.bright < self.faint:
            raise RequestError(f"MagnitudePrior: bright = {self.bright} must be below faint = {self.faint}")

    @classmethod
    def flat(cls, band: str, bright: float, faint: float) -> MagnitudePrior:
        """Every magnitude alike."""
        return cls(band, bright, faint, lambda magnitude, redshift: np.zeros_like(magnitude))

    def at(self, redshift: float) -> PriorTable:
        """The prior at one redshift; flat where it knows nothing of the redshift."""
        n = int(np.ceil((self.faint - self.bright) / PRIOR_STEP)) + 1
        log_p = np.asarray(self.log_density(np.linspace(self.bright, self.faint, n), redshift), dtype=np.float64)
        if np.isnan(log_p).any() or np.any(log_p == np.inf):
            raise RequestError(
                f"MagnitudePrior.log_density is nan or inf at z = {redshift:.4f}; accepted: numbers, -inf"
            )
        if not np.isfinite(log_p).any():
            return PriorTable(self.bright, self.faint, np.zeros(n), known=False)
        return PriorTable(self.bright, self.faint, log_p - log_p.max(), known=True, log_top=float(log_p.max()))


@dataclass(frozen=True, eq=False)
class PriorTable:
    """p(m | z) at one redshift."""

    bright: float
    faint: float
    log_p: np.ndarray
    """ln p at even steps from bright to faint."""
    known: bool
    """False where the prior knows nothing of the redshift and a flat one stands in."""
    log_top: float = 0.0
    """What was taken off ln p, by which redshifts can be compared."""

    def log_density(self, magnitude: np.ndarray) -> np.ndarray:
        """ln p at magnitudes of any shape within the range, by the nearest entry."""
        step = (self.faint - self.bright) / (len(self.log_p) - 1)
        nearest = ((magnitude - self.bright) / step + 0.5).astype(np.intp)
        return self.log_p[np.clip(nearest, 0, len(self.log_p) - 1)]

    def widened(self) -> PriorTable:
        """A flat prior that reaches beyond the range."""
        return PriorTable(self.bright - MARGIN, self.faint + MARGIN, np.zeros(2), known=False)

    def flux_range(self) -> tuple[float, float]:
        """(faintest, brightest) in nJy."""
        faintest, brightest = (10 ** (0.4 * (AB_ZEROPOINT_NJY - m)) for m in (self.faint, self.bright))
        return faintest, brightest


def fit_posterior(
    sources: Sources,
    draws: ModelCache,
    prior: MagnitudePrior,
    *,
    parameters: Sequence[str] = ("logmstar", "logsfr"),
    levels: Sequence[float] = LEVELS,
    flux_err: FluxError | None = None,
    model_error: np.ndarray | float = 0.0,
    redshift_step: float = 0.002,
    enough: float = 2000.0,
    min_ess: float = 50.0,
    max_reduced_chi2: float = 10.0,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Predictions:
    """Posterior mean and quantiles of `parameters` by weighting prior draws.

    draws : a cache whose models are draws of the stars from the prior, in random order but for the age within blocks.
    flux_err : gives errors to fluxes that came without; None leaves those bands out. Both are flagged.
    model_error : fraction of the flux, or (B,) of them, added to the errors in quadrature: calibration errors that
    the stated errors leave out, or a floor for fluxes that are exact.
    redshift_step : colours are computed at redshifts rounded to this; the distance is that of the source.
    enough : effective sample size at which no more draws are taken.
    min_ess : effective sample size below which a row is flagged LOW_SAMPLE_SIZE.
    workers : threads.
    progress : called with the number of rows done since the last call.

    Extra columns: `ess`, `n_draws` that were looked at, `predictive_p` of Sample.predictive_p, `chi2` and
    `reduced_chi2` of the best draw, `best_<parameter>`, `<parameter>_std`. A source outside the prior's range of
    magnitudes or redshifts is given a flat prior and flagged INPUT_OUT_OF_RANGE. Rows that cannot be fitted are null
    and flagged.
    Raises RequestError when the draws lack a band of the catalogue, the prior's band or a parameter.
    """
    started = time.perf_counter()
    rows = prepare(sources, draws, parameters, flux_err=flux_err, model_error=model_error)
    if prior.band not in draws.bands:
        raise RequestError(f"the prior's band {prior.band!r} is not in the model cache: {', '.join(draws.bands)}")
    estimates = Estimates(len(sources), parameters, levels)
    if progress is not None:
        progress(int(np.count_nonzero(~rows.usable)))
    ess, n_draws = np.full(len(sources), np.nan), np.zeros(len(sources), np.int64)
    predictive = np.full(len(sources), np.nan)

    def fit_group(group: tuple[float, np.ndarray]) -> None:
        redshift, members = group
        for row, sample in zip(members, weigh_group(rows, draws, prior, redshift, members, enough), strict=True):
            ess[row], n_draws[row] = sample.ess, sample.n_draws
            if not sample.prior.known:
                rows.flags[row] |= np.uint32(Flag.INPUT_OUT_OF_RANGE)
            if sample.parts:
                summarise(sample, draws, float(rows.redshift[row]), row, estimates)
                predictive[row] = sample.predictive_p(int(rows.n_bands[row]))
        if progress is not None:
            progress(len(members))

    groups = rows.groups(redshift_step, *draws.redshift_range)
    if workers > 1:
        with ThreadPoolExecutor(workers) as pool:
            for _ in pool.map(fit_group, groups):
                pass
    else:
        for group in groups:
            fit_group(group)
    with np.errstate(invalid="ignore"):
        rows.flags[ess < min_ess] |= np.uint32(Flag.LOW_SAMPLE_SIZE)
    meta = {
        "method": "posterior",
        "n_models": len(draws),
        "prior_band": prior.band,
        "prior_magnitude": [prior.bright, prior.faint],
        "model_error": np.asarray(model_error).tolist(),
        "redshift_step": redshift_step,
        "enough": enough,
        "min_ess": min_ess,
        "seconds": round(time.perf_counter() - started, 3),
    }
    extra = {"ess": ess, "n_draws": n_draws, "predictive_p": predictive}
    return estimates.predictions(rows, draws, extra, max_reduced_chi2, meta)


@dataclass(frozen=True, eq=False)
class Part:
    """Draws of one block that are not negligible for one source; every field (K,)."""

    index: np.ndarray
    """Row in the cache."""
    log_weight: np.ndarray
    """Natural logarithm."""
    log_scale: np.ndarray
    """Mean of log10 of the mass formed times (1 + z) / d_L^2, given the draw."""
    log_scale_std: np.ndarray
    """Its standard deviation, given the draw."""
    chi2: np.ndarray
    """At the best scale that the prior allows."""


class Sample:
    """The weighted draws of one source, gathered block by block."""

    def __init__(self, prior: PriorTable) -> None:
        self.prior = prior
        self.parts: list[Part] = []
        self.n_draws = 0
        self.best_chi2 = np.inf
        self._top, self._sum, self._squares = -np.inf, 0.0, 0.0

    @property
    def ess(self) -> float:
        """Effective sample size so far (Kish 1965)."""
        return self._sum**2 / self._squares if self._squares else 0.0

    def predictive_p(self, n_bands: int) -> float:
        """Posterior-predictive p-value of chi2 (Gelman, Meng & Stern 1996, Stat. Sinica 6, 733): how probable one at
        least as large is for fluxes drawn from the models that are left, each at a scale of its own posterior."""
        log_weight, chi2 = (np.concatenate([getattr(part, name) for part in self.parts]) for name in LIKELIHOOD)
        weight = np.exp(log_weight - log_weight.max())
        tail = chdtrc(n_bands, chi2[:, None] + SCALE_NODES**2) @ SCALE_WEIGHTS
        return float(weight @ tail / weight.sum())

    @property
    def log_evidence(self) -> float:
        """ln of the mean weight of the draws, -inf where none counts or the prior knows nothing of the source."""
        if not self._sum or not self.prior.known:
            return -np.inf
        return self._top + float(np.log(self._sum / self.n_draws)) + self.prior.log_top

    def add(self, part: Part) -> None:
        self.parts.append(part)
        self.best_chi2 = min(self.best_chi2, float(part.chi2.min()))
        top = max(self._top, float(part.log_weight.max()))
        shrink, weight = np.exp(self._top - top), np.exp(part.log_weight - top)
        self._sum = self._sum * shrink + float(weight.sum())
        self._squares = self._squares * shrink**2 + float(weight @ weight)
        self._top = top


@dataclass(frozen=True, eq=False)
class Block:
    """Colours of a block of draws at one redshift."""

    start: int
    """Its first row in the cache."""
    table: Table
    """Fluxes over the flux in the prior's band."""
    log_anchor: np.ndarray
    """(M,), log10 of the light in the prior's band."""


def weigh_group(
    rows: Rows, draws: ModelCache, prior: MagnitudePrior, redshift: float, members: np.ndarray, enough: float
) -> list[Sample]:
    """The weighted draws of each of some sources at one redshift."""
    table = prior.at(redshift)
    samples = [Sample(table) for _ in members]
    columns = [draws.bands.index(band) for band in rows.bands]
    anchor = draws.bands.index(prior.band)
    for models in draws.blocks(redshift):
        pending = [k for k, sample in enumerate(samples) if sample.ess < enough]
        if not pending:
            break
        light = draws.light(redshift, models)
        block = Block(models.start, Table.of(light[:, columns] / light[:, [anchor]]), np.log10(light[:, anchor]))
        for start in range(0, len(pending), CHUNK):
            chunk = pending[start : start + CHUNK]
            photometry = rows.photometry.take(members[chunk])
            for k, (which, s1, s2) in enumerate(zip(chunk, *block.table.sums(photometry), strict=True)):
                weigh_draws(samples[which], block, photometry, k, s1, s2)
    return samples


def weigh_draws(sample: Sample, block: Block, photometry: Weighted, k: int, s1: np.ndarray, s2: np.ndarray) -> None:
    """Add the draws of one block to the sample of source k. s1, s2 : (M,), the source's row of `Table.sums`."""
    flux, weight, limit_err = photometry.flux[k], photometry.weight[k], photometry.limit_err[k]
    total, unit = float(photometry.total[k]), float(photometry.unit[k])  # so that float32 stays float32
    measured, has_limits = bool(weight.any()), bool(limit_err.any())
    scale = s1 / s2 if measured else np.zeros_like(s1)  # best flux in the prior's band, in units of the source's
    chi2 = np.maximum(total - s1 * scale, 0.0)
    if not sample.n_draws and measured and _outside(sample.prior, chi2, scale, s2, unit):
        sample.prior = sample.prior.widened()
    sample.n_draws += len(scale)
    low, high = (edge / unit for edge in sample.prior.flux_range())

    least = chi2 + s2 * (np.clip(scale, low, high) - scale) ** 2
    if has_limits:
        chosen = np.arange(len(scale))
    else:
        chosen = np.flatnonzero(least < min(sample.best_chi2, float(least.min())) + CUT + 1e-5 * total)
    if not len(chosen):
        return
    colours = block.table.flux[chosen]
    scale, s2, chi2 = (array[chosen].astype(np.float64) for array in (scale, s2, chi2))
    if total > CANCELLATION:
        chi2 = residual_chi2(flux, weight, colours, scale)

    reach = REACH / np.sqrt(s2) if measured else np.full(len(scale), np.inf)
    upper = np.minimum(np.maximum(scale, low) + reach, high)
    lower = np.clip(np.minimum(scale, high) - reach, low, high)
    lower = np.where(reach > 0.6 * scale, low, lower)  # a scale of poor S/N has a long tail in the logarithm
    nodes, node_weights = NODES_WITH_LIMITS if has_limits else NODES
    half = 0.5 * np.log(upper / lower)
    log_flux = np.log(lower)[:, None] + half[:, None] * (nodes + 1.0)  # (K, Q)
    value = np.exp(log_flux)
    excess = s2[:, None] * (value - scale[:, None]) ** 2
    if has_limits:
        for band in np.flatnonzero(limit_err):
            excess -= 2.0 * log_ndtr((flux[band] - value * colours[:, [band]]) / limit_err[band])
    log_like = -0.5 * excess + sample.prior.log_density(AB_ZEROPOINT_NJY - (log_flux + np.log(unit)) / LN_PER_MAG)
    top = np.maximum(log_like.max(axis=1), -1e30)
    share = node_weights * np.exp(log_like - top[:, None])
    norm = np.maximum(share.sum(axis=1), 1e-300)
    mean = (share * log_flux).sum(axis=1) / norm
    variance = (share * (log_flux - mean[:, None]) ** 2).sum(axis=1) / norm
    part = Part(
        index=block.start + chosen,
        log_weight=top + np.log(norm * half) - 0.5 * chi2,
        log_scale=(mean + np.log(unit)) / PER_DEX - block.log_anchor[chosen],
        log_scale_std=np.sqrt(variance) / PER_DEX,
        chi2=chi2 + excess.min(axis=1),
    )
    sample.add(part)


def _outside(prior: PriorTable, chi2, scale, s2, unit: float) -> bool:
    """Whether the best draw puts the source more than REACH errors outside the prior's range."""
    top = int(np.argmin(chi2))
    error = REACH / np.sqrt(s2[top])
    low, high = (edge / unit for edge in prior.flux_range())
    return bool(scale[top] - error > high or scale[top] + error < low)


def summarise(sample: Sample, draws: ModelCache, redshift: float, row: int, estimates: Estimates) -> None:
    """Moments and quantiles of one source's draws into its row."""
    gather = lambda name: np.concatenate([getattr(part, name) for part in sample.parts])  # noqa: E731
    log_weight = gather("log_weight")
    kept = np.flatnonzero(log_weight >= log_weight.max() - 0.5 * CUT)
    weight = np.exp(log_weight[kept] - log_weight.max())
    index, chi2 = gather("index")[kept], gather("chi2")[kept]
    log_mass = gather("log_scale")[kept] - log_distance_factor(redshift)
    spread = gather("log_scale_std")[kept]
    # For the quantiles each draw stands for one or more values of its own narrow distribution, evenly spread.
    times = -(-VALUES // len(kept))
    share = (np.arange(times)[:, None] + (0.5 + index * GOLDEN_RATIO) % 1.0) / times
    log_mass_drawn = log_mass + spread * ndtri(share)
    weight_drawn = np.broadcast_to(weight, log_mass_drawn.shape).ravel()
    top = int(np.argmin(chi2))
    estimates.chi2[row] = chi2[top]
    for j, name in enumerate(estimates.parameters):
        value = draws.values[name][index].astype(np.float64)
        drawn, variance = np.broadcast_to(value, log_mass_drawn.shape), 0.0
        if name in SCALED:
            value, drawn = value + log_mass, drawn + log_mass_drawn
            variance = float(weight @ spread**2 / weight.sum())
        estimates.point[row, j], std = weighted_mean_std(value, weight)
        estimates.std[row, j] = np.sqrt(std**2 + variance)
        estimates.quantiles[row, j] = weighted_quantiles(drawn.ravel(), weight_drawn, estimates.levels)
        estimates.best[row, j] = value[top]
