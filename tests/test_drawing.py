"""The import drawing of docs/design.md held against the code."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

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


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def imports(path: Path) -> list[tuple[str, bool]]:
    """(module, is at the top of the file) of every import of a file, those inside functions too."""
    return list(_imports(path))


def _imports(path: Path):
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


def test_imports_point_down():
    wrong = []
    for path in FILES:
        room = room_of(path)
        assert room in ORDER, f"{room} is not a room of the drawing"
        for module, _ in imports(path):
            other = module.removeprefix("galprism.").split(".")[0]
            if not module.startswith("galprism.") or other == "__version__":
                continue
            if ORDER.index(other) > ORDER.index(room):
                wrong.append(f"{name_of(path)} imports {other}, which stands above it")
            if other in FORBIDDEN.get(room, set()):
                wrong.append(f"{name_of(path)} imports {other}, of which {room} must know nothing")
    assert not wrong


def test_heavy_libraries_come_in_by_their_doors():
    wrong = []
    for path in FILES:
        if room_of(path) in MAY_IMPORT_TORCH:
            continue
        for module, at_top in imports(path):
            library = module.split(".")[0]
            if library == "torch" or (library in HEAVY and at_top):
                wrong.append(f"{name_of(path)} imports {module}")
    assert not wrong


def test_the_network_has_two_doors():
    asking = {name_of(path) for path in FILES if {module for module, _ in imports(path)} & set(NETWORK)}
    assert asking <= set(NETWORK_DOORS)


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
