"""`galprism fit RECIPE_OR_BUNDLE CATALOGUE -o OUT --method grid|posterior`: template fitting.

Spectra are fitted by `galprism fit LIBRARY SPECTRA … -o OUT --method full-spectrum|ppxf`, see cli/fit_spectra.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from galprism import bundle, flags, recipes, surveys
from galprism.cli import fit_spectra
from galprism.cli.extras import cache_path
from galprism.cli.progress import Progress
from galprism.cli.reading import add_reading_arguments, print_flags, reading_options
from galprism.data.tables import check_writable, open_table, write_predictions
from galprism.errors import RequestError
from galprism.recipes.references import METHODS, fit, reference_cache

WRITES = ("output",)
READS = ("catalogue", "settings", "redshift", "columns", "cache", "recipe", "survey")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whose models and priors, which catalogue, by which method, and where to."""
    parser.add_argument("recipe", help="a recipe, or a model (its recipe is taken); of spectra, a library")
    parser.add_argument("catalogue", help="FITS, Parquet, ECSV, VOTable, CSV or HDF5; or a file or folder of spectra")
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="settings of the recipe; or more spectra")
    parser.add_argument("--survey", help="whose bands they are, for a recipe of any bands (name or .toml)")
    parser.add_argument("--method", choices=(*METHODS, *fit_spectra.METHODS), default="grid", help="default: grid")
    parser.add_argument(
        "--cache", metavar="FILE.npz", help="model fluxes: read from here, or made and kept here (needs galprism[mock])"
    )
    parser.add_argument("--workers", type=int, default=1, help="threads of the posterior (default: 1)")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="the table to write")
    add_reading_arguments(parser)
    fit_spectra.add_spectrum_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Fit and write."""
    if args.method in fit_spectra.METHODS:
        return fit_spectra.run(args)
    fit_spectra.check_not_given(args)
    known = args.recipe in recipes.names() or args.recipe.endswith(".toml")
    recipe = recipes.load(args.recipe if known else bundle.load(args.recipe).recipe_name, args.settings)
    recipes.check_population(recipe)
    if args.survey:
        recipe = recipes.for_survey(recipe, args.survey)
    elif recipe.survey == recipes.ANY:
        raise RequestError(
            f"recipe {recipe.name} takes any bands: say whose these are, with --survey ({', '.join(surveys.names())}, "
            "or a .toml file)"
        )
    output = check_writable(args.output)
    survey, reading = surveys.get(recipe.survey), reading_options(args)
    with open_table(args.catalogue) as table:
        if surveys.understood(table, survey, **reading).redshift is None:
            raise RequestError(
                f"{args.catalogue}: a fit needs redshifts; give their column with --column redshift=NAME"
            )
    sources = surveys.read(args.catalogue, survey, **reading)
    if args.method == "grid":
        check_settings(args.settings)
    if args.workers < 1:
        raise RequestError(f"--workers {args.workers}; accepted: 1 or more")
    folder = cache_path(args.cache, "--cache") if args.cache else None
    cache = reference_cache(recipe, args.method, folder)
    progress = Progress("sources", len(sources))
    found = fit(recipe, sources, args.method, cache, workers=args.workers, progress=progress)
    write_predictions(output, found)
    progress.finish()
    print(f"{len(sources):,} sources by {args.method} fit: {output}")
    print_flags(flags.counts(found.flags))


def check_settings(settings: Sequence[str]) -> None:
    """Raises RequestError for a setting that has no part in a grid fit."""
    for setting in settings:
        key = setting.partition("=")[0].strip()
        if key.startswith("population.") and key not in ("population.logu", "population.redshift"):
            raise RequestError(
                f"{key} has no part in a grid fit, whose models are a fixed grid; accepted with it: library, nebular, "
                "population.logu, population.redshift. The posterior fit takes its prior from the population"
            )
