"""Rows whose id stands in an earlier row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

BUCKET_ROWS = 1 << 25
"""Keys that are sorted in memory at once: half a gigabyte with what the sorting needs."""


def keys(ids: np.ndarray) -> np.ndarray:
    """(N,), uint64: equal for equal ids. Integers are themselves; text is hashed (two different texts of a billion
    rows have the same hash with a chance of 3 per cent)."""
    ids = np.asarray(ids)
    if ids.dtype.kind in "iub":
        return ids.astype(np.int64).view(np.uint64)
    if ids.dtype.kind == "f":
        return ids.astype(np.float64).view(np.uint64)
    text = np.ascontiguousarray(ids.astype(str))
    letters = text.view(np.uint32).reshape(len(text), -1) if len(text) else np.zeros((0, 1), np.uint32)
    result = np.full(len(text), 0xCBF29CE484222325, np.uint64)  # FNV-1a, of code points
    for column in letters.T:
        # the padding of a fixed-width array is no part of the text
        result = np.where(column == 0, result, (result ^ column) * np.uint64(0x100000001B3))
    return _mixed(result)


def repeated(ids: np.ndarray) -> np.ndarray:
    """(N,), bool: the same id stands in an earlier row."""
    return repeated_keys(keys(ids))


def repeated_keys(key: np.ndarray) -> np.ndarray:
    """(N,), bool: the same key stands in an earlier row."""
    again = np.zeros(len(key), bool)
    ordered = np.sort(key)
    if np.any(ordered[1:] == ordered[:-1]):
        order = np.argsort(key, kind="stable")
        again[order[1:]] = key[order[1:]] == key[order[:-1]]
    return again


def repeated_in_parts(
    load_keys: Callable[[int], np.ndarray], sizes: Sequence[int], folder: Path, bucket_rows: int = BUCKET_ROWS
) -> np.ndarray:
    """(N,), bool, of a table in parts whose keys are loaded one part at a time; memory stays bounded.

    The keys fall into buckets of about `bucket_rows`; every pass over the parts looks at one bucket. Where there are
    several, the result is a file in `folder`, mapped into memory.
    """
    n = sum(sizes)
    n_buckets = max(-(-n // bucket_rows), 1)
    if n_buckets == 1:
        return repeated_keys(np.concatenate([load_keys(i) for i in range(len(sizes))] or [np.zeros(0, np.uint64)]))
    again = np.lib.format.open_memmap(folder / "repeated.npy", mode="w+", dtype=bool, shape=(n,))
    for bucket in range(n_buckets):
        found, rows, first = [], [], 0
        for i, size in enumerate(sizes):
            key = load_keys(i)
            inside = np.flatnonzero(_mixed(key) % np.uint64(n_buckets) == bucket)
            found.append(key[inside])
            rows.append(first + inside)
            first += size
        twice = repeated_keys(np.concatenate(found))
        again[np.concatenate(rows)[twice]] = True
    return again


def _mixed(value: np.ndarray) -> np.ndarray:
    """Bits spread over all 64 (the finaliser of SplitMix64, Steele, Lea & Flood 2014)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
