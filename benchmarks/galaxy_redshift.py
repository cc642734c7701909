"""Redshifts of SDSS galaxies from photometry, images or both, beside the exact posterior of the photometry.

    OMP_NUM_THREADS=1 python benchmarks/galaxy_redshift.py docs/results --work FOLDER [--model BUNDLE] [--folds FOLDER]

FOLDER is that of `galprism train galaxy-redshift --work`, whose test set is asked, and keeps the exact posteriors; what
is not there is simulated. Where GALPRISM_DATA is set, galaxies of SDSS's main sample and the 18,000 of BOSS in its
`tables/` are asked too, the latter beside `sdss-redshift` on the folds that benchmarks/sdss_redshift.py keeps in
`--folds` (its `WORK/network-…`).

Checks that quantiles, PIT and densities are of one posterior before anything is told. Writes galaxy-redshift.md and
figures/galaxy-redshift*.png.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from galaxy_redshift_page import Speed, write_page
from galaxy_redshift_samples import LEVELS, NAME, SEEN, by_network, main_sample, mocks, real, shown, test_galaxies
from galprism import bundle, recipes
from galprism.data import Sources
from galprism.infer import Predictor
from rates import best_rate, fastest_peak

TIMED = {"photometry": 8192, "photometry and image": 1024}
"""Galaxies, by what is seen of them."""


def check(predictor: Predictor, sources: Sources, true: np.ndarray) -> None:
    """Raises AssertionError where quantiles, PIT and density are not of one posterior, or of nothing."""
    said, density = by_network(predictor, [sources], true), predictor.redshifts(sources)
    assert np.isfinite(said.quantiles).all(), "some galaxies have no answer"
    cell = 0.002 * (1 + said.quantiles)
    for k, level in enumerate(LEVELS):
        assert np.all(np.abs(density.quantile(level) - said.quantiles[:, k]) < cell[:, k]), level
    assert np.all(np.abs(density.mean - said.mean) < 0.002 * (1 + said.mean))
    inside = (said.pit > 0.16) == (true > said.quantiles[:, 1])
    assert inside.mean() > 0.995, "the PIT is not that of the quantiles"


def speed(predictor: Predictor, sources: Sources) -> Speed:
    """Galaxies a second of one core's processor time, in memory, from fluxes to three quantiles, and of its parts."""
    rate: dict[str, tuple[float, float, float]] = {}
    for what, n in TIMED.items():
        some = shown(replace(sources, redshift=None), SEEN[what])
        some = some.take(np.arange(n) % len(some))
        some = replace(some, id=np.arange(n))
        inputs = predictor.bundle.preparation.features(some).inputs
        calls = (
            lambda s=some: predictor.predict(s, (0.16, 0.5, 0.84)),
            lambda s=some: predictor.bundle.preparation.features(s),
            lambda x=inputs: predictor._session.run(x, (0.16, 0.5, 0.84)),
        )
        whole, prepared, network = (best_rate(call, n, 3, time.process_time) for call in calls)
        rate[what] = whole, prepared, network
    return Speed(rate, fastest_peak())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of the page")
    parser.add_argument("--work", type=Path, required=True, help="folder of the training")
    parser.add_argument("--kept", type=Path, help="folder of the exact posteriors; that of the training by default")
    parser.add_argument("--model", default=NAME)
    parser.add_argument("--folds", type=Path, help="of sdss-redshift")
    parser.add_argument("--exact", type=int, default=320, help="galaxies that the exact posterior is made for")
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = bundle.load(args.model)
    predictor, recipe = Predictor(model), recipes.load(NAME)
    keep = args.kept or args.work
    chunks, true, magnitude = test_galaxies(recipe, args.work)
    for blocks in SEEN.values():
        check(predictor, shown(replace(chunks[0], redshift=None), blocks), true[: len(chunks[0])])
    print("quantiles, PIT and densities agree", flush=True)
    simulated = mocks(predictor, recipe, (chunks, true, magnitude), keep, args.exact, args.workers)
    data = os.environ.get("GALPRISM_DATA")
    if not data:
        print("GALPRISM_DATA is not set: no real galaxies are looked at")
    seen = real(predictor, Path(data), keep, args.folds) if data else None
    main = main_sample(predictor, Path(data)) if data else None
    write_page(args.out, model, simulated, seen, main, speed(predictor, chunks[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
