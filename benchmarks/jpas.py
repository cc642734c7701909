"""J-PAS: how fast simple populations get their photometry, and how many sources a second are inferred, on one core.

    python benchmarks/jpas.py [--models jpas-populations jpas-galaxies] [--n 200000] [--repeats 3]

As many mocks as the paper's E-MILES spectra at 13 noise levels, 57 bands each, which must be those of the same spectra
asked for one by one; then from Parquet file to Parquet file, which must be what memory gives, with joint uncertainties.
Beside that rate stands the floor: the same rows read and written.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from predict import best, copy, write  # keeps this process to one core, before anything else is imported

# isort: split
import numpy as np

from galprism import bundle, recipes, surveys
from galprism.data import Sources
from galprism.data.tables import read_predictions
from galprism.infer import predict, predict_file
from galprism.mocks import observe
from galprism.mocks.simulate import galaxies_of
from galprism.recipes.recipe import Recipe
from galprism.recipes.sky import sky
from galprism.surveys.reading import concatenate

N_MOCKS = 26_622 * 13
BARS = {"mocks": 20.0, "jpas-populations": 100_000}
N_SIMULATED = 40_000
FIRST_BLOCK = 30_000


def simulated(recipe: Recipe, n: int) -> Sources:
    """n rows of the recipe's galaxies as it measures them."""
    made = sky(recipe)
    parts = [block.sources for block in made.blocks(min(n, N_SIMULATED), FIRST_BLOCK * 4096)]
    whole = concatenate(parts, made.survey)
    rows = np.arange(n) % len(whole)
    flux = whole.photometry.flux[rows]
    photometry = observe(flux, made.survey, recipe.noise, np.random.default_rng(1))
    return Sources(id=np.arange(n), redshift=whole.redshift[rows].astype("f4").astype(float), photometry=photometry)


def time_mocks() -> None:
    """Of the paper's recipe."""
    recipe = recipes.load("jpas-ssp")
    made = sky(recipe)
    block, draws = made.block(3), made.draw(3)
    for row in (0, 11, 1234):
        one = made.model(galaxies_of(draws).take(slice(row, row + 1))).flux.numpy()[0]
        seen = block.sources.photometry.flux[row]
        assert np.allclose(seen / seen.sum(), one / one.sum(), rtol=1e-4)
    start = time.perf_counter()
    rng, n = np.random.default_rng(0), 0
    for part in made.blocks(N_MOCKS):
        n += len(observe(part.sources.photometry.flux, made.survey, recipe.noise, rng).flux)
    seconds = time.perf_counter() - start
    assert n == N_MOCKS
    print(f"{n:,} mocks of 57 bands with noise: {seconds:.1f} s, {n / seconds:,.0f}/s; bar {BARS['mocks']:g} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["jpas-populations", "jpas-galaxies"])
    parser.add_argument("--n", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    time_mocks()
    survey = surveys.get("jpas")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path_or_name in args.models:
            model = bundle.load(path_or_name)
            sources = simulated(recipes.load(model.recipe_name), args.n)
            path, out = write(folder / "in.parquet", sources), folder / "out.parquet"
            predict_file(model, survey, path, out)
            found, expected = read_predictions(out), predict(model, sources)
            worst = float(np.nanmax(np.abs(found.point - expected.point)))
            assert np.array_equal(found.id, expected.id)
            assert worst < 1e-2, worst
            floor, _ = best(lambda path=path: copy(path, folder / "copy.parquet"), args.repeats)
            wall, cpu = best(lambda m=model, p=path, o=out: predict_file(m, survey, p, o), args.repeats)
            bar = f"; bar {BARS[model.name]:,}" if model.name in BARS else ""
            print(f"{model.name}: {args.n:,} sources; file against memory at most {worst:.1e}")
            print(f"  file to file {args.n / wall:,.0f}/s ({args.n / cpu:,.0f}/s of processor time){bar}")
            print(f"  floor, read and write {args.n / floor:,.0f} rows/s; ratio {floor / wall:.3f}")


if __name__ == "__main__":
    main()
