"""Redshifts of galaxies by faint spectra, with and without their photometry: how many are right, and called sure.

    OMP_NUM_THREADS=1 python benchmarks/redshift_together.py [--n 600] [--seed 303]

Galaxies of a simulated field, r < 21.5, as many as the sky has of each, with photometry and spectra of SDSS's noise.
A redshift is right where it is within 0.005 (1 + z). Then, a second of this core's own time: spectra with photometry,
and photometry alone.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from itertools import pairwise

import numpy as np

from galprism import bundle, recipes, surveys
from galprism.data import Sources
from galprism.flags import Flag
from galprism.infer import RedshiftPredictor
from galprism.mocks import observe
from galprism.mocks.simulate import error_sample
from galprism.mocks.sky.field_config import GalaxyConfig
from galprism.mocks.sky.galaxies import FieldGalaxies
from galprism.mocks.sky.patch import Patch
from galprism.mocks.spectra.model import SpectrumModel
from galprism.mocks.spectra.noise import observe_spectra
from galprism.sps import load_bc03_miles
from spectroscopic_sample import CONFIG

MODEL = "galaxy-redshift"
EDGES = (0.5, 1.0, 1.5, 2.0, 3.0)
"""S/N of a pixel, the median from 5500 to 7000 Angstrom."""


def galaxies(n: int, seed: int) -> tuple[Sources, np.ndarray]:
    """n galaxies with spectra and photometry, and their redshifts."""
    library, survey = load_bc03_miles(), surveys.get("sdss")
    config = replace(CONFIG, sn=(0.5, 3.0))
    rng = np.random.default_rng(seed)
    members = FieldGalaxies(GalaxyConfig(redshift=(0.003, 1.0)), survey, "r", 21.5, library).patch(0.4, rng)
    rows = rng.choice(len(members.values["redshift"]), n, replace=False)
    patch = Patch(np.arange(n) + 1000 * seed, members.take(rows))
    spectra = observe_spectra(SpectrumModel(library, config)(patch, seed=seed), config, seed=seed)
    noise = recipes.load(MODEL).noise
    photometry = observe(members.flux[rows], survey, noise, rng, error_sample(noise, survey))
    return Sources(id=np.arange(n), photometry=photometry, spectra=spectra), members.values["redshift"][rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=600)
    parser.add_argument("--seed", type=int, default=303)
    args = parser.parse_args()
    sources, z = galaxies(args.n, args.seed)
    assert sources.spectra is not None
    predictor = RedshiftPredictor(bundle.load(MODEL))
    red = (sources.spectra.wave > 5500) & (sources.spectra.wave < 7000)
    sn = np.median(sources.spectra.flux[:, red] * np.sqrt(sources.spectra.ivar[:, red]), axis=1)
    print("| S/N a pixel | galaxies | | right | called galaxies | right, not flagged | of those not flagged, wrong |")
    print("|---|---:|---|---:|---:|---:|---:|")
    answers = {
        "spectrum": predictor.predict(replace(sources, photometry=None)),
        "with photometry": predictor.predict(sources),
    }
    for low, high in pairwise(EDGES):
        own = (sn >= low) & (sn < high)
        for name, found in answers.items():
            right = np.abs(found.column("redshift") - z) < 0.005 * (1 + z)
            sure = (found.flags & np.uint32(Flag.REDSHIFT_UNSURE)) == 0
            called = found.extra["class"] == "galaxy"
            print(
                f"| {low:g} to {high:g} | {own.sum()} | {name} | {right[own].mean():.1%} | {called[own].mean():.1%} | "
                f"{(right & sure)[own].mean():.1%} | {np.sum(sure & ~right & own)} of {np.sum(sure & own)} |"
            )
    alone = replace(sources, spectra=None).take(np.resize(np.arange(args.n), 20_000))
    for name, some in (("spectra with photometry", sources), ("photometry alone", alone)):
        best = 0.0
        for _ in range(3):
            start = time.process_time()
            predictor.predict(some)
            best = max(best, len(some) / (time.process_time() - start))
        print(f"{name}: {best:,.0f} a second of the processor's own time")


if __name__ == "__main__":
    main()
