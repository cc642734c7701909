"""Its place puts tests/ on the import path, so that the tests of every room share toy_sky."""

import sys

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """PyTorch has one thread: other libraries set its number for all, and two tests at a time on two cores would
    then wait for each other at every step of a training, tens of times as long as the step itself."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
