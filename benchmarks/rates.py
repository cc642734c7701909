"""How fast something is, and this core: what benchmarks of several kinds share."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

SIDE = 2048


def best_rate(work: Callable[[], object], count: int, repeats: int) -> float:
    """`count` over the seconds of the fastest of several repeats."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return count / min(seconds)


def matrix_peak(repeats: int = 10) -> float:
    """GFLOP/s of a float32 matrix product on this thread."""
    a, b = (np.random.default_rng(k).standard_normal((SIDE, SIDE)).astype(np.float32) for k in range(2))
    return 2.0 * SIDE**3 / 1e9 * best_rate(lambda: a @ b, 1, repeats)
