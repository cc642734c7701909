"""A survey that is known by its passbands alone: a folder with a curve for each band."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from galprism import passbands
from galprism.errors import RequestError
from galprism.surveys.band import Band
from galprism.surveys.registry import get, names
from galprism.surveys.survey import Survey

SUFFIXES = (".ecsv", ".txt", ".dat", ".res", ".par", ".csv", ".tab")
BESIDE = (".md", ".toml", ".json", ".png", ".pdf", ".fits", ".parquet")
"""What may lie in a folder of curves and is none, as do hidden files, folders and what has no suffix."""
DEPTH, ZEROPOINT_ERROR = 25.0, 0.02
"""AB mag, mag: stand in where nothing is known of a survey; errors in its tables do not need them."""
BRIGHTEST, FAINTEST = 5.0, 35.0
"""AB mag: nothing is known of what is plausible."""


def from_names(bands: Mapping[str, str], name: str) -> Survey:
    """The survey whose bands are passbands by name (`galprism list passbands`, or the SVO's), from blue to red; as
    `from_curves` besides. Raises RequestError where there is no such passband, or none is named."""
    if not bands:
        raise RequestError(f"{name}: no passband is named; expected a band and its passband, such as r: LSST/LSST.r")
    ordered = sorted(bands.items(), key=lambda item: passbands.get(item[1]).pivot)
    made = [Band(band, p, DEPTH, ZEROPOINT_ERROR, extinction(p), BRIGHTEST, FAINTEST) for band, p in ordered]
    return Survey(name, tuple(made), description=f"bands as {name} names them")


def from_curves(folder: str | Path) -> Survey:
    """The survey whose bands are called as the files of a folder, from blue to red.

    Its depths are not known, so that wrong units are not noticed. Extinctions are those of other surveys at the same
    wavelength, and every zero point has ZEROPOINT_ERROR.
    Raises RequestError where the folder has no curve, one that cannot be read, one in another format, or two of one
    band.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise RequestError(
            f"{folder}: is not a folder; expected one with a curve for each band ({', '.join(SUFFIXES)})"
        )
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    paths = [path for path in files if path.suffix.lower() in SUFFIXES]
    strange = [path.name for path in files if path.suffix and path.suffix.lower() not in SUFFIXES + BESIDE]
    if strange:
        raise RequestError(
            f"{folder}: {', '.join(strange)}: no format of curves ends like this; accepted: {', '.join(SUFFIXES)}; "
            "take away what is no curve"
        )
    if not paths:
        raise RequestError(f"{folder}: no curve in it; expected a file for each band ({', '.join(SUFFIXES)})")
    for before, path in pairwise(paths):
        if before.stem == path.stem:
            raise RequestError(f"{folder}: {before.name} and {path.name} are both of band {path.stem}; leave one there")
    made = from_names({path.stem: str(path) for path in paths}, folder.resolve().name)
    return replace(made, description=f"the curves in {folder}")


def extinction(passband: str) -> float:
    """A / E(B-V) of a passband, interpolated in wavelength between those of the surveys that come with galprism."""
    known = {passbands.get(band.passband).pivot: band.extinction for name in names() for band in get(name).bands}
    pivots = np.array(sorted(known))
    values = np.array([known[pivot] for pivot in pivots])
    return round(float(np.exp(np.interp(np.log(passbands.get(passband).pivot), np.log(pivots), np.log(values)))), 3)
