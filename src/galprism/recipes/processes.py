"""Work shared out to processes of one thread each, for what threads would wait for each other at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, TypeVar

from galprism.train.device import one_thread

Piece = TypeVar("Piece")
Answer = TypeVar("Answer")


def shared_out(
    make: Callable[..., Callable[[Piece], Answer]], given: tuple, pieces: Sequence[Piece], workers: int
) -> Iterator[Answer]:
    """What `make(*given)` answers to each piece, in their order; the same with any number of workers.

    make : a function of a module, which every worker calls once: what takes long to make is made there
    """
    if workers < 2 or len(pieces) < 2:
        yield from map(make(*given), pieces)
        return
    with ProcessPoolExecutor(
        min(workers, len(pieces)), get_context("spawn"), initializer=_begin, initargs=(make, given)
    ) as pool:
        yield from pool.map(_answer, pieces)


_worker: dict[str, Callable[[Any], Any]] = {}
"""What a worker has made."""


def _begin(make: Callable[..., Callable[[Any], Any]], given: tuple) -> None:
    one_thread()
    _worker["ask"] = make(*given)


def _answer(piece: Any) -> Any:
    return _worker["ask"](piece)
