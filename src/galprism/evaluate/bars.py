"""What was to be reached, what was, and whether it is met."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral

from galprism.errors import RequestError
from galprism.evaluate.tables import MISSING, Table, number

COMPARISONS = {"<=": "≤", ">=": "≥", "in": "in"}


@dataclass(frozen=True)
class Bar:
    """One figure to be reached."""

    name: str
    """What is measured, on what, in words."""
    bar: float | tuple[float, float]
    """The value to reach; for `in`, the range to lie in."""
    ours: float | None
    """None (or not finite) where it was not measured; it is then not met. Whole numbers are shown as such."""
    comparison: str = "<="
    """How ours must stand to the bar: `<=`, `>=` or `in`."""
    paper: float | None = None
    """The published figure, where there is one."""
    err: float | None = None
    """Standard error of ours."""
    unit: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if self.comparison not in COMPARISONS:
            raise RequestError(f"bar {self.name!r}: comparison {self.comparison!r}; accepted: {', '.join(COMPARISONS)}")
        if isinstance(self.bar, tuple) != (self.comparison == "in"):
            raise RequestError(
                f"bar {self.name!r}: {self.comparison!r} with {self.bar!r}; `in` takes a range, others a value"
            )
        if self.ours is not None and not math.isfinite(self.ours):
            object.__setattr__(self, "ours", None)

    @property
    def met(self) -> bool:
        """Whether ours reaches the bar, unrounded; False where it was not measured."""
        if self.ours is None:
            return False
        if isinstance(self.bar, tuple):
            return self.bar[0] <= self.ours <= self.bar[1]
        return self.ours <= self.bar if self.comparison == "<=" else self.ours >= self.bar

    @property
    def verdict(self) -> str:
        if self.ours is None:
            return "not measured"
        return "met" if self.met else "not met"


def bars_title(bars: Iterable[Bar]) -> str:
    """What a table of them is, after its subject."""
    published = any(bar.paper is not None for bar in bars)
    return "the paper's figures and ours" if published else "what was to be reached, and what is"


def bars_table(bars: Iterable[Bar], caption: str = "") -> Table:
    """The bars as a table; columns that no bar fills are left out."""
    bars = tuple(bars)
    columns: list[tuple[str, list[str]]] = [("figure", [bar.name for bar in bars])]
    if any(bar.note for bar in bars):
        columns.append(("note", [bar.note for bar in bars]))
    n_text = len(columns)
    if any(bar.paper is not None for bar in bars):
        columns.append(("paper", [_plain(bar.paper) for bar in bars]))
    columns.append(("to reach", [_aim(bar) for bar in bars]))
    columns.append(("ours", [_ours(bar) for bar in bars]))
    columns.append(("verdict", [bar.verdict for bar in bars]))
    rows = tuple(zip(*(cells for _, cells in columns), strict=True))
    classes = (("met", "good"), ("not met", "bad"), ("not measured", "bad"))
    return Table(tuple(name for name, _ in columns), rows, caption, n_text, classes)


def bars_record(bars: Iterable[Bar]) -> list[dict[str, object]]:
    """For JSON."""
    return [
        {
            "name": bar.name,
            "comparison": bar.comparison,
            "bar": list(bar.bar) if isinstance(bar.bar, tuple) else bar.bar,
            "paper": bar.paper,
            "ours": bar.ours,
            "err": bar.err,
            "unit": bar.unit,
            "met": bar.met,
            "note": bar.note,
        }
        for bar in bars
    ]


def _plain(value: float | None) -> str:
    return MISSING if value is None else f"{value:g}" if abs(value) < 1e5 else f"{value:,.0f}"


def _aim(bar: Bar) -> str:
    if isinstance(bar.bar, tuple):
        return f"{_plain(bar.bar[0])} to {_plain(bar.bar[1])}{_unit(bar)}"
    return f"{COMPARISONS[bar.comparison]} {_plain(bar.bar)}{_unit(bar)}"


def _ours(bar: Bar) -> str:
    if bar.ours is None:
        return MISSING
    whole = isinstance(bar.ours, Integral) and bar.err is None
    digits = 0 if whole or abs(bar.ours) >= 1000 else 4
    text = f"{bar.ours:,.0f}" if digits == 0 else number(bar.ours, digits)
    return f"{text} ± {number(bar.err, digits)}" if bar.err is not None else text


def _unit(bar: Bar) -> str:
    return f" {bar.unit}" if bar.unit else ""
