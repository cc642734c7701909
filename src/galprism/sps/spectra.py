"""A library on the model's own bins: what the forward model multiplies weights with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from galprism.data.spectra import pixel_edges
from galprism.errors import RequestError
from galprism.sps.ssp import SSPLibrary
from galprism.wavegrid import LogGrid, averaging_matrix, integral

LYMAN_EDGE = 912.0
"""Angstrom; the gas around young stars takes all their light bluewards of it."""
LOG_GYR = 9.0
"""log10 of the years in a Gyr."""
LIGHT_WINDOW = (5450.0, 5550.0)
"""Angstrom; "light at 5500 A" is the mean flux density in here."""


@dataclass(frozen=True, eq=False)
class Gas:
    """The nebular grids on the model's bins."""

    age_edges: Tensor
    """(A + 1,), Gyr, float64."""
    logu: Tensor
    """(U,), float64."""
    continuum: Tensor
    """(M, U, A, W), float32, Lsun/A/Msun."""
    line: Tensor
    """(M, U, A, L), float32, Lsun/Msun."""
    line_wave: np.ndarray
    """(L,), Angstrom in vacuum, ascending: the lines that fall on the bins."""
    line_names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Spectra:
    """SSPs on the model's bins, T' age bins (one split where stars stop ionising, when there is gas)."""

    age_edges: Tensor
    """(T' + 1,), Gyr, float64."""
    stars: Tensor
    """(M, T', W), float32, Lsun/A/Msun; bluewards of 912 A young stars are dark when there is gas."""
    table: Tensor
    """(M, T', 6), float64: surviving and living fraction, age, light at 5500 A, and that times age, and times log10 of
    the age in yr."""
    log_z: Tensor
    """(M,), float64, ln of the metallicities."""
    gas: Gas | None


def prepare(
    library: SSPLibrary, grid: LogGrid, *, nebular: bool, device: str | torch.device, sharp: bool = False
) -> Spectra:
    """Average a library's spectra over the bins of `grid`, keeping their integrals.

    sharp : stars' spectra are those of pixels, whose width is not added a second time to bins that are narrower

    Raises RequestError when the library does not reach as far as the grid, or has no nebular grids but should.
    """
    wave = library.to_vacuum(library.wave)
    matrix = averaging_matrix(wave, grid.edges)

    def binned(flux: np.ndarray) -> np.ndarray:
        flat = flux.reshape(-1, flux.shape[-1])
        return (matrix @ flat.T).T.reshape(*flux.shape[:-1], grid.size).astype(np.float32)

    def tensor(array, dtype=torch.float64) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(array), dtype=dtype, device=device)

    def of_stars(flux: np.ndarray) -> np.ndarray:
        return _sharply_binned(wave, flux, grid.edges) if sharp else binned(flux)

    stars = of_stars(library.flux)
    edges = library.age_edges
    source = np.arange(len(library.age))
    gas = None
    if nebular:
        if library.nebular is None:
            raise RequestError(f"{library.name} has no nebular grids; ask for nebular=False")
        neb = library.nebular
        end = float(neb.age_edges[-1])
        row = int(np.searchsorted(edges, end)) - 1
        if edges[row + 1] > end:  # split the bin in which stars stop ionising
            edges = np.insert(edges, row + 1, end)
            source = np.insert(source, row + 1, row)
        young = slice(0, row + 1)
        escaping = np.where(wave < LYMAN_EDGE, 0.0, library.flux[:, young])
        stars = stars[:, source]
        stars[:, young] = of_stars(escaping)
        if not np.array_equal(neb.wave, library.wave):
            raise RequestError(f"{library.name}: its nebular continuum is not on the wavelengths of its stars")
        line_wave = library.to_vacuum(neb.line_wave)
        seen = np.argsort(line_wave)
        seen = seen[(line_wave[seen] > grid.edges[0]) & (line_wave[seen] < grid.edges[-1])]
        gas = Gas(
            age_edges=tensor(neb.age_edges),
            logu=tensor(neb.logu),
            continuum=tensor(binned(neb.continuum), torch.float32),
            line=tensor(neb.line[..., seen], torch.float32),
            line_wave=line_wave[seen],
            line_names=tuple(neb.line_names[k] for k in seen),
        )
    light = (averaging_matrix(wave, np.array(LIGHT_WINDOW)) @ library.flux.reshape(-1, len(wave)).T)[0]
    light = light.reshape(library.living.shape)
    age = np.broadcast_to(0.5 * (edges[1:] + edges[:-1]), (len(library.z_met), len(source)))
    light = light[:, source]
    columns = [library.surviving[:, source], library.living[:, source], age, light, age * light]
    columns.append((np.log10(age) + LOG_GYR) * light)
    return Spectra(
        age_edges=tensor(edges),
        stars=tensor(stars, torch.float32),
        table=tensor(np.stack(columns, axis=-1)),
        log_z=tensor(np.log(library.z_met)),
        gas=gas,
    )


def _sharply_binned(wave: np.ndarray, flux: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Spectra (M, T, W) of pixels about `wave`, averaged over bins: (M, T, len(edges) - 1), float32."""
    reach = slice(max(np.searchsorted(wave, edges[0]) - 4, 0), np.searchsorted(wave, edges[-1]) + 4)
    old = pixel_edges(wave[reach])
    if old[0] > edges[0] or old[-1] < edges[-1]:
        raise RequestError(
            f"bins from {edges[0]:.5g} to {edges[-1]:.5g} A exceed the spectra's {old[0]:.5g} to {old[-1]:.5g} A"
        )
    parts = [np.diff(integral(old, part[:, reach])(edges), axis=-1) / np.diff(edges) for part in flux]
    return np.stack(parts).astype(np.float32)
