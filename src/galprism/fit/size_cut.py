"""Points and what is extended, told by size and magnitude alone: the classifier of catalogues without colours.

Point sources of all magnitudes have the size of the point-spread function: the stellar locus. It is found from sizes
themselves, as where those of bright sources are densest, of which at least one in twenty must be a point. Its width is
the scatter to smaller sizes alone, where there is nothing but points and noise, magnitude by magnitude.

No size tells a quasar from a star. The probabilities are therefore the shares that the classes have among points, and
among what is extended: a point is called what most points are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from galprism import __version__
from galprism.data import CLASSES, Predictions, Sources
from galprism.data.blocks import check_shape
from galprism.data.classes import class_columns
from galprism.errors import RequestError
from galprism.flags import Flag

BRIGHT = (0.05, 0.35)
"""Quantiles of magnitude between which sources are bright: those above saturate, those below are noisy."""
CROWD = 0.05
"""Share of the bright sources that stands close together: fewer of them need not be points."""
NEARLY = 2.0
"""Times the shortest interval: of few sources a chance crowd of galaxies may be a little closer than points are."""
FEWEST = 20
"""Bright sources from which a locus is found, and sources below it from which a width is."""
LEAST_WIDTH = 1e-3
"""Of ln(size): a locus without any scatter, as in images without noise, is taken to be so wide."""
PER_MAD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
ROUNDS = 5
SIDES = ("point", "extended")


@dataclass(frozen=True, eq=False)
class StellarLocus:
    """The sizes of point sources."""

    size: float
    """In the unit of the sizes that it was found from."""
    magnitude: np.ndarray
    """(K,), ascending, where the width is told; beyond, it is that of the ends."""
    width: np.ndarray
    """(K,), standard deviations of ln(size) of points at these magnitudes; never less at fainter ones."""

    def excess(self, size: np.ndarray, magnitude: np.ndarray) -> np.ndarray:
        """(N,), by how many of its widths ln(size) is above the locus; NaN where either is not known."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.log(size / self.size) / np.interp(magnitude, self.magnitude, self.width)


def find_locus(
    size: np.ndarray, magnitude: np.ndarray, *, bright: tuple[float, float] | None = None, bins: int = 12
) -> StellarLocus:
    """The locus of sources of half-light radius `size` (N,), best in units of their PSF's width, and magnitude (N,).

    bright : magnitudes between which the locus is looked for; between BRIGHT's quantiles where not given
    bins : of magnitude with as many sources each, in which widths are told

    Sources whose size or magnitude is NaN or not above zero do not count. Raises RequestError where too few are bright.
    """
    size, magnitude = _same_shape(size, magnitude)
    known = np.isfinite(size) & (size > 0) & np.isfinite(magnitude)
    ln_size, magnitude = np.log(size[known]), magnitude[known]
    low, high = bright or (tuple(np.quantile(magnitude, BRIGHT)) if len(magnitude) else (np.nan, np.nan))
    chosen = (magnitude >= low) & (magnitude <= high)
    if chosen.sum() < FEWEST:
        raise RequestError(
            f"{chosen.sum()} sources with a size between magnitudes {low:.4g} and {high:.4g}; accepted: {FEWEST} or "
            "more, from which the stellar locus is found"
        )
    locus = _crowd(ln_size[chosen])
    below = (magnitude >= low) & (ln_size < locus)
    magnitude, under = magnitude[below], (locus - ln_size)[below]
    order = np.argsort(magnitude)
    parts = np.array_split(order, min(bins, max(len(order) // FEWEST, 1)))
    if not len(order):
        return StellarLocus(float(np.exp(locus)), np.array([low]), np.array([LEAST_WIDTH]))
    width = PER_MAD * np.array([np.median(under[part]) for part in parts])
    width = np.maximum.accumulate(np.maximum(width, LEAST_WIDTH))
    return StellarLocus(float(np.exp(locus)), np.array([np.median(magnitude[part]) for part in parts]), width)


def _crowd(values: np.ndarray) -> float:
    """The middle of the narrowest crowd among values (N,): the median of those about where they are densest."""
    middle = densest(values)
    for _ in range(ROUNDS):
        below = middle - values[values < middle]
        if len(below) < FEWEST:
            break
        near = np.abs(values - middle) < 2.0 * max(PER_MAD * float(np.median(below)), LEAST_WIDTH)
        middle = float(np.median(values[near]))
    return middle


def densest(values: np.ndarray) -> float:
    """The middle of the shortest interval that holds the share CROWD of values (N,) (Dalenius 1965, JRSSA 128, 110); of
    several that are nearly as short and lie apart, of that with the smallest values: nothing is smaller than a point.
    """
    values = np.sort(values)
    held = min(max(int(CROWD * len(values)), FEWEST), len(values))
    widths = values[held - 1 :] - values[: len(values) - held + 1]
    near = np.flatnonzero(widths <= NEARLY * widths.min())
    crowd = near[near < near[0] + held]
    first = int(crowd[np.argmin(widths[crowd])])
    return float(np.median(values[first : first + held]))


def shares_by_side(extended: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """(2, K): the shares of the classes among points, and among what is extended, of sources (N,) whose classes are
    known, index into CLASSES; -1 does not count.

    Raises RequestError where there are no points, or nothing extended, among them.
    """
    extended, classes = _same_shape(extended, classes)
    shares = np.zeros((2, len(CLASSES)))
    for side, name in enumerate(("is a point", "is extended")):
        own = classes[(extended == bool(side)) & (classes >= 0)]
        if not len(own):
            raise RequestError(f"no source of known class {name}; accepted: some of either, from which shares are told")
        shares[side] = np.bincount(own, minlength=len(CLASSES)) / len(own)
    return shares


def fit_size(
    sources: Sources,
    size: np.ndarray,
    magnitude: np.ndarray,
    locus: StellarLocus,
    shares: np.ndarray,
    *,
    cut: float = 3.0,
) -> Predictions:
    """Classes of sources by their sizes (N,), in the unit of the locus, and magnitudes (N,).

    shares : (2, K), of the classes among points and among what is extended, as `shares_by_side` finds them
    cut : widths above the locus from which a source is extended

    Extra columns beside the classes': `size`, and `size_excess` in widths of the locus. A source without size or
    magnitude has null and is flagged NOT_INFERRED. Raises RequestError for other shapes, or shares that are none.
    """
    n = len(sources)
    for name, value in (("size", size), ("magnitude", magnitude)):
        check_shape("fit_size", name, np.asarray(value), (n,))
    shares = np.asarray(shares, float)
    if shares.shape != (2, len(CLASSES)) or not (shares >= 0).all() or not np.allclose(shares.sum(axis=1), 1.0):
        raise RequestError(
            f"shares = {shares.tolist()}; accepted: two rows, of points and of what is extended, each {len(CLASSES)} "
            "numbers from zero on that add up to 1"
        )
    excess = locus.excess(np.asarray(size, float), np.asarray(magnitude, float))
    known = np.isfinite(excess)
    probability = np.where(known[:, None], shares[(excess > cut).astype(int)], np.nan)
    assert sources.flags is not None
    return Predictions(
        id=sources.id,
        names=(),
        point=np.zeros((n, 0)),
        flags=np.where(known, sources.flags, sources.flags | np.uint32(Flag.NOT_INFERRED)).astype(np.uint32),
        n_bands=known.astype(np.int16),
        ra=sources.ra,
        dec=sources.dec,
        extra={**class_columns(probability), "size": np.asarray(size, float), "size_excess": excess},
        meta={
            "method": "size cut",
            "galprism": __version__,
            "locus": locus.size,
            "cut": cut,
            "shares": {
                side: dict(zip(CLASSES, row, strict=True)) for side, row in zip(SIDES, shares.tolist(), strict=True)
            },
        },
    )


def _same_shape(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.asarray(first), np.asarray(second)
    if first.ndim != 1 or first.shape != second.shape:
        raise RequestError(f"arrays of shapes {first.shape} and {second.shape}; expected the same (N,)")
    return first, second
