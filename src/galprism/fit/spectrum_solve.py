"""One spectrum fitted by templates of non-negative weights, moved, broadened, and times a polynomial or behind dust.

What the model is linear in (weights, additive polynomials) is solved for exactly at each step of a nonlinear search for
the rest: variable projection (Golub & Pereyra 2003, Inverse Problems 19, R1), with Kaufman's (1975) Jacobian. The
method is that of Cappellari & Emsellem (2004, PASP 116, 138) and Cappellari (2017, MNRAS 466, 798).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr, solve_triangular
from scipy.optimize import least_squares, nnls

from galprism.fit.kinematics import Movable

EXTREMES = ((-15.0, 15.0), (0.01, 15.0))
"""Of shift and of standard deviation, in pixels: 1035 km/s on SDSS's."""
MAX_EBV = 2.0
"""mag."""
TOLERANCE = 1e-5
"""Of chi2 and of parameters, relative, at which the search ends."""


@dataclass(frozen=True, eq=False)
class Problem:
    """A spectrum of L pixels and K templates that cover it."""

    templates: Movable
    start: int
    """The template pixel of the spectrum's first one."""
    offset: float
    """Pixels that templates are to be moved by for the source to be at its redshift."""
    flux: np.ndarray
    """(L,)"""
    root: np.ndarray
    """(L,), 1 / error; 0 where a pixel is not to be fitted."""
    tilts: np.ndarray
    """(P, L): Legendre polynomials of a factor 1 + sum c P; with `dust`, (1, L): A / E(B-V) less that at 5500 A."""
    added: np.ndarray
    """(Q, L), of any sign, added to the model."""
    rough: np.ndarray
    """(R, K): rows whose squares, of the weights, are added to chi2."""
    dust: bool = False

    def continuum(self, tilt: np.ndarray) -> np.ndarray:
        """(L,): what the stars are multiplied by."""
        if self.dust:
            return np.asarray(10 ** (-0.4 * tilt @ self.tilts))
        return 1.0 + tilt @ self.tilts

    def spectra(self, theta: np.ndarray) -> np.ndarray:
        """(K, L)"""
        moved = self.templates.at(theta[0] + self.offset, theta[1])
        return moved[:, self.start : self.start + len(self.flux)] * self.continuum(theta[2:])


@dataclass(frozen=True, eq=False)
class Solution:
    """What was found of one spectrum."""

    theta: np.ndarray
    """(2 + P,): shift and standard deviation in pixels, and coefficients of the tilts."""
    weights: np.ndarray
    """(K,), not negative."""
    model: np.ndarray
    """(L,)"""
    chi2: float
    """Over the pixels fitted, without what is added for roughness."""


Solver = Callable[[Problem, np.ndarray], Solution]
"""Finds the best weights, kinematics and tilts of a problem, from where the search for theta is to begin."""


def solve(problem: Problem, first: np.ndarray) -> Solution:
    """The best weights, kinematics and tilts, searched from `first` (2 + P,)."""
    step = _Step(problem)
    low = np.full(len(first), -np.inf)
    high = -low
    (low[0], high[0]), (low[1], high[1]) = EXTREMES
    if problem.dust:
        low[2], high[2] = 0.0, MAX_EBV
    inside = np.clip(first, low + 1e-6, high - 1e-6)
    found = least_squares(
        step.residuals, inside, jac=step.jacobian, bounds=(low, high), ftol=TOLERANCE, xtol=TOLERANCE, gtol=None
    )
    step.to(found.x)
    residuals = step.residuals(found.x)[: len(problem.flux)]
    return Solution(found.x, step.weights, step.model, float(residuals @ residuals))


class _Step:
    """The linear problem at one theta, solved once for residuals and Jacobian."""

    def __init__(self, problem: Problem):
        self.problem = problem
        self.theta = np.empty(0)
        n, k, q = len(problem.flux), problem.templates.transform.shape[0], len(problem.added)
        self.data = np.zeros(n + len(problem.rough))
        self.data[:n] = problem.flux * problem.root
        self.columns = np.zeros((len(self.data), q + k))
        self.columns[:n, :q] = (problem.added * problem.root).T
        self.columns[n:, q:] = problem.rough

    def to(self, theta: np.ndarray) -> None:
        """Solve at theta."""
        if np.array_equal(theta, self.theta):
            return
        problem = self.problem
        n, q = len(problem.flux), len(problem.added)
        self.theta = theta.copy()
        spectra = problem.spectra(theta)
        self.columns[:n, q:] = (spectra * problem.root).T
        # columns of any sign first: what is below them in R is the problem with them projected out
        (triangle,) = qr(np.column_stack([self.columns, self.data]), mode="r", overwrite_a=True, check_finite=False)
        square, right = triangle[: q + len(spectra), :-1], triangle[: q + len(spectra), -1]
        self.weights, _ = nnls(square[q:, q:], right[q:], maxiter=30 * len(spectra))
        extra = np.zeros(0)
        if q:
            extra = solve_triangular(square[:q, :q], right[:q] - square[:q, q:] @ self.weights)
        self.model = self.weights @ spectra + extra @ problem.added
        self.free = np.concatenate([np.ones(q, bool), self.weights > 0])
        self.residual = self.data - self.columns @ np.concatenate([extra, self.weights])

    def residuals(self, theta: np.ndarray) -> np.ndarray:
        """(L + R,)"""
        self.to(theta)
        return self.residual

    def jacobian(self, theta: np.ndarray) -> np.ndarray:
        """(L + R, 2 + P): slopes of the model at these weights, less what the free linear part takes up of them."""
        self.to(theta)
        problem = self.problem
        part = slice(problem.start, problem.start + len(problem.flux))
        shift = theta[0] + problem.offset
        continuum = problem.continuum(theta[2:])
        slopes = problem.templates.slopes(self.weights, shift, theta[1])[:, part] * continuum
        stars = (self.weights @ problem.templates.transform)[None]
        bare = Movable(stars, problem.templates.n, problem.templates.padded).at(shift, theta[1])[0, part]
        factor = -0.4 * np.log(10.0) * continuum if problem.dust else 1.0
        made = np.zeros((len(self.data), len(theta)))
        made[: len(problem.flux)] = -(np.concatenate([slopes, problem.tilts * bare * factor]) * problem.root).T
        basis, _ = qr(self.columns[:, self.free], mode="economic", check_finite=False)
        return made - basis @ (basis.T @ made)
