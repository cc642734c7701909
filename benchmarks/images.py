"""How many cutouts a second the sums of Gaussians give, checked and timed beside GalSim in the same run.

    OMP_NUM_THREADS=1 python benchmarks/images.py [--n 2048] [--repeats 5] [--json FILE]

First the two must agree on a grid of sizes, axis ratios, seeing, bulge fractions and wings of the PSF: the largest
difference of a pixel is given in units of its image's peak. Then both are timed on one core, the best of several
repeats, on 41 x 41 pixels of 0.2 arcsec of galaxies (bulge and disc) in KiDS's r: the light alone, as GalSim draws it;
with noise and masks; and with neighbours at 60 sources a square arcmin besides. GalSim keeps the Fourier transforms of
profiles that it has drawn; no two galaxies or PSFs here are the same, as in any survey.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np

from galprism import surveys
from galprism.mocks.images.cutouts import ImageConfig, take_images
from galprism.mocks.images.galsim_images import render_galsim
from galprism.mocks.images.rendering import PSF, render
from galprism.mocks.sky.members import Members, Shapes
from galprism.mocks.sky.patch import Patch
from galprism.units import njy_from_abmag
from rates import best_rate

RE = (0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0)
AXIS_RATIO = (0.15, 0.3, 0.6, 1.0)
FWHM = (0.5, 0.7, 1.0, 1.3)
BULGE = (0.0, 0.3, 1.0)
BETA = (2.5, 3.0, 4.765)
AGREE = 0.01
"""Of the peak."""
DENSITY = 60.0
"""Sources a square arcmin."""
BATCH = 512
N_GALSIM = 200


def grid(beta: float, seed: int) -> tuple[Members, PSF, np.ndarray, np.ndarray]:
    """Every combination, each at another angle, place in a pixel and shear of the PSF."""
    re, q, fwhm, bulge = np.array(list(itertools.product(RE, AXIS_RATIO, FWHM, BULGE))).T
    n, rng = len(re), np.random.default_rng(seed)
    shapes = Shapes(re, re, q, q, rng.uniform(0, np.pi, n))
    members = Members(np.zeros(n), np.zeros((n, 1)), 1e3 * bulge[:, None], 1e3 * (1 - bulge)[:, None], shapes)
    psf = PSF(fwhm[:, None], *rng.normal(0, 0.03, (2, n, 1)), beta)
    return members, psf, *rng.uniform(-0.1, 0.1, (2, n))


def galaxies(n: int, seed: int) -> Patch:
    """Magnitudes, sizes and shapes roughly as a survey to the 25th magnitude has them, all with a bulge and a disc."""
    rng = np.random.default_rng(seed)
    magnitude = 25 - np.minimum(rng.exponential(1.2, n), 7)
    flux = np.repeat(njy_from_abmag(magnitude)[:, None], len(surveys.get("kids").bands), axis=1)
    bulge = rng.uniform(0.1, 0.9, (n, 1))
    re = np.exp(rng.normal(np.log(0.4), 0.5, n)) * 10 ** (0.1 * (24 - magnitude))
    shapes = Shapes(re / 2, re, rng.uniform(0.5, 1, n), rng.uniform(0.15, 1, n), rng.uniform(0, np.pi, n))
    side = 60 * np.sqrt(n / DENSITY)
    members = Members(np.zeros(n), 0 * flux, bulge * flux, (1 - bulge) * flux, shapes)
    return Patch(np.arange(n), members, *rng.uniform(0, side, (2, n)))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=2048, help="cutouts a repeat")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    args = parser.parse_args(argv)

    off = []
    for seed, beta in enumerate(BETA):
        scene = grid(beta, seed)
        ours, theirs = render(*scene), render_galsim(*scene)
        off.append(np.abs(ours - theirs).max(axis=(1, 2, 3)) / theirs.max(axis=(1, 2, 3)))
    agreement = {"median": round(float(np.median(off)), 5), "max": round(float(np.max(off)), 5)}
    print(f"agreement with GalSim over {np.size(off)} images, of the peak: {agreement}")
    if agreement["max"] > AGREE:
        print(f"they disagree by more than {AGREE}: nothing is timed")
        return 1

    survey, config = surveys.get("kids"), ImageConfig()
    field = galaxies(args.n, 5)
    alone = Patch(field.id, field.members)
    column = survey.band_names.index("r")
    lit = (part[:, [column]] for part in (field.members.point, field.members.bulge, field.members.disc))
    members, rng = Members(field.members.redshift, *lit, shapes=field.members.shapes), np.random.default_rng(6)
    psf = PSF(0.7 * np.exp(rng.normal(0, 0.1, (args.n, 1))), *rng.normal(0, 0.02, (2, args.n, 1)), config.beta)
    x, y = rng.uniform(-0.1, 0.1, (2, args.n))
    batches = [slice(start, start + BATCH) for start in range(0, args.n, BATCH)]

    def light(draw: Callable, rows: slice) -> np.ndarray:
        return draw(members.take(rows), PSF(psf.fwhm[rows], psf.g1[rows], psf.g2[rows], psf.beta), x[rows], y[rows])

    light(render, batches[0])
    ours = best_rate(lambda: [light(render, rows) for rows in batches], args.n, args.repeats)
    few = iter(range(0, args.n - N_GALSIM + 1, N_GALSIM))  # others each time: what was drawn before is kept
    theirs = best_rate(lambda: light(render_galsim, slice(s := next(few), s + N_GALSIM)), N_GALSIM, 3)
    rates = {
        name: best_rate(
            lambda patch=patch: [take_images(patch, survey, config, seed=1, rows=rows) for rows in batches],
            args.n,
            args.repeats,
        )
        for name, patch in (("noise", alone), ("neighbours", field))
    }
    figures = {
        "light, cutouts/s": round(ours),
        "GalSim's light, cutouts/s": round(theirs),
        "ratio": round(ours / theirs, 1),
        "with noise and masks, cutouts/s": round(rates["noise"]),
        "and neighbours, cutouts/s": round(rates["neighbours"]),
        "agreement, of the peak": agreement,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in ("numpy", "galsim")}},
    }
    for name, value in figures.items():
        print(f"{name:32s} {value}")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
