"""Galaxies of a simulated field between two magnitudes, drawn anew for every cell of redshift, and how well they match
what was measured: what exact posteriors under the field's own population are made of.

In a field nearly all of a galaxy follows from its mass and redshift. Cells are those of the mass functions, none wider
than WIDEST. Masses are drawn from the square root of their numbers among what is bright enough, which has more of the
rare ones, and weighed back.

A draw stands for galaxies of the same make-up with masses up to SMEAR dex from its own: its weight is the likelihood
integrated over these, as far as the limits of the sample let them. The galaxies' other properties change little over
that: what it smooths of the prior is a twentieth of a dex in mass. It makes of one draw many, as photometry knows a
flux to a hundredth.

Colours are those at NODES redshifts in a cell. Needs PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import ndtr, ndtri

from galprism.errors import RequestError
from galprism.fit.likelihood import CUT, Weighted, residual_chi2
from galprism.fit.posterior import GOLDEN_RATIO
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
LOOK = 8_000
"""Galaxies that are drawn at a time."""
NONE = 2
"""Times that galaxies between two magnitudes are looked for where there are none."""
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
    looks: int = 40
    """Times LOOK galaxies that are made one block at most: few are bright enough far away."""

    def __post_init__(self) -> None:
        if not (self.enough > 0 and self.block >= 100 and self.most >= 1 and self.looks >= 1):
            raise RequestError(f"{self}; accepted: enough above zero, blocks of 100 draws or more, once or more")


@dataclass(frozen=True, eq=False)
class Draws:
    """K galaxies of one cell."""

    flux: np.ndarray
    """(NODES, K, B), nJy, at the cell's nodes."""
    logsfr: np.ndarray
    """(K,)."""
    log_weight: np.ndarray
    """(K,), ln of the prior, galaxies per square degree and unit of redshift, over what they were drawn from."""
    looked: int
    """Galaxies that were drawn for them, bright enough or not: the sum of the weights over it is the number of all."""


class FieldDraws:
    """Galaxies of a field between two magnitudes."""

    def __init__(
        self,
        field: FieldGalaxies,
        bright: float,
        *,
        seed: int,
        config: FieldPosteriorConfig | None = None,
        trimmed: bool = False,
    ):
        """field : to the sample's limit; bright : AB mag in its band, of the brightest that the sample has; trimmed :
        those that are sure to be brighter are not drawn, which takes more of the others where they are many."""
        self.sample, self.bright, self.seed, self.trimmed = field, bright, seed, trimmed
        self.config = config or FieldPosteriorConfig()
        # what is fainter than the sample's limit, at a mass or distance of its own, stands for some that are not
        self._margin = 2.5 * SMEAR + 5.0 * 0.5 * WIDEST / np.log(10.0)
        band = field.survey.band_names[field.place]
        self.field = FieldGalaxies(field.config, field.survey, band, field.limit + self._margin, field.model.stars)

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
            while n < self.config.block and len(parts) < self.config.looks:
                chance = np.sqrt(number * bright / looked)
                chance /= chance.sum()
                which = rng.choice(len(chance), LOOK, p=chance)
                logm = low[which] + rng.random(LOOK) * (high - low)[which]
                bodies = self.field.bodies_of(np.full(LOOK, middle), logm, calm[which], Latents.drawn(LOOK, rng))
                kept = np.flatnonzero(self._wanted(bodies))
                parts.append((bodies.take(kept), np.log(number / chance)[which[kept]]))
                looked += np.bincount(which, minlength=len(number))
                bright += np.bincount(which[kept], minlength=len(number))
                n += len(kept)
                if self.trimmed and len(parts) == NONE and not n:
                    break
            bodies = Bodies.joined([some for some, _ in parts])
            log_weight, looks = np.concatenate([log_weight for _, log_weight in parts]), LOOK * len(parts)
            if not n:
                yield Draws(np.zeros((NODES, 0, len(self.field.survey.bands))), np.zeros(0), log_weight, looks)
                continue
            flux, values = self.field.seen_at(bodies, nodes)
            yield Draws(flux, values["logsfr"], log_weight, looks)

    def scales(self, in_band: np.ndarray, stretch: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
        """(K,) twice: least and largest factors on the light of draws of flux `in_band` (K,), nJy in the field's band,
        for which they stand; within the sample's magnitudes. The least is above the largest where they stand for none.

        stretch : of the light, at the source's distance over that at the node.
        """
        reach = 10.0**SMEAR
        low = np.maximum(stretch / reach, njy_from_abmag(self.sample.limit) / in_band)
        high = np.minimum(stretch * reach, njy_from_abmag(self.bright) / in_band)
        return low, high

    def _wanted(self, bodies: Bodies) -> np.ndarray:
        bright = self.field.may_be_bright(bodies)
        return bright & self.field.may_be_faint(bodies, self.bright - self._margin) if self.trimmed else bright


@dataclass(frozen=True, eq=False)
class Matched:
    """Those J of some draws that match a source."""

    rows: np.ndarray
    """(J,), which of the draws."""
    scale: np.ndarray
    """(J,), a factor on the light of each, drawn from where its likelihood and its reach have it."""
    log_weight: np.ndarray
    """(J,), ln of the likelihood integrated over ln of the factor, up to the source's constant."""
    chi2: float
    """Of the best, whatever its factor."""


def matched(
    flux: np.ndarray,
    sources: Weighted,
    k: int,
    sums: tuple[np.ndarray, np.ndarray],
    scales: tuple[np.ndarray, np.ndarray],
    best: float = np.inf,
) -> Matched | None:
    """How draws of fluxes (K, B), nJy, match source k; None where none does.

    sums : (K,) twice, those of galprism.fit.likelihood.Table.sums; scales : (K,) twice, the factors on each draw's
    light between which it stands for galaxies. best : chi2 of the best draw so far; what is far above is left out.
    """
    (s1, s2), (low, high) = sums, scales
    unit = float(sources.unit[k])
    scale, precision = s1 / s2 * unit, s2 / unit**2
    least = float(sources.total[k]) - s1**2 / s2 + precision * (np.clip(scale, low, high) - scale) ** 2
    chosen = np.flatnonzero((high > low) & (least < min(best, float(least.min())) + CUT))
    if not len(chosen):
        return None
    scale, low, high = scale[chosen], low[chosen], high[chosen]
    chi2 = residual_chi2(sources.flux[k], sources.weight[k], flux[chosen] / unit, scale)
    error = 1.0 / np.sqrt(precision[chosen])
    below, above = ndtr((low - scale) / error), ndtr((high - scale) / error)
    inside = above - below
    kept = inside > 1e-12
    if not kept.any():
        return None
    part = below[kept] + inside[kept] * ((0.5 + np.arange(kept.sum()) * GOLDEN_RATIO) % 1.0)
    moved = np.clip(scale[kept] + error[kept] * ndtri(part), low[kept], high[kept])
    log_weight = -0.5 * chi2[kept] + np.log(inside[kept] * error[kept] / moved)
    return Matched(chosen[kept], moved, log_weight, float(chi2.min()))
