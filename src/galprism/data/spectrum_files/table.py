"""A spectrum in a plain table: FITS, ECSV, CSV or any other format that tables have, a row a pixel."""

from __future__ import annotations

import os
from collections.abc import Mapping

import astropy.units as u
import numpy as np

from galprism.data.spectrum_files.spectrum import Spectrum, angstrom, flux_scale, spectrum
from galprism.data.tables import open_table
from galprism.errors import RequestError
from galprism.medium import vacuum_from_air

COLUMNS = ("wave", "flux", "ivar", "flux_err", "lsf_sigma")
"""One of ivar and flux_err is needed; lsf_sigma, in the unit of wave, is optional."""
LIGHT = 100.0, 1e7
"""Angstrom, from the extreme ultraviolet to a millimetre: wavelengths elsewhere are in another unit, or logarithms."""


def read_spectrum_table(
    path: str | os.PathLike[str],
    *,
    air: bool = False,
    columns: Mapping[str, str] | None = None,
    wave_unit: str | None = None,
    flux_unit: str | None = None,
    **said: object,
) -> Spectrum:
    """The spectrum in a table with columns wave, flux and ivar or flux_err; its id is the file's name.

    air : the wavelengths are in air, and are brought to vacuum
    columns : what those columns are called in the table, where it has other names
    wave_unit, flux_unit : where the table has no units; ivar and flux_err go with the flux where they have none
    said : what the table does not say: `ra`, `dec`, `redshift` and other fields of Spectrum

    Raises RequestError where the table cannot be read, lacks a column or a unit, or wavelengths do not ascend or
    lie beyond LIGHT.
    """
    table = open_table(path)
    name = str(table.path)
    called = {column: column for column in COLUMNS} | dict(columns or {})
    strangers = sorted(set(called) - set(COLUMNS))
    if strangers:
        raise RequestError(f"{name}: columns {', '.join(strangers)} were given; accepted: {', '.join(COLUMNS)}")
    there = {column: called[column] for column in COLUMNS if called[column] in table.columns}
    errors = [column for column in ("ivar", "flux_err") if column in there]
    missing = [called[column] for column in ("wave", "flux") if column not in there]
    missing += [] if errors else [f"{called['ivar']} or {called['flux_err']}"]
    if missing:
        raise RequestError(f"{name}: has no column {', '.join(missing)}; it has {', '.join(table.columns)}")
    if len(errors) > 1:
        raise RequestError(f"{name}: has both {called['ivar']} and {called['flux_err']}; say which by `columns`")
    values = {column: np.asarray(array, np.float64) for column, array in _read(table, there).items()}
    units = {column: table.columns[there[column]].unit for column in there}
    wave = angstrom(name, units["wave"] or wave_unit, values["wave"])
    _check_light(name, wave, values["wave"], f"column {called['wave']}", str(units["wave"] or wave_unit))
    unit = units["flux"] or flux_unit
    scale = flux_scale(name, unit, wave)
    with np.errstate(divide="ignore", invalid="ignore"):
        if errors == ["ivar"]:
            other = flux_scale(name, _root(name, units["ivar"]), wave) if units["ivar"] else scale
            ivar = values["ivar"] / other**2
        else:
            error = values["flux_err"] * (flux_scale(name, units["flux_err"], wave) if units["flux_err"] else scale)
            ivar = np.where(error <= 0, -1.0, 1.0 / error**2)
    sigma = None
    if "lsf_sigma" in there:
        sigma = angstrom(name, units["lsf_sigma"] or units["wave"] or wave_unit, values["lsf_sigma"], width=True)
    order = slice(None, None, -1) if wave[0] > wave[-1] else slice(None)
    wave = wave[order]
    return spectrum(
        name,
        table.path.name.split(".")[0],
        vacuum_from_air(wave) if air else wave,
        (values["flux"] * scale)[order],
        ivar[order],
        None if sigma is None else sigma[order],
        **said,
    )


def _read(table, there: Mapping[str, str]) -> dict[str, np.ndarray]:
    for column in there.values():
        if table.columns[column].shape or table.columns[column].dtype.kind not in "iuf":
            raise RequestError(f"{table.path}: column {column!r} is no column of single numbers")
    if not table.n_rows:
        raise RequestError(f"{table.path}: has no rows; expected a row a pixel")
    read = table.read(there.values())
    return {column: read[name] for column, name in there.items()}


def _check_light(name: str, wave: np.ndarray, given: np.ndarray, column: str, unit: str) -> None:
    """Raises RequestError for wavelengths, Angstrom, that no light has which is looked at here; given : as they stand
    in the table, in `unit`."""
    there = np.isfinite(wave)
    if not there.any() or (wave[there].min() >= LIGHT[0] and wave[there].max() <= LIGHT[1]):
        return
    low, high = given[there].min(), given[there].max()
    logarithms = low >= 2.0 and high < 6.0
    hint = "; are they log10 of wavelengths? Give 10** of them" if logarithms else "; is the unit right?"
    raise RequestError(
        f"{name}: {column} has wavelengths from {low:.6g} to {high:.6g} {unit}; accepted: from {LIGHT[0]:g} to "
        f"{LIGHT[1]:g} Angstrom{hint}"
    )


def _root(origin: str, unit: str) -> object:
    """The unit of a flux of the unit of its inverse variance."""
    try:
        return u.Unit(unit) ** -0.5
    except (ValueError, TypeError) as error:
        raise RequestError(
            f"{origin}: unit {unit!r} of ivar; accepted: the inverse square of a flux density"
        ) from error
