"""Maps of embeddings, coloured by numbers and by kinds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from galprism.evaluate.figures.style import CYCLE, Drawing, new_figure, png, styled

DOT = 3.0
KEEP = (1.0, 99.0)
"""Per cent of the values that the colours reach over."""


@styled
def embedding_maps(
    name: str, title: str, places: Mapping[str, np.ndarray], values: Mapping[str, np.ndarray], caption: str
) -> Drawing:
    """A row a map, a column a colouring.

    places : (N, 2) of each map, by its name; values : (N,) by the label of what they are; numbers, or words, which are
    kinds.
    """
    figure, axes = new_figure(len(places), len(values), row_height=2.0)
    for i, (method, points) in enumerate(places.items()):
        for panel, (label, value) in zip(axes[i], values.items(), strict=True):
            if value.dtype.kind in "fiu":
                _numbers(figure, panel, points, value)
            else:
                _kinds(panel, points, value)
            panel.set(xticks=[], yticks=[])  # the axes of such a map mean nothing
            if not i:
                panel.set_title(label)
        axes[i][0].set_ylabel(method)
    return Drawing(name, title, caption, png(figure))


def _numbers(figure: Figure, panel: Axes, points: np.ndarray, value: np.ndarray) -> None:
    good = np.isfinite(value)
    x, y = points[good].T
    low, high = np.percentile(value[good], KEEP) if good.any() else (0.0, 1.0)
    dots = panel.scatter(x, y, c=value[good], s=DOT, cmap="viridis", vmin=low, vmax=high, linewidths=0)
    figure.colorbar(dots, ax=panel, location="bottom", pad=0.02, aspect=24).ax.tick_params(labelsize=6)


def _kinds(panel: Axes, points: np.ndarray, value: np.ndarray) -> None:
    for k, kind in enumerate(np.unique(value)):
        x, y = points[value == kind].T
        panel.scatter(x, y, color=CYCLE[k % len(CYCLE)], s=DOT, linewidths=0, label=str(kind))
    panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.02), fontsize=6.5, markerscale=2.5, handletextpad=0.1)
