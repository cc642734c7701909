"""Figures of `sdss_redshift.py`."""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from PIL import Image

from galprism.evaluate.figures.style import FEW, INK, Look, density, legend, new_figure, note, png, styled
from galprism.evaluate.metrics import NMAD
from galprism.evaluate.redshifts import CATASTROPHIC, errors, redshift_metrics

COLOURS = 96
"""Of a figure as it is stored."""
PIT_BINS = 20
FRAME = (-0.01, 0.86)
"""Redshifts that are drawn."""
AXIS = {"redshift": "$z_{\\rm spec}$", "magnitude": "$i$ [AB mag]"}
EDGES = {"redshift": np.arange(0.0, 0.91, 0.1), "magnitude": np.array([16.5, 17.5, 18.5, 19.0, 19.5, 20, 20.5, 21, 22])}


@styled
def planes_and_pit(true: np.ndarray, points: dict[str, np.ndarray], pit: np.ndarray) -> bytes:
    """Photometric against spectroscopic redshifts of two methods, and the histogram of the first one's PIT."""
    look = Look(tuple(points))
    figure, (axes,) = new_figure(1, 3, row_height=2.75)
    for panel, (method, point) in zip(axes, points.items(), strict=False):
        panel.set(xlim=FRAME, ylim=FRAME, xlabel="$z_{\\rm spec}$", ylabel="$z_{\\rm phot}$", title=method)
        density(panel, true, point, look, method, bins=90)
        line = np.array(FRAME)
        panel.plot(line, line, color=INK, linewidth=0.7)
        for sign in (-1, 1):
            panel.plot(line, line + sign * CATASTROPHIC * (1 + line), color=INK, linewidth=0.7, linestyle=":")
        found = redshift_metrics(errors(point, true))
        outside = f"outliers {100 * found.outliers:.2f}%"
        note(panel, [f"σ_NMAD {found.sigma_nmad:.4f}", outside], place="upper left")
    panel = axes[2]
    share, band = pit_bins(pit)
    panel.axhspan(1 - band, 1 + band, color="#bbbbbb", alpha=0.5, linewidth=0)
    panel.axhline(1, color=INK, linewidth=0.7)
    panel.stairs(share, np.linspace(0, 1, PIT_BINS + 1), color=look.colour(look.methods[0]), linewidth=1.5)
    panel.set(xlim=(0, 1), ylim=(0, 1.6), xlabel="PIT", ylabel="density", title=f"{look.methods[0]}'s posteriors")
    return stored(png(figure))


def pit_bins(pit: np.ndarray) -> tuple[np.ndarray, float]:
    """(PIT_BINS,), how many of a PIT (N,) are in each bin over how many are in the mean; and twice their spread were it
    flat."""
    counts, _ = np.histogram(pit[np.isfinite(pit)], PIT_BINS, (0.0, 1.0))
    return counts * PIT_BINS / counts.sum(), 2.0 * float(np.sqrt((PIT_BINS - 1) / counts.sum()))


@styled
def by_redshift_and_magnitude(ds: dict[str, np.ndarray], by: dict[str, np.ndarray]) -> bytes:
    """sigma_NMAD above, outliers below, in bins."""
    look = Look(tuple(ds))
    figure, axes = new_figure(2, len(by), row_height=2.2, sharex="col")
    legend(figure, look.methods, look)
    for column, (name, value) in enumerate(by.items()):
        for number, (method, d) in enumerate(ds.items()):
            _binned(axes[:, column], value, d, EDGES[name], look, method, shift=0.06 * (number - 1))
        axes[1, column].set(xlabel=AXIS[name])
        axes[0, column].set(ylim=(0, None))
        axes[1, column].set(ylim=(0, None))
    axes[0, 0].set(ylabel="σ_NMAD")
    axes[1, 0].set(ylabel=f"share of |Δz| > {CATASTROPHIC} (1 + z)")
    return stored(png(figure))


def _binned(
    axes: np.ndarray, value: np.ndarray, d: np.ndarray, edges: np.ndarray, look: Look, method: str, shift: float
) -> None:
    """Points with errors, each method's a little beside the others'."""
    x, rows = [], []
    for low, high in pairwise(edges):
        own = d[(value >= low) & (value < high)]
        if len(own) < FEW:
            continue
        found, n = redshift_metrics(own), len(own)
        spread = NMAD * np.abs(own - np.median(own))
        # of a median: half the width of the central 68 % of its rank, sqrt(n) / 2 on each side (David & Nagaraja 2003)
        ranks = 0.5 + np.array([-0.5, 0.5]) / np.sqrt(n)
        low_high = np.quantile(spread, ranks)
        share = found.outliers
        x.append(0.5 * (low + high) + shift * (high - low))
        rows.append((found.sigma_nmad, np.ptp(low_high) / 2, share, np.sqrt(max(share * (1 - share), 1 / n) / n)))
    middle, middle_err, outliers, outliers_err = np.array(rows).T
    for panel, y, err in ((axes[0], middle, middle_err), (axes[1], outliers, outliers_err)):
        _line(panel, np.array(x), y, err, look, method)


def _line(panel: Axes, x: np.ndarray, y: np.ndarray, err: np.ndarray, look: Look, method: str) -> None:
    panel.plot(x, y, color=look.colour(method), linestyle=look.line(method), linewidth=1.2)
    panel.errorbar(x, y, err, color=look.colour(method), fmt="o", markersize=2.5, elinewidth=0.8)


def stored(image: bytes) -> bytes:
    """In few colours, which take a third of the bytes."""
    buffer = io.BytesIO()
    Image.open(io.BytesIO(image)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(
        buffer, "PNG", optimize=True
    )
    return buffer.getvalue()
