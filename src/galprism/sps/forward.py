"""The forward model: from the parameters of galaxies to their fluxes in any passbands at any redshift."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields

import numpy as np
import torch
from torch import Tensor

from galprism.errors import RequestError
from galprism.passbands import Passband
from galprism.sps.derived import derive
from galprism.sps.dust import Dust, bump, slope_norm
from galprism.sps.galaxies import Derived, Galaxies, Observed, RestSED
from galprism.sps.histories import bin_weights
from galprism.sps.library import SSPLibrary
from galprism.sps.projection import Projector, flux_per_luminosity
from galprism.sps.spectra import Gas, prepare
from galprism.sps.wavegrid import LogGrid

MAG = 0.4 * np.log(10.0)
Z_MAX = 10.0


class ForwardModel:
    """Light of galaxies in passbands; differentiable, in batches that stay in the processor's cache.

    Stars are a star-formation history times the SSPs of one metallicity; the gas around those younger than 10 Myr
    takes their ionising light and returns it as nebular continuum and lines; dust dims both, the intergalactic medium
    what is bluewards of Lyman alpha. Dust emission is left out (it matters redwards of rest-frame 2.5 um).

    library : SSPs; passbands : B of them; d_ln_lambda : width of the bins; nebular, igm : with or without;
    metallicity : "nearest" takes the SSPs of the nearest metallicity (in the logarithm), "interpolate" mixes the two
    that enclose it, linearly in ln Z; z_max : the highest redshift, as far as the library reaches when None.
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
        batch: int = 256,
    ):
        if metallicity not in ("nearest", "interpolate"):
            raise RequestError(f"metallicity = {metallicity!r}; accepted: nearest, interpolate")
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
        self.library = library
        self.passbands = tuple(passbands)
        self.dust = dust
        self.interpolate = metallicity == "interpolate"
        self.z_max = z_max
        self.batch = batch
        self.device = torch.device(device)
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
        self._redshift(galaxies.redshift)
        parts, order = [], []
        for index, metal in self._batches(galaxies):
            part = galaxies.take(index)
            low, high = self.projector.columns(part.redshift.min().item(), part.redshift.max().item())
            flux, line, derived = self._shine(part, metal, low, high)
            seen = self.projector.continuum(flux, low, part.redshift)
            if line is not None:
                seen = seen + self.projector.lines(line, part.redshift)
            scale = self.library.lsun * flux_per_luminosity(part.redshift)
            parts.append((seen.double() * scale[:, None], derived))
            order.append(index)
        back = torch.argsort(torch.cat(order))
        derived = _joined([d for _, d in parts], back)
        return Observed(flux=torch.cat([f for f, _ in parts])[back], **vars(derived))

    def rest_sed(self, galaxies: Galaxies) -> RestSED:
        """The light that leaves the galaxies: after dust, before the intergalactic medium; redshifts play no part."""
        parts, order = [], []
        for index, metal in self._batches(galaxies):
            flux, line, _ = self._shine(galaxies.take(index), metal, 0, self.grid.size)
            parts.append((flux, line if line is not None else flux.new_zeros(len(flux), 0)))
            order.append(index)
        back = torch.argsort(torch.cat(order))
        flux, line = (torch.cat([part[i] for part in parts])[back] for i in (0, 1))
        return RestSED(wave=self._wave, flux=flux, line_wave=self._line_wave, line=line)

    def project(self, sed: RestSED, redshift: Tensor) -> Tensor:
        """(N, B), nJy per solar mass formed: light from `rest_sed` as seen at `redshift` (N,)."""
        redshift = self._redshift(redshift)
        low, high = self.projector.columns(redshift.min().item(), redshift.max().item())
        seen = self.projector.continuum(sed.flux[:, low:high], low, redshift)
        if sed.line.shape[1]:
            seen = seen + self.projector.lines(sed.line, redshift)
        return seen.double() * (self.library.lsun * flux_per_luminosity(redshift))[:, None]

    def fluxes_at(self, galaxies: Galaxies, redshifts) -> Tensor:
        """(Z, N, B), nJy per solar mass formed: every galaxy at every one of `redshifts` (Z,).

        The galaxies' own redshifts play no part. The light is made once and projected Z times, a matrix product each.
        """
        redshifts = self._redshift(torch.as_tensor(redshifts, dtype=torch.float64))
        matrices = [self.projector.at(z) for z in redshifts.tolist()]
        scale = self.library.lsun * flux_per_luminosity(redshifts)
        parts, order = [], []
        low = min(m.low for m in matrices)
        high = max(m.low + len(m.continuum) for m in matrices)
        for index, metal in self._batches(galaxies):
            flux, line, _ = self._shine(galaxies.take(index), metal, low, high)
            seen = [flux[:, m.low - low : m.low - low + len(m.continuum)] @ m.continuum for m in matrices]
            if line is not None:
                seen = [s + line @ m.line for s, m in zip(seen, matrices, strict=True)]
            parts.append(torch.stack(seen).double() * scale[:, None, None])
            order.append(index)
        return torch.cat(parts, dim=1)[:, torch.argsort(torch.cat(order))]

    def derive(self, galaxies: Galaxies) -> Derived:
        """Masses, rates, ages and metallicities as `__call__` gives them, without making any light."""
        parts, order = [], []
        for index, metal in self._batches(galaxies):
            part = galaxies.take(index)
            parts.append(self._derive(part, metal, self._weights(part)))
            order.append(index)
        return _joined(parts, torch.argsort(torch.cat(order)))

    def _batches(self, galaxies: Galaxies) -> Iterator[tuple[Tensor, int]]:
        """Rows of galaxies of one metallicity (or between the same two), in order of redshift, and its index."""
        log_z = self.spectra.log_z
        wanted = torch.log(galaxies.z_met.detach())
        if bool(((wanted < log_z[0] - 1e-6) | (wanted > log_z[-1] + 1e-6)).any()):
            low, high = torch.exp(log_z[0]).item(), torch.exp(log_z[-1]).item()
            worst = torch.exp(wanted[torch.argmax(torch.abs(wanted - 0.5 * (log_z[0] + log_z[-1])))]).item()
            raise RequestError(f"z_met = {worst:g}; {self.library.name} has metallicities from {low:g} to {high:g}")
        bounds = log_z[1:-1] if self.interpolate else 0.5 * (log_z[1:] + log_z[:-1])
        metal = torch.bucketize(wanted, bounds, right=True)
        by_redshift = torch.argsort(galaxies.redshift.detach())
        order = by_redshift[torch.argsort(metal[by_redshift], stable=True)]
        counts = torch.bincount(metal, minlength=len(log_z)).tolist()
        for m, group in enumerate(torch.split(order, counts)):
            if len(group):
                for index in torch.split(group, self.batch):
                    yield index, m

    def _redshift(self, redshift: Tensor) -> Tensor:
        redshift = redshift.to(dtype=torch.float64, device=self.device)
        if bool(((redshift <= 0) | (redshift > self.z_max)).any()):
            bad = redshift[(redshift <= 0) | (redshift > self.z_max)][0].item()
            raise RequestError(f"redshift = {bad:g}; accepted: above 0, up to {self.z_max:.4g}")
        return redshift

    def _weights(self, part: Galaxies) -> Tensor:
        """(n, T'), float64: fraction of the mass formed in each age bin."""
        assert part.history is not None
        edges = self.spectra.age_edges
        oldest = part.history.oldest().max().item()
        if oldest > edges[-1].item():
            raise RequestError(
                f"the oldest stars formed {oldest:.4g} Gyr ago; {self.library.name} has ages up to {edges[-1]:.4g} Gyr"
            )
        return bin_weights(part.history, edges)

    def _mixture(self, part: Galaxies, metal: int) -> list[tuple[int, Tensor | None]]:
        """Which metallicities make up a batch of galaxies, and the share (n, 1) of each; None stands for all of it."""
        if not self.interpolate:
            return [(metal, None)]
        low, high = self.spectra.log_z[metal], self.spectra.log_z[metal + 1]
        share = ((torch.log(part.z_met) - low) / (high - low))[:, None]
        return [(metal, 1.0 - share), (metal + 1, share)]

    def _derive(self, part: Galaxies, metal: int, weights: Tensor) -> Derived:
        assert part.history is not None
        sums = _mixed([(weights, share, self.spectra.table[m]) for m, share in self._mixture(part, metal)])
        z_met = part.z_met if self.interpolate else torch.exp(self.spectra.log_z[metal]).expand(len(part))
        return derive(part.history, z_met, sums)

    def _shine(self, part: Galaxies, metal: int, low: int, high: int) -> tuple[Tensor, Tensor | None, Derived]:
        """Light of a batch after dust: continuum (n, high - low), lines (n, L) or None; and derived quantities."""
        weights = self._weights(part)
        derived = self._derive(part, metal, weights)
        mixture = self._mixture(part, metal)
        stars = _mixed([(weights.float(), share, self.spectra.stars[m, :, low:high]) for m, share in mixture])
        ebv = part.ebv.float()[:, None] * -MAG
        flux = stars * torch.exp(ebv * self._stellar_curve(part, low, high))
        gas = self.spectra.gas
        if gas is None:
            return flux, None, derived
        assert part.history is not None
        young = self._ionising(part, gas)
        continuum = _mixed([(young, share, gas.continuum[m].flatten(0, 1)[:, low:high]) for m, share in mixture])
        line = _mixed([(young, share, gas.line[m].flatten(0, 1)) for m, share in mixture])
        flux = flux + continuum * torch.exp(ebv * self._k_gas[low:high])
        return flux, line * torch.exp(ebv * self._k_line), derived

    def _ionising(self, part: Galaxies, gas: Gas) -> Tensor:
        """(n, U A), float32: weights of the nebular grids, linear between values of log U."""
        assert part.history is not None
        logu = torch.as_tensor(part.logu)
        if bool(((logu < gas.logu[0]) | (logu > gas.logu[-1])).any()):
            raise RequestError(
                f"logu from {logu.min():g} to {logu.max():g}; accepted: {gas.logu[0]:g} to {gas.logu[-1]:g}"
            )
        ages = bin_weights(part.history, gas.age_edges)
        step = gas.logu[1] - gas.logu[0]
        ionisation = torch.clamp(1.0 - torch.abs(logu[:, None] - gas.logu) / step, min=0.0)
        return (ionisation[:, :, None] * ages[:, None, :]).flatten(1).float()

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


def _joined(parts: Sequence[Derived], order: Tensor) -> Derived:
    return Derived(**{f.name: torch.cat([getattr(p, f.name) for p in parts])[order] for f in fields(Derived)})
