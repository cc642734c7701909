"""How many basis spectra the model for any bands needs: what they leave out of each band of each survey.

    python benchmarks/basis.py [--sizes 12 16 20 24]

Bases are fitted to simulated galaxies of the recipe, and other galaxies are decomposed on them. Their fluxes in a
survey's bands by the basis are held against those of the forward model, where a band has more than a thirtieth of the
galaxy's median band. Printed are the rms and the 95th percentile of the difference in mag over bands, below and above
z = 1.5.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from any_bands import SURVEYS
from galprism import passbands, recipes, surveys
from galprism.mocks.simulate import galaxies_of
from galprism.prep.basis import decompose, fit_basis, flux_per_lsun
from galprism.recipes.sky import BASIS_BLOCKS, rest_spectra, sky
from galprism.sps import ForwardModel

TESTED = 9
"""The block of galaxies that the bases are tested on."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", type=int, default=[12, 16, 20, 24])
    args = parser.parse_args()
    recipe = recipes.load("galaxy-photometry")
    made = sky(recipe)
    fitted, tested = rest_spectra(made, range(BASIS_BLOCKS)), rest_spectra(made, [TESTED])
    draws = made.draw(TESTED)
    galaxies, z = galaxies_of(draws), draws.redshift
    seen = {}
    for name, where in {**SURVEYS, "sdss": "sdss"}.items():
        survey = surveys.get(Path(where) if where.endswith(".toml") else where)
        curves = [passbands.get(band.passband) for band in survey.bands]
        model = ForwardModel(made.libraries[0], curves, metallicity=recipe.population.metallicity, z_max=3.01)
        flux = model(galaxies).flux.numpy()
        bright = flux > np.median(flux, axis=1, keepdims=True) / 30
        seen[name] = survey.band_names, curves, np.where(bright, flux, np.nan)
    print(f"{'K':>3s} {'survey':12s}" + "".join(f"{h:>16s}" for h in ("z < 1.5: rms", "95 %", "z > 1.5: rms", "95 %")))
    for size in args.sizes:
        basis = fit_basis(fitted.grid, fitted.continuum, fitted.line_wave, fitted.line, size)
        scale, u = decompose(basis, tested.continuum, tested.line)
        coefficients = np.concatenate([np.ones((len(u), 1)), u], axis=1)
        for name, (bands, curves, flux) in seen.items():
            table = basis.table(bands, curves, 3.0).at(z)
            found = np.einsum("bkn,nk->nb", table, coefficients) * (scale * flux_per_lsun(z))[:, None]
            off = -2.5 * np.log10(np.abs(found / flux))
            cells = []
            for part in (off[z < 1.5], off[z >= 1.5]):
                cells += [np.sqrt(np.nanmean(part**2)), np.nanquantile(np.abs(part), 0.95)]
            print(f"{size:3d} {name:12s}" + "".join(f"{cell:16.4f}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
