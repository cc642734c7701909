"""Binned spectra -> redshifts, their posteriors, and classes; with what light tells of redshifts, where it does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import ndtr

from galprism.data import CLASSES
from galprism.flags import Flag
from galprism.infer.redshift_peaks import SAME, PeakFinder, Peaks
from galprism.prep.binned_spectra import Binned
from galprism.prep.redshift_basis import BINS
from galprism.prep.spectroscopic import Spectroscopic

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
GALAXY = CLASSES.index("galaxy")
ROUNDS = 48
"""Of bisection, for quantiles."""


@dataclass(frozen=True, eq=False)
class Redshifts:
    """What N spectra say."""

    point: np.ndarray
    """(N,), the most probable redshift."""
    quantiles: np.ndarray
    """(N, Q)."""
    classes: np.ndarray
    """(N, C), probabilities in the order of CLASSES."""
    reduced_chi2: np.ndarray
    """(N,), of the redshift that goes best with the spectrum alone."""
    margin: np.ndarray
    """(N,), nat: how much more probable the best redshift is than all others."""
    flags: np.ndarray
    """(N,), uint32."""
    cells: np.ndarray
    """(N, Z), float32, probabilities of cells; (N, 0) where they were not asked for."""


class SpectrumRedshifts:
    """Spectra at rest, ready to find redshifts with; it may be used from several threads at once."""

    def __init__(self, by: Spectroscopic) -> None:
        self.by = by
        ends = [one.shifts for one in by.basis.classes]
        low, high = (PER_PIXEL * np.array([min(e[0] for e in ends) - SAME, max(e[1] for e in ends) + SAME])).tolist()
        self.edges = low + STEP * np.arange(int(np.ceil((high - low) / STEP)) + 1)
        """(Z + 1,), of cells, in ln(1 + z)."""
        first, last = by.basis.of("galaxy").shifts
        self.flat = STEP / (PER_PIXEL * (last - first))
        """The probability of a cell of galaxies' redshifts before anything is seen of one."""

    @cached_property
    def _finder(self) -> PeakFinder:
        """Made when the first spectrum is asked about: it takes seconds, which catalogues without any need not."""
        return PeakFinder(self.by.basis, self.by.shares)

    @cached_property
    def _cells(self) -> list[np.ndarray]:
        return [np.searchsorted(self.edges, PER_PIXEL * s.shifts, "right") - 1 for s in self._finder.scans]

    def __call__(
        self, spectra: Binned, levels: tuple[float, ...] = (), favour: np.ndarray | None = None, *, cells: bool = False
    ) -> Redshifts:
        """Of spectra that are there.

        favour : (N, Z), by how much more each cell is thought of, if the source is a galaxy, than where nothing else is
        known of it; 1 where nothing is
        """
        peaks = self._finder(spectra)
        if favour is not None:
            peaks = self._favoured(peaks, np.log(favour))
        weight, rest = self._normalised(peaks)
        below = self._on_cells(rest)
        classes, margin = self._classes(peaks, weight, rest), self._margin(peaks)
        flags = np.zeros(len(spectra), np.uint32)
        unsure = np.uint32(Flag.REDSHIFT_UNSURE | Flag.CLASS_UNSURE)  # whatever its pixels seem to say
        flags[spectra.n_bins < FEW * BINS] |= np.uint32(Flag.PIXELS_MISSING) | unsure
        flags[spectra.dark] |= np.uint32(Flag.POOR_FIT) | unsure
        flags[(margin < self.by.margin) | peaks.at_edge[:, 0]] |= np.uint32(Flag.REDSHIFT_UNSURE)
        flags[classes.max(axis=1) < SURE_CLASS] |= np.uint32(Flag.CLASS_UNSURE)
        flags[peaks.reduced_chi2 > POOR] |= np.uint32(Flag.POOR_FIT | Flag.REDSHIFT_UNSURE)
        point = np.expm1(PER_PIXEL * peaks.shift[:, 0])
        quantiles = [np.expm1(self._quantile(peaks, weight, below, level)) for level in levels]
        density = np.zeros((len(spectra), 0), np.float32)
        if cells:
            density = np.diff(self._below(peaks, weight, below, self.edges[None, :]), axis=1).astype(np.float32)
        by_level = np.stack(quantiles, axis=1) if quantiles else np.zeros((len(spectra), 0))
        return Redshifts(point, by_level, classes, peaks.reduced_chi2, margin, flags, density)

    def _favoured(self, peaks: Peaks, ln_favour: np.ndarray) -> Peaks:
        """With more, or less, of what galaxies are at each redshift; the most probable peak first again."""
        place = np.searchsorted(self.edges, PER_PIXEL * np.nan_to_num(peaks.shift), "right") - 1
        gained = np.take_along_axis(ln_favour, np.clip(place, 0, ln_favour.shape[1] - 1), 1)
        ln_weight = peaks.ln_weight + np.where(peaks.kind == GALAXY, gained, 0.0)
        kinds = zip(self._finder.kinds, self._cells, peaks.ln_rest, strict=True)
        rest = tuple(ln + ln_favour[:, cell] if kind == GALAXY else ln for kind, cell, ln in kinds)
        order = np.argsort(-ln_weight, axis=1, kind="stable")
        shift, sigma, kind, ln_weight, at_edge = (
            np.take_along_axis(part, order, axis=1)
            for part in (peaks.shift, peaks.sigma, peaks.kind, ln_weight, peaks.at_edge)
        )
        return replace(peaks, shift=shift, sigma=sigma, kind=kind, ln_weight=ln_weight, at_edge=at_edge, ln_rest=rest)

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
        total = np.zeros((n, len(self.edges) - 1))
        for part, cell in zip(rest, self._cells, strict=True):
            starts = np.flatnonzero(np.diff(cell, prepend=-1))
            total[:, cell[starts]] += np.add.reduceat(part, starts, axis=1)
        return np.concatenate([np.zeros((n, 1)), np.cumsum(total, axis=1)], axis=1)

    def _below(self, peaks: Peaks, weight: np.ndarray, cells: np.ndarray, x: np.ndarray) -> np.ndarray:
        """(N, M): the probability below x (N, M) or (1, M), in ln(1 + z)."""
        place = np.clip((x - self.edges[0]) / STEP, 0.0, cells.shape[1] - 1.0)
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
        low, high = np.full((2, len(weight), 1), self.edges[[0, -1]][:, None, None])
        for _ in range(ROUNDS):
            middle = 0.5 * (low + high)
            under = self._below(peaks, weight, cells, middle) < level
            low, high = np.where(under, middle, low), np.where(under, high, middle)
        return 0.5 * (low + high)[:, 0]
