import numpy as np
import pytest
import torch

from galprism import passbands
from galprism.cosmology import age_gyr
from galprism.sps import ForwardModel, Galaxies, load_bc03_miles

KIDS = ("u", "g", "r", "i", "Z", "Y", "J", "H", "Ks")


@pytest.fixture(scope="session")
def library():
    return load_bc03_miles()


@pytest.fixture(scope="session")
def kids():
    return [passbands.get(f"kids/{band}") for band in KIDS]


@pytest.fixture(scope="session")
def model(library, kids):
    return ForwardModel(library, kids, z_max=4.0)


@pytest.fixture(scope="session")
def draw():
    """Random galaxies as in Guo et al. (2024, Table 1)."""

    def galaxies(n: int, seed: int, z=(0.05, 3.0), **given) -> Galaxies:
        rng = np.random.default_rng(seed)
        redshift = rng.uniform(*z, n)
        columns = {
            "redshift": redshift,
            "tau": rng.uniform(0.25, 8.0, n),
            "age": rng.uniform(0.25, age_gyr(redshift)),
            "z_met": rng.choice([0.0001, 0.0004, 0.004, 0.008, 0.02, 0.05], n),
            "ebv": rng.uniform(0.0, 2.0, n) / 3.1,
            "logu": -2.0,
        }
        return Galaxies.from_numpy(**columns | given)

    return galaxies


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)
