"""Ages and metallicities of a mixture of simple populations: means weighted by light at 5500 A and by mass formed."""

from __future__ import annotations

import numpy as np

from galprism.fit.spectrum_templates import SpectrumTemplates

NAMES = ("log_age_lw", "logzsol_lw", "log_age_mw", "logzsol_mw")
"""Parameters as galprism.params defines them: logarithms of means."""
MEAN_LOGS = ("mean_log_age_lw", "mean_logzsol_lw", "mean_log_age_mw", "mean_logzsol_mw")
"""Means of logarithms of the same, which pPXF's users quote; log10 of yr, and dex."""


def shares(templates: SpectrumTemplates, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(M, T) twice: shares of the light at 5500 A and of the mass formed, each of sum 1, of weights (M, T) >= 0."""
    mass = weights / templates.light
    return weights / weights.sum(), mass / mass.sum()


def means(templates: SpectrumTemplates, weights: np.ndarray) -> dict[str, float]:
    """NAMES and MEAN_LOGS of a mixture of weights (M, T), not negative and not all 0."""
    age, z = templates.age, templates.logzsol
    found = {}
    for suffix, share in zip(("lw", "mw"), shares(templates, weights), strict=True):
        by_z, by_age = share.sum(axis=1), share.sum(axis=0)
        found[f"log_age_{suffix}"] = float(np.log10(by_age @ age)) + 9
        found[f"logzsol_{suffix}"] = float(np.log10(by_z @ 10**z))
        found[f"mean_log_age_{suffix}"] = float(by_age @ np.log10(age)) + 9
        found[f"mean_logzsol_{suffix}"] = float(by_z @ z)
    return found


def roughness(n_metals: int, n_ages: int) -> np.ndarray:
    """(R, M * T): rows that give the second differences of weights (M, T) along ages and along metallicities."""
    place = np.arange(n_metals * n_ages).reshape(n_metals, n_ages)
    rows = []
    for grid in (place, place.T):
        for line in grid:
            for triple in np.lib.stride_tricks.sliding_window_view(line, 3) if len(line) > 2 else ():
                row = np.zeros(place.size)
                row[triple] = 1, -2, 1
                rows.append(row)
    return np.array(rows).reshape(-1, place.size)
