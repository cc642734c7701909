"""Bundle + Sources -> Predictions, in memory or from file to file."""

from galprism.infer.predict import Predictor, predict
from galprism.infer.stored import Posteriors, read_posteriors, reweighted
from galprism.infer.stream import Summary, predict_file

__all__ = ["Posteriors", "Predictor", "Summary", "predict", "predict_file", "read_posteriors", "reweighted"]
