"""Surveys: their bands and noise, and how their tables are understood. One file a survey."""

from galprism.surveys.band import Band
from galprism.surveys.curves import from_curves, from_names
from galprism.surveys.layout import Layout
from galprism.surveys.preset import Preset, cigale
from galprism.surveys.reading import read, stream, understood
from galprism.surveys.registry import get, names
from galprism.surveys.survey import Survey

__all__ = [
    "Band",
    "Layout",
    "Preset",
    "Survey",
    "cigale",
    "from_curves",
    "from_names",
    "get",
    "names",
    "read",
    "stream",
    "understood",
]
