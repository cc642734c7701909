"""A contact sheet of what was taken for something else, the surest mistakes first."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.layout_engine import ConstrainedLayoutEngine

from galprism.data import CLASSES, Cutouts
from galprism.data.cutout_file import CutoutFile
from galprism.data.cutouts import EIGHT_BIT
from galprism.data.tables.ids import match_ids
from galprism.evaluate.classes.probabilities import highest
from galprism.evaluate.classes.sample import ClassSample
from galprism.evaluate.figures.style import Drawing, new_figure, png, styled

ACROSS, DOWN = 8, 5
HEIGHT, BELOW = 1.18, 0.29
"""Inches, of a picture with its words, and of the words below."""
LEAST, BELOW_SKY = 6.0, 2.0
"""Noise levels that the scale of a picture spans at least, above and below the sky."""
SOFTENING = 3.0
"""Noise levels at which the arcsinh stretch (Lupton et al. 2004) turns from linear to logarithmic."""


@styled
def mistakes(name: str, title: str, sample: ClassSample, method: str, cutouts: Cutouts | CutoutFile) -> Drawing | None:
    """The cutouts of the surest mistakes of a method; None where it makes none that has a cutout.

    cutouts : a file, or those of `sample.matched.sources`
    """
    true, called, top = sample.true, sample.called(method), highest(sample.probability(method))
    assert true is not None
    wrong = np.flatnonzero((called >= 0) & (called != true))
    ids = sample.matched.id[sample.rows]
    if isinstance(cutouts, CutoutFile):
        place = match_ids(ids[wrong], cutouts.id).index
    else:
        row = np.flatnonzero(sample.rows)[wrong]
        place = np.where(cutouts.observed[row].any(axis=(1, 2, 3)), row, -1)
    n_wrong, wrong, place = len(wrong), wrong[place >= 0], place[place >= 0]
    if not len(wrong):
        return None
    order = np.lexsort((ids[wrong], -top[wrong]))[: ACROSS * DOWN]
    wrong, place = wrong[order], place[order]
    taken = cutouts.read(rows=place) if isinstance(cutouts, CutoutFile) else cutouts.take(place)
    rows = -(-len(wrong) // ACROSS)
    figure, axes = new_figure(rows, ACROSS, row_height=HEIGHT)
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    below = BELOW / (HEIGHT * rows)
    engine.set(w_pad=0.02, h_pad=0.0, wspace=0.04, hspace=BELOW / (HEIGHT - BELOW), rect=(0, below, 1, 1 - below))
    for panel in axes.ravel():
        panel.set_axis_off()
    for k, (panel, source) in enumerate(zip(axes.ravel(), wrong, strict=False)):
        _picture(panel, taken.take([k]))
        sure = f"{top[source]:.3f}" if top[source] < 0.9995 else ">0.999"
        lines = [f"{CLASSES[true[source]]} → {CLASSES[called[source]]}", f"p {sure}"]
        if sample.magnitude is not None and np.isfinite(sample.magnitude[source]):
            lines[1] += f", {sample.band} {sample.magnitude[source]:.1f}"
        words = panel.text(0.5, -0.04, "\n".join(lines), transform=panel.transAxes, ha="center", va="top", fontsize=6.3)
        words.set_in_layout(False)
    side = taken.shape[1] * taken.pixel_scale
    shown = f"the {len(wrong)} surest" if len(wrong) < n_wrong else "all"
    caption = (
        f"{method}, {sample.describe()}: {n_wrong:,} are called what they are not; {shown} of those with a cutout, the "
        f"surest first: what each is → what it was called, its highest probability and magnitude. {side:.3g} arcsec "
        f"across, {_colours(taken)}; each is scaled by itself, by an arcsinh. Pixels without data are red."
    )
    return Drawing(name, title, caption, png(figure))


def _colours(cutouts: Cutouts) -> str:
    bands = cutouts.bands
    if len(bands) < 3:
        return f"in {_grey(cutouts)}"
    return f"{bands[0]}, {bands[len(bands) // 2]} and {bands[-1]} as blue, green and red"


def _grey(cutouts: Cutouts) -> str:
    return "r" if "r" in cutouts.bands else cutouts.bands[0]


def _picture(panel: Axes, one: Cutouts) -> None:
    bands, picture = one.bands, one.unit == EIGHT_BIT
    colour = len(bands) >= 3
    picked = [len(bands) - 1, len(bands) // 2, 0] if colour else [bands.index(_grey(one))]
    layers, observed = one.flux[0, picked].astype(float), one.observed[0, picked]
    scaled = layers / 255.0 if picture else _stretched(layers, one.ivar[0, picked], observed)
    if not colour:
        scaled = np.repeat(1.0 - scaled, 3, axis=0)  # dark on light, as plates are
    image = np.moveaxis(np.clip(scaled, 0.0, 1.0), 0, -1)
    image[~observed.all(axis=0)] = (0.75, 0.2, 0.15)
    panel.imshow(image, origin="lower", interpolation="nearest")


def _stretched(layers: np.ndarray, ivar: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """(L, H, W) from 0 at two noise levels below the sky to 1 at the brightest pixel of any layer, or LEAST of them
    above it where nothing is brighter."""
    noise = np.array([np.median(1 / np.sqrt(w[o])) if o.any() else 1.0 for w, o in zip(ivar, observed, strict=True)])
    signal = np.where(observed, layers, 0.0) / (SOFTENING * noise[:, None, None])
    value = np.arcsinh(signal) + np.arcsinh(BELOW_SKY / SOFTENING)
    return value / max(value.max(), np.arcsinh(LEAST / SOFTENING) + np.arcsinh(BELOW_SKY / SOFTENING))
