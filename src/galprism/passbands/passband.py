"""A passband: the throughput of a system per photon, against vacuum wavelength."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from galprism.errors import RequestError
from galprism.medium import vacuum_from_air

ANGSTROM_PER_UNIT = {
    "angstrom": 1.0,
    "angstroms": 1.0,
    "a": 1.0,
    "aa": 1.0,
    "0.1nm": 1.0,
    "nm": 10.0,
    "nanometer": 10.0,
    "um": 1e4,
    "micron": 1e4,
    "micrometer": 1e4,
    "m": 1e10,
}
SHORTEST, LONGEST = 900.0, 1e8
"""Angstrom; a curve whose peak lies outside is in another unit."""
NEGATIVE_NOISE = 0.01
"""Negative values down to this fraction of the peak are noise of the measurement and become zero."""
FLOOR = 1e-3
"""Fraction of the peak below which a detached piece is noise, or twice the negative excursion where that is more."""
OPEN_END = 0.05
"""Fraction of the peak that a curve may have at its ends and still be closed by a vertical edge."""


@dataclass(frozen=True, eq=False)
class Passband:
    """A throughput curve, linear between its points and zero outside; made with `Passband.from_arrays`."""

    name: str
    wave: np.ndarray
    """(W,), Angstrom in vacuum, ascending."""
    throughput: np.ndarray
    """(W,), counts per photon, 0 to 1; zero at both ends."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Where the curve comes from, and what was done to it on entry."""

    def __post_init__(self) -> None:
        wave, throughput = np.array(self.wave, np.float64), np.array(self.throughput, np.float64)
        if wave.ndim != 1 or wave.shape != throughput.shape or len(wave) < 3:
            raise RequestError(
                f"passband {self.name}: wave {wave.shape} and throughput {throughput.shape}; expected (W,)"
            )
        if not (np.isfinite(wave).all() and np.isfinite(throughput).all()):
            raise RequestError(f"passband {self.name}: a wavelength or a throughput is not finite")
        if np.any(np.diff(wave) <= 0):
            raise RequestError(f"passband {self.name}: wavelengths do not ascend")
        if throughput.min() < 0 or not 0 < throughput.max() <= 1:
            raise RequestError(
                f"passband {self.name}: throughput runs from {throughput.min():.4g} to {throughput.max():.4g}; "
                "expected 0 to 1"
            )
        if throughput[0] != 0 or throughput[-1] != 0:
            raise RequestError(f"passband {self.name}: not closed; expected zero at both ends")
        wave.flags.writeable = throughput.flags.writeable = False
        object.__setattr__(self, "wave", wave)
        object.__setattr__(self, "throughput", throughput)
        object.__setattr__(self, "provenance", dict(self.provenance))

    @classmethod
    def from_arrays(
        cls,
        name: str,
        wave,
        value,
        *,
        wave_unit: str = "Angstrom",
        medium: Literal["vacuum", "air"] = "vacuum",
        detector: Literal["photon", "energy"] = "photon",
        scale: Literal["fraction", "percent", "relative"] | None = None,
        leaks: Literal["refuse", "keep", "drop"] = "refuse",
        ends: Literal["refuse", "close"] = "refuse",
        provenance: Mapping[str, Any] | None = None,
    ) -> Passband:
        """A passband from a curve as it is found in files: sorted, converted, checked, cut to its band and closed.

        wave, value : (W,)
        detector : "energy" when the response is per unit energy; then T_photon is proportional to value / wave.
        scale : "relative" divides by the peak; None decides between a fraction and per cent by the peak.
        leaks : what to do with pieces farther from the main one than its width; "keep" takes the curve whole. Otherwise
            what stays out of band below 0.1 % of the peak, or below twice the deepest negative value, is noise and
            is cut off.
        ends : "close" puts a vertical edge on a curve that is cut off above 5 % of its peak.

        Raises RequestError for an unknown unit, a peak outside 900 Angstrom – 1 cm, values that are neither a
        fraction nor per cent, negative values beyond noise, a wavelength with two values, a leak, an open end.
        """
        where = f"passband {name}"
        wave, value = np.asarray(wave, np.float64), np.asarray(value, np.float64)
        if wave.ndim != 1 or wave.shape != value.shape or len(wave) < 2:
            raise RequestError(
                f"{where}: wave {wave.shape} and value {value.shape}; expected two columns of one length"
            )
        odd = np.flatnonzero(~(np.isfinite(wave) & np.isfinite(value) & (wave > 0)))
        if len(odd):
            raise RequestError(
                f"{where}: point {odd[0] + 1} is {wave[odd[0]]:g}, {value[odd[0]]:g}; accepted: a wavelength above "
                "zero and a number"
            )
        wave, value = _ascending(where, wave * _angstrom_per(where, wave_unit), value)
        notes = dict(provenance or {})
        peak = value.max()
        if peak <= 0:
            raise RequestError(f"{where}: no value is positive")
        if not SHORTEST <= wave[value.argmax()] <= LONGEST:
            below = wave[value.argmax()] < SHORTEST
            advice = "Is the unit nm or um?" if below else "galprism has no models there: leave the curve out"
            raise RequestError(
                f"{where}: the curve peaks at {wave[value.argmax()]:.6g} Angstrom when read in {wave_unit}; accepted: "
                f"{SHORTEST:g} to {LONGEST:g} Angstrom. {advice}"
            )
        if value.min() < -NEGATIVE_NOISE * peak:
            raise RequestError(
                f"{where}: negative down to {value.min() / peak:.3g} of the peak; accepted: -{NEGATIVE_NOISE:g} (noise)"
            )
        floor = max(FLOOR, -2.0 * value.min() / peak)
        value = np.maximum(value, 0.0)
        if medium == "air":
            wave = vacuum_from_air(wave)
        elif medium != "vacuum":
            raise RequestError(f"{where}: medium {medium!r}; accepted: 'vacuum', 'air'")
        value = value / _full_scale(where, value.max(), scale)
        if detector == "energy":
            top = value.max()
            value = value / wave
            value *= top / value.max()
        elif detector != "photon":
            raise RequestError(f"{where}: detector {detector!r}; accepted: 'photon', 'energy'")
        if leaks != "keep":
            wave, value = _cut_to_band(where, wave, value, floor, leaks)
        wave, value = _closed(where, wave, value, ends)
        return cls(name, wave, value, notes)

    def __call__(self, wave) -> np.ndarray:
        """Throughput at vacuum wavelengths in Angstrom, any shape; zero outside."""
        return np.interp(wave, self.wave, self.throughput, left=0.0, right=0.0)

    def _nodes(self) -> tuple[np.ndarray, np.ndarray]:
        return quadrature(self.wave)

    @cached_property
    def norm(self) -> float:
        """The integral of T dlambda / lambda: what a flat f_nu source counts."""
        wave, weight = self._nodes()
        return float(np.sum(weight * self(wave) / wave))

    @cached_property
    def pivot(self) -> float:
        """Pivot wavelength, Angstrom: sqrt(int T lambda dlambda / int T dlambda / lambda) (Tokunaga & Vacca 2005)."""
        wave, weight = self._nodes()
        return float(np.sqrt(np.sum(weight * self(wave) * wave) / self.norm))

    @cached_property
    def effective_wavelength(self) -> float:
        """Angstrom: exp(int T ln(lambda) dln(lambda) / int T dln(lambda)) (Fukugita et al. 1996, Eq. 3)."""
        wave, weight = self._nodes()
        return float(np.exp(np.sum(weight * self(wave) * np.log(wave) / wave) / self.norm))

    @cached_property
    def width(self) -> float:
        """Equivalent width, Angstrom: the integral of T dlambda over the peak of T."""
        return float(np.trapezoid(self.throughput, self.wave) / self.throughput.max())

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the curve to nine digits, in hexadecimal: two passbands with one hash give one photometry."""
        text = "\n".join(f"{w:.8e} {t:.8e}" for w, t in zip(self.wave, self.throughput, strict=True))
        return hashlib.sha256(text.encode()).hexdigest()


def quadrature(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights, both (4 (E - 1),), of a four-point Gauss–Legendre rule between each two of E edges."""
    x, w = np.polynomial.legendre.leggauss(4)
    half = 0.5 * np.diff(edges)[:, None]
    middle = 0.5 * (edges[1:] + edges[:-1])[:, None]
    return (middle + half * x).ravel(), (half * w).ravel()


def _angstrom_per(where: str, unit: str) -> float:
    key = unit.strip().lower()
    if key not in ANGSTROM_PER_UNIT:
        raise RequestError(f"{where}: wavelength unit {unit!r}; accepted: Angstrom, nm, um, m")
    return ANGSTROM_PER_UNIT[key]


def _ascending(where: str, wave: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(wave, kind="stable")
    wave, value = wave[order], value[order]
    same = np.diff(wave) == 0
    if np.any(same & (np.diff(value) != 0)):
        at = wave[1:][same & (np.diff(value) != 0)][0]
        raise RequestError(f"{where}: two values at {at:g} Angstrom; expected one value a wavelength")
    keep = np.concatenate([[True], ~same])
    return wave[keep], value[keep]


def _full_scale(where: str, peak: float, scale: str | None) -> float:
    if scale == "relative":
        return peak
    if scale is None:
        if peak <= 1.0:
            scale = "fraction"
        elif 1.5 < peak <= 100.0:
            scale = "percent"
        else:
            raise RequestError(
                f"{where}: the curve peaks at {peak:.4g}, neither a fraction (up to 1) nor clearly per cent "
                "(1.5 to 100); say scale='fraction', 'percent' or 'relative'"
            )
    if scale not in ("fraction", "percent"):
        raise RequestError(f"{where}: scale {scale!r}; accepted: 'fraction', 'percent', 'relative'")
    full = 1.0 if scale == "fraction" else 100.0
    if peak > full:
        raise RequestError(f"{where}: the curve peaks at {peak:.4g}, above {full:g}, so it is not a {scale}")
    return full


def _cut_to_band(
    where: str, wave: np.ndarray, value: np.ndarray, floor: float, leaks: str
) -> tuple[np.ndarray, np.ndarray]:
    """The curve with what lies outside the band cut off (see `from_arrays`); `floor` is a fraction of the peak."""
    if leaks not in ("refuse", "drop"):
        raise RequestError(f"{where}: leaks {leaks!r}; accepted: 'refuse', 'keep', 'drop'")
    inside = value > floor * value.max()
    starts = np.flatnonzero(inside & ~np.concatenate([[False], inside[:-1]]))
    lasts = np.flatnonzero(inside & ~np.concatenate([inside[1:], [False]]))
    photons = [_photons(wave, value, int(a), int(b)) for a, b in zip(starts, lasts, strict=True)]
    main = int(np.argmax(photons))
    first, last = starts[main], lasts[main]
    # Pieces nearer to the main one than its own width belong to the band: atmospheric absorption parts them.
    reach = wave[last] - wave[first]
    leak = (wave[starts] - wave[last] > reach) | (wave[first] - wave[lasts] > reach)
    if leaks == "refuse" and leak.any():
        a, b = starts[leak][0], lasts[leak][0]
        share = 100 * sum(np.array(photons)[leak]) / sum(photons)
        raise RequestError(
            f"{where}: it leaks between {wave[a]:g} and {wave[b]:g} Angstrom, far from its peak at "
            f"{wave[value.argmax()]:g} (leaks hold {share:.2g} % of the photons of a flat source); "
            "cut it off in the file, or in Python say leaks='keep' or leaks='drop'"
        )
    value = value.copy()
    for a, b in zip(starts[leak], lasts[leak], strict=True):
        value[a : b + 1] = 0.0
    # Each end goes on below the floor for as long as the curve keeps falling.
    low, high = starts[~leak][0], lasts[~leak][-1]
    while low > 0 and value[low - 1] < value[low]:
        low -= 1
    while high < len(wave) - 1 and value[high + 1] < value[high]:
        high += 1
    return wave[low : high + 1], value[low : high + 1]


def _photons(wave: np.ndarray, value: np.ndarray, first: int, last: int) -> float:
    a, b = max(first - 1, 0), min(last + 2, len(wave))
    return float(np.trapezoid(value[a:b] / wave[a:b], wave[a:b]))


def _closed(where: str, wave: np.ndarray, value: np.ndarray, ends: str) -> tuple[np.ndarray, np.ndarray]:
    """The curve with zero at both ends: a vertical edge where it is not zero there."""
    if ends not in ("refuse", "close"):
        raise RequestError(f"{where}: ends {ends!r}; accepted: 'refuse', 'close'")
    for end, word in ((0, "begins"), (-1, "ends")):
        if ends == "refuse" and value[end] > OPEN_END * value.max():
            raise RequestError(
                f"{where}: not closed: it {word} at {wave[end]:g} Angstrom with {value[end] / value.max():.2g} of its "
                "peak; add a row with zero there if the edge is real"
            )
    within = np.flatnonzero(value)
    low, high = max(within[0] - 1, 0), within[-1] + 2
    wave, value = wave[low:high], value[low:high]
    if value[0] > 0:
        wave, value = np.insert(wave, 0, wave[0] * (1 - 1e-9)), np.insert(value, 0, 0.0)
    if value[-1] > 0:
        wave, value = np.append(wave, wave[-1] * (1 + 1e-9)), np.append(value, 0.0)
    return wave, value
