"""Composite populations without dust, as J-PAS's paper tests its networks on them (A&A 705, A219, 2026, Appendix C).

Three families, each followed from its first star on: a burst of a Gyr, of three metallicities; such a burst of
Z = 0.008 and a second one of Z = 0.017 that begins 1, 4, 7 or 10 Gyr later; and a constant rate at Z = 0.017. The paper
prints the metallicities of the first as 0.04, 0.08 and 0.17: taken to be tenths of these, as elsewhere in it. Both
bursts are of one rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from galprism.sps import Constant, Galaxies

BURST = 1.0
"""Gyr, the length of every burst."""
METALS = (0.004, 0.008, 0.017)
FIRST, SECOND = 0.008, 0.017
"""Metallicities of the first and of the second of two bursts, and SECOND that of the constant rate."""
BEGIN = (1.0, 4.0, 7.0, 10.0)
"""Gyr from the first star to the second burst."""
FAMILIES = ("burst", "two bursts", "constant")


@dataclass(frozen=True, eq=False)
class Composites:
    """N galaxies that are seen at some time since their first star."""

    family: np.ndarray
    """(N,), of FAMILIES."""
    kind: np.ndarray
    """(N,), which of a family, in words."""
    time: np.ndarray
    """(N,), Gyr."""
    galaxies: Galaxies


def composites(times: Sequence[float], redshift: float) -> Composites:
    """Every family and kind at each of some times [Gyr], two bursts from the second one on."""
    rows: list[tuple[str, str, float, float, float]] = []  # family, kind, time, z_met, beginning of a second burst
    for t in times:
        rows += [("burst", f"Z = {z:g}", t, z, np.nan) for z in METALS]
        rows += [("two bursts", f"second after {b:g} Gyr", t, FIRST, b) for b in BEGIN if t > b]
        rows += [("constant", f"Z = {SECOND:g}", t, SECOND, np.nan)]
    family, kind = (np.array([row[k] for row in rows]) for k in (0, 1))
    time, z_met, begin = (np.array([row[k] for row in rows], float) for k in (2, 3, 4))
    stop = np.where(family == "constant", 0.0, np.maximum(time - BURST, 0.0))
    second = np.isfinite(begin)
    since = np.where(second, time - begin, BURST)
    width = np.minimum(since, BURST)
    mass = np.where(second, width, 0.0)
    galaxies = Galaxies.from_numpy(
        redshift=redshift,
        z_met=z_met,
        ebv=0.0,
        history=Constant(torch.from_numpy(time), torch.from_numpy(stop)),
        f_second=mass / (mass + np.minimum(time, BURST)),
        age_second=since - width,
        width_second=width,
        z_met_second=np.full(len(rows), SECOND),
    )
    return Composites(family, kind, time, galaxies)
