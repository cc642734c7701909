"""The model of tiny_survey, trained once for all tests of a worker."""

import pytest
from tiny_survey import TINY, mock

from galprism import bundle, recipes, surveys
from galprism.recipes.training import train_bundle


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The bundle of a small training."""
    return train_bundle(recipes.load("galaxy-photometry", TINY), tmp_path_factory.mktemp("any") / "tiny")


@pytest.fixture(scope="session")
def model(folder):
    return bundle.load(folder)


@pytest.fixture(scope="session")
def kids(model):
    sources, truth = mock("kids")
    return model.bind(surveys.get("kids")), sources, truth
