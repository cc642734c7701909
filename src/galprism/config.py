"""Configurations are frozen dataclasses, filled from TOML and from `section.key=value` on the command line.

An unknown key or a value of the wrong type is an error that names the key, shows the value and says what fits.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from galprism.errors import RequestError

T = TypeVar("T")


def fill(kind: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """An instance of the dataclass `kind` from a mapping of its fields, nested dataclasses included.

    Fields without a default are required; lists become tuples. `where` is the dotted key that error messages start
    from. Raises RequestError for an unknown or a missing key and for a value of the wrong type.
    """
    hints = typing.get_type_hints(kind)
    known = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise RequestError(f"unknown key {_join(where, key)!r}{hint} (known: {', '.join(known)})")
    filled = {}
    for name, field in known.items():
        if name in values:
            filled[name] = _convert(values[name], hints[name], _join(where, name))
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise RequestError(f"key {_join(where, name)!r} is missing")
    return kind(**filled)


def read_toml(path: Path) -> dict[str, Any]:
    """The contents of a TOML file. Raises RequestError when it cannot be read or is not TOML."""
    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RequestError(f"{path} is not TOML: {error}") from error


def override(values: Mapping[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """A copy of nested `values` with `section.key=value` settings put in, each value read as TOML, else as text."""
    result = _copy(values)
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not all(key.split(".")):
            raise RequestError(f"setting {setting!r} is not of the form section.key=value")
        *sections, last = key.split(".")
        place = result
        for section in sections:
            place = place.setdefault(section, {})
            if not isinstance(place, dict):
                raise RequestError(f"setting {setting!r}: {section!r} is a value, not a section")
        place[last] = _toml_value(text)
    return result


def plain(config: Any) -> Any:
    """A dataclass as nested dicts, lists and scalars that JSON and TOML hold; fields that are None are left out."""
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        items = ((field.name, getattr(config, field.name)) for field in dataclasses.fields(config))
        return {name: plain(value) for name, value in items if value is not None}
    if isinstance(config, Mapping):
        return {key: plain(value) for key, value in config.items()}
    if isinstance(config, tuple | list):
        return [plain(value) for value in config]
    return config


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _copy(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copy(value) if isinstance(value, Mapping) else value for key, value in values.items()}


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _convert(value: Any, hint: Any, where: str) -> Any:
    """`value` as the type `hint`; the only conversions are int to float, list to tuple and table to dataclass."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        (inner,) = (arg for arg in args if arg is not type(None))
        return _convert(value, inner, where)
    if origin is typing.Literal:
        if value not in args:
            raise RequestError(f"{where} = {value!r}; accepted: {', '.join(repr(arg) for arg in args)}")
        return value
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, Mapping):
            raise RequestError(f"{where} = {value!r} is not a section with keys")
        return fill(hint, value, where)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise RequestError(f"{where} = {value!r} is not a list")
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(_convert(item, args[0], f"{where}[{i}]") for i, item in enumerate(value))
        if len(value) != len(args):
            raise RequestError(f"{where} = {value!r} has {len(value)} values; expected {len(args)}")
        return tuple(
            _convert(item, arg, f"{where}[{i}]") for i, (item, arg) in enumerate(zip(value, args, strict=True))
        )
    if origin is dict:
        if not isinstance(value, Mapping):
            raise RequestError(f"{where} = {value!r} is not a section with keys")
        return {key: _convert(item, args[1], _join(where, key)) for key, item in value.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is Any or (isinstance(value, hint) and not (isinstance(value, bool) and hint is not bool)):
        return value
    raise RequestError(f"{where} = {value!r} is a {type(value).__name__}; expected {hint.__name__}")
