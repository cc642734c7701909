"""Curves in files: ECSV, two columns of text, and EAZY's FILTER.RES."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from galprism.errors import RequestError
from galprism.passbands.passband import Passband

WAVE_NAMES = ("wavelength", "wave", "lambda", "lam", "wl")
VALUE_NAMES = ("throughput", "transmission", "response", "trans", "pass", "t")


def read_curve(path: str | Path, selector: str | None = None, name: str | None = None, **options: Any) -> Passband:
    """A passband from a user's file; `selector` picks one curve of a FILTER.RES file.

    ECSV: the first two columns (or those called wavelength and throughput), the unit of the wavelength, and `name`,
    `medium`, `detector`, `scale`, `leaks`, `ends` and further provenance from the metadata. Other text: two columns,
    Angstrom unless `wave_unit` says otherwise; `#` begins a comment. FILTER.RES: `selector` is a number from 1, or a
    part of the header that only one curve has. `options` go to `Passband.from_arrays` and win over the file.
    Raises RequestError, naming the file, when it cannot be read as any of these.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8", errors="strict")
    except OSError as error:
        raise RequestError(f"cannot read passband file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RequestError(f"passband file {path} is not text; accepted: ECSV, two columns, FILTER.RES") from error
    if selector is not None:
        header, wave, value = _from_filter_res(path, text, selector)
        found: dict[str, Any] = {"description": header}
        label = f"{path.name}:{selector}"
    elif text.startswith("# %ECSV"):
        wave, value, found = _from_ecsv(path, text)
        label = str(found.pop("name", path.stem))
    else:
        wave, value = _from_two_columns(path, text)
        found, label = {}, path.stem
    keys = ("wave_unit", "medium", "detector", "scale", "leaks", "ends")
    settings: dict[str, Any] = {key: found.pop(key) for key in keys if key in found}
    settings |= {"provenance": {"file": path.name, **found}, **options}
    try:
        return Passband.from_arrays(name or label, wave, value, **settings)
    except RequestError as error:
        raise RequestError(f"{path}: {error}") from error


def write_ecsv(path: str | Path, passband: Passband) -> None:
    """Writes a passband as ECSV: wavelength in Angstrom, throughput, and its provenance in the header."""
    lines = [
        "# %ECSV 1.0",
        "# ---",
        "# datatype:",
        "# - {name: wavelength, unit: Angstrom, datatype: float64}",
        "# - {name: throughput, datatype: float64}",
        "# meta: !!omap",
    ]
    meta: dict[str, Any] = {"name": passband.name, **passband.provenance}
    # A JSON value on one line is a YAML value too.
    lines += [f"# - {{{key}: {json.dumps(value)}}}" for key, value in meta.items()]
    lines += ["# schema: astropy-2.0", "wavelength throughput"]
    rows = zip(passband.wave.tolist(), passband.throughput.tolist(), strict=True)
    lines += [f"{wave:.10g} {throughput:.6g}" for wave, throughput in rows]
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def filter_res_headers(text: str) -> list[str]:
    """The headers of the curves in the text of a FILTER.RES file, in order."""
    return [header for header, _ in _filter_res_blocks(text)]


def _filter_res_blocks(text: str):
    """(header, lines) of each curve: a header that begins with the number of lines that follow."""
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        first = lines[at].split(maxsplit=1)
        if not first:
            at += 1
            continue
        if not first[0].isdigit():
            return
        count = int(first[0])
        yield (first[1].strip() if len(first) > 1 else ""), lines[at + 1 : at + 1 + count]
        at += 1 + count


def _from_filter_res(path: Path, text: str, selector: str) -> tuple[str, np.ndarray, np.ndarray]:
    blocks = list(_filter_res_blocks(text))
    if not blocks:
        raise RequestError(f"{path} is not a FILTER.RES file, so {selector!r} picks nothing from it")
    if selector.isdigit():
        if not 1 <= int(selector) <= len(blocks):
            raise RequestError(f"{path} has no curve {selector}; it has 1 to {len(blocks)}")
        header, lines = blocks[int(selector) - 1]
    else:
        fits = [number for number, (header, _) in enumerate(blocks) if selector in header]
        if len(fits) != 1:
            listed = "; ".join(f"{number + 1}: {blocks[number][0]}" for number in fits[:8]) or "none"
            raise RequestError(
                f"{selector!r} fits {len(fits)} curves of {path} ({listed}); expected one, or its number"
            )
        header, lines = blocks[fits[0]]
    try:
        table = np.array([[float(word) for word in line.split()[1:3]] for line in lines], np.float64)
    except ValueError as error:
        raise RequestError(f"{path}, curve {header!r}: {error}") from error
    if table.ndim != 2 or table.shape[1] != 2:
        raise RequestError(f"{path}, curve {header!r}: expected lines of number, wavelength, transmission")
    return header, table[:, 0], table[:, 1]


def _from_two_columns(path: Path, text: str) -> tuple[np.ndarray, np.ndarray]:
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split("#")[0].replace(",", " ").split()
        if not words:
            continue
        try:
            rows.append((float(words[0]), float(words[1])))
        except (ValueError, IndexError):
            if rows:
                raise RequestError(f"{path}, line {number}: {line.strip()!r}; expected two numbers") from None
            # A line of column names before the first numbers.
    if len(rows) < 2:
        raise RequestError(f"{path} holds no curve; expected two columns of numbers, wavelength and throughput")
    wave, value = np.array(rows, np.float64).T
    return wave, value


def _from_ecsv(path: Path, text: str) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    lines = text.splitlines()
    header = [line[1:].strip() for line in lines if line.startswith("#")]
    body = [line for line in lines if line.strip() and not line.startswith("#")]
    if not body:
        raise RequestError(f"{path} has no row of column names; expected an ECSV table")
    separator = "," if any(re.match(r"delimiter:\s*[\"'],", line) for line in header) else None
    columns = [word.strip().strip('"') for word in body[0].split(separator)]
    wave_at = _column(path, columns, WAVE_NAMES, 0)
    value_at = _column(path, columns, VALUE_NAMES, 1)
    found = _ecsv_meta(header)
    for line in header:
        declared = re.match(r"- \{name: ['\"]?([^,'\"]+)['\"]?, (?:.*, )?unit: ['\"]?([^,}'\"]+)", line)
        if declared and declared[1] == columns[wave_at]:
            found["wave_unit"] = declared[2].strip()
        elif declared and declared[1] == columns[value_at] and declared[2].strip() == "%":
            found["scale"] = "percent"
    try:
        rows = [line.split(separator) for line in body[1:]]
        table = np.array([[float(row[wave_at]), float(row[value_at])] for row in rows], np.float64)
    except (ValueError, IndexError) as error:
        raise RequestError(f"{path}: a row is not numbers ({error})") from error
    if len(table) < 2:
        raise RequestError(f"{path} holds {len(table)} rows; expected a curve")
    return table[:, 0], table[:, 1], found


def _column(path: Path, columns: list[str], known: tuple[str, ...], otherwise: int) -> int:
    for number, column in enumerate(columns):
        if column.lower() in known:
            return number
    if otherwise >= len(columns):
        raise RequestError(f"{path} has columns {', '.join(columns)}; expected a wavelength and a throughput")
    return otherwise


def _ecsv_meta(header: list[str]) -> dict[str, Any]:
    """The one-line `key: value` entries of an ECSV header's meta; longer ones are passed over."""
    found: dict[str, Any] = {}
    start = next((number for number, line in enumerate(header) if line.startswith("meta:")), len(header))
    for line in header[start + 1 :]:
        entry = re.match(r"- \{(\w+): (.*)\}$", line)
        if entry:
            text = entry[2].strip()
            found[entry[1]] = json.loads(text) if text.startswith('"') else text.strip("'")
    return found
