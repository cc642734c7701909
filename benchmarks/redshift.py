"""Redshifts that nobody knows: the model for any bands beside a specialist, EAZY and the exact posterior.

    python benchmarks/redshift.py OUT [KEY=VALUE …] [--model BUNDLE] [--survey kids] [--n 5000] [--n-limit 300]
                                  [--eazy PYTHON]

All are given the same simulated galaxies of one survey, never trained on, of which the model saw no passband; with S/N
of 5 or more in r; and none is told a redshift. The specialist is the same network and number of mocks, with the
survey's colours as inputs and redshift as one more target. EAZY (PYTHON is one that has it) fits twelve non-negative
templates that hold the light of the same population, with the population's own p(z | r) as its prior. The exact
posterior weights prior draws at every redshift. What was trained or computed is kept in OUT.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import any_bands
from galprism import bundle, passbands, surveys
from galprism.config import fill
from galprism.data import Sources, Truth
from galprism.fit import fit_redshift, magnitude_prior
from galprism.infer import Density, Predictor
from galprism.mocks import calibration_error, counts_of
from galprism.prep import Targets, TargetsConfig
from galprism.recipes import references
from galprism.recipes.estimators import build_estimator
from galprism.recipes.recipe import Recipe
from galprism.recipes.sky import rest_spectra, sky
from galprism.recipes.training import Trained, measured, prepare, simulate_truths, to_bundle
from galprism.train import DrawnData, LoopConfig, train

LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)
N_TEMPLATES = 12
CATASTROPHIC = 0.15
"""Of |dz| / (1 + z)."""
NOWHERE = 1.0
"""The redshift that the specialist is told, of every source."""
MASSES = ("logmstar", "logsfr")


@dataclass
class Answer:
    """What one method says of the sources: point and quantiles (N, 5) by name."""

    point: dict[str, np.ndarray]
    quantiles: dict[str, np.ndarray]
    seconds: float = np.nan


def told_nothing(sources: Sources) -> Sources:
    """The same redshift for all."""
    return replace(sources, redshift=np.full(len(sources), NOWHERE))


def train_blind(recipe: Recipe, place: Path) -> bundle.Bundle:
    """The specialist: one network of the survey's colours, with redshift among its targets."""
    if (place / "blind" / "bundle.json").exists():
        return bundle.load(place / "blind")
    work = place / "blind.work"
    recipe = replace(recipe, name=f"blind-{recipe.survey}", targets=TargetsConfig(names=(*MASSES, "redshift")))
    config = fill(LoopConfig, recipe.train, "train")
    n_train, n_valid = recipe.sample.train, recipe.sample.validation
    full = replace(recipe, targets=any_bands.specialist(place.name, place.parent, []).targets)
    everything = simulate_truths(full, n_train + n_valid, place / "work")
    values = [everything.values[:, full.targets.names.index(name)] for name in MASSES]
    everything = replace(everything, values=np.stack([*values, everything.redshift], axis=1))
    sets = everything.take(slice(0, n_train)), everything.take(slice(n_train, n_train + n_valid))

    def blind(draw):
        return lambda rows, rng: [(some, told_nothing(sources)) for some, sources in draw(rows, rng)]

    draws = [blind(measured(recipe, some)) for some in sets]
    rows = np.arange(0, n_train, 5)
    preparation = prepare(recipe, [sources for _, sources in draws[0](rows, np.random.default_rng(0))], work)
    (_, first), *_ = draws[0](rows, np.random.default_rng(0))
    targets = Targets.fit(recipe.targets, sets[0].values[rows], preparation.features(first, check=False).anchor)
    estimator, architecture = build_estimator(recipe, len(preparation.input_names), config.seed)
    common = {"preparation": preparation, "targets": targets, "batch_size": config.batch_size}
    data = DrawnData(draws[0], sets[0].values, seed=recipe.seed, **common)
    valid = DrawnData(draws[1], sets[1].values, seed=recipe.seed + 1, fixed=True, **common).everything()

    def report(epoch, n):
        print(f"  {recipe.name}: epoch {epoch.epoch + 1} of {n}, validation {epoch.valid_loss:.4f}", flush=True)

    history = train(estimator, data, valid, config, work, identity=recipe.name, report=report)
    trained = Trained(estimator.eval(), architecture, preparation, targets, history, {})
    return bundle.load(bundle.save(to_bundle(recipe, trained), place / "blind"))


def by_model(model: bundle.Bundle, sources: Sources) -> tuple[Answer, Density]:
    """Ours, and how probable it calls each redshift."""
    predictor = Predictor(model)
    start = time.perf_counter()
    found = predictor.predict(replace(sources, redshift=None), LEVELS, infer_redshift=True)
    seconds = time.perf_counter() - start
    names = (*MASSES, "redshift")
    quantiles = {name: np.stack([found.quantile(name, level) for level in LEVELS], axis=1) for name in names}
    return Answer({name: found.column(name) for name in names}, quantiles, seconds), predictor.redshifts(sources)


def by_specialist(alone: bundle.Bundle, sources: Sources) -> Answer:
    start = time.perf_counter()
    found = Predictor(alone).predict(told_nothing(sources), LEVELS)
    seconds = time.perf_counter() - start
    quantiles = {name: np.stack([found.quantile(name, level) for level in LEVELS], axis=1) for name in found.names}
    return Answer({name: found.column(name) for name in found.names}, quantiles, seconds)


def of_density(density: Density, seconds: float = np.nan) -> Answer:
    quantiles = np.stack([density.quantile(level) for level in LEVELS], axis=1)
    return Answer({"redshift": density.mean}, {"redshift": quantiles}, seconds)


def by_evidence(model: bundle.Bundle, sources: Sources, nodes: np.ndarray) -> Answer:
    """The closed form alone, without the network that ranks."""
    start = time.perf_counter()
    evidence = model.preparation.ln_evidence(sources, nodes)
    p = np.exp(evidence - evidence.max(axis=1, keepdims=True))
    p = (p / p.sum(axis=1, keepdims=True)).astype(np.float32)
    return of_density(Density(nodes, p), time.perf_counter() - start)


def by_exact_posterior(
    recipe: Recipe, sources: Sources, nodes: np.ndarray, model: bundle.Bundle, place: Path
) -> Answer:
    """The limit. Redshifts whose closed-form evidence is e^-12 of the best are not looked at."""
    nodes = nodes[::2]
    kept = place / f"free-posterior-{len(sources)}-{recipe.fit.n_draws}.npz"
    if not kept.exists():
        survey = surveys.get(recipe.survey)
        draws = references.reference_cache(recipe, "posterior", place / f"draws-{recipe.fit.n_draws}.npz")
        evidence = model.preparation.ln_evidence(sources, nodes)
        found = fit_redshift(
            sources,
            draws,
            magnitude_prior(recipe.population, counts_of(recipe.population, survey)),
            nodes,
            candidates=evidence > evidence.max(axis=1, keepdims=True) - 12.0,
            model_error=calibration_error(survey),
            enough=200.0,
        )
        density = found.probability * (1.0 + nodes)  # the prior is per redshift, the nodes are even in ln(1 + z)
        density /= density.sum(axis=1, keepdims=True)
        np.savez(kept, z=nodes, p=density, ess=found.ess, **dict(zip(found.names, found.point.T, strict=True)))
    with np.load(kept) as arrays:
        answer = of_density(Density(arrays["z"], arrays["p"].astype(np.float32)))
        answer.point |= {name: arrays[name] for name in MASSES}
        answer.point["ess"] = arrays["ess"]
    return answer


def templates(recipe: Recipe, n: int = N_TEMPLATES) -> tuple[np.ndarray, np.ndarray]:
    """(W,) Angstrom and (n, W): non-negative spectra whose non-negative sums are nearest the population's, by the
    multiplicative updates of Lee & Seung (2001); lines are put into the bins."""
    light = rest_spectra(sky(recipe), range(1))
    grid, spectra = light.grid, light.continuum.astype(np.float64)
    near = np.clip(np.rint((np.log(light.line_wave) - grid.start) / grid.step).astype(int), 0, grid.size - 1)
    np.add.at(spectra, (slice(None), near), light.line / (grid.wave * grid.step)[near])
    f_nu = spectra * grid.wave**2
    f_nu /= f_nu[:, (grid.wave > 3000) & (grid.wave < 10000)].mean(axis=1, keepdims=True)
    weight = 1.0 / (f_nu + 0.03) ** 2
    rng = np.random.default_rng(0)
    basis = f_nu[rng.choice(len(f_nu), n, replace=False)] + 1e-6
    share = rng.random((len(f_nu), n))
    for _ in range(300):
        share *= (weight * f_nu) @ basis.T / ((weight * (share @ basis)) @ basis.T + 1e-30)
        basis *= share.T @ (weight * f_nu) / (share.T @ (weight * (share @ basis)) + 1e-30)
    return grid.wave, basis / grid.wave**2 * 5000.0**2


def by_eazy(python: str, recipe: Recipe, sources: Sources, place: Path) -> Answer:
    """EAZY with templates, prior and systematic error of the population and the survey."""
    survey = surveys.get(recipe.survey)
    wave, spectra = templates(recipe)
    prior_z, prior_mag = np.linspace(0.01, 3.0, 300), np.arange(15.5, 26.0, 0.25)
    counts = counts_of(recipe.population, survey)
    prior = np.exp(np.stack([counts.log_density(m, prior_z) for m in prior_mag], axis=1))
    curves = {band.name: passbands.get(band.passband) for band in survey.bands}
    flux, error = sources.photometry.flux, sources.photometry.flux_err
    np.savez(
        place / "eazy-in.npz",
        bands=np.array(survey.band_names),
        flux=flux,
        error=np.hypot(error, calibration_error(survey) * flux),
        templates=spectra,
        template_wave=wave,
        prior_z=prior_z,
        prior_mag=prior_mag,
        prior=prior / np.maximum(prior.sum(axis=0), 1e-300),
        prior_band=recipe.population.band,
        sys_err=0.01,
        z_min=0.01,
        z_max=3.0,
        **{f"wave_{name}": curve.wave for name, curve in curves.items()},
        **{f"through_{name}": curve.throughput for name, curve in curves.items()},
    )
    here = Path(__file__).with_name("eazy_peer.py")
    done = subprocess.run([python, str(here), str(place)], capture_output=True, text=True, env=dict(os.environ))
    if done.returncode:
        raise SystemExit(f"EAZY failed:\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}")
    with np.load(place / "eazy-out.npz") as arrays:
        z, p, seconds = arrays["z"], arrays["p"], float(arrays["seconds"])
    below = np.cumsum(p, axis=1) - 0.5 * p
    quantiles = np.array([np.interp(LEVELS, row, z) for row in below])
    return Answer({"redshift": p @ z}, {"redshift": quantiles}, seconds)


def line(who: str, answer: Answer, z: np.ndarray, truth: Truth, rows: np.ndarray) -> str:
    """One row of the table."""
    off = (answer.quantiles["redshift"][rows, 2] - z[rows]) / (1 + z[rows])
    nmad = 1.4826 * np.median(np.abs(off - np.median(off)))
    rms = np.sqrt(np.mean((answer.point["redshift"][rows] - z[rows]) ** 2))
    cells = [f"{nmad:8.4f}", f"{np.mean(np.abs(off) > CATASTROPHIC):8.1%}", f"{rms:8.4f}"]
    cells += covered(answer.quantiles["redshift"][rows], z[rows])
    for name in MASSES:
        if name not in answer.point:
            cells += [f"{'-':>8s}"] * 3
            continue
        true = truth.column(name)[rows]
        cells.append(f"{np.sqrt(np.mean((answer.point[name][rows] - true) ** 2)):8.4f}")
        cells += covered(answer.quantiles[name][rows], true) if name in answer.quantiles else [f"{'-':>8s}"] * 2
    rate = f"{len(z) / answer.seconds:10,.0f}" if np.isfinite(answer.seconds) else f"{'-':>10s}"
    return f"{who:>26s}" + "".join(cells) + rate


def covered(quantiles: np.ndarray, true: np.ndarray) -> list[str]:
    return [f"{np.mean((quantiles[:, i] < true) & (true < quantiles[:, 4 - i])):8.1%}" for i in (1, 0)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("settings", nargs="*", help="settings of the recipe, for smaller trainings")
    parser.add_argument("--model", default="galaxy-photometry")
    parser.add_argument("--survey", choices=list(any_bands.SURVEYS), default="kids")
    parser.add_argument("--n", type=int, default=5000)
    parser.add_argument("--n-limit", type=int, default=300, help="sources of the exact posterior; 0 for none")
    parser.add_argument("--eazy", metavar="PYTHON", help="a Python that has EAZY")
    args = parser.parse_args()
    place = args.out / args.survey
    place.mkdir(parents=True, exist_ok=True)
    recipe = any_bands.specialist(args.survey, args.out, args.settings)
    sources, truth = any_bands.test_set(recipe)
    sources, truth = sources.take(slice(0, args.n)), truth.take(slice(0, args.n))
    z = sources.redshift
    model = bundle.load(args.model).bind(surveys.get(recipe.survey))
    ours, density = by_model(model, sources)
    answers = {"any bands": ours, "closed form alone": by_evidence(model, sources, density.redshift)}
    answers["specialist"] = by_specialist(train_blind(recipe, place), sources)
    if args.eazy:
        answers["EAZY"] = by_eazy(args.eazy, recipe, sources, place)
    words = ("NMAD", "out", "rms z", "68 %", "95 %", "rms M*", "68 %", "95 %", "rms SFR", "68 %", "95 %")
    head = f"{'':>26s}" + "".join(f"{word:>8s}" for word in words) + f"{'per s':>10s}"
    everything = np.arange(len(z))
    print(f"{args.survey}: {len(z):,} galaxies, S/N > 5 in r, z {z.min():.2f} to {z.max():.2f}\n\n{head}")
    for who, answer in answers.items():
        print(line(who, answer, z, truth, everything))
    if args.n_limit:
        few = sources.take(slice(0, args.n_limit))
        limit = by_exact_posterior(recipe, few, density.redshift, model, place)
        good = np.flatnonzero(limit.point["ess"] > any_bands.LEAST_ESS)
        print(f"\nthe first {args.n_limit:,}, those {len(good):,} of them for which the draws are enough\n\n{head}")
        for who, answer in {**answers, "exact posterior": limit}.items():
            print(line(who, answer, z, truth, good))


if __name__ == "__main__":
    main()
