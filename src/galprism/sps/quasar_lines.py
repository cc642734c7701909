"""The emission lines of quasars over their continuum, with Fe II, the Balmer continuum and the Baldwin effect."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from galprism.sps.published import read_table
from galprism.wavegrid import averaging_matrix

SCALE = 0.9936
"""What the templates are multiplied by, keeping equivalent widths (Temple et al. 2021: scal_emline)."""
BALDWIN_SLOPE = 0.183
BALDWIN_M_I = -27.0
"""How the type of the lines follows M_i(z=2) (Temple et al. 2021: beslope, benorm)."""
WEAKEST, STRONGEST = -2.0, 3.0
"""The types as far as Temple et al. (2021) follow them."""


def line_type(m_i) -> np.ndarray:
    """The mean type of the lines at M_i(z=2): the Baldwin effect of Temple et al. (2021), within the types they follow.

    0 is the mean of luminous quasars at z = 2; 1 those of the strongest, symmetric high-ionisation lines there; -1
    those of the weakest and most blueshifted.
    """
    return np.clip(BALDWIN_SLOPE * (np.asarray(m_i, float) - BALDWIN_M_I), WEAKEST, STRONGEST)


@lru_cache(maxsize=1)
def _templates() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(L,) each: wavelengths [Angstrom], the light of the lines over the continuum, and its change with type."""
    table = read_table("galprism.sps", "quasar_lines.csv")
    return table["wave"], 1e-3 * table["typical"], 1e-3 * table["contrast"]


def emission(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(W,) each: the mean light of the lines over the continuum in bins of edges (W + 1,), and its change with type.

    Quasars of type t have the first plus t times the second.
    """
    wave, *columns = _templates()
    pad = (
        [min(edges[0], wave[0]) * 0.5, wave[0] * (1 - 1e-9)],
        [wave[-1] * (1 + 1e-9), max(edges[-1], wave[-1]) * 2],
    )
    matrix = averaging_matrix(np.concatenate([pad[0], wave, pad[1]]), edges)
    typical, contrast = (matrix @ np.pad(column, 2) * SCALE for column in columns)
    return typical, contrast
