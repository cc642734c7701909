"""One model for any bands, on surveys that it never saw, beside a specialist of each and the exact posterior mean.

    python benchmarks/any_bands.py OUT [--model BUNDLE] [--surveys kids rubin …] [--n-limit 1500]

For each survey the same simulated galaxies, never trained on, are given to the model for any bands, to a specialist
(the same network and number of mocks, trained on that survey alone), and, some of them, to the exact posterior. What
was trained or computed is kept in OUT; a run that stopped is taken up. Judged are sources with S/N of 5 or more in r.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from galprism import bundle, recipes, surveys
from galprism.data import Predictions, Sources, Truth
from galprism.infer import predict
from galprism.mocks.simulate import simulate
from galprism.recipes import references
from galprism.recipes.recipe import Recipe
from galprism.recipes.sky import sky
from galprism.recipes.training import train_bundle
from galprism.surveys.reading import concatenate

HERE = Path(__file__).parent / "surveys"
SURVEYS = {
    "kids": "kids",
    "hsc-2mass": str(HERE / "hsc-2mass.toml"),
    "splus": str(HERE / "splus.toml"),
    "rubin": "rubin",
}
"""None of their passbands is in the pool of the recipe."""
JUDGED = ("logmstar", "logsfr", "age_mw", "age_lw", "logzsol", "av")
LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)
LEAST_SN = 5.0
FIRST_TEST_ID = 100_000_000
N_TEST = 20_000


def specialist(name: str, settings: list[str]) -> Recipe:
    """The recipe for any bands, for one survey: the same galaxies and network, inputs of its own bands."""
    own = [f"survey='{SURVEYS[name]}'", f"name='only-{name}'", "surveys.pool=[]", "prep.kind='colours'"]
    return recipes.load("galaxy-photometry", [*own, "population.band='r'", "noise.depth_scatter=0.3", *settings])


def test_set(recipe: Recipe) -> tuple[Sources, Truth]:
    """Simulated galaxies that no training saw, with S/N enough in r."""
    parts = list(simulate(sky(recipe), recipe.noise, N_TEST, FIRST_TEST_ID))
    sources = concatenate([sources for sources, _ in parts], surveys.get(recipe.survey))
    names = parts[0][1].names
    values = np.concatenate([truth.values for _, truth in parts])
    truth = Truth(id=np.concatenate([t.id for _, t in parts]), names=names, values=values)
    r = sources.photometry.bands.index("r")
    seen = sources.photometry.flux[:, r] * np.sqrt(sources.photometry.ivar[:, r]) > LEAST_SN
    return sources.take(seen), truth.take(seen)


def rms(found: Predictions, truth: Truth, name: str) -> float:
    return float(np.sqrt(np.mean((found.column(name) - truth.column(name)) ** 2)))


def covers(found: Predictions, truth: Truth, name: str, low: float, high: float) -> float:
    true = truth.column(name)
    return float(np.mean((found.quantile(name, low) < true) & (true < found.quantile(name, high))))


def one_survey(name: str, out: Path, model: bundle.Bundle, settings: list[str], n_limit: int, workers: int) -> dict:
    recipe = specialist(name, settings)
    place = out / name
    place.mkdir(parents=True, exist_ok=True)
    if not (place / "specialist" / "bundle.json").exists():
        train_bundle(
            recipe,
            place / "specialist",
            work=place / "work",
            report=lambda e, n: print(
                f"  {name}: epoch {e.epoch + 1} of {n}, validation {e.valid_loss:.4f}", flush=True
            ),
        )
    alone = bundle.load(place / "specialist")
    sources, truth = test_set(recipe)
    survey = surveys.get(recipe.survey)
    answers = {
        "any bands": predict(model.bind(survey), sources, LEVELS),
        "specialist": predict(alone, sources, LEVELS),
    }
    few = np.arange(min(n_limit, len(sources)))
    kept = place / f"posterior-{len(few)}-{recipe.fit.n_draws}.npz"
    if kept.exists():
        with np.load(kept) as arrays:
            limit, ess = arrays["point"], arrays["ess"]
    elif n_limit:
        draws = references.reference_cache(recipe, "posterior", place / f"draws-{recipe.fit.n_draws}.npz")
        print(f"  {name}: {len(draws):,} draws, errors of the cache in mag {draws.meta['error_mag']}", flush=True)
        exact = references.fit(recipe, sources.take(few), "posterior", draws, workers=workers, levels=LEVELS)
        limit, ess = exact.point, exact.extra["ess"]
        np.savez(kept, point=limit, ess=ess)
    result = {"n": len(sources), "bands": len(survey.bands)}
    for j, target in enumerate(JUDGED):
        row = {f"rms, {who}": rms(found, truth, target) for who, found in answers.items()}
        row["over the specialist"] = row["rms, any bands"] / row["rms, specialist"]
        if n_limit:
            enough = few[ess >= 50]
            part = truth.take(enough)
            j = recipe.targets.names.index(target)
            best = float(np.sqrt(np.mean((limit[enough, j] - part.column(target)) ** 2)))
            row["over the limit"] = rms(answers["any bands"].take(enough), part, target) / best
            row["specialist over the limit"] = rms(answers["specialist"].take(enough), part, target) / best
            row["limit"], row["n of the limit"] = best, len(enough)
        row["68 %"] = covers(answers["any bands"], truth, target, 0.16, 0.84)
        row["95 %"] = covers(answers["any bands"], truth, target, 0.025, 0.975)
        result[target] = row
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("settings", nargs="*", help="settings of the recipe, for smaller trainings")
    parser.add_argument("--model", default="galaxy-photometry")
    parser.add_argument("--surveys", nargs="+", choices=SURVEYS, default=list(SURVEYS))
    parser.add_argument("--n-limit", type=int, default=1500, help="sources of the exact posterior (default: 1500)")
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    model = bundle.load(args.model)
    for name in args.surveys:
        found = one_survey(name, args.out, model, args.settings, args.n_limit, args.workers)
        (args.out / name / "result.json").write_text(json.dumps(found, indent=1))
        print(f"\n{name}: {found['bands']} bands, {found['n']:,} sources")
        columns = list(found["logmstar"])
        print("{:10s}".format("") + "".join(f"{c:>26s}" for c in columns))
        for target in JUDGED:
            print(f"{target:10s}" + "".join(f"{found[target][c]:26.4f}" for c in columns))


if __name__ == "__main__":
    main()
