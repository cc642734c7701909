"""The model for any bands on real galaxies, and what its trust columns say of them.

    GALPRISM_DATA=DIR python benchmarks/any_bands_real.py OUT [--model BUNDLE] [--n-draws 1000000]

KiDS+VIKING galaxies with nine bands and a spectroscopic redshift, against the exact posterior of the same photometry
under the model's own prior; SDSS galaxies, whose table has no errors, against published masses after one offset. Both
once more without their redshifts, which are then inferred, against the spectroscopic ones.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from any_bands import LEVELS, specialist
from galprism import bundle, surveys
from galprism.data import Predictions, Sources
from galprism.data.tables import open_table
from galprism.flags import counts
from galprism.infer import predict
from galprism.recipes import references
from real_samples import KIDS, SDSS, doubtful, with_errors

PAIRS = ((0.16, 0.84), (0.025, 0.975))


def trust(found: Predictions) -> None:
    """The distribution of the trust columns, and the flags."""
    for name, value in found.extra.items():
        levels = np.nanpercentile(value, (5, 16, 50, 84, 95, 99))
        print(f"  {name:20s} 5 to 99 %: " + "  ".join(f"{level:8.3f}" for level in levels))
    print("  flags: " + (", ".join(f"{count} {name}" for name, count in counts(found.flags).items()) or "none"))


def scatter(difference: np.ndarray) -> str:
    spread = 1.4826 * np.median(np.abs(difference - np.median(difference)))
    return f"median {np.median(difference):+.3f}, std {np.std(difference):.3f}, NMAD {spread:.3f}"


def redshifts(model: bundle.Bundle, sources: Sources) -> None:
    """Inferred redshifts against the spectroscopic ones, where the model covers these."""
    low, high = model.preparation.redshift_range
    inside = (sources.redshift > low) & (sources.redshift < high)
    z, blind = sources.redshift[inside], replace(sources.take(inside), redshift=None)
    found = predict(model, blind, LEVELS, infer_redshift=True)
    good = ~doubtful(found)
    off = (found.quantile("redshift", 0.5) - z) / (1 + z)
    cover = [(found.quantile("redshift", a) < z) & (z < found.quantile("redshift", b)) for a, b in PAIRS]
    for what, rows in (("all", np.isfinite(off)), ("unflagged", good)):
        inner, outer = (f"{np.mean(each[rows]):.1%}" for each in cover)
        print(
            f"  redshift inferred, {what}: {rows.sum()} galaxies, dz/(1+z) {scatter(off[rows])}, beyond 0.15 "
            f"{np.mean(np.abs(off[rows]) > 0.15):.1%}; 68 % and 95 % hold {inner}, {outer}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="galaxy-photometry")
    parser.add_argument("--n-draws", type=int, default=1_000_000)
    args = parser.parse_args()
    if "GALPRISM_DATA" not in os.environ:
        raise SystemExit("GALPRISM_DATA is not set: the folder with the real tables")
    folder = Path(os.environ["GALPRISM_DATA"]) / "tables"
    args.out.mkdir(parents=True, exist_ok=True)
    model = bundle.load(args.model)

    kids = surveys.get("kids")
    every = surveys.read(folder / KIDS, kids)
    sources = every.take(every.photometry.observed.all(axis=1))
    found = predict(model.bind(kids), sources, LEVELS)
    recipe = specialist("kids", args.out, [f"fit.n_draws={args.n_draws}"])
    draws = references.reference_cache(recipe, "posterior", args.out / f"real-kids-{args.n_draws}.npz")
    exact = references.fit(recipe, sources, "posterior", draws, levels=LEVELS)
    good = ~doubtful(found, exact)
    print(f"KiDS+VIKING: {len(sources)} galaxies with nine bands, {good.sum()} unflagged by both")
    for name in ("logmstar", "logsfr", "age_mw"):
        difference = (found.column(name) - exact.column(name))[good]
        print(f"  {name}: network - exact posterior, unflagged: {scatter(difference)}")
    trust(found)
    redshifts(model.bind(kids), sources)

    sdss = surveys.get("sdss")
    sources = surveys.read(folder / SDSS, sdss, columns_map={"mag_err_*": "none", "id": "none"})
    with open_table(folder / SDSS) as table:
        mass = np.asarray(table.read()["stellar_mass"], np.float64)
    published = np.where(mass > 0, mass, np.nan)
    given = with_errors(sources, sdss.flux_err(np.asarray(sources.photometry.flux, np.float64)))
    for what, asked in (("errors unknown", sources), ("errors of depths and zero points", given)):
        found = predict(model.bind(sdss), asked, LEVELS)
        good = ~doubtful(found) & np.isfinite(published)
        print(f"SDSS, {what}: {len(sources)} galaxies, {good.sum()} unflagged with a published mass")
        print(f"  log M* - published: {scatter((found.column('logmstar') - published)[good])}")
        trust(found)
    redshifts(model.bind(sdss), given)


if __name__ == "__main__":
    main()
