"""Spectra of the galaxies of a simulated field, before any noise.

Bulge and disc are populations of their own, each with the share of its light that falls into the fibre and the motions
of its stars; the gas shines by itself. On pixels even in ln wavelength galaxies are products of weights and of a
library's spectra, behind dust, moved and broadened by `broadening`, with lines integrated over pixels.

Stars of a library have its line-spread function already: they are broadened by what the instrument's and their motions
have more of variance. Where the library is coarser than both together, its lines stay as they are: `lsf_short` is the
part of the pixels where that is so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from galprism.cosmology import LIGHT_SPEED_KM_PER_S
from galprism.errors import RequestError
from galprism.mocks.described import weighted
from galprism.mocks.population import source_rng
from galprism.mocks.sky.bodies import Bodies
from galprism.mocks.sky.members import Shapes
from galprism.mocks.sky.patch import Patch
from galprism.mocks.spectra.broadening import MARGIN, Broadening
from galprism.mocks.spectra.config import SpectrumConfig
from galprism.mocks.spectra.fibre import fibre_shares
from galprism.mocks.spectra.instrument import STEP, instrument
from galprism.mocks.spectra.lines import drawn_lines
from galprism.mocks.spectra.motions import Motions, motions
from galprism.mocks.spectra.resolution import library_sigma
from galprism.sps import Derived, Galaxies, SSPLibrary, mix
from galprism.sps.light import RestLight
from galprism.sps.projection import flux_per_luminosity
from galprism.wavegrid import LogGrid

BATCH = 128
"""Galaxies at a time."""
UNIT = 1e17
"""What fluxes in erg/s/cm2/A are multiplied by."""
STREAM = 42
"""Sets the random numbers of motions apart from others of the same seed and id."""
PIXEL = STEP * LIGHT_SPEED_KM_PER_S
"""km/s."""
VALUES = (
    *("log_age_lw", "logzsol_lw", "mean_log_age_lw", "mean_logzsol_lw", "log_age_mw", "logzsol_mw"),
    *("logmstar", "dispersion", "dispersion_gas", "lsf_short"),
)
OF_FIBRE = ("mean_log_age_lw", "mean_logzsol_lw")
"""Of VALUES, what is asked of the light in a fibre."""


@dataclass(frozen=True, eq=False)
class SimulatedSpectra:
    """Spectra of N galaxies in L pixels, without noise, and what is true of the light in them."""

    id: np.ndarray
    """(N,), of the patch's sources."""
    redshift: np.ndarray
    """(N,)."""
    wave: np.ndarray
    """(L,), Angstrom, in vacuum, observed."""
    flux: np.ndarray
    """(N, L), float32, 1e-17 erg/s/cm2/A."""
    lsf_sigma: np.ndarray
    """(L,), Angstrom, standard deviation of the line-spread function."""
    fibre_share: np.ndarray
    """(N, 2), of the light of bulge and disc, that is in the fibre."""
    values: dict[str, np.ndarray]
    """(N,) by VALUES, of the light in the fibre: ages and metallicities as galprism.params has them, and means of
    logarithms; log10 of the stellar mass; km/s of the stars, by the light at 5500 A, and of the gas."""

    def __len__(self) -> int:
        return len(self.id)

    def take(self, rows) -> SimulatedSpectra:
        """The galaxies of `rows`."""
        values = {name: value[rows] for name, value in self.values.items()}
        own = (self.id[rows], self.redshift[rows], self.wave, self.flux[rows], self.lsf_sigma)
        return SimulatedSpectra(*own, self.fibre_share[rows], values)


class SpectrumModel:
    """Spectra of galaxies made of a library's stars."""

    def __init__(self, library: SSPLibrary, config: SpectrumConfig | None = None):
        """library : with nebular grids

        Raises RequestError for wavelengths that the library, at `config.farthest`, or SDSS lacks.
        """
        self.config = config or SpectrumConfig()
        self.instrument = instrument(self.config)
        wave = self.instrument.wave
        room = np.exp((MARGIN + 2) * STEP)
        grid = LogGrid.covering(wave[0] / (1.0 + self.config.farthest) / room, wave[-1] * room, STEP)
        self.light = RestLight(library, grid, metallicity="interpolate", batch=2 * BATCH, sharp=True)
        self.broadening = Broadening(len(wave))
        self._library_variance = self.light.tensor((library_sigma(library, grid.wave) / grid.wave / STEP) ** 2)
        self._lsf_variance = self.light.tensor(self.instrument.lsf**2)
        self._width = self.light.tensor(self.instrument.width)
        self._first = float(np.log(wave[0]))

    def __call__(self, patch: Patch, *, seed: int, rows: np.ndarray | slice | None = None) -> SimulatedSpectra:
        """Spectra of the galaxies of a patch, or of `rows` of it.

        What scatters follows from `seed` and a source's id; to float32's rounding its spectrum is the same however many
        are taken at once.

        Raises RequestError for sources that are no galaxies of a field, and for redshifts beyond `config.farthest`.
        """
        some = patch.take(np.arange(len(patch))[slice(None) if rows is None else rows])
        bodies = self._checked(some)
        flux, share, values = self.of_bodies(bodies, some.members.shapes, scatter(some.id, seed))
        return SimulatedSpectra(
            some.id, bodies.redshift, self.instrument.wave, flux, self.instrument.lsf_sigma, share, values
        )

    def of_bodies(
        self, bodies: Bodies, shapes: Shapes, normal: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """Spectra (N, L), shares (N, 2) and values (N,) of SimulatedSpectra, of galaxies in any order.

        normal : (N, 2), standard normal numbers, of the scatter of motions
        """
        share = fibre_shares(shapes, diameter=self.config.fibre, seeing=self.config.seeing, beta=self.config.beta)
        moving = motions(bodies, shapes, normal, self.config)
        order = np.argsort(bodies.redshift)
        flux = np.empty((len(bodies), len(self.instrument.wave)), np.float32)
        values = {name: np.empty(len(bodies)) for name in VALUES}
        for start in range(0, len(order), BATCH):
            part = order[start : start + BATCH]
            flux[part], found = self._made(
                bodies.take(part), share[part], Motions(moving.stars[part], moving.gas[part])
            )
            for name, value in found.items():
                values[name][part] = value
        return flux, share, values

    def matrix_flop(self) -> float:
        """Floating-point operations of the matrix products for one galaxy, to compare with a peak rate."""
        spectra = self.light.spectra
        gas = 0 if spectra.gas is None else (len(spectra.gas.age_edges) - 1) * len(spectra.gas.logu)
        return 2.0 * 2.0 * 2.0 * (spectra.stars.shape[1] + gas) * (len(self.instrument.wave) + 2 * MARGIN)

    def _checked(self, patch: Patch) -> Bodies:
        bodies = patch.members.bodies
        known = np.zeros(len(patch), bool) if bodies is None else bodies.known
        if not known.all():
            raise RequestError(
                f"{np.sum(~known)} of {len(patch)} sources are no galaxies whose stars are known, the first of id "
                f"{patch.id[~known][0]}; accepted: galaxies of a field (patch.classes tells which they are)"
            )
        assert bodies is not None or not len(patch)
        if bodies is None:
            return Bodies.unknown(0)
        beyond = bodies.redshift > self.config.farthest
        if beyond.any():
            raise RequestError(
                f"redshift = {bodies.redshift[beyond][0]:.4g}; accepted: up to spectra.farthest = "
                f"{self.config.farthest:g}"
            )
        return bodies

    def _made(self, bodies: Bodies, share: np.ndarray, moving: Motions) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """(n, L) spectra and their values."""
        n, size = len(bodies), len(self.instrument.wave)
        redshift = torch.from_numpy(bodies.redshift)
        place = (
            self._first - torch.log1p(redshift) - self.light.grid.start
        ) / STEP  # of the first pixel, in the grid's
        base = torch.floor(place).long()
        low, high = int(base.min()) - MARGIN, int(base.max()) + size + MARGIN
        stars, lines, derived = self._populations(bodies, low, high)
        mstar = derived.mstar.view(2, n).T.numpy()
        formed = bodies.formed(mstar) * share
        level = torch.from_numpy(formed) * (self.light.stars.lsun * UNIT * flux_per_luminosity(redshift))[:, None]
        stars = stars.view(2, n, -1) * (level / (1.0 + redshift)[:, None]).T.float()[..., None]
        window = (base - MARGIN - low)[:, None] + torch.arange(size + 2 * MARGIN)
        seen = torch.stack([each.gather(1, window) for each in stars], dim=1)
        sigma2 = torch.from_numpy((moving.stars / PIXEL) ** 2).float()
        more, short = self._more(base, sigma2, formed > 0)
        flux = self.broadening(seen, (place - base).float(), sigma2, more)
        of_lines = (lines.view(2, n, -1) * level.T[..., None]).sum(0)
        flux += self._of_gas(of_lines, redshift, moving.gas)
        return flux.numpy(), self._values(derived, formed, mstar, moving, short)

    def _populations(self, bodies: Bodies, low: int, high: int) -> tuple[Tensor, Tensor, Derived]:
        """Light after dust of bulges and then discs, on the grid from `low` to `high`, per solar mass formed."""
        galaxies = Galaxies.from_numpy(**bodies.populations())
        ordered, back, batches = self.light.arrange(galaxies)
        order = torch.argsort(back)
        stars = torch.empty(len(galaxies), high - low)
        lines = torch.empty(len(galaxies), len(self.light.line_wave))
        sums = []
        for rows, metal in batches:
            part = ordered.take(rows)
            weights = self.light.weights(part)
            stars[order[rows]], lines[order[rows]] = self.light.shine(part, metal, weights, low, high)
            sums.append(self.light.sums(part, metal, weights))
        return stars, lines, self.light.derived(galaxies, torch.cat(sums)[back])

    def _more(self, base: Tensor, sigma2: Tensor, there: np.ndarray) -> tuple[Tensor, Tensor]:
        """(n, L), pixels squared, that the instrument has more of variance than the library, and not less than
        the motions can make up for; (n,), the part of the pixels where it would be."""
        window = base[:, None] + torch.arange(len(self._lsf_variance))
        more = self._lsf_variance - self._library_variance[window]
        least = -torch.where(torch.from_numpy(there), sigma2, torch.inf).amin(1, keepdim=True)
        return torch.maximum(more, least), (more < least).double().mean(1)

    def _of_gas(self, flux: Tensor, redshift: Tensor, dispersion: np.ndarray) -> Tensor:
        """(n, L): lines of fluxes (n, lines) in units of 1e-17 erg/s/cm2."""
        wave = torch.from_numpy(np.log(self.light.line_wave) - self._first)
        place = (wave + torch.log1p(redshift)[:, None]) / STEP
        at = torch.clamp(torch.round(place).long(), 0, len(self._lsf_variance) - 1)
        sigma = torch.sqrt(self._lsf_variance[at] + torch.from_numpy((dispersion / PIXEL) ** 2).float()[:, None])
        return drawn_lines(flux, place, sigma, self._width)

    def _values(
        self, derived: Derived, formed: np.ndarray, mstar: np.ndarray, moving: Motions, short: Tensor
    ) -> dict[str, np.ndarray]:
        n = len(formed)
        total = formed.sum(axis=1)
        parts = [Derived(**{name: value[k * n : (k + 1) * n] for name, value in vars(derived).items()}) for k in (0, 1)]
        whole = mix(parts, torch.from_numpy(formed / total[:, None]))
        light = formed * derived.light.view(2, n).T.numpy()
        return {
            **weighted(whole),
            "mean_log_age_lw": whole.mean_log_age_lw.numpy(),
            "mean_logzsol_lw": whole.mean_logzsol_lw.numpy(),
            "logmstar": np.log10((formed * mstar).sum(axis=1)),
            "dispersion": np.sqrt((light * moving.stars**2).sum(axis=1) / light.sum(axis=1)),
            "dispersion_gas": moving.gas,
            "lsf_short": short.numpy(),
        }


def scatter(ident: np.ndarray, seed: int) -> np.ndarray:
    """(N, 2), standard normal numbers of each id."""
    return np.array([source_rng(seed, int(one), STREAM).standard_normal(2) for one in ident]).reshape(-1, 2)
