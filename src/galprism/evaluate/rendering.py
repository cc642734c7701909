"""What stands in a report's page, and in which order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from galprism.evaluate.bars import bars_table
from galprism.evaluate.classes.judge import ClassJudgement
from galprism.evaluate.classes.sections import HOW_TO_READ as CLASSES_HOW_TO_READ
from galprism.evaluate.classes.sections import HOW_TO_READ_UNTRUE as CLASSES_HOW_TO_READ_UNTRUE
from galprism.evaluate.classes.sections import class_sections
from galprism.evaluate.judge import Judgement
from galprism.evaluate.matching import Matched
from galprism.evaluate.page import Section, bullets, folded, page, paragraph, picture, preformatted
from galprism.evaluate.samples import Selection
from galprism.evaluate.summary import (
    bin_tables,
    calibration_tables,
    definitions_table,
    flags_table,
    pairs_tables,
    rows_table,
    summary_tables,
)
from galprism.evaluate.tables import Table

if TYPE_CHECKING:
    from galprism.evaluate.report import Report

HOW_TO_READ = (
    "bias and σ are the mean and the standard deviation of predicted − true; σ_NMAD is 1.4826 × the median absolute "
    "deviation, which outliers do not move; rms² = bias² + σ². All methods of a table are judged on the same sources.",
    "The limit, where there is one, is the exact posterior under the same prior: nothing can have a smaller rms on "
    "average over that prior, so rms / limit tells how much of the photometry's information a method uses (1 is all). "
    "On a sample cut by the truth, such as log sSFR > -12, the limit is no strict bound: the ratio may fall below 1. "
    "Of calibrated intervals, 68% and 95% hold the truth.",
)
HOW_TO_READ_UNTRUE = (
    "There is no truth here: each difference is one method minus another on the same sources, and says how far "
    "they agree, not which is right.",
)


def html(report: Report) -> str:
    """The report as one page that needs nothing else."""
    judgement, classes, numbers = report.judgement, report.classes, report.numbers
    guided = "".join(paragraph(text) for text in _guide(judgement, classes))
    lead = [
        paragraph(_lead(report), "soft"),
        f'<aside aria-label="how to read this"><p><strong>How to read this.</strong></p>{guided}</aside>',
    ]
    drawn = tuple(picture(d.png, d.title, d.caption) for d in report.figures)
    sections = [
        Section("What was to be reached", (bars_table(report.bars).html(),) if report.bars else ()),
        *(class_sections(classes) if classes is not None else ()),
        *(_methods(judgement) if judgement is not None else ()),
        Section("Figures", (*drawn, bullets(report.not_drawn))),
    ]
    if judgement is not None:
        bins = "\n".join(table.html() for table in bin_tables(judgement))
        sections.append(Section("In bins", (folded("Bias and σ by bin", bins),)))
    flags = flags_table({**(judgement.flags if judgement else {}), **(classes.flags if classes else {})})
    sections += [
        Section("Sample", _sample(report)),
        Section("Flags", (flags.html(),) if flags else ()),
        Section("Definitions", _definitions(judgement, numbers)),
        Section("How it was made", _making(numbers)),
    ]
    return page(report.title, lead, sections, f"galprism {numbers['galprism']} evaluate, {numbers['created']}")


def _guide(judgement: Judgement | None, classes: ClassJudgement | None) -> list[str]:
    guide: list[str] = []
    if classes is not None:
        guide += [CLASSES_HOW_TO_READ if classes.entries else CLASSES_HOW_TO_READ_UNTRUE]
    if judgement is not None:
        guide += HOW_TO_READ if judgement.entries else HOW_TO_READ_UNTRUE
    return guide


def _methods(judgement: Judgement) -> list[Section]:
    tables, calibrated = summary_tables(judgement), calibration_tables(judgement)
    return [
        Section("Methods against the truth", (*_htmls(tables), paragraph(METRICS_NOTE, "soft")) if tables else ()),
        Section("Calibration", (*_htmls(calibrated), paragraph(CALIBRATION_NOTE, "soft")) if calibrated else ()),
        Section("Methods against each other", _htmls(pairs_tables(judgement))),
    ]


METRICS_NOTE = (
    "R² is the standard coefficient of determination, about the mean of the truth; R² (Eq. 2) is the formula of the "
    "MLP-GaP paper as printed (Guo et al. 2024), which divides by the spread of the predictions instead. Outliers are "
    "off by more than 0.3 dex. Null is the fraction of sources for which a method gave nothing; they are left out for "
    "all. 68% and 95% are the fractions of true values inside the central intervals. Errors are standard errors."
)

CALIBRATION_NOTE = (
    "Errors of coverage are binomial (Wilson). Intervals are called too narrow or too wide where coverage misses "
    "68% by more than 2 points, or 95% by more than 1, and twice its error on top. KS is the largest distance of "
    "the cumulative PIT from the diagonal. The pinball score is in the parameter's unit; smaller is better, and it is "
    "comparable between methods with the same quantile levels."
)


def _htmls(tables: Sequence[Table]) -> tuple[str, ...]:
    return tuple(table.html() for table in tables)


def _lead(report: Report) -> str:
    said = []
    if report.classes is not None:
        said.append(f"{', '.join(report.classes.methods)}: classes of {len(report.classes.matched):,} sources")
    if report.judgement is not None:
        said.append(_lead_of_parameters(report.judgement))
    meta = report.numbers["meta"]
    said += [f"{key.capitalize()}: {meta[key]}" for key in ("sample", "noise") if meta.get(key)]
    return ". ".join(said) + "."


def _lead_of_parameters(judgement: Judgement) -> str:
    n = len(judgement.matched)
    against = "the truth" if judgement.entries else "each other"
    text = f"{', '.join(judgement.methods)}: {', '.join(judgement.parameters)} against {against}, {n:,} sources"
    if len(judgement.with_limit) != n:
        text += f", {len(judgement.with_limit):,} of them with {judgement.limit}"
    return text


def _sample(report: Report) -> tuple[str, ...]:
    meta = report.numbers["meta"]
    parts = [bullets([f"{key}: {meta[key]}" for key in ("sample", "noise") if meta.get(key)])]
    if report.classes is not None:
        parts += _joined(report.classes.matched, "Classes: t", _lines_of_classes(report.classes))
    if report.judgement is not None:
        parts += _joined(report.judgement.with_limit, "T", _lines_of_parameters(report.judgement))
    return tuple(parts)


def _joined(matched: Matched, how: str, lines: Sequence[str]) -> tuple[str, ...]:
    first = f"{how}ables are joined by id; {len(matched):,} ids are common to all"
    return rows_table(matched).html(), bullets([first + lines[0], *lines[1:]])


def _lines_of_classes(classes: ClassJudgement) -> list[str]:
    cuts = [s for sample in classes.samples for s in sample.selections]
    return [".", *(_cut(s, "to classes") for s in cuts), *_band(classes.band), *classes.notes]


def _lines_of_parameters(judgement: Judgement) -> list[str]:
    whole = judgement.matched is judgement.with_limit
    lines = ["." if whole else f", {len(judgement.matched):,} to all but the limit."]
    cuts = {s.name: s for e in (*judgement.entries, *judgement.pairs) for s in e.sample.selections}
    lines += [_cut(s, f"to {', '.join(s.parameters) or 'every parameter'}") for s in cuts.values()]
    return [*lines, *_band(judgement.band), *judgement.notes]


def _cut(selection: Selection, where: str) -> str:
    return f"Cut {selection.name!r}, the same for every method, applies {where}."


def _band(band: str | None) -> list[str]:
    return [f"Magnitudes and signal-to-noise ratios are those of the {band} band."] if band else []


def _definitions(judgement: Judgement | None, numbers: Mapping[str, Any]) -> tuple[str, ...]:
    parts = [] if judgement is None else [definitions_table(judgement).html()]
    own = {"this evaluation": numbers["meta"].get("definitions")}
    own |= {name: meta.get("definitions") for name, meta in numbers["methods_meta"].items()}
    rows = [
        (name, key, _plain(item))
        for name, definitions in own.items()
        if isinstance(definitions, dict)
        for key, item in definitions.items()
    ]
    if rows:
        parts.append(
            Table(("method", "what", "its own definition"), tuple(rows), "As the methods state them", 3).html()
        )
    return tuple(parts)


def _making(numbers: Mapping[str, Any]) -> tuple[str, ...]:
    meta = numbers["meta"]
    parts = [paragraph(f"{key.capitalize()}: {meta[key]}") for key in ("command", "seed") if meta.get(key) is not None]
    timings = meta.get("timings") or {}
    if timings:
        rows = tuple((str(key), _plain(item)) for key, item in timings.items())
        parts.append(Table(("stage", "time"), rows, "Timings").html())
    own = tuple((name, key, _plain(item)) for name, said in numbers["methods_meta"].items()
                for key, item in said.items() if key != "definitions")  # fmt: skip
    if own:
        parts.append(Table(("method", "what", "value"), own, "The methods, as they describe themselves", 3).html())
    packages = tuple((name, str(item)) for name, item in numbers["versions"].items())
    parts.append(Table(("package", "version"), packages, "Versions", 2).html())
    placed = {"title", "sample", "noise", "recipe", "command", "seed", "versions", "timings", "definitions"}
    rest = tuple((key, _plain(item)) for key, item in meta.items() if key not in placed)
    if rest:
        parts.append(Table(("what", "value"), rest, "Further", 2).html())
    if meta.get("recipe"):
        parts.append(folded("The recipe", preformatted(_plain(meta["recipe"]))))
    return tuple(parts)


def _plain(item: Any) -> str:
    if isinstance(item, str):
        return item
    if isinstance(item, float):
        return f"{item:.4g}"
    return json.dumps(item, ensure_ascii=False)
