"""Sources, Truth and Predictions, and the tables that they come from and go to."""

from galprism.data.cutouts import Cutouts
from galprism.data.predictions import LEVELS, Predictions
from galprism.data.sources import Photometry, Sources
from galprism.data.spectra import Spectra
from galprism.data.truth import CLASSES, Truth

__all__ = ["CLASSES", "LEVELS", "Cutouts", "Photometry", "Predictions", "Sources", "Spectra", "Truth"]
