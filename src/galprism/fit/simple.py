"""Template fits of simple populations that are all at one redshift: age, metallicity and dust of stars of one age.

A grid of a library's own spectra, weighted by their likelihood, as CIGALE does it; and the exact posterior between
them, by draws from the prior and then by draws around where the first ones say that the answer is. What is compared
are fluxes up to a scale, over all of which the likelihood is integrated. Needs PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from galprism import __version__
from galprism.cosmology import age_gyr
from galprism.data import Predictions, Sources
from galprism.errors import RequestError
from galprism.fit.weighted import weighted_quantiles
from galprism.flags import Flag
from galprism.mocks.population import R_V, SINGLE_WIDTH, PopulationConfig
from galprism.mocks.simulate import Sky
from galprism.params import PARAMS
from galprism.sps import Galaxies
from galprism.sps.ssp import Z_SUN

NAMES = ("log_age", "logzsol", "ebv")
LEAST_ESS = 100
"""Draws that must count; where fewer do, the answer is flagged LOW_SAMPLE_SIZE."""
ENOUGH = 10 * LEAST_ESS
"""Where so many count, no more are drawn."""
N_AROUND = 20_000
"""Draws of each round around an answer, of ROUNDS at most."""
ROUNDS = 6
SPREAD = 1.6
"""They are scattered this much more widely than the answer is."""
LEAST_WIDTH = 0.004
"""Of the prior's range, added to their scatter: where few draws count, the spread of those few is a poor guide."""
SOURCES_AT_ONCE = 500
NEAR = 0.002
"""In redshift: models this far from a source's are those of another."""


@dataclass(frozen=True, eq=False)
class SimpleModels:
    """M simple populations that a source is compared with, at one redshift."""

    flux: np.ndarray
    """(M, B), float32, up to a scale."""
    values: np.ndarray
    """(M, 3), NAMES."""
    bands: tuple[str, ...]
    redshift: float


def model_fluxes(sky: Sky, values: np.ndarray, redshift: float, width: float) -> np.ndarray:
    """(M, B), float32: fluxes of populations (M, 3), NAMES, over their greatest; width : Galaxies.single_width.

    Raises RequestError for a sky of several libraries.
    """
    if len(sky.libraries) > 1:
        raise RequestError(f"fits are of one library; this sky has {', '.join(each.name for each in sky.libraries)}")
    galaxies = Galaxies.from_numpy(
        redshift=redshift,
        age=10 ** (values[:, 0] - 9.0),
        z_met=Z_SUN * 10 ** values[:, 1],
        ebv=values[:, 2],
        single_width=width,
    )
    flux = sky.model(galaxies).flux
    return (flux / flux.amax(1, keepdim=True)).float().numpy()


def library_grid(sky: Sky, redshift: float, ebv: Sequence[float]) -> SimpleModels:
    """The library's own spectra within the population's ages, behind each of some E(B-V)."""
    stars, population = sky.libraries[0], sky.population
    ages = stars.age[(stars.age >= population.age_min) & (stars.age <= age_gyr(redshift))]
    metals = stars.z_met[(stars.z_met >= 0.99 * min(population.z_met)) & (stars.z_met <= 1.01 * max(population.z_met))]
    places = np.meshgrid(np.log10(ages) + 9, np.log10(metals / Z_SUN), np.asarray(ebv), indexing="ij")
    values = np.stack([place.ravel() for place in places], axis=1)
    return SimpleModels(model_fluxes(sky, values, redshift, 0.0), values, sky.survey.band_names, redshift)


def prior_box(population: PopulationConfig, redshift: float) -> np.ndarray:
    """(2, 3), the lowest and highest NAMES of a population of continuous simple populations, even between them.

    Raises RequestError for a population that is not.
    """
    if not (population.single and population.log_age and population.z_met_between) or population.ebv:
        raise RequestError(
            "the exact posterior is of simple populations with even priors: population.single, log_age and "
            "z_met_between true, and no steps of ebv"
        )
    low = np.log10(population.age_min) + 9, np.log10(min(population.z_met) / Z_SUN), population.av[0] / R_V
    high = np.log10(age_gyr(redshift)) + 9, np.log10(max(population.z_met) / Z_SUN), population.av[1] / R_V
    return np.array([low, high])


def prior_draws(sky: Sky, redshift: float, n: int, seed: int = 0) -> SimpleModels:
    """n populations of the sky's prior. Raises RequestError where that is not of continuous simple populations."""
    low, high = prior_box(sky.population, redshift)
    values = np.random.default_rng(seed).uniform(low, high, (n, 3))
    return SimpleModels(model_fluxes(sky, values, redshift, SINGLE_WIDTH), values, sky.survey.band_names, redshift)


def log_likelihood(models: np.ndarray, flux: np.ndarray, ivar: np.ndarray) -> np.ndarray:
    """(M, K): ln likelihood of K sources (K, B) under M models (M, B), up to a constant of each source.

    With a scale s, any as likely, chi2 = sum ivar (flux - s m)^2 is Gaussian in s, and its integral is
    (sum ivar m^2)^(-1/2) exp((sum ivar m flux)^2 / (2 sum ivar m^2)).
    """
    unit = np.abs(flux).max(axis=1, keepdims=True)
    value, weight = (flux / unit).astype(np.float64), (ivar * unit**2).astype(np.float64)
    squares = (models * models).astype(np.float64) @ weight.T
    along = models.astype(np.float64) @ (weight * value).T
    return 0.5 * along**2 / squares - 0.5 * np.log(squares)


def least_chi2(sources: Sources, models: SimpleModels) -> np.ndarray:
    """(N,): chi2 of each source's nearest model, at its best scale; NaN where it has no photometry to compare.

    Raises RequestError as `fit_simple_grid` does.
    """
    rows, flux, ivar, some = _usable(sources, models)
    found, every = np.full(len(sources), np.nan), some.astype(np.float64)
    for part in np.array_split(rows, max(-(-len(rows) // SOURCES_AT_ONCE), 1)):
        weighted = (ivar[part] * flux[part]).T
        gained = (every @ weighted) ** 2 / (every**2 @ ivar[part].T)
        found[part] = (flux[part] * weighted.T).sum(axis=1) - gained.max(axis=0)
    return found


def fit_simple_grid(sources: Sources, models: SimpleModels, levels: Sequence[float] = (0.16, 0.5, 0.84)) -> Predictions:
    """Likelihood-weighted means over a grid, and quantiles. Bands that are missing do not count.

    Raises RequestError where the sources lack photometry, have a band that the models have not, or a redshift that is
    not the models'.
    """
    rows, flux, ivar, some = _usable(sources, models)
    found = _Found(len(sources), levels)
    for part in np.array_split(rows, max(-(-len(rows) // SOURCES_AT_ONCE), 1)):
        like = log_likelihood(some, flux[part], ivar[part])
        for column, row in zip(like.T, part, strict=True):
            found.put(row, np.exp(column - column.max()), models.values)
    return found.predictions(sources, rows, (ivar > 0).sum(axis=1), "grid fit of simple populations", {})


def fit_simple_posterior(
    sources: Sources,
    sky: Sky,
    models: SimpleModels,
    levels: Sequence[float] = (0.16, 0.5, 0.84),
    *,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Predictions:
    """Means and quantiles of the exact posterior under the sky's prior; a column `ess` says how many draws count.

    models : `prior_draws` of the same sky. Raises RequestError as `fit_simple_grid` does.
    """
    rows, flux, ivar, some = _usable(sources, models)
    low, high = prior_box(sky.population, models.redshift)
    least = np.diag((LEAST_WIDTH * (high - low)) ** 2)
    chosen = [models.bands.index(band) for band in sources.photometry.bands] if sources.photometry else []
    rng = np.random.default_rng(seed)
    found = _Found(len(sources), levels)
    ess = np.full(len(sources), np.nan)
    for row in rows:
        values, weight = models.values, _weights(log_likelihood(some, flux[[row]], ivar[[row]])[:, 0])
        for _ in range(ROUNDS):
            if _effective(weight) >= ENOUGH:
                break
            mean, covariance = _moments(values, weight)
            root = np.linalg.cholesky(SPREAD**2 * covariance + least)
            white = rng.standard_normal((N_AROUND, 3))
            values = mean + white @ root.T
            inside = ((values > low) & (values < high)).all(axis=1)
            values, white = values[inside], white[inside]
            near = model_fluxes(sky, values, models.redshift, SINGLE_WIDTH)[:, chosen]
            # weighted by the prior, even, over the Gaussian that they were drawn from
            weight = _weights(log_likelihood(near, flux[[row]], ivar[[row]])[:, 0] + 0.5 * (white * white).sum(axis=1))
        found.put(row, weight, values)
        ess[row] = _effective(weight)
        if progress is not None:
            progress(1)
    n_bands = (ivar > 0).sum(axis=1)
    made = found.predictions(sources, rows, n_bands, "exact posterior of simple populations", {"ess": ess})
    made.flags[ess < LEAST_ESS] |= np.uint32(Flag.LOW_SAMPLE_SIZE)
    return made


def _weights(log_like: np.ndarray) -> np.ndarray:
    return np.exp(log_like - log_like.max())


def _effective(weight: np.ndarray) -> float:
    """The effective sample size (Kish 1965)."""
    return float(weight.sum() ** 2 / (weight * weight).sum())


def _moments(values: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (3,) and covariance (3, 3)."""
    share = weight / weight.sum()
    mean = share @ values
    off = values - mean
    return mean, (share[:, None] * off).T @ off


def _usable(sources: Sources, models: SimpleModels) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows that can be fitted, fluxes and ivar (N, B), and the models' fluxes (M, B) in the sources' bands."""
    if sources.photometry is None:
        raise RequestError("the sources have no photometry; a template fit needs fluxes")
    bands = sources.photometry.bands
    missing = [band for band in bands if band not in models.bands]
    if missing:
        raise RequestError(f"the models have no band {', '.join(missing)}; they have {', '.join(models.bands)}")
    if sources.redshift is not None:
        far = np.abs(sources.redshift - models.redshift) > NEAR
        if far.any():
            raise RequestError(
                f"redshift = {sources.redshift[far][0]:g}: the models are at {models.redshift:g}; make others"
            )
    flux = np.asarray(sources.photometry.flux, np.float64)
    ivar = np.where(np.isfinite(sources.photometry.ivar), sources.photometry.ivar, 0.0).astype(np.float64)
    flux = np.where(ivar > 0, flux, 0.0)
    rows = np.flatnonzero((ivar > 0).any(axis=1) & (flux != 0).any(axis=1))
    return rows, flux, ivar, models.flux[:, [models.bands.index(band) for band in bands]]


class _Found:
    """Estimates of N sources, filled row by row; NaN where nothing was inferred."""

    def __init__(self, n: int, levels: Sequence[float]):
        self.levels = tuple(levels)
        self.point = np.full((n, 3), np.nan)
        self.quantiles = np.full((n, 3, len(self.levels)), np.nan)

    def put(self, row: int, weight: np.ndarray, values: np.ndarray) -> None:
        self.point[row] = weight @ values / weight.sum()
        heavy = weight > 1e-12
        for j in range(3):
            self.quantiles[row, j] = weighted_quantiles(values[heavy, j], weight[heavy], self.levels)

    def predictions(
        self, sources: Sources, rows: np.ndarray, n_bands: np.ndarray, method: str, extra: dict[str, np.ndarray]
    ) -> Predictions:
        flags = np.array(sources.flags, np.uint32)
        left_out = np.ones(len(sources), bool)
        left_out[rows] = False
        flags[left_out] |= np.uint32(Flag.NO_PHOTOMETRY | Flag.NOT_INFERRED)
        return Predictions(
            id=sources.id,
            names=NAMES,
            point=self.point,
            flags=flags,
            n_bands=np.where(left_out, 0, n_bands).astype(np.int16),
            levels=self.levels,
            quantiles=self.quantiles,
            extra=extra,
            meta={
                "method": method,
                "definitions": {name: PARAMS[name].definition for name in NAMES},
                "galprism": __version__,
            },
        )
