"""One model for any bands, on surveys that it never saw, beside a specialist of each and the exact posterior mean.

    python benchmarks/any_bands.py OUT [KEY=VALUE …] [--model BUNDLE] [--surveys kids rubin …] [--n-limit 1500]

For each survey the same simulated galaxies, never trained on, are given to the model for any bands, to a specialist
(the same network and number of mocks, trained on that survey alone), and, some of them, to the exact posterior. What
was trained or computed is kept in OUT; a run that stopped is taken up. Judged are sources with S/N of 5 or more in r.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
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
from galprism.train import Epoch

HERE = Path(__file__).parent / "surveys"
SURVEYS = {
    "kids": "kids",
    "hsc-2mass": str(HERE / "hsc-2mass.toml"),
    "splus": "splus",
    "rubin": "rubin",
    "jpas": "jpas",
}
"""None of their passbands is in the pool of the recipe."""
SUBSETS = {
    "kids-8": ("i",),
    "kids-6": ("g", "Z", "H"),
    "kids-4": ("u", "i", "Y", "J", "Ks"),
    "kids-ugri": ("Z", "Y", "J", "H", "Ks"),
}
"""KiDS+VIKING without some of its bands."""
JUDGED = ("logmstar", "logsfr", "age_mw", "age_lw", "logzsol", "av")
LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)
LEAST_SN = 5.0
LEAST_ESS = 50
FIRST_TEST_ID = 100_000_000
N_TEST = 20_000


def survey_file(name: str, out: Path) -> str:
    """The name of a survey, or the file that says it."""
    if name in SURVEYS:
        return SURVEYS[name]
    path = out / f"{name}.toml"
    bands = surveys.get("kids").without(SUBSETS[name]).bands
    lines = [f'name = "{name}"']
    for band in bands:
        lines += ["", "[[bands]]", *(f"{key} = {value!r}" for key, value in asdict(band).items())]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def specialist(name: str, out: Path, settings: list[str]) -> Recipe:
    """The recipe for any bands, for one survey: the same galaxies and network, inputs of its own bands."""
    recipe = recipes.load("galaxy-photometry", ["noise.depth_scatter=0.3", *settings])
    return replace(recipes.for_survey(recipe, survey_file(name, out)), name=f"only-{name}")


def test_set(recipe: Recipe) -> tuple[Sources, Truth]:
    """Simulated galaxies that no training saw, with S/N enough in r."""
    parts = list(simulate(sky(recipe), recipe.noise, N_TEST, FIRST_TEST_ID))
    sources = concatenate([sources for sources, _ in parts], surveys.get(recipe.survey))
    names = parts[0][1].names
    values = np.concatenate([truth.values for _, truth in parts])
    truth = Truth(id=np.concatenate([t.id for _, t in parts]), names=names, values=values)
    bands = sources.photometry.bands
    r = bands.index("r" if "r" in bands else recipe.population.band)
    seen = sources.photometry.flux[:, r] * np.sqrt(sources.photometry.ivar[:, r]) > LEAST_SN
    return sources.take(seen), truth.take(seen)


def rms(found: Predictions, truth: Truth, name: str) -> float:
    return float(np.sqrt(np.mean((found.column(name) - truth.column(name)) ** 2)))


def covers(found: Predictions, truth: Truth, name: str, low: float, high: float) -> float:
    true = truth.column(name)
    return float(np.mean((found.quantile(name, low) < true) & (true < found.quantile(name, high))))


def train_specialist(recipe: Recipe, place: Path) -> None:
    """A specialist's bundle, if it is not there yet."""
    place.mkdir(parents=True, exist_ok=True)

    def report(epoch: Epoch, n: int) -> None:
        print(f"  {recipe.name}: epoch {epoch.epoch + 1} of {n}, validation {epoch.valid_loss:.4f}", flush=True)

    if not (place / "specialist" / "bundle.json").exists():
        train_bundle(recipe, place / "specialist", work=place / "work", report=report)


def one_survey(recipe: Recipe, place: Path, model: bundle.Bundle, n_limit: int, workers: int) -> dict:
    """Errors of the three on the same galaxies, target by target; nan for a specialist that was not trained."""
    name = recipe.name
    sources, truth = test_set(recipe)
    survey = surveys.get(recipe.survey)
    answers = {"any bands": predict(model.bind(survey), sources, LEVELS)}
    if (place / "specialist").exists():
        answers["specialist"] = predict(bundle.load(place / "specialist"), sources, LEVELS)
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
    enough = few[ess >= LEAST_ESS] if n_limit else few[:0]
    part = truth.take(enough)
    result = {"n": len(sources), "bands": len(survey.bands), "n of the limit": len(enough)}
    for target in JUDGED:
        errors = {"specialist": np.nan} | {who: rms(found, truth, target) for who, found in answers.items()}
        best = np.nan
        if n_limit:
            j = recipe.targets.names.index(target)
            best = float(np.sqrt(np.mean((limit[enough, j] - part.column(target)) ** 2)))
        result[target] = {
            "rms": errors["any bands"],
            "specialist": errors["specialist"],
            "ratio": errors["any bands"] / errors["specialist"],
            "limit": best,
            "over the limit": rms(answers["any bands"].take(enough), part, target) / best,
            "specialist over the limit": rms(answers["specialist"].take(enough), part, target) / best
            if "specialist" in answers
            else np.nan,
            "68 %": covers(answers["any bands"], truth, target, 0.16, 0.84),
            "95 %": covers(answers["any bands"], truth, target, 0.025, 0.975),
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("settings", nargs="*", help="settings of the recipe, for smaller trainings")
    parser.add_argument("--model", default="galaxy-photometry")
    parser.add_argument("--surveys", nargs="+", choices=[*SURVEYS, *SUBSETS], default=[*SURVEYS][:4])
    parser.add_argument("--n-limit", type=int, default=1500, help="sources of the exact posterior (default: 1500)")
    parser.add_argument("--specialists", action="store_true", help="train the specialists and stop")
    parser.add_argument("--alone", action="store_true", help="without specialists")
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    named = {name: specialist(name, args.out, args.settings) for name in args.surveys}
    for name, recipe in named.items():
        (args.out / name).mkdir(parents=True, exist_ok=True)
        if not args.alone:
            train_specialist(recipe, args.out / name)
    if args.specialists:
        return
    model = bundle.load(args.model)
    for name, recipe in named.items():
        found = one_survey(recipe, args.out / name, model, args.n_limit, args.workers)
        (args.out / name / "result.json").write_text(json.dumps(found, indent=1))
        print(f"\n{name}: {found['bands']} bands, {found['n']:,} sources; limit on {found['n of the limit']:,}")
        words = ("", "rms", "specialist", "ratio", "rms/limit", "specialist's", "68 %", "95 %")
        print("".join(f"{word:>14s}" for word in words))
        for target in JUDGED:
            row = found[target]
            cells = [row[c] for c in ("rms", "specialist", "ratio", "over the limit", "specialist over the limit")]
            print(f"{target:>14s}" + "".join(f"{cell:14.4f}" for cell in (*cells, row["68 %"], row["95 %"])))


if __name__ == "__main__":
    main()
