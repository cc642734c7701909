"""The options that say how spectra are to be read; several verbs share them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from galprism.data.tables import open_table
from galprism.errors import RequestError
from galprism.surveys.preset import PLAIN_ID, PLAIN_REDSHIFT

NAMES = ("redshift", "wave_unit", "air", "skip_unreadable")
"""As argparse has them."""
FARTHEST = 7.0
"""Of a redshift that is given for all spectra."""


def add_spectrum_options(group: argparse._ActionsContainer) -> None:
    """Add --redshift, --wave-unit, --air and --skip-unreadable."""
    group.add_argument(
        "--redshift", metavar="Z|TABLE", help="of tables of pixels; or a table of id and redshift, for any spectra"
    )
    group.add_argument("--wave-unit", metavar="UNIT", help="of the wavelengths, where a table of pixels has none")
    group.add_argument("--air", action="store_true", help="wavelengths of the tables of pixels are in air")
    group.add_argument(
        "--skip-unreadable",
        action="store_true",
        help="go on without files that are no spectra, and name them",
    )


def spectrum_options(args: argparse.Namespace) -> dict[str, Any]:
    """Those that are given, as galprism.data.spectrum_files.read_spectra takes them. Raises RequestError for redshifts
    that are none."""
    given: dict[str, Any] = {"wave_unit": args.wave_unit, "air": args.air, "skip_unreadable": args.skip_unreadable}
    if args.redshift is not None:
        number = _number(args.redshift)
        if number is not None and not -1 < number <= FARTHEST:
            raise RequestError(f"--redshift {args.redshift}; accepted: above -1, to {FARTHEST:g}, or a table")
        given |= {"redshifts": _redshifts(args.redshift)} if number is None else {"redshift": number}
    return {name: option for name, option in given.items() if option is not None and option is not False}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _redshifts(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Ids and redshifts of a table."""
    if not Path(path).is_file():
        raise RequestError(f"--redshift {path}; accepted: a number, or a table of id and redshift")
    with open_table(path) as table:
        names = [next((name for name in plain if name in table.columns), None) for plain in (PLAIN_ID, PLAIN_REDSHIFT)]
        if None in names:
            raise RequestError(
                f"--redshift {path}: has {', '.join(table.columns)}; accepted: a table with columns id and redshift"
            )
        read = table.read([name for name in names if name])
    ids, redshift = (read[name] for name in names if name)
    if redshift.dtype.kind not in "iuf":
        raise RequestError(f"--redshift {path}: column {names[1]} holds {redshift.dtype}; redshifts are numbers")
    return ids, redshift
