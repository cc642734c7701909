"""The page that shows how a survey is added does what it says."""

import re
from pathlib import Path

import numpy as np

from galprism import passbands, surveys

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-survey.md"


def test_the_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    space: dict = {}
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.S | re.M)
    assert [kind for kind, _ in blocks] == ["toml", "text", "python", "python", "python"]
    for kind, code in blocks:
        if kind == "python":
            exec(compile(code, str(PAGE), "exec"), space)
        else:
            Path(code.split("\n")[0].removeprefix("# ")).write_text(code)
    said = capsys.readouterr().out
    assert "g: F_g +- DF_g [uJy]" in said
    assert "corrected here with the table's A_g, A_w, A_J (mag)" in said
    assert "not used: NOTE" in said


def test_a_curve_lies_beside_the_surveys_file_wherever_that_is(tmp_path, monkeypatch):
    blocks = re.findall(r"^```(?:toml|text)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.S | re.M)
    for code in blocks:
        (tmp_path / code.split("\n")[0].removeprefix("# ")).write_text(code)
    monkeypatch.chdir("/")
    moa = surveys.get(tmp_path / "moa.toml")
    curve = passbands.get(moa.bands[1].passband)
    assert 5900 < curve.pivot < 6100
    np.testing.assert_allclose(moa.sky_err()[0], 10 ** (0.4 * 7.4) / 5)
