"""Stellar populations: from the parameters of galaxies to their light."""

from galprism import cosmology
from galprism.sps.bc03 import load_bc03_miles
from galprism.sps.derived import mix, parameters
from galprism.sps.dust import Dust
from galprism.sps.forward import ForwardModel
from galprism.sps.fsps import load_fsps
from galprism.sps.galaxies import Derived, Galaxies, Observed, RestSED
from galprism.sps.histories import (
    Burst,
    Changed,
    Composite,
    Constant,
    DelayedTau,
    Exponential,
    Tabulated,
    bursts,
    with_burst,
)
from galprism.sps.miles import load_miles
from galprism.sps.named import load_library
from galprism.sps.ppxf import load_ppxf
from galprism.sps.ssp import NebularGrid, SSPLibrary

__all__ = [
    "Burst",
    "Changed",
    "Composite",
    "Constant",
    "DelayedTau",
    "Derived",
    "Dust",
    "Exponential",
    "ForwardModel",
    "Galaxies",
    "NebularGrid",
    "Observed",
    "RestSED",
    "SSPLibrary",
    "Tabulated",
    "bursts",
    "cosmology",
    "load_bc03_miles",
    "load_fsps",
    "load_library",
    "load_miles",
    "load_ppxf",
    "mix",
    "parameters",
    "with_burst",
]
