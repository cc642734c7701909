"""Catalogues of a survey, whole or in batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from galprism.data import Cutouts, Photometry, Sources, Spectra
from galprism.data.tables import BATCH_ROWS, TableReader, open_table
from galprism.errors import RequestError
from galprism.surveys.layout import Layout
from galprism.surveys.registry import get
from galprism.surveys.survey import Survey


def read(path: str | Path, survey: Survey | str, **options: Any) -> Sources:
    """The whole of a catalogue of a survey, or of the one of that name. `options` are those of `Survey.layout`.

    Raises RequestError when the table cannot be read or understood, or when its values cannot be the survey's.
    """
    survey = get(survey) if isinstance(survey, str) else survey
    return concatenate(list(stream(path, survey, **options)), survey)


def stream(path: str | Path, survey: Survey, batch_size: int = BATCH_ROWS, **options: Any) -> Iterator[Sources]:
    """A catalogue in batches, rows in order; what is wrong with the table as a whole is found before the first one."""
    table = open_table(path)
    layout = understood(table, survey, **options)
    first_row = 0
    for batch in table.batches(layout.needs, batch_size):
        sources = layout.sources(batch, first_row)
        if first_row == 0:
            _named(path, layout.check_range, sources)
        first_row += len(sources)
        yield sources


def understood(table: TableReader, survey: Survey, **options: Any) -> Layout:
    """The layout of an open table; an error names the file."""
    return _named(table.path, survey.layout, table.columns, **options)


def concatenate(parts: list[Sources], survey: Survey) -> Sources:
    """Batches end to end; no batch at all gives no rows."""
    if not parts:
        empty = np.zeros((0, len(survey.bands)), np.float32)
        return Sources(id=np.zeros(0, np.int64), photometry=Photometry(empty, empty.copy(), survey.band_names))

    def joined(name: str):
        blocks = [getattr(part, name) for part in parts]
        return None if blocks[0] is None else np.concatenate(blocks)

    photometry = [part.photometry for part in parts if part.photometry is not None]
    limits = None
    if any(block.limit is not None for block in photometry):
        limits = np.concatenate(
            [np.zeros(block.flux.shape, bool) if block.limit is None else block.limit for block in photometry]
        )
    cutouts = [part.cutouts for part in parts if part.cutouts is not None]
    spectra = [part.spectra for part in parts if part.spectra is not None]
    return Sources(
        id=joined("id"),
        ra=joined("ra"),
        dec=joined("dec"),
        redshift=joined("redshift"),
        redshift_err=joined("redshift_err"),
        photometry=Photometry(
            np.ascontiguousarray(np.concatenate([block.flux for block in photometry])),
            np.ascontiguousarray(np.concatenate([block.ivar for block in photometry])),
            survey.band_names,
            limits,
        ),
        flags=joined("flags"),
        cutouts=Cutouts.joined(cutouts) if cutouts else None,
        spectra=Spectra.joined(spectra) if spectra else None,
    )


def _named(path: str | Path, call, *args: Any, **options: Any):
    """`call` with the file's name put before the message of a RequestError."""
    try:
        return call(*args, **options)
    except RequestError as error:
        raise RequestError(f"{path}: {error}") from error
