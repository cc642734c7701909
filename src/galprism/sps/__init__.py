"""Stellar populations: from the parameters of galaxies to their light."""

from galprism import cosmology
from galprism.sps.bc03 import load_bc03_miles
from galprism.sps.derived import mix
from galprism.sps.dust import Dust
from galprism.sps.forward import ForwardModel
from galprism.sps.galaxies import Derived, Galaxies, Observed, RestSED
from galprism.sps.library import NebularGrid, SSPLibrary

__all__ = [
    "Derived",
    "Dust",
    "ForwardModel",
    "Galaxies",
    "NebularGrid",
    "Observed",
    "RestSED",
    "SSPLibrary",
    "cosmology",
    "load_bc03_miles",
    "mix",
]
