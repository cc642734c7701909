"""Simple stellar populations: the record that every loader fills and the forward model reads."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from galprism.errors import RequestError
from galprism.medium import vacuum_from_air

Z_SUN = 0.02
"""The solar metallicity of BC03 (Bruzual & Charlot 2003) and of galprism's [M/H] = log10(Z / 0.02)."""


@dataclass(frozen=True, eq=False)
class NebularGrid:
    """Emission of the gas that the young stars of a library ionise, per solar mass of stars formed."""

    age_edges: np.ndarray
    """(A + 1,), Gyr; the first is 0, the last the age up to which stars ionise their surroundings."""
    logu: np.ndarray
    """(U,), log10 of the ionisation parameter."""
    wave: np.ndarray
    """(V,), Angstrom, in the medium of the library."""
    continuum: np.ndarray
    """(M, U, A, V), Lsun/Angstrom/Msun."""
    line_wave: np.ndarray
    """(L,), Angstrom, in the medium of the library."""
    line: np.ndarray
    """(M, U, A, L), Lsun/Msun."""
    line_names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class SSPLibrary:
    """Spectra of simple stellar populations of M metallicities and T ages, per solar mass *formed*."""

    name: str
    wave: np.ndarray
    """(W,), Angstrom ascending, in `medium`."""
    medium: str
    """"vacuum" or "air" (air above 2000 A, vacuum below, as spectra in air are written)."""
    age: np.ndarray
    """(T,), Gyr ascending."""
    z_met: np.ndarray
    """(M,), mass fraction of metals, ascending."""
    flux: np.ndarray
    """(M, T, W), Lsun/Angstrom per Msun formed."""
    living: np.ndarray
    """(M, T), fraction of the mass formed that is in living stars; NaN where the library does not say."""
    surviving: np.ndarray
    """(M, T), fraction that is in living stars and remnants (white dwarfs, neutron stars, black holes)."""
    imf: str
    isochrones: str
    lsun: float = 3.826e33
    """erg/s in the Lsun of `flux`."""
    nebular: NebularGrid | None = None
    provenance: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = (len(self.z_met), len(self.age), len(self.wave))
        if self.flux.shape != shape:
            raise RequestError(f"{self.name}: flux has shape {self.flux.shape}; expected {shape} (metals, ages, waves)")
        for name in ("living", "surviving"):
            if getattr(self, name).shape != shape[:2]:
                raise RequestError(f"{self.name}: {name} has shape {getattr(self, name).shape}; expected {shape[:2]}")
        if self.medium not in ("vacuum", "air"):
            raise RequestError(f"{self.name}: medium {self.medium!r}; accepted: vacuum, air")
        for name in ("wave", "age", "z_met"):
            if not np.all(np.diff(getattr(self, name)) > 0):
                raise RequestError(f"{self.name}: {name} is not ascending")
        if not np.isfinite(self.flux).all():
            raise RequestError(f"{self.name}: flux is not finite somewhere")

    @cached_property
    def hash(self) -> str:
        """sha256 of the spectra and what they belong to."""
        digest = hashlib.sha256(self.name.encode())
        for array in (self.wave, self.age, self.z_met, self.flux, self.surviving):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def to_vacuum(self, wave: np.ndarray) -> np.ndarray:
        """Wavelengths of this library's medium in vacuum."""
        return vacuum_from_air(wave) if self.medium == "air" else np.asarray(wave, float)

    @property
    def age_edges(self) -> np.ndarray:
        """(T + 1,), Gyr: each SSP stands for the ages nearest to its own; the first bin begins at 0.

        Edges lie half way between neighbouring ages, and the last bin ends as far beyond the last age as it begins
        before it.
        """
        middle = 0.5 * (self.age[1:] + self.age[:-1])
        return np.concatenate([[0.0], middle, [2.0 * self.age[-1] - middle[-1]]])
