"""Passbands: a curve, a library of curves by name, and synthetic photometry through them."""

from galprism.medium import air_from_vacuum, vacuum_from_air
from galprism.passbands.files import read_curve, write_ecsv
from galprism.passbands.known import ALIASES, aliases, get, names
from galprism.passbands.passband import Passband
from galprism.passbands.photometry import abflux, band_matrix, line_abflux

__all__ = [
    "ALIASES",
    "Passband",
    "abflux",
    "air_from_vacuum",
    "aliases",
    "band_matrix",
    "get",
    "line_abflux",
    "names",
    "read_curve",
    "vacuum_from_air",
    "write_ecsv",
]
