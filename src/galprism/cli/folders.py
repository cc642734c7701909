"""Folders that a verb writes into."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from galprism.errors import RequestError


@contextmanager
def made(folder: Path) -> Iterator[None]:
    """The folder for the length of a block; a new one is gone again where a wrong request left it empty.

    Raises RequestError where it cannot be made.
    """
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"{folder}: cannot be made a folder: {error.strerror}") from error
    try:
        yield
    except RequestError:
        if new and not any(folder.iterdir()):
            folder.rmdir()
        raise
