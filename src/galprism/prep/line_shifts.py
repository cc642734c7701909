"""Whether the lines of spectra stand where their redshifts put them, or where wavelengths in air would.

Around each strong line a straight continuum and the line, of free strength and either sign, are fitted at every shift:
a cross-correlation in which the continuum has no say. Lines that are found well give a shift each, of which the
weighted median is taken: gas and stars of one galaxy differ by tens of km/s.

Wavelengths in air that are given as vacuum are short by 1.4 Angstrom at 5000 and 2.5 at 9000, so that every line is
shifted by -(n - 1) c, -81 to -84 km/s. Only a redshift from elsewhere tells: one measured on the same wrong wavelengths
has taken the shift in. Redshifts of quasars are often off by as much as air is, whatever their stated errors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from galprism.data import Sources, Spectra
from galprism.data.blocks import check_shape
from galprism.data.rest_frame import rest_from_observed
from galprism.data.spectra import pixel_edges
from galprism.flags import Flag
from galprism.medium import refractive_index

LIGHT_SPEED = 299792.458
"""km/s."""


@dataclass(frozen=True)
class Lines:
    """Lines that are fitted together: groups of free strength, within each of which strengths are in fixed ratios."""

    name: str
    groups: tuple[tuple[tuple[float, float], ...], ...]
    """Of each group its lines: Angstrom at rest in vacuum, and strength."""


LINES = (
    Lines("[O II]", (((3727.092, 1.0), (3729.875, 1.0)),)),
    Lines("Ca K", (((3934.777, 1.0),),)),
    Lines("H delta", (((4102.892, 1.0),),)),
    Lines("H gamma", (((4341.684, 1.0),),)),
    Lines("H beta", (((4862.683, 1.0),),)),
    Lines("[O III]", (((4960.295, 1.0),), ((5008.240, 1.0),))),
    Lines("Na D", (((5891.583, 1.0), (5897.558, 1.0)),)),
    Lines("H alpha, [N II]", (((6564.614, 1.0),), ((6549.859, 1.0), (6585.268, 3.0)))),
    Lines("[S II]", (((6718.295, 1.0),), ((6732.674, 1.0),))),
    Lines("Ca II 8500", (((8500.36, 1.0),),)),
    Lines("Ca II 8544", (((8544.44, 1.0),),)),
    Lines("Ca II 8664", (((8664.52, 1.0),),)),
)
"""Vacuum wavelengths of SDSS's table of lines (https://classic.sdss.org/dr7/algorithms/linestable.php)."""
REACH = 1500.0
"""km/s, to either side of the lines, of what is fitted."""
SHIFTS = np.arange(-400.0, 401.0, 10.0)
"""km/s, that are tried."""
WIDTHS = (90.0, 150.0, 250.0)
"""km/s, standard deviations that are tried, the line-spread function's counted in."""
LEAST_GAIN = 30.0
"""Of chi2 by a line, with which it counts as found."""
LINE_ERROR = 20.0
"""km/s, by which well-found lines of one source differ: blends, gas and stars; added in quadrature to each."""
FEWEST = 2
"""Lines, or groups of them, with which a source has a shift."""
CERTAIN = 2.0
"""Standard errors from halfway between air and vacuum at which an answer is given."""


def line_shifts(spectra: Spectra, redshift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shift and its error (N,), km/s, of the lines of N spectra from where vacuum wavelengths at `redshift` (N,) have
    them; NaN where no line is found, or the redshift is not known."""
    redshift = np.asarray(redshift, np.float64)
    check_shape("line_shifts", "redshift", redshift, (len(spectra),))
    shift, error = np.full((2, len(spectra)), np.nan)
    for row in np.flatnonzero(np.isfinite(redshift)):
        rest = rest_from_observed(spectra.wave, redshift[row])
        found = [f for lines in LINES if (f := _shift(rest, spectra.flux[row], spectra.ivar[row], lines)) is not None]
        if len(found) < FEWEST:
            continue
        values, errors = np.array(found).T
        weight = 1.0 / (errors**2 + LINE_ERROR**2)
        shift[row] = _median(values, weight)
        scatter = np.sum(weight * (values - shift[row]) ** 2) / (len(values) - 1)
        error[row] = np.sqrt(max(scatter, 1.0) / weight.sum())
    return shift, error


def looks_like_air(spectra: Spectra, redshift: np.ndarray) -> list[bool | None]:
    """Of N spectra: True where lines stand where wavelengths in air have them, False where vacuum has them.

    None where lines do not tell: too faint, too few, or no redshift; or where neither fits, and the redshift is wrong.

    redshift : (N,), heliocentric as the wavelengths are, not measured on these wavelengths
    """
    shift, error = line_shifts(spectra, redshift)
    in_air = -LIGHT_SPEED * (refractive_index(5500.0) - 1.0)
    answers: list[bool | None] = []
    for v, e in zip(shift, error, strict=True):
        side = (v - in_air / 2) / e
        off = min(abs(v), abs(v - in_air)) / e
        certain = abs(side) > CERTAIN and off < -in_air / 2 / e and off < 2 * CERTAIN
        answers.append(bool(side < 0) if certain else None)
    return answers


def flag_air(sources: Sources, asked: np.ndarray | None = None) -> Sources:
    """The sources, flagged LOOKS_LIKE_AIR where looks_like_air says so; without spectra or redshifts, as they are.

    asked : (N,), bool, sources that are asked about; None for all. Those flagged NOT_A_GALAXY are not, for redshifts of
        quasars are off by as much.
    """
    if sources.spectra is None or sources.redshift is None:
        return sources
    assert sources.flags is not None
    galaxies = sources.flags & np.uint32(Flag.NOT_A_GALAXY) == 0
    asked = galaxies if asked is None else galaxies & asked
    answers = looks_like_air(sources.spectra, np.where(asked, sources.redshift, np.nan))
    return sources.flagged(Flag.LOOKS_LIKE_AIR, np.array([answer is True for answer in answers], bool))


def _median(values: np.ndarray, weight: np.ndarray) -> float:
    """Weighted: where half of the weight lies to either side, between values by interpolation."""
    order = np.argsort(values)
    share = (np.cumsum(weight[order]) - weight[order] / 2) / weight.sum()
    return float(np.interp(0.5, share, values[order]))


def _shift(rest: np.ndarray, flux: np.ndarray, ivar: np.ndarray, lines: Lines) -> tuple[float, float] | None:
    """Shift and error, km/s, by lines; None where they are not found, or not away from the edges of what is tried."""
    places = [wave for group in lines.groups for wave, _ in group]
    low, high = min(places) * (1 - REACH / LIGHT_SPEED), max(places) * (1 + REACH / LIGHT_SPEED)
    inside = (rest > low) & (rest < high)
    there = inside & (ivar > 0)
    if rest[0] > low or rest[-1] < high or there.sum() < 0.8 * inside.sum() or there.sum() < 8:
        return None
    wave, root = rest[there], np.sqrt(ivar[there], dtype=np.float64)
    line = (wave - wave.mean()) / np.ptp(wave)
    target = flux[there] * root
    continuum = np.stack([np.ones(len(wave)), line]) * root
    base, _, _, _ = np.linalg.lstsq(continuum.T, target, rcond=None)
    flat = np.sum((target - base @ continuum) ** 2)
    widths = np.diff(pixel_edges(rest))[there]
    chi2 = np.array([_chi2(wave, widths, root, target, continuum, lines, sigma) for sigma in WIDTHS])
    best = chi2[np.unravel_index(np.argmin(chi2), chi2.shape)[0]]
    i = int(np.argmin(best))
    if i in (0, len(SHIFTS) - 1) or flat - best[i] < LEAST_GAIN:
        return None
    curvature = (best[i - 1] + best[i + 1] - 2 * best[i]) / (SHIFTS[1] - SHIFTS[0]) ** 2
    if curvature <= 0:
        return None
    offset = (best[i - 1] - best[i + 1]) / (SHIFTS[1] - SHIFTS[0]) / 2 / curvature
    reduced = max(best[i] / max(len(wave) - 2 - len(lines.groups), 1), 1.0)
    return float(SHIFTS[i] + offset), float(np.sqrt(2 * reduced / curvature))


def _chi2(wave, widths, root, target, continuum, lines: Lines, sigma: float) -> np.ndarray:
    """Of the best continuum and strengths at every shift, for lines of a width in km/s."""
    stretch = 1 + SHIFTS[:, None] / LIGHT_SPEED
    design = np.empty((len(SHIFTS), len(continuum) + len(lines.groups), len(wave)))
    design[:, : len(continuum)] = continuum
    for k, group in enumerate(lines.groups, start=len(continuum)):
        profile = np.zeros((len(SHIFTS), len(wave)))
        for rest, strength in group:
            variance = (rest * sigma / LIGHT_SPEED) ** 2 + widths**2 / 12
            profile += strength * np.exp(-((wave - rest * stretch) ** 2) / 2 / variance)
        design[:, k] = profile * root
    products = design @ target
    normal = design @ design.swapaxes(1, 2)
    fitted = (np.linalg.pinv(normal, hermitian=True) @ products[..., None])[..., 0]
    return target @ target - np.sum(fitted * products, axis=1)
