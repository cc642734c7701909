"""The rest-frame light of galaxies on bins of ln(wavelength): stars, gas and dust, before anything is observed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from galprism.errors import RequestError
from galprism.sps.derived import derive
from galprism.sps.dust import Dust, bump, slope_norm
from galprism.sps.galaxies import Derived, Galaxies
from galprism.sps.histories import bin_weights
from galprism.sps.spectra import Gas, prepare
from galprism.sps.ssp import SSPLibrary
from galprism.wavegrid import LogGrid

MAG = 0.4 * np.log(10.0)


class RestLight:
    """Light per solar mass formed, batch by batch: what the forward model projects on passbands, and spectra are of.

    library : SSPs; grid : the bins; nebular : with or without; metallicity : "nearest" takes the SSPs of the nearest
    metallicity (in the logarithm), "interpolate" mixes the two that enclose it, linearly in ln Z; batch : galaxies at a
    time; sharp : new bins narrower than the library's pixels add none of these pixels' width.
    Raises RequestError when the library cannot do what is asked.
    """

    def __init__(
        self,
        library: SSPLibrary,
        grid: LogGrid,
        *,
        device: str | torch.device = "cpu",
        nebular: bool = True,
        dust: Dust | None = None,
        metallicity: str = "nearest",
        batch: int = 512,
        sharp: bool = False,
    ):
        if metallicity not in ("nearest", "interpolate"):
            raise RequestError(f"metallicity = {metallicity!r}; accepted: nearest, interpolate")
        if metallicity == "interpolate" and len(library.z_met) < 2:
            raise RequestError(f"{library.name} has one metallicity; accepted: metallicity='nearest'")
        dust = dust or Dust()
        self.stars, self.grid, self.batch = library, grid, batch
        self.interpolate = metallicity == "interpolate"
        self.device = torch.device(device)
        self.spectra = prepare(library, grid, nebular=nebular, device=self.device, sharp=sharp)
        self.line_wave = self.spectra.gas.line_wave if self.spectra.gas else np.empty(0)
        self._k_stars = self.tensor(dust.stars(grid.wave))
        self._k_gas = self.tensor(dust.gas(grid.wave) / dust.factor)
        self._k_line = self.tensor(dust.gas(self.line_wave) / dust.factor)
        self._k_bump = self.tensor(bump(grid.wave))
        self._log_v = self.tensor(np.log(grid.wave / 5500.0))

    def tensor(self, array) -> Tensor:
        """float32, on the device."""
        return torch.as_tensor(np.ascontiguousarray(array), dtype=torch.float32, device=self.device)

    def arrange(self, galaxies: Galaxies) -> tuple[Galaxies, Tensor, list[tuple[slice, int]]]:
        """Galaxies in order of metallicity and redshift; how to undo it; batches of one metallicity, and its index."""
        galaxies = galaxies.to(self.device)
        metal = self.metal_of(galaxies.z_met)
        order = torch.argsort(galaxies.redshift.detach())
        order = order[torch.argsort(metal[order], stable=True)]
        batches, first = [], 0
        for m, count in enumerate(torch.bincount(metal).tolist()):
            pieces = -(-count // self.batch)  # of equal size, so that each spans little in redshift
            edges = [first + count * k // pieces for k in range(pieces + 1)] if pieces else []
            batches += [(slice(a, b), m) for a, b in pairwise(edges)]
            first += count
        return galaxies.take(order), torch.argsort(order), batches

    def metal_of(self, z_met: Tensor) -> Tensor:
        """(N,), index of the nearest metallicity, or of the lower of the two that enclose it."""
        log_z = self.spectra.log_z
        wanted = torch.log(z_met.detach())
        outside = (wanted < log_z[0] - 1e-6) | (wanted > log_z[-1] + 1e-6)
        if bool(outside.any()):
            low, high = torch.exp(log_z[0]).item(), torch.exp(log_z[-1]).item()
            raise RequestError(
                f"z_met = {z_met[outside][0].item():g}; {self.stars.name} has metallicities from {low:g} to {high:g}"
            )
        bounds = log_z[1:-1] if self.interpolate else 0.5 * (log_z[1:] + log_z[:-1])
        return torch.bucketize(wanted, bounds, right=True)

    def weights(self, part: Galaxies) -> Tensor:
        """(n, T'), float64: fraction of the mass formed in each age bin."""
        assert part.history is not None
        edges = self.spectra.age_edges
        oldest = part.history.oldest().max().item()
        if oldest > edges[-1].item():
            raise RequestError(
                f"the oldest stars formed {oldest:.4g} Gyr ago; {self.stars.name} has ages up to {edges[-1]:.4g} Gyr"
            )
        return bin_weights(part.history, edges)

    def _mixture(self, part: Galaxies, metal: int) -> tuple[slice, Tensor | None]:
        """Which M metallicities make up a batch of galaxies, and the share (n, M, 1) of each; None where it is one."""
        if not self.interpolate:
            return slice(metal, metal + 1), None
        low, high = self.spectra.log_z[metal], self.spectra.log_z[metal + 1]
        share = (torch.log(part.z_met) - low) / (high - low)
        return slice(metal, metal + 2), torch.stack([1.0 - share, share], dim=1)[..., None]

    def sums(self, part: Galaxies, metal: int, weights: Tensor) -> Tensor:
        """(n, C), float64: what `derive` needs of a batch."""
        some, shares = self._mixture(part, metal)
        return _spread(weights, shares) @ self.spectra.table[some].flatten(0, 1)

    def derived(self, galaxies: Galaxies, sums: Tensor) -> Derived:
        """What follows from histories and metallicities, by the `sums` of the galaxies."""
        assert galaxies.history is not None
        used = galaxies.z_met if self.interpolate else torch.exp(self.spectra.log_z[self.metal_of(galaxies.z_met)])
        return derive(galaxies.history, used, sums)

    def shine(self, part: Galaxies, metal: int, weights: Tensor, low: int, high: int) -> tuple[Tensor, Tensor]:
        """Light of a batch after dust: continuum (n, high - low) in Lsun/A and lines (n, L) in Lsun."""
        some, shares = self._mixture(part, metal)
        flux = _spread(weights, shares).float() @ self.spectra.stars[some, :, low:high].flatten(0, 1)
        ebv = part.ebv.float()[:, None] * -MAG
        flux.mul_((ebv * self._stellar_curve(part, low, high)).exp_())
        gas = self.spectra.gas
        if gas is None:
            return flux, flux.new_zeros(len(flux), 0)
        young, ionisation = self._ionising(part, gas)
        young = _spread(young, shares)
        continuum = young @ _at_logu(ionisation, gas.continuum[some, :, :, low:high])
        flux.addcmul_(continuum, (ebv * self._k_gas[low:high]).exp_())
        return flux, (young @ _at_logu(ionisation, gas.line[some])) * torch.exp(ebv * self._k_line)

    def _ionising(self, part: Galaxies, gas: Gas) -> tuple[Tensor, Tensor | slice]:
        """Weights on the nebular grids, linear between values of log U.

        Where all galaxies have one log U: (n, A) on its ages, and (U,) on its log U. Otherwise (n, u A), and which u
        values of log U the galaxies have.
        """
        assert part.history is not None
        logu = torch.as_tensor(part.logu)
        if bool(((logu < gas.logu[0]) | (logu > gas.logu[-1])).any()):
            raise RequestError(
                f"logu from {logu.min():g} to {logu.max():g}; accepted: {gas.logu[0]:g} to {gas.logu[-1]:g}"
            )
        ages = bin_weights(part.history, gas.age_edges)
        step = gas.logu[1] - gas.logu[0]
        if not logu.requires_grad and bool((logu == logu[0]).all()):
            return ages.float(), torch.clamp(1.0 - torch.abs(logu[0] - gas.logu) / step, min=0.0).float()
        low, high = (float((end - gas.logu[0]) / step) for end in (logu.detach().min(), logu.detach().max()))
        there = slice(int(low), int(np.ceil(high)) + 1)
        shares = torch.clamp(1.0 - torch.abs(logu[:, None] - gas.logu[there]) / step, min=0.0)
        return (shares[:, :, None] * ages[:, None, :]).flatten(1).float(), there

    def _stellar_curve(self, part: Galaxies, low: int, high: int) -> Tensor:
        """(n, high - low) or (high - low,): A / E(B-V) of the stars, tilted and with a bump where asked for."""
        curve = self._k_stars[low:high]
        if part.dust_slope is None and part.dust_bump is None:
            return curve
        zero = torch.zeros(len(part), dtype=torch.float64, device=self.device)
        slope = zero if part.dust_slope is None else part.dust_slope
        height = zero if part.dust_bump is None else part.dust_bump
        tilted = curve * torch.exp(slope.float()[:, None] * self._log_v[low:high])
        return tilted * slope_norm(slope, height).float()[:, None] + height.float()[:, None] * self._k_bump[low:high]


def _spread(weights: Tensor, shares: Tensor | None) -> Tensor:
    """(n, M T): weights (n, T) on each of M metallicities, by their shares (n, M, 1)."""
    return weights if shares is None else (weights[:, None] * shares.to(weights.dtype)).flatten(1)


def _at_logu(shares: Tensor | slice, table: Tensor) -> Tensor:
    """Tables (M, U, A, C) at one log U, (M A, C), by shares (U,); or laid out for weights on some, (M u A, C)."""
    if isinstance(shares, slice):
        return table[:, shares].flatten(0, 2)
    there = torch.nonzero(shares)[:, 0].tolist()
    return sum((shares[u] * table[:, u] for u in there), start=torch.zeros(())).flatten(0, 1)
