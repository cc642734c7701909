"""How fast tables are read and written, one core: the floor under any work on a catalogue, checked and then timed.

    OMP_NUM_THREADS=1 python benchmarks/tables.py [--n 1000000] [--repeats 3] [--json FILE]

A catalogue of an id and 19 float32 columns goes from one file to another in each format, batch by batch. First what
arrives must be what was sent; then reading, and reading with writing, are timed, best of the repeats, with astropy's
reading of the same FITS file beside ours. Processor seconds are reported: other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from astropy.io import fits

from galprism.data.tables import BATCH_ROWS, ColumnInfo, TableWriter, open_table

N_COLUMNS = 19
SUFFIXES = (".parquet", ".fits", ".hdf5")


def make(path: Path, n_rows: int) -> None:
    """Log-normal fluxes: they compress as little as real ones do."""
    rng = np.random.default_rng(1)
    names = [f"flux_{i}" for i in range(N_COLUMNS)]
    columns = [ColumnInfo("id", dtype=np.dtype(np.int64))]
    columns += [ColumnInfo(name, "nJy", np.dtype(np.float32)) for name in names]
    with TableWriter(path, columns, n_rows) as writer:
        for at in range(0, n_rows, BATCH_ROWS):
            n = min(BATCH_ROWS, n_rows - at)
            fluxes = {name: rng.lognormal(3, 2, n).astype(np.float32) for name in names}
            writer.write({"id": np.arange(at, at + n), **fluxes})


def read(path: Path) -> None:
    for _ in open_table(path).batches():
        pass


def copy(source: Path, target: Path) -> None:
    table = open_table(source)
    with TableWriter(target, list(table.columns.values()), table.n_rows, table.meta) as writer:
        for batch in table.batches():
            writer.write(batch)


def read_with_astropy(path: Path) -> None:
    with fits.open(path, memmap=True) as hdus:
        data = hdus[1].data
        for at in range(0, len(data), BATCH_ROWS):
            for name in data.columns.names:
                rows = data[name][at : at + BATCH_ROWS]
                rows.astype(rows.dtype.newbyteorder("="))


def best(repeats: int, work: Callable[[], None]) -> float:
    """Processor seconds."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def check(source: Path, target: Path) -> None:
    before, after = open_table(source).read(), open_table(target).read()
    for name, values in before.items():
        if not np.array_equal(values, after[name]):
            raise SystemExit(f"{target.name}: column {name} did not arrive as it was sent")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=1_000_000, help="rows")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    megabytes = args.n * (8 + 4 * N_COLUMNS) / 1e6
    print(f"{platform.machine()}, numpy {np.__version__}, pyarrow {pa.__version__}; {args.n} rows, {megabytes:.0f} MB")
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for suffix in SUFFIXES:
            source, target = Path(folder) / f"in{suffix}", Path(folder) / f"out{suffix}"
            make(source, args.n)
            copy(source, target)
            check(source, target)
            reading = best(args.repeats, lambda path=source: read(path))
            both = best(args.repeats, lambda a=source, b=target: copy(a, b))
            results[suffix] = {
                "read_mrows_per_s": args.n / reading / 1e6,
                "read_mb_per_s": megabytes / reading,
                "read_and_write_mrows_per_s": args.n / both / 1e6,
                "file_mb": source.stat().st_size / 1e6,
            }
            if suffix == ".fits":
                results[suffix]["astropy_read_mb_per_s"] = megabytes / best(
                    args.repeats, lambda path=source: read_with_astropy(path)
                )
            told = ", ".join(f"{name} {value:.2f}" for name, value in results[suffix].items())
            print(f"{suffix:9s} {told}", flush=True)
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
