"""`galprism demo`: the main job on a shipped catalogue."""

from __future__ import annotations

import argparse
from pathlib import Path

from galprism.cli.folders import made


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the results go."""
    parser.add_argument(
        "-o", "--output", default="galprism-demo", metavar="DIR", help="folder of the results (default: galprism-demo)"
    )


def run(args: argparse.Namespace) -> None:
    """Run it."""
    from galprism.recipes.demo import demo

    out = Path(args.output)
    with made(out):
        demo(out)
