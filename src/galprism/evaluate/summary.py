"""A judgement as tables: what a person reads first."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from galprism.evaluate.calibration import Calibration
from galprism.evaluate.judge import Entry, Judgement
from galprism.evaluate.tables import MISSING, Table, number, percent, with_error
from galprism.flags import SENTENCE, Flag
from galprism.params import COSMOLOGY, PARAMS


def summary_tables(judgement: Judgement, *, wide: bool = True) -> list[Table]:
    """Methods (rows) by metrics, a table for each parameter and sample; narrow enough for a terminal if not `wide`."""
    tables = []
    for (parameter, label), entries in _by_sample(judgement.entries):
        has_limit = any(entry.ratio[0] is not None for entry in entries)
        header = ["method", "bias", "σ", "σ_NMAD", "rms", "MAE", "MSE", "R²"]
        header += ["R² (Eq. 2)"] if wide else []
        header += ["outliers", "null", "68%", "95%"] if wide else ["outliers", "null", "68%"]
        header += ["rms / limit"] if has_limit else []
        rows = [_summary_row(entry, wide, has_limit) for entry in entries]
        unit = PARAMS[parameter].unit
        caption = f"{parameter}{f' [{unit}]' if unit else ''}, {label}: n = {entries[0].sample.n}"
        tables.append(Table(tuple(header), tuple(rows), caption))
    return tables


def _summary_row(entry: Entry, wide: bool, has_limit: bool) -> tuple[str, ...]:
    m, error = entry.metrics, with_error if wide else (lambda value, _: number(value))
    cells = [entry.method, number(m.bias, sign=True), error(m.sigma, m.sigma_err), number(m.sigma_nmad)]
    cells += [error(m.rms, m.rms_err), number(m.mae), number(m.mse), number(m.r2)]
    cells += [number(m.r2_paper)] if wide else []
    cells += [percent(m.outlier_fraction), percent(m.not_inferred), _coverage(entry.calibration, 0.68)]
    cells += [_coverage(entry.calibration, 0.95)] if wide else []
    cells += [error(*entry.ratio) if wide else number(entry.ratio[0], 3)] if has_limit else []
    return tuple(cells)


def calibration_table(judgement: Judgement) -> Table | None:
    """Coverage, PIT and widths of every method that states an uncertainty; None where none does."""
    header = ("parameter", "sample", "method", "n", "in 68%", "mean width", "in 95%", "mean width")
    rows = []
    for entry in judgement.entries:
        c = entry.calibration
        if c is None:
            continue
        where = (entry.sample.parameter, entry.sample.label, entry.method, str(c.n))
        cells = (_coverage(c, 0.68, error=True), _width(c, 0.68), _coverage(c, 0.95, error=True), _width(c, 0.95))
        rows.append((*where, *cells, number(c.ks), number(c.pinball), c.verdict))
    classes = (("as stated", "good"), ("too narrow", "bad"), ("too wide", "bad"))
    return Table((*header, "KS of PIT", "pinball", "intervals"), tuple(rows), "", 3, classes) if rows else None


def pairs_table(judgement: Judgement) -> Table | None:
    """Each method against another; None for a single method."""
    header = ("parameter", "sample", "difference", "n", "bias", "σ", "σ_NMAD", "rms", "MAE", "MSE", "R²", "beyond 0.3")
    rows = []
    for entry in judgement.pairs:
        sample, m = entry.sample, entry.metrics
        where = (sample.parameter, sample.label, f"{entry.method} − {sample.reference}", str(m.n))
        scatter = (number(m.bias, sign=True), with_error(m.sigma, m.sigma_err), number(m.sigma_nmad), number(m.rms))
        rows.append((*where, *scatter, number(m.mae), number(m.mse), number(m.r2), percent(m.outlier_fraction)))
    return Table(header, tuple(rows), "", 3) if rows else None


def bin_tables(judgement: Judgement) -> list[Table]:
    """Bias and sigma of every method in bins, a table for each parameter and quantity, on the samples judged first."""
    tables = []
    for (parameter, label), entries in _by_sample(judgement.entries):
        if not entries[0].bins or _is_superseded(judgement, entries[0]):
            continue
        for by in entries[0].bins:
            header = [by, "n"] + [f"{entry.method}: {what}" for entry in entries for what in ("bias", "σ")]
            rows = []
            for k, first in enumerate(entries[0].bins[by]):
                cells = [f"{first.low:.4g} – {first.high:.4g}", str(first.metrics.n)]
                for entry in entries:
                    m = entry.bins[by][k].metrics
                    cells += [number(m.bias, 3, sign=True), number(m.sigma, 3)]
                rows.append(tuple(cells))
            tables.append(Table(tuple(header), tuple(rows), f"{parameter}, {label}"))
    return tables


def _is_superseded(judgement: Judgement, entry: Entry) -> bool:
    """Whether another sample of the parameter, on the same sources, has more cuts."""
    return judgement.sample(entry.sample.parameter, with_limit=entry.sample.beside is not None) is not entry.sample


def flags_table(judgement: Judgement) -> Table | None:
    """How many rows of each method carry each flag; None where none does."""
    present = [flag for flag in Flag if any((flag.name or "") in n for n in judgement.flags.values())]
    rows = [
        (flag.name or "", SENTENCE[flag], *(str(judgement.flags[m].get(flag.name or "", 0)) for m in judgement.methods))
        for flag in present
    ]
    return Table(("flag", "meaning", *judgement.methods), tuple(rows), "", 2) if rows else None


def rows_table(judgement: Judgement) -> Table:
    """How many rows each table had, and how many could be joined."""
    matched = judgement.with_limit
    rows = tuple((name, str(n), str(matched.not_joined[name])) for name, n in matched.rows.items())
    return Table(("table", "rows", "without an id of their own"), rows)


def definitions_table(judgement: Judgement) -> Table:
    """What each parameter is; the cosmology is in every definition that depends on it."""
    rows = tuple((name, PARAMS[name].unit or MISSING, PARAMS[name].definition) for name in judgement.parameters)
    return Table(("parameter", "unit", "definition"), (*rows, ("cosmology", MISSING, COSMOLOGY)), "", 3)


def _by_sample(entries: Iterable[Entry]) -> list[tuple[tuple[str, str], list[Entry]]]:
    key = lambda entry: (entry.sample.parameter, entry.sample.label)  # noqa: E731
    return [(where, list(group)) for where, group in groupby(entries, key)]


def _coverage(calibration: Calibration | None, nominal: float, *, error: bool = False) -> str:
    found = None if calibration is None else calibration.at(nominal)
    if found is None:
        return MISSING
    return f"{percent(found.observed)} ± {100 * found.err:.1f}" if error else percent(found.observed)


def _width(calibration: Calibration, nominal: float) -> str:
    found = calibration.at(nominal)
    return number(None if found is None else found.mean_width, 3)
