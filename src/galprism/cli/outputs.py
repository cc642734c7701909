"""What a command writes must be none of what it reads.

A verb says what it writes and reads by the names of its arguments, WRITES and READS; both are asked before it runs."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from types import ModuleType
from typing import Any

from galprism.errors import RequestError

NAMES = ("recipe", "survey")
"""Arguments that may be names of what is shipped: a folder that is called the same is not meant."""


def check_outputs(verb: ModuleType, args: argparse.Namespace) -> None:
    """Raises RequestError where an output of a verb is an input, lies in a folder that is read, would replace a folder
    with an input in it, or is another output."""
    outputs = [Path(place) for name in getattr(verb, "WRITES", ()) if (place := getattr(args, name))]
    if not outputs:
        return
    from galprism.data.tables.writing import check_apart  # when Ctrl-C ends the process, as `verb` itself

    inputs = [path for name in verb.READS for path in _paths(getattr(args, name), name in NAMES)]
    for one in outputs:
        check_apart(one, inputs)
    for one, other in combinations(outputs, 2):
        if one.resolve() == other.resolve():
            raise RequestError(f"{other}: stands for two outputs; they need a file each")


def _paths(value: Any, may_be_name: bool) -> Iterator[Path]:
    """The files and folders of an argument: a word, `KEY=PATH`, or a list of such."""
    for word in value if isinstance(value, list) else [] if value is None else [value]:
        for path in (Path(word), Path(word.partition("=")[2] or word)):
            if path.is_file() or (path.is_dir() and not may_be_name):
                yield path
