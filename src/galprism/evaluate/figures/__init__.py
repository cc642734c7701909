"""Every figure of a report; the one place of galprism where matplotlib is imported."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from itertools import combinations

from galprism.evaluate.figures.agreement import agreement
from galprism.evaluate.figures.classes import draw_classes
from galprism.evaluate.figures.limit import against_limit
from galprism.evaluate.figures.style import Drawing, Look
from galprism.evaluate.figures.threeway import three_way
from galprism.evaluate.figures.uncertainty import calibration, stated_errors
from galprism.evaluate.judge import Judgement
from galprism.evaluate.samples import Sample

__all__ = [
    "Drawing",
    "Look",
    "against_limit",
    "agreement",
    "calibration",
    "draw",
    "draw_classes",
    "stated_errors",
    "three_way",
]

LONGEST = 24
"""Letters of a method in a file's name."""


def draw(judgement: Judgement) -> list[Drawing]:
    """The figures that a judgement has the numbers for, in the order of a report."""
    look = Look(judgement.methods, judgement.limit)
    alone = _samples(judgement, with_limit=False)
    beside = _samples(judgement, with_limit=True)
    found: list[Drawing | None] = []
    estimates = [method for method in judgement.methods if method != judgement.limit] or list(judgement.methods)
    for method in estimates:
        mine = [sample for sample in alone if method in sample.methods]
        found.append(agreement(f"truth_{short(method)}", f"{method} against the truth", mine, method, look))
    for method, reference in _pairs_drawn(judgement, estimates):
        mine = _pair_samples(judgement, method, reference)
        name = f"pair_{short(method)}_{short(reference)}"
        found.append(agreement(name, f"{method} against {reference}", mine, method, look))
    found.append(three_way("methods_and_truth", "The methods and the truth", beside, look))
    if judgement.band is not None:
        title = "The residuals and the limit of the photometry" if judgement.limit else "Residuals by magnitude"
        found.append(against_limit("limit_by_magnitude", title, beside, f"mag_{judgement.band}", look))
    found.append(calibration("calibration", "Calibration of the uncertainties", beside, look))
    if alone:
        found.append(stated_errors("stated_errors", "Stated uncertainties and errors made", beside, look))
    else:
        found.append(stated_errors("stated_errors", "Stated uncertainties", _untrue(judgement), look, truth=False))
    return _named_apart([drawing for drawing in found if drawing is not None])


def _named_apart(drawings: list[Drawing]) -> list[Drawing]:
    """Methods may have the same slug; files may not have the same name."""
    total = Counter(drawing.name for drawing in drawings)
    used: Counter[str] = Counter()
    apart = []
    for drawing in drawings:
        used[drawing.name] += 1
        suffix = f"_{used[drawing.name]}" if total[drawing.name] > 1 else ""
        apart.append(replace(drawing, name=drawing.name + suffix))
    return apart


def slug(text: str) -> str:
    """For a file name."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-").lower() or "method"


def short(text: str) -> str:
    """Of a slug the first words, where it is long."""
    words = slug(text)
    return words if len(words) <= LONGEST else words[: LONGEST + 1].rpartition("-")[0] or words[:LONGEST]


def _samples(judgement: Judgement, *, with_limit: bool) -> list[Sample]:
    found = [judgement.sample(parameter, with_limit=with_limit) for parameter in judgement.parameters]
    return [sample for sample in found if sample is not None]


def _pairs_drawn(judgement: Judgement, estimates: list[str]) -> list[tuple[str, str]]:
    """With a truth, the estimates against each other; without one, every pair."""
    if judgement.entries:
        return list(combinations(estimates, 2))
    return list(dict.fromkeys((entry.method, entry.sample.reference or "") for entry in judgement.pairs))


def _pair_samples(judgement: Judgement, method: str, reference: str) -> list[Sample]:
    """One a parameter, with every cut that applies."""
    found = {
        entry.sample.parameter: entry.sample
        for entry in judgement.pairs
        if entry.method == method and entry.sample.reference == reference
    }
    return list(found.values())


def _untrue(judgement: Judgement) -> list[Sample]:
    """Samples of all methods at once, where nothing is known: the first method stands for the truth."""
    found = []
    for parameter in judgement.parameters:
        able = tuple(
            method for method in judgement.methods if parameter in judgement.with_limit.predictions[method].names
        )
        found.append(Sample(judgement.with_limit, parameter, able, able[0]))
    return found
