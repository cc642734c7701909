"""Draws by tempering are of posteriors that are known in closed form."""

import numpy as np
import pytest

from galprism.errors import RequestError
from galprism.fit.tempering import Tempering, TemperingConfig

D, NOISE = 6, 0.02
RNG = np.random.default_rng(4)
SLOPES = RNG.standard_normal((2, 3, D))
SHIFTS = np.array([[0.0, 0.0, 0.0], [0.6, -0.4, 0.2]])
CHANCES = np.array([0.7, 0.3])
MEASURED = np.array([0.9, -0.5, 0.4])
"""Three numbers, each linear in D normal ones, by slopes that differ between two kinds: posteriors are Gaussian."""


def target(x, kind):
    off = (MEASURED - SHIFTS[kind] - np.einsum("nij,nj->ni", SLOPES[kind], x)) / NOISE
    return np.log(CHANCES[kind]) - 0.5 * (x**2).sum(1), -0.5 * (off**2).sum(1), x.copy()


def known():
    """Chances of the kinds (2,), means (2, D) and covariances (2, D, D)."""
    evidence, means, covs = [], [], []
    for kind in (0, 1):
        a, left = SLOPES[kind], MEASURED - SHIFTS[kind]
        total = a @ a.T + NOISE**2 * np.eye(3)
        evidence.append(
            CHANCES[kind] * np.exp(-0.5 * left @ np.linalg.solve(total, left)) / np.sqrt(np.linalg.det(total))
        )
        gain = a.T @ np.linalg.inv(total)
        means.append(gain @ left)
        covs.append(np.eye(D) - gain @ a)
    return np.array(evidence) / sum(evidence), np.array(means), np.array(covs)


def run(seed, config):
    rng = np.random.default_rng(seed)
    kind = rng.choice(2, config.points, p=CHANCES)
    return Tempering(target, rng.standard_normal((config.points, D)), kind, config, rng).run()


@pytest.fixture(scope="module")
def draws():
    return run(1, TemperingConfig(points=1000, final=40))


def test_a_gaussian_posterior_of_two_kinds(draws):
    """Means to 0.08 of the spread, spreads to 7 % and the chance of a kind to 5 %, as a thousand points allow; along
    what was measured the posterior is a fiftieth as wide as the prior."""
    chance, means, covs = known()
    assert 0.1 < chance[1] < 0.9
    assert draws.kind.mean() == pytest.approx(chance[1], abs=0.05)
    for kind in (0, 1):
        own = draws.values[draws.kind == kind]
        sd = np.sqrt(np.diag(covs[kind]))
        assert (np.abs(own.mean(0) - means[kind]) < 0.08 * sd).all()
        np.testing.assert_allclose(own.std(0), sd, rtol=0.07)
        fitted = own @ SLOPES[kind].T + SHIFTS[kind]
        np.testing.assert_allclose(fitted.std(0), NOISE, rtol=0.1)


def test_runs_of_few_points_are_right_on_average():
    """Sixteen short runs: their means scatter about the truth by no more than their own scatter says."""
    chance, means, _ = known()
    whole = chance @ means
    found = np.array([run(seed, TemperingConfig(points=80)).values.reshape(-1, D).mean(0) for seed in range(16)])
    error = found.std(0, ddof=1) / 4
    assert (np.abs(found.mean(0) - whole) < 4 * error).all()


def test_what_the_prior_forbids_is_not_drawn():
    def half(x, kind):
        prior, chance, values = target(x, kind)
        return np.where(x[:, 0] > 0, prior, -np.inf), chance, values

    rng = np.random.default_rng(2)
    x = rng.standard_normal((64, D))
    x[:, 0] = np.abs(x[:, 0])
    found = Tempering(half, x, np.zeros(64, int), TemperingConfig(points=64), rng).run()
    assert (found.values[..., 0] > 0).all()


def test_a_run_that_cannot_arrive_says_so():
    with pytest.raises(RequestError, match="1 steps reached"):
        run(1, TemperingConfig(points=80, most_steps=1))
    with pytest.raises(RequestError, match="points=2"):
        TemperingConfig(points=2)
