"""The made archive, and a client that never waits."""

import pytest

from galprism.archives.client import Client, Manners
from made_archive import serving, stock


@pytest.fixture
def archive():
    with serving(stock()) as archive:
        yield archive


@pytest.fixture
def waits():
    """Seconds that the client would have waited."""
    return []


@pytest.fixture
def client(waits):
    return Client(Manners(pause=0, timeout=5, tries=3), sleep=waits.append)
