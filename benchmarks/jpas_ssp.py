"""Simple stellar populations in J-PAS's bands: the paper's networks, ours, a grid fit and the exact posterior.

    python benchmarks/jpas_ssp.py OUT [--paper BUNDLE] [--ours BUNDLE] [--n 20000] [--n-limit 300]
                                  [--levels 16 17 18 19 20 21] [--missing 15] [--redshift 0.0005 0.001] [--on-grid]

All are given the same simulated populations, off the library's grid and never trained on, at each level of i: by
default at rest, as the paper has them. With --on-grid they are the library's own spectra behind the paper's steps of
dust, as the paper tests itself: the grid is then the prior, and a fit of it is the limit.

The grid fit weights the library's own spectra, reddened as in the paper, by their likelihood. The exact posterior
weights draws from the prior, then draws around where the first ones say that it is; populations for which too few count
are left out of what is relative to it. --missing takes as many bands from every source, at random.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from galprism import bundle, recipes
from galprism.data import Photometry, Sources
from galprism.evaluate.metrics import nmad
from galprism.infer import Predictor
from galprism.mocks import block_rng, observe
from galprism.mocks.population import BLOCK, R_V
from galprism.mocks.simulate import Sky
from galprism.recipes.recipe import Recipe
from galprism.recipes.sky import sky
from galprism.sps import Galaxies
from galprism.sps.library import Z_SUN

NAMES = ("log_age", "logzsol", "ebv")
LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)
OUTLIER = 0.25
"""dex or mag: the paper's outliers are farther off."""
FIRST_BLOCK = 30_000
"""Of the test populations: no training comes so far."""
LEAST_ESS = 100
N_DRAWS = 400_000
N_AROUND = 20_000
SPREAD = 1.6
"""Draws around a first answer are scattered this much more widely than it is."""


@dataclass(frozen=True, eq=False)
class Models:
    """Populations that a source is compared with."""

    flux: np.ndarray
    """(M, B), float32, up to a scale."""
    values: np.ndarray
    """(M, 3), NAMES."""


def light(made: Sky, values: np.ndarray, redshift: float, width: float) -> np.ndarray:
    """(M, B), float32: fluxes of populations of parameters (M, 3), over that in i."""
    galaxies = Galaxies.from_numpy(
        redshift=redshift,
        age=10 ** (values[:, 0] - 9.0),
        z_met=Z_SUN * 10 ** values[:, 1],
        ebv=values[:, 2],
        single_width=width,
    )
    flux = made.model(galaxies).flux
    return (flux / flux[:, [made.survey.band_names.index("i")]]).float().numpy()


def test_set(recipe: Recipe, level: float, n: int, missing: int) -> tuple[Sources, np.ndarray]:
    """n populations at one magnitude, and their parameters (n, 3)."""
    population = replace(recipe.population, magnitude=(level, level + 1e-6), magnitude_step=0.0, counts_slope=0.0)
    made = sky(replace(recipe, population=population))
    parts, values = [], []
    for number in range(FIRST_BLOCK, FIRST_BLOCK + -(-n // BLOCK)):
        block = made.block(number)
        assert block.sources.photometry is not None
        rng = block_rng(recipe.seed + round(10 * level), number, "noise")
        seen = observe(block.sources.photometry.flux, made.survey, recipe.noise, rng)
        if missing:
            lost = np.argsort(rng.random(seen.flux.shape), axis=1) < missing
            seen = replace(seen, flux=np.where(lost, 0, seen.flux), ivar=np.where(lost, 0, seen.ivar))
        parts.append(replace(block.sources, photometry=seen))
        values.append(np.stack([block.truth.column(name) for name in NAMES], axis=1))
    photometry = Photometry(
        np.concatenate([part.photometry.flux for part in parts])[:n],
        np.concatenate([part.photometry.ivar for part in parts])[:n],
        made.survey.band_names,
    )
    redshift = np.concatenate([part.redshift for part in parts])[:n]
    return Sources(id=np.arange(n), redshift=redshift, photometry=photometry), np.concatenate(values)[:n]


def log_like(models: np.ndarray, flux: np.ndarray, ivar: np.ndarray) -> np.ndarray:
    """(M, K): ln likelihood of K sources (K, B) under M models (M, B), any scale as likely, up to a constant."""
    unit = flux.max(axis=1, keepdims=True)
    value, weight = (flux / unit).astype(np.float64), (ivar * unit**2).astype(np.float64)
    squares = (models * models).astype(np.float64) @ weight.T
    along = models.astype(np.float64) @ (weight * value).T
    return 0.5 * along**2 / squares - 0.5 * np.log(squares)


def moments(like: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean (3,), covariance (3, 3) and effective sample size of draws (M, 3) with ln weights (M,)."""
    weight = np.exp(like - like.max())
    weight /= weight.sum()
    mean = weight @ values
    off = values - mean
    return mean, (weight[:, None] * off).T @ off, float(1.0 / (weight * weight).sum())


def exact(recipe: Recipe, made: Sky, models: Models, sources: Sources) -> tuple[np.ndarray, np.ndarray]:
    """Posterior means (K, 3), and how many draws count (K,); models : draws from the prior."""
    assert sources.photometry is not None
    assert sources.redshift is not None
    flux, ivar = sources.photometry.flux, sources.photometry.ivar
    box = np.array([models.values.min(axis=0), models.values.max(axis=0)])
    points, ess = np.empty((len(flux), 3)), np.empty(len(flux))
    rng = np.random.default_rng(recipe.seed)
    for k in range(len(flux)):
        like = log_like(models.flux, flux[[k]], ivar[[k]])[:, 0]
        mean, covariance, ess[k] = moments(like, models.values)
        for _ in range(6):
            if ess[k] >= 10 * LEAST_ESS:
                break
            # where few count, the spread of those few is a poor guide: some width is always kept
            least = np.diag((0.004 * (box[1] - box[0])) ** 2)
            root = np.linalg.cholesky(SPREAD**2 * covariance + least)
            white = rng.standard_normal((N_AROUND, 3))
            draws = mean + white @ root.T
            inside = ((draws > box[0]) & (draws < box[1])).all(axis=1)
            draws, white = draws[inside], white[inside]
            near = light(made, draws, float(sources.redshift[k]), 0.1)
            like = log_like(near, flux[[k]], ivar[[k]])[:, 0] + 0.5 * (white * white).sum(axis=1)
            mean, covariance, ess[k] = moments(like, draws)
        points[k] = mean
    return points, ess


def grid_fit(models: Models, sources: Sources) -> np.ndarray:
    """(K, 3): likelihood-weighted means over a grid."""
    assert sources.photometry is not None
    parts = []
    for rows in np.array_split(np.arange(len(sources)), -(-len(sources) // 500)):
        like = log_like(models.flux, sources.photometry.flux[rows], sources.photometry.ivar[rows])
        weight = np.exp(like - like.max(axis=0))
        parts.append((weight.T @ models.values) / weight.sum(axis=0)[:, None])
    return np.concatenate(parts)


def metrics(found: np.ndarray, true: np.ndarray) -> dict[str, list[float]]:
    """By parameter: bias, sigma_NMAD, share of outliers, Pearson's coefficient and rms, of what was answered."""
    good = np.isfinite(found).all(axis=1)
    off = (found - true)[good]
    median = np.median(off, axis=0)
    return {
        "answered": [float(good.mean())],
        "bias": median.tolist(),
        "sigma_NMAD": [nmad(off[:, j]) for j in range(3)],
        "outliers": (np.abs(off) > OUTLIER).mean(axis=0).tolist(),
        "pearson": [float(np.corrcoef(found[good, j], true[good, j])[0, 1]) for j in range(3)],
        "rms": np.sqrt((off**2).mean(axis=0)).tolist(),
    }


def prior_draws(recipe: Recipe, made: Sky, redshift: float) -> Models:
    """N_DRAWS populations of the recipe's prior."""
    rng = np.random.default_rng(recipe.seed + 1)
    population = recipe.population
    low = np.array([np.log10(population.age_min) + 9, np.log10(min(population.z_met) / Z_SUN), population.av[0] / R_V])
    ages = [made.draw(number).stars["age"] for number in range(8)]
    high = np.array([np.log10(np.max(ages)) + 9, np.log10(max(population.z_met) / Z_SUN), population.av[1] / R_V])
    values = rng.uniform(low, high, (N_DRAWS, 3))
    return Models(light(made, values, redshift, 0.1), values)


def library_grid(recipe: Recipe, made: Sky, redshift: float) -> Models:
    """The library's own spectra behind the dust of the paper's recipe."""
    stars, population = made.libraries[0], recipe.population
    ages = stars.age[(stars.age >= population.age_min) & (stars.age <= 13.5)]
    places = np.meshgrid(np.log10(ages) + 9, np.log10(stars.z_met / Z_SUN), population.ebv, indexing="ij")
    values = np.stack([place.ravel() for place in places], axis=1)
    return Models(light(made, values, redshift, 0.0), values)


def one_level(
    ours: Recipe, made: Sky, models: dict[str, Models], methods: dict[str, Callable], level: float, args
) -> dict:
    """What each method makes of one level's populations."""
    sources, true = test_set(ours, level, args.n, args.missing)
    result: dict = {"n": len(true), "S/N": signal_to_noise(sources)}
    for name, method in methods.items():
        point, quantiles = method(sources)
        result[name] = metrics(point, true)
        if quantiles is not None:
            for text, (low, high) in {"68 %": (1, 3), "95 %": (0, 4)}.items():
                inside = (quantiles[:, :, low] < true) & (true < quantiles[:, :, high])
                result[name][text] = inside.mean(axis=0).tolist()
    few = slice(0, args.n_limit)
    if args.on_grid:
        limit, enough = grid_fit(models["grid"], sources.take(few)), np.ones(len(true[few]), bool)
    else:
        limit, ess = exact(ours, made, models["draws"], sources.take(few))
        enough = ess >= LEAST_ESS
    result["exact posterior"] = {"n": int(enough.sum()), **metrics(limit[enough], true[few][enough])}
    best = np.sqrt(((limit - true[few])[enough] ** 2).mean(axis=0))
    for name, method in methods.items():
        point, _ = method(sources.take(few))
        good = np.isfinite(point[enough]).all(axis=1)
        off = np.sqrt(((point - true[few])[enough][good] ** 2).mean(axis=0))
        result[name]["rms over the limit"] = (off / best).tolist()
    return result


def signal_to_noise(sources: Sources) -> float:
    """The median of the bands'."""
    assert sources.photometry is not None
    with np.errstate(invalid="ignore"):
        sn = sources.photometry.flux * np.sqrt(sources.photometry.ivar)
    return float(np.median(sn[sources.photometry.ivar > 0]))


def network(name: str) -> Callable[[Sources], tuple[np.ndarray, np.ndarray | None]]:
    predictor = Predictor(bundle.load(name))

    def ask(sources: Sources) -> tuple[np.ndarray, np.ndarray | None]:
        found = predictor.predict(sources, LEVELS)
        order = [found.names.index(each) for each in NAMES]
        quantiles = None if found.quantiles is None else found.quantiles[:, order]
        return found.point[:, order].astype(float), quantiles

    return ask


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--paper", default="jpas-ssp")
    parser.add_argument("--ours", default="jpas-populations")
    parser.add_argument("--n", type=int, default=20_000)
    parser.add_argument("--n-limit", type=int, default=300)
    parser.add_argument("--levels", type=float, nargs="+", default=[16.0, 17.0, 18.0, 19.0, 20.0, 21.0, 22.0])
    parser.add_argument("--missing", type=int, default=0)
    parser.add_argument("--on-grid", action="store_true")
    parser.add_argument("--redshift", type=float, nargs=2, default=[0.0005, 0.001])
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    low, high = args.redshift
    ours = recipes.load("jpas-ssp" if args.on_grid else "jpas-populations", [f"population.redshift=[{low},{high}]"])
    made, middle = sky(ours), 0.5 * (low + high)
    models = {"grid": library_grid(recipes.load("jpas-ssp"), made, middle)}
    if not args.on_grid:
        models["draws"] = prior_draws(ours, made, middle)
    print(", ".join(f"{name}: {len(each.flux):,} populations" for name, each in models.items()))
    methods: dict[str, Callable] = {
        "paper": network(args.paper),
        "ours": network(args.ours),
        "grid fit": lambda sources: (grid_fit(models["grid"], sources), None),
    }
    results = {}
    for level in args.levels:
        results[f"{level:g}"] = found = one_level(ours, made, models, methods, level, args)
        print(f"\ni = {level:g}: S/N {found['S/N']:.3g} a band, {found['n']:,} populations", flush=True)
        for name in (*methods, "exact posterior"):
            row = found[name]
            for key in ("bias", "sigma_NMAD", "outliers", "pearson", "rms", "rms over the limit", "68 %", "95 %"):
                if key in row:
                    print(f"{name:>16s} {key:>20s}" + "".join(f"{value:10.4f}" for value in row[key]))
        name = f"jpas-ssp{'-on-grid' if args.on_grid else ''}-{args.missing}-missing.json"
        (args.out / name).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
