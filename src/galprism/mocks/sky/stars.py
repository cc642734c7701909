"""The stars of a field: dwarfs, giants, white dwarfs and unresolved binaries of the discs and the halo, to a limit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

from galprism.errors import RequestError
from galprism.mocks.sky import star_counts
from galprism.mocks.sky.field_config import StarConfig
from galprism.mocks.sky.members import Members, Shapes
from galprism.mocks.sky.milky_way import Density, Disc, Halo, Volume
from galprism.passbands import get
from galprism.sps.star_colours import CoolingSequence, absolute_r, giant_g_i, white_dwarfs
from galprism.sps.star_spectra import load_star_spectra
from galprism.sps.stars import StarModel
from galprism.surveys import Survey
from galprism.units import abmag_from_njy

POINTS = 2**14
"""Stars that stand for each group of them; a power of 2 (Sobol numbers)."""
BROAD = 0.1
"""Share of a group's points that follow the luminosity function and not what is seen to the limit."""
FEH_RANGE = (-2.5, 0.2)
"""[Fe/H] of the absolute magnitudes (Ivezic et al. 2008, eq. A2); the few drawn beyond take the end."""
DISC_FEH = (-0.82, 0.55, 500.0, 0.20)
"""Median [Fe/H] of the discs, -0.82 + 0.55 exp(-|Z| / 500 pc), and its scatter (Ivezic et al. 2008, ApJ 684,
287); each disc has that of its own scale height."""
HALO_FEH = (-1.46, 0.30)
"""[Fe/H] of the halo and its scatter (Ivezic et al. 2008)."""
TURN_OFF = {"young disc": 0.0, "thin disc": 0.0, "thick disc": 0.45, "halo": 0.28}
"""g-i bluewards of which a component has no dwarfs: near g-r = 0.33 of the thick disc (Chen et al. 2001, ApJ
553, 184) and 0.2 of the halo (Bell et al. 2008, ApJ 680, 295)."""
YOUNG = 4.0
"""M_r above which dwarfs outlive the disc; brighter ones of the thin disc have the height of young stars."""
WHITE_DWARF_AGES = (1e5, 1e10)
"""yr: white dwarfs have formed at a constant rate since the latter; those younger than the former, 1e-5 of all, are
left out."""


@dataclass(frozen=True, eq=False)
class Component:
    """Stars with one distribution in space and one in metallicity."""

    name: str
    density: Density
    fraction: float
    """Its number of stars at the Sun, the thin disc's being 1."""
    feh: float
    feh_scatter: float


@dataclass(frozen=True, eq=False)
class Group:
    """P points that stand for the stars of one class in one component."""

    kind: np.ndarray
    """(P,), text."""
    flux: np.ndarray
    """(P, B), nJy at 10 pc, before extinction by the Milky Way."""
    density: np.ndarray
    """(P,), stars per pc^3 at the Sun that each stands for."""


def components(config: StarConfig) -> tuple[Component, ...]:
    """The young, the thin and the thick disc, and the halo."""
    far, more, height, scatter = DISC_FEH

    def disc(name: str, length: float, own_height: float, fraction: float) -> Component:
        return Component(name, Disc(length, own_height), fraction, far + more * np.exp(-own_height / height), scatter)

    halo = Halo(config.halo_slope, config.halo_flattening, config.halo_outer_slope, config.halo_break)
    return (
        disc("young disc", config.thin_length, config.young_height, 1.0),
        disc("thin disc", config.thin_length, config.thin_height, 1.0),
        disc("thick disc", config.thick_length, config.thick_height, config.thick_fraction),
        Component("halo", halo, config.halo_fraction, *HALO_FEH),
    )


class Stars:
    """The stars of a field, between `config.bright` and `limit` AB mag in `band` of a survey.

    Each class of stars in each component is a group of points, spread over its luminosities, metallicities, companions
    or ages by Sobol numbers and each worth a density at the Sun; a star is a point of these and a distance, drawn from
    the volume within which the point is between the limits. So `surface_density` is a sum, and `patch` rejects nothing.
    The points are the same at every call: randomness is in `rng` alone.

    Raises RequestError for a band that the survey lacks, and a limit that is not fainter than `config.bright`.
    """

    def __init__(self, config: StarConfig, survey: Survey, band: str, limit: float):
        if band not in survey.band_names:
            raise RequestError(f"band {band!r}; accepted: a band of {survey.name}, {', '.join(survey.band_names)}")
        if not config.bright < limit:
            raise RequestError(f"limit {limit} in {band}; accepted: fainter than field.stars.bright = {config.bright}")
        self.config = config
        self._limit, self._band = limit, survey.band_names.index(band)
        self._model = StarModel(
            [get(one.passband) for one in survey.bands], load_star_spectra(config.spectra) if config.spectra else None
        )
        self._dimming = 10 ** (-0.4 * config.ebv * np.array([one.extinction for one in survey.bands]))
        parts: list[tuple[Group, Volume]] = []
        for number, component in enumerate(components(config)):
            volume = Volume(component.density, config.longitude, config.latitude)
            makers = (self._dwarfs, self._giants, self._white_dwarfs)
            for make in makers[:1] if component.name == "young disc" else makers:
                parts.append((make(component, volume, seed=number), volume))
        self._kind = np.concatenate([group.kind for group, _ in parts])
        self._flux = np.concatenate([group.flux for group, _ in parts]) * self._dimming
        self._volumes = [volume for _, volume in parts]
        self._part = np.repeat(np.arange(len(parts)), [len(group.kind) for group, _ in parts])
        absolute = abmag_from_njy(self._flux[:, self._band])
        self._near, self._far = self._by_part(config.bright - absolute), self._by_part(limit - absolute)
        per_deg2 = np.concatenate([group.density for group, _ in parts]) * (self._far - self._near)
        self._cumulative = config.normalisation * np.cumsum(per_deg2)

    def surface_density(self) -> float:
        """Stars per deg^2 between the limits."""
        return float(self._cumulative[-1])

    def patch(self, area: float, rng: np.random.Generator) -> Members:
        """A Poisson draw of the stars on `area` deg^2, in random order; kind is "dwarf", "giant", "white dwarf" or
        "binary"."""
        if not (np.isfinite(area) and area >= 0):
            raise RequestError(f"area {area} deg^2; accepted: zero or more")
        n = rng.poisson(area * self.surface_density())
        rows = np.searchsorted(self._cumulative, rng.random(n) * self._cumulative[-1], side="right")
        near, far = self._near[rows], self._far[rows]
        volume = near + (far - near) * (1.0 - rng.random(n))
        modulus = np.empty(n)
        for number, one in enumerate(self._volumes):
            own = self._part[rows] == number
            modulus[own] = one.modulus(volume[own])
        point = self._flux[rows] * 10 ** (-0.4 * modulus)[:, None]
        nothing = np.zeros_like(point)
        return Members(np.zeros(n), point, nothing, nothing, Shapes.of_points(n), kind=self._kind[rows])

    def _by_part(self, modulus: np.ndarray) -> np.ndarray:
        """Each point's volume to a modulus."""
        return np.concatenate([one(modulus[self._part == number]) for number, one in enumerate(self._volumes)])

    def _dwarfs(self, component: Component, volume: Volume, seed: int) -> Group:
        """Main-sequence stars, alone or with a fainter one."""
        low, high = star_counts.dwarf_range()
        if component.name == "young disc":
            high = YOUNG
        elif component.name == "thin disc":
            low = YOUNG
        grid = np.linspace(low, high, 400)
        g_i = star_counts.dwarf_g_i(grid, np.full(len(grid), component.feh))
        seen = np.flatnonzero(np.isfinite(g_i) & (g_i >= TURN_OFF[component.name]))
        grid, g_i = grid[seen], g_i[seen]
        phi = component.fraction * star_counts.dwarf_density(grid)
        u = qmc.Sobol(4, seed=seed).random(POINTS)
        m_r, density = self._spread(u[:, 0], grid, phi, self._model.dwarfs(grid, g_i, component.feh), volume)
        feh = np.clip(component.feh + component.feh_scatter * ndtri(u[:, 1]), *FEH_RANGE)
        g_i = star_counts.dwarf_g_i(m_r, feh)
        on = np.isfinite(g_i) & (g_i >= TURN_OFF[component.name])
        m_r, g_i, feh, density, u = m_r[on], g_i[on], feh[on], density[on], u[on]
        flux = self._model.dwarfs(m_r, g_i, feh)
        mass = star_counts.dwarf_mass(g_i)
        companion = mass * u[:, 3]
        share = star_counts.companion_share(mass, self.config.binary_fraction)
        pair = (u[:, 2] < share) & (companion > star_counts.LEAST_MASS)
        g_i_2, feh_2 = star_counts.g_i_of_mass(companion[pair]), feh[pair]
        flux[pair] += self._model.dwarfs(absolute_r(g_i_2, feh_2), g_i_2, feh_2)
        return Group(np.where(pair, "binary", "dwarf"), flux, density)

    def _giants(self, component: Component, volume: Volume, seed: int) -> Group:
        """Stars off the main sequence."""
        grid, phi = star_counts.giant_density(float(component.feh))
        total = 1.0 + self.config.thick_fraction + self.config.halo_fraction
        flux = self._model.giants(grid, giant_g_i(grid, component.feh), component.feh)
        u = qmc.Sobol(2, seed=seed).random(POINTS)
        m_r, density = self._spread(u[:, 0], grid, component.fraction / total * phi, flux, volume)
        feh = np.clip(component.feh + component.feh_scatter * ndtri(u[:, 1]), *FEH_RANGE)
        flux = self._model.giants(m_r, giant_g_i(m_r, feh), feh)
        return Group(np.full(POINTS, "giant"), flux, density)

    def _white_dwarfs(self, component: Component, volume: Volume, seed: int) -> Group:
        """Of a constant rate of formation over WHITE_DWARF_AGES, all of log g = 8."""
        total = 1.0 + self.config.thick_fraction + self.config.halo_fraction
        whole = self.config.white_dwarf_density * component.fraction / total
        kept = ("DA", 1.0 - self.config.helium_fraction), ("DB", self.config.helium_fraction)
        flux, density = [], []
        for number, (atmosphere, share) in enumerate(kept):
            cooling = white_dwarfs(atmosphere)
            youngest, oldest = WHITE_DWARF_AGES[0], min(WHITE_DWARF_AGES[1], float(cooling.age[-1]))
            log_age = np.linspace(np.log(youngest), np.log(oldest), 400)
            teff = _temperature(cooling, log_age)
            u = qmc.Sobol(1, seed=2 * seed + number).random(POINTS)
            phi = whole * share * np.exp(log_age) / oldest
            at, own = self._spread(u[:, 0], log_age, phi, self._model.white_dwarfs(0.0, teff, atmosphere), volume)
            flux.append(self._model.white_dwarfs(0.0, _temperature(cooling, at), atmosphere))
            density.append(own)
        return Group(np.full(2 * POINTS, "white dwarf"), np.concatenate(flux), np.concatenate(density))

    def _spread(
        self, u: np.ndarray, grid: np.ndarray, phi: np.ndarray, flux: np.ndarray, volume: Volume
    ) -> tuple[np.ndarray, np.ndarray]:
        """Values (P,) over a grid (G,) by uniform numbers (P,), most where most are seen; and what each is worth.

        phi : (G,), stars per pc^3 and unit of the grid; flux : (G, B), nJy at 10 pc.
        """
        absolute = abmag_from_njy((flux * self._dimming)[:, self._band])
        seen = phi * volume(self._limit - absolute)
        if not seen.sum() > 0:
            return np.full(len(u), grid[0]), np.zeros(len(u))
        chance = (1.0 - BROAD) * seen / seen.sum() + BROAD * phi / phi.sum()
        steps = 0.5 * (chance[1:] + chance[:-1]) * np.diff(grid)
        cumulative = np.concatenate([[0.0], np.cumsum(steps)])
        value = np.interp(u, cumulative / cumulative[-1], grid)
        row = np.clip(np.searchsorted(grid, value, side="right") - 1, 0, len(grid) - 2)
        own = steps[row] / np.diff(grid)[row] / cumulative[-1]
        return value, np.interp(value, grid, phi) / own / len(u)


def _temperature(cooling: CoolingSequence, log_age: np.ndarray) -> np.ndarray:
    """Teff [K] at ln(cooling age [yr])."""
    aged = cooling.age > 0
    return np.exp(np.interp(log_age, np.log(cooling.age[aged]), np.log(cooling.teff[aged])))
