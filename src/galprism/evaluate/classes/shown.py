"""What figures of classes are drawn of beside probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from galprism.data import Photometry
from galprism.data.cutout_file import CutoutFile
from galprism.data.tables.ids import match_ids
from galprism.errors import RequestError


@dataclass(frozen=True, eq=False)
class Column:
    """A column of a catalogue that Sources has no place for, such as a size; joined by id."""

    id: np.ndarray
    """(N,)."""
    values: np.ndarray
    """(N,), NaN where not measured."""
    name: str
    """As axes are to call it."""
    unit: str = ""

    def __post_init__(self) -> None:
        ident, values = np.asarray(self.id), np.asarray(self.values)
        if values.shape != ident.shape or ident.ndim != 1:
            raise RequestError(f"{self.name} has shape {values.shape}; expected {ident.shape}, one an id")
        if values.dtype.kind not in "fiu":
            raise RequestError(f"{self.name} is no column of numbers; its values are such as {values[:1]}")

    def of(self, ids: np.ndarray) -> np.ndarray:
        """(M,), the values of these ids; NaN where one has none. Raises RequestError where one has several."""
        found = match_ids(ids, self.id)
        if found.repeated.any():
            raise RequestError(f"{self.name} is given several times for id {ids[found.repeated][0]}")
        values = np.full(len(ids), np.nan)
        values[found.found] = self.values[found.index[found.found]]
        return values


@dataclass(frozen=True, eq=False)
class Shown:
    """What is None is not drawn, and the report says so."""

    colours: tuple[str, str] | None = None
    """Two colours such as `g-r`; g-r and r-i where the photometry has these bands, else of its first three."""
    size: Column | None = None
    """A radius on the sky, for the diagram of size and magnitude."""
    area: float | None = None
    """deg^2, the area that the sources judged are from, for the number of quasars on the sky."""
    cutouts: CutoutFile | None = None
    """Of which mistakes are shown; those of the sources where not given and they have some."""


def colour_bands(photometry: Photometry, colours: tuple[str, str] | None) -> tuple[tuple[str, str], ...] | None:
    """Two pairs of bands; None where there are fewer than three bands and no colours were asked for.

    Raises RequestError for what is no colour of these bands.
    """
    bands = photometry.bands
    if colours is None:
        if {"g", "r", "i"} <= set(bands):
            return ("g", "r"), ("r", "i")
        return ((bands[0], bands[1]), (bands[1], bands[2])) if len(bands) > 2 else None
    pairs = []
    for colour in colours:
        blue, minus, red = colour.partition("-")
        if not minus or blue not in bands or red not in bands or blue == red:
            raise RequestError(f"colour {colour!r}; accepted: BAND-BAND of {', '.join(bands)}, such as g-r")
        pairs.append((blue, red))
    return tuple(pairs)
