"""Tables as text, Markdown and HTML, and the bars to be reached."""

import numpy as np
import pytest

from galprism.errors import RequestError
from galprism.evaluate import Bar, Table, bars_table, table_text
from galprism.evaluate.bars import bars_record, bars_title
from galprism.evaluate.tables import number, percent, with_error

TABLE = Table(("method", "σ"), (("network", "0.12"), ("a|b <i>", "–")), "log M*", classes=(("–", "bad"),))


def test_text_lines_up():
    assert TABLE.text().splitlines() == [
        "log M*",
        "method      σ",
        "-------------",
        "network  0.12",
        "a|b <i>     –",
    ]


def test_text_is_wrapped_where_a_width_is_given():
    table = Table(("what it is", "why", "σ"), (("a b c d e f", "x", "0.12"), ("short", "one two three", "–")), "", 2)
    assert table.text(24).splitlines() == [
        "what it   why          σ",
        "is",
        "------------------------",
        "a b c d   x         0.12",
        "e f",
        "short     one two      –",
        "          three",
    ]
    assert table.text(200) == table.text()
    narrow = table.text(1).splitlines()  # numbers and words are whole
    assert "three" in narrow[-1]
    assert "0.12" in "".join(narrow)


def test_markdown_escapes_its_bars():
    assert TABLE.markdown().splitlines() == [
        "log M*",
        "",
        "| method | σ |",
        "| --- | ---: |",
        "| network | 0.12 |",
        r"| a\|b <i> | – |",
    ]


def test_html_escapes_markup_and_marks_verdicts():
    html = TABLE.html()
    assert "a|b &lt;i&gt;" in html
    assert "<i>" not in html
    assert "<td class='bad'>–</td>" in html


def test_without_a_caption():
    assert table_text(["a", "b"], [[1, 2]]) == "a  b\n----\n1  2"
    assert Table(("a",), (("x",),)).markdown() == "| a |\n| --- |\n| x |"


def test_numbers_as_tables_write_them():
    assert number(None) == "–"
    assert number(0.0604) == "0.0604"
    assert number(0.00001) == "1.00e-05"
    assert number(0.0) == "0.0000"
    assert number(1.5e7) == "1.50e+07"
    assert number(-0.00001, 3, sign=True) == "-0.000"
    assert number(0.02, 3, sign=True) == "+0.020"
    assert percent(0.6827) == "68.3%"
    assert percent(None) == "–"
    assert with_error(0.1, None) == "0.1000"
    assert with_error(0.1, 0.01) == "0.1000 ± 0.0100"


@pytest.mark.parametrize(
    ("comparison", "bar", "ours", "met"),
    [
        ("<=", 0.041, 0.041, True),
        ("<=", 0.041, 0.04101, False),  # 0.041 to three digits, and not met
        (">=", 0.994, 0.9941, True),
        (">=", 0.994, 0.99, False),
        ("in", (0.66, 0.70), 0.66, True),
        ("in", (0.66, 0.70), 0.701, False),
        ("<=", 0.041, None, False),
        (">=", 0.0, np.nan, False),
    ],
)
def test_bars_are_met_unrounded_or_not_at_all(comparison, bar, ours, met):
    assert Bar("x", bar, ours, comparison).met is met


def test_what_was_not_measured_is_not_met():
    bar = Bar("x", 1.0, float("nan"))
    assert (bar.ours, bar.verdict) == (None, "not measured")


@pytest.mark.parametrize(("comparison", "bar"), [("<", 1.0), ("in", 1.0), ("<=", (1.0, 2.0))])
def test_wrong_bars_are_refused(comparison, bar):
    with pytest.raises(RequestError, match="bar 'x'"):
        Bar("x", bar, 1.0, comparison)


def test_the_table_of_bars():
    bars = [
        Bar("σ of log M*", 0.060, 0.0581, paper=0.060, unit="dex", err=0.0003),
        Bar("R² of log M*", 0.994, 0.9931, ">=", paper=0.994),
        Bar("68% coverage", (0.66, 0.70), 0.682, "in"),
        Bar("galaxies/s", 90_000, 112_345.6, ">=", note="one core"),
        Bar("scatter", 0.10, None, unit="dex"),
    ]
    table = bars_table(bars, "MLP-GaP")
    assert table.header == ("figure", "note", "paper", "to reach", "ours", "verdict")
    assert table.rows[0] == ("σ of log M*", "", "0.06", "≤ 0.06 dex", "0.0581 ± 0.0003", "met")
    assert table.rows[1] == ("R² of log M*", "", "0.994", "≥ 0.994", "0.9931", "not met")
    assert table.rows[2] == ("68% coverage", "", "–", "0.66 to 0.7", "0.6820", "met")
    assert table.rows[3] == ("galaxies/s", "one core", "–", "≥ 90000", "112,346", "met")
    assert table.rows[4][-2:] == ("–", "not measured")
    assert "<td class='bad'>not met</td>" in table.html()
    record = bars_record(bars)
    assert [bar["met"] for bar in record] == [True, False, True, True, False]
    assert record[2]["bar"] == [0.66, 0.70]


def test_counts_are_whole_and_titles_tell_of_papers_where_there_are_any():
    counted, published = Bar("models", 20, 25, ">="), Bar("σ", 0.1, 0.2, paper=0.1)
    assert bars_table([counted]).rows[0][2] == "25"
    assert bars_table([Bar("ratio", 1.0, 25.0)]).rows[0][2] == "25.0000"
    assert "paper" not in bars_title([counted])
    assert "paper" in bars_title([counted, published])


def test_columns_that_no_bar_fills_are_left_out():
    assert bars_table([Bar("x", 1.0, 0.5)]).header == ("figure", "to reach", "ours", "verdict")
