"""Passbands by name: shipped curves, those of speclite and sedpy when installed, a user's files, the SVO."""

from __future__ import annotations

import difflib
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from galprism.errors import RequestError
from galprism.passbands import jpas, svo
from galprism.passbands.files import read_curve
from galprism.passbands.passband import Passband
from galprism.passbands.tophat import is_name as is_tophat
from galprism.passbands.tophat import tophat

CURVES = Path(__file__).parent / "curves"
PACKAGES = {"speclite": ("data/filters", ".ecsv"), "sedpy": ("data/filters", ".par")}
"""Folder and suffix of the curves inside each package; they are read as files and the package is not imported."""

SHIPPED = {
    **{f"Paranal/OmegaCAM.{band}_SDSS": (f"omegacam_{band}", (f"kids/{band}",)) for band in "ugri"},
    **{
        f"Paranal/VISTA.{band}": (f"vista_{band}", (f"kids/{band}", f"viking/{band}", f"vista.vircam.{band}"))
        for band in ("Z", "Y", "J", "H", "Ks")
    },
    **{f"SLOAN/SDSS.{band}": (f"sdss_{band}", (f"sdss/{band}",)) for band in "ugriz"},
    **{f"LSST/LSST.{band}": (f"lsst_{band}", (f"rubin/{band}", f"lsst/{band}")) for band in "ugrizy"},
    **{f"Subaru/HSC.{name}": (f"hsc_{name[0]}", (f"hsc/{name[0]}",)) for name in ("g", "r2", "i2", "z", "y")},
    "Euclid/VIS.vis": ("euclid_vis", ("euclid/VIS",)),
    **{f"Euclid/NISP.{band}": (f"euclid_{band.lower()}", (f"euclid/{band}",)) for band in "YJH"},
    **{f"2MASS/2MASS.{band}": (f"2mass_{band}", (f"2mass/{band}",)) for band in ("J", "H", "Ks")},
}
"""Name: (file in `curves/`, aliases)."""

ALIASES = {alias: name for name, (_, aliases) in SHIPPED.items() for alias in aliases}


def names() -> list[str]:
    """The names that `get` knows without a file or a network: shipped curves, then those of installed packages."""
    return [*SHIPPED, *(jpas.PREFIX + name for name in jpas.FILTERS), *_package_curves()]


def aliases(name: str) -> tuple[str, ...]:
    """Other names of a passband."""
    return SHIPPED[name][1] if name in SHIPPED else ()


def get(name: str | Path) -> Passband:
    """The passband `name`: a shipped name (Paranal/OmegaCAM.u_SDSS) or alias (kids/u), a curve of an installed package
    (speclite/twomass-J, sedpy/sdss_u0), a filter of J-PAS as modelled (jpas/J0378), a top-hat (tophat/5150x145), a file
    (curve.ecsv, curve.txt, FILTER.RES:205), or a filter of the SVO by its name there (Facility/Instrument.Band).

    Raises RequestError when there is none, or when the curve fails the checks of `Passband.from_arrays`.
    """
    text = str(name)
    known = ALIASES.get(text, text)
    if known in SHIPPED:
        return _shipped(known)
    if known in _package_curves():
        return _packaged(known)
    if is_tophat(text):
        return tophat(text)
    if jpas.is_name(text):
        return jpas.modelled(text)
    if Path(text).is_file():
        return read_curve(text)
    path, colon, selector = text.rpartition(":")
    if colon and Path(path).is_file():
        return read_curve(path, selector)
    if svo.is_name(text):
        return svo.fetch(text)
    package = text.partition("/")[0]
    if package in PACKAGES and find_spec(package) is None:
        install = {"sedpy": "astro-sedpy"}.get(package, package)
        raise RequestError(f"passband {text!r} is a curve of {package}, which is not installed (pip install {install})")
    close = difflib.get_close_matches(text, [*names(), *ALIASES], n=3)
    hint = f"; did you mean {', '.join(close)}?" if close else "."
    raise RequestError(
        f"no passband {text!r}{hint} Accepted: a name of `galprism list passbands`, a file, or a name of the SVO "
        "such as Paranal/VISTA.Ks"
    )


@lru_cache(maxsize=256)
def _shipped(name: str) -> Passband:
    return read_curve(CURVES / f"{SHIPPED[name][0]}.ecsv", name=name, leaks="keep")


@lru_cache(maxsize=256)
def _packaged(name: str) -> Passband:
    path = _package_curves()[name]
    # Packages ship relative responses, leaks and cut edges knowingly: they are taken as they are.
    return read_curve(path, name=name, scale="relative", leaks="keep", ends="close")


@lru_cache(maxsize=1)
def _package_curves() -> dict[str, Path]:
    found = {}
    for package, (folder, suffix) in PACKAGES.items():
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            continue
        for path in sorted((Path(spec.origin).parent / folder).glob(f"*{suffix}")):
            found[f"{package}/{path.stem}"] = path
    return found
