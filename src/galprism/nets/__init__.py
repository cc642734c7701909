"""Networks: plain torch modules, tensors in and tensors out, and the way from them to ONNX."""

from galprism.nets.estimator import NETWORKS, Estimator
from galprism.nets.mixture import Mixture, MixtureConfig
from galprism.nets.mlp import MLP, MLPConfig
from galprism.nets.readout import MixtureReadout, PointReadout, readout_to_onnx
from galprism.nets.residual import ResidualConfig, ResidualMLP
from galprism.nets.scorer import Scorer, scorer_to_onnx

__all__ = [
    "MLP",
    "NETWORKS",
    "Estimator",
    "MLPConfig",
    "Mixture",
    "MixtureConfig",
    "MixtureReadout",
    "PointReadout",
    "ResidualConfig",
    "ResidualMLP",
    "Scorer",
    "readout_to_onnx",
    "scorer_to_onnx",
]
