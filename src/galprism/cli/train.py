"""`galprism train RECIPE -o BUNDLE [train.lr=…]`: learn a bundle."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from galprism import recipes
from galprism.cli.extras import require
from galprism.cli.progress import Progress
from galprism.errors import RequestError

WRITES = ("output",)
READS = ("recipe", "settings")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which recipe, with which settings, and where the bundle goes."""
    parser.add_argument("recipe", help="a recipe by name or the path of a .toml")
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="settings such as train.epochs=[20] seed=7")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    parser.add_argument("--work", metavar="DIR", help="keep galaxies, checkpoints, log and loss curves here")
    parser.add_argument(
        "--sweep",
        action="append",
        default=[],
        metavar="KEY=[V1, V2, …]",
        help="train once for each of these values, and each combination where it stands several times; BUNDLE is then "
        "the folder of all",
    )
    parser.add_argument("-o", "--output", required=True, metavar="BUNDLE", help="the folder to write")


def run(args: argparse.Namespace) -> None:
    """Train and write; the same command takes up a training that was stopped."""
    recipe = recipes.load(args.recipe, args.settings)
    of_field = recipe.classes is not None or recipe.modalities is not None or recipe.staged is not None
    if not of_field and recipe.labels is None:
        recipes.check_population(recipe)
    require("train", "training")
    if args.sweep:
        from galprism.recipes.sweep import TABLE, sweep

        if args.work:
            raise RequestError(f"--work {args.work} with --sweep: each training keeps its own, in the folder of all")
        out = Path(args.output)
        say = partial(print, file=sys.stderr, flush=True)
        table = sweep(args.recipe, args.settings, args.sweep, out, device=args.device, say=say)
        print(f"{table.text()}\n\ntable: {out / TABLE}")
        return
    from galprism.recipes.training import train_bundle

    sample = recipe.sample
    n_made = sample.train + sample.validation + (sample.test if of_field else 0)
    galaxies = Progress("sources" if recipe.classes else "galaxies", n_made)
    what = "rms of the probability of other classes" if recipe.classes else "rms of coordinates"

    def report(epoch, n_epochs: int) -> None:
        rms = " ".join(f"{value:.4f}" for value in epoch.valid_rms)
        best = "  best" if epoch.best else ""
        print(
            f"epoch {epoch.epoch + 1:>3} of {n_epochs}: loss {epoch.train_loss:.5f}, "
            f"validation {epoch.valid_loss:.5f}, {what} {rms}, {epoch.seconds:.0f} s{best}",
            file=sys.stderr,
            flush=True,
        )

    work = Path(args.work) if args.work else None
    say = partial(print, file=sys.stderr, flush=True)
    how = {"work": work, "device": args.device, "report": report, "progress": galaxies, "say": say}
    out = train_bundle(recipe, Path(args.output), **how)
    print(f"bundle: {out}")
