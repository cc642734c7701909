"""Figures of `spectroscopic_redshift.py`."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from galprism.data import Spectra
from galprism.evaluate.figures.style import CLASS_COLOUR, INK, new_figure, note, png, styled
from galprism.infer import Density

NAMES = {"galaxy": "galaxies", "qso": "quasars", "star": "stars"}
RIGHT = 0.005


@styled
def simulated(found, edges: tuple[float, ...]) -> bytes:
    """Shares of right and of sure redshifts by S/N, and the pulls of those that are sure."""
    figure, (axes,) = new_figure(1, 3, row_height=2.5)
    middle = np.array([0.7, 1.4, 2.8, 5.6, 14.0])
    for name, colour in CLASS_COLOUR.items():
        for panel, what in ((axes[0], found.right), (axes[1], found.sure)):
            shares = []
            for low, high in pairwise(edges):
                own = (found.kind == name) & (found.sn >= low) & (found.sn < high)
                shares.append(what[own].mean() if own.sum() >= 5 else np.nan)
            panel.plot(middle, shares, "o-", color=colour, markersize=3.5, label=NAMES[name])
        pull = found.pull[(found.kind == name) & found.sure & found.right]
        axes[2].hist(pull, np.linspace(-4, 4, 25), density=True, histtype="step", color=colour)
    x = np.linspace(-4, 4, 200)
    axes[2].plot(x, np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi), color=INK, linewidth=0.8, linestyle=":")
    for panel, title in zip(axes, ("right", "not flagged", "pulls of those not flagged"), strict=True):
        panel.set(title=title)
    for panel in axes[:2]:
        panel.set(xscale="log", ylim=(0, 1.05), xlabel="S/N of a pixel", xticks=[0.5, 1, 2, 4, 8, 16])
        panel.set_xticklabels(["0.5", "1", "2", "4", "8", "16"])
        panel.minorticks_off()
    axes[0].set(ylabel="share of spectra")
    axes[2].set(xlabel="(z − true) / error", ylabel="density")
    axes[0].legend(frameon=False, loc="lower right", fontsize=7)
    return png(figure)


@styled
def real(found, warned: np.ndarray) -> bytes:
    """Redshifts against SDSS's, and how far they are from them by S/N."""
    figure, (axes,) = new_figure(1, 2, row_height=3.2)
    for name, colour in CLASS_COLOUR.items():
        for sure in (True, False):
            own = (found.kind == name) & ~warned & (found.sure == sure)
            face = colour if sure else "white"
            how = {"markersize": 4.5, "color": colour, "markerfacecolor": face, "linestyle": ""}
            label = NAMES[name] if sure else None
            axes[0].plot(1 + found.z[own], 1 + found.found[own], "o", label=label, **how)
            off = np.maximum(np.abs(found.off[own]), 1e-6)
            axes[1].plot(np.maximum(found.sn[own], 0.2), off, "o", **how)
    ticks = [1, 1.5, 2, 3, 4, 5]
    line = np.array([0.97, 5.2])
    axes[0].plot(line, line, color=INK, linewidth=0.6, zorder=0)
    axes[0].set(xscale="log", yscale="log", xlabel="1 + z of SDSS", ylabel="1 + z", xlim=line, ylim=line)
    axes[0].set(xticks=ticks, yticks=ticks)
    axes[0].set_xticklabels(map(str, ticks))
    axes[0].set_yticklabels(map(str, ticks))
    axes[0].minorticks_off()
    axes[0].legend(frameon=False, loc="upper left", fontsize=7)
    note(axes[0], ["open: flagged"], place="lower right")
    axes[1].axhline(RIGHT, color=INK, linewidth=0.7, linestyle=":")
    axes[1].set(xscale="log", yscale="log", xlabel="S/N of a pixel", ylabel="|Δz| / (1 + z)", ylim=(5e-7, 1))
    return png(figure)


@styled
def example(spectra: Spectra, density: Density, true: float) -> bytes:
    """A spectrum and the posterior of its redshift."""
    figure, axes = new_figure(2, 1, row_height=1.9)
    (top,), (bottom,) = axes
    smooth = spectra.flux[0, : len(spectra.wave) // 12 * 12].reshape(-1, 12).mean(axis=1)
    top.plot(spectra.wave[: len(smooth) * 12].reshape(-1, 12).mean(axis=1), smooth, color=INK, linewidth=0.6)
    top.set(xlabel="wavelength [Å]", ylabel="flux", ylim=np.percentile(smooth, [0.5, 99.5]) * [0.7, 1.4])
    p = np.maximum(density.probability[0], 1e-12)
    bottom.semilogy(density.redshift, p, color=CLASS_COLOUR["galaxy"], linewidth=0.8)
    bottom.axvline(true, color=INK, linewidth=0.7, linestyle=":")
    bottom.set(xlabel="redshift", ylabel="probability in a cell", ylim=(1e-9, 2), xlim=(-0.05, 5.3))
    return png(figure)
