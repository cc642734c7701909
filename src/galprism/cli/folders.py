"""Folders that a verb writes into, alone where it must be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # not a Unix: nobody is kept out
    fcntl = None  # type: ignore[assignment]

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


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """A folder that no other run may enter for the length of a block; one that is killed holds it no longer.

    Raises RequestError where another run is in it. Where its disk knows no locks, nobody is kept out.
    """
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RequestError(f"{folder}: another run writes there; accepted: another folder, or wait") from error
        yield
    finally:
        os.close(handle)
