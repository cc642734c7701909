"""From rest-frame light to flux densities in passbands at any redshift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from galprism import cosmology
from galprism.passbands import Passband, band_matrix, line_abflux
from galprism.sps import igm
from galprism.sps.wavegrid import LogGrid

LINE_STEP = 2e-4
"""Bins in ln(wavelength) in which curves are tabulated for emission lines: 1 A at 5000 A."""
IGM_STEP = 0.05
"""Steps in redshift in which the intergalactic optical depth is tabulated."""


def flux_per_luminosity(redshift: Tensor) -> Tensor:
    """1 / (4 pi d_L^2) in cm^-2 at redshifts (N,), float64, differentiable."""
    x, w = np.polynomial.legendre.leggauss(24)
    node, weight = redshift.new_tensor(x), redshift.new_tensor(w)
    half = 0.5 * torch.log1p(redshift)[:, None]
    a_inverse = torch.exp(half * (node + 1.0))
    integrand = a_inverse / torch.sqrt(cosmology.OMEGA_M * a_inverse**3 + cosmology.OMEGA_LAMBDA)
    hubble_mpc = cosmology.LIGHT_SPEED_KM_PER_S / cosmology.H0
    distance = (1.0 + redshift) * hubble_mpc * (half * integrand * weight).sum(1)
    return 1.0 / (4.0 * np.pi * (distance * 1e6 * cosmology.PARSEC_CM) ** 2)


@dataclass(frozen=True, eq=False)
class FixedRedshift:
    """What the passbands make of rest-frame light at one redshift, before `flux_per_luminosity`."""

    low: int
    """The first rest bin that they see."""
    continuum: Tensor
    """(C, B), on bins `low` … `low` + C - 1."""
    line: Tensor
    """(L, B)."""


class Projector:
    """Passbands laid over a model's bins: bins shift by ln(1 + z), the fraction of a bin by linear interpolation."""

    def __init__(
        self,
        passbands: Sequence[Passband],
        rest: LogGrid,
        line_wave: np.ndarray,
        *,
        z_max: float,
        with_igm: bool,
        device: str | torch.device,
    ):
        self.step = rest.step
        observed = LogGrid.covering(min(p.wave[0] for p in passbands), max(p.wave[-1] for p in passbands), rest.step)
        self.first = round((observed.start - rest.start) / rest.step)
        """Index in the rest grid of the first observed bin."""
        self.size = observed.size
        matrix = band_matrix(passbands, observed.wave)
        zero = np.zeros((1, len(passbands)))
        # Light in rest bin i falls on observed bins i + k and i + k + 1, in shares 1 - f and f of its flux density.
        both = np.concatenate([np.concatenate([zero, matrix]), np.concatenate([matrix, zero])], axis=1)
        self.bands = len(passbands)
        self.matrix = torch.as_tensor(both, dtype=torch.float32, device=device)

        fine = LogGrid.covering(observed.edges[0], observed.edges[-1], LINE_STEP)
        self.line_start = fine.start
        self.line_response = torch.as_tensor(_line_response(passbands, fine.wave), dtype=torch.float32, device=device)
        self.log_line = torch.as_tensor(np.log(line_wave), dtype=torch.float64, device=device)

        self.z_absorbed = observed.edges[0] / igm.LYMAN_ALPHA - 1.0 if with_igm else np.inf
        """The redshift from which the intergalactic medium reaches the bluest band."""
        self.depth = self.line_depth = None
        if z_max > self.z_absorbed:
            self.z_table = max(0.0, self.z_absorbed - IGM_STEP)
            z = np.arange(self.z_table, z_max + 2 * IGM_STEP, IGM_STEP)
            self.n_absorbed = int(np.searchsorted(rest.edges, igm.LYMAN_ALPHA))
            depth = igm.binned_depth(rest.edges[: self.n_absorbed + 1], z)
            self.depth = torch.as_tensor(depth, dtype=torch.float32, device=device)
            lines = igm.optical_depth(line_wave, z[:, None])
            self.line_depth = torch.as_tensor(lines, dtype=torch.float32, device=device)

    def columns(self, z_low: float, z_high: float) -> tuple[int, int]:
        """The rest bins [from, to) that passbands can see between two redshifts."""
        k_low, k_high = self._shift(z_low), self._shift(z_high)
        return self.first - k_high - 1, self.first - k_low + self.size

    def _shift(self, z: float) -> int:
        return int(np.floor(np.log1p(z) / self.step))

    def continuum(self, flux: Tensor, low: int, redshift: Tensor) -> Tensor:
        """(N, B): flux densities that rest-frame `flux` (N, C), bins `low` … `low` + C - 1, gives at `redshift` (N,).

        In units of flux / (4 pi d_L^2), that is before `flux_per_luminosity`; intergalactic absorption included.
        """
        flux = self._absorb(flux, low, redshift)
        shift = torch.log1p(redshift) / self.step
        whole = torch.floor(shift.detach())
        share = (shift - whole).to(flux.dtype)[:, None]
        offset = self.first - whole.long() - 1 - low
        seen = flux.unfold(1, self.size + 1, 1)[torch.arange(len(flux), device=flux.device), offset]
        both = seen @ self.matrix
        mixed = both[:, : self.bands] * (1.0 - share) + both[:, self.bands :] * share
        return mixed / (1.0 + redshift).to(flux.dtype)[:, None]

    def lines(self, line: Tensor, redshift: Tensor) -> Tensor:
        """(N, B): flux densities of emission lines of luminosities `line` (N, L), in the units of `continuum`."""
        if self.line_depth is not None and bool((redshift > self.z_absorbed).any()):
            line = line * torch.exp(-self._at(self.line_depth, redshift))
        if not len(self.log_line):
            return line.new_zeros(len(line), self.bands)
        place = (self.log_line + torch.log1p(redshift)[:, None] - self.line_start) / LINE_STEP
        last = len(self.line_response) - 2
        seen = (place >= 0) & (place < last + 1)
        place = torch.clamp(place, 0.0, last + 1.0)
        below = place.detach().long().clamp(max=last)
        share = (place - below).to(line.dtype)
        line = line * seen
        weights = torch.cat([line * (1.0 - share), line * share], dim=1)
        rows = torch.cat([below, below + 1], dim=1)
        return torch.nn.functional.embedding_bag(rows, self.line_response, per_sample_weights=weights, mode="sum")

    def at(self, redshift: float) -> FixedRedshift:
        """The same as matrices, for many spectra at one redshift."""
        low, high = self.columns(redshift, redshift)
        unit = torch.eye(high - low, dtype=self.matrix.dtype, device=self.matrix.device)
        unit_line = torch.eye(len(self.log_line), dtype=self.matrix.dtype, device=self.matrix.device)
        z = self.log_line.new_tensor([redshift])
        return FixedRedshift(
            low=low,
            continuum=self.continuum(unit, low, z.expand(len(unit))),
            line=self.lines(unit_line, z.expand(len(unit_line))),
        )

    def _absorb(self, flux: Tensor, low: int, redshift: Tensor) -> Tensor:
        if self.depth is None or low >= self.n_absorbed or not bool((redshift > self.z_absorbed).any()):
            return flux
        blue = self.n_absorbed - low
        factor = torch.exp(-self._at(self.depth[:, low:], redshift))
        return torch.cat([flux[:, :blue] * factor, flux[:, blue:]], dim=1)

    def _at(self, table: Tensor, redshift: Tensor) -> Tensor:
        """(N, C): a table (Z, C) interpolated linearly to redshifts (N,)."""
        place = torch.clamp((redshift - self.z_table) / IGM_STEP, min=0.0)
        below = place.detach().long()
        share = (place - below).to(table.dtype)[:, None]
        return table[below] * (1.0 - share) + table[below + 1] * share


def _line_response(passbands: Sequence[Passband], wave: np.ndarray) -> np.ndarray:
    """(F, B): nJy per erg/s/cm2 of a line observed at `wave`."""
    return np.stack([line_abflux(p, wave, 1.0) for p in passbands], axis=1)
