"""Four real pairs of a spectrum and a picture, from files to answers: the published networks, ours, and a fit.

    GALPRISM_DATA=DIR OMP_NUM_THREADS=1 python benchmarks/real_pairs.py BUNDLES --docs docs/results

BUNDLES is `bundles` of a folder of `galprism reproduce mmlforgalam`: networks that have seen simulated galaxies alone.
The pairs are `pairs/` of GALPRISM_DATA, of the sample of MMLforGalAM's authors: spectra of SDSS and pictures of the
same galaxies, named by their positions, which have been masked, cropped and stretched already. A picture belongs to the
spectrum within 2 arcsec of it. Writes real-pairs.md, figures/real-pairs-stages.png and a figure of each fit. Exit
status 2 without the data, 1 where a pair is not one.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np

from galprism import bundle
from galprism.data import Cutouts, Predictions, Sources
from galprism.data.pairs import FARTHEST, separation
from galprism.data.pictures import levels_of, read_jpegs
from galprism.data.spectrum_files import read_spectra
from galprism.data.spectrum_noise import signal_to_noise
from galprism.data.three_colour import SDSS_PIXEL
from galprism.evaluate.figures.pictures import PictureRow, picture_stages
from galprism.evaluate.figures.spectrum_fit import spectrum_fit
from galprism.evaluate.tables import Table, number
from galprism.fit.full_spectrum import FullSpectrumConfig, FullSpectrumFits, fit_full_spectrum
from galprism.fit.spectrum_templates import SpectrumTemplates, paper_grid, spectrum_templates
from galprism.infer import predict
from galprism.prep.pictures import PictureConfig, stages_of
from galprism.sps import load_library

NAMES = ("mean_log_age_lw", "mean_logzsol_lw")
NETWORKS = {
    "M1: spectrum": "mmlforgalam-spectra",
    "MMLforGalAM: picture": "mmlforgalam",
    "MMLforGalAM: spectrum + picture": "mmlforgalam-both",
    "ours: spectrum": "galaxy-populations",
}
"""Bundles by what is told of them. Ours takes images in fluxes, which pictures are not."""
FIT = "full-spectrum fit"


def read_pairs(folder: Path) -> Sources:
    """The spectra with the pictures of the same galaxies. Exits where a spectrum has none."""
    read = read_spectra(sorted(folder.glob("spec-*.fits")))
    sources, files = read.sources, sorted(folder.glob("*.jpg"))
    positions = np.array([[float(part) for part in file.stem.split("_")] for file in files])
    assert sources.ra is not None
    assert sources.dec is not None
    apart = separation(sources.ra[:, None], sources.dec[:, None], positions[:, 0], positions[:, 1])
    nearest = apart.argmin(axis=1)
    if not np.all(apart[np.arange(len(sources)), nearest] < FARTHEST):
        print(f"{folder}: a spectrum has no picture within {FARTHEST:g} arcsec")
        sys.exit(1)
    return replace(sources, cutouts=read_jpegs([files[k] for k in nearest], SDSS_PIXEL))


def stages(cutouts: Cutouts, ids: np.ndarray, size: int) -> bytes:
    """The figure of every stage of the pictures' preparation."""
    rows = []
    for name, picture in zip(ids, levels_of(cutouts), strict=True):
        at = stages_of(picture, PictureConfig(size=size))
        ellipse = None if at.ellipse is None else astuple(at.ellipse)
        prepared = None if at.prepared is None else np.moveaxis(at.prepared, 0, -1)
        seen = (picture, at.grey, at.threshold, at.part, ellipse, at.masked, at.sources, prepared)
        rows.append(PictureRow(str(name), at.reason, *seen))
    return picture_stages("stages", "The preparation of four real pictures", rows).png


def fit_figures(fits: FullSpectrumFits, sources: Sources, templates: SpectrumTemplates) -> dict[str, bytes]:
    """One of each fit."""
    assert sources.redshift is not None
    found = {}
    for row, ident in enumerate(np.asarray(sources.id)):
        spectra, z = fits.spectra, float(sources.redshift[row])
        seen = (fits.wave / (1 + z), spectra.flux[row], spectra.ivar[row], fits.model[row], fits.used[row])
        shares = (templates.age, templates.logzsol, fits.light[row])
        name = f"real-pairs-fit-{ident}"
        found[name] = spectrum_fit(name, f"{ident}, z = {z:.4f}", *seen, *shares, fits.said(row)).png
    return found


def said(found: Predictions, row: int, name: str) -> str:
    """One answer, with its error where it has one."""
    column = found.extra[name] if name in found.extra else found.column(name)
    value = float(column[row])
    if not np.isfinite(value):
        return "–"
    if f"{name}_std" in found.extra:
        return f"{value:.2f} ± {float(found.extra[f'{name}_std'][row]):.2f}"
    if found.quantiles is not None:
        low, high = (float(found.quantile(name, level)[row]) for level in (0.16, 0.84))
        return f"{value:.2f} ({low:.2f} to {high:.2f})"
    return f"{value:.2f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", type=Path, help="`bundles` of a folder of `galprism reproduce mmlforgalam`")
    parser.add_argument("--docs", type=Path, default=Path("docs/results"))
    args = parser.parse_args()
    data = os.environ.get("GALPRISM_DATA")
    if not data:
        print("GALPRISM_DATA is not set: the folder with pairs/ of four real galaxies")
        return 2
    sources = read_pairs(Path(data) / "pairs")
    assert sources.cutouts is not None
    assert sources.spectra is not None
    models = {method: bundle.load(args.bundles / name) for method, name in NETWORKS.items()}
    answers = {
        method: predict(model, sources if "cutouts" not in blocked(method) else replace(sources, cutouts=None))
        for method, model in models.items()
    }
    ages, logzsol = paper_grid(library := load_library("bc03-miles"))
    templates = spectrum_templates(library, ages=ages, logzsol=logzsol)
    fits = fit_full_spectrum(sources, templates, FullSpectrumConfig(n_realisations=100))
    answers[FIT] = fits.predictions
    size = models["MMLforGalAM: picture"].recipe["staged"]["seen"]["size"]
    figures = {"real-pairs-stages": stages(sources.cutouts, np.asarray(sources.id), size)}
    figures |= fit_figures(fits, sources, templates)
    (args.docs / "figures").mkdir(parents=True, exist_ok=True)
    for name, png in figures.items():
        (args.docs / "figures" / f"{name}.png").write_bytes(png)
    rows = []
    sn = signal_to_noise(sources.spectra, per="pixel")
    for row, ident in enumerate(np.asarray(sources.id)):
        for method, found in answers.items():
            told = [said(found, row, name) for name in NAMES]
            rows.append((str(ident), number(float(sources.redshift[row]), 4), number(float(sn[row]), 1), method, *told))
    head = ("spectrum", "z", "S/N", "method", "log age", "[M/H]")
    table = Table(head, tuple(rows), "Ages are means of log10 of years, both of the light at 5500 A in the fibre")
    pictures = "\n\n".join(f"![{name}](figures/{name}.png)" for name in figures)
    passes = models["MMLforGalAM: picture"].recipe["staged"]["epochs"]
    (args.docs / "real-pairs.md").write_text(
        "# Four real pairs of a spectrum and a picture\n\n"
        "Made by `GALPRISM_DATA=DIR python benchmarks/real_pairs.py BUNDLES --docs docs/results`, BUNDLES those of "
        "`galprism reproduce mmlforgalam -o DIR`. The galaxies are of the sample of MMLforGalAM's authors, who have "
        "masked, cropped and stretched the pictures. All networks have seen simulated galaxies alone, the published "
        f"ones in {', '.join(map(str, passes))} passes with pictures of {size} pixels. The fit is ours, of "
        "BC03-MILES's populations nearest to the paper's 36, with 100 realisations.\n\n"
        f"{table.markdown()}\n\n{pictures}\n"
    )
    print(table.text())
    return 0


def blocked(method: str) -> tuple[str, ...]:
    """What a method is not shown."""
    return ("cutouts",) if method.startswith(("M1", "ours")) else ()


if __name__ == "__main__":
    sys.exit(main())
