"""A judgement of classes as tables: what a person reads first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from galprism.data import CLASSES
from galprism.evaluate.classes.counts import SURE, Called
from galprism.evaluate.classes.judge import ClassBin, ClassEntry, ClassJudgement
from galprism.evaluate.classes.metrics import known
from galprism.evaluate.classes.sample import CLASS_NAMES
from galprism.evaluate.tables import MISSING, Table, number, percent

LEAST = 10
"""Of fewer sources than so many no share is shown in a bin; it would be noise."""


def summary_tables(judgement: ClassJudgement, *, wide: bool = True) -> list[Table]:
    """Of each sample (if not `wide`, of the first) all classes together, then each class; without a truth what was
    called what."""
    if not judgement.entries:
        return [called_table(judgement)]
    tables = []
    for sample in judgement.samples if wide else judgement.samples[:1]:
        entries, where = judgement.of(sample), sample.describe()
        tables += [overall_table(entries, f"classes, {where}"), class_table(entries, f"by class, {sample.label}")]
    return tables


def overall_table(entries: Sequence[ClassEntry], caption: str = "") -> Table:
    """A row a method."""
    rows = tuple(
        (
            entry.method,
            share(entry.found.accuracy, entry.found.accuracy_err),
            share(entry.found.macro_f1, entry.found.macro_f1_err),
            number(known(entry.found.calibration_error)),
            number(known(entry.found.calibration_chance)),
            number(known(entry.found.brier)),
            f"{entry.found.not_classified:,}",
        )
        for entry in entries
    )
    header = ("method", "accuracy", "macro F1", "ECE", "by chance", "Brier", "not classified")
    return Table(header, rows, caption)


def class_table(entries: Sequence[ClassEntry], caption: str = "") -> Table:
    """A row a class and method."""
    rows = []
    for name in CLASSES:
        for entry in entries:
            of = entry.found.of(name)
            cells = (share(of.precision, of.precision_err), share(of.recall, of.recall_err), share(of.f1, of.f1_err))
            rows.append((name, entry.method, f"{of.n:,}", f"{of.called:,}", *cells))
    return Table(("class", "method", "n", "called", "precision", "recall", "F1"), tuple(rows), caption, 2)


def confusion_tables(judgement: ClassJudgement) -> list[Table]:
    """In numbers and per cent of what sources are, a table a method, on all sources."""
    tables = []
    for entry in judgement.of(judgement.whole):
        confusion = entry.found.confusion
        total = np.maximum(confusion.sum(axis=1, keepdims=True), 1)
        rows = tuple(
            (name, *(f"{n:,} ({percent(n / whole, 2)})" for n in row))
            for name, row, whole in zip(CLASSES, confusion, total[:, 0], strict=True)
        )
        header = ("is", *(f"called {name}" for name in CLASSES), "not classified")
        tables.append(Table(header, rows, f"{entry.method}, {entry.sample.describe()}"))
    return tables


def bin_tables(judgement: ClassJudgement) -> list[Table]:
    """By magnitude, a table a method, on all sources."""
    metrics = (f"{name}: {what}" for name in CLASSES for what in ("precision", "recall", "F1"))
    header = (f"{judgement.band} [AB mag]", *CLASSES, "accuracy", *metrics)
    tables = []
    for entry in judgement.of(judgement.whole):
        rows = tuple(_bin_row(b) for b in entry.bins)
        if rows:
            tables.append(Table(header, rows, f"{entry.method}, {entry.sample.describe()}"))
    return tables


def _bin_row(b: ClassBin) -> tuple[str, ...]:
    where = "no magnitude" if np.isnan(b.low) else f"{b.low:.4g} – {b.high:.4g}"
    cells = [f"{entry.n:,}" for entry in b.found.classes]
    cells.append(percent(b.found.accuracy) if b.found.n >= LEAST else MISSING)
    for entry in b.found.classes:
        for value, n in ((entry.precision, entry.called), (entry.recall, entry.n), (entry.f1, entry.n)):
            cells.append(percent(known(value)) if n >= LEAST else MISSING)
    return (where, *cells)


def threshold_tables(judgement: ClassJudgement) -> list[Table]:
    """What a threshold on the highest probability keeps, a table a method, on all sources."""
    metrics = (f"{name}: {what}" for name in CLASSES for what in ("kept", "precision", "recall", "completeness"))
    header = ("p_max from", *metrics)
    tables = []
    for entry in judgement.of(judgement.whole):
        rows = []
        for k, threshold in enumerate(entry.thresholds[0].threshold):
            cells = [f"{threshold:g}"]
            for curve in entry.thresholds:
                values = (curve.kept, curve.precision, curve.recall, curve.completeness)
                cells += [percent(known(value[k]), 2) for value in values]
            rows.append(tuple(cells))
        tables.append(Table(header, tuple(rows), f"{entry.method}, {entry.sample.describe()}"))
    return tables


def pairs_table(judgement: ClassJudgement) -> Table | None:
    """Each method against another, a row a pair and sample."""
    if not judgement.pairs:
        return None
    told = ("right: first alone", "second alone", "accuracy, difference", "macro F1, difference")
    header = ("methods", "sample", "n", "same class", *told)
    rows = []
    for pair in judgement.pairs:
        alone = (MISSING, MISSING) if pair.right_alone is None else tuple(f"{n:,}" for n in pair.right_alone)
        named = (f"{pair.method} − {pair.reference}", pair.sample.label, f"{pair.sample.n:,}", percent(pair.share, 2))
        differences = (points(pair.accuracy_difference), points(pair.macro_f1_difference))
        rows.append((*named, *alone, *differences))
    return Table(header, tuple(rows), "", 2)


def called_table(judgement: ClassJudgement) -> Table:
    """What was called what and how surely, a row a class and method."""
    true = judgement.called[0].true is not None
    header = (
        "class",
        "method",
        *(("n",) if true else ()),
        "called",
        "share",
        f"p_max ≥ {SURE}",
        "median p_max",
        "sum of p",
    )
    names = [*CLASSES, ""]
    rows = [
        _called_row(record, judgement.whole.n) for record in sorted(judgement.called, key=lambda r: names.index(r.name))
    ]
    return Table(header, tuple(rows), f"what was called what, {judgement.whole.describe()}", 2)


def _called_row(record: Called, n: int) -> tuple[str, ...]:
    true = () if record.true is None else (f"{record.true:,}",)
    sure = percent(record.sure / record.n if record.n else None)
    cells = (f"{record.n:,}", percent(record.n / n, 2), sure, number(known(record.median)), f"{record.expected:,.1f}")
    return (record.name or "all", record.method, *true, *cells)


def density_table(judgement: ClassJudgement) -> Table | None:
    """Quasars per square degree brighter than a magnitude, a row a magnitude."""
    if not judgement.densities:
        return None
    first, header, columns = judgement.densities[0], [f"{judgement.band} ≤"], []
    for density in judgement.densities:
        header.append(f"{density.method}: n")
        columns.append([f"{n:,}" for n in density.brighter])
        header.append(f"{density.method}: deg⁻²")
        columns.append([number(n / density.area, 2) for n in density.brighter])
        if density.expected is not None:
            header.append(f"{density.method}: sum of p, deg⁻²")
            columns.append([number(n / density.area, 2) for n in density.expected])
    edges = [f"{edge:g}" for edge in first.edges[1:]]
    caption = f"{CLASS_NAMES[first.name]} brighter than a magnitude, on {first.area:g} square degrees"
    return Table(tuple(header), tuple(zip(edges, *columns, strict=True)), caption)


def share(value: float, error: float) -> str:
    """A share with its error, in per cent, or a dash."""
    if not np.isfinite(value):
        return MISSING
    return f"{percent(value, 2)} ± {100 * error:.2f}"


def points(difference: tuple[float, float] | None) -> str:
    """A difference of shares with its error, in percentage points, or a dash."""
    return MISSING if difference is None else f"{100 * difference[0]:+.2f} ± {100 * difference[1]:.2f}"
