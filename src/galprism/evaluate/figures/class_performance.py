"""How good classes are: the confusion, and metrics by magnitude and by the threshold on the highest probability."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from galprism.data import CLASSES
from galprism.evaluate.classes.curves import by_threshold
from galprism.evaluate.classes.judge import ClassBin, ClassEntry
from galprism.evaluate.classes.metrics import ClassMetrics
from galprism.evaluate.classes.sample import CLASS_NAMES
from galprism.evaluate.classes.tables import LEAST
from galprism.evaluate.figures.labels import heading, quantity_label
from galprism.evaluate.figures.style import (
    CLASS_COLOUR,
    INK,
    Drawing,
    Look,
    legend,
    log_numbers,
    new_figure,
    png,
    styled,
)

ACROSS = 3
"""Confusions in a row."""
LEVELS = np.concatenate([np.linspace(1 / 3, 0.9, 58), 1 - 10.0 ** -np.linspace(1.05, 3.0, 40)])
TICKS = (0.4, 0.7, 0.9, 0.99, 0.999)
CURVES = {
    "precision": "precision",
    "recall": "recall of\nthose kept",
    "f1": "F1 of\nthose kept",
    "kept": "share kept",
    "completeness": "completeness",
}


@styled
def confusion(name: str, title: str, entries: Sequence[ClassEntry]) -> Drawing:
    """A panel a method: rows are what sources are, columns what they were called; of one method a second one, in per
    cent of what was called so."""
    alone = len(entries) == 1
    panels = [(entry, False) for entry in entries] + ([(entries[0], True)] if alone else [])
    figure, axes = new_figure(-(-len(panels) // ACROSS), min(len(panels), ACROSS), row_height=2.9)
    for panel in axes.ravel()[len(panels) :]:
        panel.set_axis_off()
    some = any(entry.found.not_classified for entry in entries)
    for panel, (entry, of_called) in zip(axes.ravel(), panels, strict=False):
        _confusion(panel, entry, some, of_called)
        panel.set_title(heading(entry.method) + (f", % of {'columns' if of_called else 'rows'}" if alone else ""))
    right = "; right: of those that were called so (of each column)" if alone else ""
    caption = (
        f"{entries[0].sample.describe()}. Numbers, and per cent of the sources that are of the class (of each "
        f"row){right}; shaded by the latter."
    )
    return Drawing(name, title, caption, png(figure))


def _confusion(panel: Axes, entry: ClassEntry, some_not: bool, of_called: bool) -> None:
    confusion = entry.found.confusion
    share = confusion / np.maximum(confusion.sum(axis=0 if of_called else 1, keepdims=True), 1)
    counts = confusion if some_not else confusion[:, : len(CLASSES)]
    panel.imshow(share[:, : counts.shape[1]], cmap=Look(("x",)).density("x"), vmin=0, vmax=1, aspect="auto")
    for (i, j), n in np.ndenumerate(counts):
        colour = "white" if share[i, j] > 0.5 else INK
        panel.text(j, i, f"{n:,}\n{100 * share[i, j]:.2f}%", ha="center", va="center", color=colour, fontsize=6.8)
    names = [*CLASSES, "not\nclassified"][: counts.shape[1]]
    panel.set_xticks(range(len(names)), names)
    panel.set_yticks(range(len(CLASSES)), CLASSES)
    panel.tick_params(length=0, labelsize=7)
    panel.set(xlabel="called", ylabel="is")


@styled
def by_magnitude(name: str, title: str, entries: Sequence[ClassEntry], look: Look) -> Drawing | None:
    """A column a class: precision, recall and F1 against magnitude, and how many there are. None without magnitudes."""
    if not any(b.low < np.inf for b in entries[0].bins):  # those without a magnitude are NaN
        return None
    metrics = {"precision": "precision", "recall": "recall", "f1": "F1"}
    figure, axes = new_figure(len(metrics) + 1, len(CLASSES), row_height=1.55, sharex=True)
    legend(figure, [entry.method for entry in entries], look)
    for column, of in zip(axes.T, CLASSES, strict=True):
        for panel, what in zip(column, metrics, strict=False):
            for entry in entries:
                _metric(panel, entry, of, what, look)
        same_range(column[:-1])
        _numbers(column[-1], entries[0].bins, of)
        column[0].set_title(CLASS_NAMES[of])
        column[-1].set_xlabel(quantity_label(f"mag_{entries[0].sample.band}"))
    for panel, label in zip(axes[:, 0], (*metrics.values(), "sources"), strict=True):
        panel.set_ylabel(label)
    caption = (
        f"{entries[0].sample.describe()}. In bins of magnitude, at their medians; bars are 68 % intervals of a "
        f"binomial share. Shares of fewer than {LEAST} sources, and F1 of a class with fewer, are not drawn. Below: "
        "how many sources are of the class."
    )
    return Drawing(name, title, caption, png(figure))


def same_range(panels: Sequence[Axes]) -> None:
    """Shares that may be compared, up to 1."""
    low = float(np.clip(min(panel.dataLim.y0 for panel in panels), 0.0, 0.95))  # inf where nothing is drawn
    margin = 0.06 * max(1.0 - low, 0.02)
    for panel in panels:
        panel.set_ylim(low - margin, 1.0 + margin)


def _metric(panel: Axes, entry: ClassEntry, of: str, what: str, look: Look) -> None:
    found: list[tuple[float, float, float]] = []
    for b in entry.bins:
        metrics = b.found.of(of)
        if not np.isnan(b.median) and _behind(metrics, what) >= LEAST:
            found.append((b.median, getattr(metrics, what), getattr(metrics, f"{what}_err")))
    if found:
        x, y, error = np.array(found).T
        colour = look.colour(entry.method)
        panel.plot(x, y, color=colour, linestyle=look.line(entry.method), linewidth=1.2)
        panel.errorbar(x, y, error, color=colour, fmt="o", markersize=2.5, elinewidth=0.8)


def _behind(metrics: ClassMetrics, what: str) -> int:
    """Of how many sources a share is."""
    return metrics.called if what == "precision" else metrics.n


def _numbers(panel: Axes, bins: Sequence[ClassBin], of: str) -> None:
    known = [b for b in bins if not np.isnan(b.median)]
    panel.stairs(
        [b.found.of(of).n for b in known], [*(b.low for b in known), known[-1].high], color=CLASS_COLOUR[of], fill=True
    )
    log_numbers(panel)


@styled
def thresholds(name: str, title: str, entries: Sequence[ClassEntry], look: Look) -> Drawing:
    """A column a class: what is kept above a threshold on the highest probability, and how pure and complete it is."""
    figure, axes = new_figure(len(CURVES), len(CLASSES), row_height=1.5, sharex=True)
    legend(figure, [entry.method for entry in entries], look)
    for entry in entries:
        true = entry.sample.true
        assert true is not None
        found = by_threshold(entry.sample.probability(entry.method), true, LEVELS)
        for column, curve in zip(axes.T, found, strict=True):
            for panel, key in zip(column, CURVES, strict=True):
                value = np.where(
                    (curve.n_called >= LEAST) | (key in ("kept", "completeness")), getattr(curve, key), np.nan
                )
                panel.plot(
                    LEVELS, value, color=look.colour(entry.method), linestyle=look.line(entry.method), linewidth=1.2
                )
    for panel, label in zip(axes[:, 0], CURVES.values(), strict=True):
        panel.set_ylabel(label)
    for column, of in zip(axes.T, CLASSES, strict=True):
        column[0].set_title(CLASS_NAMES[of])
        same_range(column[:3])
        for panel in column[3:]:
            panel.set_ylim(-0.03, 1.05)
        probability_axis(column[-1])
        column[-1].set_xlabel(r"threshold on $p_{\rm max}$")
    caption = (
        f"{entries[0].sample.describe()}. Only sources whose highest probability is at least the threshold are kept. "
        "Share kept is that of the sources of the class, whatever they are called; completeness is the share kept "
        f"times the recall. Nothing is drawn where fewer than {LEAST} sources are kept and called so."
    )
    return Drawing(name, title, caption, png(figure))


def probability_axis(panel: Axes) -> None:
    """From 1/3 to 0.999, drawn out towards 1."""
    panel.set_xscale("logit")
    panel.set_xlim(1 / 3, 0.9992)
    panel.xaxis.set_major_locator(FixedLocator(TICKS))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_minor_formatter(NullFormatter())
