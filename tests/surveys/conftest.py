"""Made-up catalogues for the tests of this room."""

from types import SimpleNamespace

import numpy as np
import pytest

from galprism import surveys
from galprism.data.tables import ColumnInfo

KIDS, SDSS = surveys.get("kids"), surveys.get("sdss")
COLOURS = {
    "kids": np.array([1.3, 0.6, 0.0, -0.3, -0.5, -0.6, -0.8, -1.0, -1.1]),
    "sdss": np.array([1.7, 0.7, 0.0, -0.35, -0.6]),
}
"""Magnitudes of an ordinary galaxy at z about 0.3, relative to r."""


def catalogue(survey, n=400, r=(21.0, 1.2), seed=0, floor=0.0):
    """(flux, err) in nJy, (n, B): galaxies of normal r magnitude, with the survey's noise and an error floor."""
    rng = np.random.default_rng(seed)
    magnitude = rng.normal(*r, (n, 1)) + COLOURS[survey.name] + rng.normal(0, 0.15, (n, len(survey.bands)))
    flux = 10 ** (0.4 * (31.4 - magnitude))
    err = np.hypot(survey.flux_err(flux), floor * flux)
    return flux + err * rng.standard_normal(flux.shape), err


def plain(survey, flux, err, unit=None, dtype=np.float64):
    """(batch, columns) with plain flux columns."""
    batch = {"id": np.arange(len(flux))}
    for band, f, e in zip(survey.band_names, np.transpose(flux), np.transpose(err), strict=True):
        batch[f"flux_{band}"], batch[f"flux_err_{band}"] = f.astype(dtype), e.astype(dtype)
    return batch, columns_of(batch, {name: unit for name in batch if name != "id"})


def columns_of(batch, units=None):
    """The ColumnInfo of a batch."""
    return {
        name: ColumnInfo(name, (units or {}).get(name), values.dtype, shape=values.shape[1:])
        for name, values in ((name, np.asarray(values)) for name, values in batch.items())
    }


def one_row(survey, **values):
    """A batch of one ordinary galaxy in nJy with some values replaced."""
    flux, err = catalogue(survey, 1)
    batch, columns = plain(survey, flux, err, "nJy")
    for name, value in values.items():
        batch[name] = np.array([value], np.float64)
        columns.setdefault(name, ColumnInfo(name))
    return batch, columns


@pytest.fixture(scope="session")
def made():
    """The makers of this file, for the tests."""
    return SimpleNamespace(catalogue=catalogue, plain=plain, columns_of=columns_of, one_row=one_row)


@pytest.fixture(scope="session")
def kids():
    return KIDS


@pytest.fixture(scope="session")
def sdss():
    return SDSS
