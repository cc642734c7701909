"""Binned spectra -> the redshifts at which they may be, each with its class, its error and its probability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter1d

from galprism.data import CLASSES
from galprism.infer.redshift_fit import evidence
from galprism.infer.redshift_scan import WORTH, scans, without_continuum
from galprism.prep.binned_spectra import Binned
from galprism.prep.redshift_basis import RedshiftBasis

CANDIDATES = {"star": 2, "qso": 6, "galaxy": 6}
"""Of each class, so many maxima of the scan are asked about with the noise that the spectrum has."""
APART = {"star": 6, "qso": 24, "galaxy": 9}
"""Pixels, that maxima are apart at least."""
EVEN = 0.4
"""Quantile of what bins are worth over what they are in a typical spectrum, above which they count as no more."""
FAINT = 12.0
"""Over the level squared: weights of less, S/N 3.5 of a bin, are left as they are, as no light is to be wasted."""
HOPELESS = 40.0, 0.3
"""nat, and a share of how far the scan's highest maximum is above its median: maxima that are lower than the highest of
their class by more than both together are not asked about."""
KEPT = 4
"""Of these, so many at most are followed to their maximum."""
REACH = 25.0
"""nat: those that are further below the best are not."""
OFFSETS = np.array([-2, -1, 0, 1, 2])
SPACING = {"star": 1, "qso": 3, "galaxy": 1}
"""Pixels, by which redshifts around a candidate are apart."""
WIDEST = 60.0
"""Pixels, the largest error of a redshift that a parabola tells."""
MORE = {"star": (1.1, 0.25), "qso": (1.4, 0.8), "galaxy": (1.0, 0.07)}
"""What errors of redshifts are multiplied by, and what is added in quadrature, pixels: so that on simulated spectra
errors are of unit width (benchmarks/spectroscopic_redshift.py); a pixel is 69 km/s."""
STELLAR = 3.5
"""Pixels, 240 km/s: standard deviation of the velocities of stars about the Sun."""
SAME = 15
"""Pixels, 1000 km/s: redshifts that are nearer are one."""


@dataclass(frozen=True, eq=False)
class Peaks:
    """Of N spectra P = KEPT peaks each, the most probable first."""

    shift: np.ndarray
    """(N, P), pixels of 1e-4 in log10(1 + z); NaN where there is no peak."""
    sigma: np.ndarray
    """(N, P), pixels."""
    kind: np.ndarray
    """(N, P), int, index of CLASSES."""
    ln_weight: np.ndarray
    """(N, P), nat: of the probability under the priors, over that of no light; -inf where there is no peak."""
    at_edge: np.ndarray
    """(N, P), bool: the maximum is at an end of its class' redshifts."""
    ln_rest: tuple[np.ndarray, ...]
    """Of each class (N, Z), as ln_weight: of the scan's redshifts that belong to no peak."""
    reduced_chi2: np.ndarray
    """(N,), of the best peak, over its bins."""


class PeakFinder:
    """A basis, ready to find redshifts."""

    def __init__(self, basis: RedshiftBasis, shares: dict[str, float]) -> None:
        """shares : of each class, how many are thought of before a spectrum is seen. Redshifts are then even in ln(1 +
        z), those of stars normal about 0."""
        self.scans = scans(basis)
        self.kinds = np.array([CLASSES.index(scan.moved.name) for scan in self.scans])
        span = [scan.moved.high - scan.moved.low for scan in self.scans]
        share = [shares[scan.moved.name] for scan in self.scans]
        self._ln_share = np.log(np.array(share) / np.sum(share))
        self._ln_flat = -np.log(span)
        self._typical = basis.worth

    def __call__(self, spectra: Binned) -> Peaks:
        """The peaks of spectra, every row apart from all others."""
        weight, worth = self._even(spectra.weight)
        told = without_continuum(spectra.flux, weight) * weight
        scores = [scan(told, worth) for scan in self.scans]
        parts = [_maxima(scan, score) for scan, score in zip(self.scans, scores, strict=True)]
        row, shift, scanned = (np.concatenate(part) for part in zip(*parts, strict=True))
        which = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts])
        ln_e, chi2 = self._asked(spectra, which, row, shift)
        n = len(spectra)
        best = np.full(n, -np.inf)
        np.maximum.at(best, row, ln_e + self._ln_share[which])
        order = np.lexsort((-ln_e - self._ln_share[which], row))
        row, shift, scanned, which, ln_e, chi2 = (part[order] for part in (row, shift, scanned, which, ln_e, chi2))
        first = np.searchsorted(row, np.arange(n))
        rank = np.arange(len(row)) - first[row]
        reduced = np.maximum(chi2[first] / np.maximum(spectra.n_bins, 1), 1.0)
        asked = row, which, shift, ln_e, ln_e - scanned
        kept = (rank < KEPT) & (ln_e + self._ln_share[which] > best[row] - REACH * reduced[row])
        row, shift, which, rank, ln_e = (part[kept] for part in (row, shift, which, rank, ln_e))
        place, sigma, height, edge = self._followed(spectra, which, row, shift, ln_e)
        shape = (n, KEPT)
        found = {name: np.full(shape, np.nan) for name in ("place", "sigma")}
        kind, at_edge, ln_weight = np.zeros(shape, int), np.zeros(shape, bool), np.full(shape, -np.inf)
        more, least = np.array([MORE[scan.moved.name] for scan in self.scans])[which].T
        sigma = np.hypot(more * sigma * np.sqrt(reduced[row]), least)
        found["place"][row, rank], found["sigma"][row, rank] = place, sigma
        kind[row, rank], at_edge[row, rank] = self.kinds[which], edge
        area = np.log(np.sqrt(2 * np.pi) * found["sigma"][row, rank])
        ln_weight[row, rank] = height / reduced[row] + area + self._ln_prior(which, place)
        _merge_twins(found["place"], kind, ln_weight)
        again = np.argsort(-ln_weight, axis=1, kind="stable")
        place, sigma, kind, ln_weight, at_edge = (
            np.take_along_axis(part, again, axis=1)
            for part in (found["place"], found["sigma"], kind, ln_weight, at_edge)
        )
        dropped = ~kept
        ln_rest = tuple(self._rest(c, score, reduced, asked, dropped) for c, score in enumerate(scores))
        return Peaks(place, sigma, kind, ln_weight, at_edge, ln_rest, reduced)

    def _even(self, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, BINS), weights for the scan, of the shape that it takes them to have; and (N,), over those that it does.

        Where noise is the sky's the weights are nearly their own; where it is not there is light enough to waste some.
        """
        over = np.sort(np.where(weight > 0, weight / self._typical, np.inf), axis=1)
        at = (EVEN * np.count_nonzero(weight, axis=1)).astype(int)
        least = np.maximum(np.take_along_axis(over, at[:, None], axis=1), 1e-6)
        kept = np.minimum(weight, np.maximum(least * self._typical, FAINT))
        return kept, np.maximum(kept.mean(axis=1) / WORTH, 1e-6).astype(np.float32)

    def _ln_prior(self, which: np.ndarray | int, shift: np.ndarray) -> np.ndarray:
        """Of a pixel, of classes at shifts."""
        stellar = -0.5 * (shift / STELLAR) ** 2 - np.log(np.sqrt(2 * np.pi) * STELLAR)
        is_star = self.kinds[which] == CLASSES.index("star")
        return self._ln_share[which] + np.where(is_star, stellar, self._ln_flat[which])

    def _asked(
        self, spectra: Binned, which: np.ndarray, row: np.ndarray, shift: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """ln evidence and chi2 (n,) of classes `which` at shifts, of rows."""
        ln_e, chi2 = np.empty((2, len(row)))
        for c, scan in enumerate(self.scans):
            own = np.flatnonzero(which == c)
            found = evidence(scan.moved, shift[own], spectra.flux, spectra.weight, row[own])
            ln_e[own], chi2[own] = found
        return ln_e, chi2

    def _followed(
        self, spectra: Binned, which: np.ndarray, row: np.ndarray, shift: np.ndarray, ln_e: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """Places and errors [pixels] of maxima near shifts, ln of their evidence, and whether they are at an end."""
        spacing = np.array([SPACING[scan.moved.name] for scan in self.scans])[which]
        ends = np.array([(scan.moved.low, scan.moved.high) for scan in self.scans])[which]
        others = OFFSETS != 0
        at = shift[:, None] + OFFSETS * spacing[:, None]
        inside = (at >= ends[:, :1]) & (at <= ends[:, 1:])
        values = np.full(at.shape, -np.inf)
        values[:, ~others] = ln_e[:, None]
        i, j = np.nonzero(inside & others)
        values[i, j] = self._asked(spectra, which[i], row[i], at[i, j])[0]
        top = np.argmax(values, axis=1)
        middle = np.clip(top, 1, len(OFFSETS) - 2)
        rows = np.arange(len(at))
        left, centre, right = (values[rows, middle + k] for k in (-1, 0, 1))
        with np.errstate(invalid="ignore", divide="ignore"):
            curvature = 2 * centre - left - right
            lean = np.clip(0.5 * (right - left) / curvature, -1.5, 1.5)
            sigma = spacing / np.sqrt(curvature)
        good = np.isfinite(curvature) & (curvature > (spacing / WIDEST) ** 2)
        lean = np.where(good, lean, top - middle)
        sigma = np.where(good, sigma, WIDEST)
        place = at[rows, middle] + lean * spacing
        height = np.where(good, centre + 0.5 * lean**2 * np.where(good, curvature, 0.0), values[rows, top])
        edge = (place < ends[:, 0] + 0.5 * spacing) | (place > ends[:, 1] - 0.5 * spacing)
        return place, sigma, height, edge

    def _rest(
        self, c: int, score: np.ndarray, reduced: np.ndarray, asked: tuple[np.ndarray, ...], dropped: np.ndarray
    ) -> np.ndarray:
        """(N, Z), as ln_weight, of a class' redshifts that no peak is of: by the scan, to which what it leaves out is
        added as the class' candidates have it; and by what candidates were found to have that were not followed."""
        scan = self.scans[c]
        own = asked[1] == c
        row, _, shift, ln_e, offset = (part[own] for part in asked)
        n = len(score)
        number = np.maximum(np.bincount(row, minlength=n), 1)
        mean = np.bincount(row, offset, n) / number
        ln = (score + mean[:, None]) / reduced[:, None] + np.log(scan.step)
        cell = np.clip((shift - scan.shifts[0]) // scan.step, 0, len(scan.shifts) - 1)
        reach = 2 * APART[scan.moved.name] // scan.step
        beside = np.clip(cell[:, None] + np.arange(-reach, reach + 1), 0, len(scan.shifts) - 1)
        ln[row[:, None], beside] = -np.inf
        some = dropped[own]
        width = np.log(APART[scan.moved.name])
        ln[row[some], cell[some]] = ln_e[some] / reduced[row[some]] + width
        return ln + self._ln_prior(c, scan.shifts)


def _maxima(scan, score: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, shifts and scores of the highest maxima of scores (N, Z)."""
    name = scan.moved.name
    reach = APART[name] // scan.step
    top = score == maximum_filter1d(score, 2 * reach + 1, axis=1, mode="nearest")
    masked = np.where(top, score, -np.inf)
    count = min(CANDIDATES[name], score.shape[1])
    at = np.argpartition(-masked, count - 1, axis=1)[:, :count]
    values = np.take_along_axis(masked, at, axis=1)
    highest = values.max(axis=1)
    least = highest - HOPELESS[0] - HOPELESS[1] * (highest - np.median(score, axis=1))
    row, column = np.nonzero(values > np.maximum(least, -1e30)[:, None])
    return row, scan.shifts[at[row, column]], values[row, column]


def _merge_twins(place: np.ndarray, kind: np.ndarray, ln_weight: np.ndarray) -> None:
    """Of peaks of one class that came to one place, keep the better, in place."""
    for p in range(place.shape[1]):
        for q in range(p + 1, place.shape[1]):
            with np.errstate(invalid="ignore"):
                twin = (kind[:, p] == kind[:, q]) & (np.abs(place[:, p] - place[:, q]) < 0.5 * SAME)
            worse = np.where(ln_weight[:, p] < ln_weight[:, q], p, q)
            ln_weight[np.flatnonzero(twin), worse[twin]] = -np.inf
