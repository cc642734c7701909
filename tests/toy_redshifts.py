"""A toy catalogue of redshifts from spectra whose posteriors from photometry are known in closed form.

Redshifts are even from LOW to HIGH, and g - r is SLOPE z with a Gaussian scatter; no other band knows of redshifts. Of
a colour the posterior is a Gaussian around where the line has it, cut at the ends of the range.
"""

import numpy as np
from scipy.special import ndtr, ndtri

from galprism import recipes, surveys
from galprism.data.tables import write_table

LOW, HIGH = 0.05, 0.65
SLOPE, SCATTER = 4.0, 0.2
"""mag per unit redshift, and mag."""
SIGMA = SCATTER / SLOPE
BANDS = tuple("ugriz")


def catalogue(n: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Columns: zspec, and magnitudes without errors."""
    rng = np.random.default_rng(seed)
    z, r = rng.uniform(LOW, HIGH, n), rng.uniform(17.0, 19.5, n)
    u, i, zed = (r + offset + 0.05 * rng.standard_normal(n) for offset in (1.5, -0.3, -0.5))
    g = r + SLOPE * z - 0.9 + SCATTER * rng.standard_normal(n)
    return {"name": np.arange(n) + 100, "zspec": z, "u": u, "g": g, "r": r, "i": i, "z": zed}


def columns() -> dict[str, str]:
    """How a survey reads it."""
    named = {"id": "name", "redshift": "zspec"} | {f"mag_{band}": band for band in BANDS}
    return named | {f"mag_err_{band}": "none" for band in BANDS}


def settings(path, **more) -> list[str]:
    """Of the recipe sdss-redshift, to learn it in seconds."""
    small = {
        "labels.catalogue": path,
        **{f"labels.columns.{target}": f'"{column}"' for target, column in columns().items()},
        "labels.networks": 2,
        "net.width": 32,
        "net.dropout": 0.0,
        "train.epochs": "[30]",
        "train.lr": "[5e-3]",
        "train.batch_size": 128,
        "drop.bands": 0.1,
    }
    return [f"{key}={value}" for key, value in (small | more).items()]


def recipe(path, **more):
    return recipes.load("sdss-redshift", settings(path, **more))


def written(folder, n: int, seed: int = 0, **changes):
    """The catalogue as a file; changes : columns in place of its own."""
    path = folder / f"spectra-{seed}.csv"
    write_table(path, catalogue(n, seed) | changes)
    return path


def read(path):
    return surveys.read(path, "sdss", columns_map=columns())


def exact(columns: dict[str, np.ndarray], level: float) -> np.ndarray:
    """(N,): a quantile of each posterior."""
    centre = (columns["g"] - columns["r"] + 0.9) / SLOPE
    below, above = ndtr((LOW - centre) / SIGMA), ndtr((HIGH - centre) / SIGMA)
    return centre + SIGMA * ndtri(below + level * (above - below))
