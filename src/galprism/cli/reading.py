"""The options that say how a catalogue is to be read; several verbs share them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from galprism import config
from galprism.errors import RequestError
from galprism.flags import SENTENCE, Flag

MOST_NOTES = 10
"""That are printed."""


def add_reading_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --preset, --columns, --column, --unit, and --without."""
    group = parser.add_argument_group("reading the catalogue")
    group.add_argument("--preset", help="the column names to expect, where several sets fit")
    group.add_argument("--columns", metavar="MAP.toml", help="a TOML file of lines such as flux_u = 'FLUX_GAAP_u'")
    group.add_argument("--column", metavar="NAME=COLUMN", action="append", default=[], help="one such line")
    group.add_argument("--unit", help="the unit of the fluxes, where the table has none: nJy, uJy, mJy, nanomaggy, …")
    group.add_argument(
        "--without", metavar="BAND", action="append", default=[], help="a band that the table lacks; it may be repeated"
    )


def reading_options(args: argparse.Namespace) -> dict[str, Any]:
    """Those options as `Survey.layout` takes them."""
    columns: dict[str, str] = {}
    if args.columns:
        for name, column in config.read_toml(args.columns).items():
            if not isinstance(column, str):
                raise RequestError(f"{args.columns}: {name} = {column!r} is not the name of a column")
            columns[name] = column
    for pair in args.column:
        name, equals, column = pair.partition("=")
        if not (equals and name and column):
            raise RequestError(f"--column {pair!r} is not of the form NAME=COLUMN, such as flux_u=FLUX_GAAP_u")
        columns[name] = column
    return {
        "preset": args.preset,
        "columns_map": columns or None,
        "unit": args.unit,
        "without": tuple(args.without),
    }


def print_notes(notes: Sequence[str]) -> None:
    """What was done to files as they were read, the first of them."""
    for note in notes[:MOST_NOTES]:
        print(f"  {note}")
    if len(notes) > MOST_NOTES:
        print(f"  … and {len(notes) - MOST_NOTES:,} more notes on what was read")


def print_left_out(failed: Sequence[tuple[str, str]]) -> None:
    """Files that could not be read, a line each."""
    for path, reason in failed:
        print(f"  left out: {reason if path in reason else f'{path}: {reason}'}")


def print_flags(counts: Mapping[str, int]) -> None:
    """How many rows carry each flag, and what it means, a line each."""
    for name, count in counts.items():
        print(f"  {count:>9,} {name}: {SENTENCE[Flag[name]]}")
