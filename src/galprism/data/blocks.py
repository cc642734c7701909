"""What the blocks of Sources are checked for on entry."""

from __future__ import annotations

import numpy as np

from galprism.errors import RequestError


def readonly(array: np.ndarray) -> np.ndarray:
    """The same numbers, which cannot be written to."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def check_shape(owner: str, name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    """Raises RequestError where an array has another shape."""
    if array.shape != shape:
        raise RequestError(f"{owner}.{name} has shape {array.shape}; expected {shape}")
