"""Figures of networks of pictures and spectra, as MMLforGalAM draws them (2025): its Figs. 13 and 16."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from galprism.evaluate.figures.labels import symbol, unit
from galprism.evaluate.figures.style import INK, Drawing, Look, legend, new_figure, png, styled


@styled
def by_signal(
    methods: Mapping[str, Sequence[Mapping[str, Any]]],
    labels: Mapping[str, Any],
    edges: Sequence[float],
    parameters: Sequence[str],
    look: Look,
) -> Drawing:
    """Scatter of each method by S/N, and that of a label when its noise is drawn again; methods : one entry a bin, with
    `sd` of each parameter; labels : `scatter`, likewise; edges : lower ends of the bins, the last of which is open."""
    figure, axes = new_figure(1, len(parameters), row_height=3.4)
    middle = np.append(0.5 * (np.array(edges[1:]) + np.array(edges[:-1])), edges[-1] + 0.5 * (edges[-1] - edges[-2]))
    for j, (panel, parameter) in enumerate(zip(axes[0], parameters, strict=True)):
        for method, found in methods.items():
            values = [entry["sd"][j] for entry in found]
            panel.plot(middle, values, "o", color=look.colour(method), linestyle=look.line(method), markersize=3)
        scatter = [entry[j] for entry in labels["scatter"]]
        panel.plot(middle, scatter, color=INK, linestyle=":", linewidth=1.2, label="a fit's own scatter")
        panel.set(xlabel="S/N of a pixel in r", ylabel=f"SD of {symbol(parameter)} [{unit(parameter)}]")
        panel.set_ylim(0, 1.15 * panel.get_ylim()[1])  # room for the legend
        panel.legend(fontsize=7, loc="upper right")
    legend(figure, list(methods), look)
    caption = (
        "Standard deviation of predicted less true by the spectrum's S/N, in bins from "
        f"{', '.join(f'{edge:g}' for edge in edges)}; the last one is open. Dotted: how much a full-spectrum fit "
        f"scatters when the noise is drawn again (median; {labels['n']} galaxies)."
    )
    return Drawing("by_signal", "By signal to noise (Fig. 16)", caption, png(figure))


@styled
def some_features(real: np.ndarray, simulated: np.ndarray) -> Drawing:
    """Features (F,) of one galaxy, of its spectrum and as simulated from its picture, and how they differ."""
    figure, axes = new_figure(2, 1, row_height=1.8, sharex=True)
    low, high = real.min(), real.max()
    scale = 1.0 / (high - low) if high > low else 1.0
    one, two = ((values - low) * scale for values in (real, simulated))
    spread = np.sum((one - one.mean()) ** 2)
    r2 = f"{1.0 - np.sum((two - one) ** 2) / spread:.3f}" if spread > 0 else "not told, for they are all one value"
    axes[0, 0].plot(one, color="#4477aa", linewidth=0.6, label="of the spectrum (M1)")
    axes[0, 0].plot(two, color="#cc3311", linewidth=0.6, alpha=0.7, label="simulated from the picture (M2)")
    axes[0, 0].legend(fontsize=7, loc="upper right")
    axes[0, 0].set_ylabel("feature, scaled")
    axes[1, 0].plot(two - one, color=INK, linewidth=0.6)
    axes[1, 0].set(xlabel="number of the feature", ylabel="difference")
    caption = f"Spectral features of the first test galaxy, scaled to 0 to 1 by the real ones; R2 = {r2}."
    return Drawing("features", "Simulated and real features (Fig. 13)", caption, png(figure))
