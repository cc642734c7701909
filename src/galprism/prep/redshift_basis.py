"""Spectra at rest by which redshifts are found: of each class a mean and what it varies by, and how pixels are worth.

A source of redshift z has the spectrum a (t_0 + sum_k c_k t_k) of its class, moved by ln(1 + z); over the class c_k is
normal of mean 0 and standard deviation 1, and a is near the level of its spectrum. On pixels even in ln wavelength a
redshift is a shift: at (1 + z) = 10^(1e-4 s), by s pixels. Bins of `BIN` pixels begin at any of them.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np

from galprism.data import CLASSES
from galprism.data.spectrum_files.sdss import DEX_PER_PIXEL, wave_of
from galprism.errors import RequestError

BIN = 4
"""Pixels of 1e-4 in log10 wavelength that are taken together: 276 km/s."""
FIRST, BINS = 35500, 1169
"""The first pixel that is looked at, and how many bins: 3548 to 10,411 Angstrom, observed."""
OBSERVED = 10.0 ** (DEX_PER_PIXEL * FIRST), 10.0 ** (DEX_PER_PIXEL * (FIRST + BINS * BIN - 1))
"""Angstrom, the first pixel and the last."""


@dataclass(frozen=True, eq=False)
class ClassBasis:
    """One class."""

    name: str
    """Of galprism.data.CLASSES."""
    first: int
    """Of the first pixel at rest: log10 of its wavelength [Angstrom, vacuum] over DEX_PER_PIXEL."""
    spectra: np.ndarray
    """(K + 1, W), float32: t_0 and t_1 to t_K, f_lambda."""
    redshift: tuple[float, float]
    """From and to."""

    def __post_init__(self) -> None:
        if self.name not in CLASSES:
            raise RequestError(f"basis of class {self.name!r}; accepted: {', '.join(CLASSES)}")
        if self.spectra.ndim != 2 or len(self.spectra) < 2:
            raise RequestError(f"basis of {self.name} has shape {self.spectra.shape}; expected (K + 1, W), K >= 1")
        low, high = self.shifts
        last = self.first + self.spectra.shape[1]
        if self.first > FIRST - high or last < FIRST + BINS * BIN - low:
            blue, red = (10 ** (DEX_PER_PIXEL * end) for end in (self.first, last))
            raise RequestError(
                f"basis of {self.name} from {blue:.0f} to {red:.0f} Angstrom does not reach for "
                f"redshifts of {self.redshift[0]:g} to {self.redshift[1]:g}"
            )

    @property
    def shifts(self) -> tuple[int, int]:
        """The least and the most, pixels."""
        low, high = (float(np.log10(1.0 + z)) / DEX_PER_PIXEL for z in self.redshift)
        return int(np.ceil(low)), int(np.floor(high))

    def binned(self) -> np.ndarray:
        """(K + 1, W - BIN + 1), float32: means over BIN pixels from each on."""
        total = np.cumsum(np.pad(self.spectra.astype(np.float64), ((0, 0), (1, 0))), axis=1)
        return ((total[:, BIN:] - total[:, :-BIN]) / BIN).astype(np.float32)


@dataclass(frozen=True, eq=False)
class RedshiftBasis:
    """All classes."""

    classes: tuple[ClassBasis, ...]
    worth: np.ndarray
    """(BINS,), float32: what a bin is worth (an inverse variance) in a typical spectrum, of mean 1."""

    def __post_init__(self) -> None:
        if self.worth.shape != (BINS,):
            raise RequestError(f"RedshiftBasis.worth has shape {self.worth.shape}; expected ({BINS},)")

    def of(self, name: str) -> ClassBasis:
        """Of a class. Raises RequestError where it is not there."""
        for one in self.classes:
            if one.name == name:
                return one
        raise RequestError(f"no class {name!r} in the basis; there are {', '.join(c.name for c in self.classes)}")

    def to_bytes(self) -> bytes:
        """As a .npz of plain arrays."""
        arrays: dict[str, np.ndarray] = {"worth": self.worth, "names": np.array([one.name for one in self.classes])}
        for one in self.classes:
            arrays[f"spectra_{one.name}"] = one.spectra
            arrays[f"place_{one.name}"] = np.array([one.first, *one.redshift], np.float64)
        file = io.BytesIO()
        np.savez(file, **arrays)  # type: ignore[arg-type]
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> RedshiftBasis:
        """The inverse. Raises KeyError or ValueError where something is missing or odd."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            classes = []
            for name in arrays["names"].tolist():
                first, low, high = arrays[f"place_{name}"].tolist()
                classes.append(ClassBasis(name, int(first), arrays[f"spectra_{name}"], (low, high)))
            return cls(tuple(classes), arrays["worth"])


def bin_wave() -> np.ndarray:
    """(BINS,), Angstrom, middles of the bins."""
    return wave_of(FIRST + (BIN - 1) / 2 + BIN * np.arange(BINS))
