"""One table, three renderings: plain text for a terminal, Markdown for the docs, HTML for the report."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import zip_longest

MISSING = "–"
"""What a table shows where there is no number."""

LONG = 45
"""Cells with more characters are broken into lines on a page."""


@dataclass(frozen=True)
class Table:
    """Cells are text already; the first `text_columns` are set left, numbers right."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    text_columns: int = 1
    classes: tuple[tuple[str, str], ...] = ()
    """(cell text, CSS class) pairs for HTML."""

    def __post_init__(self) -> None:
        for row in self.rows:
            assert len(row) == len(self.header), f"{len(row)} cells under {len(self.header)} headings: {row}"

    def text(self, width: int | None = None) -> str:
        """Columns aligned by spaces, a rule under the header; ends without a newline. With a width, columns of text
        are wrapped, the widest first, for lines to fit into it, where words are short enough."""
        lines = (self.header, *self.rows)
        wide = [max(len(line[k]) for line in lines) for k in range(len(self.header))]
        least = [max(len(word) for line in lines for word in (*line[k].split(), "")) for k in range(len(self.header))]
        while width is not None and sum(wide) + 2 * (len(wide) - 1) > width:
            k = max(range(self.text_columns), key=lambda j: wide[j] - least[j] and wide[j])
            if wide[k] <= least[k]:
                break
            wide[k] -= 1
        set_lines = [text for line in lines for text in self._wrapped(line, wide)]
        rule = "-" * max(map(len, set_lines))
        head = len(self._wrapped(self.header, wide))
        caption = [self.caption] if self.caption else []
        return "\n".join([*caption, *set_lines[:head], rule, *set_lines[head:]])

    def _wrapped(self, line: Sequence[str], wide: Sequence[int]) -> list[str]:
        """A line of cells as lines of text."""
        cells = [
            [cell] if len(cell) <= wide[k] else textwrap.wrap(cell, wide[k], break_on_hyphens=False)
            for k, cell in enumerate(line)
        ]
        return [
            "  ".join(
                cell.ljust(wide[k]) if k < self.text_columns else cell.rjust(wide[k]) for k, cell in enumerate(row)
            ).rstrip()
            for row in zip_longest(*cells, fillvalue="")
        ]

    def markdown(self) -> str:
        """A GitHub table; ends without a newline."""

        def line(cells: Sequence[str]) -> str:
            return "| " + " | ".join(cell.replace("|", r"\|").replace("\n", " ") for cell in cells) + " |"

        rule = line(["---" if k < self.text_columns else "---:" for k in range(len(self.header))])
        caption = [self.caption, ""] if self.caption else []
        return "\n".join([*caption, line(self.header), rule, *map(line, self.rows)])

    def html(self) -> str:
        """A <table> in a box that scrolls sideways where the page is narrow."""
        classes = dict(self.classes)

        def cell(tag: str, k: int, text: str) -> str:
            long = "w" if len(text) > LONG else ""
            kind = " ".join(filter(None, ("t" if k < self.text_columns else "", long, classes.get(text, ""))))
            scope = ' scope="row"' if tag == "th" else ""
            return f"<{tag}{scope}{f' class={kind!r}' if kind else ''}>{escape(text)}</{tag}>"

        head = "".join(
            f'<th scope="col"{" class=" + repr("t") if k < self.text_columns else ""}>{escape(text)}</th>'
            for k, text in enumerate(self.header)
        )
        body = "\n".join(
            "<tr>" + "".join(cell("th" if k == 0 else "td", k, text) for k, text in enumerate(row)) + "</tr>"
            for row in self.rows
        )
        caption = f"<caption>{escape(self.caption)}</caption>" if self.caption else ""
        table = f"<table>{caption}\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
        return f'<div class="scroll">{table}</div>'


def number(value: float | None, digits: int = 4, *, sign: bool = False) -> str:
    """A number with that many decimals, or a dash; huge ones in scientific notation, and unsigned ones too tiny to
    show."""
    if value is None:
        return MISSING
    if abs(value) >= 1e5 or (not sign and 0 < abs(value) < 10.0**-digits / 2):
        return f"{value:{'+' if sign else ''}.2e}"
    return f"{value:{'+' if sign else ''}.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    """A fraction in per cent, or a dash."""
    return MISSING if value is None else f"{100 * value:.{digits}f}%"


def with_error(value: float | None, error: float | None, digits: int = 4) -> str:
    """A number with its error, or a dash."""
    if value is None or error is None:
        return number(value, digits)
    return f"{number(value, digits)} ± {number(error, digits)}"


def table_text(header: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "", text_columns: int = 1) -> str:
    """Plain text of a table of any cells."""
    return Table(tuple(header), tuple(tuple(map(str, row)) for row in rows), caption, text_columns).text()
