"""`galprism data sdss LIST -o FOLDER`: what an archive has of a list of objects."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import fields, replace
from pathlib import Path

from galprism.archives.client import Client, Manners, Unavailable
from galprism.archives.sdss import CUTOUTS, KINDS, SFR, Got, Servers, fetch
from galprism.archives.sdss_before import before, check_kept, replaced
from galprism.archives.sdss_list import Asked, asked_of_rows, read_list
from galprism.archives.sdss_table import write_objects
from galprism.archives.skyserver import SkyServer
from galprism.cli.folders import alone, made
from galprism.cli.progress import Progress
from galprism.data.tables import check_writable
from galprism.errors import GalprismError, RequestError

TABLE = "objects.ecsv"
MOST_REASONS = 10
"""That are printed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The archive, the objects, what of them, where to, and how servers are asked."""
    manners = Manners()
    parser.add_argument("archive", choices=("sdss",), help="the archive")
    parser.add_argument("list", nargs="?", help="a table with specObjID, or plate, mjd and fiberID, or ra and dec")
    parser.add_argument("--query", metavar="SQL", help="SkyServer's SQL, in place of a list: its answer is the list")
    parser.add_argument("-o", "--output", required=True, metavar="FOLDER", help="where all of it goes, and is kept")
    parser.add_argument("--what", default=",".join(KINDS), help=f"of each object (default: {','.join(KINDS)})")
    parser.add_argument("--size", type=int, default=64, help="pixels, the side of a cutout (default: 64)")
    parser.add_argument(
        "--sfr",
        choices=SFR,
        default=SFR[0],
        help="rates from the files of MPA-JHU, fetched once, or the six of the eight statistics in SkyServer",
    )
    parser.add_argument("--keep-frames", action="store_true", help="keep the frames, 15 MB a field")
    parser.add_argument(
        "--downloads", metavar="FOLDER", help="of what need not be fetched again; several may share it (default: in -o)"
    )
    servers = parser.add_argument_group("servers")
    servers.add_argument(
        "--url",
        metavar="SERVER=URL",
        action="append",
        default=[],
        help=f"another address of one of {', '.join(_names())}; it may be repeated",
    )
    for word, metavar, text in (
        ("pause", "SECONDS", "between two requests"),
        ("timeout", "SECONDS", "without a byte, after which a request is sent again"),
        ("tries", "N", "of a request, before its object is told as missing"),
        ("backoff", "SECONDS", "before the second try, doubled before each further one"),
    ):
        default = getattr(manners, word)
        servers.add_argument(
            f"--{word}", type=type(default), default=default, metavar=metavar, help=f"{text} (default: {default:g})"
        )


def run(args: argparse.Namespace) -> None:
    """Fetch, write the table, and say what is missing."""
    if bool(args.list) == bool(args.query):
        raise RequestError("give a list of objects, or --query SQL in its place; one of the two")
    if args.size < 3:
        raise RequestError(f"--size {args.size}; accepted: 3 pixels or more")
    kinds, servers = _kinds(args.what), _servers(args.url)
    client = Client(replace(Manners(), pause=args.pause, timeout=args.timeout, tries=args.tries, backoff=args.backoff))
    asked = read_list(args.list) if args.list else None
    folder = Path(args.output)
    downloads = Path(args.downloads) if args.downloads else folder / "downloads"
    with ExitStack() as held:
        for each in dict.fromkeys((folder, downloads)):
            held.enter_context(made(each))
            held.enter_context(alone(each))
        table = check_writable(folder / TABLE, [args.list] if args.list else [])
        check_writable(folder / CUTOUTS, [args.list] if args.list else [])
        old = before(table, folder / CUTOUTS)
        check_kept(old, kinds, table)
        _sweep(folder, downloads)
        if asked is None:
            asked = _queried(args.query, SkyServer(client, servers.skyserver, downloads / "queries"))
        looked_up, progress = Progress("looked up", None), Progress("objects", len(asked))
        got = fetch(
            asked,
            folder,
            client,
            downloads=downloads,
            servers=servers,
            kinds=kinds,
            sfr=args.sfr,
            size=args.size,
            keep_frames=args.keep_frames,
            looked_up=looked_up,
            progress=progress,
        )
        write_objects(table, got, kinds, args.sfr)
    progress.finish()
    print(_summary(got, kinds, client.requests, table))
    for sentence in replaced(old, asked, kinds, args.sfr, args.size):
        print(f"  {sentence}")
    _print_missing(got)
    told = "; ".join(f"{server} {why}" for server, why in client.closed.items())
    if client.given_up and not any(one.found for one in got):
        told = told or f"nothing was found: {got[0].missing[0]}"
    if told:
        raise GalprismError(f"{told}. What came is kept; run the same command again to take it up")


def _sweep(folder: Path, downloads: Path) -> None:
    """Take away the halves of files that a run that was killed has left; nobody else is in these folders."""
    for pattern, where in ((f".{TABLE}.*.part", folder), (f".{CUTOUTS}.*.part", folder), ("*/.*.part", downloads)):
        for left in where.glob(pattern):
            shutil.rmtree(left)


def _kinds(text: str) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    if not words or not set(words) <= set(KINDS):
        raise RequestError(f"--what {text!r}; accepted: {', '.join(KINDS)}, separated by commas")
    return words


def _names() -> list[str]:
    return [server.name.replace("_", "-") for server in fields(Servers)]


def _servers(pairs: Sequence[str]) -> Servers:
    given: dict[str, str] = {}
    for pair in pairs:
        name, equals, url = pair.partition("=")
        if not (equals and name in _names() and url):
            raise RequestError(f"--url {pair!r}; accepted: SERVER=URL, SERVER one of {', '.join(_names())}")
        given[name.replace("-", "_")] = url
    return Servers(**given)


def _queried(sql: str, skyserver: SkyServer) -> list[Asked]:
    """The objects that a query finds. Raises RequestError where SkyServer refuses it, or it finds none."""
    try:
        rows = skyserver.rows(sql)
    except Unavailable as error:
        if error.final:
            raise RequestError(f"--query {sql!r}: {error}") from error
        raise
    return asked_of_rows(rows, f"--query {sql!r}")


def _summary(got: Sequence[Got], kinds: Sequence[str], requests: int, table: Path) -> str:
    """One line."""
    counts = {
        "spectra": sum(one.spectrum for one in got),
        "cutouts": sum(bool(one.cutouts) for one in got),
        "photometry": sum(bool(one.found and one.found.photoobj_id) for one in got),
        "sfr": _with_rates(got, "tot"),
    }
    had = ", ".join(f"{counts[kind]:,} {'star-formation rates' if kind == 'sfr' else kind}" for kind in kinds)
    if "sfr" in kinds and _with_rates(got, "fib") != counts["sfr"]:
        had += f" ({_with_rates(got, 'fib'):,} within the fibre)"
    lacking = sum(bool(one.missing) for one in got)
    found = sum(one.found is not None for one in got)
    return (
        f"{len(got):,} objects asked for, {found:,} found: {had}; {lacking:,} lack something "
        f"({requests:,} requests): {table}"
    )


def _with_rates(got: Sequence[Got], aperture: str) -> int:
    """Objects with a rate of the whole galaxy (tot), or of what is in the fibre (fib)."""
    return sum(any(rate == rate for rate in one.rates.get(aperture, {}).values()) for one in got)


def _print_missing(got: Sequence[Got]) -> None:
    """The commonest reasons, with how many objects each is of."""
    counts: dict[str, int] = {}
    for one in got:
        for why in one.missing:
            counts[why] = counts.get(why, 0) + 1
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    for why, count in ordered[:MOST_REASONS]:
        print(f"  {count:>9,} {why}")
    if len(ordered) > MOST_REASONS:
        print(f"  … and {len(ordered) - MOST_REASONS:,} more reasons, in the column `missing`")
