"""Verbs that need an extra say which one, instead of a traceback."""

from __future__ import annotations

from importlib.util import find_spec

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
