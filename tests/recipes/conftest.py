"""The model of tiny_survey, trained once for all tests of a run."""

import fcntl
import os

import pytest
from tiny_survey import TINY, mock

from galprism import bundle, recipes, surveys
from galprism.recipes.training import train_bundle


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The bundle of a small training: the worker that asks first makes it, any other waits for it."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # of all workers of this run
    made = base / "any-bands" / "tiny"
    with (base / "any-bands.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            train_bundle(recipes.load("galaxy-photometry", TINY), made)
    return made


@pytest.fixture(scope="session")
def model(folder):
    return bundle.load(folder)


@pytest.fixture(scope="session")
def kids(model):
    sources, truth = mock("kids")
    return model.bind(surveys.get("kids")), sources, truth
