"""Which galaxies are worth a label: scores of a pool by what draws of a network's weights say of it.

Given the weights, the network says a Gaussian of each of D targets; over the weights, that is a mixture of T Gaussians.
Its entropy has no closed form, and is taken as that of the one Gaussian with the mixture's covariance C, the mean of
the variances plus the covariance of the means: no distribution of that covariance has more.
"""

from __future__ import annotations

import math

import numpy as np

from galprism.errors import RequestError
from galprism.train.bayesian import Draws

ACQUISITIONS = ("random", "entropy", "bald", "power-bald")
"""Any; the highest predictive entropy; the highest mutual information of targets and weights; drawn without putting
back by chances in proportion to it, so that a batch is not of one kind (Kirsch et al. 2023, TMLR, eq. 8, beta = 1)."""


def covariance(draws: Draws) -> np.ndarray:
    """(N, D, D), of the mixture."""
    off = draws.mean - draws.point
    between = np.einsum("tnd,tne->nde", off, off) / len(off)
    return between + draws.aleatoric[:, :, None] * np.eye(draws.mean.shape[2])


def predictive_entropy(draws: Draws) -> np.ndarray:
    """(N,), nat: 1/2 ln det(2 pi e C)."""
    n_targets = draws.mean.shape[2]
    return 0.5 * (n_targets * math.log(2 * math.pi * math.e) + np.linalg.slogdet(covariance(draws))[1])


def mutual_information(draws: Draws) -> np.ndarray:
    """(N,), nat: how much a label would say of the weights, which is the predictive entropy less the mean entropy of
    what each draw says (BALD: Houlsby et al. 2011, arXiv:1112.5745, eq. 2; of variances that depend on the source,
    Depeweg et al. 2018, ICML, 1184, eq. 3): 1/2 ln det C - mean_t sum_d ln sigma_td, 0 where all draws agree."""
    known = np.log(draws.sigma).sum(axis=2).mean(axis=0)
    return 0.5 * np.linalg.slogdet(covariance(draws))[1] - known


def chosen(acquisition: str, draws: Draws | None, n_pool: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """(n,), the places in a pool of `n_pool` of those whose labels are asked for; draws are of the pool, and none are
    needed for random ones.

    Raises RequestError for an acquisition that is not one of ACQUISITIONS, and where the pool has fewer than n.
    """
    if n > n_pool:
        raise RequestError(f"{n} labels of a pool of {n_pool}; accepted: at most as many")
    if acquisition == "random":
        return rng.choice(n_pool, n, replace=False)
    if acquisition not in ACQUISITIONS:
        raise RequestError(f"acquisition {acquisition!r}; accepted: {', '.join(ACQUISITIONS)}")
    assert draws is not None
    score = predictive_entropy(draws) if acquisition == "entropy" else mutual_information(draws)
    if acquisition == "power-bald":  # the highest of ln score + Gumbel noise are such a draw
        score = np.log(np.maximum(score, np.finfo(float).tiny)) + rng.gumbel(size=n_pool)
    return np.argsort(-score, kind="stable")[:n]
