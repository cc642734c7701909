"""`galprism fit LIBRARY SPECTRA … -o OUT --method full-spectrum|ppxf`: ages and metallicities from spectra."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from galprism import config, flags, recipes
from galprism.cli.extras import require
from galprism.cli.folders import made
from galprism.cli.progress import Progress
from galprism.cli.reading import print_flags, print_left_out, print_notes, reading_options
from galprism.cli.spectrum_options import NAMES, add_spectrum_options, spectrum_options
from galprism.data import Sources
from galprism.data.spectrum_files import ReadSpectra
from galprism.data.tables import check_writable, write_predictions
from galprism.errors import RequestError
from galprism.infer.with_spectra import options_of_table, read_from

if TYPE_CHECKING:
    from galprism.fit.full_spectrum import FullSpectrumFits
    from galprism.fit.spectrum_templates import SpectrumTemplates

METHODS = ("full-spectrum", "ppxf")
OPTIONS = ("ages", "logzsol", "fwhm", "realisations", "figures", "any_class", *NAMES)
"""Those that are for spectra alone; none is given where they are None or False."""
NOT_FOR_SPECTRA: dict[str, Any] = {"survey": None, "cache": None, "preset": None, "without": [], "workers": 1}
"""Options of the other methods, and what they are where they are not given."""


def add_spectrum_arguments(parser: argparse.ArgumentParser) -> None:
    """The templates, how tables are to be read, errors and figures."""
    group = parser.add_argument_group("spectra (--method full-spectrum or ppxf; KEY=VALUE are its settings)")
    group.add_argument(
        "--ages", metavar="GYR,…|all", help="of the templates (default: the nearest to MMLforGalAM's nine)"
    )
    group.add_argument("--logzsol", metavar="DEX,…|all", help="their [M/H] (default: the nearest to its four)")
    group.add_argument("--fwhm", type=float, metavar="ANGSTROM", help="of the library (default: MILES's 2.51)")
    group.add_argument("--realisations", type=int, metavar="N", help="with noise added, for errors (default: 100)")
    group.add_argument("--figures", metavar="DIR", help="a figure of each fit, in this folder")
    group.add_argument("--any-class", action="store_true", help="fit what files call stars and quasars too")
    add_spectrum_options(group)


def check_not_given(args: argparse.Namespace) -> None:
    """Raises RequestError for an option of spectra with another method."""
    for name in OPTIONS:
        if getattr(args, name) not in (None, False):
            raise RequestError(
                f"--{name.replace('_', '-')} has no part in --method {args.method}; accepted with it: "
                + " or ".join(f"--method {method}" for method in METHODS)
            )


def run(args: argparse.Namespace) -> None:
    """Read, fit, write, draw, and say what was flagged."""
    for name, usual in NOT_FOR_SPECTRA.items():
        if getattr(args, name) != usual:
            raise RequestError(f"--{name} has no part in --method {args.method}, which fits spectra")
    words = [args.catalogue, *args.settings]
    settings = [word for word in words if "=" in word and not Path(word).exists()]
    paths = [word for word in words if word not in settings]
    output = check_writable(args.output)
    require("mock", "fitting spectra by stellar populations")
    from galprism.fit.spectrum_results import extra_columns

    how = _config(args, settings)
    fit = _method(args.method)
    templates = _templates(args)
    read = _read(args, paths)
    sources = _sources(args, read)
    with made(Path(args.figures)) if args.figures else nullcontext():
        print(
            f"{templates.name}: {len(templates.age)} ages from {templates.age[0]:.3g} to {templates.age[-1]:.3g} Gyr, "
            f"[M/H] of {', '.join(f'{z:.2f}' for z in templates.logzsol)}"
        )
        progress = Progress("spectra", len(sources))
        fits = fit(sources, templates, how, progress=progress)
        predictions = replace(fits.predictions, extra=fits.predictions.extra | read.told())
        write_predictions(output, predictions, extra=extra_columns())
        progress.finish()
        if args.figures:
            _draw(Path(args.figures), sources, fits, templates)
    print(f"{len(sources):,} spectra by {predictions.meta['method']}: {output}")
    print_flags(flags.counts(predictions.flags))
    print_notes(read.notes)
    print_left_out(read.failed)


def _config(args: argparse.Namespace, settings: Sequence[str]) -> Any:
    from galprism.fit.full_spectrum import FullSpectrumConfig

    values = {} if args.realisations is None else {"n_realisations": args.realisations}
    return config.fill(FullSpectrumConfig, config.override(values, settings))


def _method(method: str) -> Callable[..., FullSpectrumFits]:
    if method == "full-spectrum":
        from galprism.fit.full_spectrum import fit_full_spectrum

        return fit_full_spectrum
    from galprism.fit.ppxf_fit import fit_ppxf, installed

    installed()
    return fit_ppxf


def _templates(args: argparse.Namespace) -> SpectrumTemplates:
    from galprism.fit.spectrum_templates import MILES_FWHM, paper_grid, spectrum_templates
    from galprism.sps import load_library

    known = args.recipe in recipes.names() or args.recipe.endswith(".toml")
    library = load_library(recipes.load(args.recipe).stars[0] if known else args.recipe)
    ages, logzsol = paper_grid(library)
    return spectrum_templates(
        library,
        ages=_numbers("--ages", args.ages, ages),
        logzsol=_numbers("--logzsol", args.logzsol, logzsol),
        fwhm=MILES_FWHM if args.fwhm is None else args.fwhm,
    )


def _numbers(option: str, text: str | None, usual: list[float]) -> list[float] | None:
    """The numbers of `A,B,…`; None for all."""
    if text is None or text == "all":
        return usual if text is None else None
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or not np.isfinite(numbers).all():
        raise RequestError(f"{option} {text}; accepted: numbers with commas between them, or all")
    return numbers


def _read(args: argparse.Namespace, paths: Sequence[str]) -> ReadSpectra:
    """A folder by itself is read whole; SDSS's pixels are the grid of files that share none."""
    where = paths[0] if len(paths) == 1 else paths
    return read_from(where, **spectrum_options(args), **options_of_table(paths[0], reading_options(args)))


def _sources(args: argparse.Namespace, read: ReadSpectra) -> Sources:
    """Flagged where a galaxy is not what they are or air not what was said."""
    from galprism.prep.line_shifts import flag_air

    sources = read.sources if args.any_class else read.as_galaxies()
    return flag_air(sources)


def _draw(folder: Path, sources: Sources, fits: FullSpectrumFits, templates: SpectrumTemplates) -> None:
    """A figure of each row that was fitted, named by its id."""
    from galprism.data.rest_frame import rest_from_observed
    from galprism.evaluate.figures import slug
    from galprism.evaluate.figures.spectrum_fit import spectrum_fit

    used: Counter[str] = Counter()
    predictions, spectra = fits.predictions, fits.spectra
    assert sources.redshift is not None
    for i in np.flatnonzero(np.isfinite(fits.light[:, 0, 0])).tolist():
        ident, z = str(sources.id[i]), float(sources.redshift[i])
        name = slug(ident)
        used[name] += 1
        drawing = spectrum_fit(
            name if used[name] == 1 else f"{name}_{used[name]}",
            f"{ident}, redshift {z:.4f}, by {predictions.meta['method']} and {templates.name}",
            rest_from_observed(fits.wave, z),
            spectra.flux[i],
            spectra.ivar[i],
            fits.model[i],
            fits.used[i],
            templates.age,
            templates.logzsol,
            fits.light[i],
            fits.said(i),
        )
        (folder / f"{drawing.name}.png").write_bytes(drawing.png)
