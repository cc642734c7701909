import numpy as np
import pytest

from galprism.data.tables import ColumnInfo

N = 257


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    """A catalogue with all that a format may trip over: ids beyond 2^53, text beyond ASCII, NaN, infinity, vectors."""
    rng = np.random.default_rng(7)
    flux = rng.lognormal(3, 2, N).astype(np.float32)
    flux[[0, 5]] = np.nan, np.inf
    return {
        "id": 2**60 + rng.permutation(N).astype(np.int64),
        "Name": np.array(["" if i == 3 else f'Größe {"α" * (i % 5)}{i}, "x"' for i in range(N)]),
        "ra": rng.uniform(0, 360, N),
        "flux_r": flux,
        "n": rng.integers(-(2**15), 2**15, N).astype(np.int16),
        "flags": rng.integers(0, 2**32, N, dtype=np.uint32),
        "good": rng.random(N) > 0.5,
        "pdf": rng.normal(size=(N, 3)).astype(np.float32),
        "logm": rng.normal(10, 1, N).astype(np.float32),
    }


@pytest.fixture
def infos(arrays) -> list[ColumnInfo]:
    units = {"ra": "deg", "flux_r": "nJy", "logm": "dex(Msun)"}
    ucds = {"id": "meta.id;meta.main", "flux_r": "phot.flux.density", "logm": "phys.mass"}
    texts = {"flux_r": "flux density in r", "logm": "log10 of the mass: <living> & dead"}
    return [
        ColumnInfo(
            name,
            units.get(name),
            np.dtype(str) if name == "Name" else values.dtype,
            texts.get(name, ""),
            ucds.get(name, ""),
            values.shape[1:],
        )
        for name, values in arrays.items()
    ]
