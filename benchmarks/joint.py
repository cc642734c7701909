"""Posteriors joint with the redshift, as bytes keep them: how near the table's quantiles, and what they cost.

    python benchmarks/joint.py [--model BUNDLE] [--n 2000] [--repeats 4]

Simulated KiDS galaxies that ship, without their redshifts. Of each parameter: how far quantiles read from the bytes are
from the columns of the same table, in units of half the width from 16 to 84 %, and how far the probability below these
columns is from their level; the shares of true values inside the 68 and 95 % intervals of both; and the time of a
source with and without the bytes, of the processor, the least of some repeats.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from predict import best  # keeps this process to one core, before anything else is imported

# isort: split
import numpy as np

from galprism import bundle, surveys
from galprism.data.tables import read_truth
from galprism.infer import Posteriors, Predictor
from galprism.infer.stored import COLUMN
from galprism.recipes.demo import CATALOGUE, FOLDER

LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="galaxy-photometry")
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=4)
    args = parser.parse_args()
    kids, path = surveys.get("kids"), str(FOLDER / CATALOGUE)
    sources, truth = surveys.read(path, kids).take(slice(0, args.n)), read_truth(path)
    predictor, blind = Predictor(bundle.load(args.model).bind(kids)), replace(sources, redshift=None)
    found = predictor.predict(blind, LEVELS, posterior=True, infer_redshift=True)
    joint = Posteriors.unpack(found.extra[COLUMN], found.point.astype(float), found.meta[COLUMN])
    print(f"{len(sources):,} galaxies; {found.extra[COLUMN].shape[1]} bytes each for {', '.join(joint.names)}")
    print("levels " + " ".join(f"{level:.1%}" for level in LEVELS))
    for name in joint.names:
        width = 0.5 * (found.quantile(name, 0.84) - found.quantile(name, 0.16))
        columns = np.array([found.quantile(name, level) for level in LEVELS])
        kept = np.array([joint.quantile(name, level) for level in LEVELS])
        probability = np.array([joint.below(name, column) for column in columns]) - np.array(LEVELS)[:, None]
        print(name)
        for what, off in (("sigma", np.abs(kept - columns) / width), ("probability", np.abs(probability))):
            for which, value in (("half", np.nanmedian(off, axis=1)), ("98 %", np.nanquantile(off, 0.98, axis=1))):
                print(f"  {what:12s}{which} within " + " ".join(f"{each:7.4f}" for each in value))
            print(f"  {what:12s}the worst   " + " ".join(f"{each:7.4f}" for each in np.nanmax(off, axis=1)))
        true = sources.redshift if name == "redshift" else truth.column(name)[: len(sources)]
        inside = [[np.mean((q[i] < true) & (true < q[-1 - i])) for i in (1, 0)] for q in (kept, columns)]
        print("  truth inside 68 and 95 %: kept {:.1%} {:.1%}, columns {:.1%} {:.1%}".format(*inside[0], *inside[1]))
    for posterior in (False, True):
        _, cpu = best(
            lambda posterior=posterior: predictor.predict(blind, posterior=posterior, infer_redshift=True), args.repeats
        )
        how = "with" if posterior else "without"
        print(f"{1e3 * cpu / len(sources):.2f} ms of processor time a source {how} the bytes")


if __name__ == "__main__":
    main()
