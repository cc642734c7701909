"""The code blocks of the README and the docs run, in order, page by page."""

import contextlib
import re
import shlex
from pathlib import Path

import pytest

from galprism.cli.main import main
from galprism.nets import NETWORKS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture(autouse=True)
def networks():
    """A network that a page adds is gone when the page is done."""
    kept = dict(NETWORKS)
    yield
    NETWORKS.clear()
    NETWORKS.update(kept)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_blocks_run(page, tmp_path, capsys):
    """`python` blocks share one namespace; lines of `console` blocks that begin with `$ galprism` run in one folder.

    Any other block that begins with `# name.suffix` is that file.
    """
    namespace: dict = {}
    with contextlib.chdir(tmp_path):
        for language, code in BLOCK.findall(page.read_text()):
            if language == "python":
                exec(compile(code, str(page), "exec"), namespace)
            elif language == "console":
                for line in code.splitlines():
                    if line.startswith("$ galprism "):
                        words = shlex.split(line.removeprefix("$ galprism "), comments=True)
                        assert main(words) == 0, f"{line}\n{capsys.readouterr().err}"
            elif name := re.match(r"# (\S+\.\w+)\n", code):
                (tmp_path / name[1]).write_text(code)
            else:
                assert language == "text", f"{page.name}: a {language} block begins with `# name`, the file that it is"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
