"""`galprism evaluate PREDICTIONS … --truth TABLE -o REPORT`: judge predictions."""

from __future__ import annotations

import argparse
from pathlib import Path

from galprism import surveys
from galprism.cli.reading import add_reading_arguments, reading_options
from galprism.data import Sources
from galprism.data.cutout_file import CutoutFile
from galprism.data.tables import open_table, read_predictions, read_truth
from galprism.errors import RequestError
from galprism.evaluate import Column, Shown, evaluate

WRITES = ("output",)
READS = ("predictions", "truth", "catalogue", "cutouts", "columns", "survey")


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
    parser.add_argument("--band", help="of that catalogue, for results by magnitude (default: r, or else the first)")
    parser.add_argument("--limit", metavar="NAME", help="which of the predictions is the exact posterior")
    parser.add_argument("--title", help="the report's title")
    parser.add_argument("--force", action="store_true", help="replace the folder whatever it holds")
    parser.add_argument("-o", "--output", required=True, metavar="REPORT", help="the folder to write")
    group = parser.add_argument_group("figures of classes")
    group.add_argument("--colours", metavar="BLUE-RED,BLUE-RED", help="two colours of the catalogue (default: g-r,r-i)")
    group.add_argument("--size", metavar="COLUMN", help="the catalogue's column of sizes, to draw with magnitude")
    group.add_argument("--area", type=float, metavar="DEG2", help="the sky that the sources are from, to count quasars")
    group.add_argument("--cutouts", metavar="FILE.h5", help="cutouts of the sources, to show mistakes")
    add_reading_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Judge, print the table, and say where the report is."""
    named = dict(_named(text) for text in args.predictions)
    if len(named) < len(args.predictions):
        raise RequestError(f"two predictions have the same name: {', '.join(args.predictions)}; give NAME=PATH")
    sources = None
    if args.catalogue:
        sources = surveys.read(args.catalogue, surveys.get(args.survey), **reading_options(args))
    shown = _shown(args, sources)
    report = evaluate(
        {name: read_predictions(path) for name, path in named.items()},
        read_truth(args.truth) if args.truth else None,
        sources,
        Path(args.output),
        limit=args.limit,
        band=args.band,
        meta={"title": args.title} if args.title else None,
        shown=shown,
        force=args.force,
    )
    print(report.text())
    for sentence in report.not_drawn:
        print(f"\n{sentence}", end="")
    print(f"\nreport: {report.html}")


def _shown(args: argparse.Namespace, sources: Sources | None) -> Shown:
    """What figures of classes are drawn of. Raises RequestError where the catalogue that it is read from is lacking."""
    for option in ("colours", "size"):
        if getattr(args, option) and sources is None:
            raise RequestError(f"--{option} {getattr(args, option)} is read from the catalogue; give --catalogue TABLE")
    colours = args.colours.split(",") if args.colours else None
    if colours is not None and len(colours) != 2:
        raise RequestError(f"--colours {args.colours!r}; accepted: two of them, such as g-r,r-i")
    size = None
    if args.size:
        assert sources is not None
        table = open_table(args.catalogue)
        values = table.read([args.size])[args.size]
        size = Column(sources.id, values, args.size, table.columns[args.size].unit or "")
    return Shown(
        colours=None if colours is None else (colours[0], colours[1]),
        size=size,
        area=args.area,
        cutouts=CutoutFile(args.cutouts) if args.cutouts else None,
    )


def _named(text: str) -> tuple[str, str]:
    """NAME=PATH, or a path whose stem is the name."""
    name, equals, path = text.partition("=")
    return (name, path) if equals and name and path else (Path(text).stem, text)
