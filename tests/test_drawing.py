"""The import drawing of docs/design.md held against the code."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import galprism

ROOT = Path(galprism.__file__).parent
DRAWING = Path(__file__).parents[1] / "docs" / "design.md"


def rooms() -> list[str]:
    """The rooms in the order of the drawing: a line of files first, then one room a line."""
    block = DRAWING.read_text().split("    src/galprism/\n")[1].split("    tests/")[0]
    order = []
    for line in block.splitlines():
        words = line.split()
        order += [word.removesuffix(".py") for word in words] if words[-1].endswith(".py") else [words[0]]
    return [word.strip("/").removesuffix(".py") for word in order]


ORDER = rooms()
FORBIDDEN = {
    "nets": {"errors", "units", "flags", "config", "data", "passbands", "surveys", "sps", "mocks", "prep"},
    "evaluate": {"nets", "train", "sps", "mocks", "prep", "bundle", "infer", "fit"},
    "infer": {"nets", "train", "sps", "mocks"},
}
HEAVY = (
    *("torch", "galsim", "dask", "lsdb", "bagpipes", "speclite", "sedpy", "onnx", "photutils", "xgboost", "sklearn"),
    *("optuna", "spectres", "specutils", "skimage", "ppxf", "umap"),
)
NETWORK = ("urllib.request", "http.client", "socket", "requests", "astroquery")
NETWORK_DOORS = ("passbands/svo.py", "archives/client.py")
MAY_IMPORT_TORCH = {"sps", "mocks", "nets", "train"}


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path):
    """(module, is at the top of the file) of every import of a file, those inside functions too."""
    tree = ast.parse(path.read_text())
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in top
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            assert node.module
            if node.module == "galprism":
                for alias in node.names:
                    yield f"galprism.{alias.name}", id(node) in top
            else:
                yield node.module, id(node) in top


def test_the_drawing_names_every_room():
    there = {room_of(path) for path in FILES}
    assert there <= set(ORDER), f"not in the drawing: {there - set(ORDER)}"
    assert set(ORDER) <= there, f"in the drawing alone: {set(ORDER) - there}"


FILES = sorted(path for path in ROOT.rglob("*.py") if path.name not in {"__main__.py"} and path != ROOT / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    room = room_of(path)
    assert room in ORDER, f"{room} is not a room of the drawing"
    for module, _ in imports(path):
        if not module.startswith("galprism."):
            continue
        other = module.split(".")[1]
        if other == "__version__":
            continue
        assert ORDER.index(other) <= ORDER.index(room), f"{room} imports {other}, which stands above it"
        assert other not in FORBIDDEN.get(room, set()), f"{room} must know nothing of {other}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_heavy_libraries_come_in_by_their_doors(path):
    for module, at_top in imports(path):
        if module.split(".")[0] == "torch":
            assert room_of(path) in MAY_IMPORT_TORCH, f"{path.name} imports torch"
        elif module.split(".")[0] in HEAVY:
            assert not at_top or room_of(path) in MAY_IMPORT_TORCH, f"{path.name} imports {module} at the top"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_network_has_two_doors(path):
    if path.relative_to(ROOT).as_posix() not in NETWORK_DOORS:
        assert not {module for module, _ in imports(path)} & set(NETWORK), f"{path.name} asks the network"


def test_there_is_no_room_for_everything_else():
    assert not [path for path in ROOT.rglob("*") if "utils" in path.name]


def test_the_light_core_imports_without_torch():
    """Reading, predicting, fitting from a cache and judging need none of the heavy libraries."""
    code = (
        "import sys\n"
        f"for name in {HEAVY!r}: sys.modules[name] = None\n"
        "import galprism.cli.main, galprism.infer, galprism.fit, galprism.evaluate, galprism.surveys, galprism.bundle\n"
        "import galprism.archives.sdss_table\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
