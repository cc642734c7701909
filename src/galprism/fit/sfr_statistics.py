"""A distribution of log SFR on bins, and the eight statistics that the MPA-JHU tables give of one.

All are of the binned distribution of log10 SFR [Msun/yr], in bins of BIN:
AVG is its mean, of the logarithm; MEDIAN and the percentiles P2P5, P16, P84, P97P5 are where its cumulative sum reaches
those parts, linear within a bin; MODE is where it is highest once smoothed by a Gaussian of SMOOTHED, by a parabola
through the highest bin and its neighbours; ENTROPY is - sum p ln p over the bins, in nats: a Gaussian of standard
deviation s has ln(s sqrt(2 pi e) / BIN), and in bins of another width w it would have ln(BIN / w) more.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from galprism.data.sfr_labels import PREFIX, STATISTICS
from galprism.errors import RequestError
from galprism.params import PARAMS

BIN = 0.05
"""dex."""
EDGES = np.linspace(
    PARAMS["logsfr"].low, PARAMS["logsfr"].high, round((PARAMS["logsfr"].high - PARAMS["logsfr"].low) / BIN) + 1
)
"""(G + 1,), of the bins: all of logsfr's range."""
SMOOTHED = 0.1
"""dex, standard deviation, for the mode alone: of a thousand draws a single bin's height is uncertain by a tenth."""
LEVELS = {"p2p5": 0.025, "p16": 0.16, "median": 0.5, "p84": 0.84, "p97p5": 0.975}


def binned(values: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """(N, G), shares that sum to one, of draws (N, K) of log SFR under weights (N, K), or (G,) of one source's (K,).

    Raises RequestError for draws beyond EDGES, and where no weight is above zero.
    """
    values = np.asarray(values, np.float64)
    weight = np.ones_like(values) if weight is None else np.asarray(weight, np.float64)
    if values.ndim == 1:
        return binned(values[None], weight[None])[0]
    counted = weight > 0
    outside = counted & ~((values >= EDGES[0]) & (values < EDGES[-1]))
    if outside.any():
        raise RequestError(f"log SFR = {values[outside][0]:g}; accepted: {EDGES[0]:g} to {EDGES[-1]:g}")
    total = weight.sum(axis=1, keepdims=True)
    if not np.all(total > 0):
        raise RequestError(f"row {int(np.argmin(total[:, 0] > 0))}: no draw has a weight; accepted: one or more")
    n, g = len(values), len(EDGES) - 1
    place = ((np.where(counted, values, EDGES[0]) - EDGES[0]) / BIN).astype(np.int64)
    flat = np.minimum(place, g - 1) + np.arange(n)[:, None] * g
    return np.bincount(flat.ravel(), (weight / total).ravel(), n * g).reshape(n, g)


def sfr_statistics(share: np.ndarray) -> np.ndarray:
    """(N, 8), STATISTICS of distributions (N, G) over the bins of EDGES, which need not sum to one; dex(Msun/yr), and
    nats for the entropy. Rows of NaN have NaN.

    Raises RequestError for other bins, and for negative or empty rows.
    """
    share = np.asarray(share, np.float64)
    if share.ndim != 2 or share.shape[1] != len(EDGES) - 1:
        raise RequestError(f"distributions of shape {share.shape}; accepted: (N, {len(EDGES) - 1}), the bins of EDGES")
    known = np.isfinite(share).all(axis=1)
    if np.any(share[known] < 0) or not np.all(share[known].sum(axis=1) > 0):
        raise RequestError("distributions that are negative or zero everywhere; accepted: shares from zero on")
    found = np.full((len(share), len(STATISTICS)), np.nan)
    if known.any():
        p = share[known] / share[known].sum(axis=1, keepdims=True)
        middle = 0.5 * (EDGES[1:] + EDGES[:-1])
        columns = {"avg": p @ middle, "entropy": -(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=1), "mode": _mode(p)}
        below = np.concatenate([np.zeros((len(p), 1)), np.cumsum(p, axis=1)], axis=1)
        columns |= {name: _reached(below, p, level) for name, level in LEVELS.items()}
        found[known] = np.stack([columns[name.removeprefix(PREFIX)] for name in STATISTICS], axis=1)
    return found


def _reached(below: np.ndarray, p: np.ndarray, level: float) -> np.ndarray:
    """(N,): where cumulative sums (N, G + 1) reach a level."""
    rows = np.arange(len(p))
    place = np.minimum((below[:, 1:] < level).sum(axis=1), p.shape[1] - 1)
    return EDGES[place] + BIN * (level - below[rows, place]) / np.maximum(p[rows, place], 1e-300)


def _mode(p: np.ndarray) -> np.ndarray:
    smooth = gaussian_filter1d(p, SMOOTHED / BIN, axis=1, mode="constant")
    rows, top = np.arange(len(p)), np.clip(np.argmax(smooth, axis=1), 1, p.shape[1] - 2)
    before, at, after = (smooth[rows, top + k] for k in (-1, 0, 1))
    bend = before - 2.0 * at + after
    shift = np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, 1.0), 0.0)
    return 0.5 * (EDGES[top] + EDGES[top + 1]) + BIN * np.clip(shift, -0.5, 0.5)
