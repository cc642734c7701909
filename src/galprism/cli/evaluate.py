"""`galprism evaluate PREDICTIONS … --truth TABLE -o REPORT`: judge predictions."""

from __future__ import annotations

import argparse
from pathlib import Path

from galprism import surveys
from galprism.cli.reading import add_reading_arguments, reading_options
from galprism.data.tables import read_predictions, read_truth
from galprism.errors import RequestError
from galprism.evaluate import evaluate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to judge, against what, and where the report goes."""
    parser.add_argument(
        "predictions",
        nargs="+",
        metavar="[NAME=]PREDICTIONS",
        help="tables of `predict` or `fit`, named",
    )
    parser.add_argument("--truth", metavar="TABLE", help="a table with the true values, such as a simulated catalogue")
    parser.add_argument("--catalogue", metavar="TABLE", help="the photometry, for results by magnitude and S/N")
    parser.add_argument("--survey", default="kids", help="the survey of that catalogue (default: kids)")
    parser.add_argument("--limit", metavar="NAME", help="which of the predictions is the exact posterior")
    parser.add_argument("--title", help="the report's title")
    parser.add_argument("--force", action="store_true", help="replace the folder whatever it holds")
    parser.add_argument("-o", "--output", required=True, metavar="REPORT", help="the folder to write")
    add_reading_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Judge, print the table, and say where the report is."""
    named = dict(_named(text) for text in args.predictions)
    if len(named) < len(args.predictions):
        raise RequestError(f"two predictions have the same name: {', '.join(args.predictions)}; give NAME=PATH")
    sources = None
    if args.catalogue:
        sources = surveys.read(args.catalogue, surveys.get(args.survey), **reading_options(args))
    report = evaluate(
        {name: read_predictions(path) for name, path in named.items()},
        read_truth(args.truth) if args.truth else None,
        sources,
        Path(args.output),
        limit=args.limit,
        meta={"title": args.title} if args.title else None,
        force=args.force,
    )
    print(report.text())
    print(f"\nreport: {report.html}")


def _named(text: str) -> tuple[str, str]:
    """NAME=PATH, or a path whose stem is the name."""
    name, equals, path = text.partition("=")
    return (name, path) if equals and name and path else (Path(text).stem, text)
