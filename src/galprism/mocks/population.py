"""A population of galaxies: the priors of what they are made of, and how many there are at each (redshift, magnitude).

The stellar populations are those of the MLP-GaP paper (Guo et al. 2024, Table 1): every range uniform, every galaxy
independent of its redshift but for its age, which is at most that of the Universe. Settings add what real galaxies
have besides: bursts, histories that were cut short or revived, constant ones, metallicities between the library's,
dust of another law, gas of another ionisation. Others make simple populations, all of whose stars are of one age.
Redshift and magnitude come from a catalogue of the user's, as in the paper, or from a built-in distribution
(`galprism.mocks.counts`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from galprism.cosmology import age_gyr
from galprism.errors import RequestError

BLOCK = 4096
"""Galaxies are drawn in blocks of this many ids, each from its own stream of random numbers: the answer depends on
the seed and the id, never on how many are asked for at once."""

R_V = 3.1
"""A_V over the E(B-V) of the stars."""

SINGLE_WIDTH = 0.1
"""The stars of a simple population off the grid are spread evenly over this share of its age: about what lies between
the ages of a library, so that its light changes smoothly with age."""

SPREADS = (
    *("f_burst", "tau_burst", "age_burst", "change", "age_change"),
    *("f_second", "age_second", "width_second"),
)
"""Settings that are ranges of what is uniform in the logarithm."""

STREAMS = ("population", "noise", "split", "draws", "prior", "star", "qso", "galaxy", "places", "images", "chosen")
"""What random numbers are for; in this order, since it is part of their seeds."""


def block_rng(seed: int, block: int, stream: str) -> np.random.Generator:
    """The random numbers of one block of ids, for one purpose."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, block, STREAMS.index(stream)))))


def source_rng(seed: int, ident: int, stream: int) -> np.random.Generator:
    """The random numbers of one source, apart from those of another stream."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, ident), spawn_key=(stream,))))


@dataclass(frozen=True)
class PopulationConfig:
    """Priors of the stellar populations (Guo et al. 2024, Table 1) and the distribution of (redshift, magnitude)."""

    tau: tuple[float, float] = (0.25, 8.0)
    """Gyr, e-folding time of the delayed history."""
    age_min: float = 0.25
    """Gyr; the oldest is the age of the Universe at the galaxy's redshift."""
    log_age: bool = False
    """Ages uniform in the logarithm."""
    single: bool = False
    """Simple populations: all stars of a galaxy formed `age` ago. tau and the settings of histories play no part."""
    on_grid: bool = False
    """Simple populations of the ages and metallicities of the library's own spectra, as far as `age_min` and the range
    of `z_met` let them, all equally likely; otherwise they are between them (SINGLE_WIDTH)."""
    z_met: tuple[float, ...] = (0.0001, 0.0004, 0.004, 0.008, 0.02, 0.05)
    """Metallicities (mass fractions), equally likely."""
    av: tuple[float, float] = (0.0, 2.0)
    """mag; the paper's A_V, 3.1 x the stellar E(B-V)."""
    ebv: tuple[float, ...] = ()
    """mag; where given, stellar E(B-V) are these, equally likely, and `av` plays no part."""
    dust: Literal["starburst", "ccm89"] = "starburst"
    """The attenuation curve of the stars: CIGALE's, or that of Cardelli, Clayton & Mathis (1989) with R_V = 3.1."""
    steps: bool = False
    """Draw tau and age on the paper's steps of 0.05 Gyr and A_V on 0.01 mag, instead of anywhere between."""
    logu: float = -3.0
    """log10 of the ionisation parameter of the nebular emission."""
    logu_spread: float = 0.0
    """It is uniform within this of `logu`."""
    z_met_between: bool = False
    """Metallicities anywhere between the first and the last of `z_met`, uniform in the logarithm."""
    constant_share: float = 0.0
    """Fraction of galaxies whose rate is constant since `age` instead."""
    burst_share: float = 0.0
    """Fraction of galaxies with a burst on top."""
    f_burst: tuple[float, float] = (0.003, 0.3)
    """Its share of the mass formed; this and the next four: uniform in the logarithm."""
    tau_burst: tuple[float, float] = (0.03, 1.0)
    """Gyr, its e-folding time."""
    age_burst: tuple[float, float] = (0.01, 2.0)
    """Gyr since it began; at most `age`."""
    change_share: float = 0.0
    """Fraction of galaxies whose rate changed for good."""
    change: tuple[float, float] = (0.001, 10.0)
    """What it was multiplied by: cut short below 1, revived above."""
    age_change: tuple[float, float] = (0.02, 3.0)
    """Gyr since it changed; at most 0.9 of `age`."""
    second_share: float = 0.0
    """Fraction of galaxies with a second population, of a constant rate and a metallicity of its own."""
    f_second: tuple[float, float] = (0.01, 0.9)
    """Its share of the mass formed; this and the next two: uniform in the logarithm."""
    age_second: tuple[float, float] = (0.005, 13.0)
    """Gyr since its last star formed; at most 0.9 of `age`."""
    width_second: tuple[float, float] = (0.01, 2.0)
    """Gyr from its first star to its last; it began no earlier than `age`."""
    histories: str = ""
    """A table of star-formation histories, from a simulation say, see galprism.mocks.tabulated."""
    histories_share: float = 0.0
    """Fraction of galaxies that have one of those in place of all of the above."""
    dust_slope: tuple[float, float] = (0.0, 0.0)
    """delta of (lambda / 5500 A)^delta on the attenuation curve (Noll et al. 2009)."""
    dust_bump: tuple[float, float] = (0.0, 0.0)
    """Of the bump at 2175 A, in units of E(B-V); the Milky Way's is 3."""
    catalogue: str = ""
    """A table whose rows give (redshift, magnitude) together; empty for the built-in distribution below."""
    redshift: tuple[float, float] = (0.01, 3.0)
    band: str = "r"
    """The band that the magnitudes are of, and that every galaxy is scaled to."""
    magnitude: tuple[float, float] = (16.0, 24.0)
    magnitude_step: float = 0.0
    """Above 0, magnitudes are the first of the two and every step from there to the other, equally likely."""
    counts_slope: float = 0.33
    """d log10 N / dm of the number counts; 0 for as many at every magnitude."""
    even_redshift: bool = False
    """Redshifts uniform in their range at every magnitude; the medians below play no part."""
    median_redshift: float = 0.75
    """Median redshift at magnitude 24; it falls by `median_slope` dex a magnitude towards the bright."""
    median_slope: float = 0.125

    def __post_init__(self) -> None:
        for name in ("tau", "av", "redshift", "magnitude"):
            low, high = getattr(self, name)
            if not low < high:
                raise RequestError(f"population.{name} = [{low}, {high}]: the first must be below the second")
        for name in ("dust_slope", "dust_bump"):
            low, high = getattr(self, name)
            if not low <= high:
                raise RequestError(f"population.{name} = [{low}, {high}]: the first must not be above the second")
        for name in SPREADS:
            low, high = getattr(self, name)
            share = name in ("f_burst", "f_second")
            if not 0 < low < high or (share and high >= 1):
                accepted = "two numbers above zero, the first the lower" + (", both below 1" * share)
                raise RequestError(f"population.{name} = [{low}, {high}]; accepted: {accepted}")
        for name in ("constant_share", "burst_share", "change_share", "second_share", "histories_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise RequestError(f"population.{name} = {getattr(self, name)}; accepted: 0 to 1")
        if bool(self.histories) != (self.histories_share > 0):
            raise RequestError(
                f"population.histories = {self.histories!r}, population.histories_share = {self.histories_share}: "
                "give both, a table and a share above zero, or neither"
            )
        if self.ebv and min(self.ebv) < 0:
            raise RequestError(f"population.ebv = {list(self.ebv)}; accepted: numbers from zero on")
        if self.on_grid and not self.single:
            raise RequestError("population.on_grid = true is for simple populations; give population.single = true too")
        if self.magnitude_step < 0:
            raise RequestError(f"population.magnitude_step = {self.magnitude_step}; accepted: zero or more")
        if not self.z_met or min(self.z_met) <= 0:
            raise RequestError(f"population.z_met = {list(self.z_met)}; accepted: one or more numbers above zero")
        if self.median_redshift <= 0:
            raise RequestError(f"population.median_redshift = {self.median_redshift}; accepted: above zero")
        if self.redshift[0] <= 0 or self.tau[0] <= 0 or self.age_min <= 0:
            raise RequestError("population: redshift, tau and age_min must be above zero")
        if self.age_min >= age_gyr(self.redshift[1]):
            raise RequestError(
                f"population.age_min = {self.age_min} Gyr is more than the age of the Universe at "
                f"z = {self.redshift[1]}, {age_gyr(self.redshift[1]):.2f} Gyr"
            )

    @property
    def metallicity(self) -> str:
        """How the forward model takes metallicities that are not the library's."""
        return "interpolate" if self.z_met_between else "nearest"


@dataclass(frozen=True, eq=False)
class Tabulation:
    """Rates that are constant between look-back ages, of N galaxies."""

    edges: np.ndarray
    """(N, K + 1), Gyr ago, from 0."""
    rates: np.ndarray
    """(N, K), any unit."""
    has: np.ndarray
    """(N,), bool: this galaxy's stars formed so."""

    @property
    def oldest(self) -> np.ndarray:
        """(N,), Gyr since the step in which the first star formed began."""
        last = self.rates.shape[1] - 1 - np.argmax(self.rates[:, ::-1] > 0, axis=1)
        return self.edges[np.arange(len(self.edges)), last + 1]


@dataclass(frozen=True, eq=False)
class Draws:
    """Galaxies drawn from a population, before any light is computed."""

    redshift: np.ndarray
    """(N,)."""
    magnitude: np.ndarray
    """(N,), AB, in the population's band."""
    stars: dict[str, np.ndarray]
    """As `draw_stars` gives them."""
    tabulated: Tabulation | None = None
    """Histories that some of them have instead of those of `stars`."""
    which: np.ndarray | None = None
    """(N,), int: whose spectra their stars have, of the libraries of the sky; None for the first."""

    def __len__(self) -> int:
        return len(self.redshift)


def draw_stars(
    config: PopulationConfig,
    redshift: np.ndarray,
    rng: np.random.Generator,
    grids: Sequence[tuple[np.ndarray, np.ndarray]] = (),
    which: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """What galaxies at redshifts (N,) are made of, each (N,), by the names that the forward model knows.

    grids : ages in Gyr and metallicities of each library, and `which` of them a galaxy has (N,), the first when None;
    for populations that are on their grid.

    tau and age in Gyr, z_met, ebv of the stars in mag, which is A_V / 3.1 (Guo et al. 2024, Table 2, with CIGALE's
    factor 0.44), logu; and of the other settings what the population has.
    """
    n = len(redshift)
    if config.steps:
        tau = _on_steps(rng, config.tau[0], config.tau[1], 0.05, n)
        age = _on_steps(rng, config.age_min, age_gyr(redshift), 0.05, n)
        av = _on_steps(rng, config.av[0], config.av[1], 0.01, n)
    else:
        tau = rng.uniform(*config.tau, n)
        age = rng.uniform(config.age_min, age_gyr(redshift), n)
        av = rng.uniform(*config.av, n)
    if config.log_age:
        age = np.exp(rng.uniform(np.log(config.age_min), np.log(age_gyr(redshift))))
    z_met = rng.choice(np.array(config.z_met), n)
    if config.z_met_between:
        z_met = _log_uniform(rng, min(config.z_met), max(config.z_met), n)
    ebv = rng.choice(np.array(config.ebv), n) if config.ebv else av / R_V
    stars = {"tau": tau, "age": age, "z_met": z_met, "ebv": ebv, "logu": np.full(n, config.logu)}
    if config.single:
        del stars["tau"]
        stars["single_width"] = np.full(n, 0.0 if config.on_grid else SINGLE_WIDTH)
        if config.on_grid:
            stars["age"], stars["z_met"] = _on_grid(config, redshift, rng, grids, which)
        return stars | _dust(config, rng, n)
    if config.logu_spread:
        stars["logu"] = config.logu + config.logu_spread * rng.uniform(-1.0, 1.0, n)
    if config.constant_share:
        stars["constant"] = (rng.random(n) < config.constant_share).astype(float)
    if config.burst_share:
        bursting = rng.random(n) < config.burst_share
        stars["f_burst"] = np.where(bursting, _log_uniform(rng, *config.f_burst, n), 0.0)
        stars["tau_burst"] = _log_uniform(rng, *config.tau_burst, n)
        stars["age_burst"] = _log_uniform(rng, *config.age_burst, n, at_most=age)
    if config.change_share:
        changed = rng.random(n) < config.change_share
        stars["change"] = np.where(changed, _log_uniform(rng, *config.change, n), 1.0)
        stars["age_change"] = _log_uniform(rng, *config.age_change, n, at_most=0.9 * age)
    if config.second_share:
        two = rng.random(n) < config.second_share
        stars["f_second"] = np.where(two, _log_uniform(rng, *config.f_second, n), 0.0)
        stars["age_second"] = np.minimum(_log_uniform(rng, *config.age_second, n, at_most=0.9 * age), 0.9 * age)
        left = age - stars["age_second"]
        stars["width_second"] = np.minimum(_log_uniform(rng, *config.width_second, n, at_most=left), left)
        low, high = min(config.z_met), max(config.z_met)
        between = config.z_met_between
        stars["z_met_second"] = _log_uniform(rng, low, high, n) if between else rng.choice(np.array(config.z_met), n)
    return stars | _dust(config, rng, n)


def _dust(config: PopulationConfig, rng, n: int) -> dict[str, np.ndarray]:
    """What departs from the attenuation curve, where anything does."""
    ranges = {name: getattr(config, name) for name in ("dust_slope", "dust_bump")}
    return {name: rng.uniform(low, high, n) for name, (low, high) in ranges.items() if (low, high) != (0.0, 0.0)}


def _on_grid(
    config: PopulationConfig,
    redshift: np.ndarray,
    rng: np.random.Generator,
    grids: Sequence[tuple[np.ndarray, np.ndarray]],
    which: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Ages and metallicities (N,) of libraries' own spectra."""
    n = len(redshift)
    which = np.zeros(n, int) if which is None else which
    age, z_met = np.empty(n), np.empty(n)
    oldest = age_gyr(float(np.max(redshift)))
    for number, (ages, metals) in enumerate(grids):
        rows = np.flatnonzero(which == number)
        ages = ages[(ages >= config.age_min) & (ages <= oldest)]
        metals = metals[(metals >= 0.99 * min(config.z_met)) & (metals <= 1.01 * max(config.z_met))]
        if not len(ages) or not len(metals):
            raise RequestError(
                f"population.age_min = {config.age_min:g} Gyr, population.z_met = {list(config.z_met)}: a library has "
                f"no spectrum from that age to {oldest:.1f} Gyr, or between those metallicities"
            )
        age[rows], z_met[rows] = rng.choice(ages, len(rows)), rng.choice(metals, len(rows))
    if not len(grids):
        raise RequestError("population.on_grid = true: nothing says which ages the library has")
    return age, z_met


def _log_uniform(rng, low: float, high: float, n: int, at_most: np.ndarray | None = None) -> np.ndarray:
    """(n,), uniform in the logarithm from low to high, or to `at_most` where that is lower; low where even it is."""
    top = np.log(high) if at_most is None else np.log(np.clip(at_most, low, high))
    return np.exp(rng.uniform(np.log(low), top, n))


def _on_steps(rng, low, high, step: float, n: int) -> np.ndarray:
    """Uniform over low, low + step, … up to at most high."""
    count = np.floor((np.asarray(high) - low) / step + 1e-9).astype(int) + 1
    return low + step * rng.integers(0, count, n)
