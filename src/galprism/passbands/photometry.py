"""Synthetic photometry: what a spectrum measures through a passband, as an AB flux density."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from galprism.errors import RequestError
from galprism.passbands.passband import Passband, quadrature
from galprism.units import LIGHT_SPEED_ANGSTROM_PER_S

NJY_PER_CGS = 1e32
"""nJy in one erg s-1 cm-2 Hz-1."""


def abflux(passband: Passband, wave, flux, kind: Literal["f_lambda", "f_nu"] = "f_lambda"):
    """Mean flux density in nJy of spectra through a passband, on the AB system.

    f_nu = int f_lambda T lambda dlambda / (c int T dlambda / lambda), that is the photon-weighted mean of f_nu
    (Fukugita et al. 1996, Eq. 7; Hogg et al. 2002, Eq. 13). Curve and spectrum are linear between their points and
    the integral is exact for that; a spectrum with features narrower than its sampling has lost them before.

    wave : (W,), Angstrom in vacuum, ascending
    flux : (..., W), erg s-1 cm-2 A-1 ("f_lambda") or erg s-1 cm-2 Hz-1 ("f_nu")
    Returns (...). Raises RequestError when the spectrum does not reach from one end of the passband to the other.
    """
    wave, flux = np.asarray(wave, np.float64), np.asarray(flux, np.float64)
    if kind not in ("f_lambda", "f_nu"):
        raise RequestError(f"kind {kind!r}; accepted: 'f_lambda', 'f_nu'")
    if wave.ndim != 1 or flux.shape[-1:] != wave.shape or len(wave) < 2:
        raise RequestError(f"a spectrum has wave {wave.shape} and flux {flux.shape}; expected (W,) and (..., W)")
    if np.any(np.diff(wave) <= 0):
        raise RequestError("the spectrum's wavelengths do not ascend")
    low, high = passband.wave[0], passband.wave[-1]
    _check_covered(passband, wave[0], wave[-1])
    edges = np.union1d(passband.wave, wave[(wave > low) & (wave < high)])
    nodes, weight = quadrature(edges)
    flat = weight * passband(nodes) / nodes
    response = flat * nodes**2 / LIGHT_SPEED_ANGSTROM_PER_S if kind == "f_lambda" else flat
    # Linear interpolation, as weights on the spectrum's points: one matrix product serves any number of spectra.
    right = np.clip(np.searchsorted(wave, nodes, side="right"), 1, len(wave) - 1)
    share = (nodes - wave[right - 1]) / (wave[right] - wave[right - 1])
    onto = np.bincount(right - 1, response * (1.0 - share), minlength=len(wave))
    onto += np.bincount(right, response * share, minlength=len(wave))
    return NJY_PER_CGS * (flux @ onto) / flat.sum()


def line_abflux(passband: Passband, wave, flux):
    """Mean flux density in nJy that emission lines add to a band: F T(lambda) lambda / (c int T dlambda / lambda).

    wave : vacuum wavelengths as observed, Angstrom; flux : integrated line fluxes, erg s-1 cm-2, of the same shape.
    """
    wave = np.asarray(wave, np.float64)
    return NJY_PER_CGS * flux * passband(wave) * wave / (LIGHT_SPEED_ANGSTROM_PER_S * passband.norm)


def band_matrix(passbands: Sequence[Passband], wave, *, partial: bool = False) -> np.ndarray:
    """(W, B) float64 such that f_lambda (..., W) @ matrix is the bands' flux densities in nJy.

    wave : (W,), centres of bins that are uniform in ln(wavelength), Angstrom; f_lambda in erg s-1 cm-2 A-1 is the
    mean over each bin. T lambda is integrated over each bin exactly. The edges lie half a step (in the logarithm)
    beside the centres. Raises RequestError when the bins are not uniform, or do not cover a band (unless `partial`:
    what lies outside then counts as no flux).
    """
    wave = np.asarray(wave, np.float64)
    if wave.ndim != 1 or len(wave) < 2 or wave[0] <= 0:
        raise RequestError(f"bins of shape {wave.shape}; expected at least two positive ascending centres")
    steps = np.diff(np.log(wave))
    if np.any(steps <= 0) or np.ptp(steps) > 1e-4 * steps.mean():
        raise RequestError(
            f"the bins are not uniform in ln(wavelength): their steps run from {steps.min():.6g} to {steps.max():.6g}"
        )
    half = 0.5 * steps.mean()
    edges = np.concatenate([wave * np.exp(-half), [wave[-1] * np.exp(half)]])
    matrix = np.empty((len(wave), len(passbands)))
    for column, passband in enumerate(passbands):
        if not partial:
            _check_covered(passband, edges[0], edges[-1])
        counts = np.diff(_cumulative(passband, edges))
        matrix[:, column] = NJY_PER_CGS * counts / (LIGHT_SPEED_ANGSTROM_PER_S * passband.norm)
    return matrix


def _cumulative(passband: Passband, wave: np.ndarray) -> np.ndarray:
    """The integral of T lambda dlambda from the blue end to each of `wave`; exact, since T is linear in pieces."""
    left, right = passband.wave[:-1], passband.wave[1:]
    low = passband.throughput[:-1]
    slope = np.diff(passband.throughput) / (right - left)
    x = np.clip(wave, passband.wave[0], passband.wave[-1])
    piece = np.clip(np.searchsorted(passband.wave, x, side="right") - 1, 0, len(left) - 1)

    def up_to(step, i):
        # int_0^s (T0 + m t)(L + t) dt
        return low[i] * left[i] * step + (low[i] + slope[i] * left[i]) * step**2 / 2 + slope[i] * step**3 / 3

    whole = up_to(right - left, np.arange(len(left)))
    before = np.concatenate([[0.0], np.cumsum(whole)])
    return before[piece] + up_to(x - left[piece], piece)


def _check_covered(passband: Passband, low: float, high: float) -> None:
    if low > passband.wave[0] * (1 + 2e-9) or high < passband.wave[-1] * (1 - 2e-9):
        raise RequestError(
            f"the spectrum covers {low:.6g} to {high:.6g} Angstrom, but passband {passband.name} reaches from "
            f"{passband.wave[0]:.6g} to {passband.wave[-1]:.6g}"
        )
