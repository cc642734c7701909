"""Figures of `galaxy_redshift.py`."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from galaxy_redshift_samples import Mocks, Real, founded
from galprism.evaluate.figures.style import INK, Look, density, legend, new_figure, note, png, styled
from galprism.evaluate.redshifts import CATASTROPHIC, errors, redshift_metrics
from sdss_redshift_figures import PIT_BINS, pit_bins, stored

MEDIAN = 2
"""Place among the levels."""
WHAT = "photometry and image"


def _plane(panel: Axes, true: np.ndarray, point: np.ndarray, most: float, look: Look, method: str) -> None:
    frame = np.array([0.0, most])
    panel.set(xlim=frame, ylim=frame, xlabel="$z$", ylabel="median of the posterior")
    density(panel, true, point, look, method, bins=70)
    panel.plot(frame, frame, color=INK, linewidth=0.7)
    for sign in (-1, 1):
        panel.plot(frame, frame + sign * CATASTROPHIC * (1 + frame), color=INK, linewidth=0.7, linestyle=":")
    found = redshift_metrics(errors(point, true))
    note(panel, [f"σ_NMAD {found.sigma_nmad:.4f}", f"outliers {100 * found.outliers:.1f}%"])


@styled
def planes(result: Mocks) -> bytes:
    """What the network says of simulated galaxies, range by range, from photometry above and with images below."""
    ranges = list(zip(result.edges[:-1], result.edges[1:], strict=True))
    rows = ("photometry", WHAT)
    look = Look(rows)
    figure, axes = new_figure(2, len(ranges), row_height=2.2)
    for across, what in zip(axes, rows, strict=True):
        for panel, (low, high) in zip(across, ranges, strict=True):
            own = (result.magnitude > low) & (result.magnitude < high)
            point = result.network[what].quantiles[own, MEDIAN]
            most = min(1.2, 1.15 * max(np.quantile(result.true[own], 0.999), np.quantile(point, 0.999)))
            _plane(panel, result.true[own], point, most, look, what)
            panel.set(title=f"{low:g} < r < {high:g}")
            if panel is not across[0]:
                panel.set(ylabel="")
    legend(figure, rows, look)
    return stored(png(figure))


@styled
def pits(result: Mocks) -> bytes:
    """Where true redshifts lie in the posteriors."""
    said = {f"network, {what}": one.pit for what, one in result.network.items()}
    exact = "exact posterior of the photometry"
    said[exact] = result.exact.pit[founded(result.exact)]
    look = Look(tuple(said), limit=exact)
    figure, (axes,) = new_figure(1, len(said), row_height=2.3, sharey=True)
    for panel, (name, pit) in zip(axes, said.items(), strict=True):
        share, band = pit_bins(pit)
        panel.axhspan(1 - band, 1 + band, color="#bbbbbb", alpha=0.5, linewidth=0)
        panel.axhline(1, color=INK, linewidth=0.7)
        panel.stairs(share, np.linspace(0, 1, PIT_BINS + 1), color=look.colour(name), linewidth=1.5)
        panel.set(xlim=(0, 1), ylim=(0, 2.0), xlabel="PIT")
        panel.set_title(name.replace(", ", ",\n").replace(" of the", "\nof the"), fontsize=8)
    axes[0].set(ylabel="density")
    return stored(png(figure))


@styled
def of_real(result: Real) -> bytes:
    """BOSS's galaxies: what the network says of them, beside `sdss-redshift`, and the PIT."""
    said = {"galaxy-redshift": (result.network.quantiles[:, MEDIAN], result.network.pit)}
    if result.learned is not None:
        said["sdss-redshift"] = (result.learned["quantiles"][:, MEDIAN], result.learned["pit"])
    look = Look(tuple(said))
    figure, (axes,) = new_figure(1, len(said) + 1, row_height=2.75)
    for panel, (method, (point, _)) in zip(axes, said.items(), strict=False):
        _plane(panel, result.true, point, 0.9, look, method)
        panel.set(title=method, xlabel="$z_{\\rm spec}$")
    for method, (_, pit) in said.items():
        share, _ = pit_bins(pit)
        axes[-1].stairs(
            share, np.linspace(0, 1, PIT_BINS + 1), color=look.colour(method), linestyle=look.line(method), label=method
        )
    axes[-1].axhline(1, color=INK, linewidth=0.7)
    axes[-1].set(xlim=(0, 1), ylim=(0, None), xlabel="PIT", ylabel="density")
    axes[-1].legend(loc="upper center", fontsize=7)
    return stored(png(figure))
