"""What the trust columns of the model for any bands catch: data that are wrong, on simulated galaxies of a survey.

    python benchmarks/trust.py OUT [--model BUNDLE] [--survey kids]

Harm is done to honest photometry, in a band of each source that is drawn at random: its flux is off by 5 of its
errors; it is off by 5 %, as by a wrong zero point; it is another source's. And to the model: the curve of one band is
3 % too red, each band in turn. A source is harmed where its log M* moves by more than 2 of its own standard deviations;
it is caught where it is flagged POOR_FIT, UNLIKE_TRAINING or INPUT_OUT_OF_RANGE. Beside: how many honest sources are
flagged so; what the medians of a whole sample say of a zero point; and what the exact posterior catches, which has the
forward model itself, by its posterior-predictive p-value at the same rate of false alarms (--n-fit sources of each).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from any_bands import SURVEYS, specialist, test_set
from galprism import bundle, passbands, surveys
from galprism.data import Predictions, Sources
from galprism.flags import Flag
from galprism.infer import band_offsets, predict
from galprism.passbands import Passband
from galprism.prep.preparation import SUSPECT
from galprism.recipes import references
from galprism.recipes.recipe import Recipe

DOUBT = np.uint32(Flag.POOR_FIT | Flag.UNLIKE_TRAINING | Flag.INPUT_OUT_OF_RANGE)
MOVED = 2.0
BARS = {"an outlier of 5 sigma": 0.9, "a zero point 5 % off": 0.8, "a curve 3 % too red": 0.8}


def with_flux(sources: Sources, flux: np.ndarray) -> Sources:
    return replace(sources, photometry=replace(sources.photometry, flux=flux.astype(np.float32)))


def spoiled(sources: Sources, rng: np.random.Generator) -> Iterator[tuple[str, Sources]]:
    """The same sources with one kind of harm each."""
    photometry = sources.photometry
    n, b = photometry.flux.shape
    hit = rng.integers(b, size=(n, 1)) == np.arange(b)
    sign = rng.choice([-1.0, 1.0], size=(n, 1))
    yield "an outlier of 5 sigma", with_flux(sources, photometry.flux + hit * sign * 5.0 * photometry.flux_err)
    yield "a zero point 5 % off", with_flux(sources, photometry.flux * (1 + 0.05 * hit * sign))
    yield (
        "a flux of another source",
        with_flux(sources, np.where(hit, rng.permutation(photometry.flux), photometry.flux)),
    )


def red_curves(survey: surveys.Survey, folder: Path) -> Iterator[surveys.Survey]:
    """The survey with the curve of one band 3 % too red, each band in turn."""
    for k, band in enumerate(survey.bands):
        curve = passbands.get(band.passband)
        path = folder / f"{band.name}.ecsv"
        passbands.write_ecsv(path, Passband(curve.name, curve.wave * 1.03, curve.throughput, curve.provenance))
        yield replace(survey, bands=(*survey.bands[:k], replace(band, passband=str(path)), *survey.bands[k + 1 :]))


def judge(honest: Predictions, wrong: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """(N,) each: whether log M* moved beyond its error, and whether the source is flagged."""
    width = 0.5 * (honest.quantile("logmstar", 0.84) - honest.quantile("logmstar", 0.16))
    moved = np.abs(wrong.column("logmstar") - honest.column("logmstar")) > MOVED * width
    return moved, (wrong.flags & DOUBT) != 0


def by_forward_model(recipe: Recipe, args: argparse.Namespace, honest: Sources, harmed: dict[str, Sources]) -> None:
    """Print the share of harmed sources whose p-value is below that of SUSPECT of the honest ones."""
    place = args.out / args.survey
    place.mkdir(exist_ok=True)
    draws = references.reference_cache(recipe, "posterior", place / f"draws-{args.n_draws}.npz")

    def p_values(sources: Sources) -> np.ndarray:
        found = references.fit(recipe, sources.take(slice(0, args.n_fit)), "posterior", draws)
        return np.nan_to_num(found.extra["predictive_p"], nan=0.0)

    limit = np.quantile(p_values(honest), SUSPECT)
    for name, sources in harmed.items():
        if len(sources):
            p = p_values(sources)
            print(f"{name:26s}{np.mean(p <= limit):9.1%} of {len(p):,}; p <= {limit:.3g}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="galaxy-photometry")
    parser.add_argument("--survey", default="kids", choices=SURVEYS)
    parser.add_argument("--n-fit", type=int, default=600, help="0 for none (default: 600)")
    parser.add_argument("--n-draws", type=int, default=400_000, help="of the exact posterior (default: 400000)")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    recipe = specialist(args.survey, args.out, [])
    survey = surveys.get(recipe.survey)
    every, _ = test_set(recipe)
    model = bundle.load(args.model)
    bound = model.bind(survey)
    first = predict(bound, every)
    kept = (first.flags & DOUBT) == 0
    sources, honest = every.take(kept), first.take(kept)
    print(
        f"{args.survey}: {len(every):,} honest sources, {np.mean(~kept):.2%} of them flagged; the others are harmed\n"
    )
    print(f"{'harm':26s}{'flagged':>9s}{'log M* moved by 2 sigma':>26s}{'of these flagged':>18s}{'bar':>6s}")
    bad_ones = dict(spoiled(sources, np.random.default_rng(4)))
    told = [(name, judge(honest, predict(bound, bad))) for name, bad in bad_ones.items()]
    with tempfile.TemporaryDirectory() as folder:
        parts = [judge(honest, predict(model.bind(odd), sources)) for odd in red_curves(survey, Path(folder))]
    told.append(("a curve 3 % too red", tuple(np.concatenate(column) for column in zip(*parts, strict=True))))
    for name, (moved, flagged) in told:
        share = f"{np.mean(flagged[moved]):.1%}" if moved.any() else "none"
        bar = f"{BARS[name]:.0%}" if name in BARS else ""
        print(f"{name:26s}{np.mean(flagged):9.1%}{np.count_nonzero(moved):26,}{share:>18s}{bar:>6s}")
    if args.n_fit:
        recipe = replace(recipe, fit=replace(recipe.fit, n_draws=args.n_draws))
        print("\nof those that moved, caught by the exact posterior at the same rate of false alarms")
        moved_by = {name: moved for name, (moved, _) in told}
        by_forward_model(recipe, args, every, {name: bad.take(moved_by[name]) for name, bad in bad_ones.items()})
    print("\nin the sample: offset of each band, mag, honest, and with its zero point 5 % off (0.053)")
    before = band_offsets(bound, sources)
    for j, one in enumerate(before):
        flux = sources.photometry.flux.copy()
        flux[:, j] *= 1.05
        after = band_offsets(bound, with_flux(sources, flux))
        first = max(after, key=lambda each: abs(each.offset / each.error)).band
        found = f"{after[j].offset:+8.3f} +- {after[j].error:.3f}"
        print(f"  {one.band:3s}{one.offset:+8.3f}{found}; stands out most: {first}")


if __name__ == "__main__":
    main()
