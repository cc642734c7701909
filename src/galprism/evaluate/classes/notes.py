"""What is odd about probabilities of classes and what they are held against, in sentences."""

from __future__ import annotations

import numpy as np

from galprism.data import CLASSES
from galprism.data.classes import COLUMNS
from galprism.evaluate.classes.sample import ClassSample


def notes(sample: ClassSample) -> tuple[str, ...]:
    """What is odd about a sample and its predictions, and what was left out and why, in sentences."""
    matched, true = sample.matched, sample.true
    found = []
    if true is not None and sample.n < len(matched):
        unknown = len(matched) - sample.n
        found.append(f"The truth has no class for {unknown:,} of {len(matched):,} sources; they are left out.")
    if sample.magnitude is not None and (dark := int(np.isnan(sample.magnitude).sum())):
        found.append(
            f"{dark:,} of {sample.n:,} sources have no {sample.band} magnitude (not observed, or a flux not above "
            "zero); in bins of magnitude they stand apart."
        )
    for k, name in enumerate(CLASSES):
        if true is not None and not (true == k).any():
            found.append(
                f"No source here is a {name}: its recall and F1 are not defined, macro F1 is that of the others, and "
                "purities are not those of a sky that has some."
            )
    for method in sample.methods:
        found += _method_notes(sample, method)
    return tuple(found)


def _method_notes(sample: ClassSample, method: str) -> list[str]:
    called, true, probability = sample.called(method), sample.true, sample.probability(method)
    table = sample.matched.predictions[method].take(sample.rows)
    found = []
    if nothing := int((called < 0).sum()):
        silent = int(((called < 0) & (table.flags == 0)).sum())
        why = f"; {silent:,} of these carry no flag that says why" if silent else ""
        wrong = ", which count as wrong" if true is not None else ""
        found.append(f"{method} did not classify {nothing:,} of {sample.n:,} sources{wrong}{why}.")
    for k, name in enumerate(CLASSES):
        if (called == k).any() or nothing == sample.n:
            continue
        never = "" if np.nanmax(probability[:, k]) > 0 else ", nor did it give one a probability above 0"
        there = "" if true is None else f"; {int((true == k).sum()):,} of {sample.n:,} are"
        found.append(f"{method} called no source a {name}{never}{there}. Did it learn from any?")
    if "class" in table.extra:
        said = np.char.lower(np.char.strip(np.asarray(table.extra["class"]).astype(str)))
        other = int(((called >= 0) & (said != np.array([*CLASSES, ""])[called])).sum())
        if other:
            found.append(
                f"{method}: in {other:,} of {sample.n:,} rows the column class is not that of the highest of "
                f"{', '.join(COLUMNS)}; the latter is judged."
            )
    return found
