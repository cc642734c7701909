"""Pixels of a galaxy's spectrum that stars cannot explain: emission lines of gas, and pixels far off the fit.

Lines are masked and not fitted: a Gaussian of free strength at a Balmer line would take up the stars' absorption there,
and gas moves otherwise than stars. The Balmer lines' own word on ages is given up with them; higher ones (H8 and on)
are left in, where emission is faint beside the stars' absorption.
"""

from __future__ import annotations

import numpy as np

from galprism.fit.kinematics import LIGHT_SPEED

EMISSION_LINES = (
    *(3727.092, 3729.875),  # [O II]
    *(3869.86, 3968.59, 3971.195),  # [Ne III], H epsilon
    *(4102.892, 4341.684, 4364.436, 4862.683),  # H delta, H gamma, [O III], H beta
    *(4960.295, 5008.240),  # [O III]
    *(5199.35, 5201.70),  # [N I]
    5877.25,  # He I
    *(6302.046, 6365.536),  # [O I]
    *(6549.859, 6564.614, 6585.268),  # [N II], H alpha
    *(6718.295, 6732.674),  # [S II]
)
"""Angstrom in vacuum (https://classic.sdss.org/dr7/algorithms/linestable.php)."""


def off_lines(rest: np.ndarray, lines: tuple[float, ...], width: float) -> np.ndarray:
    """(L,), bool: rest wavelengths (L,), vacuum, that are further than `width` km/s from all lines."""
    clear = np.ones(len(rest), bool)
    for line in lines:
        clear &= np.abs(rest / line - 1) * LIGHT_SPEED > width
    return clear


def outliers(pull: np.ndarray, used: np.ndarray, clip: float) -> np.ndarray:
    """(L,), bool: pixels whose residual over its error, `pull`, is above `clip` times the scatter of those `used`.

    The scatter is 1.4826 times the median absolute pull, and 1 at least: errors that are stated too large clip none.
    """
    scatter = max(1.4826 * float(np.median(np.abs(pull[used]))), 1.0)
    return np.abs(pull) > clip * scatter
