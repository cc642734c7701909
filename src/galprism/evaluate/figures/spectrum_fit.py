"""One spectrum with what was fitted to it: data and model, residuals, masked pixels, and where the light comes from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from galprism.evaluate.figures.style import CYCLE, INK, WIDTH, Drawing, note, png, styled

PALE = "#F3DFC1"
"""Behind what was not fitted."""
DATA = "0.55"
HEIGHT = 4.6
"""Inches."""
TOP = 99.8
"""Per cent of the pixels below the upper end of the frame: emission lines may leave it."""


@styled
def spectrum_fit(
    name: str,
    title: str,
    wave: np.ndarray,
    flux: np.ndarray,
    ivar: np.ndarray,
    model: np.ndarray,
    used: np.ndarray,
    ages: np.ndarray,
    logzsol: np.ndarray,
    light: np.ndarray,
    lines: Sequence[str] = (),
) -> Drawing:
    """The figure of one fit.

    wave : (L,), Angstrom at rest in vacuum; flux, ivar : (L,), ivar = 0 without data; model : (L,), NaN outside of what
        was fitted; used : (L,), bool, the pixel was fitted
    ages, logzsol, light : (T,) Gyr, (M,), and the shares of the light (M, T)
    lines : what is said of the fit, in the corner of the light
    """
    there = np.isfinite(model)
    part = slice(*np.flatnonzero(there)[[0, -1]] + (0, 1))
    wave, used, unit = wave[part], used[part], float(np.nanmedian(model))
    data = np.where(ivar[part] > 0, flux[part], np.nan) / unit
    fitted = model[part] / unit
    error = 1 / np.sqrt(np.where(used & (ivar[part] > 0), ivar[part], np.nan)) / unit
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(3, 2, height_ratios=(2.2, 1.0, 1.5), width_ratios=(1.9, 1.0))
    above, below = figure.add_subplot(grid[0, :]), figure.add_subplot(grid[1, :])
    above.sharex(below)
    high = max(np.nanpercentile(data, TOP), fitted.max())
    low = min(np.nanpercentile(data, 100 - TOP), fitted.min())
    above.set_ylim(low - 0.08 * (high - low), high + 0.08 * (high - low))
    above.plot(wave, data, color=DATA, linewidth=0.6, label="spectrum")
    above.plot(wave, fitted, color=CYCLE[1], linewidth=0.9, label="model")
    residual = np.where(used, data - fitted, np.nan)
    reach = 1.15 * max(np.nanpercentile(np.abs(residual), 99.5), 1e-3)
    below.set_ylim(-reach, reach)
    below.plot(wave, residual, color=CYCLE[0], linewidth=0.5)
    for sign in (-1, 1):
        below.plot(wave, sign * error, color=INK, linewidth=0.5)
    for panel in (above, below):
        panel.set_xlim(wave[0], wave[-1])
        panel.fill_between(
            wave,
            0,
            1,
            where=~used,
            color=PALE,
            linewidth=0,
            step="mid",
            zorder=0,
            transform=panel.get_xaxis_transform(),
        )
    above.tick_params(labelbottom=False)
    above.set_ylabel("flux / median")
    above.legend(loc="upper right", ncols=2)
    below.set_ylabel("residual")
    below.set_xlabel("wavelength at rest [Å, vacuum]")
    _light(figure, figure.add_subplot(grid[2, 0]), ages, logzsol, light)
    words = figure.add_subplot(grid[2, 1])
    words.set_axis_off()
    note(words, lines)
    figure.suptitle(title, fontsize=9)
    caption = (
        "Above: spectrum and model, over the model's median. Middle: spectrum less model where it was fitted, between "
        "the errors as stated (dark lines); masked, clipped and missing pixels are pale. Below: shares of the light at "
        "5500 Å, by age and metallicity."
    )
    return Drawing(name, title, caption, png(figure))


def _light(figure: Figure, panel: Axes, ages: np.ndarray, logzsol: np.ndarray, light: np.ndarray) -> None:
    """A cell a template, named by its age and its metallicity."""
    shown = panel.imshow(light, origin="lower", aspect="auto", cmap="Blues", vmin=0, vmax=max(light.max(), 1e-6))
    figure.colorbar(shown, ax=panel, pad=0.015).set_label("share of light", fontsize=8)
    every = max(1, -(-len(ages) // 10))
    panel.set_xticks(np.arange(len(ages))[::every], [f"{age:.2g}" for age in ages[::every]], fontsize=7)
    panel.set_yticks(np.arange(len(logzsol)), [f"{z:.2f}".replace("-", "−") for z in logzsol], fontsize=7)
    panel.tick_params(length=0)
    panel.set_xlabel("age [Gyr]")
    panel.set_ylabel("[M/H]")
