"""Bundle + spectra -> redshifts, their posteriors, and classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from galprism.bundle import Bundle
from galprism.data import CLASSES, LEVELS, Predictions, Sources
from galprism.data.classes import class_columns
from galprism.flags import Flag
from galprism.infer.redshift import Density
from galprism.infer.redshift_file import COLUMN as PDF_COLUMN
from galprism.infer.redshift_peaks import SAME, PeakFinder, Peaks
from galprism.infer.session import describe_model
from galprism.prep.redshift_basis import BINS
from galprism.prep.spectroscopic import Spectroscopic

CHUNK_ROWS = 256
"""Spectra that are looked at together."""
STEP = 0.002
"""In ln(1 + z), of the cells of posteriors."""
PER_PIXEL = 1e-4 * np.log(10.0)
"""ln(1 + z) of a pixel."""
SURE_CLASS = 0.99
"""Of a class' probability: with less it is unsure."""
POOR = 2.5
"""Reduced chi2 of the best spectrum, model errors counted in, above which no class has such a spectrum: of simulated
quasars that are found right, 5 % have more, and none of other classes."""
FEW = 0.5
"""Of the bins: where fewer have data, PIXELS_MISSING."""
NOT_OURS = Flag.NOT_A_GALAXY | Flag.REDSHIFT_MISSING | Flag.REDSHIFT_WARNING | Flag.REDSHIFT_MISMATCH
"""Flags of reading that speak of redshifts which are not taken, and of classes that are looked for here."""
ROUNDS = 48
"""Of bisection, for quantiles."""


class SpectroscopicPredictor:
    """A bundle of spectroscopic redshifts, ready to infer; it may be used from several threads at once."""

    def __init__(self, bundle: Bundle) -> None:
        assert isinstance(bundle.preparation, Spectroscopic)
        self.bundle, self.preparation = bundle, bundle.preparation
        self._finder = PeakFinder(self.preparation.basis, self.preparation.shares)
        ends = [one.shifts for one in self.preparation.basis.classes]
        low, high = (PER_PIXEL * np.array([min(e[0] for e in ends) - SAME, max(e[1] for e in ends) + SAME])).tolist()
        self._edges = low + STEP * np.arange(int(np.ceil((high - low) / STEP)) + 1)
        """Of cells, in ln(1 + z)."""
        self._cells = [np.searchsorted(self._edges, PER_PIXEL * s.shifts, "right") - 1 for s in self._finder.scans]

    @property
    def redshifts_asked(self) -> Density:
        """The redshifts that are looked at, of no source."""
        return self._density(np.zeros((0, len(self._edges) - 1), np.float32))

    def _density(self, probability: np.ndarray) -> Density:
        return Density(np.expm1(0.5 * (self._edges[1:] + self._edges[:-1])), probability)

    def redshifts(self, sources: Sources) -> Density:
        """The posterior of each source's redshift, in cells: to multiply with what else tells redshifts (and divide by
        the prior, even in ln(1 + z) but for stars, where both have one). Raises RequestError without spectra."""
        found = self.predict(sources, redshift_pdf=True)
        return self._density(found.extra[PDF_COLUMN])

    def predict(self, sources: Sources, levels: Sequence[float] = LEVELS, *, redshift_pdf: bool = False) -> Predictions:
        """Redshifts and classes, row for row; ids that stand in several rows are not looked for.

        `redshift` is the most probable one, which need not be the median where there are several. redshift_pdf : keep
        how probable each cell of redshift is, in a column (N, Z) of that name. Raises RequestError where the sources
        have no spectra.
        """
        n = len(sources)
        levels = tuple(levels)
        point, quantiles = np.full((n, 1), np.nan, np.float32), np.full((n, 1, len(levels)), np.nan, np.float32)
        classes = np.full((n, len(CLASSES)), np.nan)
        extra = {name: np.full(n, np.nan, np.float32) for name in ("reduced_chi2", "redshift_margin")}
        assert sources.flags is not None
        flags = sources.flags & ~np.uint32(NOT_OURS)
        pdf = np.zeros((n, len(self._edges) - 1), np.float32) if redshift_pdf else None
        for start in range(0, n, CHUNK_ROWS):
            rows = start + np.arange(min(CHUNK_ROWS, n - start))
            spectra = self.preparation.binned(sources.take(rows))
            flags[rows[~spectra.there]] |= np.uint32(Flag.SPECTRUM_MISSING | Flag.NOT_INFERRED)
            flags[rows[spectra.there & (spectra.n_bins < FEW * BINS)]] |= np.uint32(Flag.PIXELS_MISSING)
            rows = rows[spectra.there]
            if not len(rows):
                continue
            peaks = self._finder(spectra.take(spectra.there))
            weight, rest = self._normalised(peaks)
            cells = self._on_cells(rest)
            classes[rows] = self._classes(peaks, weight, rest)
            margin = self._margin(peaks)
            extra["reduced_chi2"][rows], extra["redshift_margin"][rows] = peaks.reduced_chi2, margin
            flags[rows[(margin < self.preparation.margin) | peaks.at_edge[:, 0]]] |= np.uint32(Flag.REDSHIFT_UNSURE)
            flags[rows[classes[rows].max(axis=1) < SURE_CLASS]] |= np.uint32(Flag.CLASS_UNSURE)
            flags[rows[peaks.reduced_chi2 > POOR]] |= np.uint32(Flag.POOR_FIT | Flag.REDSHIFT_UNSURE)
            point[rows, 0] = np.expm1(PER_PIXEL * peaks.shift[:, 0])
            for k, level in enumerate(levels):
                quantiles[rows, 0, k] = np.expm1(self._quantile(peaks, weight, cells, level))
            if pdf is not None:
                pdf[rows] = np.diff(self._below(peaks, weight, cells, self._edges[None, :]), axis=1)
        return Predictions(
            id=sources.id,
            names=("redshift",),
            point=point,
            flags=flags,
            n_bands=np.zeros(n, np.int16),
            levels=levels,
            quantiles=quantiles if levels else None,
            ra=sources.ra,
            dec=sources.dec,
            extra=class_columns(classes) | extra | ({} if pdf is None else {PDF_COLUMN: pdf}),
            meta=describe_model(self.bundle)
            | {"method": "spectra at rest", "class_shares": self.preparation.shares}
            | {"definitions": {name: entry["definition"] for name, entry in self.bundle.definitions.items()}},
        )

    def _normalised(self, peaks: Peaks) -> tuple[np.ndarray, list[np.ndarray]]:
        """Probabilities of the peaks (N, P), and of the rest of each class (N, Z)."""
        top = peaks.ln_weight[:, :1]
        weight = np.exp(peaks.ln_weight - top)
        rest = [np.exp(np.minimum(ln - top, 500.0)) for ln in peaks.ln_rest]
        total = weight.sum(axis=1, keepdims=True) + sum(part.sum(axis=1, keepdims=True) for part in rest)
        return weight / total, [part / total for part in rest]

    def _classes(self, peaks: Peaks, weight: np.ndarray, rest: list[np.ndarray]) -> np.ndarray:
        found = np.zeros((len(weight), len(CLASSES)))
        for k in range(len(CLASSES)):
            found[:, k] = np.where(peaks.kind == k, weight, 0.0).sum(axis=1)
        for kind, part in zip(self._finder.kinds, rest, strict=True):
            found[:, kind] += part.sum(axis=1)
        return found

    def _margin(self, peaks: Peaks) -> np.ndarray:
        """(N,), nat: how much more probable the best peak is than all other redshifts."""
        best = peaks.shift[:, :1]
        with np.errstate(invalid="ignore"):
            apart = np.abs(peaks.shift - best) > SAME
        others = [np.where(apart, peaks.ln_weight, -np.inf)]
        for scan, ln in zip(self._finder.scans, peaks.ln_rest, strict=True):
            others.append(np.where(np.abs(scan.shifts - best) > SAME, ln, -np.inf))
        return np.minimum(peaks.ln_weight[:, 0] - np.logaddexp.reduce(np.concatenate(others, axis=1), axis=1), 1e4)

    def _on_cells(self, rest: list[np.ndarray]) -> np.ndarray:
        """(N, Z + 1): what the rest has below each edge."""
        n = len(rest[0])
        total = np.zeros((n, len(self._edges) - 1))
        for part, cell in zip(rest, self._cells, strict=True):
            starts = np.flatnonzero(np.diff(cell, prepend=-1))
            total[:, cell[starts]] += np.add.reduceat(part, starts, axis=1)
        return np.concatenate([np.zeros((n, 1)), np.cumsum(total, axis=1)], axis=1)

    def _below(self, peaks: Peaks, weight: np.ndarray, cells: np.ndarray, x: np.ndarray) -> np.ndarray:
        """(N, M): the probability below x (N, M) or (1, M), in ln(1 + z)."""
        place = np.clip((x - self._edges[0]) / STEP, 0.0, cells.shape[1] - 1.0)
        left = np.minimum(place.astype(int), cells.shape[1] - 2)
        left, share = np.broadcast_arrays(left, place - left)
        if len(left) != len(cells):
            left, share = (np.broadcast_to(part, (len(cells), part.shape[1])) for part in (left, share))
        below = np.take_along_axis(cells, left, 1) * (1 - share) + np.take_along_axis(cells, left + 1, 1) * share
        for p in range(weight.shape[1]):
            own = np.flatnonzero(weight[:, p] > 0)
            at, sigma = PER_PIXEL * peaks.shift[own, p, None], PER_PIXEL * peaks.sigma[own, p, None]
            below[own] += weight[own, p, None] * ndtr(((x if len(x) == 1 else x[own]) - at) / sigma)
        return below

    def _quantile(self, peaks: Peaks, weight: np.ndarray, cells: np.ndarray, level: float) -> np.ndarray:
        """(N,), in ln(1 + z), by bisection."""
        low, high = np.full((2, len(weight), 1), self._edges[[0, -1]][:, None, None])
        for _ in range(ROUNDS):
            middle = 0.5 * (low + high)
            under = self._below(peaks, weight, cells, middle) < level
            low, high = np.where(under, middle, low), np.where(under, high, middle)
        return 0.5 * (low + high)[:, 0]
