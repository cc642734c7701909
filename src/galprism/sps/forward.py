"""The forward model: from the parameters of galaxies to their fluxes in any passbands at any redshift."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from galprism.errors import RequestError
from galprism.passbands import Passband
from galprism.sps.derived import mix_some
from galprism.sps.dust import Dust
from galprism.sps.galaxies import Derived, Galaxies, Observed, RestSED
from galprism.sps.light import RestLight
from galprism.sps.projection import Projector, flux_per_luminosity
from galprism.sps.ssp import SSPLibrary
from galprism.wavegrid import LogGrid

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
        if not passbands:
            raise RequestError("the forward model needs at least one passband")
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
        self.dust = dust or Dust()
        self.z_max = z_max
        self.device = torch.device(device)
        self.batch = batch or (512 if self.device.type == "cpu" else 16384)
        self.grid = LogGrid.covering(
            blue / (1.0 + z_max) * np.exp(-2.0 * d_ln_lambda), red * np.exp(d_ln_lambda), d_ln_lambda
        )
        self.light = RestLight(
            library,
            self.grid,
            device=self.device,
            nebular=nebular,
            dust=self.dust,
            metallicity=metallicity,
            batch=self.batch,
        )
        self.spectra = self.light.spectra
        self.projector = Projector(
            passbands, self.grid, self.light.line_wave, z_max=z_max, with_igm=igm, device=self.device
        )

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
        ordered, order, batches = self.light.arrange(galaxies)
        fluxes, sums = [], []
        for rows, metal in batches:
            part = ordered.take(rows)
            low, high = self.projector.columns(part.redshift[0].item(), part.redshift[-1].item())
            weights = self.light.weights(part)
            flux, line = self.light.shine(part, metal, weights, low, high)
            self.projector.absorb_(flux, line, low, part.redshift)
            fluxes.append(
                self.projector.continuum(flux, low, part.redshift) + self.projector.lines(line, part.redshift)
            )
            sums.append(self.light.sums(part, metal, weights))
        flux = torch.cat(fluxes).double() * (self.stars.lsun * flux_per_luminosity(ordered.redshift))[:, None]
        derived = self.light.derived(galaxies.to(self.device), torch.cat(sums)[order])
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
        ordered, order, batches = self.light.arrange(galaxies)
        parts = []
        for rows, metal in batches:
            part = ordered.take(rows)
            parts.append(self.light.shine(part, metal, self.light.weights(part), 0, self.grid.size))
        flux, line = (torch.cat(column)[order] for column in zip(*parts, strict=True))
        wave, line_wave = self.light.tensor(self.grid.wave), self.light.tensor(self.light.line_wave)
        return RestSED(wave=wave, flux=flux, line_wave=line_wave, line=line)

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
        ordered, order, batches = self.light.arrange(galaxies)
        parts = []
        for rows, metal in batches:
            part = ordered.take(rows)
            flux, line = self.light.shine(
                part, metal, self.light.weights(part), fixed.low, fixed.low + len(fixed.continuum)
            )
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
        ordered, order, batches = self.light.arrange(galaxies)
        parts = [ordered.take(rows) for rows, _ in batches]
        sums = [self.light.sums(p, metal, self.light.weights(p)) for p, (_, metal) in zip(parts, batches, strict=True)]
        return self.light.derived(galaxies.to(self.device), torch.cat(sums)[order])

    def matrix_flop(self) -> float:
        """Floating-point operations of the matrix products for one galaxy of one log U, to compare with a peak rate."""
        columns = self.projector.size + 1
        stars = self.spectra.stars.shape[1] * columns * (2 if self.light.interpolate else 1)
        gas = 0 if self.spectra.gas is None else (len(self.spectra.gas.age_edges) - 1) * columns
        return 2.0 * (stars + gas + columns * 2 * len(self.passbands))

    def _check_redshift(self, redshift: Tensor) -> Tensor:
        redshift = redshift.to(dtype=torch.float64, device=self.device)
        outside = ~((redshift > 0) & (redshift <= self.z_max))
        if bool(outside.any()):
            raise RequestError(f"redshift = {redshift[outside][0].item():g}; accepted: above 0, up to {self.z_max:.4g}")
        return redshift


def _shares(galaxies: Galaxies, rows: Tensor) -> Tensor:
    """(M,), of the mass formed in the second populations of some rows."""
    assert galaxies.f_second is not None
    return galaxies.f_second[rows]


def _added(first: Tensor, second: Tensor, rows: Tensor, share: Tensor) -> Tensor:
    """Light (N, …) per solar mass formed, with that of second populations (M, …) in some rows."""
    share = share.reshape(-1, *[1] * (first.ndim - 1))
    return first.index_copy(0, rows, first[rows] * (1.0 - share) + second * share)
