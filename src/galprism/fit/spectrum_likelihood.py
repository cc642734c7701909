"""The likelihood of a spectrum, given one without noise: Gaussian noise, and an error of the calibration summed out.

What is measured is m (1 + B k) + noise: m without noise, B smooth functions of wavelength, k as many standard normal
numbers. Over k that is a Gaussian whose covariance is the noise's and m B B' m; with as few functions as there are, its
inverse and determinant are those of a small matrix (Woodbury; Hager 1989, SIAM Rev. 31, 221).
"""

from __future__ import annotations

import numpy as np

from galprism.errors import RequestError


class SpectrumLikelihood:
    """Of one spectrum of L pixels."""

    def __init__(self, flux: np.ndarray, sigma: np.ndarray, bend: np.ndarray):
        """flux : (L,), as measured; sigma : (L,), true standard deviation of its noise, infinite where there is none
        bend : (L, K), the error of the calibration for each of K normal numbers

        Raises RequestError for shapes that do not fit and errors that are not above zero.
        """
        if not (flux.shape == sigma.shape == bend.shape[:1] and bend.ndim == 2):
            raise RequestError(
                f"flux {flux.shape}, sigma {sigma.shape}, bend {bend.shape}; accepted: (L,) twice, (L, K)"
            )
        if not (sigma > 0).all():
            raise RequestError(f"sigma = {sigma[~(sigma > 0)][0]}; accepted: above zero")
        self.used = np.isfinite(sigma) & np.isfinite(flux)
        self._sigma = np.asarray(sigma[self.used], float)
        self._flux = np.asarray(flux[self.used], float) / self._sigma
        self._bend = np.asarray(bend[self.used], float)
        first, second = np.triu_indices(bend.shape[1])
        self._square, self._place = self._bend[:, first] * self._bend[:, second], (first, second)

    def __call__(self, model: np.ndarray) -> np.ndarray:
        """(n,), ln of the likelihood of spectra without noise (n, L), up to a constant."""
        scaled = model[:, self.used] / self._sigma
        off = self._flux - scaled
        k = self._bend.shape[1]
        matrix = np.empty((len(model), k, k))
        first, second = self._place
        matrix[:, first, second] = matrix[:, second, first] = (scaled * scaled) @ self._square
        matrix[:, range(k), range(k)] += 1.0
        along = (scaled * off) @ self._bend
        lower = np.linalg.cholesky(matrix)
        solved = np.linalg.solve(lower, along[..., None])[..., 0]
        log_det = 2.0 * np.log(lower[:, range(k), range(k)]).sum(axis=1)
        return -0.5 * ((off**2).sum(axis=1) - (solved**2).sum(axis=1) + log_det)
