"""Published tables that come with the package."""

from __future__ import annotations

import csv
from importlib.resources import files

import numpy as np


def read_table(package: str, name: str) -> dict[str, np.ndarray]:
    """The columns by name of a file in `tables/` of a package: comments (#), one line of names, values between commas;
    float64 where all values of a column are numbers, text otherwise."""
    lines = (files(package) / "tables" / name).read_text(encoding="utf-8").splitlines()
    header, *rows = csv.reader(line for line in lines if not line.startswith("#"))

    def column(values: tuple[str, ...]) -> np.ndarray:
        try:
            return np.array(values, np.float64)
        except ValueError:
            return np.array(values)

    return {name: column(values) for name, values in zip(header, zip(*rows, strict=True), strict=True)}
