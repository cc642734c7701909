"""Simulated spectra: right, how many a second, and beside real ones of SDSS.

    OMP_NUM_THREADS=1 GALPRISM_DATA=DIR python benchmarks/spectra.py [--n 2048] [--figure FILE.png]

1. The answer: synthetic photometry of spectra in a fibre that takes all light against the forward model's, and the
   scatter of the noise over what is stated, with nothing hidden. Off by more than 1 per cent, and nothing is timed.
2. Spectra a second of one core by its own clock, without and with noise, and what part of the core's matrix-product
   peak the products are; then of two processes at once, by the processors' clock and by the wall's.
3. Where GALPRISM_DATA is set: breaks, absorption and emission lines and errors of a magnitude-limited field beside the
   galaxies of `spectra/` and `pairs/`, in a figure.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch

from galprism import passbands, surveys
from galprism.data import Spectra
from galprism.data.spectrum_noise import signal_to_noise
from galprism.evaluate.figures.style import CYCLE, INK, new_figure, note, png, styled
from galprism.mocks.sky.field_config import GalaxyConfig
from galprism.mocks.sky.galaxies import FieldGalaxies
from galprism.mocks.sky.patch import Patch
from galprism.mocks.spectra.config import SpectrumConfig
from galprism.mocks.spectra.instrument import pixel_widths
from galprism.mocks.spectra.model import SimulatedSpectra, SpectrumModel
from galprism.mocks.spectra.noise import observe_spectra
from galprism.sps import load_bc03_miles
from galprism.units import LIGHT_SPEED_ANGSTROM_PER_S
from rates import fastest_peak
from real_spectra import real_galaxies

LIMIT = 17.77
"""r, of SDSS's main sample of galaxies (Strauss et al. 2002, AJ 124, 1810)."""
FARTHEST = 0.3
AGREE = 0.01
CLEAR = 10.0
"""S/N of the real spectra that are shown."""
BREAK = ((3850.0, 3950.0), (4000.0, 4100.0))
"""Angstrom in air, of D_n(4000) (Balogh et al. 1999, ApJ 527, 54)."""
LINES = {
    "Hdelta_A": ((4083.5, 4122.25), (4041.6, 4081.5), (4128.5, 4161.0), 1.0),
    "[O III]": ((4997.0, 5017.0), (4975.0, 4995.0), (5020.0, 5040.0), -1.0),
    "Halpha + [N II]": ((6533.0, 6603.0), (6490.0, 6530.0), (6610.0, 6650.0), -1.0),
}
"""Angstrom in air: the line, continuum on both sides (Hdelta_A: Worthey & Ottaviani 1997, ApJS 111, 377), and the sign
with which its equivalent width is told."""


def flux_in(spectra: np.ndarray, wave: np.ndarray, curve) -> np.ndarray:
    """(N,), nJy: spectra (N, L) through a passband."""
    response = np.interp(wave, curve.wave, curve.throughput, left=0.0, right=0.0) * pixel_widths(wave)
    f_nu = (spectra * response * wave).sum(1) / (response / wave).sum() / LIGHT_SPEED_ANGSTROM_PER_S
    return f_nu * 1e-17 * 1e32


def checked(patch: Patch, library) -> bool:
    """Photometry and noise are right."""
    few = patch.take(np.arange(min(256, len(patch))))
    whole = SpectrumModel(library, SpectrumConfig(fibre=1e4, farthest=FARTHEST))(few, seed=1)
    fine = True
    for band in ("g", "r"):
        column = surveys.get("sdss").band_names.index(band)
        ratio = flux_in(whole.flux, whole.wave, passbands.get(f"sdss/{band}")) / few.members.flux[:, column]
        print(f"photometry in {band}: {np.median(ratio):.5f}, at worst {np.abs(ratio - 1).max():.5f} off")
        fine &= bool(np.abs(ratio - 1).max() < AGREE)
    seen = observe_spectra(whole, SpectrumConfig(sky_residual=0.0, calibration=0.0, sn=(10.0, 50.0)), seed=1)
    chi2 = float(((seen.flux - whole.flux) ** 2 * seen.ivar).mean())
    print(f"chi2 a pixel: {chi2:.4f}")
    return fine and abs(chi2 - 1) < AGREE


def timed(model: SpectrumModel, patch: Patch, repeats: int) -> tuple[float, float, float]:
    """Spectra a second of this core: the light, the noise, and both."""
    best = [np.inf, np.inf]
    for _ in range(repeats):
        start = time.process_time()
        made = model(patch, seed=1)
        middle = time.process_time()
        observe_spectra(made, model.config, seed=1)
        best = [min(best[0], middle - start), min(best[1], time.process_time() - middle)]
    n = len(patch)
    return n / best[0], n / best[1], n / sum(best)


def _work(task) -> float:
    model, patch = task
    torch.set_num_threads(1)
    observe_spectra(model(patch, seed=1), model.config, seed=1)
    start = time.process_time()
    observe_spectra(model(patch, seed=1), model.config, seed=1)
    return time.process_time() - start


def on_two(model: SpectrumModel, patch: Patch) -> tuple[float, float]:
    """Spectra a second of two processes: by the processors' clock and by the wall's, the first round left out."""
    with multiprocessing.get_context("fork").Pool(2) as pool:
        start = time.perf_counter()
        seconds = pool.map(_work, [(model, patch)] * 2, chunksize=1)
        wall = time.perf_counter() - start
    return sum(len(patch) / one for one in seconds), 4 * len(patch) / wall


def indices(flux: np.ndarray, wave: np.ndarray, redshift: np.ndarray) -> dict[str, np.ndarray]:
    """(N,) by name, of spectra (N, L): D_n(4000) and the equivalent widths of LINES, Angstrom at rest."""
    found = {name: np.full(len(flux), np.nan) for name in ("D4000", *LINES)}
    for row, z in enumerate(redshift):
        rest = wave / (1 + z) / 1.00028
        light = flux[row] * rest**2
        low, high = (light[(rest > a) & (rest < b)].mean() for a, b in BREAK)
        if rest[0] < BREAK[0][0] and low > 0:
            found["D4000"][row] = high / low
        for name, (line, blue, red, sign) in LINES.items():
            if rest[0] > blue[0] or rest[-1] < red[1]:
                continue
            sides = [(np.mean(side), flux[row][(rest > side[0]) & (rest < side[1])].mean()) for side in (blue, red)]
            inside = (rest > line[0]) & (rest < line[1])
            level = np.interp(rest[inside], *zip(*sides, strict=True))
            found[name][row] = sign * ((1 - flux[row][inside] / level) * np.gradient(rest)[inside]).sum()
    return found


def filled(spectra: Spectra) -> np.ndarray:
    """(N, L): fluxes, with straight lines over pixels without data."""
    rows = zip(spectra.flux, spectra.observed, strict=True)
    return np.array([np.interp(spectra.wave, spectra.wave[there], flux[there]) for flux, there in rows])


@styled
def figure(made: SimulatedSpectra, seen: Spectra, real: Spectra, redshift: np.ndarray) -> bytes:
    ours = indices(seen.flux.astype(float), seen.wave, made.redshift)
    theirs = indices(filled(real), real.wave, redshift)
    panel, axes = new_figure(5, 3, row_height=1.7)
    for axis, name in zip(axes[0], LINES, strict=True):
        axis.plot(ours["D4000"], ours[name], ".", color=CYCLE[0], markersize=1.5, alpha=0.4, label="simulated")
        axis.plot(theirs["D4000"], theirs[name], "o", color=CYCLE[1], markersize=3.5, label="SDSS")
        axis.set(xlabel="$D_n(4000)$", xlim=(0.8, 2.4))
        note(axis, [f"EW {name}"])
        if name != "Hdelta_A":
            axis.set_yscale("symlog", linthresh=3)
    axes[0][0].legend(loc="lower left")
    clear = np.isfinite(theirs["D4000"]) & (signal_to_noise(real) > CLEAR)
    order = [row for row in np.argsort(theirs["D4000"]) if clear[row]]
    shown = [order[k] for k in np.linspace(0, len(order) - 1, 3).astype(int)]
    for column, row in enumerate(shown):
        near = np.abs(ours["D4000"] - theirs["D4000"][row]) / 0.05 + np.abs(made.redshift - redshift[row]) / 0.05
        near += np.abs(np.log10(signal_to_noise(seen) / signal_to_noise(real.take([row])))) / 0.1
        near += np.nan_to_num(np.abs(ours["Halpha + [N II]"] - theirs["Halpha + [N II]"][row])) / 10
        twin = int(np.nanargmin(near))
        for line, (flux, wave, z, colour) in enumerate(
            (
                (real.flux[row], real.wave, redshift[row], CYCLE[1]),
                (seen.flux[twin], seen.wave, made.redshift[twin], CYCLE[0]),
            )
        ):
            axis = axes[1 + line][column]
            unit = np.median(flux[(wave > 5500) & (wave < 6500)])
            axis.plot(wave / (1 + z), flux / unit, color=colour, linewidth=0.35)
            axis.set(xlim=(3700, 7000), ylim=(0, 2.2))
            note(axis, [f"{'SDSS' if line == 0 else 'simulated'}, z = {z:.3f}"])
        both = axes[3][column]
        for flux, wave, z, colour in (
            (real.flux[row], real.wave, redshift[row], CYCLE[1]),
            (seen.flux[twin], seen.wave, made.redshift[twin], CYCLE[0]),
        ):
            rest = wave / (1 + z)
            part = (rest > 3850) & (rest < 4420)
            both.plot(rest[part], flux[part] / np.median(flux[part]), color=colour, linewidth=0.6)
        both.set(xlim=(3850, 4420), ylim=(0.3, 1.7), xlabel="rest wavelength [Å]")
        noise = axes[4][column]
        for spectra, which, colour in ((real, row, CYCLE[1]), (seen, twin, CYCLE[0])):
            there = spectra.observed[which]
            error = 1 / np.sqrt(spectra.ivar[which][there])
            in_r = (spectra.wave[there] > 5600) & (spectra.wave[there] < 6760)
            noise.semilogy(spectra.wave[there], error / np.median(error[in_r]), color=colour, linewidth=0.4)
        noise.set(xlim=(3800, 9200), ylim=(0.4, 10), xlabel="observed wavelength [Å]")
    axes[1][0].set_ylabel("flux", color=INK)
    axes[4][0].set_ylabel("stated error / in r")
    return png(panel)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=2048, help="spectra a repeat")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--figure", type=Path, help="where to put the figure of real and simulated spectra")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    library = load_bc03_miles()
    field = FieldGalaxies(GalaxyConfig(redshift=(0.003, FARTHEST)), surveys.get("sdss"), "r", LIMIT, library)
    members, rng = field.patch(60.0, np.random.default_rng(1)), np.random.default_rng(2)
    members = members.take(rng.permutation(len(members))[: asked.n])
    patch = Patch(np.arange(len(members)), members)
    print(f"{len(patch)} galaxies to r = {LIMIT}, median z {np.median(members.redshift):.3f}")
    if not checked(patch, library):
        return 1
    config = SpectrumConfig(farthest=FARTHEST)
    model = SpectrumModel(library, config)
    model(patch.take(np.arange(300)), seed=1)
    light, noise, both = timed(model, patch, asked.repeats)
    peak = fastest_peak()
    flop = model.matrix_flop()
    print(f"one core: {light:.0f} spectra/s without noise, {noise:.0f}/s the noise, {both:.0f}/s both")
    print(f"products: {flop / 1e6:.1f} MFLOP each, {light * flop / 1e9:.1f} of {peak:.1f} GFLOP/s of this core")
    cpu, wall = on_two(model, patch)
    print(f"two processes: {cpu:.0f} spectra/s by the processors' clock, {wall:.0f}/s by the wall's")
    made = model(patch, seed=1)
    seen = observe_spectra(made, config, seed=1)
    for name, value in made.values.items():
        print(f"{name:18s} {'  '.join(f'{v:8.3f}' for v in np.percentile(value, [1, 16, 50, 84, 99]))}")
    print(f"S/N per Angstrom in r: {np.percentile(signal_to_noise(seen), [5, 50, 95]).round(1)}")
    if "GALPRISM_DATA" not in os.environ:
        print("GALPRISM_DATA is not set: nothing is compared with real spectra", file=sys.stderr)
        return 0
    galaxies = real_galaxies(Path(os.environ["GALPRISM_DATA"]), FARTHEST)
    real, redshift = galaxies.spectra, galaxies.redshift
    ours, theirs = (indices(filled(s), s.wave, z) for s, z in ((seen, made.redshift), (real, redshift)))
    for name in ours:
        values = [np.nanpercentile(some[name], [16, 50, 84]).round(2) for some in (ours, theirs)]
        print(f"{name:16s} simulated {values[0]}  SDSS ({np.isfinite(theirs[name]).sum()}) {values[1]}")
    if asked.figure:
        asked.figure.write_bytes(figure(made, seen, real, redshift))
    return 0


if __name__ == "__main__":
    sys.exit(main())
