"""Figures of `sky.py`."""

from __future__ import annotations

import numpy as np

from galprism.data.truth import CLASSES
from galprism.evaluate.classes.sample import CLASS_NAMES as NAME
from galprism.evaluate.figures.style import CLASS_COLOUR as COLOUR
from galprism.evaluate.figures.style import INK, new_figure, note, png, styled

STEP = 0.5


def counts_figure(counts: dict, cosmos: dict[float, float]) -> bytes:
    """Counts by class, their shares, and galaxies beside COSMOS2020."""
    return _counts(counts, cosmos)


@styled
def _counts(counts: dict, cosmos: dict[float, float]) -> bytes:
    figure, ((left, middle, right),) = new_figure(1, 3, row_height=2.6)
    edges = np.arange(15.0, 24.01, STEP)
    centre = 0.5 * (edges[1:] + edges[:-1])
    density = {kind: np.histogram(mag, edges)[0] / area / STEP for kind, (mag, area) in counts["by class"].items()}
    total = sum(density.values())
    for kind, value in density.items():
        left.semilogy(centre, np.where(value > 0, value, np.nan), color=COLOUR[kind], label=NAME[kind])
        middle.plot(centre, value / total, color=COLOUR[kind])
    left.set(xlabel="$r$ [AB mag]", ylabel="deg$^{-2}$ mag$^{-1}$")
    left.legend(loc="upper left")
    middle.set(xlabel="$r$ [AB mag]", ylabel="share of all sources", ylim=(0, 1))
    mag, area = counts["i"]
    edges = np.arange(18.0, 24.01, STEP)
    value = np.histogram(mag, edges)[0] / area / STEP
    right.semilogy(0.5 * (edges[1:] + edges[:-1]), value, color=COLOUR["galaxy"], label="simulated galaxies")
    right.semilogy(list(cosmos), [10**v for v in cosmos.values()], "o", color=INK, markersize=3.5, label="COSMOS2020")
    right.set(xlabel="$i$ [AB mag]")
    right.legend(loc="upper left")
    return png(figure)


def locus_figure(stars: dict) -> bytes:
    """Pickles's dwarfs and the simulated locus of solar metallicity."""
    return _locus(stars)


@styled
def _locus(stars: dict) -> bytes:
    survey = stars["kids"]
    names = survey["names"]
    figure, axes = new_figure(2, 4, row_height=1.8, sharex=True)
    order = np.argsort(survey["g_i"])
    for j, (panel, name) in enumerate(zip(axes.ravel(), names, strict=True)):
        panel.plot(survey["g_i"], survey["real"][:, j] - survey["real"][:, j + 1], "o", color=INK, markersize=2.5)
        ours = survey["ours"][:, j] - survey["ours"][:, j + 1]
        panel.plot(survey["g_i"][order], ours[order], color=COLOUR["star"])
        note(panel, [name])
    for panel in axes[-1]:
        panel.set_xlabel("SDSS $g-i$")
    return png(figure)


def colour_tracks(real: dict, mock: dict) -> bytes:
    """Colour against colour of each class, and of quasars against redshift."""
    return _tracks(real, mock)


@styled
def _tracks(real: dict, mock: dict) -> bytes:
    figure, axes = new_figure(2, 4, row_height=2.2)
    rng = np.random.default_rng(0)
    for panel, kind in zip(axes[0], CLASSES, strict=False):
        for sample, colour, size in ((real, INK, 1.6), (mock, COLOUR[kind], 1.6)):
            mag = sample[kind]["mag"]
            mag = mag[mag[:, 2] < 20.0]
            mag = mag[rng.permutation(len(mag))[:1200]]
            x, y = mag[:, 1] - mag[:, 2], mag[:, 0] - mag[:, 1]
            panel.plot(x, y, ".", color=colour, markersize=size, alpha=0.6, markeredgewidth=0)
        panel.set(xlim=(-0.6, 2.0), ylim=(-0.8, 3.5), xlabel="$g-r$", ylabel="$u-g$")
        note(panel, [f"{NAME[kind]}, r < 20"])
    axes[0, 3].plot([], [], "o", color=INK, label="SDSS DR17")
    for kind in CLASSES:
        axes[0, 3].plot([], [], "o", color=COLOUR[kind], label=f"simulated {NAME[kind]}")
    axes[0, 3].legend(loc="center")
    axes[0, 3].set_axis_off()
    edges = np.arange(0.2, 4.01, 0.2)
    for j, (panel, name) in enumerate(zip(axes[1], ("u-g", "g-r", "r-i", "i-z"), strict=True)):
        for sample, colour in ((real, INK), (mock, COLOUR["qso"])):
            mag, z = sample["qso"]["mag"], sample["qso"]["z"]
            place = np.digitize(z, edges)
            rows = [np.flatnonzero((place == k) & (mag[:, 3] < 21.4)) for k in range(1, len(edges))]
            middle = 0.5 * (edges[1:] + edges[:-1])
            value = [np.median(mag[r, j] - mag[r, j + 1]) if len(r) > 7 else np.nan for r in rows]
            panel.plot(middle, value, "o-", color=colour, markersize=2.5)
        panel.set(xlabel="$z$ of quasars", ylabel=f"${name}$")
    return png(figure)
