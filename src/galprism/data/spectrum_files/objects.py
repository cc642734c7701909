"""Spectra as specutils has them in memory: Spectrum, SpectrumCollection, SpectrumList, and whatever is like them.

Only their attributes are asked for (spectral_axis, flux, uncertainty, mask, redshift, meta); specutils is not imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import astropy.units as u
import numpy as np

from galprism.data.spectrum_files.spectrum import Spectrum, angstrom, flux_scale, spectrum
from galprism.errors import RequestError
from galprism.medium import vacuum_from_air

IVAR_OF = {"std": lambda error: error**-2.0, "var": lambda variance: 1.0 / variance, "ivar": lambda ivar: ivar}
"""By what astropy's uncertainties call their kind."""
POWER = {"std": 1, "var": 2, "ivar": -2}


def from_specutils(objects: Any, ids: Sequence[object] | None = None, *, air: bool = False) -> list[Spectrum]:
    """The spectra in an object with spectral_axis and flux (L,) or (N, L), or in a list of such.

    ids : (N,), one a spectrum; None takes what `meta` has under "id", else counts from 0
    air : the spectral axis is in air, and is brought to vacuum

    Masked pixels have no data. A redshift of 0 counts as none, since specutils has it where none was given. Raises
    RequestError where there is no uncertainty, its kind is not known, or a unit is no flux density or no wavelength.
    """
    several = objects if isinstance(objects, list | tuple) else [objects]
    found = [one for i, each in enumerate(several) for one in _read(f"spectrum {i}", each, air)]
    if ids is not None and len(ids) != len(found):
        raise RequestError(f"{len(ids)} ids were given for {len(found)} spectra")
    return [replace(one, id=str(ids[i]) if ids is not None else one.id or str(i)) for i, one in enumerate(found)]


def _read(where: str, one: Any, air: bool) -> list[Spectrum]:
    for name in ("spectral_axis", "flux"):
        if getattr(one, name, None) is None:
            raise RequestError(f"{where} is {type(one).__name__}, without {name}; accepted: objects like specutils'")
    wave = angstrom(where, one.spectral_axis.unit, np.asarray(one.spectral_axis.value, np.float64))
    flux = np.asarray(one.flux.value, np.float64)
    if flux.ndim not in (1, 2) or wave.shape not in (flux.shape, flux.shape[-1:]):
        raise RequestError(
            f"{where} has flux of shape {flux.shape} and wavelengths {wave.shape}; accepted: one or two "
            "dimensions, the last along the wavelengths"
        )
    ivar = _ivar(where, one, flux.shape)
    mask = getattr(one, "mask", None)
    if mask is not None:
        flux, ivar = np.where(mask, 0.0, flux), np.where(mask, 0.0, ivar)
    flux, ivar = np.atleast_2d(flux), np.atleast_2d(ivar)
    wave = np.broadcast_to(wave, flux.shape)
    redshift = getattr(one, "redshift", None)
    redshift = np.nan if redshift is None else np.asarray(redshift, np.float64)
    redshift = np.broadcast_to(np.where(redshift == 0, np.nan, redshift), len(flux))
    meta = getattr(one, "meta", None)
    metas = meta if isinstance(meta, list | tuple) else [meta] * len(flux)
    found = []
    for row, said in enumerate(metas):
        said = said or {}
        origin = where if len(flux) == 1 else f"{where}[{row}]"
        scale = flux_scale(origin, one.flux.unit, wave[row])
        order = slice(None, None, -1) if wave[row, 0] > wave[row, -1] else slice(None)
        found.append(
            spectrum(
                origin,
                str(said.get("id", "")),
                vacuum_from_air(wave[row, order]) if air else wave[row, order],
                (flux[row] * scale)[order],
                (ivar[row] / scale**2)[order],
                redshift=float(redshift[row]),
                **{name: float(said[name]) for name in ("ra", "dec") if name in said},
            )
        )
    return found


def _ivar(where: str, one: Any, shape: tuple[int, ...]) -> np.ndarray:
    """In the unit of the flux to the power -2."""
    uncertainty = getattr(one, "uncertainty", None)
    kind = getattr(uncertainty, "uncertainty_type", None)
    if kind not in IVAR_OF:
        raise RequestError(
            f"{where} has an uncertainty of kind {kind!r}; accepted: {', '.join(IVAR_OF)}: without errors a spectrum "
            "says nothing of its noise"
        )
    array = np.broadcast_to(np.asarray(getattr(uncertainty, "array", uncertainty), np.float64), shape)
    unit = getattr(uncertainty, "unit", None)
    scale = 1.0 if unit is None else u.Unit(unit).to(one.flux.unit ** POWER[kind])
    with np.errstate(divide="ignore", invalid="ignore"):
        return IVAR_OF[kind](array * scale)
