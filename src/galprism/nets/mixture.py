"""A joint distribution in closed form: a mixture of K full-covariance Gaussians over D coordinates.

Modified Cholesky parametrisation: y_d | y_<d ~ N(mu_d + sum_{j<d} b_dj (y_j - mu_j), exp(2 ls_d)), so that neither
the likelihood nor a marginal needs a linear solve (Pourahmadi 1999, Biometrika 86, 677).

Everything is "source last": arrays are (..., N), so that sums over components are sums of long vectors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

LN_SIGMA_MIDDLE, LN_SIGMA_HALF = -2.0, 4.0
"""ln sigma is held in -6 … 2 (in standardised coordinates), smoothly, by a tanh."""


@dataclass(frozen=True)
class MixtureConfig:
    """Components of the mixture. Eight are enough for stellar mass and SFR from nine bands."""

    components: int = 8


class Mixture(nn.Module):
    """Reads what a network puts out as K components over D coordinates."""

    def __init__(self, n_coordinates: int, config: MixtureConfig):
        super().__init__()
        self.n_coordinates = n_coordinates
        self.n_components = config.components
        self.n_rows = 1 + 2 * n_coordinates + n_coordinates * (n_coordinates - 1) // 2
        self.n_raw = config.components * self.n_rows

    def prepare(self, last: nn.Linear) -> None:
        """Start the network's last layer gently: small weights, the components' means spread over +-1.5."""
        with torch.no_grad():
            last.weight.mul_(0.3)
            bias = torch.zeros(self.n_rows, self.n_components)
            spread = torch.linspace(-1.5, 1.5, self.n_components) if self.n_components > 1 else torch.zeros(1)
            for d in range(self.n_coordinates):
                # each coordinate in another order, so that the components fill the volume and not its diagonal
                order = torch.randperm(self.n_components) if d else torch.arange(self.n_components)
                bias[1 + d] = spread[order]
            last.bias.copy_(bias.flatten())

    def gaussians(self, rows: Tensor) -> tuple[list[Tensor], list[Tensor], dict[tuple[int, int], Tensor]]:
        """D times mu, D times ln sigma, and b[d, j] for j < d, each (K, N), of rows (rows, K, N)."""
        n = self.n_coordinates
        mu = [rows[1 + d] for d in range(n)]
        bent = [torch.tanh((rows[1 + n + d] - LN_SIGMA_MIDDLE) * (1 / LN_SIGMA_HALF)) for d in range(n)]
        ln_sigma = [LN_SIGMA_MIDDLE + LN_SIGMA_HALF * value for value in bent]
        below = [(d, j) for d in range(n) for j in range(d)]
        return mu, ln_sigma, {pair: rows[1 + 2 * n + i] for i, pair in enumerate(below)}

    def components(self, raw: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor], dict[tuple[int, int], Tensor]]:
        """ln weight (K, N), and the Gaussians, of raw (N, K * rows)."""
        rows = raw.t().reshape(self.n_rows, self.n_components, -1)
        return torch.log_softmax(rows[0], 0), *self.gaussians(rows)

    def nll(self, raw: Tensor, y: Tensor) -> Tensor:
        """(N,), minus ln of the density at y (N, D), in nat and standardised coordinates."""
        log_weight, mu, ln_sigma, b = self.components(raw)
        residual = [y[:, d] - mu[d] for d in range(self.n_coordinates)]  # (K, N) each
        total = log_weight - 0.5 * math.log(2 * math.pi) * self.n_coordinates
        for d in range(self.n_coordinates):
            expected = sum((b[d, j] * residual[j] for j in range(d)), start=torch.zeros_like(residual[d]))
            total = total - ln_sigma[d] - 0.5 * ((residual[d] - expected) * torch.exp(-ln_sigma[d])) ** 2
        return -torch.logsumexp(total, 0)

    def sample(self, raw: Tensor, n: int, generator: torch.Generator | None = None) -> Tensor:
        """(n, N, D) draws."""
        log_weight, mu, ln_sigma, b = self.components(raw)
        which = torch.multinomial(log_weight.exp().t(), n, replacement=True, generator=generator).t()  # (n, N)
        take = lambda value: torch.gather(value, 0, which)  # noqa: E731
        residual: list[Tensor] = []
        for d in range(self.n_coordinates):
            noise = torch.randn(which.shape, generator=generator) * torch.exp(take(ln_sigma[d]))
            residual.append(sum((take(b[d, j]) * residual[j] for j in range(d)), start=noise))
        return torch.stack([take(mu[d]) + residual[d] for d in range(self.n_coordinates)], -1)

    def marginals(self, raw: Tensor, linear: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Weights (K, N), means and sigmas (P, K, N) of P linear functionals of y.

        linear : (P, D); functional p is sum_d linear[p, d] y_d. With y - mu = (1 - B)^-1 S e, its variance is
        |v S|^2 where v (1 - B) = linear[p], solved from the last coordinate to the first.
        """
        rows = raw.t().reshape(self.n_rows, self.n_components, -1)
        mu, ln_sigma, b = self.gaussians(rows)
        relative = torch.exp(rows[0] - rows[0].amax(0))
        weight = relative / relative.sum(0)
        n = self.n_coordinates
        mean: Tensor | float = 0.0
        variance: Tensor | float = 0.0
        v: dict[int, Tensor] = {}
        for d in reversed(range(n)):
            coefficient = linear[:, d].reshape(-1, 1, 1)  # (P, 1, 1)
            v[d] = coefficient
            for i in range(d + 1, n):
                v[d] = v[d] + v[i] * b[i, d]  # (P, K, N)
            mean = mean + coefficient * mu[d]
            scaled = v[d] * torch.exp(ln_sigma[d])
            variance = variance + scaled * scaled
        return weight, mean, torch.sqrt(variance)  # type: ignore[return-value, arg-type]
