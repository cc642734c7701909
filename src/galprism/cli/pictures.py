"""`galprism pictures FILE … -o OUT.png`: every stage of the preparation of three-colour pictures, drawn."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np

from galprism.data.cutout_file import CutoutFile
from galprism.data.pictures import levels_of, read_jpegs
from galprism.data.tables.writing import check_place, write_whole
from galprism.data.three_colour import SDSS_PIXEL, pictures_of
from galprism.errors import RequestError

MOST = 30
"""Rows of a figure."""

WRITES = ("output",)
READS = ("files", "cutouts")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The pictures, or cutouts and their ids, and where to."""
    parser.add_argument("files", nargs="*", metavar="FILE", help="pictures: JPEG or PNG, the source in the middle")
    parser.add_argument("-o", "--output", required=True, metavar="OUT.png", help="the figure to write")
    parser.add_argument("--cutouts", metavar="FILE.h5", help="a file of cutouts with g, r and i, in place of pictures")
    parser.add_argument("--id", action="append", default=[], help="whose cutout; may be repeated (default: the first)")
    parser.add_argument("--pixels", type=int, metavar="N", help="what each side of a picture must have (default: any)")
    parser.add_argument("--size", type=int, default=128, help="pixels, the side of what comes out (default: 128)")
    parser.add_argument(
        "--brightness", action="store_true", help="keep levels as they are, not from darkest to brightest"
    )


def run(args: argparse.Namespace) -> None:
    """Prepare, say what came of it, draw and write."""
    from galprism.evaluate.figures.pictures import PictureRow, picture_stages
    from galprism.prep.pictures import PictureConfig, stages_of

    if bool(args.files) == bool(args.cutouts) or (args.id and not args.cutouts):
        raise RequestError("accepted: FILE … with pictures, or --cutouts FILE.h5 with --id ID …")
    if Path(args.output).suffix.lower() != ".png":
        raise RequestError(f"{args.output}: the figure is a .png")
    out = check_place(args.output)
    config = PictureConfig(size=args.size, own_range=not args.brightness)
    named = list(_from_cutouts(args.cutouts, args.id) if args.cutouts else _from_files(args.files, args.pixels))
    if len(named) > MOST:
        raise RequestError(f"{len(named)} pictures; accepted: up to {MOST} in a figure")
    rows, lines = [], []
    for name, picture in named:
        at = stages_of(picture, config)
        ellipse = None if at.ellipse is None else astuple(at.ellipse)
        prepared = None if at.prepared is None else np.moveaxis(at.prepared, 0, -1)
        rows.append(
            PictureRow(
                name, at.reason, picture, at.grey, at.threshold, at.part, ellipse, at.masked, at.sources, prepared
            )
        )
        shape = "" if ellipse is None else f", ellipse of {2 * ellipse[2]:.1f} x {2 * ellipse[3]:.1f} pixels"
        lines.append(f"{name}: {at.reason or 'prepared'}{shape}")
    drawing = picture_stages("pictures", "The preparation of pictures", rows)
    write_whole(out, drawing.png)
    print("\n".join([*lines, f"{len(rows)} pictures drawn: {out}"]))


def _from_files(files: Sequence[str], pixels: int | None) -> Iterator[tuple[str, np.ndarray]]:
    for file in files:
        yield Path(file).stem, levels_of(read_jpegs([file], SDSS_PIXEL, size=pixels))[0]


def _from_cutouts(path: str, ids: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
    file = CutoutFile(path)
    wanted = np.array(ids) if ids else file.id[:1]
    if ids and file.id.dtype.kind in "iu":
        if not all(each.lstrip("-").isdigit() for each in ids):
            raise RequestError(f"--id {' '.join(ids)}; accepted: whole numbers, as the ids of {path} are")
        wanted = wanted.astype(np.int64)
    for name, picture in zip(wanted, pictures_of(file.read(ids=wanted)), strict=True):
        yield str(name), picture
