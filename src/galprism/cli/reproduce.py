"""`galprism reproduce SYSTEM -o DIR`: a published system from start to finish."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from galprism.cli.extras import require

WIDTH = 110
"""Letters of a line of the final table."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which system, where to, and at which size."""
    parser.add_argument("system", help="mlp-gap, jpas-ssp, jpas-libraries, kids-mnn, mmlforgalam or sdss-fusion")
    parser.add_argument("--quick", action="store_true", help="reduced size, a few minutes; shows that it runs")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="threads or processes of the exact posterior"
    )
    parser.add_argument(
        "--library",
        dest="libraries",
        action="append",
        default=[],
        metavar="NAME_OR_PATH",
        help="of jpas-libraries: a library of stellar populations; two or more",
    )
    parser.add_argument("--catalogue", default="", metavar="FILE", help="of jpas-libraries: J-PAS photometry to map")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="the folder; taken up where it stopped")


def run(args: argparse.Namespace) -> None:
    """Run what is not done, then print the table."""
    require("train", "reproducing a system")
    if args.system == "jpas-libraries":
        require("maps", "a map of libraries")
    from galprism.recipes.reproduce import reproduce

    out = Path(args.output)
    table = reproduce(
        args.system,
        out,
        quick=args.quick,
        workers=args.workers,
        libraries=args.libraries,
        catalogue=args.catalogue,
    )
    print(f"\n{table.text(WIDTH)}\n\nresults: {out / 'results.md'}")
    for report in sorted(out.glob("report*/index.html")):
        print(f"report: {report}")
