"""What a report's page says of classes."""

from __future__ import annotations

from collections.abc import Sequence

from galprism.evaluate.classes.counts import SURE
from galprism.evaluate.classes.judge import ClassJudgement
from galprism.evaluate.classes.tables import (
    LEAST,
    bin_tables,
    called_table,
    confusion_tables,
    density_table,
    pairs_table,
    summary_tables,
    threshold_tables,
)
from galprism.evaluate.page import Section, folded, paragraph
from galprism.evaluate.tables import Table

HOW_TO_READ = (
    "Of classes, precision is the purity of what was called so, recall the share of what is so that was called so, F1 "
    "their harmonic mean; macro F1 is the mean over classes, however many there are of each. A source that a method "
    "did not classify counts as wrong. All methods are judged on the same sources, and purities are those of a "
    "sample with this many of each class: on a sky with other shares they are others."
)
HOW_TO_READ_UNTRUE = (
    "There is no truth here: what sources were called is said, and how far methods agree, not who is right."
)

METRICS_NOTE = (
    "A source is called what has the highest probability. Errors of shares are half their 68 % Wilson intervals, that "
    "of macro F1 is by the delta method. ECE is the expected calibration error of the highest probability in 15 bins "
    "of as many sources each (Guo et al. 2017), by chance what exact probabilities would have on average with as many "
    "sources; Brier is the mean squared error of the probabilities, summed over classes, from 0 to 2: of two methods "
    "the one with the lower score has the better probabilities."
)
PAIRS_NOTE = "Differences are in percentage points, the first method minus the second; errors are those of paired data."
CALLED_NOTE = (
    f"p_max is the highest probability; its share from {SURE} on is of those called so. Sum of p is the class's "
    "probability summed over all sources: how many there are, were the probabilities exact."
)
BINS_NOTE = (
    f"Shares of fewer than {LEAST} sources, and F1 of a class with fewer, are left out. The end bins reach to the "
    "brightest and faintest source."
)
THRESHOLDS_NOTE = (
    "Only sources whose highest probability reaches the threshold are kept: which share of the class's sources that "
    "is, the precision and recall among those kept, and the completeness, the share kept times the recall."
)


def class_sections(judgement: ClassJudgement) -> list[Section]:
    """Without the figures, the sample and the flags, which a report has in common."""
    pairs, density, confusions = pairs_table(judgement), density_table(judgement), confusion_tables(judgement)
    called = _noted([called_table(judgement)], CALLED_NOTE)
    return [
        Section("Classes", _noted(summary_tables(judgement), METRICS_NOTE) if judgement.entries else called),
        Section("Confusion", tuple(table.html() for table in confusions)),
        Section("Classes of the methods against each other", _noted([pairs] if pairs else [], PAIRS_NOTE)),
        Section("What was called what", called if judgement.entries else ()),
        Section(
            "Classes in bins and above thresholds",
            (
                _folded("By magnitude", bin_tables(judgement), BINS_NOTE),
                _folded("By threshold on the highest probability", threshold_tables(judgement), THRESHOLDS_NOTE),
                _folded("Quasars on the sky", [density] if density else [], ""),
            ),
        ),
    ]


def _noted(tables: Sequence[Table], note: str) -> tuple[str, ...]:
    return (*(table.html() for table in tables), paragraph(note, "soft")) if tables else ()


def _folded(title: str, tables: Sequence[Table], note: str) -> str:
    body = "\n".join(table.html() for table in tables)
    return folded(title, f"{body}\n{paragraph(note, 'soft')}" if body and note else body)
