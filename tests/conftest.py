"""Its place puts tests/ on the import path, so that the tests of every room share toy_sky."""

import os
import sys

import pytest

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
"""Set before NumPy comes, which reads them once: two tests at a time on two cores, each with a thread for every core,
wait for each other actively, and need several times the processor time for the same answers."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """PyTorch has one thread, for the same reason: other libraries set its number for all."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
