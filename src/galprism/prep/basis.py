"""The light of galaxies as a few basis spectra, and what any passband sees of them at any redshift.

A galaxy is its scale (a luminosity) times the mean spectrum of a population plus K spectra with coefficients u, which
over the population have mean 0 and covariance 1: to second moments a Gaussian prior. A passband sees each spectrum as
a number that depends on redshift alone, so a new filter costs a table of (redshift, K + 1) numbers and no training.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from galprism import igm
from galprism.cosmology import PARSEC_CM, luminosity_distance_mpc
from galprism.errors import RequestError
from galprism.passbands import Passband, band_matrix, line_abflux
from galprism.wavegrid import LogGrid

LSUN = 3.826e33
"""erg/s, the Lsun of the scale."""
IGM_STEP = 0.05
"""Steps in redshift in which the intergalactic medium is tabulated."""
LEVEL = (3000.0, 10000.0)
"""Angstrom: a spectrum of scale 1 has a mean of lambda L_lambda = 1 Lsun here, the mean being over ln lambda."""
C_CM = 2.99792458e10
"""cm/s, the speed of light."""
LINE_WIDTH = 150.0
"""Angstrom: a line counts in the fit of a basis as what it adds to the light of a band of this width."""
FLOOR = 0.03
"""Light below this fraction of a spectrum's level in f_nu is not fitted relative to itself but to this."""

_LN_Z = np.linspace(np.log(1e-5), np.log(30.0), 2048)
_LN_DISTANCE_CM = np.log(luminosity_distance_mpc(np.exp(_LN_Z)) * 1e6 * PARSEC_CM)


def flux_per_lsun(redshift: np.ndarray) -> np.ndarray:
    """(N,): Lsun / (4 pi d_L^2) in erg/s/cm2 at positive redshifts."""
    return LSUN / (4 * np.pi) * np.exp(-2.0 * np.interp(np.log(redshift), _LN_Z, _LN_DISTANCE_CM))


@dataclass(frozen=True, eq=False)
class Basis:
    """K + 1 spectra on bins of ln lambda: the first is the mean galaxy, the others what a coefficient of 1 adds."""

    grid: LogGrid
    """Rest-frame bins; there is no light bluewards of them, and nothing is known redwards."""
    continuum: np.ndarray
    """(K + 1, W), float32, Lsun/Angstrom at a scale of 1 Lsun."""
    line_wave: np.ndarray
    """(L,), Angstrom in vacuum, ascending."""
    line: np.ndarray
    """(K + 1, L), float32, Lsun."""

    def __post_init__(self) -> None:
        shapes = {
            "continuum": (len(self.continuum), self.grid.size),
            "line": (len(self.continuum), len(self.line_wave)),
        }
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise RequestError(f"Basis.{name} has shape {getattr(self, name).shape}; expected {shape}")

    @property
    def size(self) -> int:
        """K, the coefficients."""
        return len(self.continuum) - 1

    @cached_property
    def hash(self) -> str:
        """sha256 of the spectra."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """The arrays as NumPy's .npz, nothing pickled."""
        file = io.BytesIO()
        grid = np.array([self.grid.start, self.grid.step])
        np.savez(file, grid=grid, continuum=self.continuum, line_wave=self.line_wave, line=self.line)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Basis:
        """The inverse of `to_bytes`. Raises ValueError or KeyError where it is something else."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            (start, step), continuum = arrays["grid"], arrays["continuum"]
            grid = LogGrid(float(start), float(step), continuum.shape[1])
            return cls(grid, continuum, arrays["line_wave"], arrays["line"])

    def table(self, bands: Sequence[str], passbands: Sequence[Passband], z_max: float) -> BandTable:
        """What passbands see of the spectra from z = 0 to `z_max`.

        Raises RequestError for a band that reaches beyond the spectra at all of these redshifts.
        """
        n_nodes = int(np.ceil(np.log1p(z_max) / self.grid.step)) + 1
        values = np.stack([self._seen(passband, n_nodes) for passband in passbands])
        for band, passband, seen in zip(bands, passbands, values, strict=True):
            if np.isnan(seen).all():
                raise RequestError(
                    f"band {band} ({passband.name}, {passband.wave[0]:.5g} to {passband.wave[-1]:.5g} A) sees "
                    f"rest-frame light beyond {self.grid.wave[-1]:.5g} A up to z = {z_max:g}, of which nothing is "
                    "known; leave this band's curve out"
                )
        return BandTable(tuple(bands), self.grid.step, values.astype(np.float32))

    def _seen(self, passband: Passband, n_nodes: int) -> np.ndarray:
        """(Z, K + 1): nJy for a flux per luminosity of 1; NaN where the passband reaches beyond the spectra."""
        grid = self.grid
        observed = LogGrid.covering(passband.wave[0], passband.wave[-1], grid.step)
        response = band_matrix([passband], observed.wave)[:, 0]
        first = round((observed.start - grid.start) / grid.step)
        one_plus_z = np.exp(grid.step * np.arange(n_nodes))
        # At node i observed bin o holds rest bin first + o - i: a correlation of spectra and response.
        before, after = max(n_nodes - 1 - first, 0), max(first + observed.size - grid.size, 0)
        padded = np.pad(self.continuum.astype(np.float64), ((0, 0), (before, after)))
        start = first + before - np.arange(n_nodes)
        seen = np.stack([np.correlate(spectrum, response, "valid")[start] for spectrum in padded], axis=1)
        depth_z, depth, line_depth = self._absorption
        for i in range(n_nodes):
            blue = min(depth.shape[1] - (first - i), observed.size)  # observed bins up to this one are absorbed
            skip = max(i - first, 0)  # … and up to this one are bluewards of the spectra
            if blue <= skip:
                continue
            rest = slice(first - i + skip, first - i + blue)
            loss = np.expm1(-_at(depth[:, rest], depth_z, one_plus_z[i] - 1.0))
            seen[i] += self.continuum[:, rest] @ (response[skip:blue] * loss)
        seen /= one_plus_z[:, None]
        weight = line_abflux(passband, self.line_wave * one_plus_z[:, None], 1.0)  # (Z, L)
        n_absorbed = line_depth.shape[1]
        for i in np.flatnonzero(weight[:, :n_absorbed].any(axis=1)).tolist():
            weight[i, :n_absorbed] *= np.exp(-_at(line_depth, depth_z, one_plus_z[i] - 1.0))
        seen += weight @ self.line.T.astype(np.float64)
        seen[first + observed.size - np.arange(n_nodes) > grid.size] = np.nan
        return seen

    @cached_property
    def _absorption(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Redshifts (I,), and the optical depth of the bins (I, W') and lines (I, L') that can be absorbed."""
        z = np.arange(0.0, 8.0, IGM_STEP)
        n = int(np.searchsorted(self.grid.edges, igm.LYMAN_ALPHA))
        n_lines = int(np.searchsorted(self.line_wave, igm.LYMAN_ALPHA, side="right"))
        depth = igm.binned_depth(self.grid.edges[: n + 1], z)
        return z, depth, igm.optical_depth(self.line_wave[:n_lines], z[:, None])


def _at(table: np.ndarray, z: np.ndarray, redshift: float) -> np.ndarray:
    """A row of a table on even redshifts, interpolated linearly."""
    place = min(redshift / (z[1] - z[0]), len(z) - 1.001)
    below = int(place)
    return table[below] + (place - below) * (table[below + 1] - table[below])


@dataclass(frozen=True, eq=False)
class BandTable:
    """What B bands see of a basis, at redshifts that are even in ln(1 + z) from 0 on."""

    bands: tuple[str, ...]
    step: float
    values: np.ndarray
    """(B, Z, K + 1), float32, nJy at a flux per luminosity of 1; NaN where a band reaches beyond the spectra."""

    def select(self, bands: Sequence[str]) -> BandTable:
        """Some of the bands, in that order. Raises RequestError for one that is not here."""
        missing = [band for band in bands if band not in self.bands]
        if missing:
            raise RequestError(f"no band {', '.join(missing)} in the table; it has {', '.join(self.bands)}")
        if tuple(bands) == self.bands:
            return self
        return BandTable(tuple(bands), self.step, self.values[[self.bands.index(band) for band in bands]])

    def at(self, redshift: np.ndarray) -> np.ndarray:
        """(B, K + 1, N): the table interpolated linearly in ln(1 + z) to redshifts (N,), each within it."""
        place = np.log1p(redshift) / self.step
        below = np.minimum(place.astype(np.intp), self.values.shape[1] - 2)
        share = (place - below).astype(np.float32)[:, None]
        low, high = self.values[:, below], self.values[:, below + 1]  # (B, N, K + 1)
        return np.ascontiguousarray((low + share * (high - low)).transpose(0, 2, 1))

    @property
    def z_max(self) -> float:
        return float(np.expm1(self.step * (self.values.shape[1] - 1)))


def level_njy(redshift: np.ndarray) -> np.ndarray:
    """(N,), nJy at a flux per luminosity of 1: what a band sees at a scale of 1 where lambda L_lambda is 1 Lsun."""
    return 1e32 * (1.0 + redshift) * np.mean(LEVEL) * 1e-8 / C_CM  # 1e-23 erg/s/cm2/Hz are 1e9 nJy


def level(grid: LogGrid, continuum: np.ndarray) -> np.ndarray:
    """(N,), Lsun: the mean of lambda L_lambda of spectra (N, W) over ln lambda between the wavelengths of LEVEL."""
    inside = (grid.wave >= LEVEL[0]) & (grid.wave <= LEVEL[1])
    return (continuum[:, inside] * grid.wave[inside]).mean(axis=1)


def fit_basis(
    grid: LogGrid,
    continuum: np.ndarray,
    line_wave: np.ndarray,
    line: np.ndarray,
    size: int,
    *,
    iterations: int = 15,
) -> Basis:
    """K = `size` spectra that hold those of a population, by alternating least squares.

    continuum : (N, W), Lsun/Angstrom, on `grid`; line : (N, L), Lsun. What is minimised is the residual of every bin
    relative to the spectrum's own light there, in f_nu, with FLOOR of its level as the least; a line counts as what
    it adds to a band of LINE_WIDTH. Weighted low-rank approximation: Srebro & Jaakkola (2003, ICML).
    """
    weighted = _weighted(grid, continuum, line_wave, line)
    weight, data = weighted.weight, weighted.data
    root = np.sqrt(weight.mean(axis=0))
    spectra = np.linalg.svd(data[: 4 * data.shape[1]] * root, full_matrices=False)[2][:size] / root
    for _ in range(iterations):
        found = _least_squares(weight, data, spectra)
        spectra = _least_squares(weight.T, data.T, found.T).T
        spectra /= np.sqrt((spectra**2 * root**2).mean(axis=1, keepdims=True))
    found = _least_squares(weight, data, spectra).astype(np.float64)
    mean, covariance = found.mean(axis=0), np.cov(found.T)
    values, vectors = np.linalg.eigh(covariance)
    directions = (vectors * np.sqrt(values)).T[::-1]
    rows = (np.concatenate([mean[None], directions]) @ spectra / weighted.units).astype(np.float32)
    return Basis(grid, rows[:, : grid.size], np.asarray(line_wave, np.float64), rows[:, grid.size :])


def decompose(basis: Basis, continuum: np.ndarray, line: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N,) scales in Lsun and (N, K) coefficients of spectra on a basis, in the sense of `fit_basis`: what is left out
    is what the basis cannot hold. Spectra as there."""
    weighted = _weighted(basis.grid, continuum, basis.line_wave, line)
    rows = np.concatenate([basis.continuum, basis.line], axis=1) * weighted.units
    found = _least_squares(weighted.weight, weighted.data, rows)
    return weighted.scale * found[:, 0], found[:, 1:] / found[:, :1]


@dataclass(frozen=True, eq=False)
class _Weighted:
    """Spectra and lines side by side, D columns, in units in which both count as they should."""

    data: np.ndarray
    """(N, D), float32, of spectra of level 1."""
    weight: np.ndarray
    """(N, D), float32."""
    scale: np.ndarray
    """(N,), Lsun, the levels."""
    units: np.ndarray
    """(D,): a spectrum in Lsun/Angstrom and Lsun times this is a row of `data`."""


def _weighted(grid: LogGrid, continuum: np.ndarray, line_wave: np.ndarray, line: np.ndarray) -> _Weighted:
    scale = level(grid, continuum)
    near = np.clip(np.rint((np.log(line_wave) - grid.start) / grid.step).astype(int), 0, grid.size - 1)
    # to f_nu, of order 1; a line is spread over the width
    units = np.concatenate([grid.wave**2, line_wave**2 / LINE_WIDTH]) / np.mean(LEVEL)
    data = np.concatenate([continuum, line], axis=1) * units / scale[:, None]
    light = data[:, : grid.size]
    total = np.concatenate([light, light[:, near] + data[:, grid.size :]], axis=1)
    # bins are many and lines few: a line weighs as much as the bins of a band of its width
    often = np.concatenate([np.ones(grid.size), LINE_WIDTH / (line_wave * grid.step)])
    weight = often / (total**2 + (FLOOR * np.abs(light).mean(axis=1, keepdims=True)) ** 2)
    return _Weighted(data.astype(np.float32), weight.astype(np.float32), scale, units)


def _least_squares(weight: np.ndarray, data: np.ndarray, spectra: np.ndarray) -> np.ndarray:
    """(N, K): coefficients of data (N, D) on spectra (K, D) under weights (N, D)."""
    k = len(spectra)
    upper = np.triu_indices(k)
    products = (spectra[upper[0]] * spectra[upper[1]]).astype(np.float32)  # (K (K + 1) / 2, D)
    flat = weight @ products.T
    normal = np.empty((len(data), k, k))
    normal[:, upper[0], upper[1]] = normal[:, upper[1], upper[0]] = flat
    normal += 1e-7 * np.trace(normal, axis1=1, axis2=2)[:, None, None] / k * np.eye(k)
    right = (weight * data) @ spectra.T.astype(np.float32)
    return np.linalg.solve(normal, right[..., None].astype(np.float64))[..., 0]


def describe(basis: Basis) -> dict[str, Any]:
    """What a model card says of a basis."""
    reach = [round(float(basis.grid.wave[i]), 1) for i in (0, -1)]
    return {"size": basis.size, "wave": reach, "lines": len(basis.line_wave), "hash": basis.hash}
