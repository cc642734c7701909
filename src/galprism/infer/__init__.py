"""Bundle + Sources -> Predictions, in memory or from file to file."""

from galprism.infer.predict import Predictor, predict
from galprism.infer.stream import Summary, predict_file

__all__ = ["Predictor", "Summary", "predict", "predict_file"]
