"""Spectra as specutils has them in memory: Spectrum, SpectrumCollection, SpectrumList, and whatever is like them.

Only their attributes are asked for (spectral_axis, flux, uncertainty, mask, redshift, meta); specutils is not imported.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    rows = [row for i, one in enumerate(several) for row in _rows(f"spectrum {i}", one)]
    if ids is not None and len(ids) != len(rows):
        raise RequestError(f"{len(ids)} ids were given for {len(rows)} spectra")
    names = [_id(i, meta) if ids is None else ids[i] for i, (_, meta, _, _) in enumerate(rows)]
    return [
        _spectrum(where, str(name), meta, said, arrays, air)
        for name, (where, meta, said, arrays) in zip(names, rows, strict=True)
    ]


def _rows(where: str, one: Any) -> list[tuple[str, dict, dict, tuple]]:
    """Of one object, row by row: where it is, its meta, what else it says, and wave, flux, ivar and mask."""
    for name in ("spectral_axis", "flux"):
        if getattr(one, name, None) is None:
            raise RequestError(f"{where} is {type(one).__name__}, without {name}; accepted: objects like specutils'")
    axis, flux = one.spectral_axis, one.flux
    wave = angstrom(where, axis.unit, np.asarray(u.Quantity(axis).value, np.float64))
    values = np.asarray(u.Quantity(flux).value, np.float64)
    if values.ndim not in (1, 2) or wave.shape not in (values.shape, values.shape[-1:]):
        raise RequestError(f"{where} has flux of shape {values.shape} and wavelengths {wave.shape}")
    ivar = _ivar(where, one, values.shape)
    mask = getattr(one, "mask", None)
    bad = np.zeros(values.shape, bool) if mask is None else np.broadcast_to(np.asarray(mask, bool), values.shape)
    meta = getattr(one, "meta", None)
    redshift = np.atleast_1d(np.asarray(getattr(one, "redshift", None) or 0.0, np.float64)).ravel()
    values, ivar, bad = (np.atleast_2d(array) for array in (values, ivar, bad))
    wave = np.broadcast_to(wave, values.shape)
    redshift = np.broadcast_to(redshift, len(values))
    whole = [meta] * len(values) if not isinstance(meta, list | tuple) else list(meta)
    place = [where] if len(values) == 1 else [f"{where}[{k}]" for k in range(len(values))]
    return [
        (
            place[k],
            dict(whole[k] or {}),
            {"redshift": float(redshift[k]) if redshift[k] else np.nan},
            (wave[k], values[k], ivar[k], bad[k], flux.unit),
        )
        for k in range(len(values))
    ]


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


def _id(i: int, meta: dict) -> object:
    return meta.get("id", i)


def _spectrum(where: str, ident: str, meta: dict, said: dict, arrays: tuple, air: bool) -> Spectrum:
    wave, flux, ivar, bad, unit = arrays
    scale = flux_scale(where, unit, wave)
    order = slice(None, None, -1) if wave[0] > wave[-1] else slice(None)
    wave = vacuum_from_air(wave[order]) if air else wave[order]
    flux, ivar = np.where(bad, 0.0, flux * scale)[order], np.where(bad, 0.0, ivar / scale**2)[order]
    place = {name: float(meta[name]) for name in ("ra", "dec") if name in meta}
    return spectrum(where, ident, wave, flux, ivar, **place, **said)
