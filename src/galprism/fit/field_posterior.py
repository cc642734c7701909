"""The exact posterior of log SFR of a simulated field's galaxies, given their photometry and redshifts, under the very
population that they are drawn from: draws of the field, weighed by their likelihood.

In a field nearly all of a galaxy follows from its mass and redshift, so that its stars are drawn anew for every cell of
redshift (the cells of its mass functions, none wider than WIDEST), and all sources of a cell share the draws. Masses
are drawn from the square root of their numbers among what is bright enough, which has more of the rare ones, and
weighed back.

A draw stands for galaxies of the same make-up with masses up to SMEAR dex from its own: its weight is the likelihood
integrated over these, as far as the limits of the sample let them, and its rate goes with the mass. The galaxies' other
properties change little over that: what it smooths of the prior is a twentieth of a dex in mass. It makes of one draw
many, as photometry knows a flux to a hundredth.

Colours are those of the nearest of NODES redshifts in a cell; distances are the sources' own. Needs PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import ndtr, ndtri

from galprism.data import Photometry
from galprism.errors import RequestError
from galprism.fit.cache import log_distance_factor
from galprism.fit.likelihood import CUT, Table, Weighted, residual_chi2, weigh
from galprism.fit.posterior import GOLDEN_RATIO
from galprism.fit.sfr_statistics import EDGES, binned
from galprism.mocks.sky.bodies import Bodies
from galprism.mocks.sky.galaxies import FieldGalaxies
from galprism.mocks.sky.latents import Latents
from galprism.mocks.sky.mass_function import POPULATIONS
from galprism.units import njy_from_abmag

SMEAR = 0.1
"""dex."""
WIDEST = 0.15
"""Of a cell, in ln z: near by, distances change faster than redshifts."""
NODES = 3
LOOK, LOOKS = 8_000, 40
"""Galaxies that are drawn at a time, and times that are made one block at most: few are bright enough far away."""
SOURCES = 64
"""That go through the matrix products together."""
FOUNDED = 50.0
"""Effective draws below which a distribution is coarse."""


@dataclass(frozen=True)
class FieldPosteriorConfig:
    """How carefully."""

    enough: float = 2000.0
    """Effective sample size at which no more draws are taken."""
    block: int = 20_000
    """Draws that are made at a time …"""
    most: int = 8
    """… and how many times in a cell."""

    def __post_init__(self) -> None:
        if not (self.enough > 0 and self.block >= 100 and self.most >= 1):
            raise RequestError(f"{self}; accepted: enough above zero, blocks of 100 draws or more, once or more")


@dataclass(frozen=True, eq=False)
class RateDistributions:
    """Of N sources."""

    share: np.ndarray
    """(N, G), over the bins of galprism.fit.sfr_statistics.EDGES, each row summing to one; NaN where no draw counts."""
    ess: np.ndarray
    """(N,), effective draws (Kish 1965)."""


@dataclass(frozen=True, eq=False)
class Draws:
    """K galaxies of one cell."""

    flux: np.ndarray
    """(NODES, K, B), nJy, at the cell's nodes."""
    logsfr: np.ndarray
    """(K,)."""
    log_weight: np.ndarray
    """(K,), ln of the prior over what they were drawn from."""


class FieldPosterior:
    """Distributions of log SFR of galaxies of a field between two magnitudes."""

    def __init__(self, field: FieldGalaxies, bright: float, *, seed: int, config: FieldPosteriorConfig | None = None):
        """field : to the sample's limit; bright : AB mag in its band, of the brightest that the sample has."""
        self.sample, self.bright, self.seed = field, bright, seed
        self.config = config or FieldPosteriorConfig()
        # what is fainter than the sample's limit, at a mass or distance of its own, stands for some that are not
        margin = 2.5 * SMEAR + 5.0 * 0.5 * WIDEST / np.log(10.0)
        band = field.survey.band_names[field.place]
        self.field = FieldGalaxies(field.config, field.survey, band, field.limit + margin, field.model.stars)

    @cached_property
    def edges(self) -> np.ndarray:
        """(C + 1,), redshifts that bound the cells."""
        function, _ = self.field.populations[POPULATIONS[0]]
        parts = [np.array([function.z_edges[0]])]
        for low, high in zip(function.z_edges[:-1], function.z_edges[1:], strict=True):
            n = int(np.ceil(np.log(high / low) / WIDEST))
            parts.append(low * (high / low) ** (np.arange(1, n + 1) / n))
        edges = np.concatenate(parts)
        edges[[0, -1]] = self.field.config.redshift
        return edges

    def cell_of(self, redshift: np.ndarray) -> np.ndarray:
        """(N,). Raises RequestError for redshifts that the field does not reach."""
        low, high = self.edges[[0, -1]]
        outside = ~((redshift >= low) & (redshift <= high))
        if outside.any():
            raise RequestError(
                f"redshift = {redshift[outside][0]:.4g}; accepted: of the field's galaxies, {low:.4g} to {high:.4g}"
            )
        return np.clip(np.searchsorted(self.edges, redshift, side="right") - 1, 0, len(self.edges) - 2)

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

    def nodes(self, cell: int) -> np.ndarray:
        """(NODES,), redshifts in the middle of equal parts of a cell."""
        low, high = self.edges[cell : cell + 2]
        return low + (high - low) * (np.arange(NODES) + 0.5) / NODES

    def draws(self, cell: int) -> Iterator[Draws]:
        """Blocks of galaxies of a cell."""
        nodes, rng = self.nodes(cell), np.random.default_rng((self.seed, cell))
        middle = float(nodes[NODES // 2])
        each = [self.field.populations[name][0].cells_at(middle) for name in POPULATIONS]
        low, high, number = (np.concatenate(columns) for columns in zip(*each, strict=True))
        calm = np.repeat([False, True], [len(columns[0]) for columns in each])
        there = number > 0
        low, high, number, calm = (column[there] for column in (low, high, number, calm))
        looked, bright = np.full(len(number), 1.0), np.full(len(number), 1.0)
        for _ in range(self.config.most):
            parts: list[tuple[Bodies, np.ndarray]] = []
            n = 0
            while n < self.config.block and len(parts) < LOOKS:
                chance = np.sqrt(number * bright / looked)
                chance /= chance.sum()
                which = rng.choice(len(chance), LOOK, p=chance)
                logm = low[which] + rng.random(LOOK) * (high - low)[which]
                bodies = self.field.bodies_of(np.full(LOOK, middle), logm, calm[which], Latents.drawn(LOOK, rng))
                kept = np.flatnonzero(self.field.may_be_bright(bodies))
                parts.append((bodies.take(kept), np.log(number / chance)[which[kept]]))
                looked += np.bincount(which, minlength=len(number))
                bright += np.bincount(which[kept], minlength=len(number))
                n += len(kept)
            bodies = Bodies.joined([some for some, _ in parts])
            flux, values = self.field.seen_at(bodies, nodes)
            yield Draws(flux, values["logsfr"], np.concatenate([log_weight for _, log_weight in parts]))

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
        reach = 10.0**SMEAR
        in_band = flux[:, self.field.place]
        low = np.maximum(stretch / reach, njy_from_abmag(self.sample.limit) / in_band)
        high = np.minimum(stretch * reach, njy_from_abmag(self.bright) / in_band)
        unit = float(sources.unit[k])
        scale, precision = s1 / s2 * unit, s2 / unit**2
        least = float(sources.total[k]) - s1**2 / s2 + precision * (np.clip(scale, low, high) - scale) ** 2
        chosen = np.flatnonzero((high > low) & (least < min(gathered.best, float(least.min())) + CUT))
        if not len(chosen):
            return
        scale, low, high = scale[chosen], low[chosen], high[chosen]
        chi2 = residual_chi2(sources.flux[k], sources.weight[k], flux[chosen] / unit, scale)
        error = 1.0 / np.sqrt(precision[chosen])
        below, above = ndtr((low - scale) / error), ndtr((high - scale) / error)
        inside = above - below
        kept = inside > 1e-12
        if not kept.any():
            return
        part = below[kept] + inside[kept] * ((0.5 + np.arange(kept.sum()) * GOLDEN_RATIO) % 1.0)
        moved = np.clip(scale[kept] + error[kept] * ndtri(part), low[kept], high[kept])
        log_weight = draws.log_weight[chosen][kept] - 0.5 * chi2[kept] + np.log(inside[kept] * error[kept] / moved)
        gathered.add(draws.logsfr[chosen][kept] + np.log10(moved / stretch), log_weight, float(chi2.min()))


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
