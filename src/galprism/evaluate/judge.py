"""From matched tables to every number of a report, as plain records that JSON and tables are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from galprism.data import Predictions, Sources, Truth
from galprism.errors import RequestError
from galprism.evaluate.calibration import Calibration
from galprism.evaluate.compare import rms_ratio
from galprism.evaluate.matching import Matched, chosen_band, match
from galprism.evaluate.metrics import BinMetrics, PointMetrics, binned, edges, log_edges, outlier_threshold
from galprism.evaluate.samples import Sample, Selection, default_selections
from galprism.flags import counts


@dataclass(frozen=True, eq=False)
class Entry:
    """What was found of one method for one parameter on one sample."""

    sample: Sample
    method: str
    metrics: PointMetrics
    calibration: Calibration | None
    ratio: tuple[float | None, float | None]
    """rms over the limit's on the same rows, and its error; (None, None) where there is no limit."""
    bins: dict[str, list[BinMetrics]]
    """By quantity."""

    def record(self) -> dict[str, Any]:
        """For JSON, without the bins."""
        sample = self.sample
        record: dict[str, Any] = {"parameter": sample.parameter, "sample": sample.label, "method": self.method}
        if sample.reference is not None:
            record["reference"] = sample.reference
        record |= asdict(self.metrics)
        if self.calibration is not None:
            record["calibration"] = asdict(self.calibration) | {"verdict": self.calibration.verdict}
        ratio, error = self.ratio
        if ratio is not None:
            record |= {"rms_over_limit": ratio, "rms_over_limit_err": error}
        return record


@dataclass(frozen=True, eq=False)
class Judgement:
    """Everything that a report says of its methods."""

    methods: tuple[str, ...]
    limit: str | None
    parameters: tuple[str, ...]
    band: str | None
    """The band whose magnitude and S/N results are binned by."""
    matched: Matched
    """The sources that all tables have, the limit's aside."""
    with_limit: Matched
    """Those that the limit's table has as well; the same object when it has them all."""
    entries: tuple[Entry, ...]
    """Against the truth; empty without one."""
    pairs: tuple[Entry, ...]
    """Each method against another."""
    flags: dict[str, dict[str, int]]
    """Rows with each flag by method, over `matched` (`with_limit` for the limit)."""
    notes: tuple[str, ...] = field(default=())
    """What was left out and why, in sentences."""

    def sample(self, parameter: str, *, with_limit: bool = False) -> Sample | None:
        """The sample on which a parameter is judged first of all: every cut that applies, limit or not."""
        matched = self.with_limit if with_limit else self.matched
        found = [e.sample for e in self.entries if e.sample.parameter == parameter and e.sample.matched is matched]
        return found[-1] if found else None

    def numbers(self) -> dict[str, Any]:
        """For JSON: flat lists of records, each naming its parameter, sample and method."""
        seen: dict[int, Sample] = {id(e.sample): e.sample for e in (*self.entries, *self.pairs)}
        return {
            "methods": list(self.methods),
            "limit": self.limit,
            "parameters": list(self.parameters),
            "band": self.band,
            "rows": {
                "common": len(self.matched),
                "common_with_limit": len(self.with_limit),
                "tables": self.with_limit.rows,
                "not_joined": self.with_limit.not_joined,
            },
            "samples": [
                {
                    "parameter": sample.parameter,
                    "sample": sample.label,
                    "reference": sample.reference or "truth",
                    "methods": list(sample.methods),
                    "n": sample.n,
                    "selections": [selection.describe() for selection in sample.selections],
                }
                for sample in seen.values()
            ],
            "metrics": [entry.record() for entry in self.entries],
            "pairs": [entry.record() for entry in self.pairs],
            "bins": [
                {"parameter": e.sample.parameter, "sample": e.sample.label, "method": e.method, "by": by}
                | dict(low=b.low, high=b.high, median=b.median)
                | asdict(b.metrics)
                for e in self.entries
                for by, bins in e.bins.items()
                for b in bins
            ],
            "flags": self.flags,
            "notes": list(self.notes),
        }


def judge(
    predictions: Mapping[str, Predictions],
    truth: Truth | None = None,
    sources: Sources | None = None,
    *,
    limit: str | None = None,
    parameters: Sequence[str] | None = None,
    selections: Sequence[Selection] | None = None,
    band: str | None = None,
) -> Judgement:
    """Judge predictions, by name, against the truth and against each other.

    limit : the name of the predictions that are the information limit (the exact posterior); they may cover fewer
        sources, and everything set beside them is then also given on those sources alone.
    parameters : which to judge; every one that the truth (or, without a truth, two methods) and a method have.
    selections : cuts, applied together where they apply, beside the uncut sample; log sSFR > -12 for star-formation
        rates when not given, () for none.
    band : the band to bin magnitude and S/N by; `r` when there is one, else the first.

    Raises RequestError when no id is common, when the truth has none of the parameters or not one that was asked
    for, when `limit`, `band` or a selection's quantity is not there, and when a single method comes without a truth.
    """
    if limit is not None and limit not in predictions:
        raise RequestError(f"limit {limit!r} is not among the predictions: {', '.join(predictions)}")
    if truth is None and len(predictions) < 2:
        raise RequestError("without a truth two predictions or more are needed, to be compared with each other")
    others = {name: table for name, table in predictions.items() if name != limit}
    matched = with_limit = match(others or predictions, truth, sources)
    if limit is not None and others:
        with_limit = match(predictions, truth, sources)
        if len(with_limit) == len(matched):
            matched = with_limit
    notes: list[str] = []
    if truth is not None and truth.weight is not None:
        notes.append("The truth's weights are not used: every source counts once.")
    names = _parameters(predictions, truth, parameters, notes)
    band = chosen_band(sources, band)
    scopes = [matched] if matched is with_limit else [matched, with_limit]
    entries, pairs = [], []
    for parameter in names:
        able = tuple(name for name, table in predictions.items() if parameter in table.names)
        if truth is not None:
            for scope in scopes:
                beside = limit if scope is not matched else None
                entries += _against_truth(scope, beside, parameter, able, limit, selections, band, notes)
        for first, second in combinations(able, 2):
            # The later one is the reference, or the limit where it is of the pair.
            method, reference = (second, first) if first == limit else (first, second)
            scope, beside = (with_limit, limit) if reference == limit and with_limit is not matched else (matched, None)
            for applied in _cuts(scope, parameter, selections, reference, notes):
                sample = Sample(scope, parameter, (method,), reference, applied, beside)
                pairs.append(_entry(sample, method, None, {}))
    by_method = {
        name: counts((with_limit if name == limit else matched).predictions[name].flags) for name in predictions
    }
    return Judgement(
        methods=tuple(predictions),
        limit=limit,
        parameters=names,
        band=band,
        matched=matched,
        with_limit=with_limit,
        entries=tuple(entries),
        pairs=tuple(pairs),
        flags=by_method,
        notes=tuple(dict.fromkeys(notes)),
    )


def shared_parameters(predictions: Mapping[str, Predictions], truth: Truth | None) -> tuple[str, ...]:
    """The parameters that the truth has too, or without a truth a second method; in the predictions' order."""
    have = dict.fromkeys(name for table in predictions.values() for name in table.names)
    if truth is not None:
        return tuple(name for name in have if name in truth.names)
    return tuple(name for name in have if sum(name in table.names for table in predictions.values()) > 1)


def _parameters(
    predictions: Mapping[str, Predictions], truth: Truth | None, asked: Sequence[str] | None, notes: list[str]
) -> tuple[str, ...]:
    """The parameters that can be judged, in the predictions' order."""
    have = list(dict.fromkeys(name for table in predictions.values() for name in table.names))
    for name in asked or ():
        if name not in have:
            raise RequestError(f"no prediction has {name}; they have {', '.join(have)}")
        if truth is not None and name not in truth.names:
            raise RequestError(f"the truth has no {name}; it has {', '.join(truth.names)}")
    if asked:
        return tuple(asked)
    judged = shared_parameters(predictions, truth)
    missing = [name for name in have if name not in judged]
    where = "the truth does not have it" if truth is not None else "only one method has it"
    if not judged:
        there = f"the truth has {', '.join(truth.names)}" if truth is not None else "no parameter is in two of them"
        raise RequestError(f"nothing can be judged: the predictions have {', '.join(have)}, and {there}")
    notes.extend(f"{name} was predicted and is not judged: {where}." for name in missing)
    return judged


def _cuts(
    matched: Matched, parameter: str, selections: Sequence[Selection] | None, reference: str | None, notes: list[str]
) -> list[tuple[Selection, ...]]:
    """No cut, and all that apply together when any does."""
    if selections is None:
        selections = default_selections(matched, reference)
        if not selections and parameter.startswith(("logsfr", "logssfr")):
            notes.append(f"{parameter} is judged without a cut on log sSFR: log M* and log SFR are not both there.")
    applied = tuple(selection for selection in selections if selection.applies_to(parameter))
    return [(), applied] if applied else [()]


def _against_truth(
    matched: Matched,
    beside: str | None,
    parameter: str,
    able: tuple[str, ...],
    limit: str | None,
    selections: Sequence[Selection] | None,
    band: str | None,
    notes: list[str],
) -> list[Entry]:
    methods = tuple(name for name in able if name in matched.predictions)
    assert matched.truth is not None
    unknown = int((~np.isfinite(matched.truth.column(parameter))).sum())
    if unknown:
        notes.append(f"The truth has no {parameter} for {unknown} of {len(matched)} sources; they are left out.")
    entries = []
    for applied in _cuts(matched, parameter, selections, None, notes):
        sample = Sample(matched, parameter, methods, None, applied, beside)
        measure = limit if limit in methods and len(methods) > 1 else None
        bin_edges = _bin_edges(sample, band)
        entries += [_entry(sample, method, measure, bin_edges) for method in methods]
    return entries


def _bin_edges(sample: Sample, band: str | None) -> dict[str, np.ndarray]:
    """Round edges for each quantity that the tables can tell, the same for every method."""
    wanted = {"redshift": edges} | ({f"mag_{band}": edges, f"snr_{band}": log_edges} if band else {})
    found = {name: make(value) for name, make in wanted.items() if (value := sample.quantity(name)) is not None}
    return {name: value for name, value in found.items() if len(value)}


def _entry(sample: Sample, method: str, limit: str | None, bin_edges: Mapping[str, np.ndarray]) -> Entry:
    ratio: tuple[float | None, float | None] = (None, None)
    if limit is not None and sample.n and np.isfinite(sample.residual(limit)).all():
        mine = sample.residual(method)
        if method == limit:
            ratio = (1.0, None)
        elif np.isfinite(mine).all():
            ratio = rms_ratio(mine, sample.residual(limit))
    bins = {}
    for name, borders in bin_edges.items():
        by = sample.quantity(name)
        threshold = outlier_threshold(sample.parameter)
        bins[name] = binned(sample.predicted(method), sample.true, by, borders, outlier=threshold)
    return Entry(
        sample=sample,
        method=method,
        metrics=sample.metrics(method),
        calibration=sample.calibration(method) if sample.reference is None else None,
        ratio=ratio,
        bins=bins,
    )
