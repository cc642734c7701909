"""Posterior-predictive checks of a model's answers: how even on honest galaxies, and what they catch.

    python benchmarks/predictive.py OUT [--model galaxy-photometry] [--survey kids] [--n 4000] [--n-fit 400]

Honest are simulated galaxies of the model's own population that it never saw, with S/N of 5 or more in r. Data are
spoilt as in benchmarks/trust.py, and answers by shifting a parameter up or down by 3 of its sigmas, in the coordinates
that it is bounded in (log M* takes log SFR with it), or by taking another galaxy's, at its own scale or scaled to this
one's mass. Caught are those with p < 0.01; beside: those that the other columns flag, and what the check costs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from any_bands import SURVEYS, survey_file, test_set
from galprism import bundle, config, recipes, surveys
from galprism.data import Predictions, Sources
from galprism.fit import ModelCache
from galprism.infer import Posteriors, predict
from galprism.infer.predictive import PredictiveCheck
from galprism.infer.stored import COLUMN
from galprism.recipes import Recipe, references
from trust import DOUBT, spoiled

LEVELS = (0.001, 0.01, 0.05, 0.1, 0.5, 0.9)
CAUGHT = 0.01
SHIFT = 3.0
SN_BINS = ((5, 20), (20, 100), (100, 1000))


def joint(found: Predictions) -> Posteriors:
    return Posteriors.unpack(found.extra[COLUMN], found.point.astype(np.float64), found.meta[COLUMN])


def sigmas(told: Posteriors) -> np.ndarray:
    """(N, P), of the mixtures' coordinates."""
    weight = told.weight[:, :, None]
    inside = (told.factor**2).sum(axis=3) + (told.mean - (weight * told.mean).sum(axis=1, keepdims=True)) ** 2
    return np.sqrt((weight * inside).sum(axis=1))


def wrong(told: Posteriors, rng: np.random.Generator) -> Iterator[tuple[str, Posteriors]]:
    """The same answers with one kind of error each."""
    sigma, sign = sigmas(told), rng.choice([-1.0, 1.0], len(told))
    for j, name in enumerate(told.names):
        moved = [j, *([told.names.index("logsfr")] if name == "logmstar" and "logsfr" in told.names else [])]
        mean = told.mean.copy()
        mean[:, :, moved] += (SHIFT * sign * sigma[:, j])[:, None, None]
        yield f"{name} by {SHIFT:.0f} sigma", replace(told, mean=mean)
    other = np.roll(np.arange(len(told)), 1)
    swapped = replace(told, weight=told.weight[other], mean=told.mean[other], factor=told.factor[other])
    yield "of another galaxy", swapped
    free = [j for j, name in enumerate(told.names) if name.startswith(("logm", "logsfr"))]
    if free:
        mean = swapped.mean.copy()
        own, others = ((t.weight * t.mean[:, :, free[0]]).sum(axis=1) for t in (told, swapped))
        mean[:, :, free] += (own - others)[:, None, None]
        yield "of another, same mass", replace(swapped, mean=mean)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="galaxy-photometry")
    parser.add_argument("--survey", default="kids", choices=SURVEYS, help="of a model of any bands")
    parser.add_argument("--n", type=int, default=4000)
    parser.add_argument("--n-fit", type=int, default=0, help="galaxies that the exact posterior is asked about")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    model = bundle.load(args.model)
    recipe = config.fill(Recipe, model.recipe)
    path = args.out / f"draws-{args.model if recipe.survey != recipes.ANY else args.survey}.npz"
    survey = survey_file(args.survey, args.out)
    models = references.models_of(model, survey, path)
    if recipe.survey == recipes.ANY:
        model, recipe = model.bind(surveys.get(survey)), recipes.for_survey(recipe, survey)
    sources = test_set(recipe)[0].take(slice(0, args.n))

    start = time.process_time()
    found = predict(model, sources, posterior=True)
    plain = time.process_time() - start
    start = time.process_time()
    check = PredictiveCheck(model, models)
    ready = time.process_time() - start
    told = joint(found)
    start = time.process_time()
    p = check.p_values(sources, told)
    spent = time.process_time() - start
    n = len(sources)
    print(
        f"{args.model}, {recipe.survey}: {n:,} galaxies, {len(model.bands)} bands, {len(models):,} draws of their kind"
    )
    print(
        f"per s of one core: {n / plain:,.0f} without, {n / (plain + spent):,.0f} with; {ready:.1f} s to make ready\n"
    )
    print("honest, p below   " + "".join(f"{level:>9g}" for level in LEVELS))
    r = "r" if "r" in model.bands else model.bands[len(model.bands) // 2]
    seen = sources.photometry.select((r,))
    sn = (seen.flux * np.sqrt(seen.ivar))[:, 0]
    bins = {"all": sn > 0} | {f"S/N {a} to {b}": (sn >= a) & (sn < b) for a, b in SN_BINS}
    for name, some in bins.items():
        if some.any():
            print(f"{name:18s}" + "".join(f"{np.mean(p[some] < level):9.2%}" for level in LEVELS))
    print(f"without a p-value: {np.isnan(p).mean():.2%}; flagged by the other columns: {flagged(found):.2%}\n")
    print(f"{'data':26s}{'p < 0.01':>10s}{'flagged':>10s}{'either':>10s}")
    for name, bad in spoiled(sources, np.random.default_rng(4)):
        other = predict(model, bad, posterior=True)
        low, doubt = check.p_values(bad, joint(other)) < CAUGHT, (other.flags & DOUBT) != 0
        print(f"{name:26s}{low.mean():10.1%}{doubt.mean():10.1%}{(low | doubt).mean():10.1%}")
    print(f"\n{'answers':26s}{'p < 0.01':>10s}")
    for name, other in wrong(told, np.random.default_rng(5)):
        print(f"{name:26s}{np.mean(check.p_values(sources, other) < CAUGHT):10.1%}")

    if args.n_fit:
        by_fit(check, recipe, models, sources.take(slice(0, args.n_fit)))


def by_fit(check: PredictiveCheck, recipe: Recipe, models: ModelCache, sources: Sources) -> None:
    """Print how alike the p-values are to those of the exact posterior."""
    print(f"\n{'beside the exact posterior':26s}{'ranks':>10s}{'its < 0.01':>12s}{'ours':>8s}{'both':>8s}")
    for name, some in (("honest", sources), *spoiled(sources, np.random.default_rng(4))):
        p = check.p_values(some, joint(predict(check.bundle, some, posterior=True)))
        exact = references.fit(recipe, some, "posterior", models).extra["predictive_p"]
        good = np.isfinite(p) & np.isfinite(exact)
        a, b = p[good] < CAUGHT, exact[good] < CAUGHT
        ranks = spearmanr(p[good], exact[good])[0]
        print(f"{name:26s}{ranks:10.3f}{b.mean():12.1%}{a.mean():8.1%}{(a & b).mean():8.1%}")


def flagged(found: Predictions) -> float:
    return float(np.mean((found.flags & DOUBT) != 0))


if __name__ == "__main__":
    main()
