"""What is made small: the Huber loss of a point, or minus the log-likelihood of a mixture."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import huber_loss

from galprism.nets import Estimator


def loss(estimator: Estimator, raw: Tensor, y: Tensor, huber_delta: float) -> Tensor:
    """The mean over a batch, of what the estimator put out and the true coordinates (n, D).

    A point estimator has the Huber loss (Guo et al. 2024, eq. 1), summed over nothing and averaged over sources and
    coordinates; a mixture has its negative log-likelihood, in nat per source.
    """
    if estimator.head is None:
        return huber_loss(raw, y, delta=huber_delta)
    return estimator.head.nll(raw, y).mean()
