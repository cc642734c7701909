import pytest
from planted_sky import Sky, planted


@pytest.fixture(scope="session")
def sky() -> Sky:
    return planted(6000)


@pytest.fixture
def small() -> Sky:
    return planted(120, seed=3)
