"""From rest-frame light to flux densities in passbands at any redshift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from galprism import cosmology, igm
from galprism.passbands import Passband, band_matrix, line_abflux
from galprism.wavegrid import LogGrid

LINE_STEP = 2e-4
"""Bins in ln(wavelength) in which curves are tabulated for emission lines: 1 A at 5000 A."""
IGM_STEP = 0.05
"""Steps in redshift in which the intergalactic optical depth is tabulated."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)


def flux_per_luminosity(redshift: Tensor) -> Tensor:
    """1 / (4 pi d_L^2) in cm^-2 at redshifts (N,), float64, differentiable (Hogg 1999, eqs. 15 and 21)."""
    half = 0.5 * torch.log1p(redshift)
    comoving = torch.zeros_like(redshift)
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):  # Gauss-Legendre in ln(1 + z), to 1e-9 for z < 10
        a_inverse = torch.exp(half * (node + 1.0))
        cubed = a_inverse * a_inverse * a_inverse
        comoving = comoving + weight * a_inverse / torch.sqrt(cosmology.OMEGA_M * cubed + cosmology.OMEGA_LAMBDA)
    hubble_cm = cosmology.LIGHT_SPEED_KM_PER_S / cosmology.H0 * 1e6 * cosmology.PARSEC_CM
    distance = (1.0 + redshift) * hubble_cm * half * comoving
    return 1.0 / (4.0 * np.pi * distance * distance)


@dataclass(frozen=True, eq=False)
class FixedRedshifts:
    """What B passbands make of rest-frame light at Z redshifts, before `flux_per_luminosity`."""

    low: int
    """The first rest bin that they see."""
    continuum: Tensor
    """(C, Z B), on bins `low` … `low` + C - 1."""
    line: Tensor
    """(L, Z B)."""


class Projector:
    """Passbands laid over a model's bins: bins shift by ln(1 + z), the fraction of a bin by linear interpolation.

    passbands : B of them; rest : the bins of the rest-frame light; line_wave : (L,) vacuum Angstrom, ascending;
    z_max : up to where the intergalactic medium is tabulated.
    """

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
        def tensor(array, dtype=torch.float32) -> Tensor:
            return torch.as_tensor(np.ascontiguousarray(array), dtype=dtype, device=device)

        self.step = rest.step
        observed = LogGrid.covering(min(p.wave[0] for p in passbands), max(p.wave[-1] for p in passbands), rest.step)
        self.first = round((observed.start - rest.start) / rest.step)
        """Index in the rest grid of the first observed bin."""
        self.size = observed.size
        self.bands = len(passbands)
        matrix = band_matrix(passbands, observed.wave)
        zero = np.zeros((1, self.bands))
        # Light of rest bin i falls on observed bins i + k and i + k + 1, in shares 1 - f and f of its flux density.
        self.matrix = tensor(np.concatenate([np.concatenate([zero, matrix]), np.concatenate([matrix, zero])], axis=1))

        fine = LogGrid.covering(observed.edges[0], observed.edges[-1], LINE_STEP)
        self.response = tensor(np.stack([line_abflux(p, fine.wave, 1.0) for p in passbands], axis=1))
        """(F, B): nJy per erg/s/cm2 of a line; zero at both ends."""
        self.line_place = tensor((np.log(line_wave) - fine.start) / LINE_STEP, torch.float64)
        """(L,): where in `response` the lines are at z = 0."""

        self.z_absorbed = observed.edges[0] / igm.LYMAN_ALPHA - 1.0
        """The redshift from which the intergalactic medium reaches the bluest band."""
        self.depth = self.line_depth = None
        if with_igm and z_max > self.z_absorbed:
            self.z_table = max(0.0, self.z_absorbed - IGM_STEP)
            z = np.arange(self.z_table, z_max + 2 * IGM_STEP, IGM_STEP)
            self.n_absorbed = int(np.searchsorted(rest.edges, igm.LYMAN_ALPHA))
            self.n_lines_absorbed = int(np.searchsorted(line_wave, igm.LYMAN_ALPHA, side="right"))
            self.depth = tensor(igm.binned_depth(rest.edges[: self.n_absorbed + 1], z))
            self.line_depth = tensor(igm.optical_depth(line_wave[: self.n_lines_absorbed], z[:, None]))

    def columns(self, z_low: float, z_high: float) -> tuple[int, int]:
        """The rest bins [from, to) that the passbands can see between two redshifts."""
        return self.first - self._whole(z_high) - 1, self.first - self._whole(z_low) + self.size

    def _whole(self, z: float) -> int:
        return int(np.floor(np.log1p(z) / self.step))

    def absorb_(self, flux: Tensor, line: Tensor, low: int, redshift: Tensor) -> None:
        """Dim `flux` (N, C), rest bins from `low` on, and `line` (N, L) by the intergalactic medium, in place.

        redshift : (N,), in ascending order.
        """
        if self.depth is None or self.line_depth is None or redshift[-1].item() <= self.z_absorbed:
            return
        if low < self.n_absorbed:
            blue = slice(low, min(self.n_absorbed, low + flux.shape[1]))
            flux[:, : blue.stop - low] *= torch.exp(-self._at(self.depth[:, blue], redshift))
        line[:, : self.n_lines_absorbed] *= torch.exp(-self._at(self.line_depth, redshift))

    def _at(self, table: Tensor, redshift: Tensor) -> Tensor:
        """(N, C): a table (Z, C) interpolated linearly to redshifts (N,); its first row below its first redshift."""
        place = torch.clamp((redshift - self.z_table) / IGM_STEP, min=0.0)
        below = place.detach().long()
        return torch.lerp(table[below], table[below + 1], (place - below).to(table.dtype)[:, None])

    def continuum(self, flux: Tensor, low: int, redshift: Tensor) -> Tensor:
        """(N, B): what passbands see of rest-frame `flux` (N, C), bins from `low` on, at `redshift` (N,).

        Flux densities in nJy, for a flux per luminosity of 1 and `flux` in erg/s/A.
        """
        shift = torch.log1p(redshift) / self.step
        whole = torch.floor(shift.detach())
        offset = self.first - whole.long() - 1 - low
        seen = flux.unfold(1, self.size + 1, 1)[torch.arange(len(flux), device=flux.device), offset]
        both = seen @ self.matrix
        mixed = torch.lerp(both[:, : self.bands], both[:, self.bands :], (shift - whole).to(flux.dtype)[:, None])
        return mixed / (1.0 + redshift).to(flux.dtype)[:, None]

    def lines(self, line: Tensor, redshift: Tensor) -> Tensor:
        """(N, B): what passbands see of emission lines of luminosities `line` (N, L), in the units of `continuum`.

        Lines are infinitely narrow, each seen by the curves where it is. redshift : (N,), in ascending order.
        """
        if not len(line):
            return line.new_zeros(0, self.bands)
        shift = torch.log1p(redshift) / LINE_STEP
        last = len(self.response) - 1.0
        ends = self.line_place.new_tensor([-shift[-1].item(), last - shift[0].item()])
        first, end = torch.searchsorted(self.line_place, ends).tolist()
        if first == end:
            return line.new_zeros(len(line), self.bands)
        place = torch.clamp(self.line_place[first:end] + shift[:, None], 0.0, last - 1e-6)
        below = place.detach().long()
        upper = line[:, first:end] * (place - below).to(line.dtype)
        weights = torch.cat([line[:, first:end] - upper, upper], dim=1)
        rows = torch.cat([below, below + 1], dim=1)
        return torch.nn.functional.embedding_bag(rows, self.response, per_sample_weights=weights, mode="sum")

    def at(self, redshifts: Sequence[float]) -> FixedRedshifts:
        """The same as matrices, for many spectra at a few redshifts."""
        low, high = self.columns(min(redshifts), max(redshifts))
        continuum = self.matrix.new_zeros(high - low, len(redshifts), self.bands)
        line = self.matrix.new_zeros(len(self.line_place), len(redshifts), self.bands)
        for k, redshift in enumerate(redshifts):
            start, end = self.columns(redshift, redshift)
            z = self.line_place.new_tensor([redshift])
            light, lines = self.matrix.new_ones(1, end - start), self.matrix.new_ones(1, len(line))
            self.absorb_(light, lines, start, z)
            continuum[start - low : end - low, k] = self.continuum(torch.diag(light[0]), start, z.expand(end - start))
            line[:, k] = self.lines(torch.diag(lines[0]), z.expand(len(line)))
        return FixedRedshifts(low=low, continuum=continuum.flatten(1), line=line.flatten(1))
