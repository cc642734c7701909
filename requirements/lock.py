"""Write core.txt and dev.txt: what a fresh environment holds after installing pyproject.toml's dependencies.

PyTorch is pinned to its public version, so that a CPU build on the machine's own index serves as well.
"""

import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

HERE = Path(__file__).parent
TORCH = "torch==2.13.0"


def lock(name: str, wanted: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        pip = [f"{folder}/bin/python", "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--quiet", *wanted], check=True)
        frozen = subprocess.run([*pip, "freeze"], check=True, capture_output=True, text=True).stdout
    lines = [line.split("+")[0] for line in frozen.splitlines() if not line.startswith("nvidia-")]
    head = f"# Made by requirements/lock.py with Python {sys.version.split()[0]}"
    (HERE / name).write_text("\n".join([head, *lines]) + "\n")


def main() -> None:
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]
    core, extras = project["dependencies"], project["optional-dependencies"]
    everything = [line for lines in extras.values() for line in lines if not line.startswith(("galprism", "torch"))]
    lock("core.txt", core)
    core_pins = [line for line in (HERE / "core.txt").read_text().splitlines() if not line.startswith("#")]
    lock("dev.txt", [*core_pins, TORCH, *everything])


if __name__ == "__main__":
    main()
