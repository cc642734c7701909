"""The exact posterior of log SFR of a simulated field's galaxies, given their photometry and redshifts, under the very
population that they are drawn from: draws of the field (galprism.fit.field_draws), weighed by their likelihood.

All sources of a cell of redshift share its draws. A draw stands for galaxies of masses near its own, and its rate goes
with the mass. Colours are those of the nearest of a cell's nodes; distances are the sources' own. Needs PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from galprism.data import Photometry
from galprism.errors import RequestError
from galprism.fit.cache import log_distance_factor
from galprism.fit.field_draws import NODES, Draws, FieldDraws, matched
from galprism.fit.likelihood import Table, Weighted, weigh
from galprism.fit.sfr_statistics import EDGES, binned

SOURCES = 64
"""That go through the matrix products together."""


@dataclass(frozen=True, eq=False)
class RateDistributions:
    """Of N sources."""

    share: np.ndarray
    """(N, G), over the bins of galprism.fit.sfr_statistics.EDGES, each row summing to one; NaN where no draw counts."""
    ess: np.ndarray
    """(N,), effective draws (Kish 1965)."""


class FieldPosterior(FieldDraws):
    """Distributions of log SFR of galaxies of a field between two magnitudes."""

    def __call__(
        self,
        photometry: Photometry,
        redshift: np.ndarray,
        model_error: np.ndarray | float = 0.0,
        progress: Callable[[int], None] | None = None,
    ) -> RateDistributions:
        """Of sources with photometry in the field's bands and known redshifts (N,). A source's answer follows from the
        seed and its own data: it is the same with others beside it.

        model_error : fraction of the flux, or (B,), beyond the stated errors. progress : called with the sources done.
        Raises RequestError for other bands, for a source without any flux, and for redshifts beyond the field's.
        """
        if photometry.bands != self.field.survey.band_names:
            raise RequestError(f"bands {photometry.bands}; accepted: {self.field.survey.band_names}")
        weighted, cells = weigh(photometry.flux, photometry.ivar, None, model_error), self.cell_of(redshift)
        empty = ~(weighted.weight > 0).any(axis=1)
        if empty.any():
            raise RequestError(f"source {int(np.argmax(empty))} has no flux with an error; accepted: one or more")
        share, ess = np.full((len(redshift), len(EDGES) - 1), np.nan), np.zeros(len(redshift))
        for cell in np.unique(cells):
            rows = np.flatnonzero(cells == cell)
            share[rows], ess[rows] = self._of_cell(int(cell), weighted.take(rows), redshift[rows])
            if progress is not None:
                progress(len(rows))
        return RateDistributions(share, ess)

    def _of_cell(self, cell: int, sources: Weighted, redshift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n, G) and (n,)."""
        nodes = self.nodes(cell)
        near = np.abs(redshift[:, None] - nodes).argmin(axis=1)
        stretch = 10.0 ** (log_distance_factor(redshift) - log_distance_factor(nodes[near]))
        gathered = [Gathered() for _ in redshift]
        for draws in self.draws(cell):
            pending = np.array([k for k, own in enumerate(gathered) if own.ess < self.config.enough], int)
            if not len(pending):
                break
            for node in range(NODES):
                own, table = pending[near[pending] == node], Table.of(draws.flux[node])
                for start in range(0, len(own), SOURCES):
                    some = own[start : start + SOURCES]
                    for k, s1, s2 in zip(some, *table.sums(sources.take(some)), strict=True):
                        self._weigh(gathered[k], draws, table.flux, sources, k, stretch[k], s1, s2)
        return np.stack([own.share() for own in gathered]), np.array([own.ess for own in gathered])

    def _weigh(self, gathered: Gathered, draws: Draws, flux, sources: Weighted, k: int, stretch: float, s1, s2) -> None:
        """Add the draws to those of source k; s1, s2 : (K,), its sums with their fluxes."""
        found = matched(flux, sources, k, (s1, s2), self.scales(flux[:, self.field.place], stretch), gathered.best)
        if found is not None:
            rates = draws.logsfr[found.rows] + np.log10(found.scale / stretch)
            gathered.add(rates, draws.log_weight[found.rows] + found.log_weight, found.chi2)


class Gathered:
    """The weighted draws of one source."""

    def __init__(self) -> None:
        self.values: list[np.ndarray] = []
        self.log_weight: list[np.ndarray] = []
        self.best, self.ess = np.inf, 0.0

    def add(self, values: np.ndarray, log_weight: np.ndarray, chi2: float) -> None:
        self.values.append(values)
        self.log_weight.append(log_weight)
        self.best = min(self.best, chi2)
        weight = self._weight()
        self.ess = float(weight.sum() ** 2 / (weight**2).sum())

    def share(self) -> np.ndarray:
        """(G,)."""
        if not self.values:
            return np.full(len(EDGES) - 1, np.nan)
        return binned(np.concatenate(self.values), self._weight())

    def _weight(self) -> np.ndarray:
        log_weight = np.concatenate(self.log_weight)
        return np.exp(log_weight - log_weight.max())
