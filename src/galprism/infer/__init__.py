"""Bundle + Sources -> Predictions, in memory or from file to file."""

from galprism.infer.classes import ClassPredictor
from galprism.infer.offsets import BandOffset, band_offsets
from galprism.infer.posteriors import Posteriors, read_posteriors, reweighted
from galprism.infer.predict import predict
from galprism.infer.predictor import Predictor
from galprism.infer.redshift import Density
from galprism.infer.redshift_predictor import RedshiftPredictor
from galprism.infer.stream import Summary, predict_file

__all__ = [
    "BandOffset",
    "ClassPredictor",
    "Density",
    "Posteriors",
    "Predictor",
    "RedshiftPredictor",
    "Summary",
    "band_offsets",
    "predict",
    "predict_file",
    "read_posteriors",
    "reweighted",
]
