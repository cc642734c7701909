"""Surveys by name: one file of this folder each, or a TOML file of the user's."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from galprism import config
from galprism.errors import RequestError
from galprism.surveys.band import Band
from galprism.surveys.survey import Survey


def names() -> list[str]:
    """The surveys that come with galprism."""
    return sorted(_shipped())


def get(name: str | Path) -> Survey:
    """The survey of that name, or the one that a TOML file describes (see docs/adding-a-survey.md).

    Raises RequestError when there is none, or when the file does not describe a survey.
    """
    text = str(name)
    if text in _shipped():
        return _shipped()[text]
    if text.endswith(".toml"):
        try:
            survey = config.fill(Survey, config.read_toml(Path(text)))
            return replace(survey, bands=tuple(_with_file_beside(band, Path(text).parent) for band in survey.bands))
        except RequestError as error:
            if text in str(error):
                raise
            raise RequestError(f"{text}: {error}") from error
    close = difflib.get_close_matches(text, _shipped(), n=2)
    hint = f"; did you mean {', '.join(close)}?" if close else ""
    raise RequestError(f"no survey {text!r}{hint} (known: {', '.join(names())}; or the path of a .toml file)")


def _with_file_beside(band: Band, folder: Path) -> Band:
    """The band with its passband's path from here, where it names a file that lies beside the survey's own."""
    path, colon, selector = band.passband.partition(":")
    beside = folder / path
    return replace(band, passband=f"{beside}{colon}{selector}") if beside.is_file() else band


@lru_cache(maxsize=1)
def _shipped() -> dict[str, Survey]:
    """Every module of this folder that has a SURVEY."""
    modules = (
        importlib.import_module(f"galprism.surveys.{info.name}")
        for info in pkgutil.iter_modules(sys.modules[__package__].__path__)
    )
    found = [module.SURVEY for module in modules if hasattr(module, "SURVEY")]
    return {survey.name: survey for survey in found}
