"""The exact posterior of the redshifts of a simulated field's galaxies, given their photometry alone, under the very
population that they are drawn from: draws of the field (galprism.fit.field_draws) in every cell of redshift, weighed by
their likelihood.

A sample may be even over ranges of magnitude, within each of which it is as the sky has it (galprism.mocks.sky.chosen).
Each range has draws of its own, and what they say of a source is divided by the galaxies that the sky has in it, of
which the draws tell as well. Between the middle and the ends of a cell, of 0.005 in ln(1 + z), galaxies are those of
its middle seen at another redshift.

That stated errors follow from how bright a galaxy is, which could tell of it, is not made use of. Needs PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from galprism.data import Photometry
from galprism.errors import RequestError
from galprism.fit.field_draws import FOUNDED, NODES, SMEAR, Draws, FieldDraws, FieldPosteriorConfig, matched
from galprism.fit.likelihood import Table, Weighted, weigh
from galprism.flags import Flag
from galprism.mocks.sky.galaxies import FieldGalaxies
from galprism.units import njy_from_abmag

REACH = 8.0
"""Errors in the field's band: draws that are further from a source are not looked at."""


@dataclass(frozen=True, eq=False)
class RedshiftDistributions:
    """Of N sources: how probable it is that their redshifts lie between neighbours of G + 1 edges."""

    edges: np.ndarray
    """(G + 1,), rising."""
    share: np.ndarray
    """(N, G), each row summing to one; NaN where no draw counts."""
    ess: np.ndarray
    """(N,), effective draws (Kish 1965); a draw that is seen at several redshifts counts once."""

    @property
    def redshift(self) -> np.ndarray:
        """(G,), the middles."""
        return 0.5 * (self.edges[1:] + self.edges[:-1])

    @property
    def pdf(self) -> np.ndarray:
        """(N, G), the density in redshift."""
        return self.share / np.diff(self.edges)

    @property
    def mean(self) -> np.ndarray:
        """(N,)."""
        return self.share @ self.redshift

    @property
    def sd(self) -> np.ndarray:
        """(N,)."""
        return np.sqrt(np.maximum(self.share @ (self.redshift**2 + np.diff(self.edges) ** 2 / 12) - self.mean**2, 0.0))

    @property
    def flags(self) -> np.ndarray:
        """(N,), LOW_SAMPLE_SIZE where a distribution rests on few draws."""
        return np.where(self.ess < FOUNDED, np.uint32(Flag.LOW_SAMPLE_SIZE), np.uint32(0))

    def below(self, redshift: np.ndarray) -> np.ndarray:
        """(N,), the probability below redshifts (N,), one of each source."""
        rows = np.concatenate([np.zeros((len(self.share), 1)), np.cumsum(self.share, axis=1)], axis=1)
        return np.array([np.interp(z, self.edges, row) for z, row in zip(redshift, rows, strict=True)])

    def quantile(self, level: float) -> np.ndarray:
        """(N,), even within a cell; NaN where no draw counts."""
        reached = np.cumsum(self.share, axis=1)
        there = np.isfinite(reached[:, -1])
        cell = np.argmax(reached >= level * reached[:, -1:], axis=1)
        rows = np.arange(len(reached))
        inside, ends = self.share[rows, cell], self.edges
        with np.errstate(divide="ignore", invalid="ignore"):
            part = np.clip(1.0 - (reached[rows, cell] - level * reached[:, -1]) / inside, 0.0, 1.0)
        return np.where(there, ends[cell] + part * (ends[cell + 1] - ends[cell]), np.nan)


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the draws of one range of magnitude in one cell of redshift say of N sources."""

    piece: tuple[int, int]
    """Which range, which cell."""
    number: float
    """Galaxies of the range to the square degree of the sky in the cell."""
    top: np.ndarray
    """(N,), ln of what the next two are of; -inf where no draw matches."""
    at_nodes: np.ndarray
    """(N, NODES), numbers of galaxies times their likelihoods, over exp(top)."""
    squares: np.ndarray
    """(N,), the sum of the squares of what each draw has in it, over exp(2 top)."""


class FieldRedshift:
    """Distributions of the redshifts of galaxies of a field, of as many in each of some ranges of magnitude."""

    def __init__(
        self,
        field: FieldGalaxies,
        magnitudes: Sequence[float],
        *,
        seed: int,
        config: FieldPosteriorConfig | None = None,
    ):
        """field : of any limit; magnitudes : two or more, rising, AB in its band: the ranges are those between
        neighbours. config : `enough` plays no part."""
        if len(magnitudes) < 2 or not np.all(np.diff(magnitudes) > 0):
            raise RequestError(f"magnitudes {list(magnitudes)}; accepted: two or more, rising")
        self.magnitudes = tuple(magnitudes)
        band = field.survey.band_names[field.place]
        self.ranges = [
            FieldDraws(
                FieldGalaxies(field.config, field.survey, band, faint, field.model.stars),
                bright,
                seed=seed + k,
                config=config,
                trimmed=True,
            )
            for k, (bright, faint) in enumerate(pairwise(self.magnitudes))
        ]
        self.survey, self._place = field.survey, field.place

    @property
    def pieces(self) -> list[tuple[int, int]]:
        """Of the work: each range in each cell."""
        return [(k, cell) for k in range(len(self.ranges)) for cell in range(len(self._cells) - 1)]

    @property
    def _cells(self) -> np.ndarray:
        return self.ranges[0].edges

    @cached_property
    def edges(self) -> np.ndarray:
        """(G + 1,), of the distributions: every cell in NODES parts."""
        low, high = self._cells[:-1], self._cells[1:]
        inner = low[:, None] + (high - low)[:, None] * np.arange(NODES) / NODES
        return np.append(inner.ravel(), high[-1])

    def weighed(self, photometry: Photometry, model_error: np.ndarray | float = 0.0) -> Weighted:
        """Sources (N,) as they are compared with draws. model_error : fraction of the flux, or (B,), beyond the stated
        errors. Raises RequestError for other bands than the field's, and for a source without any flux."""
        if photometry.bands != self.survey.band_names:
            raise RequestError(f"bands {photometry.bands}; accepted: {self.survey.band_names}")
        weighted = weigh(photometry.flux, photometry.ivar, None, model_error)
        empty = ~(weighted.weight > 0).any(axis=1)
        if empty.any():
            raise RequestError(f"source {int(np.argmax(empty))} has no flux with an error; accepted: one or more")
        return weighted

    def __call__(self, photometry: Photometry, model_error: np.ndarray | float = 0.0) -> RedshiftDistributions:
        """Of sources with photometry in the field's bands, one piece after the other. A source's answer follows from
        the seed and its own data. Raises RequestError as `weighed`."""
        sources = self.weighed(photometry, model_error)
        return self.joined(self.evidence(piece, sources) for piece in self.pieces)

    def evidence(self, piece: tuple[int, int], sources: Weighted) -> Evidence:
        """What the draws of one piece say of all sources."""
        draws_of, cell, n = self.ranges[piece[0]], piece[1], len(sources)
        top, at_nodes, squares = np.full(n, -np.inf), np.zeros((n, NODES)), np.zeros(n)
        asked, looked, number = np.flatnonzero(self._may_be_of(piece[0], sources)), 0, 0.0
        there = self._galaxies_per_redshift(piece)
        alone = [
            (sources.take(slice(k, k + 1)), *ends)
            for k, *ends in zip(asked, *self._around(sources.take(asked)), strict=True)
        ]
        for draws in draws_of.draws(cell):
            looked += draws.looked
            own = np.exp(draws.log_weight)
            for node in range(NODES):
                number += float((own * self._within(draws_of, draws.flux[node])).sum()) * there[node]
            tables = [self._sorted(draws, node) for node in range(NODES)]
            for k, one in zip(asked, alone, strict=True):
                found = [self._matched(draws_of, table, *one) for table in tables]
                if not any(len(rows) for rows, _ in found):
                    continue
                highest = max(float(ln.max()) for _, ln in found if len(ln))
                if highest > top[k]:
                    shrunk = np.exp(top[k] - highest) if np.isfinite(top[k]) else 0.0
                    at_nodes[k], squares[k], top[k] = at_nodes[k] * shrunk, squares[k] * shrunk**2, highest
                of_draws = np.zeros(len(draws.log_weight))
                for node, (rows, ln) in enumerate(found):
                    value = there[node] * np.exp(ln - top[k])
                    at_nodes[k, node] += value.sum()
                    of_draws[rows] += value
                squares[k] += float(of_draws @ of_draws)
        return Evidence(piece, number / looked, top, at_nodes / looked, squares / looked**2)

    def joined(self, parts: Iterable[Evidence]) -> RedshiftDistributions:
        """Of the evidence of all pieces, in any order."""
        pieces = {part.piece: part for part in parts}
        number = np.zeros(len(self.ranges))
        for (k, _), part in pieces.items():
            number[k] += part.number
        top = np.max([part.top for part in pieces.values()], axis=0)
        n, cells = len(top), len(self._cells) - 1
        total, squares = np.zeros((n, cells, NODES)), np.zeros(n)
        for (k, cell), part in pieces.items():
            if number[k] > 0:
                with np.errstate(invalid="ignore"):
                    factor = np.where(np.isfinite(part.top), np.exp(part.top - top), 0.0) / number[k]
                total[:, cell] += factor[:, None] * part.at_nodes
                squares += factor**2 * part.squares
        flat = total.reshape(n, -1)
        whole = flat.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return RedshiftDistributions(
                self.edges, flat / whole[:, None], np.where(whole > 0, whole**2 / squares, 0.0)
            )

    def _galaxies_per_redshift(self, piece: tuple[int, int]) -> np.ndarray:
        """(NODES,): the part of a unit of redshift that each part of a cell has of the galaxies of one of its mass
        functions' cells, within which they are even in volume where space is flat."""
        function, _ = self.ranges[piece[0]].field.populations["star-forming"]
        ends = self.edges[NODES * piece[1] : NODES * piece[1] + NODES + 1]
        row = np.clip(np.searchsorted(function.z_edges, ends[1], side="right") - 1, 0, len(function.z_edges) - 2)
        low, high = function.z_edges[row : row + 2]
        return (high - low) * np.diff(ends**3) / (high**3 - low**3)

    def _may_be_of(self, k: int, sources: Weighted) -> np.ndarray:
        """(N,), bool: whether they may be of the k-th range, by their flux in the field's band."""
        bright, faint = njy_from_abmag(self.magnitudes[k]), njy_from_abmag(self.magnitudes[k + 1])
        low, high = self._around(sources)
        return (low < bright) & (high > faint)

    def _around(self, sources: Weighted) -> tuple[np.ndarray, np.ndarray]:
        """(N,) twice: nJy in the field's band, between which a source is."""
        flux, weight = sources.flux[:, self._place], sources.weight[:, self._place]
        with np.errstate(divide="ignore"):
            err = np.where(weight > 0, 1.0 / np.sqrt(weight), np.inf)
        return (flux - REACH * err) * sources.unit, (flux + REACH * err) * sources.unit

    @staticmethod
    def _within(draws_of: FieldDraws, flux: np.ndarray) -> np.ndarray:
        """(K,): the share of what each draw stands for that is within the sample's magnitudes."""
        low, high = draws_of.scales(flux[:, draws_of.field.place])
        return _spans(low, high)

    def _sorted(self, draws: Draws, node: int) -> Sorted:
        flux = draws.flux[node]
        order = np.argsort(flux[:, self._place], kind="stable")
        return Sorted(order, Table.of(flux[order]), draws.log_weight[order], self._place)

    def _matched(
        self, draws_of: FieldDraws, own: Sorted, one: Weighted, low: float, high: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Which draws match a source that is between two fluxes in the field's band, and ln of what each has of its
        evidence."""
        rows = own.between(low, high)
        flux = own.table.flux[rows]
        if len(flux):
            s1, s2 = Table(flux, own.table.columns[:, rows], own.table.squares[:, rows]).sums(one)
            found = matched(flux, one, 0, (s1[0], s2[0]), draws_of.scales(flux[:, self._place]))
            if found is not None:
                return own.order[rows][found.rows], own.log_weight[rows][found.rows] + found.log_weight
        return np.zeros(0, int), np.zeros(0)


@dataclass(frozen=True, eq=False)
class Sorted:
    """Draws at one redshift by their flux in a band."""

    order: np.ndarray
    """(K,), where each was."""
    table: Table
    log_weight: np.ndarray
    """(K,)."""
    place: int
    """The band."""

    def between(self, low: float, high: float) -> slice:
        """Those that stand for some of fluxes between two, nJy."""
        flux, reach = self.table.columns[self.place], 10.0**SMEAR
        first, last = np.searchsorted(flux, [low / reach, high * reach])
        return slice(int(first), int(last))


def _spans(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Of factors between low and high, the part that their logarithms are of all that a draw stands for; 0 where they
    are the wrong way round."""
    return np.maximum(np.log10(high / low), 0.0) / (2.0 * SMEAR)
