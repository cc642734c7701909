"""The settings of a magnitude-limited field: of galaxies, of quasars, of stars, and of how they are put together."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from galprism.errors import RequestError
from galprism.mocks.sky.milky_way import SUN_RADIUS

BRIGHTEST = -32.0
"""M_i(z=2) of the brightest quasars that are drawn; there are none beyond in the whole sky."""


@dataclass(frozen=True)
class GalaxyConfig:
    """What of the galaxies is no published relation, or is one's scatter."""

    redshift: tuple[float, float] = (0.003, 5.5)
    lightest: float = 6.0
    """log10 Msun."""
    rate_scatter: float = 0.3
    """dex, of the main sequence (Schreiber et al. 2015)."""
    starburst_share: float = 0.033
    """Of star-forming galaxies, with rates higher by `starburst_boost` dex (Schreiber et al. 2015, Sect. 4.3)."""
    starburst_boost: float = 0.72
    quiescent_scatter: float = 0.4
    """dex, of rates (Schreiber et al. 2017)."""
    age_disc: tuple[float, float] = (0.5, 0.95)
    """Shares of the age of the Universe, uniform, since a disc began to form stars; below, of all that is old."""
    age_old: tuple[float, float] = (0.75, 0.97)
    bulge_metals: float = 0.1
    """dex by which the bulge is richer in metals than the galaxy's relation has it, and the disc poorer: gradients."""
    old_dust: float = 0.03
    """mag of E(B-V), the scale of an exponential distribution, of quiescent galaxies."""
    logu: float = -3.0
    logu_spread: float = 0.3

    def __post_init__(self) -> None:
        for name in ("redshift", "age_disc", "age_old"):
            low, high = getattr(self, name)
            if not 0 < low < high:
                raise RequestError(f"field.galaxies.{name} = [{low}, {high}]; accepted: two numbers above zero, rising")
        for name in ("age_disc", "age_old"):
            if getattr(self, name)[1] >= 1:
                raise RequestError(f"field.galaxies.{name} = {list(getattr(self, name))}; accepted: shares below 1")
        if not 0 <= self.starburst_share <= 1:
            raise RequestError(f"field.galaxies.starburst_share = {self.starburst_share}; accepted: 0 to 1")
        for name in ("rate_scatter", "quiescent_scatter", "old_dust", "logu_spread"):
            if getattr(self, name) < 0:
                raise RequestError(f"field.galaxies.{name} = {getattr(self, name)}; accepted: zero or more")


@dataclass(frozen=True)
class QuasarConfig:
    """What quasars there are, and how they differ from one another."""

    redshift: tuple[float, float] = (0.01, 6.0)
    faintest: float = -22.6
    """M_i(z=2), AB: fainter nuclei are not called quasars. The default is M_i(z=0) = -22, the definition of the SDSS
    quasar catalogues (Schneider et al. 2010), with M_i(z=2) = M_i(z=0) - 0.596 (Richards et al. 2006)."""
    slope_scatter: float = 0.3
    """Standard deviation of the slope alpha of f_nu ~ nu^alpha (the quasars simulated for BOSS; Ross et al. 2013)."""
    reddened_share: float = 0.06
    """Share of quasars behind dust of their own (Richards et al. 2003: 6 % of those of SDSS)."""
    reddening: float = 0.091
    """mag: mean E(B-V) of those, exponentially distributed: together with the share 2 % of all have E(B-V) > 0.1 and
    0.7 % have more than 0.2, as Hopkins et al. (2004) find (2 %, and less than 1 %)."""
    line_scatter: float = 0.5
    """Standard deviation of the type of the lines about the mean of its luminosity (`quasar_lines.line_type`): the
    extremes at z = 2 that types -1 and 1 stand for (Temple et al. 2021) are at two of these, our
    reading of them. Types beyond those that the paper follows, -2 to 3, are set to the nearest."""
    host_fraction: float = 0.244
    """Share of the host in the light at 4000 to 5000 A at M_i(z=2) = -23 (Temple et al. 2021: fragal)."""
    host_index: float = 0.684
    """The host's luminosity grows as the nucleus's to this power (Temple et al. 2021: gplind)."""
    host_scatter: float = 0.28
    """dex, of the host's luminosity: that of black holes in bulges of one mass (Kormendy & Ho 2013, eq. 10)."""

    def __post_init__(self) -> None:
        low, high = self.redshift
        if not 0.0 < low < high <= 7.0:
            raise RequestError(
                f"field.quasars.redshift = [{low}, {high}]; accepted: above 0, up to 7, the first the lower"
            )
        if not BRIGHTEST < self.faintest <= -18.0:
            raise RequestError(f"field.quasars.faintest = {self.faintest}; accepted: above {BRIGHTEST:g}, up to -18")
        for name in ("slope_scatter", "reddening", "line_scatter", "host_scatter"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise RequestError(f"field.quasars.{name} = {getattr(self, name)}; accepted: 0 to 1")
        if not 0.0 <= self.reddened_share <= 1.0:
            raise RequestError(f"field.quasars.reddened_share = {self.reddened_share}; accepted: 0 to 1")
        if not 0.0 <= self.host_fraction < 1.0:
            raise RequestError(
                f"field.quasars.host_fraction = {self.host_fraction}; accepted: 0 up to, not including, 1"
            )
        if not 0.0 <= self.host_index <= 1.0:
            raise RequestError(f"field.quasars.host_index = {self.host_index}; accepted: 0 to 1")


@dataclass(frozen=True)
class StarConfig:
    """Where the field is, what the Milky Way is like, and which light stars have; lengths in pc."""

    longitude: float = 0.0
    """deg, galactic."""
    latitude: float = 90.0
    """deg, galactic."""
    bright: float = 12.0
    """AB mag in the band of the limit; brighter stars are left out, as surveys saturate."""
    ebv: float = 0.0
    """mag, E(B-V) of Schlegel et al. (1998) in front of all stars; 0 for magnitudes corrected for it."""
    thin_height: float = 300.0
    """Scale heights and lengths: Juric et al. (2008, Table 10), corrected for their 35 % of unresolved binaries."""
    thin_length: float = 2600.0
    thick_height: float = 900.0
    thick_length: float = 3600.0
    young_height: float = 100.0
    """Of main-sequence stars of M_r < 4: between the 50 pc of A and the 150 pc of G stars (Bovy 2017, MNRAS 470,
    1360)."""
    thick_fraction: float = 0.12
    """Density of the thick over that of the thin disc at the Sun (Juric et al. 2008, Table 10)."""
    halo_fraction: float = 0.005
    """Density of the halo over that of the thin disc at the Sun (Juric et al. 2008, Table 10)."""
    halo_slope: float = 2.8
    """The density falls as this power of the distance from the centre (Juric et al. 2008, Table 10) …"""
    halo_outer_slope: float = 3.8
    """… and as this one …"""
    halo_break: float = 28e3
    """… beyond this distance (Sesar et al. 2011, ApJ 731, 4)."""
    halo_flattening: float = 0.64
    """Minor over major axis of the halo (Juric et al. 2008, Table 10)."""
    normalisation: float = 1.0
    """What all densities are multiplied by."""
    binary_fraction: float = 0.44
    """Share of systems of one solar mass that are unresolved pairs (Raghavan et al. 2010, ApJS 190, 1); that of others
    goes with it (galprism.mocks.sky.star_counts.COMPANIONS). Mass ratios are uniform (Duchene & Kraus 2013)."""
    white_dwarf_density: float = 4.5e-3
    """pc^-3 at the Sun (Hollands et al. 2018, MNRAS 480, 3942; the M_Ks counts within 20 pc give the same)."""
    helium_fraction: float = 0.2
    """Share of white dwarfs with an atmosphere of helium."""
    spectra: str = ""
    """A folder of templates of stars (galprism.sps.star_spectra); empty for spectra of the published colours."""

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if entry.name != "spectra" and not np.isfinite(value):
                raise RequestError(f"field.stars.{entry.name} = {value}; accepted: a number")
        if not -90.0 <= self.latitude <= 90.0:
            raise RequestError(f"field.stars.latitude = {self.latitude}; accepted: -90 to 90 deg")
        for name in ("thin_height", "thin_length", "thick_height", "thick_length", "young_height", "halo_flattening"):
            if getattr(self, name) <= 0:
                raise RequestError(f"field.stars.{name} = {getattr(self, name)}; accepted: above zero")
        for name in (
            "ebv",
            "thick_fraction",
            "halo_fraction",
            "halo_slope",
            "halo_outer_slope",
            *("normalisation", "white_dwarf_density"),
        ):
            if getattr(self, name) < 0:
                raise RequestError(f"field.stars.{name} = {getattr(self, name)}; accepted: zero or more")
        if self.halo_break < SUN_RADIUS:
            raise RequestError(f"field.stars.halo_break = {self.halo_break}; accepted: {SUN_RADIUS:g} pc or more")
        if not 0 <= self.binary_fraction <= 0.88:
            raise RequestError(f"field.stars.binary_fraction = {self.binary_fraction}; accepted: 0 to 0.88")
        if not 0 <= self.helium_fraction <= 1:
            raise RequestError(f"field.stars.helium_fraction = {self.helium_fraction}; accepted: 0 to 1")


@dataclass(frozen=True)
class FieldConfig:
    """A magnitude-limited field of the sky."""

    band: str = "r"
    limit: float = 24.0
    """AB mag in `band`: what is fainter, before noise, is not in the catalogue."""
    area: float = 0.02
    """Square degrees of a patch, a square; each has random numbers of its own."""
    ra: float = 180.0
    dec: float = 0.0
    """deg, of the south-eastern corner of the first patch. How many stars there are, `stars` says."""
    galaxies: GalaxyConfig = field(default_factory=GalaxyConfig)
    quasars: QuasarConfig = field(default_factory=QuasarConfig)
    stars: StarConfig = field(default_factory=StarConfig)

    def __post_init__(self) -> None:
        if not 0 < self.area <= 1:
            raise RequestError(f"field.area = {self.area}; accepted: above 0, up to 1 square degree")
        if not 10 < self.limit < 30:
            raise RequestError(f"field.limit = {self.limit}; accepted: magnitudes between 10 and 30")


@dataclass(frozen=True)
class ChosenConfig:
    """Sources that somebody chose of a field, for spectra say: so many of each class, each class with magnitudes of its
    own."""

    star: float = 31_306
    qso: float = 19_608
    galaxy: float = 116_095
    """How many of each class there are to the others: shares of their sum. The defaults are those of the sources of
    SDSS DR17 in KiDS DR5 (Feng et al. 2025, Sect. 2.2)."""
    star_magnitude: tuple[float, ...] = (14.1, 16.5, 17.3, 17.9, 18.6, 19.2, 19.9, 20.4, 20.9, 21.4, 22.5)
    qso_magnitude: tuple[float, ...] = (15.2, 19.3, 19.9, 20.2, 20.5, 20.7, 21.0, 21.2, 21.5, 21.8, 22.5)
    galaxy_magnitude: tuple[float, ...] = (14.2, 17.0, 17.5, 18.1, 19.0, 19.8, 20.3, 20.7, 21.1, 21.7, 22.5)
    """AB, rising, in the field's band: between neighbouring ones there are as many sources of the class; within, they
    are as the sky has them. The defaults are the deciles in r of 6,829 sources of SDSS DR17 with 14 < r < 22.5, taken
    at random of its spectra."""

    def __post_init__(self) -> None:
        shares = {name: getattr(self, name) for name in ("star", "qso", "galaxy")}
        if not all(0 <= share < np.inf for share in shares.values()) or not sum(shares.values()) > 0:
            raise RequestError(f"chosen: shares {shares}; accepted: zero or more of each class, not all zero")
        for name in shares:
            edges = getattr(self, f"{name}_magnitude")
            if len(edges) < 2 or not np.all(np.diff(edges) > 0):
                raise RequestError(f"chosen.{name}_magnitude = {list(edges)}; accepted: two magnitudes or more, rising")

    def magnitudes(self, name: str) -> tuple[float, ...]:
        """Of one class."""
        return getattr(self, f"{name}_magnitude")

    def counts(self, n: int) -> np.ndarray:
        """(K,), how many of n sources are of each class, the largest remainders rounded up."""
        wanted = np.array([self.star, self.qso, self.galaxy]) / (self.star + self.qso + self.galaxy) * n
        counts = np.floor(wanted).astype(int)
        counts[np.argsort(counts - wanted, kind="stable")[: n - counts.sum()]] += 1
        return counts
