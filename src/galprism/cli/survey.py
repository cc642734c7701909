"""`galprism survey NAME --passbands … -o NAME.toml`: the file of a new survey, and what is missing in it."""

from __future__ import annotations

import argparse
from pathlib import Path

from galprism import surveys
from galprism.cli.reading import add_reading_arguments, reading_options
from galprism.errors import RequestError
from galprism.surveys import from_curves
from galprism.surveys.propose import as_toml, propose


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its name, its passbands, a table of it, and the file to write."""
    parser.add_argument("name", help="what the survey is to be called")
    parser.add_argument(
        "--passbands",
        required=True,
        nargs="+",
        metavar="FOLDER or BAND=PASSBAND",
        help="a folder with a curve for each band, or each band with a name of `galprism list passbands`, of the SVO, "
        "or a file",
    )
    parser.add_argument("--catalogue", help="a table of the survey: depths and plausible magnitudes are taken from it")
    parser.add_argument("-o", "--output", required=True, metavar="FILE.toml", help="the file to write; must not exist")
    add_reading_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Write the file and say what in it is a guess."""
    path = Path(args.output)
    if path.suffix != ".toml" or path.exists() or not path.absolute().parent.is_dir():
        raise RequestError(f"-o {args.output}; accepted: a new file FILE.toml in a folder that exists")
    if not args.name.strip() or args.name in surveys.names():
        raise RequestError(
            f"survey {args.name!r}: accepted: a name that no survey of galprism has ({', '.join(surveys.names())})"
        )
    proposal = propose(args.name, _curves(args.passbands), args.catalogue, **reading_options(args))
    path.write_text(as_toml(proposal))
    print(f"{path}: {len(proposal.survey.bands)} bands, {' '.join(proposal.survey.band_names)}")
    for guess in proposal.guesses:
        print(f"  {guess}")


def _curves(words: list[str]) -> dict[str, str]:
    """Band to passband."""
    if len(words) == 1 and "=" not in words[0]:
        return {band.name: str(Path(band.passband).resolve()) for band in from_curves(words[0]).bands}
    curves = {}
    for word in words:
        band, equals, passband = word.partition("=")
        if not (band and equals and passband):
            raise RequestError(f"--passbands {word!r}; accepted: a folder, or BAND=PASSBAND such as g=SLOAN/SDSS.g")
        if band in curves:
            raise RequestError(f"--passbands: band {band} is given twice")
        curves[band] = passband
    return curves
