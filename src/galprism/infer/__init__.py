"""Bundle + Sources -> Predictions, in memory or from file to file."""

from galprism.infer.classes import ClassPredictor
from galprism.infer.offsets import BandOffset, band_offsets
from galprism.infer.posteriors import Posteriors, read_posteriors, reweighted
from galprism.infer.predict import Predictor, predict
from galprism.infer.redshift import Density
from galprism.infer.spectroscopic import SpectroscopicPredictor
from galprism.infer.stream import Summary, predict_file

__all__ = [
    "BandOffset",
    "ClassPredictor",
    "Density",
    "Posteriors",
    "Predictor",
    "SpectroscopicPredictor",
    "Summary",
    "band_offsets",
    "predict",
    "predict_file",
    "read_posteriors",
    "reweighted",
]
