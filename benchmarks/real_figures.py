"""Figures of `real_galaxies.py`."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MultipleLocator
from scipy import stats

from galprism.evaluate.figures.style import (
    CYCLE,
    INK,
    OUTLINE,
    Look,
    axis_label,
    density,
    difference_label,
    new_figure,
    note,
    png,
    quantity_label,
    running,
    span,
    styled,
    symbol,
)
from galprism.evaluate.metrics import point_metrics
from real_samples import Kids, Sdss

PARAMETERS = ("logmstar", "logsfr")
BLUE, RED = CYCLE[0], CYCLE[1]
GREY = "#8a8a8a"


def _two(kids: Kids) -> tuple[tuple[np.ndarray, dict, str], ...]:
    """Rows, how they are drawn, and what they are called: coarse ones first, so that the others lie on top."""
    return (
        (kids.coarse, {"color": GREY, "mfc": "white", "alpha": 0.9}, "LOW_SAMPLE_SIZE"),
        (kids.clean, {"color": BLUE, "alpha": 0.8}, "unflagged"),
    )


def _bars(axes: Axes, x, y, xerr, yerr, look: dict, label: str) -> None:
    axes.errorbar(x, y, yerr=yerr, xerr=xerr, fmt="none", ecolor=look["color"], elinewidth=0.6, alpha=0.28, zorder=2)
    axes.plot(x, y, "o", markersize=3.2, markeredgewidth=0.7, label=f"{label} ({len(x)})", zorder=3, **look)


def _spread(d: np.ndarray) -> list[str]:
    m = point_metrics(d, np.zeros_like(d))
    return [f"n = {m.n}", f"std = {m.sigma:.3f} dex", f"$\\sigma_{{\\rm NMAD}}$ = {m.sigma_nmad:.3f} dex"]


@styled
def kids_agreement(kids: Kids) -> bytes:
    """Network against posterior mean, a panel a parameter, bars from the 16th to the 84th percentile of each."""
    figure, axes = new_figure(1, 2, row_height=3.4)
    for panel, parameter in zip(axes[0], PARAMETERS, strict=True):
        x, y = kids.posterior.column(parameter), kids.network.column(parameter)
        drawn = kids.clean | kids.coarse
        limits = span(x[drawn], y[drawn], keep=100)
        panel.plot(limits, limits, color=INK, linewidth=0.9, linestyle="--", zorder=1)
        for rows, look, label in _two(kids):
            _bars(panel, x[rows], y[rows], _arms(kids.posterior, parameter, x, rows),
                  _arms(kids.network, parameter, y, rows), look, label)  # fmt: skip
        panel.set(xlim=limits, ylim=limits, aspect="equal")
        note(panel, _spread(kids.difference(parameter)[kids.clean]))
        panel.set_xlabel(axis_label(parameter, "exact posterior"))
        panel.set_ylabel(axis_label(parameter, "network"))
    axes[0, 0].legend(loc="lower right", handletextpad=0.2)
    return png(figure)


def _arms(who, parameter: str, centre: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(2, n), the distances from the point down and up to the 16th and 84th percentiles, none below zero."""
    low, high = who.quantile(parameter, 0.16), who.quantile(parameter, 0.84)
    return np.maximum(np.stack([centre - low, high - centre])[:, rows], 0.0)


@styled
def kids_redshift(kids: Kids) -> bytes:
    """Network minus posterior mean against redshift; the bars are the posterior's own 68 %."""
    figure, axes = new_figure(2, 1, row_height=2.35, sharex=True)
    z = kids.sources.redshift
    for panel, parameter in zip(axes[:, 0], PARAMETERS, strict=True):
        d, width = kids.difference(parameter), kids.width(kids.posterior, parameter)
        for rows, look, label in _two(kids):
            _bars(panel, z[rows], d[rows], None, width[rows], look, label)
        panel.axhline(0, color=INK, linewidth=0.9, linestyle="--", zorder=1)
        middle, percentiles = running(z[kids.clean], d[kids.clean])
        if len(middle):
            panel.plot(middle, percentiles[:, 1], "-", color=RED, linewidth=1.8, path_effects=OUTLINE, zorder=4,
                       label="median, unflagged")  # fmt: skip
        drawn = kids.clean | kids.coarse
        half = 1.25 * np.abs(d[drawn]).max()
        panel.set(ylim=(-half, half), xlim=span(z[drawn], keep=100))
        panel.set_ylabel(difference_label(parameter, "network", "posterior"))
    axes[0, 0].legend(loc="upper right", ncols=3, handletextpad=0.3, columnspacing=1.2)
    axes[1, 0].set_xlabel(quantity_label("redshift"))
    return png(figure)


@styled
def kids_fit(kids: Kids) -> bytes:
    """How well the models fit, how far the network is from the posterior in its widths, and residuals by band."""
    figure, axes = new_figure(1, 3, row_height=2.9)
    left, middle, right = axes[0]
    fitted = kids.clean | kids.coarse
    chi2 = kids.posterior.extra["reduced_chi2"]
    chi2 = chi2[np.isfinite(chi2)]
    borders = np.arange(0, 6.01, 0.4)
    left.hist(np.minimum(chi2, borders[-1] - 0.01), bins=borders, color=BLUE, alpha=0.75)
    n_free = len(kids.sources.photometry.bands) - 1
    middle.set_ylabel("unflagged galaxies")
    at = np.linspace(0.01, borders[-1], 300)
    for dof, line in ((n_free, "--"), (n_free - 4, ":")):
        expected = stats.chi2.pdf(at * n_free, dof) * n_free * len(chi2) * 0.4
        left.plot(at, expected, line, color=INK, linewidth=1.1, label=rf"$\chi^2$ of {dof} d.o.f.")
    beyond = int((chi2 > borders[-1]).sum())
    left.set(xlabel=rf"$\chi^2_{{\rm best}}\,/\,{n_free}$", ylabel="galaxies", xlim=(0, borders[-1]))
    left.legend(loc="upper right", handlelength=1.8)
    left.text(0.96, 0.66, f"median {np.median(chi2):.2f}\n{beyond} beyond {borders[-1]:.0f},\nin the last bin",
              transform=left.transAxes, ha="right", va="top", fontsize=7.5, linespacing=1.35)  # fmt: skip

    bins = np.arange(-2.05, 2.06, 0.1)
    for parameter, colour in zip(PARAMETERS, (BLUE, RED), strict=True):
        pull = (kids.difference(parameter) / kids.width(kids.posterior, parameter))[kids.clean]
        middle.hist(np.clip(pull, bins[0], bins[-1]), bins=bins, histtype="step", linewidth=1.5, color=colour,
                    label=f"{symbol(parameter)}: {100 * np.mean(np.abs(pull) > 1):.0f}% beyond 1")  # fmt: skip
    middle.axvline(0, ymax=0.8, color=INK, linewidth=0.8, linestyle="--", zorder=0)
    middle.set(xlabel="(network − posterior) /\nhalf-width of the posterior's 68%", xlim=(bins[0], bins[-1]))
    middle.set_ylim(0, 1.2 * middle.get_ylim()[1])
    middle.legend(loc="upper left", handlelength=1.2)

    low, median, high = np.nanpercentile(kids.residual[fitted], [16, 50, 84], axis=0)
    place = np.arange(len(median))
    expected = np.nanmedian(kids.residual_err[fitted], axis=0)
    right.bar(place, 2 * expected, bottom=-expected, width=0.8, color=GREY, alpha=0.25, label="median error ±1σ")
    right.errorbar(place, median, yerr=[median - low, high - median], fmt="o", color=BLUE, markersize=4,
                   elinewidth=1.2, label="median, 16–84%")  # fmt: skip
    right.axhline(0, color=INK, linewidth=0.8, linestyle="--", zorder=0)
    right.set_xticks(place, kids.sources.photometry.bands)
    right.tick_params(axis="x", which="both", length=0)
    right.set(ylabel="observed − best model [mag]", ylim=(-0.5, 0.62))
    right.legend(loc="upper right", handlelength=1.4)
    return png(figure)


@styled
def sdss_mass(sdss: Sdss) -> bytes:
    """Network against the published masses, and the difference against redshift and colour."""
    figure, axes = new_figure(1, 3, row_height=2.75)
    look = Look(("network",))
    rows = sdss.clean
    published, d = sdss.published[rows], sdss.difference[rows]
    offset = float(np.median(d))
    network = sdss.network.column("logmstar")[rows]
    left = axes[0, 0]
    limits = span(published, network)
    left.set(xlim=limits, ylim=limits, aspect="equal")
    density(left, published, network, look, "network", bins=60)
    left.plot(limits, limits, color=INK, linewidth=0.9, linestyle="--")
    left.plot(limits, np.add(limits, offset), color=RED, linewidth=1.0)
    for axis in (left.xaxis, left.yaxis):
        axis.set_major_locator(MultipleLocator(1.0))
    note(left, [f"n = {rows.sum():,}", f"offset {offset:+.3f} dex", *_spread(d)[1:]])
    left.set(xlabel=axis_label("logmstar", "published"), ylabel=axis_label("logmstar", "network"))
    for panel, x, label in (
        (axes[0, 1], sdss.sources.redshift[rows], quantity_label("redshift")),
        (axes[0, 2], sdss.colour[rows], r"$g - r$ [AB mag]"),
    ):
        panel.set(xlim=span(x, keep=99.5), ylim=(offset - 0.5, offset + 0.5))
        density(panel, x, d, look, "network", bins=60)
        panel.axhline(offset, color=RED, linewidth=1.2, path_effects=OUTLINE)
        middle, percentiles = running(x, d)
        low, median, high = percentiles.T
        panel.vlines(middle, low, high, color=INK, linewidth=1.1, path_effects=OUTLINE, zorder=3)
        panel.plot(middle, median, "o-", color=INK, linewidth=1.1, markersize=3.8, markerfacecolor="white",
                   path_effects=OUTLINE, zorder=4)  # fmt: skip
        panel.set(xlabel=label)
        panel.set_ylabel(difference_label("logmstar", "network", "published"))
    return png(figure)
