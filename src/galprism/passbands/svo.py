"""The Spanish Virtual Observatory's Filter Profile Service: curves by name, kept in a cache."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np

from galprism.errors import RequestError
from galprism.passbands.passband import Passband

SERVICE = "https://svo2.cab.inta-csic.es/theory/fps/fps.php"
"""The variable GALPRISM_SVO_URL puts another address in its place."""
NAME = re.compile(r"[\w+-]+/[\w+.-]+\.[\w+'-]+")
"""Facility/Instrument.Band."""
TIMEOUT_S = 30.0


def is_name(name: str) -> bool:
    """Whether `name` is spelled as the service spells its filters, Facility/Instrument.Band."""
    return NAME.fullmatch(name) is not None


def cache_folder() -> Path:
    """Where downloads are kept: GALPRISM_CACHE, else the platform's folder for caches."""
    if os.environ.get("GALPRISM_CACHE"):
        return Path(os.environ["GALPRISM_CACHE"])
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "galprism"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "galprism" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "galprism"


def is_offline() -> bool:
    """Whether GALPRISM_OFFLINE is set to anything but nothing or 0."""
    return os.environ.get("GALPRISM_OFFLINE", "0") not in ("", "0")


def fetch(name: str) -> Passband:
    """The curve `name` (Facility/Instrument.Band) from the cache, else from the service.

    Raises RequestError when the service has no such filter, when it cannot be reached, or when GALPRISM_OFFLINE
    forbids asking it.
    """
    kept = cache_folder() / "svo" / f"{name.replace('/', '_')}.xml"
    if kept.exists():
        return read_votable(name, kept.read_bytes(), str(kept))
    address = os.environ.get("GALPRISM_SVO_URL", SERVICE)
    if is_offline():
        raise RequestError(
            f"passband {name!r} is neither shipped nor in the cache ({kept.parent}), and GALPRISM_OFFLINE forbids "
            "asking the SVO; unset it, or give a file"
        )
    url = f"{address}?{urllib.parse.urlencode({'ID': name})}"
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            content = answer.read()
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise RequestError(
            f"passband {name!r} is not shipped, and the SVO could not be asked ({url}: {reason}); "
            "give a file, or try again with a network"
        ) from error
    passband = read_votable(name, content, url)
    _keep(kept, content)
    return passband


def read_votable(name: str, content: bytes, source: str) -> Passband:
    """The curve in a VOTable of the service. Raises RequestError when there is none."""
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise RequestError(f"{source} is not a VOTable: {error}") from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    params = {element.get("name", ""): element.get("value", "") for element in root.iter("PARAM")}
    fields = [(element.get("name", ""), element.get("unit", "")) for element in root.iter("FIELD")]
    columns = [field for field, _ in fields]
    rows = [[cell.text for cell in row.iter("TD")] for row in root.iter("TR")]
    if not rows or "Wavelength" not in columns or "Transmission" not in columns:
        status = next((info for info in root.iter("INFO") if info.get("name") == "QUERY_STATUS"), None)
        said = " ".join("".join(status.itertext()).split()) if status is not None else ""
        raise RequestError(f"the SVO has no curve for {name!r} ({source}){': ' + said if said else ''}")
    wave_at, value_at = columns.index("Wavelength"), columns.index("Transmission")
    try:
        table = np.array([[float(row[wave_at] or ""), float(row[value_at] or "")] for row in rows], np.float64)
    except (ValueError, IndexError) as error:
        raise RequestError(f"{source}: a row of the curve is not numbers ({error})") from error
    provenance = {
        "source": f"SVO Filter Profile Service, {params.get('filterID', name)}",
        "description": params.get("Description", ""),
        "reference": params.get("ProfileReference", ""),
    }
    return Passband.from_arrays(
        name,
        table[:, 0],
        table[:, 1],
        wave_unit=fields[wave_at][1] or params.get("WavelengthUnit") or "Angstrom",
        detector="energy" if params.get("DetectorType") == "0" else "photon",
        scale="relative" if table[:, 1].max() > 1 else None,
        leaks="keep",
        ends="close",
        provenance=provenance,
    )


def _keep(path: Path, content: bytes) -> None:
    """Writes the download whole or not at all; a cache that cannot be written costs only the next download."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(content)
        os.replace(file.name, path)
    except OSError as error:
        print(f"the curve was not cached: {error}", file=sys.stderr)
