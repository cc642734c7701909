"""How many galaxies a second the model for any bands infers from Parquet file to Parquet file, one core, checked first.

    python benchmarks/any_bands_speed.py [--model BUNDLE] [--n 200000] [--repeats 3]

Nine bands of KiDS+VIKING, and 56 narrow ones from 3,800 to 9,100 A, with joint uncertainties and trust columns. First
the file must give what memory gives; beside the rates stands the floor: the same rows read and written.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from predict import N_SIMULATED, best, copy, write  # keeps this process to one core, before anything else is imported

# isort: split
import numpy as np

from galprism import bundle, recipes, surveys
from galprism.data import Sources
from galprism.data.tables import read_predictions
from galprism.infer import predict, predict_file
from galprism.mocks import observe
from galprism.recipes.sky import sky
from galprism.surveys import Band, Survey

BARS = {9: 60_000, 56: 15_000}


def narrow() -> Survey:
    """56 bands: 54 of 145 A, and two broad ones."""
    bands = [Band(f"J{w:04d}", f"tophat/{w}x145", 22.5, 0.02, 2.0, 14.0, 25.5) for w in range(3800, 9200, 100)]
    broad = [Band(n, p, 23.5, 0.02, 2.0, 14.0, 25.5) for n, p in (("r", "sdss/r"), ("i", "sdss/i"))]
    return Survey("narrow", (*bands, *broad))


def galaxies(survey: Survey, n: int) -> Sources:
    """n rows of simulated galaxies with noise."""
    recipe = recipes.load("mlp-gap", ["seed=5"])
    made = sky(recipe)
    made = type(made)(recipe.population, survey, made.libraries[0], seed=5)
    blocks = [block.sources for block in made.blocks(N_SIMULATED)]
    flux = np.concatenate([block.photometry.flux for block in blocks])
    redshift = np.concatenate([block.redshift for block in blocks])
    rows = np.arange(n) % N_SIMULATED
    photometry = observe(flux[rows], survey, recipe.noise, np.random.default_rng(1))
    return Sources(id=np.arange(n), redshift=redshift[rows].astype("f4").astype(float), photometry=photometry)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="galaxy-photometry")
    parser.add_argument("--n", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    model = bundle.load(args.model)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for survey in (surveys.get("kids"), narrow()):
            sources = galaxies(survey, args.n)
            path, out = write(folder / "in.parquet", sources), folder / "out.parquet"
            predict_file(model, survey, path, out)
            found, expected = read_predictions(out), predict(model.bind(survey), sources)
            worst = float(np.nanmax(np.abs(found.point - expected.point)))
            assert np.array_equal(found.id, expected.id)
            assert worst < 1e-2, worst
            floor, _ = best(lambda path=path: copy(path, folder / "copy.parquet"), args.repeats)
            wall, cpu = best(lambda s=survey, p=path, o=out: predict_file(model, s, p, o), args.repeats)
            bands = len(survey.bands)
            print(f"{bands} bands: {args.n:,} galaxies; file against memory at most {worst:.1e}")
            print(
                f"  file to file {args.n / wall:,.0f}/s ({args.n / cpu:,.0f}/s of processor time); bar {BARS[bands]:,}"
            )
            print(f"  floor, read and write {args.n / floor:,.0f} rows/s; ratio {floor / wall:.3f}")


if __name__ == "__main__":
    main()
