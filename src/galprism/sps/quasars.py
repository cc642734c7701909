"""The light of quasars: a parametric spectrum after Temple, Hewett & Banerji (2021, MNRAS 508, 737), seen in passbands.

Names such as plslp1 are those of the parameters in that paper and its model, qsogen, whose values of 25 June 2021 these
are: fitted to the median colours of SDSS quasars in ugriz, YJHK, W1 and W2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from galprism.cosmology import PARSEC_CM
from galprism.errors import RequestError
from galprism.passbands import Passband
from galprism.sps.projection import Projector, flux_per_luminosity
from galprism.sps.quasar_lines import STRONGEST, WEAKEST, emission
from galprism.units import LIGHT_SPEED_ANGSTROM_PER_S
from galprism.wavegrid import LogGrid

PIVOT = 2500.0
"""Angstrom: where M_i(z=2) is measured in the rest frame, and about which the continuum tilts."""
WINDOW = (2300.0, 2730.0)
"""Angstrom: what the SDSS i band, 6900 to 8190 A at half its peak, sees of a quasar at z = 2."""
LYMAN_LIMIT = 912.0
"""Angstrom: bluewards there is no light, as though all quasars had a Lyman-limit system (their lylim)."""
BREAKS = (1200.0, 3880.0)
"""Angstrom: where the slope of the continuum changes (plbrk3, plbrk1)."""
SLOPES = (-1.349, -0.349, 0.593)
"""alpha of f_nu ~ nu^alpha bluewards of, between and redwards of the breaks (plslp1 + plstep, plslp1, plslp2)."""
DUST_TEMPERATURE = 1243.6
"""K, of the hot dust (tbb)."""
DUST_NORM = 3.961
"""f_nu of the hot dust at 2 um over that of the power law at 5500 A (bbnorm)."""
HC_OVER_K = 1.43877735e8
"""Angstrom K."""
M_1450_MINUS_M_I = 1.486
"""M_1450 - M_i(z=2), for alpha = -0.5 (Richards et al. 2006; Ross et al. 2013, ApJ 773, 14)."""
OPTICAL = (4000.0, 5000.0)
"""Angstrom: where the light of a host is compared with its quasar's (Temple et al. 2021)."""
MAG = 0.4 * np.log(10.0)

# A / E(B-V) bluewards of 1950 A, of the extinction curve of quasars published with Temple et al. (2021).
_EXTINCTION_WAVE = np.array(
    [500, 600, 700, 800, 900, 1000, 1100, 1200, 1300, 1400, 1500, 1600, 1700, 1800, 1900, 1950], float
)
_EXTINCTION = np.array(
    [
        *(29.1623, 25.1020, 22.1524, 19.9081, 18.1403, 16.7103, 15.5284, 14.5345),
        *(13.6864, 12.9538, 12.3144, 11.7511, 11.2510, 10.8038, 10.4015, 10.2150),
    ]
)


def extinction(wave) -> np.ndarray:
    """A(lambda) / E(B-V) of the dust in quasars at `wave` in Angstrom (Temple et al. 2021), R_V = 3.1.

    Much like the Small Magellanic Cloud's, without a bump at 2175 A: 3.1 (lambda / 5500 A)^-1.15 redwards of 1950 A,
    and a table bluewards, straight in the logarithms; extended by its ends.
    """
    wave = np.asarray(wave, float)
    blue = np.exp(np.interp(np.log(wave), np.log(_EXTINCTION_WAVE), np.log(_EXTINCTION)))
    return np.where(wave < _EXTINCTION_WAVE[-1], blue, 3.1 * (wave / 5500.0) ** -1.15)


def disc(wave) -> np.ndarray:
    """f_lambda of the power laws at `wave` in Angstrom, 1 at 2500 A (Temple et al. 2021)."""
    wave = np.asarray(wave, float)
    blue, red = BREAKS
    far, near, optical = (-2.0 - slope for slope in SLOPES)
    return np.select(
        [wave < blue, wave < red],
        [(blue / PIVOT) ** near * (wave / blue) ** far, (wave / PIVOT) ** near],
        (red / PIVOT) ** near * (wave / red) ** optical,
    )


def hot_dust(wave) -> np.ndarray:
    """f_lambda of the black body of hot dust, in units of `disc` (Temple et al. 2021)."""
    wave = np.asarray(wave, float)
    with np.errstate(over="ignore"):
        shape = 1.0 / (wave**5 * np.expm1(HC_OVER_K / (DUST_TEMPERATURE * wave)))
    at_norm = 1.0 / (2e4**5 * np.expm1(HC_OVER_K / (DUST_TEMPERATURE * 2e4)))
    return shape / at_norm * DUST_NORM * disc(5500.0) * (5500.0 / 2e4) ** 2


def luminosity(m_i) -> np.ndarray:
    """L_lambda at 2500 A in erg/s/A of quasars of M_i(z=2) (Richards et al. 2006, AJ 131, 2766, eq. 4)."""
    f_nu = 10.0 ** (-0.4 * (np.asarray(m_i, float) + 48.6 + 2.5 * np.log10(3.0)))
    return 4.0 * np.pi * (10.0 * PARSEC_CM) ** 2 * f_nu * LIGHT_SPEED_ANGSTROM_PER_S / PIVOT**2


@dataclass(frozen=True, eq=False)
class Nuclei:
    """N quasars without their hosts; every field is (N,) float64."""

    redshift: np.ndarray
    """Above 0."""
    m_i: np.ndarray
    """M_i(z=2), AB: the absolute i magnitude K-corrected to z = 2, lines included, before dust and of the mean slope
    (Ross et al. 2013)."""
    slope: np.ndarray
    """What is added to alpha of f_nu ~ nu^alpha everywhere."""
    lines: np.ndarray
    """Type of the lines, from -2 (weak, blueshifted) to 3 (strong, symmetric), see `quasar_lines.line_type`."""
    ebv: np.ndarray
    """Colour excess of the dust before the nucleus, mag."""

    def __post_init__(self) -> None:
        for f in fields(self):
            value = np.asarray(getattr(self, f.name), float)
            if value.ndim != 1 or len(value) != len(self.redshift):
                raise RequestError(f"nuclei: {f.name} has shape {value.shape}; expected ({len(self.redshift)},)")
            if not np.isfinite(value).all():
                raise RequestError(f"nuclei: {f.name} is not finite somewhere")
            object.__setattr__(self, f.name, value)
        for name, low, high in (("redshift", 0.0, np.inf), ("ebv", 0.0, np.inf), ("lines", WEAKEST, STRONGEST)):
            value = getattr(self, name)
            if np.any((value < low) | (value > high)):
                worst = value[(value < low) | (value > high)][0]
                raise RequestError(f"nuclei: {name} = {worst:g}; accepted: {low:g} to {high:g}")

    def __len__(self) -> int:
        return len(self.redshift)

    def take(self, rows) -> Nuclei:
        """The quasars of `rows`."""
        return Nuclei(*(getattr(self, f.name)[rows] for f in fields(self)))


class QuasarModel:
    """Light of quasars in passbands: power laws, hot dust, emission lines and dust of Temple, Hewett & Banerji (2021).

    f = [disc (lambda / 2500 A)^-slope + hot dust] (1 + lines) 10^(-0.4 E(B-V) k), dimmed by the intergalactic medium.
    The hot dust is lit by the whole continuum and does not tilt with it. Lines of extreme types that would take more
    light than there is take all of it, as in the paper's own code. All of it is scaled to what M_i(z=2) says of the
    light of a quasar of that type and the mean slope.

    passbands : B of them; z_max : the highest redshift; d_ln_lambda : width of the bins; lines, dust, igm : with or
    without emission lines, hot dust, intergalactic medium; batch : quasars at a time. Raises RequestError where there
    is no passband or z_max is not above 0.
    """

    def __init__(
        self,
        passbands: Sequence[Passband],
        z_max: float = 7.0,
        *,
        d_ln_lambda: float = 0.002,
        lines: bool = True,
        dust: bool = True,
        igm: bool = True,
        batch: int = 512,
    ):
        if not passbands:
            raise RequestError("the quasar model needs at least one passband")
        if not z_max > 0:
            raise RequestError(f"z_max = {z_max:g}; accepted: above 0")
        blue, red = min(p.wave[0] for p in passbands), max(p.wave[-1] for p in passbands)
        self.z_max = z_max
        self.batch = batch
        self.grid = LogGrid.covering(
            min(blue / (1.0 + z_max), WINDOW[0]) * np.exp(-2.0 * d_ln_lambda),
            max(red, OPTICAL[1]) * np.exp(d_ln_lambda),
            d_ln_lambda,
        )
        self.projector = Projector(passbands, self.grid, np.empty(0), z_max=z_max, with_igm=igm, device="cpu")
        wave = self.grid.wave
        typical, contrast = emission(self.grid.edges) if lines else (np.zeros_like(wave), np.zeros_like(wave))
        dark = np.where(wave < LYMAN_LIMIT, -np.inf, 0.0)
        self._log_disc, self._log_wave = _tensor(np.log(disc(wave)) + dark), _tensor(np.log(wave / PIVOT))
        self._hot = _tensor(hot_dust(wave) if dust else np.zeros_like(wave))
        self._extinction = _tensor(MAG * extinction(wave))
        self._lines, self._contrast = _tensor(1.0 + typical), _tensor(contrast)
        seen = (wave > WINDOW[0]) & (wave < WINDOW[1])
        per_nu = disc(wave[seen]) * (wave[seen] / PIVOT) ** 2
        self._scale = np.mean(per_nu * (1.0 + typical[seen])), np.mean(per_nu * contrast[seen])

    def __call__(self, nuclei: Nuclei) -> np.ndarray:
        """(N, B), float64: flux densities in nJy. Raises RequestError for a redshift that is 0 or above z_max."""
        outside = ~((nuclei.redshift > 0) & (nuclei.redshift <= self.z_max))
        if outside.any():
            raise RequestError(f"redshift = {nuclei.redshift[outside][0]:g}; accepted: above 0, up to {self.z_max:g}")
        order = np.argsort(nuclei.redshift, kind="stable")
        seen = np.empty((len(nuclei), self.projector.bands))
        for first in range(0, len(nuclei), self.batch):
            rows = order[first : first + self.batch]
            part = nuclei.take(rows)
            redshift = torch.as_tensor(part.redshift)
            low, high = self.projector.columns(part.redshift[0], part.redshift[-1])
            flux = self._shape(part, low, high)
            self.projector.absorb_(flux, flux.new_zeros(len(part), 0), low, redshift)
            scale = self._luminosity(part) * flux_per_luminosity(redshift).numpy()
            seen[rows] = self.projector.continuum(flux, low, redshift).double().numpy() * scale[:, None]
        return seen

    def rest_sed(self, nuclei: Nuclei) -> tuple[np.ndarray, np.ndarray]:
        """Wavelengths (W,) in Angstrom in vacuum, and L_lambda (N, W) in erg/s/A in the rest frame.

        Bin averages after dust and before the intergalactic medium; redshifts play no part.
        """
        shape = self._shape(nuclei, 0, self.grid.size).double().numpy()
        return self.grid.wave, shape * self._luminosity(nuclei)[:, None]

    def optical_luminosity(self, nuclei: Nuclei) -> np.ndarray:
        """(N,), erg/s/A: mean L_lambda from 4000 to 5000 A before dust, which host galaxies are measured against."""
        low, high = (self.grid.index(wave) for wave in OPTICAL)
        bare = Nuclei(nuclei.redshift, nuclei.m_i, nuclei.slope, nuclei.lines, np.zeros(len(nuclei)))
        width = np.diff(self.grid.edges[low : high + 1])
        shape = self._shape(bare, low, high).double().numpy()
        return shape @ (width / width.sum()) * self._luminosity(nuclei)

    def _luminosity(self, nuclei: Nuclei) -> np.ndarray:
        """(N,), erg/s/A: L_lambda of the power law at 2500 A."""
        return luminosity(nuclei.m_i) / (self._scale[0] + nuclei.lines * self._scale[1])

    def _shape(self, nuclei: Nuclei, low: int, high: int) -> Tensor:
        """(n, high - low), float32: f_lambda on rest bins [low, high), for a power law of 1 at 2500 A before dust."""
        bins = slice(low, high)
        slope, lines, ebv = (_tensor(column)[:, None] for column in (nuclei.slope, nuclei.lines, nuclei.ebv))
        flux = (self._log_disc[bins] - slope * self._log_wave[bins]).exp_().add_(self._hot[bins])
        flux.mul_(torch.addcmul(self._lines[bins], lines, self._contrast[bins]).clamp_(min=0.0))
        reddened = nuclei.ebv > 0
        if reddened.any():
            flux[reddened] *= torch.exp(-ebv[reddened] * self._extinction[bins])
        return flux


def _tensor(array) -> Tensor:
    return torch.as_tensor(np.ascontiguousarray(array), dtype=torch.float32)
