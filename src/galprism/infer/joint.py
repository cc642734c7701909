"""Joint posteriors of parameters and redshift, of sources whose redshift is inferred.

What a network answers at each of a source's redshifts is a mixture of Gaussians; together, with the redshift as one
more coordinate, they are one mixture of hundreds, which a few that keep its mean and covariance stand for.

The coordinates are the redshift's and, behind it, the network's own. The redshift's is the probit of where ln(1 + z)
lies in the range of the redshifts that are asked, less that of the source's mean redshift, in units of UNIT: no draw is
beyond the range, and a redshift that was measured is as sharp as bytes can say, 0.0007 of a probit, which is 0.0004 in
ln(1 + z) at most for 0.01 < z < 3. Parameters relative to the source's anchor are so to its mean over the redshifts;
those that end with the age of the Universe do so at the redshift of the draw.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from galprism.bundle import Bundle
from galprism.infer.candidates import Candidates
from galprism.infer.reduction import LEAST_WEIGHT, reduced, regressions
from galprism.infer.stored import LN_SIGMA, Components, n_bytes
from galprism.prep.frames import Frame

REDSHIFT = "redshift"
"""Its name among the parameters, and the key of a layout that has it."""
UNIT = 0.3
"""Probits: standard deviations of 0.0007 to 2.2 of them can be kept; an even distribution has 1."""
PARTS = 5
"""Neighbouring redshifts whose answers are alike are taken together first: into so many parts, about."""
APART = 4.0
"""Redshifts are not neighbours where they are this many times the sum of their standard deviations apart."""
BLOCK_ROWS = 128
"""Sources that are reduced together."""


def layout(bundle: Bundle, ends: tuple[float, float] | None = None) -> dict[str, Any]:
    """What it takes to read a column of posteriors; ends : of the redshifts, where these are among the parameters."""
    names, anchored = list(bundle.targets), list(bundle.anchored)
    ranges: list[Any] = [limits and list(limits) for limits in bundle.ranges]
    held = bundle.coordinates
    if ends is None:
        return {"names": names, "anchored": anchored, "ranges": ranges, **held}
    linear = [[0.0, *row] for row in held["linear"]]
    return {
        "names": [*names, REDSHIFT],
        "anchored": [*anchored, 0.0],
        "ranges": [*ranges, list(ends)],
        "components": held["components"],
        "linear": [*linear, [UNIT] + [0.0] * len(names)],
        "offset": [*held["offset"], 0.0],
        REDSHIFT: "probit of where ln(1 + z) lies in its range, less that of the column's redshift; other ranges that "
        "end with an age of the Universe do so at the redshift of each draw",
    }


def probit(redshift: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    """(N,), of where ln(1 + z) lies between those of the ends, for redshifts (N,)."""
    low, high = np.log1p(ends)
    frame = Frame.of([0.0], [(float(low), float(high))], np.zeros(1), None)
    return frame.coordinates(np.log1p(redshift)[None])[0]


def at_known_redshift(answers: Components) -> Components:
    """The same with the coordinate of a redshift without doubt before the others."""
    n, k, d = answers.mean.shape
    first = np.zeros((n, k, 1))
    slopes = [first[:, :, :0]]
    for i in range(d):
        slopes += [first, answers.slope[:, :, i * (i - 1) // 2 : i * (i + 1) // 2]]
    return Components(
        answers.weight,
        np.concatenate([first, answers.mean], axis=2),
        np.concatenate([first + LN_SIGMA[0], answers.ln_sigma], axis=2),
        np.concatenate(slopes, axis=2),
    )


def over_redshift(bundle: Bundle, found: Candidates, raw: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """(N, n_bytes), uint8: the posteriors of N sources; zeros for one of which no redshift was asked.

    raw : (C, R), what the network says of the candidates; centre : (N,), the probit of the mean redshift of each.
    """
    k, d = bundle.coordinates["components"], 1 + len(bundle.targets)
    data = np.zeros((len(centre), n_bytes(k, d)), np.uint8)
    rows, moments = _parts(bundle, found, raw, centre)
    there, first, count = np.unique(rows, return_index=True, return_counts=True)
    order = np.argsort(count, kind="stable")
    for start in range(0, len(order), BLOCK_ROWS):
        some = order[start : start + BLOCK_ROWS]
        place = np.arange(count[some].max())
        held = (place < count[some, None]).T
        block = np.where(held, moments[:, :, np.where(held, first[some] + place[:, None], 0)], 0.0)
        data[there[some]] = _few(block.reshape(len(block), -1, len(some)), k, d).to_bytes()
    return data


def _parts(bundle: Bundle, found: Candidates, raw: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sources (G,), ascending, and the moments (M, K, G) of the network's components over parts of their redshifts:
    weights, and times these the means and the mean products of coordinates, in the order of a lower triangle."""
    k, p, n = bundle.coordinates["components"], len(bundle.targets), len(centre)
    answers = Components.of_network(raw, k, p)
    row, weight = found.row, found.weight / np.bincount(found.row, found.weight, n)[found.row]
    anchor = found.anchor - np.bincount(row, weight * found.anchor, n)[row]
    shift = np.linalg.solve(np.array(bundle.coordinates["linear"]), np.array(bundle.anchored))
    begin = _begin(row, np.cbrt(weight), found.place, np.sqrt(found.variance))
    root = answers.root().transpose(2, 3, 1, 0)
    mean = [np.broadcast_to((found.place - centre[row]) / UNIT, (k, len(row)))]
    mean += [own + by * anchor for own, by in zip(answers.mean.T, shift, strict=True)]
    share = answers.weight.T * weight

    def product(a: int, b: int) -> np.ndarray:
        """(K, C), the mean of the product of two coordinates, b <= a; the redshift's is the first."""
        if b:
            return mean[a] * mean[b] + sum(root[a - 1, m] * root[b - 1, m] for m in range(b))
        return mean[a] * mean[0] + (0.0 if a else found.variance / UNIT**2)

    moments = [share, *(share * each for each in mean)]
    moments += [share * product(a, b) for a in range(1 + p) for b in range(a + 1)]
    return row[begin], np.stack([np.add.reduceat(each, begin, axis=1) for each in moments])


def _begin(row: np.ndarray, size: np.ndarray, place: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """(G,), ascending: the candidates that parts of their source's redshifts begin with, parts of about equal sums of
    `size` and without gaps."""
    another = np.diff(row, prepend=-1) != 0
    before = np.cumsum(size) - size
    own = before - np.repeat(before[another], np.diff(np.flatnonzero(another), append=len(row)))
    part = np.floor(PARTS * (own + 0.5 * size) / np.bincount(row, size)[row])
    gap = np.diff(place, prepend=place[0]) > APART * (sigma + np.roll(sigma, 1))
    return np.flatnonzero(another | (np.diff(part, prepend=0) != 0) | gap)


def _few(moments: np.ndarray, k: int, d: int) -> Components:
    """K components in place of the I of N sources, of which there are moments (M, I, N); weights may be 0."""
    scaled = moments[1:] / np.maximum(moments[0], LEAST_WEIGHT)
    mean, second = scaled[:d], iter(scaled[d:])
    cov = np.zeros((d, *mean.shape))
    for a in range(d):
        for b in range(a + 1):
            cov[a, b] = next(second) - mean[a] * mean[b]
    weight, mean, cov = reduced(moments[0], mean, cov, k)
    ln_sigma, slope = regressions(cov)
    return Components(weight.T, mean.T, ln_sigma.T, slope.T)
