"""The noise of SDSS's spectra, learned from real ones: writes src/galprism/mocks/spectra/tables/sdss_noise.csv anew.

    GALPRISM_DATA=DIR python benchmarks/spectrum_noise.py [--write]

1. Of the spectra of BOSS in `spectra/` of GALPRISM_DATA the stated variance of each pixel is a straight line in the
   flux: what the sky and the detector give, and so much for each unit of the source's own light. Both are medians
   over the spectra, the second smoothed over a few pixels.
2. How much real residuals scatter beyond their stated errors: the spread over all spectra of (flux - model) / error,
   the survey's own model, after its running median is taken away, relative to 1 and never below.
3. The line-spread function: the median of wdisp.

Then it says how well the table stands: the stated errors of BOSS's and of SDSS's spectra, each over what the table
gives for its flux, by wavelength, and how they scatter from one spectrum to the next.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
from astropy.io import fits
from scipy.ndimage import median_filter, uniform_filter1d

from galprism.mocks.spectra import instrument

FIRST, LAST = 35526, 40145
"""Pixels of the grid, log10 wavelength = 1e-4 k: 3570 to 10,340 Angstrom, the 4,620 of a whole spectrum of BOSS."""
SMOOTH = 41
"""Pixels, of the running median of what the source's own photons add: it is smooth but for the air's bands, and lines
of the sky, which differ from one fibre to the next, would spoil it."""
CONTINUUM = 101
"""Pixels, of the running median of residuals."""
LEAST_SN = 0.3
RANGES = (3569, 3700, 3800, 4200, 5000, 6000, 7000, 8000, 9200, 9800, 10340)
"""Angstrom."""
HEAD = """# The noise of spectra of BOSS: made by benchmarks/spectrum_noise.py of {n} spectra, {names}.
# A row a pixel, log10 of the vacuum wavelength in Angstrom = 1e-4 k, from k = {first} on.
# sky: 1e-17 erg/s/cm2/A, standard deviation without a source, fibre of 2 arcsec, about an hour of exposure; photons:
# variance per unit of the source's flux; excess: scatter of real residuals over stated errors; lsf: pixels.
"""


def read(path: Path) -> dict[str, np.ndarray]:
    """Columns of one file on the pixels FIRST to LAST, NaN where it has none, or no data."""
    with fits.open(path) as file:
        pixels = file[1].data
        k = np.rint(np.asarray(pixels["loglam"], float) * 1e4).astype(int)
        inside = (k >= FIRST) & (k <= LAST)
        found = {}
        for name in ("flux", "ivar", "sky", "model", "wdisp"):
            column = np.full(LAST - FIRST + 1, np.nan)
            column[k[inside] - FIRST] = pixels[name][inside]
            found[name] = column
    good = found["ivar"] > 0
    return {name: np.where(good, column, np.nan) for name, column in found.items()}


def stacked(spectra: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """(N, L) each, with `variance`, and `smooth`, the flux without its noise."""
    table = {name: np.array([one[name] for one in spectra]) for name in spectra[0]}
    table["variance"] = 1.0 / table["ivar"]
    return table | {"smooth": np.maximum(table["model"], 0.0)}


def line(variance: np.ndarray, flux: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(L,) each, of variance = first + second * flux over spectra (N, L), errors relative to the variance; the second
    is smoothed, and the first then is the median of what is left."""
    weight = np.where(np.isfinite(variance * flux), 1.0 / variance**2, 0.0)
    for _ in range(4):
        v, f = np.nan_to_num(variance), np.nan_to_num(flux)
        s, sf, sff = (np.sum(weight * f**p, axis=0) for p in range(3))
        sv, sfv = np.sum(weight * v, axis=0), np.sum(weight * f * v, axis=0)
        second = (s * sfv - sf * sv) / (s * sff - sf**2)
        first = (sv - second * sf) / s
        off = np.abs(variance / (first + second * flux) - 1.0)
        weight = np.where(off < 4.0 * np.nanmedian(off, axis=0), 1.0 / variance**2, 0.0)
    second = np.maximum(median_filter(second, SMOOTH, mode="nearest"), 1e-4)
    return np.nanmedian(variance - second * flux, axis=0), second


def excess(table: dict[str, np.ndarray]) -> np.ndarray:
    """(L,), 1 or more."""
    residual = np.nan_to_num((table["flux"] - table["model"]) * np.sqrt(table["ivar"]))
    residual -= median_filter(residual, (1, CONTINUUM), mode="nearest")
    residual[~np.isfinite(table["ivar"])] = np.nan
    quarter, three = np.nanpercentile(residual, [25, 75], axis=0)
    spread = uniform_filter1d(((three - quarter) / 1.349) ** 2, 3, mode="nearest")
    return np.maximum(np.sqrt(spread), 1.0)


def ratio_by_wave(table: dict[str, np.ndarray], fibre: float) -> np.ndarray:
    """(N, L): stated errors over those of the package's table for the same flux."""
    known = instrument.sdss()
    area = (fibre / instrument.FIBRE) ** 2
    return np.sqrt(table["variance"] / (known.sky**2 * area + known.photons * table["smooth"]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--write", action="store_true", help="write the table; without it the one that is there is told of"
    )
    asked = parser.parse_args()
    if "GALPRISM_DATA" not in os.environ:
        print("GALPRISM_DATA is not set: the folder with spectra/ and pairs/", file=sys.stderr)
        return 2
    data = Path(os.environ["GALPRISM_DATA"])
    with open(data / "spectra" / "index.csv") as file:
        rows = [row for row in csv.DictReader(file) if float(row["sn_median"]) > LEAST_SN]
    boss_rows = [row for row in rows if int(row["file"].split("-")[1]) >= 3510]
    boss = stacked([read(data / "spectra" / row["file"]) for row in boss_rows])
    old = [data / "spectra" / row["file"] for row in rows if row not in boss_rows]
    sdss = stacked([read(path) for path in [*old, *sorted((data / "pairs").glob("spec-*.fits"))]])
    if asked.write:
        first, second = line(boss["variance"], boss["smooth"])
        lsf = median_filter(np.nanmedian(np.concatenate([boss["wdisp"], sdss["wdisp"]]), axis=0), 31, mode="nearest")
        columns = (np.sqrt(first), second, excess(boss), lsf)
        names = f"plates {', '.join(sorted({row['file'].split('-')[1] for row in boss_rows}))}"
        with open(instrument.TABLE, "w") as file:
            file.write(HEAD.format(n=len(boss_rows), names=names, first=FIRST) + "sky,photons,excess,lsf\n")
            file.writelines(f"{a:.3g},{b:.3g},{c:.3g},{d:.3g}\n" for a, b, c, d in zip(*columns, strict=True))
        instrument.sdss.cache_clear()
        print(f"{instrument.TABLE}: {instrument.TABLE.stat().st_size / 1e3:.0f} kB")
    wave = instrument.sdss().wave
    for label, table, fibre in (("BOSS", boss, 2.0), ("SDSS", sdss, 3.0)):
        ratio = ratio_by_wave(table, fibre)
        each = np.nanmedian(ratio, axis=1)
        shape = ratio / each[:, None]
        print(
            f"{label}, {len(each)} spectra: errors over the table's {np.median(each):.3f}, "
            f"scatter {np.std(np.log10(each)):.3f} dex"
        )
        for low, high in pairwise(RANGES):
            inside = (wave >= low) & (wave < high)
            if not np.isfinite(shape[:, inside]).any():
                continue
            some = shape[:, inside]
            spread = 0.5 * np.diff(np.nanpercentile(some, [16, 84]))[0]
            least = int(np.isfinite(some).sum(axis=0).min())
            print(f"  {low}-{high} A: {np.nanmedian(some):.3f} +- {spread:.3f}, {least} spectra or more")
    return 0


if __name__ == "__main__":
    sys.exit(main())
