"""`galprism VERB …`: finds the verb, and turns what goes wrong into one line and an exit status."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import galprism
from galprism.cli.outputs import check_outputs
from galprism.errors import GalprismError, RequestError

VERBS = {
    "demo": "the main job on a shipped catalogue, in about a minute",
    "reproduce": "a published system from start to finish, its table beside the paper's",
    "mock": "simulate a catalogue with its truth",
    "train": "learn a bundle from a recipe",
    "predict": "infer with a bundle what the sources of a catalogue are made of",
    "fit": "the same by template fitting: a grid, or the exact posterior; ages and metallicities from spectra",
    "evaluate": "judge predictions against the truth, or against each other",
    "data": "fetch spectra, cutouts, photometry and star-formation rates of objects of SDSS",
    "cutouts": "cut sources out of images, and measure their fluxes there",
    "pictures": "draw every stage of the preparation of three-colour pictures",
    "check": "say how a catalogue would be read, and what is odd in it",
    "survey": "write the file of a new survey from its passbands and a table of it",
    "list": "what there is: models, recipes, surveys, passbands, params, flags",
}

RESUMES = ("train", "reproduce", "data")
"""Verbs that keep what they have done when they are stopped; others say themselves what they keep."""

BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "1")
"""Of NumPy's own linear algebra, unless the environment says otherwise: verbs share their work out to all cores by
themselves, and on small matrices several threads wait for each other (a fit of a spectrum took ten times as long)."""

DONE, FAILED, WRONG_REQUEST, INTERRUPTED = 0, 1, 2, 130


class Parser(argparse.ArgumentParser):
    """A parser to which a wrong command is a wrong request like any other."""

    def error(self, message: str) -> NoReturn:
        raise RequestError(f"{message}; see `{self.prog} -h`")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb. Returns 0 when it is done, 1 when the run failed, 2 when the request was wrong."""
    os.environ.setdefault(*BLAS_THREADS)  # it is read when a verb imports NumPy
    words = list(sys.argv[1:] if argv is None else argv)
    verb = words.pop(0) if words and words[0] in VERBS else ""
    program = f"galprism {verb}".rstrip()
    try:
        if verb:
            run(verb, program, words)
        else:
            overview(program).parse_args(words)
    except RequestError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return WRONG_REQUEST
    except GalprismError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:  # a full disk, a network folder that went away: not a fault of ours or of the request
        what = f"{error.filename}: " if error.filename else ""
        print(f"{program}: {what}{error.strerror or error}; the output was not written", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt as stop:
        told = str(stop) or ("run the same command again to take it up" if verb in RESUMES else "")
        print(f"{program}: stopped{'; ' if told else ''}{told}", file=sys.stderr)
        return INTERRUPTED
    return DONE


@contextmanager
def _stop_at_once() -> Iterator[None]:
    """While libraries are imported Ctrl-C ends the process: an interrupt raised inside an import may be lost in it.

    Nothing is at stake then. Outside the main thread, and where Ctrl-C means something else already, it does nothing.
    """
    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # a batch queue's way to stop us: nothing is left either
            signal.signal(signal.SIGTERM, signal.default_int_handler)


def run(verb: str, program: str, words: Sequence[str]) -> None:
    """Parse the words behind a verb and run it; only that verb is imported. Settings may stand behind options."""
    with _stop_at_once():
        module = importlib.import_module(f"galprism.cli.{verb}")
    parser = Parser(prog=program, description=VERBS[verb][0].upper() + VERBS[verb][1:] + ".")
    module.add_arguments(parser)
    args = parser.parse_intermixed_args(words)
    check_outputs(module, args)
    module.run(args)


def overview(program: str) -> Parser:
    """What `galprism -h` and `galprism --version` show."""
    parser = Parser(prog=program, description=galprism.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="version", version=f"galprism {galprism.__version__}")
    verbs = parser.add_subparsers(metavar="VERB", dest="verb", required=True)
    for name, text in VERBS.items():
        verbs.add_parser(name, help=text)
    return parser


if __name__ == "__main__":
    sys.exit(main())
