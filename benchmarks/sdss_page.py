"""The tables and the page of `sdss_classes.py`."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from galprism.data import CLASSES
from galprism.evaluate import Bar, Table, bars_table
from galprism.evaluate.classes import ClassJudgement
from galprism.evaluate.classes.tables import confusion_tables, overall_table, pairs_table, summary_tables
from galprism.evaluate.tables import percent

GALAXY_REDSHIFT = (-1.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 2.0)
QUASAR_REDSHIFT = (0.0, 0.3, 0.5, 0.8, 1.2, 1.6, 2.0, 2.2, 2.5, 2.8, 3.1, 3.5, 4.0, 7.0)
COLOUR = (-np.inf, 0.0, 0.3, 0.6, 1.0, 1.5, 2.0, 2.5, 3.0, np.inf)
"""g - i, AB mag."""


def bins(value: np.ndarray, borders: tuple[float, ...], what: str) -> list[tuple[str, np.ndarray]]:
    """Names and masks."""
    found = []
    for low, high in pairwise(borders):
        name = f"{what} < {high:g}" if low == borders[0] else f"{low:g} ≤ {what} < {high:g}"
        name = f"{what} ≥ {low:g}" if high == np.inf else name
        found.append((name, (value >= low) & (value < high)))
    return found


def called_in_bins(
    judgement: ClassJudgement, method: str, of: str, value: np.ndarray, borders: tuple[float, ...], what: str
) -> Table:
    """Of one class in bins of a value: what `method` calls it, and how much of it the others recover."""
    sample, k = judgement.whole, CLASSES.index(of)
    called, others = sample.called(method), [name for name in sample.methods if name != method]
    rows = []
    for name, within in bins(value, borders, what):
        own = within & (sample.true == k)
        if own.any():
            cells = [percent(float(np.mean(called[own] == j))) for j in range(len(CLASSES))]
            cells += [percent(float(np.mean(sample.called(other)[own] == k))) for other in others]
            rows.append((name, f"{own.sum():,}", *cells))
    header = (of, "n", *(f"{method}: {name}" for name in CLASSES), *(f"{other}: {of}" for other in others))
    return Table(header, tuple(rows))


def shares_by_colour(samples: dict[str, tuple[np.ndarray, np.ndarray]]) -> Table:
    """The classes' shares at each g - i, of samples of (classes (N,), g - i (N,))."""
    names = [name for name, _ in bins(np.zeros(1), COLOUR, "g-i")]
    columns: list[list[str]] = []
    for classes, colour in samples.values():
        for k in range(-1, len(CLASSES)):
            parts = [within for _, within in bins(colour, COLOUR, "g-i")]
            shares = [np.mean(part) if k < 0 else np.mean(classes[part] == k) for part in parts]
            columns.append([percent(float(share)) for share in shares])
    header = ["colour", *(f"{name}: {what}" for name in samples for what in ("of all", *CLASSES))]
    return Table(tuple(header), tuple(zip(names, *columns, strict=True)))


def bars(cross: ClassJudgement, network: str, tuned: str) -> list[Bar]:
    """What is to be reached."""
    (pair,) = (pair for pair in cross.pairs if (pair.method, pair.reference) == (network, tuned))
    assert pair.macro_f1_difference is not None
    difference, error = pair.macro_f1_difference
    return [Bar("macro F1 in five folds, the recipe less tuned XGBoost", 0.0, difference, ">=", err=error)]


def write_page(
    path: Path,
    cross: ClassJudgement,
    zero: list[ClassJudgement],
    failed: list[Table],
    shares: Table,
) -> bool:
    """Fill sdss_page.md; whether every bar is met.

    cross : in five folds; zero : without real labels, each of a sample; failed : tables of where those are wrong
    """
    network, tuned, *_ = cross.methods
    reached = bars(cross, network, tuned)
    overall, by_class = summary_tables(cross)
    own = replace(cross, pairs=tuple(pair for pair in cross.pairs if pair.method == network))
    pairs = pairs_table(own)
    assert pairs is not None
    entries = [entry for judgement in zero for entry in judgement.of(judgement.whole)]
    parts = {
        "bars": bars_table(reached),
        "overall": overall,
        "classes": by_class,
        "pairs": pairs,
        "confusion": confusion_tables(cross)[0],
        "zero": overall_table(entries),
        "zero_classes": summary_tables(zero[0])[1],
        "zero_confusion": confusion_tables(zero[0])[1],
        "galaxies": failed[0],
        "quasars": failed[1],
        "stars": failed[2],
        "shares": shares,
    }
    text = Path(__file__).with_name("sdss_page.md").read_text(encoding="utf-8")
    for name, table in parts.items():
        text = text.replace(f"{{{name}}}", table.markdown())
    path.write_text(text, encoding="utf-8")
    print(bars_table(reached).text(), overall.text(), parts["zero"].text(), path, sep="\n\n")
    return all(bar.met for bar in reached)
