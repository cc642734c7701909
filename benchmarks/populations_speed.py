"""How many galaxies a second `galaxy-populations` answers in memory on one core, from fluxes, images and spectra to
quantiles, and what of that is preparation; and how fast pictures and spectra are prepared for the published networks.

    OMP_NUM_THREADS=1 python benchmarks/populations_speed.py FOLDER [-n 1024] [--repeats 5]

The galaxies are simulated into FOLDER where they are not there yet (minutes). The answers' scatter about the truth is
held against what the documents say before anything is timed. Rates are by the processor's clock and by the wall's.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from galprism import bundle
from galprism.data import Sources
from galprism.infer import Predictor
from galprism.prep import observed_spectra
from galprism.prep.pictures import prepare_pictures
from galprism.recipes.mmlforgalam import SEEN, shown
from galprism.recipes.pairs import Pairs, measure_of, pairs
from galprism.recipes.recipe import load
from rates import best_rate, fastest_peak

SETTINGS = ("field.limit=19", "field.area=0.05")
"""Few neighbours, which takes minutes less."""
WORST = {"ours: image": 0.35, "ours: spectra": 0.06, "ours: all": 0.06}
"""dex: the scatter of age that is right, with room for so few galaxies."""
NAME = "galaxy-populations"


def checked(known: Pairs, sources: Sources, predictor: Predictor) -> bool:
    """The answers are right."""
    true, fine = known.column("mean_log_age_lw")[: len(sources)], True
    for method, worst in WORST.items():
        found = predictor.predict(shown(sources, SEEN[method]), (0.16, 0.84))
        sd = float(np.nanstd(found.column("mean_log_age_lw") - true))
        print(f"{method}: scatter of age {sd:.3f} dex")
        fine &= sd < worst
    return fine


def told(name: str, work: Callable[[], object], count: int, repeats: int) -> None:
    """A rate by both clocks."""
    own, wall = (best_rate(work, count, repeats, clock) for clock in (time.process_time, time.perf_counter))
    print(f"{name:60} {own:9,.0f} {wall:9,.0f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the galaxies are kept")
    parser.add_argument("-n", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    recipe = load(NAME, SETTINGS)
    known = pairs(recipe, args.folder, args.n)
    sources = measure_of(recipe, known)(np.arange(args.n), np.random.default_rng(1))
    model = bundle.load(NAME)
    predictor = Predictor(model)
    if not checked(known, sources, predictor):
        print("the answers are not right: nothing is timed")
        return 1
    print(f"fastest float32 matrix product of this core: {fastest_peak():.0f} GFLOP/s")
    print(f"{'a second, by the clock of':60} {'processor':>9} {'wall':>9}")
    for method, blocks in SEEN.items():
        some = shown(sources, blocks)
        told(
            f"{method}, with preparation", lambda s=some: predictor.predict(s, (0.16, 0.5, 0.84)), args.n, args.repeats
        )
        told(f"{method}, preparation alone", lambda s=some: model.preparation.features(s), args.n, args.repeats)
    spectra, z = sources.spectra, sources.redshift
    assert spectra is not None
    flux = np.asarray(spectra.flux)
    told(
        "spectra as the paper prepares them",
        lambda: observed_spectra.prepare(replace(spectra, flux=flux), z, np.zeros(args.n)),
        args.n,
        args.repeats,
    )
    few = min(args.n, 128)
    pictures = np.asarray(known.pictures[:few])
    told("pictures as the paper prepares them, blends told", lambda: prepare_pictures(pictures), few, args.repeats)
    return 0


if __name__ == "__main__":
    sys.exit(main())
