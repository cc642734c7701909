"""Making caches of model fluxes: the one file of this room that needs the forward model, and with it PyTorch.

Only some models are computed at every redshift: enough to find the curves. The scores of the others follow by least
squares from every few redshifts, since the bands at those already see the whole spectrum many times over.

The shipped cache `kids` is `save_cache(make_grid(surveys.get("kids"), load_bc03_miles()), "caches/kids.npz")`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from galprism import __version__, passbands
from galprism.cosmology import luminosity_distance_mpc
from galprism.errors import RequestError
from galprism.fit.cache import ModelCache, compress, floored_log, sort_by_age
from galprism.fit.models import GridConfig, prior_columns
from galprism.mocks import PopulationConfig
from galprism.mocks.described import described
from galprism.params import COSMOLOGY
from galprism.sps import ForwardModel, Galaxies, SSPLibrary
from galprism.sps.dust import dust_of
from galprism.surveys import Survey

TRAINING = 2000
"""Models that are computed at every redshift."""
TESTED = 500
"""Models that the errors of a cache are measured on."""
ANCHOR = 6
"""The other models are computed at every so many redshifts."""
BATCH = 8_000_000
"""Fluxes (models x redshifts x bands) that are computed together."""


def make_grid(
    survey: Survey,
    library: SSPLibrary,
    grid: GridConfig | None = None,
    *,
    logu: float = -3.0,
    n_scores: int = 32,
    **options: Any,
) -> ModelCache:
    """The cache of a grid for `fit_grid`, all of one ionisation parameter; options as of `make_cache`."""
    grid = grid or GridConfig()
    columns = grid.columns()
    columns["logu"] = np.full(len(columns["age"]), logu)
    made_of = {"grid": asdict(grid), "logu": logu}
    return make_cache(survey, library, columns, n_scores=n_scores, made_of=made_of, **options)


def make_draws(
    survey: Survey,
    library: SSPLibrary,
    population: PopulationConfig,
    n: int = 500_000,
    *,
    seed: int = 0,
    n_scores: int = 40,
    block: int = 16384,
    **options: Any,
) -> ModelCache:
    """The cache of prior draws for `fit_posterior`; options as of `make_cache`."""
    columns = prior_columns(population, n, seed, (library.age, library.z_met))
    options = {"redshift": population.redshift, "metallicity": population.metallicity, **options}
    options["dust"] = population.dust
    made_of = {"population": asdict(population), "n": n}
    return make_cache(survey, library, columns, n_scores=n_scores, block=block, seed=seed, made_of=made_of, **options)


def make_cache(
    survey: Survey,
    library: SSPLibrary,
    columns: Mapping[str, np.ndarray],
    *,
    redshift: tuple[float, float] = (0.005, 3.0),
    step: float = 0.005,
    n_scores: int = 32,
    block: int | None = None,
    nebular: bool = True,
    metallicity: str = "nearest",
    dust: str = "starburst",
    seed: int = 0,
    made_of: Mapping[str, Any] | None = None,
    progress: Callable[[int], None] | None = None,
) -> ModelCache:
    """Model fluxes of a survey's bands over redshift.

    columns : of M models, each (M,), by the names of Galaxies' fields; tau, age, z_met and ebv at least. redshift : the
    range, in steps of `step` in ln(1 + z). n_scores : numbers kept of each model. block : rows that are sorted by age
    together; None for all. nebular, metallicity : as in the forward model; dust : the law, galprism.sps.dust.dust_of.
    seed : of the choice of models that the curves are found from. made_of : what the columns come from, for the cache's
    meta. progress : called with the number of models done since the last call.

    Its meta says how far the cached magnitudes are from the forward model's own, measured on redshifts, and where
    there are enough on models, that the curves were not found from.
    """
    low, high = redshift
    if not 0 < low < high:
        raise RequestError(f"redshift = {list(redshift)}; accepted: two numbers above zero, the first the lower")
    steps = max(int(np.ceil((np.log1p(high) - np.log1p(low)) / step)), 2 * ANCHOR)
    nodes = np.expm1(np.linspace(np.log1p(low), np.log1p(high), steps + 1))
    nodes[[0, -1]] = low, high
    curves = [passbands.get(band.passband) for band in survey.bands]
    options: dict[str, Any] = {"nebular": nebular, "metallicity": metallicity, "dust": dust_of(dust)}
    model = ForwardModel(library, curves, z_max=high * 1.0001, **options)

    order = sort_by_age(np.asarray(columns["age"]), block or len(columns["age"]))
    columns = {name: np.asarray(value, dtype=np.float64)[order] for name, value in columns.items()}
    m = len(order)
    chosen = np.random.default_rng(seed).permutation(m)
    training, tested = chosen[:TRAINING], chosen[TRAINING : TRAINING + TESTED] if m > TRAINING else chosen[:TESTED]

    def log_light(rows: np.ndarray, at: np.ndarray) -> np.ndarray:
        """(m, Z, B) of some models at redshifts (Z,)."""
        galaxies = Galaxies.from_numpy(redshift=low, **{k: v[rows] for k, v in columns.items()})
        flux = model.fluxes_at(galaxies, at).numpy().transpose(1, 0, 2)
        return floored_log(flux * (luminosity_distance_mpc(at) ** 2 / (1.0 + at))[:, None])

    def batches(rows: np.ndarray, at: np.ndarray) -> list[np.ndarray]:
        return np.array_split(rows, -(-len(rows) * len(at) * len(curves) // BATCH))

    first = np.concatenate([log_light(rows, nodes) for rows in batches(training, nodes)])
    mean, directions = compress(first, min(n_scores, len(first) - 1))
    anchors = np.unique(np.append(np.arange(0, len(nodes), ANCHOR), len(nodes) - 1))
    solve = np.linalg.pinv(directions[:, anchors].reshape(len(directions), -1))
    scores = np.empty((m, len(directions)), dtype=np.float32)
    for rows in batches(np.arange(m), anchors):
        scores[rows] = (log_light(rows, nodes[anchors]) - mean[anchors]).reshape(len(rows), -1) @ solve
        if progress is not None:
            progress(len(rows))
    cache = ModelCache(
        bands=survey.band_names,
        redshift=nodes,
        curves=np.concatenate([mean[:, None], directions.transpose(1, 0, 2)], axis=1).astype(np.float32),
        scores=scores,
        values=_values(model, columns),
        block=block or m,
        meta={
            "survey": survey.name,
            "passbands": {band.name: curve.hash for band, curve in zip(survey.bands, curves, strict=True)},
            "library": {"name": library.name, "imf": library.imf, "hash": library.hash},
            "nebular": nebular,
            "metallicity": metallicity,
            "dust": dust,
            "seed": seed,
            "cosmology": COSMOLOGY,
            "galprism": __version__,
            **(made_of or {}),
        },
    )
    between = 0.5 * (nodes[1:] + nodes[:-1])
    between = between[:: max(len(between) // 60, 1)]
    error = measure(cache, tested, between, log_light(tested, between))
    return replace(cache, meta={**cache.meta, "error_mag": error})


def measure(cache: ModelCache, rows: np.ndarray, redshift: np.ndarray, log_light: np.ndarray) -> dict[str, float]:
    """How far the magnitudes of a cache are from log10 light (m, Z, B) of some rows: rms, 99 %, 99.9 %, greatest.

    Models older than the Universe do not count.
    """
    errors = []
    for i, z in enumerate(redshift):
        young = np.isin(rows, np.arange(len(cache))[cache.models(z)])
        errors.append((2.5 * np.abs(np.log10(cache.light(z, rows[young])) - log_light[young, i])).ravel())
    error = np.concatenate(errors)
    return {
        "rms": round(float(np.sqrt(np.mean(error**2))), 5),
        "p99": round(float(np.quantile(error, 0.99)), 5),
        "p99.9": round(float(np.quantile(error, 0.999)), 5),
        "max": round(float(error.max()), 5),
    }


def _values(model: ForwardModel, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Parameters of the models by their names in PARAMS, per Msun formed where they grow with the mass."""
    derived = model.derive(Galaxies.from_numpy(redshift=0.1, **columns))
    return {name: np.asarray(value, dtype=np.float32) for name, value in described(derived, columns).items()}
