"""Full-spectrum fits of simulated and of real galaxies, beside pPXF where it is installed.

    GALPRISM_DATA=DIR OMP_NUM_THREADS=1 python benchmarks/full_spectrum.py --docs docs/results [--n 24]

1. Simulated galaxies on SDSS's pixels at signal-to-noise ratios of 5 to 50 a pixel: mixtures of the 36 templates of
   MILES that are fitted, and of all of MILES's ages and metallicities, whose truth is known.
2. Galaxies of `spectra/` and `pairs/` of GALPRISM_DATA, by templates of MILES and of E-MILES.

pPXF (`pip install ppxf`, by those who accept its licence; nothing of galprism needs it) is called through
galprism.fit.ppxf_fit with the same templates, pixels, lines masked, rule of clipping, polynomial and regularisation.
Times are the processor's, in one thread. Writes
full-spectrum.md and figures/full-spectrum.png. Exit status 2 without the data.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from full_spectrum_page import write_page
from galprism.data import Sources, Spectra
from galprism.fit.full_spectrum import MARGIN, FullSpectrumConfig, FullSpectrumFits, fit_full_spectrum
from galprism.fit.kinematics import LIGHT_SPEED, Movable, blurred
from galprism.fit.ppxf_fit import fit_ppxf
from galprism.fit.spectrum_means import means
from galprism.fit.spectrum_templates import SpectrumTemplates, spectrum_templates
from galprism.sps import load_miles
from real_spectra import real_galaxies

MILES_AGES = (1.0, 1.4125, 1.9953, 2.8184, 3.9811, 5.6234, 7.9433, 11.2202, 15.8489)
MILES_METALS = (-1.732, -0.732, -0.022, 0.198)
"""[M/H] = -1.71, -0.71, 0 and 0.22 of the files, which count from 0.019."""
EMILES_AGES = (0.05, 0.09, 0.2, 0.4, 1.0, 2.0, 5.0, 9.0, 13.5)
EMILES_METALS = (-1.326, -0.726, -0.006, 0.194)
"""[M/H] = -1.26, -0.66, 0.06 and 0.26 of the files, which count from 0.0172."""
SNR = (5, 10, 20, 50)
QUANTITIES = ("mean_log_age_lw", "mean_logzsol_lw", "velocity", "dispersion")
REALISATIONS = 20
"""Of simulated galaxies; real ones have 100."""
FARTHEST = 0.4


@dataclass(frozen=True, eq=False)
class Answers:
    """What two codes say of N galaxies, and how long they took."""

    ours: dict[str, np.ndarray]
    peer: dict[str, np.ndarray] | None
    errors: dict[str, np.ndarray]
    rates: tuple[float, float, float]
    """A second of processor time: spectra without realisations, ours; our realisations; spectra, the peer's."""
    fits: FullSpectrumFits


def answers(sources: Sources, templates: SpectrumTemplates, realisations: int) -> Answers:
    config = FullSpectrumConfig(n_realisations=0)
    fit_full_spectrum(sources.take([0]), templates, config)  # what is loaded at first use is not timed
    started = time.process_time()
    fit_full_spectrum(sources, templates, config)
    once = time.process_time() - started
    fits = fit_full_spectrum(sources, templates, replace(config, n_realisations=realisations))
    more = time.process_time() - started - 2 * once
    rates = len(sources) / once, len(sources) * realisations / more
    extra = fits.predictions.extra
    ours = {name: extra[name] for name in QUANTITIES}
    errors = {name: extra[f"{name}_std"] for name in QUANTITIES}
    if find_spec("ppxf") is None:
        return Answers(ours, None, errors, (*rates, np.nan), fits)
    started = time.process_time()
    told = fit_ppxf(sources, templates, config).predictions.extra
    seconds = time.process_time() - started
    return Answers(ours, {name: told[name] for name in QUANTITIES}, errors, (*rates, len(sources) / seconds), fits)


def simulated(templates: SpectrumTemplates, like: Spectra, snr: float, n: int, seed: int) -> tuple[Sources, dict]:
    """n galaxies with the pixels and line-spread function of `like`, and the truth of QUANTITIES (n,) each.

    Light of one to four templates drawn at random; redshifts of 0.02 to 0.15, dispersions of 70 to 300 km/s, and a
    continuum bent by some 5 % by a polynomial of third degree.
    """
    rng = np.random.default_rng(seed)
    wave = like.wave
    median = np.nanmedian(like.lsf_of_each(), axis=0)
    lsf = np.interp(wave, wave[np.isfinite(median)], median[np.isfinite(median)])
    pixel = LIGHT_SPEED * templates.step
    flux, truth = np.zeros((n, len(wave))), {name: np.zeros(n) for name in QUANTITIES}
    seen, redshift = np.zeros(flux.shape, bool), rng.uniform(0.02, 0.15, n)
    for row in range(n):
        weights = np.zeros(templates.light.size)
        k = rng.integers(1, 5)
        weights[rng.choice(weights.size, k, replace=False)] = rng.dirichlet(np.ones(k))
        velocity, dispersion = rng.normal(0, 50), rng.uniform(70, 300)
        rest = np.exp(templates.log_wave)
        sigma = np.interp(rest * (1 + redshift[row]), wave, lsf) / (1 + redshift[row])
        more = np.maximum(sigma**2 - templates.lsf_sigma**2, 0) / (rest * templates.step) ** 2
        stars = blurred((weights @ templates.flux.reshape(weights.size, -1))[None], more)
        place = (np.log(wave / (1 + redshift[row])) - templates.log_wave[0]) / templates.step
        whole = int(np.floor(place[0]))
        moved = Movable.of(stars).at(velocity / pixel - (place[0] - whole), dispersion / pixel)[0]
        index = whole + np.arange(len(wave))
        seen[row] = (index >= MARGIN) & (index < len(rest) - MARGIN)
        bend = np.polynomial.legendre.legval(np.linspace(-1, 1, len(wave)), [1, *rng.normal(0, 0.05, 3)])
        flux[row] = np.where(seen[row], moved[np.clip(index, 0, len(rest) - 1)] * bend, 0)
        noise = np.median(flux[row, seen[row]]) / snr
        flux[row] = np.where(seen[row], (flux[row] + rng.normal(0, noise, len(wave))) / noise, 0)
        values = means(templates, weights.reshape(templates.light.shape))
        for name, value in (values | {"velocity": velocity, "dispersion": dispersion}).items():
            if name in truth:
                truth[name][row] = value
    spectra = Spectra(flux, seen.astype(float), wave, lsf)
    return Sources(np.arange(n), redshift=redshift, spectra=spectra), truth


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--docs", type=Path, required=True, help="the folder of the page")
    parser.add_argument("--n", type=int, default=24, help="simulated galaxies of each S/N and set")
    asked = parser.parse_args()
    if "GALPRISM_DATA" not in os.environ:
        print("GALPRISM_DATA is not set: the folder with spectra/, pairs/ and templates/", file=sys.stderr)
        return 2
    data = Path(os.environ["GALPRISM_DATA"])
    library = load_miles(data / "templates" / "miles_ssp")
    miles = spectrum_templates(library, ages=MILES_AGES, logzsol=MILES_METALS)
    emiles = spectrum_templates(load_miles(data / "templates" / "emiles_ssp"), ages=EMILES_AGES, logzsol=EMILES_METALS)
    sources = real_galaxies(data, FARTHEST)
    ratio = sources.spectra.flux * np.sqrt(sources.spectra.ivar)
    snr = np.array([np.median(r[there]) for r, there in zip(ratio, sources.spectra.observed, strict=True)])
    trials = []
    for label, drawn in (("the templates themselves", miles), ("all of MILES", spectrum_templates(library))):
        for level in SNR:
            made, truth = simulated(drawn, sources.spectra, level, asked.n, seed=len(trials))
            trials.append((label, level, truth, answers(made, miles, REALISATIONS)))
            print(label, level, trials[-1][3].rates, flush=True)
    real = {name: answers(sources, templates, 100) for name, templates in (("MILES", miles), ("E-MILES", emiles))}
    write_page(asked.docs, trials, sources, snr, real)
    return 0


if __name__ == "__main__":
    sys.exit(main())
