"""A judgement as tables: what a person reads first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from galprism.evaluate.calibration import NOMINAL, Calibration
from galprism.evaluate.judge import Entry, Judgement
from galprism.evaluate.matching import Matched
from galprism.evaluate.tables import MISSING, Table, number, percent, with_error
from galprism.flags import SENTENCE, Flag
from galprism.params import COSMOLOGY, PARAMS


def summary_tables(judgement: Judgement, *, wide: bool = True) -> list[Table]:
    """Methods (rows) by metrics, a table for each parameter and sample.

    If not `wide`, narrow enough for a terminal: three decimals, no errors, and of each parameter only the sample with
    every cut.
    """
    tables = []
    for caption, entries in _by_sample(judgement.entries):
        if wide or not _is_superseded(judgement, entries[0]):
            columns = (_wide_columns if wide else _narrow_columns)(entries)
            rows = zip(*columns.values(), strict=True)
            tables.append(Table(tuple(columns), tuple(rows), caption))
    return tables


def _wide_columns(entries: list[Entry]) -> dict[str, list[str]]:
    m = [entry.metrics for entry in entries]
    return {
        "method": [entry.method for entry in entries],
        "bias": [number(x.bias, sign=True) for x in m],
        "σ": [with_error(x.sigma, x.sigma_err) for x in m],
        "σ_NMAD": [number(x.sigma_nmad) for x in m],
        "rms": [with_error(x.rms, x.rms_err) for x in m],
        **({"rms / limit": [with_error(*entry.ratio, 3) for entry in entries]} if _has_limit(entries) else {}),
        "MAE": [number(x.mae) for x in m],
        "MSE": [number(x.mse) for x in m],
        "R²": [number(x.r2) for x in m],
        "R² (Eq. 2)": [number(x.r2_paper) for x in m],
        "outliers": [percent(x.outlier_fraction) for x in m],
        "null": [percent(x.not_inferred) for x in m],
        "68%": [_coverage(entry.calibration, 0.68) for entry in entries],
        "95%": [_coverage(entry.calibration, 0.95) for entry in entries],
    }


def _narrow_columns(entries: list[Entry]) -> dict[str, list[str]]:
    m = [entry.metrics for entry in entries]
    nulls = {"null": [percent(x.not_inferred) for x in m]} if any(x.not_inferred for x in m) else {}
    return {
        "method": [entry.method for entry in entries],
        "bias": [number(x.bias, 3, sign=True) for x in m],
        "σ": [number(x.sigma, 3) for x in m],
        "σ_NMAD": [number(x.sigma_nmad, 3) for x in m],
        **({"rms/limit": [number(entry.ratio[0], 3) for entry in entries]} if _has_limit(entries) else {}),
        "MAE": [number(x.mae, 3) for x in m],
        "R²": [number(x.r2, 3) for x in m],
        "outliers": [percent(x.outlier_fraction) for x in m],
        **nulls,
        "68%": [_coverage(entry.calibration, 0.68) for entry in entries],
    }


def _has_limit(entries: list[Entry]) -> bool:
    return any(entry.ratio[0] is not None for entry in entries)


def calibration_tables(judgement: Judgement) -> list[Table]:
    """Coverage, PIT and widths of the methods that state an uncertainty, a table for each parameter and sample."""
    header = ("method", "n", "in 68%", "mean width", "in 95%", "mean width", "KS of PIT", "pinball", "intervals")
    classes = (("as stated", "good"), ("too narrow", "bad"), ("too wide", "bad"))
    tables = []
    for caption, entries in _by_sample(judgement.entries):
        rows = []
        for entry in entries:
            c = entry.calibration
            if c is not None:
                inner, outer = [(_coverage(c, nominal, error=True), _width(c, nominal)) for nominal in NOMINAL]
                rows.append((entry.method, str(c.n), *inner, *outer, number(c.ks), number(c.pinball), c.verdict))
        if rows:
            tables.append(Table(header, tuple(rows), caption, 1, classes))
    return tables


def pairs_tables(judgement: Judgement) -> list[Table]:
    """Each method against another, a table for each parameter and sample."""
    header = ("difference", "n", "bias", "σ", "σ_NMAD", "rms", "MAE", "MSE", "R²", "beyond 0.3")
    tables = []
    for caption, entries in _by_sample(judgement.pairs, count=False):
        rows = []
        for entry in entries:
            m = entry.metrics
            where = (f"{entry.method} − {entry.sample.reference}", str(m.n), number(m.bias, sign=True))
            scatter = (with_error(m.sigma, m.sigma_err), number(m.sigma_nmad), number(m.rms))
            rows.append((*where, *scatter, number(m.mae), number(m.mse), number(m.r2), percent(m.outlier_fraction)))
        tables.append(Table(header, tuple(rows), caption))
    return tables


def bin_tables(judgement: Judgement) -> list[Table]:
    """Bias and sigma of every method in bins, a table for each parameter and quantity, on the samples judged first."""
    tables = []
    for caption, entries in _by_sample(judgement.entries):
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
            tables.append(Table(tuple(header), tuple(rows), caption))
    return tables


def _is_superseded(judgement: Judgement, entry: Entry) -> bool:
    """Whether another sample of the parameter, on the same sources, has more cuts."""
    return judgement.sample(entry.sample.parameter, with_limit=entry.sample.beside is not None) is not entry.sample


def flags_table(flags: Mapping[str, Mapping[str, int]]) -> Table | None:
    """How many rows of each method, by name, carry each flag; None where none does."""
    present = [flag for flag in Flag if any((flag.name or "") in n for n in flags.values())]
    rows = [
        (flag.name or "", SENTENCE[flag], *(str(counts.get(flag.name or "", 0)) for counts in flags.values()))
        for flag in present
    ]
    return Table(("flag", "meaning", *flags), tuple(rows), "", 2) if rows else None


def rows_table(matched: Matched) -> Table:
    """How many rows each table had, how many could not be joined, and how many others have not."""
    rows = []
    for name, n in matched.rows.items():
        lost = matched.not_joined[name]
        rows.append((name, f"{n:,}", f"{lost:,}", f"{n - lost - len(matched):,}"))
    return Table(("table", "rows", "without an id of their own", "not in every table"), tuple(rows))


def definitions_table(judgement: Judgement) -> Table:
    """What each parameter is; the cosmology is in every definition that depends on it."""
    rows = tuple((name, PARAMS[name].unit or MISSING, PARAMS[name].definition) for name in judgement.parameters)
    return Table(("parameter", "unit", "definition"), (*rows, ("cosmology", MISSING, COSMOLOGY)), "", 3)


def _by_sample(entries: Iterable[Entry], *, count: bool = True) -> list[tuple[str, list[Entry]]]:
    """Entries by parameter and sample, in order of appearance, with what a caption says of them."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        unit = PARAMS[entry.sample.parameter].unit
        caption = f"{entry.sample.parameter}{f' [{unit}]' if unit else ''}, {entry.sample.label}"
        groups.setdefault(f"{caption}: n = {entry.sample.n}" if count else caption, []).append(entry)
    return list(groups.items())


def _coverage(calibration: Calibration | None, nominal: float, *, error: bool = False) -> str:
    found = None if calibration is None else calibration.at(nominal)
    if found is None:
        return MISSING
    return f"{percent(found.observed)} ± {100 * found.err:.1f}" if error else percent(found.observed)


def _width(calibration: Calibration, nominal: float) -> str:
    found = calibration.at(nominal)
    return number(None if found is None else found.mean_width, 3)
