"""A small SDSS on this machine: a server that answers as SkyServer, the archive server and MPA-JHU's do, and fails as
it is told to."""

import bz2
import gzip
import io
import json
import re
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from galprism.archives.mpa_jhu import FILES, STATISTICS
from galprism.archives.sdss_frames import dark_variance, gain
from galprism.archives.sdss_objects import BANDS
from made_spectra import write_sdss

RUN, CAMCOL, FIELD = 3900, 2, 115
CENTRE = 185.0, 12.0
SIDE = 160, 200
"""Pixels of a frame, rows and columns."""
NMGY = 3630.78
"""nJy."""
CALIBRATION = {"u": 0.0089, "g": 0.0031, "r": 0.0050, "i": 0.0065, "z": 0.0310}
SKY = {"u": 60.0, "g": 120.0, "r": 180.0, "i": 240.0, "z": 160.0}
"""nanomaggies a count, and counts a pixel, about as they are."""
FWHM = {"u": 1.5, "g": 1.4, "r": 1.3, "i": 1.2, "z": 1.25}


@dataclass
class Thing:
    """One object of the made sky, at a pixel of its frame."""

    fiber: tuple[int, int, int] | None
    x: float
    y: float
    redshift: float = 0.1
    flux: float = 100.0
    """nanomaggies, in all bands."""
    shift: float = 0.0
    """arcsec north, of the source in the catalogue of images from the spectrum."""
    number: int = FIELD
    rates: dict = field(default_factory=dict)

    @property
    def objid(self) -> int:
        return 1237662264318035000 + int(self.x)

    @property
    def specobjid(self) -> int:
        """As of SDSS: plate in the highest bits, so that it is beyond 64 bits with a sign for late plates."""
        assert self.fiber
        plate, mjd, fiber = self.fiber
        return (plate << 50) + (fiber << 38) + ((mjd - 50000) << 24) + (26 << 10)

    @property
    def sky(self) -> tuple[float, float]:
        """ra and dec, deg."""
        ra, dec = made_wcs().wcs_pix2world(self.x, self.y, 0)
        return float(ra), float(dec)


THINGS = (
    Thing((266, 51602, 13), 60.2, 80.2, 0.10),
    Thing((266, 51602, 14), 110.2, 70.2, 0.12),
    Thing((10222, 58224, 985), 150.2, 90.2, 0.55),
    Thing(None, 85.2, 120.2),
)
"""Two galaxies of SDSS's spectrograph, one of BOSS's, and a source without a spectrum."""


def made_wcs() -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], CENTRE, [100, 80]
    wcs.wcs.cdelt = [-0.396 / 3600, 0.396 / 3600]
    return wcs


def made_truth(things=THINGS) -> np.ndarray:
    """nanomaggies a pixel without sky and noise: round Gaussians of sigma = 3 pixels."""
    y, x = np.indices(SIDE)
    image = np.zeros(SIDE)
    for one in things:
        image += one.flux * np.exp(-((x - one.x) ** 2 + (y - one.y) ** 2) / 18) / (18 * np.pi)
    return image


def made_frame(band, things=THINGS, *, run=RUN, camcol=CAMCOL, number=FIELD, seed=0) -> bytes:
    """A corrected frame: electrons counted, read out, sky taken off, calibrated."""
    rng = np.random.default_rng([seed, BANDS.index(band)])
    column = np.arange(SIDE[1])
    calibration = CALIBRATION[band] * (1 + 0.05 * np.sin(column / 40))
    coarse = SKY[band] * (1 + 0.02 * np.arange(5)[None, :] + 0.01 * np.arange(4)[:, None])
    x, y = np.linspace(0, 4, SIDE[1]), np.linspace(0, 3, SIDE[0])
    sky = SKY[band] * (1 + 0.02 * x[None, :] + 0.01 * y[:, None])
    electrons = gain(camcol, band, run)
    counts = rng.poisson((made_truth(things) / calibration + sky) * electrons) / electrons
    counts = counts + rng.normal(0, np.sqrt(dark_variance(camcol, band, run)), SIDE)
    primary = fits.PrimaryHDU(((counts - sky) * calibration).astype("f4"), made_wcs().to_header())
    primary.header.update({"RUN": run, "CAMCOL": camcol, "FRAME": number, "FILTER": band, "BUNIT": "nanomaggy"})
    table = Table({"ALLSKY": [coarse.astype("f4")], "XINTERP": [x.astype("f4")], "YINTERP": [y.astype("f4")]})
    content = io.BytesIO()
    hdus = [primary, fits.ImageHDU(calibration.astype("f4")), fits.BinTableHDU(table)]
    fits.HDUList(hdus).writeto(content)
    return bz2.compress(content.getvalue(), 1)


def made_row(one: Thing) -> dict:
    """What SkyServer says of it."""
    ra, dec = one.sky
    row = {"objID": one.objid, "ra": ra, "dec": dec + one.shift / 3600, "rerun": 301, "run": RUN, "camcol": CAMCOL}
    row |= {"field": one.number}
    for band in BANDS:
        row |= {f"modelFlux_{band}": one.flux, f"modelFluxIvar_{band}": 4.0, f"extinction_{band}": 0.1}
        row |= {f"psfWidth_{band}": FWHM[band]}
    of_spectrum = ("specObjID", "plate", "mjd", "fiberID", "run2d", "sciencePrimary", "z", "zErr", "zWarning", "class")
    row |= dict.fromkeys((*of_spectrum, "ra_s", "dec_s"))
    if one.fiber:
        plate, mjd, fiber = one.fiber
        row |= {"specObjID": one.specobjid, "plate": plate, "mjd": mjd, "fiberID": fiber, "ra_s": ra, "dec_s": dec}
        row |= {"run2d": "26" if plate < 3000 else "v5_13_2", "sciencePrimary": 1}
        row |= {"z": one.redshift, "zErr": 1e-5, "zWarning": 0, "class": "GALAXY"}
    return row


def made_rates(k: int) -> dict[str, float]:
    """Statistics of log SFR in order."""
    at = {"P2P5": -0.9, "P16": -0.4, "MEDIAN": 0.0, "P84": 0.4, "P97P5": 0.8, "AVG": 0.02, "MODE": 0.1, "ENTROPY": -2.5}
    return {name: at[name] + (0 if name == "ENTROPY" else 0.1 * k) for name in STATISTICS}


@dataclass
class Archive:
    """What the server has, what it was asked, and how it is to fail."""

    things: tuple[Thing, ...] = THINGS
    files: dict[str, bytes] = field(default_factory=dict)
    """By address."""
    asked: list[str] = field(default_factory=list)
    """Addresses in order, a Range behind a space."""
    agents: set[str] = field(default_factory=set)
    faults: dict[str, list[str]] = field(default_factory=dict)
    """By a part of an address: what happens to the next requests of such, one after the other. A status, with seconds
    behind a colon where it is to be tried again then, html, empty, half, or silence."""
    ranges: bool = True
    """It sends parts of files."""
    url: str = ""
    silent: threading.Event = field(default_factory=threading.Event)
    """A request is left without an answer."""
    over: threading.Event = field(default_factory=threading.Event)
    """Nobody waits for an answer any more."""

    def count(self, word: str) -> int:
        """Requests whose address has this in it."""
        return sum(word in one for one in self.asked)

    @property
    def servers(self) -> list[str]:
        """Words for the command line."""
        names = ("skyserver", "sas", "mpa-jhu")
        quick = ["--pause", "0", "--backoff", "0", "--timeout", "5", "--tries", "3"]
        return [word for name in names for word in ("--url", f"{name}={self.url}/{name}")] + quick


def stock(things=THINGS) -> Archive:
    """An archive with the spectra, frames and rates of the things."""
    return Archive(things, dict(_files() if things is THINGS else made_files(things)))


@cache
def _files() -> dict[str, bytes]:
    return made_files(THINGS)


def made_files(things) -> dict[str, bytes]:
    """By address."""
    files = {}
    spectra = [one for one in things if one.fiber]
    for one in spectra:
        plate, mjd, fiber = one.fiber
        name = f"spec-{plate:04d}-{mjd}-{fiber:04d}.fits"
        address = f"/sas/dr17/sdss/spectro/redux/{made_row(one)['run2d']}/spectra/lite/{plate:04d}/{name}"
        files[address] = made_spectrum(one)
    for number in {one.number for one in things}:
        for band in BANDS:
            name = f"frame-{band}-{RUN:06d}-{CAMCOL}-{number:04d}.fits.bz2"
            files[f"/sas/dr17/eboss/photoObj/frames/301/{RUN}/{CAMCOL}/{name}"] = made_frame(
                band, [one for one in things if one.number == number], number=number
            )
    info = {name: np.array([one.fiber[i] for one in spectra]) for i, name in enumerate(("PLATEID", "MJD", "FIBERID"))}
    of_each = [made_rates(k) | one.rates for k, one in enumerate(spectra)]
    columns = {name: np.array([each[name] for each in of_each], "f4") for name in STATISTICS}
    of_fibre = {name: values - (0 if name == "ENTROPY" else 0.5) for name, values in columns.items()}
    for key, table in (("info", info), ("tot", columns), ("fib", of_fibre)):
        content = io.BytesIO()
        fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU(Table(table))]).writeto(content)
        files[f"/mpa-jhu/SDSS/DR7/Data/{FILES[key]}.gz"] = gzip.compress(content.getvalue(), 1)
    return files


def made_spectrum(one: Thing, **said) -> bytes:
    """The file of its spectrum; `said` : by column, what it says else."""
    place = zip(("PLATE", "MJD", "FIBERID", "PLUG_RA", "PLUG_DEC"), (*one.fiber, *one.sky), strict=True)
    with tempfile.TemporaryDirectory() as folder:
        return write_sdss(Path(folder) / "a.fits", n=3800, **(dict(place) | {"Z": one.redshift} | said)).read_bytes()


@contextmanager
def serving(archive: Archive):
    """The archive behind an address of this machine, for the length of a block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            address = urlsplit(self.path).path
            part = self.headers.get("Range", "")
            archive.asked.append(f"{self.path} {part}".strip())
            archive.agents.add(self.headers["User-Agent"])
            fault = next((each.pop(0) for word, each in archive.faults.items() if word in self.path and each), "")
            if fault == "silence":
                archive.silent.set()
                archive.over.wait()
                return
            if fault == "html":
                return self.answer(200, b"<html><body>We are sorry</body></html>")
            if fault == "empty":
                return self.answer(200, b"")
            if fault and fault != "half":
                status, _, wait = fault.partition(":")
                return self.answer(int(status), b"<html>no</html>", {"Retry-After": wait} if wait else {})
            if address.startswith("/skyserver/"):
                status, body = sql_answer(parse_qs(urlsplit(self.path).query)["cmd"][0], archive.things)
            else:
                status, body = (200, archive.files[address]) if address in archive.files else (404, b"<html>no</html>")
            first = int(part.removeprefix("bytes=").rstrip("-") or 0) if archive.ranges and status == 200 else 0
            if first and first >= len(body):
                return self.answer(416, b"")
            headers = {"Content-Range": f"bytes {first}-{len(body) - 1}/{len(body)}"} if first else {}
            self.answer(206 if first else status, body[first:], headers, half=fault == "half")

        def answer(self, status, body, headers=None, half=False):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if half else body)

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    archive.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield archive
    finally:
        archive.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def sql_answer(sql: str, things) -> tuple[int, bytes]:
    """What SkyServer makes of the queries that are asked, and of one that it does not understand."""
    if "FROM" not in sql:
        said = {"error_code": 500, "error_type": "InternalServerError", "error_message": "Incorrect syntax near ';'."}
        return 500, json.dumps(said).encode()
    rows = []
    near = re.search(r"fGetNearbyObjEq\(([-\d.]+),([-\d.]+),([\d.]+)\)", sql)
    ids = {int(one) for one in re.findall(r"specObjID=(\d+)", sql)}
    fibers = set(re.findall(r"s\.plate=(\d+) AND s\.mjd=(\d+) AND s\.fiberID=(\d+)", sql))
    for k, one in enumerate(things):
        row = made_row(one)
        if near:
            ra, dec, radius = map(float, near.groups())
            apart = np.hypot((row["ra"] - ra) * np.cos(np.radians(dec)), row["dec"] - dec) * 60
            if apart <= radius or one.shift:
                rows.append(row)
        elif one.fiber and "galSpecExtra" in sql and one.specobjid in ids:
            names = {
                "ENTROPY": "entropy",
                "MEDIAN": "p50",
                "P16": "p16",
                "P2P5": "p2p5",
                "P84": "p84",
                "P97P5": "p97p5",
            }
            made = {**made_rates(k), **one.rates}
            rates = {f"sfr_{part}_{names[name]}": made[name] for part in ("tot", "fib") for name in names}
            rows.append({"specObjID": one.specobjid} | rates)
        elif one.fiber and (one.specobjid in ids or tuple(map(str, one.fiber)) in fibers or "TOP" in sql):
            rows.append(row)
    return 200, json.dumps([{"TableName": "Table1", "Rows": rows}]).encode()
