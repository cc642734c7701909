"""Sources without a redshift: how probable each is, and the answers at each, put together.

Redshifts are nodes that are even in ln(1 + z). The closed-form evidence of the fluxes leaves few of them; a network
that has learnt to rank redshifts corrects it for what a Gaussian prior cannot know; and the answers of the model at the
nodes that are left are averaged by their probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr

from galprism.bundle import ANY_REDSHIFT, Bundle
from galprism.data import Sources
from galprism.flags import Flag
from galprism.infer.candidates import Candidates, padded
from galprism.infer.joint import over_redshift, probit
from galprism.infer.quantiles import mixture_quantiles
from galprism.infer.session import Session, batches, open_network
from galprism.infer.stored import n_bytes
from galprism.prep import Features
from galprism.prep.frames import mean_fraction, narrowed

STEP = 0.005
"""In ln(1 + z), between nodes."""
REACH = 12.0
"""nat: nodes whose evidence is this far below the best are not looked at."""
MOST = 40
"""Of the nodes that are left to a source, about as many are asked at most."""
UNUSABLE = -1e3
"""nat, the score of a redshift of which the model can say nothing."""
FAR = 3.0
"""Errors: a redshift that is this far outside the range is not taken to be within it."""
LEAST = 1e-4
"""Nodes of less probability have no part in the answers."""
CHUNK_ROWS = 256
"""Sources that are looked at together; each is asked about at tens of redshifts."""


@dataclass(frozen=True, eq=False)
class Density:
    """How probable redshifts are, for N sources."""

    redshift: np.ndarray
    """(Z,), the nodes."""
    probability: np.ndarray
    """(N, Z), float32, of the redshifts around each node; rows sum to 1, or to 0 where nothing can be said."""

    @property
    def pdf(self) -> np.ndarray:
        """(N, Z), the density in redshift at the nodes."""
        return self.probability / (self._step * (1.0 + self.redshift))

    @property
    def edges(self) -> np.ndarray:
        """(Z + 1,), redshifts between which the nodes' probabilities lie."""
        return np.expm1(np.log1p(self.redshift[0]) + self._step * (np.arange(len(self.redshift) + 1) - 0.5))

    @property
    def _step(self) -> float:
        return float(np.log1p(self.redshift[1]) - np.log1p(self.redshift[0]))

    @property
    def mean(self) -> np.ndarray:
        """(N,), NaN where nothing can be said."""
        with np.errstate(invalid="ignore"):
            return self.probability @ self.redshift / self.probability.sum(axis=1)

    @property
    def sd(self) -> np.ndarray:
        """(N,)."""
        return np.sqrt(np.maximum(self.probability @ self.redshift**2 - self.mean**2, 0.0))

    def quantile(self, level: float) -> np.ndarray:
        """(N,): the probability is even within the cell of a node."""
        edges = np.log1p(self.edges)
        below = np.cumsum(self.probability, axis=1, dtype=np.float64)
        there = below[:, -1] > 0.5
        cell = np.argmax(below >= level * below[:, -1:], axis=1)
        rows = np.arange(len(below))
        inside = self.probability[rows, cell]
        before = below[rows, cell] - inside
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.clip((level * below[:, -1] - before) / inside, 0.0, 1.0)
        return np.where(there, np.expm1(edges[cell] + share * self._step), np.nan)


@dataclass(frozen=True, eq=False)
class Averages:
    """What is said of N sources over all their redshifts."""

    point: np.ndarray
    """(P, N)."""
    quantiles: np.ndarray
    """(Q, P, N)."""
    spread: np.ndarray
    """(P, N), standard deviations, of bounded ones before they are turned into fractions of their range."""
    density: Density
    features: Features
    """At the most probable redshift, compared with the training set."""
    posterior: np.ndarray
    """(N, n_bytes), uint8, joint with the redshift; of no byte where they were not asked for."""


class Ranker:
    """A bundle's network that ranks redshifts, ready to run."""

    def __init__(self, bundle: Bundle) -> None:
        """Raises RequestError where ONNX Runtime cannot load it."""
        self.bundle = bundle
        self.onnx = open_network(bundle.name, bundle.ranking)
        low, high = np.log1p(bundle.of_parameters.redshift_range)
        n = int((high - low) / STEP)
        nodes = low + (high - low - n * STEP) / 2 + STEP * np.arange(n + 1)
        self.redshift = np.expm1(nodes)
        self.ends = float(np.expm1(nodes[0] - STEP)), float(np.expm1(nodes[-1] + STEP))
        """Redshifts beyond which no posterior reaches: those that are measured may be half a step beyond the nodes."""
        self._place = probit(self.redshift, self.ends)
        cell = probit(np.expm1(nodes + 0.5 * STEP), self.ends) - probit(np.expm1(nodes - 0.5 * STEP), self.ends)
        self._square = self._place**2 + cell**2 / 12

    def density(self, sources: Sources) -> Density:
        """The posterior of each source's redshift, under the prior of the training; its own is not looked at."""
        probability = np.zeros((len(sources), len(self.redshift)), np.float32)
        for rows in chunks(len(sources)):
            probability[rows], _ = self._look(sources.take(rows))
        return Density(self.redshift, probability)

    def at(self, redshift: np.ndarray) -> Density:
        """What is known of redshifts (N,) that were measured: the cell that each is in; nothing of one that is NaN."""
        probability = np.zeros((len(redshift), len(self.redshift)), np.float32)
        rows = np.flatnonzero(np.isfinite(redshift))
        place = (np.log1p(redshift[rows]) - np.log1p(self.redshift[0])) / STEP
        probability[rows, np.clip(np.rint(place), 0, len(self.redshift) - 1).astype(int)] = 1.0
        return Density(self.redshift, probability)

    def vague(self, sources: Sources) -> np.ndarray:
        """(N,), bool: the source has a redshift within the range, with an error that nodes can resolve."""
        z, error = sources.redshift, sources.redshift_err
        if z is None or error is None:
            return np.zeros(len(sources), bool)
        low, high = self.bundle.of_parameters.redshift_range
        with np.errstate(invalid="ignore"):
            return (error > 0.5 * STEP * (1 + z)) & (z > low - FAR * error) & (z < high + FAR * error)

    def _measured(self, sources: Sources) -> np.ndarray:
        """(N, Z), nat: what a source's own redshift and its error say of each; 0 where there is none."""
        where = self.vague(sources)
        said = np.zeros((len(sources), len(self.redshift)))
        if where.any():
            assert sources.redshift is not None
            assert sources.redshift_err is not None
            off = (self.redshift - sources.redshift[where, None]) / sources.redshift_err[where, None]
            said[where] = -0.5 * off**2
        return said

    def average(
        self, session: Session, sources: Sources, levels: Sequence[float], *, posterior: bool = False
    ) -> Averages:
        """The answers of the bundle's network (`session`) over the posterior of each source's redshift, of which its
        own is a part where it has an error."""
        n, p = len(sources), session.n_targets
        probability = np.zeros((n, len(self.redshift)), np.float32)
        point, spread = np.full((2, p, n), np.nan)
        quantiles = np.full((len(levels), p, n), np.nan)
        width = n_bytes(self.bundle.coordinates["components"], p + 1) if posterior else 0
        kept = np.zeros((n, width), np.uint8)
        for chunk in chunks(n):
            start = chunk.start
            probability[chunk], found = self._look(sources.take(chunk), self._measured(sources.take(chunk)))
            found = found.take(found.weight > LEAST)
            if not len(found.row):
                continue
            weight, mean, sigma, raw = session.mixtures(found.inputs)  # (K, C), (P, K, C), (C, R)
            if posterior:
                centre = probit(Density(self.redshift, probability[chunk]).mean, self.ends)
                kept[chunk] = over_redshift(self.bundle, found, raw, centre)
            weight = weight * found.weight
            frame = self.bundle.frame(found.anchor, found.redshift)
            for rows, at in padded(found.row):
                share = np.where(at < 0, 0.0, weight[:, at]).transpose(1, 2, 0).reshape(len(rows), -1)
                share /= share.sum(axis=1, keepdims=True)
                for j in range(p):
                    m, s = (each[j][:, at].transpose(1, 2, 0).reshape(len(rows), -1) for each in (mean, sigma))
                    low, span = frame.low[j][at], np.where(at < 0, 0.0, frame.span[j][at])
                    widest = span.max(axis=1)
                    part = np.repeat(np.where(at < 0, 1.0, span / widest[:, None]), weight.shape[0], axis=1)
                    if frame.bounded[j]:  # the ranges at a source's redshifts are shares of the widest of them
                        means = low[:, :1] + widest[:, None] * part * mean_fraction(m, s)
                        m, s = narrowed(m, s, part)
                    else:
                        m = means = m + np.repeat(low, weight.shape[0], axis=1)
                    centre = (share * m).sum(axis=1)
                    point[j, start + rows] = (share * means).sum(axis=1)
                    spread[j, start + rows] = np.sqrt((share * (s * s + (m - centre[:, None]) ** 2)).sum(axis=1))
                    for i, level in enumerate(levels):
                        x = mixture_quantiles(share, m, s, np.full(len(rows), level))
                        quantiles[i, j, start + rows] = low[:, 0] + widest * ndtr(x) if frame.bounded[j] else x
        density = Density(self.redshift, probability)
        return Averages(point, quantiles, spread, density, self._at_best(sources, density), kept)

    def _at_best(self, sources: Sources, density: Density) -> Features:
        best = np.where(density.probability.any(axis=1), density.redshift[density.probability.argmax(axis=1)], np.nan)
        assert sources.flags is not None
        flags = sources.flags | np.uint32(Flag.REDSHIFT_INFERRED)
        missing = True if sources.redshift is None else np.isnan(sources.redshift)
        flags = np.where(missing, flags | np.uint32(Flag.REDSHIFT_MISSING), flags)
        flags = np.where(np.isnan(best), flags & ~np.uint32(Flag.REDSHIFT_INFERRED), flags)
        return self.bundle.of_parameters.features(replace(sources, redshift=best, flags=flags))

    def _look(self, sources: Sources, measured: np.ndarray | float = 0.0) -> tuple[np.ndarray, Candidates]:
        """(N, Z), how probable each redshift is, and the redshifts that the model is to be asked at.

        measured : (N, Z), nat, what is known of redshifts beside the photometry.

        Where many are left, not all are asked: scores are smooth in redshift, and those between are interpolated.
        """
        n, z = len(sources), len(self.redshift)
        evidence = self.bundle.of_parameters.ln_evidence(sources, self.redshift) + measured
        best = evidence.max(axis=1, keepdims=True)
        kept = (evidence > best - REACH) & np.isfinite(best)
        place = np.cumsum(kept, axis=1) - 1
        last = np.maximum(place[:, -1:], 0)
        asked = kept & ((place % (1 + last // MOST) == 0) | ((place == last) & kept))
        row, node = np.nonzero(asked)
        score, inputs, anchor = self._scores(sources, row, node)

        every_row, every_node = np.nonzero(kept)
        key = row * z + node
        above = np.searchsorted(key, every_row * z + every_node)
        below = np.where(node[above] == every_node, above, above - 1)
        between = (every_node - node[below]) / np.maximum(node[above] - node[below], 1)
        ln_p = evidence[every_row, every_node] - best[every_row, 0]
        ln_p += (1 - between) * score[below] + between * score[above]
        top = np.full(n, -np.inf)
        np.maximum.at(top, every_row, ln_p)
        p = np.exp(ln_p - top[every_row])
        p /= np.bincount(every_row, p, n)[every_row]
        probability = np.zeros((n, z), np.float32)
        probability[every_row, every_node] = p

        def stood_for(value: np.ndarray | float) -> np.ndarray:
            """(C,), the sum over the redshifts that each which was asked stands for."""
            share = p * value
            return np.bincount(below, share * (1 - between), len(row)) + np.bincount(above, share * between, len(row))

        weight = stood_for(1.0)
        with np.errstate(invalid="ignore"):  # of those of no weight nothing is taken
            place = stood_for(self._place[every_node]) / weight
            variance = stood_for(self._square[every_node]) / weight - place**2
        return probability, Candidates(row, weight, inputs, anchor, self.redshift[node], place, variance)

    def _scores(self, sources: Sources, row: np.ndarray, node: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Scores (C,), inputs (C, F) and anchors (C,) of redshifts of sources."""
        preparation = self.bundle.of_parameters
        score, anchor = np.empty(len(row)), np.empty(len(row))
        inputs = np.empty((len(row), len(preparation.input_names)), np.float32)
        for rows in batches(len(row)):
            redshift = self.redshift[node[rows]]
            found = preparation.features(replace(sources.take(row[rows]), redshift=redshift), check=False)
            inputs[rows], anchor[rows] = found.inputs, found.anchor
            (values,) = self.onnx.run(["score"], {"features": found.inputs})
            score[rows] = np.where(found.usable, values[:, 0], UNUSABLE)
        return score, inputs, anchor


def chunks(n: int) -> list[slice]:
    """Slices of CHUNK_ROWS rows."""
    return [slice(start, min(start + CHUNK_ROWS, n)) for start in range(0, n, CHUNK_ROWS)]


def gained(bundle: Bundle, averages: Averages) -> dict[str, np.ndarray]:
    """What was learnt of each target in nats, by its name: ln of its spread over all redshifts in training over that
    of the answer; empty where the bundle does not say."""
    before = bundle.prior.get(ANY_REDSHIFT)
    if before is None:
        return {}
    return {
        name: np.log(prior / spread)
        for name, prior, spread in zip(bundle.targets, before, averages.spread, strict=True)
    }
