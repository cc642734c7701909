"""The report: one page that needs nothing else, strict numbers beside it, written whole or not at all."""

import base64
import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from planted_sky import emptied

import galprism
from galprism.errors import RequestError
from galprism.evaluate import evaluate
from galprism.evaluate.figures import style
from galprism.evaluate.folder import is_report, write_folder
from galprism.evaluate.page import Section, folded, page
from galprism.evaluate.report import strict

VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """Checks that every element is closed in order, and keeps what may reach outside."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.pictures: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "img":
            assert attributes["alt"]
            self.pictures.append(attributes["src"])
        self.links += [
            attributes[name] for name in ("href", "action", "data", "poster", "srcset") if name in attributes
        ]
        if "id" in attributes:
            self.ids.append(attributes["id"])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def quick(monkeypatch):
    """Small figures of one parameter, for tests of the folder."""
    monkeypatch.setattr(style, "DPI", 20)
    return {"parameters": ["logmstar"]}


@pytest.fixture
def masses(small):
    """A method and a truth for which one figure is drawn."""
    return {"network": replace(small.network, levels=(), quantiles=None)}, small.truth, None


def test_the_page_is_valid_and_reaches_nowhere(report):
    text = report.html.read_text()
    assert text.startswith("<!DOCTYPE html>")
    page = Page(text)
    assert not {"script", "link", "iframe", "object"} & set(page.seen)
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)
    assert all(source.startswith("data:image/png;base64,") for source in page.pictures)
    assert not re.search(r"https?://|url\(|@import|//[a-z]", re.sub(r"base64,[^\"]*", "", text))
    assert len(set(page.ids)) == len(page.ids)


def test_every_figure_is_in_the_page_and_beside_it(report):
    pictures = Page(report.html.read_text()).pictures
    files = sorted((report.out / "figures").iterdir())
    assert len(pictures) == len(files) == len(report.figures) == 7
    inside = {base64.b64decode(source.split(",")[1]) for source in pictures}
    assert inside == {path.read_bytes() for path in files}
    for drawing in report.figures:
        assert drawing.title in Page(report.html.read_text()).text


def test_the_page_says_what_was_done_to_what(report):
    text = Page(report.html.read_text()).text
    for said in (
        "Planted <sky> & noise",  # escaped, and read back
        "grid <fit>",
        "6,000 sources, 900 of them with exact",
        "log sSFR > -12",
        "Gaussian",
        'name = "kids-mass-sfr"',
        "Kroupa (2001)",
        "Salpeter (1955)",
        "107.2",
        "flat LCDM",
        "torch",
        "rms / limit",
        "too narrow",
        "How to read this",
        "not met",
        "Seed: 0",
        "galprism evaluate …",
    ):
        assert said in text, said


def test_metrics_json_is_strict_and_is_what_the_report_holds(report):
    def refuse(constant):
        raise AssertionError(f"{constant} in metrics.json")

    numbers = json.loads((report.out / "metrics.json").read_text(), parse_constant=refuse)
    assert numbers == report.numbers
    assert numbers["galprism"] == galprism.__version__
    assert numbers["bars"][0]["met"] is True
    assert numbers["bars"][1]["met"] is False
    assert numbers["meta"]["seed"] == 0
    assert set(numbers["versions"]) >= {"numpy", "matplotlib", "python", "torch"}
    assert datetime.strptime(numbers["created"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) <= datetime.now(UTC)


def test_numbers_can_be_asked_for(report):
    sigma = report.value("sigma", parameter="logmstar", method="network")
    record = next(r for r in report.numbers["metrics"] if r["method"] == "network")
    assert (sigma, record["sample"]) == (record["sigma"], "all")
    assert report.value("n", parameter="logsfr", method="network") < 6000  # with every cut, and without the limit
    assert report.value("n", parameter="logsfr", method="network", sample="all") == 6000
    beside = "log sSFR > -12; sources with exact"
    assert 1 < report.value("rms_over_limit", parameter="logsfr", method="network", sample=beside) < 2
    assert report.value("rms_over_limit", parameter="logsfr", method="network") is None
    assert report.value("rms_over_limit", parameter="logmstar", method="exact") == 1
    assert report.value("coverage_68", parameter="logmstar", method="network") == pytest.approx(0.68, abs=0.02)
    assert report.value("coverage_50", parameter="logmstar", method="network") is None
    assert report.value("ks", parameter="logmstar", method="network") < 0.03


def test_numbers_that_are_not_there_are_refused(report):
    with pytest.raises(RequestError, match="no metrics of logmstar, cigale"):
        report.value("sigma", parameter="logmstar", method="cigale")
    with pytest.raises(RequestError, match=r"no metric 'sigmaa'; there are parameter.*sigma"):
        report.value("sigmaa", parameter="logmstar", method="network")


def test_the_terminal_and_the_docs_get_the_same_table(report):
    text, markdown = report.text(), report.markdown()
    assert all(len(line) <= 100 for line in text.splitlines())
    assert "logmstar [dex(Msun)], all: n = 6000" in text
    assert "logsfr [dex(Msun / yr)], all: n = 6000" not in text  # the cut sample alone
    assert "logsfr [dex(Msun / yr)], all: n = 6000" in markdown
    assert "| grid <fit> |" in markdown
    assert "not met" in text
    assert "not met" in markdown


def test_without_a_truth_the_methods_are_compared(small, tmp_path, quick):
    report = evaluate({"network": small.network, "grid": small.grid}, None, small.sources, tmp_path / "r", **quick)
    text = Page(report.html.read_text()).text
    assert report.title == "network, grid: compared"
    assert "not which is right" in text
    assert "Methods against the truth" not in text
    assert "network − grid" in report.text()
    assert report.numbers["metrics"] == []


def test_nulls_everywhere_still_make_a_report(small, tmp_path):
    nothing = emptied(small.network, slice(None))
    report = evaluate({"network": nothing}, small.truth, small.sources, tmp_path / "r")
    assert report.figures == ()
    assert report.value("rms", parameter="logmstar", method="network") is None
    text = Page(report.html.read_text()).text
    assert "100.0%" in text
    assert "NOT_INFERRED" in text


def test_a_report_is_replaced_by_a_report(masses, tmp_path, quick):
    out = tmp_path / "r"
    evaluate(*masses, out, meta={"title": "first"}, **quick)
    (out / "note.txt").write_text("mine")
    evaluate(*masses, out, meta={"title": "second"}, **quick)
    assert "second" in (out / "index.html").read_text()
    assert sorted(path.name for path in out.iterdir()) == ["figures", "index.html", "metrics.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


@pytest.mark.parametrize("content", [{"thesis.txt": b"years"}, {"metrics.json": b"[]"}, {"metrics.json": b"{"}])
def test_a_folder_that_is_not_a_report_is_kept_unless_forced(masses, tmp_path, quick, content):
    out = tmp_path / "r"
    out.mkdir()
    for name, data in content.items():
        (out / name).write_bytes(data)
    with pytest.raises(RequestError, match="is a folder that is not a report"):
        evaluate(*masses, out, **quick)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == content
    evaluate(*masses, out, force=True, **quick)
    assert is_report(out)


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "r").mkdir()
    write_folder(tmp_path / "r", {"a/b.txt": b"x"})
    assert (tmp_path / "r" / "a" / "b.txt").read_bytes() == b"x"


def test_a_file_is_not_a_place_for_a_report(masses, tmp_path, quick):
    (tmp_path / "r").write_text("x")
    with pytest.raises(RequestError, match="is a file; the report is a folder"):
        evaluate(*masses, tmp_path / "r", force=True, **quick)
    with pytest.raises(RequestError, match="cannot write"):
        evaluate(*masses, tmp_path / "r" / "below", **quick)
    assert (tmp_path / "r").read_text() == "x"


def test_the_working_directory_is_never_replaced(masses, tmp_path, monkeypatch, quick):
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    for out in (Path("."), tmp_path / "a"):
        with pytest.raises(RequestError, match="holds the working directory"):
            evaluate(*masses, out, force=True, **quick)


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    out = tmp_path / "r"
    write_folder(out, {"metrics.json": b'{"kind": "galprism report"}'})
    rename, calls = galprism.evaluate.folder.os.rename, []

    def full(source, target):
        calls.append(target)
        if len(calls) == 2:  # the old folder has been put aside
            raise OSError(28, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(galprism.evaluate.folder.os, "rename", full)
    with pytest.raises(RequestError, match=r"cannot write .*: No space left on device"):
        write_folder(out, {"metrics.json": b"new"})
    assert (out / "metrics.json").read_bytes() == b'{"kind": "galprism report"}'
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


def test_a_wrong_request_writes_nothing(small, tmp_path):
    with pytest.raises(RequestError, match="no id is common"):
        evaluate({"n": replace(small.network, id=np.arange(120))}, small.truth, None, tmp_path / "r")
    assert list(tmp_path.iterdir()) == []


def test_strict_json_of_everything_that_a_meta_may_hold():
    @dataclass
    class Point:
        x: float

    given = {
        "nan": float("nan"),
        "array": np.array([1.0, np.inf]),
        "scalar": np.float32(0.5),
        "int": np.int64(3),
        "path": Path("a/b"),
        "tuple": (1, None, True),
        "record": Point(2.0),
        7: "seven",
    }
    assert strict(given) == {
        "nan": None,
        "array": [1.0, None],
        "scalar": 0.5,
        "int": 3,
        "path": "a/b",
        "tuple": [1, None, True],
        "record": {"x": 2.0},
        "7": "seven",
    }


def test_what_json_cannot_hold_is_named(masses, tmp_path, quick):
    with pytest.raises(RequestError, match=r"meta\.recipe\[1\] is of type object"):
        strict({"recipe": [1, object()]})
    with pytest.raises(RequestError, match=r"report\.meta\.key is of type bytes"):
        evaluate(*masses, tmp_path / "r", meta={"key": b"x"}, **quick)
    assert list(tmp_path.iterdir()) == []


def test_a_page_of_ones_own():
    """For pages that gather several reports."""
    text = page("A & B", [], [Section("One", ("<p>x</p>",)), Section("Empty", ("",))], "foot")
    parsed = Page(text)
    assert "A & B" in parsed.text
    assert parsed.ids == ["one"]
    assert "<nav" not in text  # there is nowhere else to go
    assert "<nav" in page("A", [], [Section(name, ("<p>x</p>",)) for name in ("One", "Two")], "foot")
    assert folded("title", "") == ""
