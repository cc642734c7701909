"""Verbs that need an extra say which one, instead of a traceback."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from galprism.errors import RequestError

NEEDS = {
    "mock": ("torch", "bagpipes"),
    "train": ("torch", "bagpipes", "onnx"),
    "maps": ("umap",),
    "images": ("photutils",),
}


def require(extra: str, why: str) -> None:
    """Raises RequestError when a library of the extra is not installed."""
    missing = [name for name in NEEDS[extra] if find_spec(name) is None]
    if missing:
        raise RequestError(f"{why} needs {', '.join(missing)}: pip install 'galprism[{extra}]'")


def cache_path(text: str, option: str) -> Path:
    """Where model fluxes stand, or are to be kept once they are made.

    Raises RequestError for what cannot be such a file, and where they would have to be made and cannot be.
    """
    path = Path(text)
    if path.suffix != ".npz" or path.is_dir():
        raise RequestError(f"{option} {text}; accepted: the name of an .npz file")
    if not path.exists():
        require("mock", "making model fluxes")
        if not path.absolute().parent.is_dir():
            raise RequestError(f"{option} {text}: there is no folder {path.parent}; make it first")
    return path
