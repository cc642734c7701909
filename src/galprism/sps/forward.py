"""The forward model: from the parameters of galaxies to their fluxes in any passbands at any redshift."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from galprism.errors import RequestError
from galprism.passbands import Passband
from galprism.sps.derived import derive, mix_some
from galprism.sps.dust import Dust, bump, slope_norm
from galprism.sps.galaxies import Derived, Galaxies, Observed, RestSED
from galprism.sps.histories import bin_weights
from galprism.sps.projection import Projector, flux_per_luminosity
from galprism.sps.spectra import Gas, prepare
from galprism.sps.ssp import SSPLibrary
from galprism.wavegrid import LogGrid

MAG = 0.4 * np.log(10.0)
Z_MAX = 10.0


class ForwardModel:
    """Light of galaxies in passbands; differentiable, in batches that stay in the processor's cache.

    Stars are a star-formation history times the SSPs of one metallicity; the gas around those younger than 10 Myr
    takes their ionising light and returns it as nebular continuum and lines; dust dims both, the intergalactic medium
    what is bluewards of Lyman alpha. Dust emission is left out (it matters redwards of rest-frame 2.5 um).

    library : SSPs; passbands : B of them; d_ln_lambda : width of the bins; nebular, igm : with or without;
    metallicity : "nearest" takes the SSPs of the nearest metallicity (in the logarithm), "interpolate" mixes the two
    that enclose it, linearly in ln Z; z_max : the highest redshift, as far as the library reaches when None; batch :
    galaxies at a time, 512 on a processor, so that they stay in its cache, and 16,384 on a GPU when None.
    Raises RequestError when the library cannot do what is asked.
    """

    def __init__(
        self,
        library: SSPLibrary,
        passbands: Sequence[Passband],
        *,
        device: str | torch.device = "cpu",
        d_ln_lambda: float = 0.002,
        nebular: bool = True,
        igm: bool = True,
        dust: Dust | None = None,
        metallicity: str = "nearest",
        z_max: float | None = None,
        batch: int | None = None,
    ):
        if metallicity not in ("nearest", "interpolate"):
            raise RequestError(f"metallicity = {metallicity!r}; accepted: nearest, interpolate")
        if metallicity == "interpolate" and len(library.z_met) < 2:
            raise RequestError(f"{library.name} has one metallicity; accepted: metallicity='nearest'")
        if not passbands:
            raise RequestError("the forward model needs at least one passband")
        dust = dust or Dust()
        blue = min(p.wave[0] for p in passbands)
        red = max(p.wave[-1] for p in passbands)
        first = library.to_vacuum(library.wave[:1])[0] * np.exp(2.0 * d_ln_lambda)
        reach = blue * np.exp(-4.0 * d_ln_lambda) / first - 1.0
        if z_max is None:
            z_max = min(Z_MAX, reach)
        if not 0.0 < z_max <= reach:
            raise RequestError(
                f"z_max = {z_max:g}: {library.name} begins at {first:.0f} A and the bluest passband at {blue:.0f} A; "
                f"accepted: above 0, up to {reach:.3g}"
            )
        self.stars = library
        self.passbands = tuple(passbands)
        self.dust = dust
        self.interpolate = metallicity == "interpolate"
        self.z_max = z_max
        self.device = torch.device(device)
        self.batch = batch or (512 if self.device.type == "cpu" else 16384)
        self.grid = LogGrid.covering(
            blue / (1.0 + z_max) * np.exp(-2.0 * d_ln_lambda), red * np.exp(d_ln_lambda), d_ln_lambda
        )
        self.spectra = prepare(library, self.grid, nebular=nebular, device=self.device)
        line_wave = self.spectra.gas.line_wave if self.spectra.gas else np.empty(0)
        self.projector = Projector(passbands, self.grid, line_wave, z_max=z_max, with_igm=igm, device=self.device)
        self._wave = self._tensor(self.grid.wave)
        self._line_wave = self._tensor(line_wave)
        self._k_stars = self._tensor(dust.stars(self.grid.wave))
        self._k_gas = self._tensor(dust.gas(self.grid.wave) / dust.factor)
        self._k_line = self._tensor(dust.gas(line_wave) / dust.factor)
        self._k_bump = self._tensor(bump(self.grid.wave))
        self._log_v = self._tensor(np.log(self.grid.wave / 5500.0))

    def _tensor(self, array) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(array), dtype=torch.float32, device=self.device)

    def __call__(self, galaxies: Galaxies) -> Observed:
        """Fluxes (N, B) in nJy per solar mass formed, and derived quantities, in the order of the galaxies."""
        second = galaxies.second()
        if second is None:
            return self._observe(galaxies)
        rows, others = second
        return mix_some(self._observe(galaxies), self._observe(others), rows, _shares(galaxies, rows))

    def _observe(self, galaxies: Galaxies) -> Observed:
        """The same, but for second populations."""
        self._check_redshift(galaxies.redshift)
        ordered, order, batches = self._arrange(galaxies)
        fluxes, sums = [], []
        for rows, metal in batches:
            part = ordered.take(rows)
            low, high = self.projector.columns(part.redshift[0].item(), part.redshift[-1].item())
            weights = self._weights(part)
            flux, line = self._shine(part, metal, weights, low, high)
            self.projector.absorb_(flux, line, low, part.redshift)
            fluxes.append(
                self.projector.continuum(flux, low, part.redshift) + self.projector.lines(line, part.redshift)
            )
            sums.append(self._sums(part, metal, weights))
        flux = torch.cat(fluxes).double() * (self.stars.lsun * flux_per_luminosity(ordered.redshift))[:, None]
        derived = self._derive(galaxies.to(self.device), torch.cat(sums)[order])
        return Observed(flux=flux[order], **vars(derived))

    def rest_sed(self, galaxies: Galaxies) -> RestSED:
        """The light that leaves the galaxies: after dust, before the intergalactic medium; redshifts play no part."""
        sed, second = self._leaving(galaxies), galaxies.second()
        if second is None:
            return sed
        rows, others = second
        more, share = self._leaving(others), _shares(galaxies, rows).float()
        flux, line = (_added(a, b, rows, share) for a, b in ((sed.flux, more.flux), (sed.line, more.line)))
        return RestSED(wave=sed.wave, flux=flux, line_wave=sed.line_wave, line=line)

    def _leaving(self, galaxies: Galaxies) -> RestSED:
        """The same, but for second populations."""
        ordered, order, batches = self._arrange(galaxies)
        parts = []
        for rows, metal in batches:
            part = ordered.take(rows)
            parts.append(self._shine(part, metal, self._weights(part), 0, self.grid.size))
        flux, line = (torch.cat(column)[order] for column in zip(*parts, strict=True))
        return RestSED(wave=self._wave, flux=flux, line_wave=self._line_wave, line=line)

    def project(self, sed: RestSED, redshift: Tensor) -> Tensor:
        """(N, B), nJy per solar mass formed: light from `rest_sed` as seen at `redshift` (N,)."""
        redshift = self._check_redshift(redshift)
        order = torch.argsort(redshift.detach())
        parts = []
        for index in torch.split(order, self.batch):
            z = redshift[index]
            low, high = self.projector.columns(z[0].item(), z[-1].item())
            flux, line = sed.flux[index, low:high], sed.line[index]
            self.projector.absorb_(flux, line, low, z)
            parts.append(self.projector.continuum(flux, low, z) + self.projector.lines(line, z))
        flux = torch.cat(parts)[torch.argsort(order)]
        return flux.double() * (self.stars.lsun * flux_per_luminosity(redshift))[:, None]

    def fluxes_at(self, galaxies: Galaxies, redshifts) -> Tensor:
        """(Z, N, B), nJy per solar mass formed: every galaxy at every one of `redshifts` (Z,).

        The galaxies' own redshifts play no part. The light is made once and projected by one matrix product.
        """
        flux, second = self._seen_at(galaxies, redshifts), galaxies.second()
        if second is None:
            return flux
        rows, others = second
        more = self._seen_at(others, redshifts).transpose(0, 1)
        return _added(flux.transpose(0, 1), more, rows, _shares(galaxies, rows)).transpose(0, 1)

    def _seen_at(self, galaxies: Galaxies, redshifts) -> Tensor:
        """The same, but for second populations."""
        redshifts = self._check_redshift(torch.as_tensor(redshifts, dtype=torch.float64))
        fixed = self.projector.at(redshifts.tolist())
        scale = self.stars.lsun * flux_per_luminosity(redshifts)
        ordered, order, batches = self._arrange(galaxies)
        parts = []
        for rows, metal in batches:
            part = ordered.take(rows)
            flux, line = self._shine(part, metal, self._weights(part), fixed.low, fixed.low + len(fixed.continuum))
            seen = torch.addmm(flux @ fixed.continuum, line, fixed.line)
            parts.append(seen.unflatten(1, (len(redshifts), -1)).double() * scale[:, None])
        return torch.cat(parts)[order].transpose(0, 1)

    def derive(self, galaxies: Galaxies) -> Derived:
        """Masses, rates, ages and metallicities as `__call__` gives them, without making any light."""
        second = galaxies.second()
        if second is None:
            return self._derive_one(galaxies)
        rows, others = second
        return mix_some(self._derive_one(galaxies), self._derive_one(others), rows, _shares(galaxies, rows))

    def _derive_one(self, galaxies: Galaxies) -> Derived:
        """The same, but for second populations."""
        ordered, order, batches = self._arrange(galaxies)
        parts = [ordered.take(rows) for rows, _ in batches]
        sums = [self._sums(p, metal, self._weights(p)) for p, (_, metal) in zip(parts, batches, strict=True)]
        return self._derive(galaxies.to(self.device), torch.cat(sums)[order])

    def matrix_flop(self) -> float:
        """Floating-point operations of the matrix products for one galaxy of one log U, to compare with a peak rate."""
        columns = self.projector.size + 1
        stars = self.spectra.stars.shape[1] * columns * (2 if self.interpolate else 1)
        gas = 0 if self.spectra.gas is None else (len(self.spectra.gas.age_edges) - 1) * columns
        return 2.0 * (stars + gas + columns * 2 * len(self.passbands))

    def _arrange(self, galaxies: Galaxies) -> tuple[Galaxies, Tensor, list[tuple[slice, int]]]:
        """Galaxies in order of metallicity and redshift; how to undo it; batches of one metallicity, and its index."""
        galaxies = galaxies.to(self.device)
        metal = self._metal(galaxies.z_met)
        order = torch.argsort(galaxies.redshift.detach())
        order = order[torch.argsort(metal[order], stable=True)]
        batches, first = [], 0
        for m, count in enumerate(torch.bincount(metal).tolist()):
            pieces = -(-count // self.batch)  # of equal size, so that each spans little in redshift
            edges = [first + count * k // pieces for k in range(pieces + 1)] if pieces else []
            batches += [(slice(a, b), m) for a, b in pairwise(edges)]
            first += count
        return galaxies.take(order), torch.argsort(order), batches

    def _metal(self, z_met: Tensor) -> Tensor:
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

    def _check_redshift(self, redshift: Tensor) -> Tensor:
        redshift = redshift.to(dtype=torch.float64, device=self.device)
        outside = ~((redshift > 0) & (redshift <= self.z_max))
        if bool(outside.any()):
            raise RequestError(f"redshift = {redshift[outside][0].item():g}; accepted: above 0, up to {self.z_max:.4g}")
        return redshift

    def _weights(self, part: Galaxies) -> Tensor:
        """(n, T'), float64: fraction of the mass formed in each age bin."""
        assert part.history is not None
        edges = self.spectra.age_edges
        oldest = part.history.oldest().max().item()
        if oldest > edges[-1].item():
            raise RequestError(
                f"the oldest stars formed {oldest:.4g} Gyr ago; {self.stars.name} has ages up to {edges[-1]:.4g} Gyr"
            )
        return bin_weights(part.history, edges)

    def _mixture(self, part: Galaxies, metal: int) -> list[tuple[int, Tensor | None]]:
        """Which metallicities make up a batch of galaxies, and the share (n, 1) of each; None stands for all of it."""
        if not self.interpolate:
            return [(metal, None)]
        low, high = self.spectra.log_z[metal], self.spectra.log_z[metal + 1]
        share = ((torch.log(part.z_met) - low) / (high - low))[:, None]
        return [(metal, 1.0 - share), (metal + 1, share)]

    def _sums(self, part: Galaxies, metal: int, weights: Tensor) -> Tensor:
        """(n, 5), float64: what `derive` needs of a batch."""
        return _mixed([(weights, share, self.spectra.table[m]) for m, share in self._mixture(part, metal)])

    def _derive(self, galaxies: Galaxies, sums: Tensor) -> Derived:
        assert galaxies.history is not None
        used = galaxies.z_met if self.interpolate else torch.exp(self.spectra.log_z[self._metal(galaxies.z_met)])
        return derive(galaxies.history, used, sums)

    def _shine(self, part: Galaxies, metal: int, weights: Tensor, low: int, high: int) -> tuple[Tensor, Tensor]:
        """Light of a batch after dust: continuum (n, high - low) in Lsun/A and lines (n, L) in Lsun."""
        mixture = self._mixture(part, metal)
        formed = weights.float()
        flux = _mixed([(formed, share, self.spectra.stars[m, :, low:high]) for m, share in mixture])
        ebv = part.ebv.float()[:, None] * -MAG
        flux.mul_((ebv * self._stellar_curve(part, low, high)).exp_())
        gas = self.spectra.gas
        if gas is None:
            return flux, flux.new_zeros(len(flux), 0)
        young, ionisation = self._ionising(part, gas)
        terms = [(young, share, _at_logu(ionisation, gas.continuum[m, :, :, low:high])) for m, share in mixture]
        flux.addcmul_(_mixed(terms), (ebv * self._k_gas[low:high]).exp_())
        line = _mixed([(young, share, _at_logu(ionisation, gas.line[m])) for m, share in mixture])
        return flux, line * torch.exp(ebv * self._k_line)

    def _ionising(self, part: Galaxies, gas: Gas) -> tuple[Tensor, Tensor | None]:
        """Weights on the nebular grids, linear between values of log U.

        Where all galaxies have one log U: (n, A) on its ages, and (U,) on its log U. Otherwise (n, U A), and None.
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
        shares = torch.clamp(1.0 - torch.abs(logu[:, None] - gas.logu) / step, min=0.0)
        return (shares[:, :, None] * ages[:, None, :]).flatten(1).float(), None

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


def _mixed(terms: list[tuple[Tensor, Tensor | None, Tensor]]) -> Tensor:
    """Sum of weights @ table, each weighted by its share."""
    total = None
    for weights, share, table in terms:
        product = (weights if share is None else weights * share.to(weights.dtype)) @ table
        total = product if total is None else total + product
    assert total is not None
    return total


def _at_logu(shares: Tensor | None, table: Tensor) -> Tensor:
    """A nebular table (U, A, C) at one log U, (A, C), by shares (U,); or laid out for weights on all, (U A, C)."""
    if shares is None:
        return table.flatten(0, 1)
    return sum((shares[u] * table[u] for u in torch.nonzero(shares)[:, 0].tolist()), start=torch.zeros(()))


def _shares(galaxies: Galaxies, rows: Tensor) -> Tensor:
    """(M,), of the mass formed in the second populations of some rows."""
    assert galaxies.f_second is not None
    return galaxies.f_second[rows]


def _added(first: Tensor, second: Tensor, rows: Tensor, share: Tensor) -> Tensor:
    """Light (N, …) per solar mass formed, with that of second populations (M, …) in some rows."""
    share = share.reshape(-1, *[1] * (first.ndim - 1))
    return first.index_copy(0, rows, first[rows] * (1.0 - share) + second * share)
