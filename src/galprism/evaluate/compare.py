"""Methods held against each other and against the information limit."""

from __future__ import annotations

import math

import numpy as np


def rms_ratio(d, d_limit) -> tuple[float | None, float | None]:
    """rms(d) / rms(d_limit) of residuals (N,) of the same rows, and its standard error.

    The two share the noise of the photometry, so the error is that of the paired difference
    d^2 / <d^2> - d_limit^2 / <d_limit^2> (the delta method), not the two errors in quadrature. (None, None) where
    the limit's rms is zero or there are no rows; no error where the ratio is zero.
    """
    d, d_limit = np.asarray(d, np.float64), np.asarray(d_limit, np.float64)
    if not np.any(d_limit):
        return None, None
    a, b = np.mean(d**2), np.mean(d_limit**2)
    ratio = math.sqrt(a / b)
    if a == 0:
        return ratio, None
    influence = d**2 / a - d_limit**2 / b
    return ratio, float(0.5 * ratio * influence.std() / math.sqrt(len(d)))
