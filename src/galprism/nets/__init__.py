"""Networks: plain torch modules, tensors in and tensors out, and the way from them to ONNX."""

from galprism.nets.bayesian import BayesianConfig, BayesianNetwork
from galprism.nets.classifier import CLASSIFIERS, Classifier, FusionConfig, KidsConfig, classifiers_to_onnx
from galprism.nets.ensemble import Ensemble
from galprism.nets.estimator import NETWORKS, Estimator, Regressor
from galprism.nets.mixture import Mixture, MixtureConfig
from galprism.nets.mlp import MLP, MLPConfig
from galprism.nets.readout import MixtureReadout, PointReadout, readout_to_onnx
from galprism.nets.residual import ResidualConfig, ResidualMLP
from galprism.nets.scorer import Scorer, scorer_to_onnx
from galprism.nets.separate import JPAS_BASE, JPAS_SED, SeparateConfig, SeparateMLPs

Network = Regressor | Scorer | Classifier | BayesianNetwork
"""What the training loop trains."""

__all__ = [
    "CLASSIFIERS",
    "JPAS_BASE",
    "JPAS_SED",
    "MLP",
    "NETWORKS",
    "BayesianConfig",
    "BayesianNetwork",
    "Classifier",
    "Ensemble",
    "Estimator",
    "FusionConfig",
    "KidsConfig",
    "MLPConfig",
    "Mixture",
    "MixtureConfig",
    "MixtureReadout",
    "Network",
    "PointReadout",
    "Regressor",
    "ResidualConfig",
    "ResidualMLP",
    "Scorer",
    "SeparateConfig",
    "SeparateMLPs",
    "classifiers_to_onnx",
    "readout_to_onnx",
    "scorer_to_onnx",
]
