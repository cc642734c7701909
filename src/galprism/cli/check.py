"""`galprism check BUNDLE CATALOGUE`: how a catalogue would be read, and what is odd in it, before anything is run."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np

from galprism import bundle, flags, passbands, surveys
from galprism.cli.predict import survey_of
from galprism.cli.reading import add_reading_arguments, print_flags, print_left_out, print_notes, reading_options
from galprism.cli.spectrum_options import add_spectrum_options, spectrum_options
from galprism.data.cutout_file import CutoutFile
from galprism.data.tables import PASSBANDS, open_table
from galprism.errors import RequestError
from galprism.infer.beside import check_blocks
from galprism.infer.offsets import FEWEST, LEAST_SN, band_offsets
from galprism.infer.redshift_predictor import NOT_OURS
from galprism.infer.with_images import is_cutout_file
from galprism.infer.with_spectra import alone, is_spectra, looked_at, options_of_table, read_from
from galprism.surveys.reading import concatenate
from galprism.units import abmag_from_njy


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The model or survey, and the catalogue."""
    parser.add_argument("bundle", help="a model by name or path; or a survey by name or .toml file")
    parser.add_argument(
        "--survey", help="whose bands they are, for a model of any bands, which then says how far each is off"
    )
    parser.add_argument("--passbands", metavar="FOLDER", help="the same by a folder with a curve for each band")
    parser.add_argument("catalogue", help="FITS, Parquet, ECSV, VOTable, CSV or HDF5; or spectra, or cutouts")
    parser.add_argument("--rows", type=int, default=200_000, help="how many rows to look at (default: 200000)")
    add_reading_arguments(parser)
    add_spectrum_options(parser.add_argument_group("reading spectra"))


def run(args: argparse.Namespace) -> None:
    """Print the understanding of the columns, then magnitudes by band, redshifts and flags."""
    if is_spectra(args.catalogue) or is_cutout_file(args.catalogue):
        return without_table(args)
    options = spectrum_options(args)
    if options:
        raise RequestError(f"{', '.join(options)}: {args.catalogue} is not of spectra, which alone are read so")
    with open_table(args.catalogue) as table:
        model, survey = meant(args, table.meta.get(PASSBANDS))
    bound = model if model is not None and model.any_bands else None
    for each in survey.bands:
        passbands.get(each.passband)  # a curve that cannot be read is odd too
    if args.rows < 1:
        raise RequestError(f"--rows {args.rows}; accepted: 1 or more")
    with open_table(args.catalogue) as table:
        layout = surveys.understood(table, survey, **reading_options(args))
        print(f"{args.catalogue}: {table.n_rows:,} rows")
    for line in layout.describe():
        print(f"  {line}")
    if model is not None and model.needs_redshift and layout.redshift is None:
        instead = ", or infer them with `predict --infer-redshift`" if model.ranking else ""
        print(f"  {model.name} needs redshifts: give their column with --column redshift=NAME{instead}")
    seen, found = 0, Counter[str]()
    magnitudes, redshifts, ids, repeated = [], [], set(), 0
    parts = []
    for sources in surveys.stream(args.catalogue, survey, 65_536, **reading_options(args)):
        sources = sources.take(slice(0, args.rows - seen))
        seen += len(sources)
        assert sources.photometry is not None
        parts += [sources] if bound is not None else []
        observed = sources.photometry.observed
        magnitudes.append(np.where(observed, abmag_from_njy(sources.photometry.flux), np.nan))
        if sources.redshift is not None:
            redshifts.append(sources.redshift)
        for ident in sources.id.tolist():
            repeated += ident in ids
            ids.add(ident)
        assert sources.flags is not None
        found.update(flags.counts(sources.flags))
        if seen >= args.rows:
            break
    if not seen:
        print("  the table is empty")
        return
    print(f"first {seen:,} rows:")
    for band, column in zip(survey.band_names, np.concatenate(magnitudes).T, strict=True):
        good = column[np.isfinite(column)]
        if len(good):
            low, middle, high = np.percentile(good, [1, 50, 99])
            print(f"  {band:<3} {len(good):>9,} positive fluxes, AB mag {low:.2f} – {high:.2f}, median {middle:.2f}")
        else:
            print(f"  {band:<3} {0:>9,} positive fluxes")
    if redshifts and np.isfinite(np.concatenate(redshifts)).any():
        low, middle, high = np.nanpercentile(np.concatenate(redshifts), [0, 50, 100])
        print(f"  redshift {low:.4f} – {high:.4f}, median {middle:.4f}")
    if bound is not None and redshifts:
        print("  medians of each band against what the others say, mag:")
        for one in band_offsets(bound, concatenate(parts, survey)):
            said = f"{one.offset:+.3f} +- {one.error:.3f}" if one.n >= FEWEST else "too few"
            print(f"  {one.band:<3} {one.n:>9,} sources with S/N of {LEAST_SN:g}: {said}")
    if repeated:
        found["DUPLICATE_ID"] += repeated
    print_flags(found)


def without_table(args: argparse.Namespace) -> None:
    """What spectra or cutouts are that stand in place of a catalogue."""
    model, _ = meant(args, None)
    path = Path(args.catalogue)
    of_spectra = is_spectra(path)
    if model is not None:
        check_blocks(model, *((None, path) if of_spectra else (path, None)))
    if not of_spectra:
        file = CutoutFile(path)
        print(f"{path}: {len(file):,} cutouts in {file.read(rows=slice(0, 0)).described()}")
        print_flags(flags.counts(file.flags))
        return
    read = read_from(path, **spectrum_options(args), **options_of_table(path, reading_options(args)))
    sources = alone(read)
    assert sources.spectra is not None
    assert sources.redshift is not None
    assert sources.flags is not None
    print(f"{path}: {len(sources):,} spectra of {sources.spectra.described()}")
    ends = None if model is None else looked_at(model)
    if model is not None and ends is not None:
        print(f"  {model.name} looks at their pixels from {ends[0]:.6g} to {ends[1]:.6g} Angstrom, observed")
    print_notes(read.notes)
    print_left_out(read.failed)
    if np.isfinite(sources.redshift).any():
        low, middle, high = np.nanpercentile(sources.redshift, [0, 50, 100])
        print(f"  redshift {low:.4f} – {high:.4f}, median {middle:.4f}")
    finds_redshifts = model is not None and model.spectroscopic is not None
    print_flags(flags.counts(sources.flags & ~np.uint32(NOT_OURS if finds_redshifts else 0)))


def meant(args: argparse.Namespace, named: object) -> tuple[bundle.Bundle | None, surveys.Survey]:
    """The model, if one is asked about, and the survey that the catalogue is of; named : as of `survey_of`."""
    name = args.bundle
    if name in surveys.names() or name.endswith(".toml"):
        if args.survey or args.passbands:
            raise RequestError(f"{name} is a survey: --survey and --passbands are for models of any bands")
        return None, surveys.get(name)
    if name not in bundle.names() and not Path(name).exists():
        raise RequestError(
            f"no model and no survey {name!r}; models: {', '.join(bundle.names())}; surveys: "
            f"{', '.join(surveys.names())}; or give a model's folder or a survey's .toml file"
        )
    model = bundle.load(name)
    survey = survey_of(model, args.survey, args.passbands, (args.catalogue, named))
    return (model.bind(survey) if model.any_bands or args.survey else model), survey
