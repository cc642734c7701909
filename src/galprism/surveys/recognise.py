"""Which columns of a table mean what: by a preset that fits, by what the user says, or refused."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from galprism.data.tables import ColumnInfo
from galprism.errors import RequestError
from galprism.surveys.band import Band
from galprism.surveys.layout import BandColumns, Cell, Layout
from galprism.surveys.preset import (
    PLAIN,
    PLAIN_DEC,
    PLAIN_EBV,
    PLAIN_ID,
    PLAIN_RA,
    PLAIN_REDSHIFT,
    PLAIN_REDSHIFT_ERR,
    Preset,
)
from galprism.surveys.values import Meaning, brightest_flux
from galprism.units import AB_ZEROPOINT_NJY, njy_per

NONE = "none"
"""In place of a column's name: there is none, and the user knows."""
AB_UNITS = {"", "mag", "mags", "magnitude", "abmag", "mag(ab)", "ab", "ab mag"}
ROLES = ("id", "ra", "dec", "redshift", "redshift_err", "ebv")
TARGETS = f"{', '.join(ROLES)}, flux_<band>, flux_err_<band>, flux_ivar_<band>, mag_<band>, mag_err_<band>"


@dataclass(frozen=True)
class Given:
    """What the user said of one band."""

    kind: str | None = None
    value: str | None = None
    error: str | None = None
    error_kind: str | None = None


def recognise(
    survey: str,
    bands: Sequence[Band],
    presets: Sequence[Preset],
    columns: Mapping[str, ColumnInfo],
    *,
    preset: str | None = None,
    columns_map: Mapping[str, str] | None = None,
    unit: str | None = None,
    without: Iterable[str] = (),
) -> Layout:
    """The layout of a table with these columns (see `Survey.layout`)."""
    names = [band.name for band in bands]
    lacking = _check_without(survey, names, without)
    given, roles = _check_map(survey, names, columns, columns_map or {})
    wanted = [name for name in names if name not in lacking]
    by_hand = [name for name in wanted if given[name].value and given[name].error]
    chosen = _choose(
        survey, [*presets, *PLAIN], columns, preset, [name for name in wanted if name not in by_hand], given, lacking
    )
    if chosen is None:
        chosen = Preset("given by hand", "flux_{band}", "flux_err_{band}", "flux")
    specs: list[BandColumns | None] = []
    for band in bands:
        if band.name in lacking:
            specs.append(None)
        else:
            specs.append(_band_columns(band, chosen, given[band.name], columns, unit))
    _check_distinct(specs)
    _check_units(specs, unit)
    specs, ebv, extinction_note = _extinction(chosen, bands, specs, roles, columns)
    layout = Layout(
        survey=survey,
        bands=tuple(bands),
        preset=f"{chosen.name} ({chosen.description})" if chosen.description else chosen.name,
        columns=tuple(specs),
        ebv=ebv,
        extinction_note=extinction_note,
        notes=_notes(chosen, given),
        id=_role("id", roles, columns, (*chosen.id, *PLAIN_ID)),
        ra=_role("ra", roles, columns, (*chosen.ra, *PLAIN_RA)),
        dec=_role("dec", roles, columns, (*chosen.dec, *PLAIN_DEC)),
        redshift=_role("redshift", roles, columns, (*chosen.redshift, *PLAIN_REDSHIFT)),
        redshift_err=_role("redshift_err", roles, columns, PLAIN_REDSHIFT_ERR),
    )
    for role in ROLES[1:]:
        column = getattr(layout, role)
        if column and columns[column].dtype.kind not in "fiu":
            raise RequestError(
                f"column {column} holds {kind_of(columns[column])}; expected {role}, numbers or empty cells (map "
                f"{role}=COLUMN, or {role}={NONE})"
            )
    return replace(layout, unused=tuple(name for name in columns if name not in layout.needs))


def _check_without(survey: str, names: list[str], without: Iterable[str]) -> set[str]:
    lacking = {without} if isinstance(without, str) else set(without)
    for name in lacking:
        if name not in names:
            raise RequestError(f"without {name!r}: {survey} has no such band; it has {', '.join(names)}")
    if len(lacking) == len(names):
        raise RequestError(f"without {', '.join(names)}: no band of {survey} is left")
    return lacking


def _check_map(
    survey: str, names: list[str], columns: Mapping[str, ColumnInfo], columns_map: Mapping[str, str]
) -> tuple[dict[str, Given], dict[str, str]]:
    """What was said of each band, and of each of ROLES."""
    said: dict[str, dict[str, str]] = {name: {} for name in names}
    roles = {}
    for target, column in columns_map.items():
        if target in ROLES:
            roles[target] = column if column == NONE else _existing(columns, column, target)
            continue
        found = re.fullmatch(r"(flux|mag)_(err_|ivar_)?(.+)", target)
        chosen = names if found and found[3] == "*" and found[2] else [found[3]] if found else []
        if not found or any(name not in names for name in chosen) or (found[1], found[2]) == ("mag", "ivar_"):
            raise RequestError(
                f"column map: {target!r} is none of {TARGETS} with the bands of {survey}: {', '.join(names)}"
            )
        for name in chosen:
            entry = said[name]
            if entry.setdefault("kind", found[1]) != found[1]:
                raise RequestError(f"column map: band {name} is given both as a flux and as a magnitude")
            if found[2] is None:
                entry["value"] = _existing(columns, column, target)
            else:
                if "error" in entry:
                    raise RequestError(f"column map: the error of band {name} is given twice")
                entry["error"] = column if column == NONE else _existing(columns, column, target)
                entry["error_kind"] = "ivar" if found[2] == "ivar_" else "err"
    return {name: Given(**entry) for name, entry in said.items()}, roles


def _existing(columns: Mapping[str, ColumnInfo], cell: str, target: str) -> str:
    if _cell(columns, cell) is None:
        raise RequestError(f"column map: {target} = {cell!r}, but the table has no such column{_near(cell, columns)}")
    return cell


def _cell(columns: Mapping[str, ColumnInfo], name: str) -> Cell | None:
    """The column of that name, or the element of a vector column written NAME[k]; None when it is not here."""
    if name in columns and not columns[name].shape:
        return Cell(name)
    found = re.fullmatch(r"(.+)\[(\d+)\]", name)
    if found and found[1] in columns and len(columns[found[1]].shape) == 1:
        if int(found[2]) < columns[found[1]].shape[0]:
            return Cell(found[1], int(found[2]))
        raise RequestError(f"column {found[1]} has {columns[found[1]].shape[0]} elements a row, so there is no {name}")
    return None


def kind_of(column: ColumnInfo) -> str:
    """What a column that holds no numbers holds, in words."""
    kinds = {"b": "true and false", "U": "text (a cell that is no number makes a column of text)", "M": "dates"}
    return kinds.get("U" if column.dtype.kind in "OS" else column.dtype.kind, str(column.dtype))


def _near(name: str, columns: Mapping[str, ColumnInfo]) -> str:
    if name in columns:
        return f"; {name} holds vectors: say which element, as in {name}[0]"
    names = list(columns)
    close = [column for column in names if column.lower() == name.lower()]
    close = close or difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"; did you mean {', '.join(close)}?"
    more = ", …" if len(names) > 12 else ""
    return f"; it has {', '.join(names[:12])}{more}" if names else "; it has none"


def _choose(
    survey: str,
    presets: Sequence[Preset],
    columns: Mapping[str, ColumnInfo],
    name: str | None,
    wanted: list[str],
    given: Mapping[str, Given],
    lacking: set[str],
) -> Preset | None:
    """The preset that fits the bands which the user did not give by hand; None when none is needed."""
    listed = ", ".join(preset.name for preset in presets)
    misfits = {preset.name: found for preset in presets if (found := _misfit(preset, columns, wanted))}
    if name in misfits:
        raise RequestError(f"preset {name}: {misfits[name]}")
    fitting = [preset for preset in presets if preset.name not in misfits]
    if name is not None:
        named = [preset for preset in presets if preset.name == name]
        if not named:
            raise RequestError(f"{survey} has no preset {name!r}; it has {listed}")
        missing = _missing(named[0], columns, wanted, given)
        if missing:
            raise RequestError(_missing_message(survey, named[0], missing, columns))
        return named[0]
    if not wanted:
        return None
    fit = [preset for preset in fitting if not _missing(preset, columns, wanted, given)]
    if all(given[band].error == NONE for band in wanted):  # then those that differ in their errors alone are one
        fit = list({(p.kind, p.unit, *(p.column(p.value, b) for b in wanted)): p for p in reversed(fit)}.values())
    if len(fit) > 1:
        raise RequestError(
            f"several presets of {survey} fit the table: {', '.join(preset.name for preset in fit)}; "
            f"say which (preset, for example {fit[0].name!r})"
        )
    if fit:
        return fit[0]
    # Nothing fits: the preset that most of the table's columns speak for says what is missing.
    present = {preset.name: _present(preset, columns, wanted, given) for preset in fitting}
    most = max(present.values())
    best = [preset for preset in fitting if present[preset.name] == most]
    if most == 0 and misfits:
        raise RequestError("; ".join(f"preset {name}: {found}" for name, found in misfits.items()))
    if most == 0:
        examples = "; ".join(
            f"{preset.name}: {preset.column(preset.value, wanted[0])}, {preset.column(preset.error, wanted[0])}, …"
            for preset in presets
        )
        raise RequestError(
            f"the table's columns are in none of the presets of {survey} ({examples}); rename them, or map them "
            f"(for example flux_{wanted[0]}=COLUMN). It has {', '.join(list(columns)[:20])}"
        )
    missing = _missing(best[0], columns, wanted, given)
    raise RequestError(_missing_message(survey, best[0], missing, columns))


def _misfit(preset: Preset, columns: Mapping[str, ColumnInfo], wanted: list[str]) -> str:
    """What is wrong with the lengths of the table's vectors; nothing where they are the preset's, or not there."""
    if preset.length is None or not wanted:
        return ""
    vectors = [preset.column(pattern, wanted[0]).partition("[")[0] for pattern in (preset.value, preset.error)]
    for vector in vectors:
        if vector in columns and columns[vector].shape != (preset.length,):
            n = "x".join(map(str, columns[vector].shape)) or "no"
            return f"column {vector} has {n} elements a row; expected {preset.length}"
    return ""


def _band_names(preset: Preset, wanted: list[str], given: Mapping[str, Given]):
    """(band, name of the value's column, name of the error's or None when the user said there is none)."""
    for band in wanted:
        value = given[band].value or preset.column(preset.value, band)
        error = given[band].error or preset.column(preset.error, band)
        yield band, value, None if error == NONE else error


def _missing(
    preset: Preset, columns: Mapping[str, ColumnInfo], wanted: list[str], given: Mapping[str, Given]
) -> list[tuple[str, str]]:
    """(band, column) of what the preset wants and the table lacks."""
    lacking = []
    for band, value, error in _band_names(preset, wanted, given):
        if given[band].kind not in (None, preset.kind) and not given[band].value:
            # The user spoke of this band's error as of another kind: this preset is not meant.
            lacking.append((band, f"{given[band].kind}_{band}"))
            continue
        lacking += [(band, name) for name in (value, error) if name and _cell(columns, name) is None]
    return lacking


def _present(preset: Preset, columns, wanted, given) -> int:
    return sum(_cell(columns, value) is not None for _, value, _ in _band_names(preset, wanted, given))


def _missing_message(
    survey: str, preset: Preset, missing: list[tuple[str, str]], columns: Mapping[str, ColumnInfo]
) -> str:
    names = ", ".join(name for _, name in missing)
    bands = list(dict.fromkeys(band for band, _ in missing))
    errors_only = all(name == preset.column(preset.error, band) for band, name in missing)
    if errors_only:
        remedy = (
            f"map it ({preset.kind}_err_{bands[0]}=COLUMN), or say {preset.kind}_err_*={NONE} to read without errors"
        )
    else:
        remedy = (
            f"map it ({preset.kind}_{bands[0]}=COLUMN), or go without ({' '.join('--without ' + b for b in bands)})"
        )
    word = "column" if len(missing) == 1 else "columns"
    plural = "band" if len(bands) == 1 else "bands"
    return (
        f"the table lacks the {word} {names} of {survey}'s {plural} {', '.join(bands)} (preset {preset.name}); {remedy}"
        f"{_near(missing[0][1], columns)}"
    )


def _band_columns(
    band: Band, preset: Preset, given: Given, columns: Mapping[str, ColumnInfo], unit: str | None
) -> BandColumns:
    kind = given.kind if given.value and given.kind else preset.kind
    same = kind == preset.kind
    value = _cell(columns, given.value or preset.column(preset.value, band.name))
    error_name = given.error or preset.column(preset.error, band.name)
    error = None if error_name == NONE else _cell(columns, error_name)
    assert value is not None
    for cell in (value, error):
        if cell is not None and columns[cell.column].dtype.kind not in "fiu":
            raise RequestError(
                f"column {cell.column} holds {kind_of(columns[cell.column])}; expected the {kind} of {band.name} or "
                "its error, numbers or empty cells"
            )
    if kind == "mag":
        said = (columns[value.column].unit or "").strip()
        if said.lower() not in AB_UNITS:
            raise RequestError(
                f"column {value.column} has unit {said!r}; expected AB magnitudes (mag) in band {band.name}"
            )
        scale = error_scale = 1.0
        shown = "AB mag"
    else:
        shown, scale = _flux_unit(value, columns, unit, preset.unit if same else None)
        error_scale = scale
        if error is not None and unit is None and given.error_kind != "ivar" and preset.error_kind == "err":
            own = columns[error.column].unit
            error_scale = _njy_per(error, own) if own and columns[value.column].unit else scale
    return BandColumns(
        value=value,
        error=error,
        unit=shown,
        limit=_limit(band, preset, columns) if same else None,
        relative=same and preset.error_kind == "relative" and given.error_kind is None,
        bad=_bad(band, preset, columns) if same else (),
        meaning=Meaning(
            kind="mag" if kind == "mag" else "flux",
            error_kind="ivar" if (given.error_kind or (preset.error_kind if same else "err")) == "ivar" else "err",
            scale=scale,
            error_scale=error_scale,
            not_observed=preset.not_observed if same else (),
            not_detected=preset.not_detected if same else (),
            negative_error=preset.negative_error if same else "fault",
            missing_error_below=preset.missing_error_below if same else None,
            softening=preset.softening.get(band.name) if same else None,
            sky_err=10 ** (0.4 * (AB_ZEROPOINT_NJY - band.depth)) / 5.0,
            brightest=brightest_flux(band.mag_bright),
        ),
    )


def _limit(band: Band, preset: Preset, columns: Mapping[str, ColumnInfo]) -> Cell | None:
    """The column that marks upper limits, where the table has it."""
    cell = _cell(columns, preset.column(preset.limit, band.name)) if preset.limit else None
    if cell is not None and columns[cell.column].dtype.kind not in "biuf":
        raise RequestError(
            f"column {cell.column} holds {columns[cell.column].dtype}; expected true or false, whether the flux of "
            f"{band.name} is an upper limit"
        )
    return cell


def _bad(band: Band, preset: Preset, columns: Mapping[str, ColumnInfo]) -> tuple[tuple[Cell, int], ...]:
    """The columns of flags that the table has, and their bits."""
    found = []
    for pattern, bits in preset.bad.items():
        cell = _cell(columns, preset.column(pattern, band.name))
        if cell is not None and columns[cell.column].dtype.kind not in "iu":
            raise RequestError(
                f"column {cell.column} holds {columns[cell.column].dtype}; expected flags, whole numbers"
            )
        if cell is not None:
            found.append((cell, bits))
    return tuple(found)


def _flux_unit(
    value: Cell, columns: Mapping[str, ColumnInfo], unit: str | None, preset_unit: str | None
) -> tuple[str, float]:
    """What the column says, or the user, or the preset. An empty unit means that nobody said."""
    own = (columns[value.column].unit or "").strip()
    if unit and own and _njy_per(value, unit) != _njy_per(value, own):
        raise RequestError(
            f"column {value.column} is in {own} by the table, and {unit!r} was said; say none, or correct the table"
        )
    said = own or unit or preset_unit
    if not said or not said.strip():
        return "", 1.0
    return said.strip(), _njy_per(value, said)


def _njy_per(cell: Cell, unit: str) -> float:
    try:
        return njy_per(unit)
    except RequestError as error:
        raise RequestError(f"column {cell.column}: {error}") from error


def _check_units(specs: list[BandColumns | None], unit: str | None) -> None:
    bare = [str(spec.value) for spec in specs if spec and spec.meaning.kind == "flux" and not spec.unit]
    if bare:
        raise RequestError(
            f"{'column' if len(bare) == 1 else 'columns'} {', '.join(bare)}: no unit is known; say it (--unit mJy), or "
            "in the table's metadata; accepted: nJy, uJy, mJy, Jy, nanomaggy, any unit of flux density"
        )
    if unit and not any(spec and spec.meaning.kind == "flux" for spec in specs):
        raise RequestError(f"unit {unit!r} was given, but every band is read as AB magnitudes; leave it out")


def _check_distinct(specs: list[BandColumns | None]) -> None:
    seen: set[Cell] = set()
    for spec in specs:
        if spec and spec.value in seen:
            raise RequestError(f"column {spec.value} is given for two bands")
        if spec:
            seen.add(spec.value)


def _role(
    target: str, roles: Mapping[str, str], columns: Mapping[str, ColumnInfo], names: tuple[str, ...]
) -> str | None:
    if target in roles:
        return None if roles[target] == NONE else roles[target]
    return next((name for name in names if name in columns and not columns[name].shape), None)


def _extinction(
    preset: Preset,
    bands: Sequence[Band],
    specs: list[BandColumns | None],
    roles: Mapping[str, str],
    columns: Mapping[str, ColumnInfo],
) -> tuple[list[BandColumns | None], str | None, str]:
    """The one rule: corrected values stay, uncorrected ones are corrected with the table's own extinction, and where
    the preset does not say, only what the user maps to `ebv` is used. `ebv=none` leaves everything as it is."""
    law = "A/E(B-V) = " + ", ".join(f"{band.name} {band.extinction:g}" for band in bands)
    asked = roles.get("ebv")
    if preset.corrected:
        if asked not in (None, NONE):
            raise RequestError(f"ebv = {asked!r}, but the values of preset {preset.name} are corrected already")
        return specs, None, f"the values of preset {preset.name} are corrected already"
    if asked == NONE:
        return specs, None, "not corrected (asked for)"
    if asked is not None:
        return specs, asked, f"corrected here with {asked}, {law}"
    found = next((name for name in PLAIN_EBV if name in columns), None)
    if preset.corrected is None:
        hint = f" (column {found} is there: map ebv={found} to correct with it)" if found else ""
        return specs, None, f"not corrected; the values are taken as corrected{hint}"
    if preset.extinction is not None:
        cells = [_cell(columns, preset.column(preset.extinction, band.name)) for band in bands]
        if all(cell is not None or spec is None for cell, spec in zip(cells, specs, strict=True)):
            with_cells = [
                None if spec is None else replace(spec, extinction=cell)
                for spec, cell in zip(specs, cells, strict=True)
            ]
            shown = ", ".join(str(cell) for cell in cells if cell is not None)
            return with_cells, None, f"corrected here with the table's {shown} (mag)"
    if found:
        return specs, found, f"corrected here with {found}, {law}"
    return specs, None, "NOT corrected: the values are as observed and the table has no extinction"


def _notes(preset: Preset, given: Mapping[str, Given]) -> tuple[str, ...]:
    notes = []
    if preset.not_observed:
        notes.append(f"not observed: {', '.join(f'{value:g}' for value in preset.not_observed)}, NaN")
    if preset.not_detected:
        values = ", ".join(f"{value:g}" for value in preset.not_detected)
        notes.append(f"not detected: {values}, read as 0 with the survey's sky noise and flagged UPPER_LIMIT")
    by_hand = [band for band, said in given.items() if said.value]
    if by_hand:
        notes.append(f"mapped by hand: {', '.join(by_hand)}")
    return tuple(notes)
