"""`galprism predict BUNDLE CATALOGUE -o OUT`: what the sources of a catalogue are made of."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping

import numpy as np

from galprism import bundle, surveys
from galprism.cli.extras import cache_path
from galprism.cli.progress import Progress
from galprism.cli.reading import add_reading_arguments, print_flags, print_left_out, print_notes, reading_options
from galprism.cli.spectrum_options import add_spectrum_options, spectrum_options
from galprism.data import CLASSES
from galprism.data.cutout_file import CutoutFile
from galprism.data.predictions import LEVELS
from galprism.data.tables import PASSBANDS, open_table
from galprism.errors import RequestError
from galprism.infer import predict_file
from galprism.infer.own_models import Models, check_posteriors
from galprism.infer.with_images import is_cutout_file
from galprism.infer.with_spectra import is_spectra

WRITES = ("output", "redshift_pdf")
READS = ("catalogue", "cutouts", "spectra", "redshift", "columns", "passbands", "survey", "predictive_check")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The model, the catalogue, the output and the quantiles."""
    parser.add_argument("bundle", help="a model by name (see `galprism list models`) or the path of a bundle")
    parser.add_argument(
        "catalogue",
        nargs="+",
        help="FITS, Parquet, ECSV, VOTable, CSV or HDF5; in its place cutouts, or a folder or files of spectra",
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUT", help="the table to write, or to replace; format by suffix"
    )
    parser.add_argument(
        "--quantiles", default=",".join(map(str, LEVELS)), help="levels, separated by commas (default: 0.16,0.5,0.84)"
    )
    parser.add_argument("--survey", help="whose bands they are, for a model of any bands (name or .toml)")
    parser.add_argument(
        "--passbands", metavar="FOLDER", help="the same by a folder with a curve for each band, named as the bands are"
    )
    parser.add_argument(
        "--posterior",
        action="store_true",
        help="keep the joint posteriors too, with the redshift where that is inferred, for Python to read back",
    )
    parser.add_argument(
        "--infer-redshift", action="store_true", help="infer the redshifts that are missing too, by a model that can"
    )
    parser.add_argument(
        "--redshift-pdf", metavar="FILE", help="write the posteriors of redshifts as well, as HDF5 that qp reads"
    )
    parser.add_argument("--cutouts", metavar="FILE", help="for a model of images: the sources' cutouts, matched by id")
    parser.add_argument(
        "--spectra", metavar="PATH", help="for a model of spectra: a file or a folder of the sources', matched by id"
    )
    parser.add_argument(
        "--priors",
        metavar="star=…,qso=…,galaxy=…",
        help="for a classifier: how many there are of each class where the sources are (default: as in its training)",
    )
    parser.add_argument(
        "--predictive-check",
        metavar="FILE.npz",
        help="check each answer against model galaxies: read from here, or made and kept here (needs galprism[mock])",
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="default: all cores")
    add_reading_arguments(parser)
    add_spectrum_options(parser.add_argument_group("reading spectra"))


def run(args: argparse.Namespace) -> None:
    """Stream the catalogue through the model, and say what was flagged."""
    model = bundle.load(args.bundle)
    catalogue = args.catalogue[0] if len(args.catalogue) == 1 else args.catalogue
    progress, named = Progress("sources", None), None
    if isinstance(catalogue, list) or ("spectra" in model.blocks and is_spectra(catalogue)):
        pass  # how many there are is known when they are read
    elif is_cutout_file(catalogue):
        progress = Progress("sources", len(CutoutFile(catalogue)))
    else:
        with open_table(catalogue) as table:
            progress = Progress("sources", table.n_rows)
            named = table.meta.get(PASSBANDS)
    survey = survey_of(model, args.survey, args.passbands, (args.catalogue[0], named))
    models = _models(model, args.survey, args.predictive_check, progress) if args.predictive_check else None
    try:
        summary = predict_file(
            model,
            survey,
            catalogue,
            args.output,
            levels=_levels(args.quantiles),
            threads=args.threads,
            posterior=args.posterior,
            infer_redshift=args.infer_redshift,
            redshift_path=args.redshift_pdf,
            cutouts=args.cutouts,
            spectra=args.spectra,
            spectra_options=spectrum_options(args),
            priors=None if args.priors is None else _priors(args.priors),
            models=models,
            progress=progress,
            **reading_options(args),
        )
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(str(stop) or "nothing is kept yet, and the same command begins anew") from stop
    progress.finish()
    print(f"{summary.n_rows:,} sources by {model.name} in {summary.seconds:.1f} s: {args.output}")
    print_flags(summary.flags)
    print_notes(summary.notes)
    print_left_out(summary.failed)


def survey_of(
    model: bundle.Bundle,
    survey: str | None,
    passbands: str | None,
    table: tuple[str, object],
) -> surveys.Survey:
    """The survey that a catalogue is of; table : its name, and the passbands that it names itself.

    Raises RequestError where nobody says it, or it is said twice.
    """
    if survey and passbands:
        raise RequestError(f"--survey {survey} and --passbands {passbands}: give one of them")
    if passbands:
        return surveys.from_curves(passbands)
    if survey or not model.any_bands:
        return surveys.get(survey or model.survey)
    name, named = table
    if named is not None:
        if not isinstance(named, Mapping) or not all(isinstance(value, str) for value in named.values()):
            raise RequestError(f"{name}: its metadata say passbands = {named!r}; expected band: passband")
        return surveys.from_names(named, name)
    raise RequestError(
        f"{model.name} takes any bands: say whose these are, with --survey ({', '.join(surveys.names())}, or a .toml "
        "file), --passbands and a folder with their curves, or metadata of the table that names them (passbands)"
    )


def _models(model: bundle.Bundle, survey: str | None, path: str, progress: Progress) -> Callable[[], Models]:
    """What reads or makes the models that answers are checked against, once all else of the request is in order."""
    check_posteriors(model)
    if model.any_bands and not survey:
        raise RequestError(
            f"--predictive-check {path}: models are of a survey, which --survey has to name; with curves alone, write "
            "its file first: galprism survey NAME --passbands FOLDER"
        )
    place = cache_path(path, "--predictive-check")

    def models() -> Models:
        from galprism.recipes.references import models_of  # a second that no other prediction needs

        if not place.exists():
            print(f"  {place} is not there: making models of {survey or model.survey}, which takes minutes")
        found = models_of(model, survey, place)
        progress.restart()
        return found

    return models


def _levels(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError as error:
        raise RequestError(
            f"--quantiles {text!r}; accepted: numbers separated by commas, such as 0.16,0.5,0.84"
        ) from error


def _priors(text: str) -> tuple[float, ...]:
    """Shares of the classes in the order of CLASSES."""
    try:
        pairs = [(name.strip(), float(value)) for name, value in (pair.split("=") for pair in text.split(","))]
    except ValueError as error:
        raise RequestError(
            f"--priors {text!r}; accepted: a number for each class, such as star=0.2,qso=0.02,galaxy=0.78"
        ) from error
    if sorted(name for name, _ in pairs) != sorted(CLASSES):
        named = ", ".join(name for name, _ in pairs)
        raise RequestError(f"--priors {text!r} names {named}; accepted: {', '.join(CLASSES)}, each once")
    wrong = [name for name, value in pairs if not 0 <= value < np.inf]
    if wrong:
        raise RequestError(f"--priors {text!r}: the share of {wrong[0]} is no number from 0 on")
    return tuple(dict(pairs)[name] for name in CLASSES)
