"""Sources whose parameters are known: a catalogue of photometry with redshifts from spectra, say, to learn from.

Sources of which a parameter is not known, or is none, cannot be learned from: they are counted, and named by why.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from galprism import surveys
from galprism.data import Sources
from galprism.data.sfr_labels import check_order
from galprism.data.tables import TableReader, open_table
from galprism.data.tables.truth import PREFIX
from galprism.errors import RequestError
from galprism.params import PARAMS
from galprism.recipes.recipe import Recipe

REDSHIFT = "redshift"
"""Of parameters the one that surveys read themselves, sentinels and all."""


@dataclass(frozen=True, eq=False)
class Known:
    """N sources with their parameters."""

    sources: Sources
    values: np.ndarray
    """(N, P), finite, of the recipe's targets in their order."""
    n_rows: int
    """Of the catalogue."""
    left_out: dict[str, int]
    """How many of these are not among the sources, by why."""

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows) -> Known:
        """Some of them."""
        return Known(self.sources.take(rows), self.values[rows], self.n_rows, self.left_out)

    def said(self) -> str:
        """In a sentence."""
        why = ", ".join(f"{count:,} {reason}" for reason, count in self.left_out.items())
        return f"learns from {len(self):,} of {self.n_rows:,} rows" + (f"; left out: {why}" if why else "")


def known_parameters(recipe: Recipe) -> Known:
    """The sources of a recipe's catalogue, with the parameters of its targets.

    Raises RequestError where no catalogue is given, it cannot be read, lacks a column, knows them of no source, or
    statistics of star-formation rates are out of order.
    """
    labels = recipe.labels
    assert labels is not None
    names = recipe.targets.names
    if not labels.catalogue:
        raise RequestError(
            f"recipe {recipe.name} learns from a catalogue with {', '.join(names)}; give it with labels.catalogue=FILE"
        )
    table = open_table(labels.catalogue)
    columns = {name: _column(table, name, labels.columns) for name in names if name != REDSHIFT}
    own = {name: column for name, column in labels.columns.items() if name not in columns}
    sources = surveys.read(labels.catalogue, recipe.survey, columns_map=own or None)
    read = table.read(list(dict.fromkeys(columns.values()))) if columns else {}
    values = np.empty((len(sources), len(names)))
    for j, name in enumerate(names):
        if name != REDSHIFT:
            values[:, j] = np.asarray(read[columns[name]], np.float64)
        elif sources.redshift is None:
            raise RequestError(
                f"{labels.catalogue}: no column of redshifts is known; accepted: labels.columns.redshift=NAME, of "
                f"{', '.join(table.columns)}"
            )
        else:
            values[:, j] = sources.redshift
    return _usable(sources, values, names, labels.catalogue)


def held_apart(n: int, recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
    """Rows of n for training and for validation, at random by the recipe's seed, as many as it says.

    Raises RequestError where they are too few.
    """
    n_train, n_valid = recipe.sample.train, recipe.sample.validation
    if n <= n_valid:
        raise RequestError(
            f"the catalogue has {n} sources to learn from, and sample.validation = {n_valid} of them are to be "
            "kept apart; accepted: fewer"
        )
    order = np.random.default_rng((recipe.seed, 2)).permutation(n)
    return np.sort(order[n_valid : n_valid + n_train]), np.sort(order[:n_valid])


def _column(table: TableReader, name: str, given: dict[str, str]) -> str:
    """Where a table has a parameter."""
    column = given.get(name) or next((each for each in (PREFIX + name, name) if each in table.columns), name)
    if column not in table.columns:
        raise RequestError(
            f"{table.path}: no column {column!r} of {name}; accepted for labels.columns.{name}: "
            f"{', '.join(table.columns)}"
        )
    if table.columns[column].dtype.kind not in "fiu" or table.columns[column].shape:
        raise RequestError(f"{table.path}: column {column!r} of {name} holds no numbers; accepted: one that does")
    return column


def _usable(sources: Sources, values: np.ndarray, names: tuple[str, ...], path: str) -> Known:
    """Those that can be learned from. Raises RequestError where there are none, and for statistics out of order."""
    assert sources.photometry is not None
    low, high = np.array([(PARAMS[name].low, PARAMS[name].high) for name in names]).T
    outside = (values < low) | (values > high)  # as -9999 is, which is no rate
    check_order(sources.id, np.where(outside, np.nan, values), names, path)
    n_bands = sources.photometry.observed.sum(axis=1)
    left = np.ones(len(sources), bool)
    why: dict[str, int] = {}

    def leave(where: np.ndarray, reason: str) -> None:
        if n := int((left & where).sum()):
            why[reason] = n
        left[where] = False

    for j, name in enumerate(names):
        leave(~np.isfinite(values[:, j]), f"without {name}")
        leave(outside[:, j], f"with {name} outside {low[j]:g} to {high[j]:g}")
    leave(n_bands == 0, "without photometry")
    if not left.any():
        said = "; ".join(f"{n:,} {reason}" for reason, n in why.items()) or "it is empty"
        raise RequestError(f"{Path(path)}: no row of {len(left):,} can be learned from: {said}")
    return Known(sources.take(left), values[left], len(left), why)
