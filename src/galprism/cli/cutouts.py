"""`galprism cutouts CATALOGUE --image r=FILE … -o OUT.h5`: sources cut out of images, and measured there."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from galprism import flags
from galprism.cli.extras import require
from galprism.cli.progress import Progress
from galprism.cli.reading import print_flags
from galprism.data import Sources
from galprism.data.apertures import aperture_photometry
from galprism.data.background import BOX
from galprism.data.cutout_file import CutoutWriter
from galprism.data.cutting import Cut, Cutter
from galprism.data.images import WEIGHT_KINDS, Image, open_image
from galprism.data.tables import CatalogueWriter, TableReader, check_writable, open_table
from galprism.data.tables.ids import comparable
from galprism.errors import RequestError
from galprism.surveys.preset import PLAIN_DEC, PLAIN_ID, PLAIN_RA, PLAIN_REDSHIFT

BATCH_BYTES = 2**28
"""Of cutouts that are in memory at a time."""

WRITES = ("output", "table")
READS = ("catalogue",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The catalogue, the images of each band with what goes with them, and where to."""
    parser.add_argument("catalogue", help="FITS, Parquet, ECSV, VOTable, CSV or HDF5, with ra and dec, or --x and --y")
    parser.add_argument("-o", "--output", required=True, metavar="OUT.h5", help="the file of cutouts to write")
    parser.add_argument("--size", type=int, default=41, help="pixels, the side of a cutout (default: 41)")
    images = parser.add_argument_group("images, by band; a band that is repeated has several tiles")
    for word, metavar, text in (
        ("image", "FILE[:HDU]", "FITS, tile-compressed or not; HDU by number, from 0, or name"),
        ("weight", "FILE[:HDU]", "a map of the noise, see --weight-kind; as many as images"),
        ("mask", "FILE[:HDU]", "a map that is 0 where pixels are good; as many as images"),
        ("zeropoint", "MAG", "AB magnitude of one count, where the header does not say it"),
        ("saturation", "COUNTS", "from where on pixels have no data, where the header does not say it"),
        ("gain", "ELECTRONS", "a count; sources then add to a noise measured on the sky"),
        ("fwhm", "ARCSEC|COLUMN", "of the point-spread function; apertures are matched where all bands have it"),
    ):
        images.add_argument(
            f"--{word}", metavar=f"BAND={metavar}", action="append", default=[], required=word == "image", help=text
        )
    images.add_argument(
        "--weight-kind", choices=WEIGHT_KINDS, default="ivar", help="counts^-2, counts^2, counts or ~ counts^-2"
    )
    images.add_argument("--pixel-scale", type=float, metavar="ARCSEC", help="of images without WCS; else a check")
    images.add_argument("--background", choices=("subtract", "keep"), default="subtract", help="default: subtract")
    images.add_argument("--box", type=int, default=BOX, help=f"pixels, boxes of the background (default: {BOX})")
    where = parser.add_argument_group("positions")
    for word in ("id", "ra", "dec", "x", "y"):
        where.add_argument(f"--{word}", metavar="COLUMN", help=f"the column of {word}, where it has another name")
    where.add_argument(
        "--first-pixel", type=int, choices=(0, 1), default=0, help="of x and y; SExtractor's is 1 (default: 0)"
    )
    photometry = parser.add_argument_group("photometry")
    photometry.add_argument("--photometry", action="store_true", help="measure fluxes too, in circular apertures")
    photometry.add_argument("--catalogue", dest="table", metavar="OUT", help="the table to write them to")
    photometry.add_argument("--aperture", type=float, default=2.0, metavar="ARCSEC", help="diameter (default: 2)")
    photometry.add_argument(
        "--annulus", metavar="IN,OUT", help="radii in arcsec of a ring whose median is taken off too (default: none)"
    )


def run(args: argparse.Namespace) -> None:
    """Cut out, measure, write, and say what was flagged."""
    if args.photometry:
        require("images", "aperture photometry")
    if args.photometry != bool(args.table):
        raise RequestError("--photometry and --catalogue OUT go together: what to do, and where to write it")
    annulus = _annulus(args.annulus)
    cutter = _cutter(args)
    with open_table(args.catalogue) as table:
        positions = _positions(args, table)
    every = [image for tiles in cutter.images.values() for image in tiles]
    planes = [plane for image in every for plane in (image.plane, image.weight, image.mask) if plane is not None]
    for output in (args.table, args.output):
        if output:
            check_writable(output, [plane.path for plane in planes])
    about = cutter.described() | {"catalogue": Path(args.catalogue).name}
    how = {"diameter": args.aperture, "annulus": annulus, "match_psf": bool(args.fwhm)}
    seen: list[np.ndarray] = []
    n, side = len(positions.sources), cutter.size
    progress = Progress("sources", n)
    with ExitStack() as stack:
        images = stack.enter_context(CutoutWriter(args.output, about))
        measured = None
        if args.table:
            measured = stack.enter_context(CatalogueWriter(args.table, n, {"cutouts": about, "apertures": how}))
        step = max(1, BATCH_BYTES // (8 * len(cutter.bands) * side * side))
        for rows in (slice(start, start + step) for start in range(0, max(n, 1), step)):
            cut = positions.cut(cutter, rows)
            found = cut.flags
            if measured is not None:
                fluxes, more = aperture_photometry(cut.cutouts, cut.offset, **how)
                found = found | more
                measured.write(replace(positions.sources.take(rows), photometry=fluxes, flags=found))
            images.write(positions.sources.id[rows], cut.cutouts, found)
            seen.append(found)
            progress(len(found))
    progress.finish()
    for note in dict.fromkeys(note for image in every for note in image.notes):
        print(f"  {note}")
    print(f"{n:,} sources cut out in {', '.join(cutter.bands)}, {side} x {side} pixels: {args.output}")
    if args.table:
        print(f"their fluxes within {args.aperture:g} arcsec: {args.table}")
    print_flags(flags.counts(np.concatenate(seen)))


@dataclass(frozen=True, eq=False)
class _Positions:
    """The sources of a catalogue, and the pixels that they are on where it says so."""

    sources: Sources
    xy: np.ndarray | None = None
    """(2, N), from 0."""
    fwhm: dict[str, np.ndarray] = field(default_factory=dict)
    """(N,), arcsec, of bands whose PSF the catalogue tells at each source."""

    def cut(self, cutter: Cutter, rows: slice) -> Cut:
        """Those of a slice."""
        fwhm = {band: each[rows] for band, each in self.fwhm.items()}
        if self.xy is not None:
            x, y = self.xy[:, rows]
            return cutter.at_pixels(x, y, fwhm)
        part = self.sources.take(rows)
        assert part.ra is not None
        assert part.dec is not None
        return cutter.at_sky(part.ra, part.dec, fwhm)


def _positions(args: argparse.Namespace, table: TableReader) -> _Positions:
    """Whom to cut out and where.

    Raises RequestError where the table has no positions, or an id stands twice.
    """
    if bool(args.x) != bool(args.y):
        raise RequestError("--x and --y go together: the columns of pixels along the last and the first axis")
    roles = {
        "id": args.id or _first(table, PLAIN_ID),
        "ra": args.ra or _first(table, PLAIN_RA),
        "dec": args.dec or _first(table, PLAIN_DEC),
        "redshift": _first(table, PLAIN_REDSHIFT),
        "x": args.x,
        "y": args.y,
    }
    if not args.x and not (roles["ra"] and roles["dec"]):
        known, listed = (", ".join(names) for names in ((*PLAIN_RA, *PLAIN_DEC), list(table.columns)[:12]))
        raise RequestError(
            f"{args.catalogue}: has no positions under {known}; it has {listed}; "
            "accepted: --ra and --dec with columns in deg, or --x and --y with columns of pixels"
        )
    named = {role: column for role, column in roles.items() if column}
    varying = _fwhm_columns(args)
    for band, column in varying.items():
        if column not in table.columns:
            raise RequestError(
                f"--fwhm {band}={column}; accepted: a number of arcsec, or a column of {args.catalogue}: "
                f"{', '.join(table.columns)}"
            )
    named |= {f"fwhm of {band}": column for band, column in varying.items()}
    read = table.read(dict.fromkeys(named.values()))
    values = {role: read[column] for role, column in named.items()}
    for role in set(values) - {"id"}:
        if values[role].dtype.kind not in "fiu":
            raise RequestError(f"{args.catalogue}: column {named[role]} holds {values[role].dtype}; {role} is a number")
    ids = values.get("id", np.arange(table.n_rows))
    unique, counts = np.unique(comparable(ids), return_counts=True)
    if np.any(counts > 1):
        raise RequestError(
            f"{args.catalogue}: id {unique[counts > 1][0]} stands in several rows of column {named['id']}; cutouts are "
            "found again by their ids: accepted are others, --id COLUMN"
        )
    sources = Sources(ids, ra=values.get("ra"), dec=values.get("dec"), redshift=values.get("redshift"))
    fwhm = {band: values[f"fwhm of {band}"] for band in varying}
    for band, each in fwhm.items():
        wrong = np.flatnonzero((each <= 0) | np.isinf(each))
        if len(wrong):
            raise RequestError(
                f"{args.catalogue}: column {varying[band]} is {each[wrong[0]]:g} for id {ids[wrong[0]]}; accepted as "
                "FWHM: arcsec, above zero, or NaN"
            )
    xy = np.array([values["x"], values["y"]], np.float64) - args.first_pixel if args.x else None
    return _Positions(sources, xy, fwhm)


def _fwhm_columns(args: argparse.Namespace) -> dict[str, str]:
    """Band to column, where --fwhm names one."""
    return {band: values[0] for band, values in _by_band("fwhm", args.fwhm).items() if _names_column(values)}


def _names_column(values: Sequence[str]) -> bool:
    """One word, and no number."""
    try:
        float(values[0])
    except ValueError:
        return len(values) == 1
    return False


def _first(table: TableReader, names: Sequence[str]) -> str | None:
    return next((name for name in names if name in table.columns), None)


def _cutter(args: argparse.Namespace) -> Cutter:
    images = _by_band("image", args.image)
    maps = {word: _by_band(word, getattr(args, word), images) for word in ("weight", "mask")}
    numbers = {}
    for word in ("zeropoint", "saturation", "gain", "fwhm"):
        given = _by_band(word, getattr(args, word), images)
        columns = _fwhm_columns(args) if word == "fwhm" else {}
        numbers[word] = {b: _number(word, b, values) for b, values in given.items() if b not in columns}
    for word, by_band in maps.items():
        for band, files in by_band.items():
            if len(files) != len(images[band]):
                raise RequestError(
                    f"--{word}: {len(files)} for {len(images[band])} images of {band}; accepted: one each"
                )
    fwhm = numbers.pop("fwhm")
    for band, value in fwhm.items():
        if not 0 < value < np.inf:
            raise RequestError(f"--fwhm {band}={value:g}; accepted: arcsec, above zero")
    opened: dict[str, list[Image]] = {band: [] for band in images}
    for band, files in images.items():
        numbered = {word: by_band.get(band) for word, by_band in numbers.items()}
        for i, name in enumerate(files):
            beside = {word: by_band[band][i] if band in by_band else None for word, by_band in maps.items()}
            image = open_image(
                name,
                pixel_scale=args.pixel_scale,
                weight=beside["weight"],
                weight_kind=args.weight_kind,
                mask=beside["mask"],
                zeropoint=numbered["zeropoint"],
                saturation=numbered["saturation"],
                gain=numbered["gain"],
            )
            opened[band].append(image)
    return Cutter(opened, args.size, subtract=args.background == "subtract", box=args.box, fwhm=fwhm)


def _by_band(word: str, pairs: Sequence[str], bands: dict[str, list[str]] | None = None) -> dict[str, list[str]]:
    """Band to what was said of it, in order. Raises RequestError for a band of which there is no image."""
    found: dict[str, list[str]] = {}
    for pair in pairs:
        band, equals, value = pair.partition("=")
        if not (band and equals and value):
            raise RequestError(f"--{word} {pair!r} is not of the form BAND=VALUE, such as r=…")
        if bands is not None and band not in bands:
            raise RequestError(f"--{word} {pair}: there is no image of {band}, only of {', '.join(bands)}")
        found.setdefault(band, []).append(value)
    return found


def _number(word: str, band: str, values: Sequence[str]) -> float:
    if len(values) > 1:
        raise RequestError(f"--{word}: {band} is given {len(values)} times; accepted: once, for all its images")
    try:
        return float(values[0])
    except ValueError as error:
        raise RequestError(f"--{word} {band}={values[0]}; accepted: a number") from error


def _annulus(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        inner, outer = (float(word) for word in text.split(","))
    except ValueError as error:
        raise RequestError(f"--annulus {text!r}; accepted: two radii in arcsec, such as 3,4") from error
    return inner, outer
