"""Moments, distribution functions and quantiles of one-dimensional mixtures of Gaussians, for many sources at once.

Arrays are "source last", components before it: weight (K, N), mean and sigma (P, K, N) for P quantities of each
source. Sums over components are then sums of long vectors, which ONNX Runtime does at the speed of memory.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

TINY = 1e-30
"""Keeps a density that underflows from dividing by zero; the bracket then decides."""
NEARLY_ONE = 1.0 - 1e-6
"""The distribution function is held this far from 0 and 1 before its logit is taken."""
SLACK = 1e-5
"""The bracket is held this far open, in standard deviations, so that rounding does not throw a converged step out."""
SMALL_ERROR, SMALL_MISS, SMALL_DENSITY = 1e-5, 0.2, 1e-3
"""Of a last step beyond doubt: its cube over the components' variances, in standard deviations, which is what a cubic
step leaves; the logit that it had to make good; and the density, which must be above the last."""


def moments(weight: Tensor, mean: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, standard deviation and skewness, each (P, N)."""
    centre = (weight * mean).sum(1)
    d = mean - centre.unsqueeze(1)
    s2 = sigma * sigma
    d2 = d * d
    variance = (weight * (s2 + d2)).sum(1)
    sd = torch.sqrt(variance)
    third = (weight * d * (d2 + 3.0 * s2)).sum(1)
    return centre, sd, third / (variance * sd)


def cdf(weight: Tensor, mean: Tensor, sigma: Tensor, x: Tensor) -> Tensor:
    """(P, N), the probability below x (P, N)."""
    return (weight * 0.5 * torch.erfc((mean - x.unsqueeze(1)) / (sigma * math.sqrt(2)))).sum(1)


def quantiles(
    weight: Tensor, mean: Tensor, sigma: Tensor, level: Tensor, probit: Tensor, steps: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The mixtures' means (P, N), quantiles (P, Q, N), and how much each quantile is in doubt (P, Q, N).

    level, probit : (Q,), the levels p and the standard normal quantiles of p.

    A fixed number of Halley steps on the logit of the distribution function (in which it is nearly straight), from
    the Cornish-Fisher expansion with the mixture's skewness, kept in a bracket that starts from Cantelli's inequality;
    a step out of the bracket halves it instead. Convergence is cubic.

    Where the doubt is below 1, the error was at most 4e-4 standard deviations on 240,000 mixtures of eight components
    that were made to be nasty (spikes of a thousandth of the spread) and 2e-5 on gentle ones. Where it is above 1, the
    quantile is to be polished.
    """
    centre, sd, skewness = moments(weight, mean, sigma)
    mean = ((mean - centre.unsqueeze(1)) / sd.unsqueeze(1)).unsqueeze(1)  # (P, 1, K, N), in standard deviations
    sigma = (sigma / sd.unsqueeze(1)).unsqueeze(1)
    z = probit.reshape(1, -1, 1)
    wanted = 2.0 * level.reshape(1, -1, 1) - 1.0
    logit = torch.log((1.0 + wanted) / (1.0 - wanted))

    odds = torch.sqrt((1.0 + wanted) / (1.0 - wanted))
    low, high = -1.0 / odds, odds  # Cantelli: no quantile is further from the mean, in standard deviations
    bend = torch.clamp(skewness, -2.0, 2.0).unsqueeze(1) * ((z * z - 1.0) * (1 / 6))
    x = torch.minimum(torch.maximum(z + bend, low), high)
    doubt = x

    scale = math.sqrt(0.5) / sigma
    height = weight * scale * math.sqrt(1 / math.pi)
    steepness = scale * height * -2.0
    sharpness = (weight * scale * scale).sum(2) * 2.0  # (P, 1, N), the mean of 1 / variance
    for i in range(steps):
        u = (x.unsqueeze(2) - mean) * scale
        bell = torch.exp(-(u * u))
        balance = (weight * torch.erf(u)).sum(2)  # 2 F - 1, with F the distribution function
        f = (height * bell).sum(2) + TINY
        slope = (steepness * bell * u).sum(2)
        below = balance < wanted
        low = torch.where(below, x - SLACK, low)
        high = torch.where(below, high, x + SLACK)
        balance = torch.clamp(balance, -NEARLY_ONE, NEARLY_ONE)
        # with L = logit F: L' = f / (F (1 - F)), L'' / L' = f' / f - L' (1 - 2 F)
        climb = 4.0 * f / (1.0 - balance * balance)
        miss = torch.log((1.0 + balance) / (1.0 - balance)) - logit
        gap = miss / climb
        bow = slope / f + climb * balance
        new = x - gap / torch.clamp(1.0 - 0.5 * gap * bow, 0.5, 2.0)
        new = torch.where((new > low) & (new < high), new, 0.5 * (low + high))
        if i == steps - 1:
            move = torch.abs(new - x)
            doubt = torch.maximum(torch.abs(miss), torch.abs(gap * bow)) * (1 / SMALL_MISS)
            doubt = torch.maximum(doubt, move * move * move * sharpness * (1 / SMALL_ERROR))
            doubt = torch.maximum(doubt, SMALL_DENSITY / f)
        x = new
    return centre, centre.unsqueeze(1) + sd.unsqueeze(1) * x, doubt
