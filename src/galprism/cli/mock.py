"""`galprism mock RECIPE -n N -o OUT`: a simulated catalogue with its truth."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from pathlib import Path

from galprism import recipes
from galprism.cli.extras import require
from galprism.cli.folders import made
from galprism.cli.progress import Progress

WRITES = ("output", "cutouts", "spectra")
READS = ("recipe", "settings", "survey")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which recipe, how many galaxies, and where to."""
    parser.add_argument("recipe", help="a recipe by name or the path of a .toml")
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="settings such as noise.perturb=false seed=7")
    parser.add_argument("-n", type=int, default=120_000, help="how many sources (default: 120000)")
    parser.add_argument("--first", type=int, default=0, help="the first id, of a field the first patch (default: 0)")
    parser.add_argument(
        "--cutouts", metavar="FILE", help="images of the same sources too, of a recipe with [images] (.h5)"
    )
    parser.add_argument(
        "--spectra", metavar="FOLDER", help="spectra of the same galaxies too, of a recipe with [spectra]: a new folder"
    )
    parser.add_argument("--survey", help="in whose bands, for a recipe of any bands (name or .toml)")
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUT", help="a table (.parquet, .fits, …), or a folder for one"
    )


def run(args: argparse.Namespace) -> None:
    """Simulate and write."""
    recipe = recipes.load(args.recipe, args.settings)
    if args.survey:
        recipe = recipes.for_survey(recipe, args.survey)
    require("mock", "simulating galaxies")
    from galprism.recipes.mock import write_mock

    path = Path(args.output)
    cutouts, spectra = (Path(each) if each else None for each in (args.cutouts, args.spectra))
    progress = Progress("sources", args.n)
    with nullcontext() if path.suffix else made(path):
        path = path if path.suffix else path / "catalogue.parquet"
        area = write_mock(recipe, args.n, path, first=args.first, cutouts=cutouts, spectra=spectra, progress=progress)
    progress.finish()
    where = "" if area is None else f" on {area:.3g} square degrees"
    print(f"{args.n:,} simulated sources{where} with their truth: {path}")
