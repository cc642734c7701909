"""`galprism list WHAT`: the names that the other verbs take, with what they are."""

from __future__ import annotations

import argparse

from galprism import bundle, passbands, recipes, surveys
from galprism.errors import RequestError
from galprism.flags import SENTENCE
from galprism.params import PARAMS

WIDTH = 24


def models() -> dict[str, str]:
    return {name: bundle.load(name).title for name in bundle.names()}


def recipe_titles() -> dict[str, str]:
    return {name: recipes.load(name).title for name in recipes.names()}


def survey_bands() -> dict[str, str]:
    return {name: " ".join(surveys.get(name).band_names) for name in surveys.names()}


def curves() -> dict[str, str]:
    return {name: ", ".join(passbands.aliases(name)) for name in passbands.names()}


def params() -> dict[str, str]:
    return {name: f"[{row.unit or 'no unit'}] {row.definition}" for name, row in PARAMS.items()}


def flags() -> dict[str, str]:
    return {f"{int(flag):6d} {flag.name}": sentence for flag, sentence in SENTENCE.items()}


WHAT = {
    "models": models,
    "recipes": recipe_titles,
    "surveys": survey_bands,
    "passbands": curves,
    "params": params,
    "flags": flags,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """WHAT to list."""
    parser.add_argument("what", choices=WHAT, metavar="WHAT", help=", ".join(WHAT))
    parser.add_argument("--details", action="store_true", help="of models: their cards, with what they were trained on")


def run(args: argparse.Namespace) -> None:
    """Print one line a name, or the cards of the models."""
    if args.details:
        if args.what != "models":
            raise RequestError(f"--details of {args.what}: there are none; accepted: models")
        print("\n\n".join(bundle.load(name).card.rstrip() for name in bundle.names()))
        return
    for name, text in WHAT[args.what]().items():
        print(f"{name:<{WIDTH}} {text}".rstrip())
