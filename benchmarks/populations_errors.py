"""How far off `galaxy-populations` is on galaxies that it has not seen, by what it is shown, and with pixels missing.

    OMP_NUM_THREADS=1 python benchmarks/populations_errors.py WORK [--model BUNDLE]

WORK is the folder given to `galprism train galaxy-populations --work`, whose test set is asked; what is not there is
simulated. The two tables are those of docs/galaxy-populations.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from galprism import bundle
from galprism.data import Predictions, Sources
from galprism.evaluate.tables import Table, number
from galprism.flags import Flag
from galprism.infer import Predictor
from galprism.recipes.mmlforgalam import SEEN, shown
from galprism.recipes.pairs import measure_of
from galprism.recipes.populations import pairs_of, rows_of
from galprism.recipes.recipe import load

NAME = "galaxy-populations"
CHUNK = 512
LEVELS = (0.16, 0.5, 0.84)
LOST: dict[str, tuple[float, float]] = {
    "nothing": (0.0, 0.0),
    "4000 to 4200 A": (4000.0, 4200.0),
    "4500 to 5500 A": (4500.0, 5500.0),
    "6800 to 7000 A": (6800.0, 7000.0),
    "all from 8000 A on": (8000.0, 1e5),
}
"""Angstrom, observed."""
ANYWHERE = 0.2
"""The share of the pixels that are lost here and there."""


def inside(found: Predictions, true: np.ndarray, j: int) -> float:
    """Per cent of the true values of the j-th parameter within the central 68 per cent."""
    low, high = (found.quantile(found.names[j], level) for level in (0.16, 0.84))
    return 100.0 * float(np.mean((low < true[:, j]) & (true[:, j] < high)))


def by_what_is_seen(chunks: list[Sources], predictor: Predictor, true: np.ndarray) -> Table:
    """Scatter of every parameter."""
    names, rows = predictor.bundle.targets, []
    for method, blocks in SEEN.items():
        found = Predictions.joined([predictor.predict(shown(sources, blocks), LEVELS) for sources in chunks])
        sd = np.nanstd(found.point - true, axis=0)
        shares = [inside(found, true, j) for j in range(len(names))]
        rows.append((method, *(number(value, 4) for value in sd), f"{min(shares):.0f} to {max(shares):.0f} %"))
    rows.append(("nothing", *(number(value, 4) for value in true.std(axis=0)), ""))
    return Table(("sees", *names, "within 68 %"), tuple(rows), f"Scatter on {len(true):,} galaxies")


def with_pixels_lost(chunks: list[Sources], predictor: Predictor, true: np.ndarray) -> Table:
    """Ages and metallicities by spectra alone."""
    rows = []
    for name, gone in lost(chunks):
        found = Predictions.joined([predictor.predict(each, LEVELS) for each in gone])
        off = found.point - true
        flagged = 100.0 * float(np.mean(found.flags & np.uint32(Flag.PIXELS_MISSING) != 0))
        values = [
            (number(np.nanmean(off[:, j]), 3), number(np.sqrt(np.nanmean(off[:, j] ** 2)), 3), inside(found, true, j))
            for j in (0, 1)
        ]
        rows.append((name, *(text for b, r, s in values for text in (b, r, f"{s:.0f} %")), f"{flagged:.0f} %"))
    head = ("lost", "age: bias", "rms", "within 68 %", "[M/H]: bias", "rms", "within 68 %", "flagged")
    return Table(head, tuple(rows), "Spectra with pixels lost")


def lost(chunks: list[Sources]) -> Iterator[tuple[str, list[Sources]]]:
    """Spectra alone, without some of their pixels."""
    rng = np.random.default_rng(0)
    for name, (low, high) in LOST.items():
        yield name, [_without(each, (each.spectra.wave > low) & (each.spectra.wave < high)) for each in chunks]
    yield (
        f"{100 * ANYWHERE:.0f} % here and there",
        [_without(each, rng.random(each.spectra.flux.shape) < ANYWHERE) for each in chunks],
    )


def _without(sources: Sources, gone: np.ndarray) -> Sources:
    spectra = sources.spectra
    less = replace(spectra, flux=spectra.flux * ~gone, ivar=spectra.ivar * ~gone)
    return shown(replace(sources, spectra=less), ("spectra",))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--model", default=NAME)
    args = parser.parse_args()
    recipe = load(NAME)
    known = pairs_of(recipe, args.work)
    rows, measure = rows_of(recipe, "test"), measure_of(recipe, known)
    parts = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
    chunks = [measure(part, np.random.default_rng((1, k))) for k, part in enumerate(parts)]
    true = np.stack([known.column(name)[rows] for name in recipe.targets.names], axis=1)
    predictor = Predictor(bundle.load(args.model))
    print(by_what_is_seen(chunks, predictor, true).markdown())
    print(with_pixels_lost(chunks, predictor, true).markdown())


if __name__ == "__main__":
    main()
