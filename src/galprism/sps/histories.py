"""Star-formation histories: when the stars of N galaxies formed.

A history knows, for each galaxy, the fraction of all stars formed that is younger than a look-back age (`younger`)
and its star-formation rate now (`sfr`). Weights on age bins are differences of `younger` between the bins' edges, so
they are exact and sum to one. All is per solar mass formed, ages in Gyr, in float64, and differentiable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Protocol, Self

import torch
from torch import Tensor

from galprism.errors import RequestError

YEARS_PER_GYR = 1e9


class History(Protocol):
    """Star-formation histories of N galaxies."""

    def __len__(self) -> int: ...

    def younger(self, age: Tensor) -> Tensor:
        """(N, E), fraction of the mass formed that is younger than `age` (E,) or (N, E) [Gyr, ascending]."""
        ...

    def sfr(self) -> Tensor:
        """(N,), star-formation rate now, 1/yr per unit mass formed."""
        ...

    def oldest(self) -> Tensor:
        """(N,), Gyr since the first star formed."""
        ...

    def take(self, index) -> History:
        """The galaxies of `index`, integers or a slice."""
        ...

    def to(self, device) -> History:
        """The same on another device."""
        ...


def bin_weights(history: History, edges: Tensor) -> Tensor:
    """(N, E - 1), fraction of the mass formed in each age bin; sums to one when the bins reach the oldest stars."""
    return torch.diff(history.younger(edges), dim=1)


def mean_sfr(history: History, span: float) -> Tensor:
    """(N,), star-formation rate averaged over the last `span` Gyr, 1/yr per unit mass formed."""
    edge = torch.full((1,), span, dtype=torch.float64, device=history.oldest().device)
    return history.younger(edge)[:, 0] / (span * YEARS_PER_GYR)


class _Rows:
    """Rows and devices, for dataclasses whose fields are tensors with the galaxies first."""

    def _each(self, change: Callable[[Tensor], Tensor]) -> Self:
        same = object.__new__(type(self))  # what was checked is not checked again
        for f in fields(self):  # type: ignore[arg-type]
            object.__setattr__(same, f.name, change(getattr(self, f.name)))
        return same

    def take(self, index) -> Self:
        return self._each(lambda value: value[index])

    def to(self, device) -> Self:
        return self._each(lambda value: value.to(device))


def _check(name: str, value: Tensor, *, above: float = 0.0) -> None:
    if not bool((value > above).all()):
        bad = value[~(value > above)][0].item()
        raise RequestError(f"{name} = {bad:g}; accepted: above {above:g}")


@dataclass(frozen=True, eq=False)
class DelayedTau(_Rows):
    """SFR ~ t exp(-t / tau) from `age` Gyr ago until now (CIGALE's sfhdelayed; Boquien et al. 2019, eq. 1)."""

    tau: Tensor
    """(N,), Gyr."""
    age: Tensor
    """(N,), Gyr since star formation began."""

    def __post_init__(self) -> None:
        _check("tau", self.tau)
        _check("age", self.age)

    def __len__(self) -> int:
        return len(self.tau)

    def younger(self, age: Tensor) -> Tensor:
        # The mass formed by time t is G(t / tau) with G(x) = 1 - (1 + x) e^-x; this is 1 - G(then) / G(now).
        rate = 1.0 / self.tau[:, None]
        now = self.age[:, None]
        share = 1.0 / _formed(now * rate)
        then = torch.clamp(now - age, min=0.0)
        return torch.addcmul(1.0 - share, torch.addcmul(share, then, share * rate), torch.exp(then * -rate))

    def sfr(self) -> Tensor:
        x = self.age / self.tau
        return x * torch.exp(-x) / (self.tau * _formed(x)) / YEARS_PER_GYR

    def oldest(self) -> Tensor:
        return self.age


def _formed(x: Tensor) -> Tensor:
    """1 - (1 + x) e^-x, also for small x."""
    return -torch.expm1(-x) - x * torch.exp(-x)


@dataclass(frozen=True, eq=False)
class Exponential(_Rows):
    """SFR ~ exp(-t / tau) from `age` Gyr ago until now; a negative tau rises."""

    tau: Tensor
    age: Tensor

    def __post_init__(self) -> None:
        _check("age", self.age)
        if bool((self.tau == 0).any()):
            raise RequestError("tau = 0; accepted: any other, negative for a rising history")

    def __len__(self) -> int:
        return len(self.tau)

    def younger(self, age: Tensor) -> Tensor:
        x_now = (self.age / self.tau)[:, None]
        young = torch.minimum(age, self.age[:, None]) / self.tau[:, None]
        return torch.exp(young - x_now) * torch.expm1(-young) / torch.expm1(-x_now)

    def sfr(self) -> Tensor:
        x = self.age / self.tau
        return -torch.exp(-x) / torch.expm1(-x) / self.tau / YEARS_PER_GYR

    def oldest(self) -> Tensor:
        return self.age


@dataclass(frozen=True, eq=False)
class Constant(_Rows):
    """A constant rate from `start` to `stop` Gyr ago (`stop` = 0: until now)."""

    start: Tensor
    stop: Tensor

    def __post_init__(self) -> None:
        _check("start - stop", self.start - self.stop)
        _check("stop", self.stop, above=-1e-300)

    def __len__(self) -> int:
        return len(self.start)

    def younger(self, age: Tensor) -> Tensor:
        start, stop = self.start[:, None], self.stop[:, None]
        return (torch.clamp(torch.minimum(age, start) - stop, min=0.0)) / (start - stop)

    def sfr(self) -> Tensor:
        return (self.stop <= 0).to(self.start) / (self.start - self.stop) / YEARS_PER_GYR

    def oldest(self) -> Tensor:
        return self.start


@dataclass(frozen=True, eq=False)
class Tabulated(_Rows):
    """Rates that are constant between the edges of look-back age bins, any shape of history."""

    edges: Tensor
    """(N, K + 1), Gyr ago, ascending from 0 or later."""
    rates: Tensor
    """(N, K), star-formation rate in each bin, any unit; only their ratios count."""

    def __post_init__(self) -> None:
        if self.rates.ndim != 2 or self.edges.shape != (self.rates.shape[0], self.rates.shape[1] + 1):
            raise RequestError(
                f"tabulated history: edges {tuple(self.edges.shape)} and rates {tuple(self.rates.shape)}; "
                "expected (N, K + 1) and (N, K)"
            )
        _check("a step between edges", torch.diff(self.edges, dim=1))
        _check("the youngest edge", self.edges[:, 0], above=-1e-300)
        _check("a rate", self.rates, above=-1e-300)
        _check("the mass formed", self._mass().sum(1))

    def __len__(self) -> int:
        return len(self.rates)

    def _mass(self) -> Tensor:
        return self.rates * torch.diff(self.edges, dim=1)

    def younger(self, age: Tensor) -> Tensor:
        mass = self._mass()
        formed = torch.cat([torch.zeros_like(mass[:, :1]), torch.cumsum(mass, 1)], 1)
        where = age.expand(len(self), -1).contiguous()
        piece = torch.searchsorted(self.edges.contiguous(), where, right=True).clamp(1, self.rates.shape[1]) - 1
        within = torch.minimum(where, self.edges[:, -1:]) - self.edges.gather(1, piece)
        total = formed.gather(1, piece) + torch.clamp(within, min=0.0) * self.rates.gather(1, piece)
        return total / formed[:, -1:]

    def sfr(self) -> Tensor:
        now = (self.edges[:, 0] <= 0).to(self.rates) * self.rates[:, 0]
        return now / self._mass().sum(1) / YEARS_PER_GYR

    def oldest(self) -> Tensor:
        return self.edges[:, -1]


@dataclass(frozen=True, eq=False)
class Burst(_Rows):
    """All stars at once, `age` Gyr ago, spread evenly over `width` Gyr around it (no further than now)."""

    age: Tensor
    width: Tensor

    def __post_init__(self) -> None:
        _check("burst age", self.age)
        _check("burst width", self.width)

    def __len__(self) -> int:
        return len(self.age)

    def _span(self) -> Constant:
        return Constant(self.age + 0.5 * self.width, torch.clamp(self.age - 0.5 * self.width, min=0.0))

    def younger(self, age: Tensor) -> Tensor:
        return self._span().younger(age)

    def sfr(self) -> Tensor:
        return self._span().sfr()

    def oldest(self) -> Tensor:
        return self.age + 0.5 * self.width


@dataclass(frozen=True, eq=False)
class Composite:
    """Histories added up, each with a share of the mass formed: bursts on top of a smooth history, and the like."""

    parts: Sequence[History]
    shares: Tensor
    """(N, P), fraction of the mass formed in each part; sums to one."""

    def __post_init__(self) -> None:
        shape = (len(self.parts[0]), len(self.parts))
        if tuple(self.shares.shape) != shape or any(len(part) != shape[0] for part in self.parts):
            raise RequestError(f"shares of shape {tuple(self.shares.shape)}; expected {shape} for {shape[1]} histories")
        if not bool((self.shares >= 0).all() & (torch.abs(self.shares.sum(1) - 1.0) < 1e-6).all()):
            raise RequestError("shares of a composite history must be 0 or more and sum to one")

    def __len__(self) -> int:
        return len(self.shares)

    def younger(self, age: Tensor) -> Tensor:
        return sum(
            (share[:, None] * part.younger(age) for share, part in zip(self.shares.T, self.parts, strict=True)),
            start=torch.zeros(()),
        )

    def sfr(self) -> Tensor:
        return sum(
            (share * part.sfr() for share, part in zip(self.shares.T, self.parts, strict=True)),
            start=torch.zeros(()),
        )

    def oldest(self) -> Tensor:
        return torch.stack([part.oldest() for part in self.parts]).amax(0)

    def take(self, index) -> Composite:
        return self._with([part.take(index) for part in self.parts], self.shares[index])

    def to(self, device) -> Composite:
        return self._with([part.to(device) for part in self.parts], self.shares.to(device))

    def _with(self, parts: Sequence[History], shares: Tensor) -> Composite:
        same = object.__new__(Composite)
        object.__setattr__(same, "parts", parts)
        object.__setattr__(same, "shares", shares)
        return same


@dataclass(frozen=True, eq=False)
class Changed:
    """A history whose rate is multiplied by a factor since some time ago: cut short, or revived.

    After Ciesla et al. (2017, A&A 608, A41), whose rate is constant since then; here it keeps its shape.
    """

    base: History
    since: Tensor
    """(N,), Gyr ago."""
    factor: Tensor
    """(N,), 0 or more."""

    def __post_init__(self) -> None:
        _check("the time since a change", self.since)
        _check("the factor of a change", self.factor, above=-1e-300)
        _check("the mass formed", self._of_base()[1])

    def __len__(self) -> int:
        return len(self.since)

    def _of_base(self) -> tuple[Tensor, Tensor]:
        """(N, 1) each: the share of the base that formed since the change, and the new mass over the old."""
        recent = self.base.younger(self.since[:, None])
        return recent, 1.0 + (self.factor[:, None] - 1.0) * recent

    def younger(self, age: Tensor) -> Tensor:
        recent, total = self._of_base()
        formed = self.base.younger(age)
        return (formed + (self.factor[:, None] - 1.0) * torch.minimum(formed, recent)) / total

    def sfr(self) -> Tensor:
        return self.base.sfr() * self.factor / self._of_base()[1][:, 0]

    def oldest(self) -> Tensor:
        return self.base.oldest()

    def take(self, index) -> Changed:
        return self._with(self.base.take(index), self.since[index], self.factor[index])

    def to(self, device) -> Changed:
        return self._with(self.base.to(device), self.since.to(device), self.factor.to(device))

    def _with(self, base: History, since: Tensor, factor: Tensor) -> Changed:
        same = object.__new__(Changed)
        for name, value in (("base", base), ("since", since), ("factor", factor)):
            object.__setattr__(same, name, value)
        return same


def with_burst(smooth: History, f_burst: Tensor, tau_burst: Tensor, age_burst: Tensor) -> Composite:
    """A smooth history and an exponential burst that began `age_burst` Gyr ago.

    `f_burst` (N,) is the burst's share of the mass formed. With a delayed history this is CIGALE's sfhdelayed
    (Malek et al. 2018; Boquien et al. 2019, section 3.1.1).
    """
    if not bool(((f_burst >= 0) & (f_burst < 1)).all()):
        raise RequestError(f"f_burst from {f_burst.min():g} to {f_burst.max():g}; accepted: 0 up to, not including, 1")
    shares = torch.stack([1.0 - f_burst, f_burst], dim=1)
    return Composite([smooth, Exponential(tau_burst, age_burst)], shares)


def bursts(ages: Tensor, shares: Tensor, width: float = 1e-3) -> Composite:
    """Several bursts: ages (N, P) in Gyr and shares (N, P) of the mass formed, each `width` Gyr long."""
    parts = [Burst(column, torch.full_like(column, width)) for column in ages.T]
    return Composite(parts, shares)
