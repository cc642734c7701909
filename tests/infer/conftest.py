from dataclasses import replace

import numpy as np
import pytest

import toy_model
import toy_models
import toy_sky
from galprism import bundle
from galprism.data.tables import write_table


@pytest.fixture(scope="session")
def mixture(tmp_path_factory):
    """(bundle, estimator, targets), the bundle written and read again."""
    packed, estimator, targets = toy_model.bundle()
    return bundle.load(bundle.save(packed, tmp_path_factory.mktemp("models") / "toy")), estimator, targets


@pytest.fixture(scope="session")
def point(tmp_path_factory):
    packed, estimator, targets = toy_model.bundle("point", steps=400)
    return bundle.load(bundle.save(packed, tmp_path_factory.mktemp("models") / "toy")), estimator, targets


@pytest.fixture(scope="session")
def models():
    """Draws of the toy sky's population."""
    return toy_models.cache()


@pytest.fixture(scope="session")
def checked(mixture):
    """A bundle whose survey has no errors beyond those stated."""
    return replace(mixture[0], recipe={"name": "toy", "noise": {"calibration": False}})


@pytest.fixture(scope="session")
def write_catalogue():
    """Writes sources as a plain table; other columns replace or add to its own."""

    def write(path, sources, **changes):
        photometry = sources.photometry
        columns = {"id": sources.id, "redshift": sources.redshift}
        for i, band in enumerate(toy_sky.BANDS):
            columns[f"flux_{band}"] = np.where(photometry.observed[:, i], photometry.flux[:, i], np.nan)
            columns[f"flux_err_{band}"] = np.array(photometry.flux_err[:, i])
        columns = {name: value for name, value in (columns | changes).items() if value is not None}
        write_table(path, columns, units={name: "nJy" for name in columns if name.startswith("flux")})
        return path

    return write
