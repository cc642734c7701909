"""SDSS's spectra, cutouts, photometry and star-formation rates of a list of objects, into one folder.

    objects.ecsv     a row for each object asked for, in the order of the list: what was found and got, and why not
    spectra/         spec-PLATE-MJD-FIBER.fits
    cutouts.h5       ugriz in nJy with their noise
    downloads/       answers of SkyServer, pieces of cutouts, files of MPA-JHU: what need not be fetched again

Every file is whole or not there under its name, so that a run that ended anyhow is taken up by the same command.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from urllib.parse import urlsplit

from galprism.archives.client import Client
from galprism.archives.mpa_jhu import APERTURES, MpaJhu, Rates, rates_of_skyserver
from galprism.archives.sdss_cutouts import Cutouts, gather
from galprism.archives.sdss_list import Asked
from galprism.archives.sdss_objects import Found, find
from galprism.archives.sdss_spectra import Spectra
from galprism.archives.skyserver import SkyServer
from galprism.errors import GalprismError, RequestError

CUTOUTS = "cutouts.h5"
KINDS = ("spectra", "cutouts", "photometry", "sfr")
SFR = ("mpa-jhu", "skyserver")
"""Where rates are from: the files of MPA-JHU, eight statistics, or galSpecExtra of SkyServer, six of them."""


@dataclass(frozen=True)
class Servers:
    """Addresses. Raises RequestError for what is none."""

    skyserver: str = "https://skyserver.sdss.org"
    sas: str = "https://data.sdss.org/sas"
    """The archive server: spectra and frames."""
    mpa_jhu: str = "https://wwwmpa.mpa-garching.mpg.de"

    def __post_init__(self) -> None:
        for server in fields(self):
            url = getattr(self, server.name).rstrip("/")
            if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
                raise RequestError(f"server {server.name} at {url!r}; accepted: an address, http://… or https://…")
            object.__setattr__(self, server.name, url)


@dataclass
class Got:
    """What there is of one object that was asked for."""

    asked: Asked
    found: Found | None = None
    spectrum: bool = False
    cutouts: str = ""
    """The bands."""
    rates: Mapping[str, Rates] = field(default_factory=dict)
    """By aperture, of those that MPA-JHU has."""
    missing: list[str] = field(default_factory=list)
    """What is not there, or was not taken, and why, in sentences."""

    def lacks(self, what: str, why: str) -> None:
        """Say that something is not there."""
        self.missing.append(f"{what}: {why}")


def fetch(
    asked: Sequence[Asked],
    folder: Path,
    client: Client,
    *,
    downloads: Path,
    servers: Servers | None = None,
    kinds: Collection[str] = KINDS,
    sfr: str = SFR[0],
    size: int = 64,
    keep_frames: bool = False,
    looked_up: Callable[[int], object] = lambda n: None,
    progress: Callable[[int], object] = lambda n: None,
) -> list[Got]:
    """Fetch what is not there yet of each object, and say what there is of it, in the order of the list.

    downloads : folder of what need not be fetched again, which several may share; kinds : of KINDS; sfr : one of SFR
    size : pixels, the side of a cutout; keep_frames : frames, 15 MB a field, are kept in downloads/frames
    looked_up, progress : told how many more objects are looked up in SkyServer, and done

    Writes spectra/ and cutouts.h5; the table is `galprism.archives.sdss_table.write_objects`'s.
    """
    servers = servers or Servers()
    folder.mkdir(parents=True, exist_ok=True)
    skyserver = SkyServer(client, servers.skyserver, downloads / "queries")
    got = [Got(one) for one in asked]
    for one, found in zip(got, find(asked, skyserver, looked_up), strict=True):
        if isinstance(found, str):
            one.missing.append(found)
        else:
            one.found = found
            one.missing += found.notes
    there = [one for one in got if one.found]
    progress(len(got) - len(there))
    spectra = Spectra(client, servers.sas, folder / "spectra") if "spectra" in kinds else None
    cutter = Cutouts(client, servers.sas, downloads, size, keep_frames) if "cutouts" in kinds else None
    for together in _by_field(there):
        if spectra is not None:
            _fetch_spectra(together, spectra)
        if cutter is not None:
            _cut(together, cutter)
        progress(len(together))
    if "sfr" in kinds:
        source = skyserver if sfr == "skyserver" else MpaJhu(client, servers.mpa_jhu, downloads / "mpa-jhu")
        _fetch_rates(there, source)
    if "photometry" in kinds:
        for one in there:
            if one.found and not one.found.photoobj_id:
                one.lacks("photometry", "SDSS has no source in its images there")
    if cutter is not None:
        gather(folder / CUTOUTS, {o.found.id: o.found.photoobj_id for o in there if o.found and o.cutouts}, cutter)
    return got


def _fetch_spectra(together: Sequence[Got], spectra: Spectra) -> None:
    for one in together:
        assert one.found
        why = spectra.fetch(one.found) if one.found.fiber else "SDSS has none of it"
        one.spectrum = not why
        if why:
            one.lacks("spectrum", why)


def _cut(together: Sequence[Got], cutter: Cutouts) -> None:
    """Objects of one field."""
    imaged = [one.found for one in together if one.found and one.found.frame]
    cutter.cut(imaged)
    for one in together:
        assert one.found
        if one.found.frame is None:
            one.lacks("cutouts", "SDSS has no source in its images there")
            continue
        one.cutouts, why = cutter.bands_of(one.found)
        for sentence in why:
            one.lacks("cutouts", sentence)


def _fetch_rates(there: Sequence[Got], source: MpaJhu | SkyServer) -> None:
    with_spectrum = [one for one in there if one.found and one.found.fiber]
    for one in there:
        if one.found and not one.found.fiber:
            one.lacks("sfr", "SDSS has no spectrum of it")
    for aperture in APERTURES:
        if not with_spectrum:
            break
        try:
            if isinstance(source, SkyServer):
                rates = rates_of_skyserver(
                    source, [one.found.specobj_id for one in with_spectrum if one.found], aperture
                )
            else:
                fibers = [one.found.fiber for one in with_spectrum if one.found and one.found.fiber]
                rates = source.rates(fibers, aperture)
        except GalprismError as error:
            for one in with_spectrum:
                one.lacks(f"sfr_{aperture}", str(error))
            continue
        for one, (values, why) in zip(with_spectrum, rates, strict=True):
            one.rates = {**one.rates, aperture: values}
            if why:
                one.lacks(f"sfr_{aperture}", why)


def _by_field(there: Sequence[Got]) -> list[list[Got]]:
    """Objects of one field of the imager together, so that its frames are fetched once."""
    groups: dict[object, list[Got]] = {}
    for one in there:
        assert one.found
        groups.setdefault(one.found.frame, []).append(one)
    return list(groups.values())
