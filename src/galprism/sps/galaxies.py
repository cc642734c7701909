"""What goes into the forward model and what comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from galprism.errors import RequestError
from galprism.sps.histories import Burst, Changed, Composite, Constant, DelayedTau, History, with_burst

LEAST_WIDTH = 1e-9
"""Gyr; no population forms in less, so that a width of zero is one of the library's own."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Galaxies:
    """N galaxies of one solar mass formed; every field is a (N,) float64 tensor, numbers are spread over all.

    When the stars formed is told either by any `history`, or by `tau` and `age`: a delayed history, with an exponential
    burst where `f_burst` is given, as in CIGALE; or by `age` and `single_width`, of simple populations.
    """

    redshift: Tensor
    """Above 0."""
    z_met: Tensor
    """Mass fraction of metals; the Sun's is 0.02."""
    ebv: Tensor
    """Colour excess of the stars, mag."""
    tau: Tensor | None = None
    """Gyr, e-folding time of the delayed history."""
    age: Tensor | None = None
    """Gyr since star formation began."""
    f_burst: Tensor | None = None
    """Share of the mass formed in the burst."""
    tau_burst: Tensor | None = None
    """Gyr, e-folding time of the burst."""
    age_burst: Tensor | None = None
    """Gyr since the burst began."""
    constant: Tensor | None = None
    """Share of the delayed history's mass that formed at a constant rate instead, since `age` too."""
    change: Tensor | None = None
    """What the rate is multiplied by since `age_change`; the burst is not."""
    age_change: Tensor | None = None
    """Gyr since the rate changed."""
    single_width: Tensor | None = None
    """Of simple populations, all of whose stars formed `age` ago: the share of that age that they are spread over; 0
    for the library's own spectra."""
    f_second: Tensor | None = None
    """Share of the mass formed in a second population, of a constant rate and a metallicity of its own, behind the same
    dust; 0 where there is none."""
    age_second: Tensor | None = None
    """Gyr since its last star formed."""
    width_second: Tensor | None = None
    """Gyr from its first star to its last."""
    z_met_second: Tensor | None = None
    """Its mass fraction of metals."""
    history: History | None = None
    logu: Tensor | float = -2.0
    """log10 of the ionisation parameter; CIGALE's default."""
    dust_slope: Tensor | None = None
    """delta of the power law (lambda / 5500 A)^delta on the attenuation curve (Noll et al. 2009)."""
    dust_bump: Tensor | None = None
    """Amplitude of the bump at 2175 A in units of E(B-V); the Milky Way has 3."""

    def __post_init__(self) -> None:
        given = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "history"}
        given = {k: torch.as_tensor(v, dtype=torch.float64) for k, v in given.items() if v is not None}
        sizes = {len(v) for v in given.values() if v.ndim == 1} | ({len(self.history)} if self.history else set())
        if len(sizes) > 1 or any(v.ndim > 1 for v in given.values()):
            shapes = ", ".join(f"{k} {tuple(v.shape)}" for k, v in given.items())
            raise RequestError(f"galaxies' fields disagree in length: {shapes}; expected numbers or (N,)")
        n = sizes.pop() if sizes else 1
        if n == 0:
            raise RequestError("galaxies: none given; expected one or more")
        device = next((v.device for v in given.values() if v.ndim == 1), torch.device("cpu"))
        for name, value in given.items():
            object.__setattr__(self, name, value.to(device).expand(n))
        self._check(given)
        two = {name: getattr(self, name) for name in ("f_second", "age_second", "width_second", "z_met_second")}
        _all_or_none("a second population", **two)
        if self.history is None:
            object.__setattr__(self, "history", self._history())
        elif self.tau is not None or self.age is not None or self.f_burst is not None:
            raise RequestError("give either a history or tau and age, not both")

    def _check(self, given: dict[str, Tensor]) -> None:
        for name, value in given.items():
            if not bool(torch.isfinite(value).all()):
                raise RequestError(f"galaxies: {name} is not finite somewhere")
        for name in ("redshift", "z_met"):
            if bool((given[name] <= 0).any()):
                raise RequestError(f"galaxies: {name} = {given[name].min().item():g}; accepted: above 0")
        if bool((given["ebv"] < 0).any()):
            raise RequestError(f"galaxies: ebv = {given['ebv'].min().item():g}; accepted: 0 or more")

    def _history(self) -> History:
        if self.age is not None and self.tau is None and self.single_width is not None:
            return Burst(self.age, torch.clamp(self.single_width * self.age, min=LEAST_WIDTH))
        if self.tau is None or self.age is None:
            raise RequestError("galaxies need tau and age, or single_width and age, or a history")
        if self.single_width is not None:
            raise RequestError("galaxies: single_width is of simple populations, which have no tau")
        smooth: History = DelayedTau(self.tau, self.age)
        if self.constant is not None:
            steady = Constant(self.age, torch.zeros_like(self.age))
            smooth = Composite([smooth, steady], torch.stack([1.0 - self.constant, self.constant], dim=1))
        if changed := _all_or_none("a change", age_change=self.age_change, change=self.change):
            smooth = Changed(smooth, *changed)
        if burst := _all_or_none("a burst", f_burst=self.f_burst, tau_burst=self.tau_burst, age_burst=self.age_burst):
            smooth = with_burst(smooth, *burst)
        return smooth

    def second(self) -> tuple[Tensor, Galaxies] | None:
        """Which rows have a second population, and those populations alone; None where no row has one."""
        if self.f_second is None or not bool((self.f_second > 0).any()):
            return None
        rows = torch.nonzero(self.f_second > 0)[:, 0]
        some = self.take(rows)
        assert some.age_second is not None
        assert some.width_second is not None
        assert some.z_met_second is not None
        return rows, Galaxies(
            redshift=some.redshift,
            z_met=some.z_met_second,
            ebv=some.ebv,
            history=Constant(some.age_second + some.width_second, some.age_second),
            logu=some.logu,
            dust_slope=some.dust_slope,
            dust_bump=some.dust_bump,
        )

    @classmethod
    def from_numpy(cls, **columns) -> Galaxies:
        """Galaxies of numpy arrays (N,) or numbers, by the names of the fields."""
        history = columns.pop("history", None)
        return cls(history=history, **{k: torch.as_tensor(np.asarray(v, float)) for k, v in columns.items()})

    def __len__(self) -> int:
        return len(self.redshift)

    def take(self, index) -> Galaxies:
        """The galaxies of `index`, integers or a slice."""
        return self._each(lambda value: value[index] if isinstance(value, Tensor) else value.take(index))

    def to(self, device) -> Galaxies:
        """The same on another device."""
        return self._each(lambda value: value.to(device))

    def _each(self, change: Callable[[Any], Any]) -> Galaxies:
        same = object.__new__(Galaxies)  # what was checked is not checked again
        for f in fields(self):
            value = getattr(self, f.name)
            object.__setattr__(same, f.name, None if value is None else change(value))
        return same


def _all_or_none(what: str, **given: Tensor | None) -> list[Tensor]:
    """What is given, or nothing. Raises RequestError where some are given and others are not."""
    there = [value for value in given.values() if value is not None]
    if there and len(there) < len(given):
        missing = ", ".join(name for name, value in given.items() if value is None)
        raise RequestError(f"{what} needs {', '.join(given)}; not given: {missing}")
    return there


@dataclass(frozen=True, eq=False)
class RestSED:
    """Rest-frame light of N galaxies per solar mass formed, after dust and before the intergalactic medium."""

    wave: Tensor
    """(W,), Angstrom in vacuum, centres of bins uniform in ln(wavelength)."""
    flux: Tensor
    """(N, W), Lsun/Angstrom, bin averages of stars and nebular continuum."""
    line_wave: Tensor
    """(L,), Angstrom in vacuum."""
    line: Tensor
    """(N, L), Lsun."""


@dataclass(frozen=True, eq=False)
class Derived:
    """What follows from a history and a metallicity; every field is (N,) float64, masses per solar mass formed."""

    mstar: Tensor
    """Stellar mass that survives: living stars and remnants."""
    mlive: Tensor
    """Mass of living stars alone; NaN where the library does not say."""
    sfr: Tensor
    """Star-formation rate now, Msun/yr."""
    sfr_10myr: Tensor
    """Averaged over the last 10 Myr."""
    sfr_100myr: Tensor
    """Averaged over the last 100 Myr."""
    age_mw: Tensor
    """Gyr, mean age weighted by the mass formed."""
    age_lw: Tensor
    """Gyr, mean age weighted by the stars' light at 5500 A before dust."""
    z_mw: Tensor
    """Mean metallicity weighted by the mass formed."""
    z_lw: Tensor
    """Mean metallicity weighted by the stars' light at 5500 A before dust."""
    mean_log_age_lw: Tensor
    """Mean of log10 of the age in yr, weighted by the stars' light at 5500 A before dust; `age_lw` is the mean age."""
    mean_logzsol_lw: Tensor
    """Mean of log10(Z / 0.02), weighted likewise."""
    light: Tensor
    """Lsun/Angstrom, the stars' light at 5500 A before dust."""

    @property
    def ssfr(self) -> Tensor:
        """1/yr, the rate now over the surviving mass."""
        return self.sfr / self.mstar


@dataclass(frozen=True, eq=False)
class Observed(Derived):
    """Derived quantities, and the light in B passbands."""

    flux: Tensor
    """(N, B), nJy per solar mass formed."""
