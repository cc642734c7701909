"""`galprism VERB …`: finds the verb, and turns what goes wrong into one line and an exit status."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

import galprism
from galprism.errors import GalprismError, RequestError

VERBS = {
    "demo": "the main job on a shipped catalogue, in about a minute",
    "reproduce": "a published system from start to finish, its table beside the paper's",
    "mock": "simulate a catalogue with its truth",
    "train": "learn a bundle from a recipe",
    "predict": "infer with a bundle what the sources of a catalogue are made of",
    "fit": "the same by template fitting: a grid, or the exact posterior",
    "evaluate": "judge predictions against the truth, or against each other",
    "check": "say how a catalogue would be read, and what is odd in it",
    "list": "what there is: models, recipes, surveys, passbands, params, flags",
}

DONE, FAILED, WRONG_REQUEST, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb. Returns 0 when it is done, 1 when the run failed, 2 when the request was wrong."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="galprism", description=galprism.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"galprism {galprism.__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    asked = next((word for word in arguments if not word.startswith("-")), None)
    for name, text in VERBS.items():
        verb = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if name == asked:  # only the verb that runs is imported
            module = importlib.import_module(f"galprism.cli.{name}")
            module.add_arguments(verb)
            verb.set_defaults(run=module.run)
    args = parser.parse_args(arguments)
    try:
        args.run(args)
    except RequestError as error:
        print(f"galprism {args.verb}: {error}", file=sys.stderr)
        return WRONG_REQUEST
    except GalprismError as error:
        print(f"galprism {args.verb}: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print(f"galprism {args.verb}: stopped; run the same command again to take it up", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    return DONE


if __name__ == "__main__":
    sys.exit(main())
