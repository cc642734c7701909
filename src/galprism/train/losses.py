"""What is made small: the Huber loss of a point, minus the log-likelihood of a mixture, of the true candidate, or of
the true class."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, huber_loss, mse_loss

from galprism.nets import BayesianNetwork, Classifier, Network, Scorer


def loss(network: Network, raw: Tensor, y: Tensor, huber_delta: float) -> Tensor:
    """The mean over a batch, of what the network put out.

    y : of an estimator the true coordinates (n, D); of a scorer what was thought of each candidate (n, M), in nat, the
    first of which is true; of a classifier the true classes (n,). A point estimator has the Huber loss (Guo et al.
    2024, eq. 1), averaged over sources and coordinates, or where delta is infinite the mean square error; the others
    have minus the log-likelihood, in nat per source, and Bayesian networks how far their weights are from their prior
    on top.
    """
    if isinstance(network, Classifier):
        return cross_entropy(raw, y)
    if isinstance(network, Scorer):
        return -torch.log_softmax(raw + y, 1)[:, 0].mean()
    if isinstance(network, BayesianNetwork):
        return network.loss(raw, y)
    if network.head is None:
        return mse_loss(raw, y) if math.isinf(huber_delta) else huber_loss(raw, y, delta=huber_delta)
    return network.head.nll(raw, y).mean()


def errors(network: Network, raw: Tensor, y: Tensor) -> Tensor:
    """(n, D): how far off each coordinate's mean is; (n, 1): the probability of all false candidates or classes."""
    if isinstance(network, Classifier):
        return 1.0 - torch.softmax(raw, 1).gather(1, y.unsqueeze(1))
    if isinstance(network, Scorer):
        return 1.0 - torch.softmax(raw + y, 1)[:, :1]
    return network.mean(raw) - y


def unit(network: Network, huber_delta: float) -> str:
    """What the loss is, for an axis."""
    likelihood = isinstance(network, Scorer | Classifier | BayesianNetwork) or network.head is not None
    point = "mean square error" if math.isinf(huber_delta) else "Huber loss"
    return "negative log-likelihood [nat]" if likelihood else point
