"""Spectra at rest of galaxies, quasars and stars as varied as redshifts are to be found among: what a basis for the
redshifts of spectra is learned from (galprism.recipes.spectroscopic).

All are on pixels of 1e-4 in log10 wavelength, as SDSS's, of the resolution that its spectra have, and of no sky's
mixture: rare kinds are as many as common ones.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from galprism.cosmology import LIGHT_SPEED_KM_PER_S
from galprism.sps.galaxies import Galaxies
from galprism.sps.light import RestLight
from galprism.sps.quasar_lines import emission
from galprism.sps.quasars import LYMAN_LIMIT, MAG, PIVOT, disc, extinction, hot_dust
from galprism.sps.ssp import SSPLibrary
from galprism.sps.star_spectra import StarSpectra
from galprism.wavegrid import LogGrid

STEP = 1e-4 * np.log(10.0)
"""In ln wavelength, of a pixel."""
PIXEL = STEP * LIGHT_SPEED_KM_PER_S
"""km/s."""
INSTRUMENT = 1.25
"""Pixels, standard deviation of SDSS's line-spread function in the middle of its range."""
OF_LIBRARY = 0.9
"""Pixels, of MILES's in the middle of its range."""
LINES = {
    "[O II]": ((3727.10, 0.45), (3729.86, 0.55)),
    "[Ne III]": ((3869.86, 0.77), (3968.59, 0.23)),
    "H I": ((4102.89, 0.26), (4341.68, 0.47), (4862.68, 1.0)),
    "[O III]": ((4960.30, 0.25), (5008.24, 0.75)),
    "H alpha": ((6564.61, 1.0),),
    "[N II]": ((6549.85, 0.25), (6585.27, 0.75)),
    "[S II]": ((6718.29, 0.57), (6732.67, 0.43)),
    "[O I]": ((6302.05, 0.75), (6365.54, 0.25)),
    "[S III]": ((9071.1, 0.29), (9533.2, 0.71)),
}
"""Lines of ionised gas that go together: Angstrom in vacuum (as SDSS lists them), and the share of each of their light;
doublets of one upper level by their transition probabilities, Balmer lines as in case B (Osterbrock & Ferland 2006)."""
BROAD = {
    "Ly alpha": 1215.67,
    "C IV": 1549.5,
    "C III]": 1908.0,
    "Mg II": 2799.1,
    "H gamma": 4341.7,
    "H beta": 4862.7,
    "H alpha": 6564.6,
}
"""Angstrom in vacuum: lines of quasars that are narrower or broader than their mean."""
NARROW = {"[Ne V]": 3426.8, "[O II]": 3728.5, "[Ne III]": 3869.9, "[O III]": 5008.2}
"""Likewise, lines of the gas around; [O III] has a third as much light at 4960 Angstrom."""
COMPLEXES = (
    *(912.0, 1170.0, 1290.0, 1360.0, 1450.0, 1600.0, 1780.0, 1980.0, 2240.0, 2680.0, 2900.0, 3200.0, 3650.0, 4000.0),
    *(4220.0, 4450.0, 4750.0, 4920.0, 5050.0, 5600.0, 6300.0, 6850.0, 12000.0),
)
"""Angstrom: between these the emission of quasars is of one kind, and scatters together."""
ABSORBED = (1240.8, 1399.8, 1549.5)
"""Angstrom: lines that have broad troughs in some quasars, N V, Si IV and C IV."""
BALMER = (6564.6, 4862.7, 4341.7, 4102.9, 3971.2, 3890.2, 3836.5)


def pixels(low: float, high: float) -> LogGrid:
    """The bins of SDSS's pixels from `low` to `high`, Angstrom."""
    first, last = (round(float(np.log10(end)) * 1e4) for end in (low, high))
    return LogGrid(first * STEP, STEP, last - first + 1)


def gaussian_lines(grid: LogGrid, places: dict[float, float] | tuple[tuple[float, float], ...], sigma: float):
    """(W,), per Angstrom: lines at wavelengths of given light, of `sigma` pixels, integrated over pixels to 1 %."""
    total = np.zeros(grid.size)
    x = np.arange(grid.size)
    for wave, light in places.items() if isinstance(places, dict) else places:
        at = (np.log(wave) - grid.start) / STEP
        width = np.hypot(sigma, 1 / np.sqrt(12.0))
        total += light * np.exp(-0.5 * ((x - at) / width) ** 2) / (np.sqrt(2 * np.pi) * width * STEP * wave)
    return total


def galaxy_spectra(library: SSPLibrary, grid: LogGrid, n: int, rng: np.random.Generator) -> np.ndarray:
    """(n, W), f_lambda of mean 1 from 4000 to 6000 A: delayed histories with bursts, dust, gas, and of a third lines as
    strong as in active galaxies."""
    light = RestLight(library, grid, metallicity="interpolate", batch=256, sharp=True)
    age = 10 ** rng.uniform(-1.0, 1.13, n)
    burst = np.where(rng.random(n) < 0.4, 10 ** rng.uniform(-3.0, -0.5, n), 0.0)
    young = np.minimum(age, 10 ** rng.uniform(-2.0, 0.3, n))
    metals = library.z_met
    galaxies = Galaxies.from_numpy(
        redshift=np.full(n, 0.1),
        z_met=np.exp(rng.uniform(np.log(max(metals[0], 0.002)), np.log(min(metals[-1], 0.05)), n)),
        ebv=np.minimum(rng.exponential(0.15, n), 1.0),
        tau=10 ** rng.uniform(-1.0, 1.2, n),
        age=age,
        f_burst=burst,
        tau_burst=np.full(n, 0.05),
        age_burst=young,
        logu=rng.uniform(-3.5, -2.0, n),
    )
    ordered, _, batches = light.arrange(galaxies)
    flux = np.empty((n, grid.size), np.float32)
    strength = np.empty((n, len(light.line_wave)), np.float32)
    for rows, metal in batches:
        part = ordered.take(rows)
        stars, lines = light.shine(part, metal, light.weights(part), 0, grid.size)
        flux[rows], strength[rows] = stars.numpy(), lines.numpy()
    _broaden(flux, rng, of_library=OF_LIBRARY)
    middle = (grid.wave > 4000) & (grid.wave < 6000)
    level = flux[:, middle].mean(axis=1, keepdims=True)
    flux, strength = flux / level, strength / level
    narrow = [gaussian_lines(grid, ((wave, 1.0),), np.hypot(INSTRUMENT, 110.0 / PIXEL)) for wave in light.line_wave]
    flux += np.minimum(strength, 400.0) @ np.asarray(narrow, np.float32)
    active = rng.random(n) < 0.33
    for group in LINES.values():
        profile = gaussian_lines(grid, group, np.hypot(INSTRUMENT, 180.0 / PIXEL)).astype(np.float32)
        width = active * 10 ** rng.normal(0.8, 0.5, n)  # Angstrom, of a continuum of 1
        flux += np.minimum(width, 150.0).astype(np.float32)[:, None] * profile
    return flux


def _broaden(flux: np.ndarray, rng: np.random.Generator, of_library: float) -> None:
    """In place: by what the instrument and the motions of stars have more than the library."""
    dispersion = 10 ** rng.normal(np.log10(140.0), 0.2, len(flux)) / PIXEL
    total = np.sqrt(np.maximum(INSTRUMENT**2 - of_library**2 + dispersion**2, 0.25))
    kinds = np.geomspace(total.min(), total.max() + 1e-6, 6)
    nearest = np.abs(np.log(total[:, None] / kinds)).argmin(axis=1)
    for k, sigma in enumerate(kinds):
        rows = nearest == k
        if rows.any():
            flux[rows] = gaussian_filter1d(flux[rows], sigma, axis=1, mode="nearest")


def quasar_spectra(
    grid: LogGrid, n: int, rng: np.random.Generator, hosts: tuple[LogGrid, np.ndarray] | None = None
) -> np.ndarray:
    """(n, W), f_lambda of a mean near 1: Temple et al. (2021) with lines that scatter one by one in strength, width
    and place, reddening, broad absorption in an eighth, and in a third the light of `hosts` (m, V) on their grid.

    The intergalactic medium is left out; it is dark bluewards of 912 A.
    """
    wave = grid.wave
    typical, contrast = emission(grid.edges)
    edges = np.log(COMPLEXES)
    soft = 0.5 * (1 + np.tanh((np.log(wave)[:, None] - edges) / 0.006))
    share = soft[:, :-1] - soft[:, 1:]  # (W, C), sums to 1 within
    ln, hot = np.log(wave / PIVOT), hot_dust(wave)
    base, bands = disc(wave), np.exp(rng.normal(0.0, 0.4, (n, share.shape[1])))
    kind = np.clip(rng.normal(0.0, 1.0, n), -2.0, 3.0)
    slope = rng.normal(0.0, 0.3, n)
    ebv = np.where(rng.random(n) < 0.4, rng.exponential(0.08, n), 0.0)
    curve = MAG * extinction(wave)
    flux = np.empty((n, grid.size), np.float32)
    for i in range(n):
        lines = np.maximum((typical + kind[i] * contrast) * (share @ bands[i]), -0.3)
        lines = gaussian_filter1d(lines, rng.uniform(0.5, 12.0), mode="nearest")
        for at in BROAD.values():
            place = at * (1 + rng.normal(0.0, 250.0) / LIGHT_SPEED_KM_PER_S)
            sigma = 10 ** rng.uniform(np.log10(500.0), np.log10(3000.0)) / PIXEL
            lines = lines + gaussian_lines(grid, ((place, rng.normal(4.0, 10.0)),), sigma)
        for name, at in NARROW.items():
            width = 10 ** rng.normal(0.3, 0.5) * (3.0 if name == "[O III]" else 1.0)
            sigma = 10 ** rng.uniform(2.0, 2.6) / PIXEL
            pair = ((at, width), (4960.3, width / 3)) if name == "[O III]" else ((at, width),)
            lines = lines + gaussian_lines(grid, pair, sigma)
        flux[i] = (base * np.exp(-slope[i] * ln) + hot) * np.maximum(1 + lines, 0.02) * np.exp(-ebv[i] * curve)
        if rng.random() < 0.12:
            flux[i] *= _troughs(wave, rng)
    flux[:, wave < LYMAN_LIMIT] = 0.0
    flux /= np.median(flux[:, (wave > 1300) & (wave < 5500)], axis=1, keepdims=True)
    if hosts is not None:
        near = (wave > 4000) & (wave < 6000)
        level = flux[:, near].mean(axis=1) * np.where(rng.random(n) < 0.35, rng.uniform(0.05, 1.5, n), 0.0)
        theirs, light = hosts
        start = round((theirs.start - grid.start) / STEP)
        light = light[:, : grid.size - start]
        fading = np.clip((np.arange(light.shape[1]) - 100) / 1000.0, 0.0, 1.0).astype(np.float32)
        flux[:, start : start + light.shape[1]] += (
            level[:, None].astype(np.float32) * light[rng.integers(len(light), size=n)] * fading
        )
    return flux


def _troughs(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(W,): what broad absorption lets through."""
    low = rng.uniform(1000.0, 8000.0)
    high = low + rng.uniform(2000.0, 9000.0)
    through = np.ones(len(wave))
    for at, depth in zip(ABSORBED, rng.uniform(0.2, 0.9) * np.array([0.8, 0.6, 1.0]), strict=True):
        velocity = (1 - wave / at) * LIGHT_SPEED_KM_PER_S
        through *= 1 - depth * 0.5 * (np.tanh((velocity - low) / 500.0) - np.tanh((velocity - high) / 500.0))
    return through


def star_spectra(
    library: SSPLibrary, grid: LogGrid, n: int, rng: np.random.Generator, atlas: StarSpectra | None = None
) -> np.ndarray:
    """(n, W), f_lambda of mean 1 in the grid: a third white dwarfs (black bodies with broad Balmer lines), the others
    of the library's simple populations, whose lines are those of their brightest stars, and of an `atlas`, reddened."""
    light = RestLight(library, grid, nebular=False, metallicity="nearest", sharp=True)
    table = light.spectra.stars.numpy()
    table = table[1:].reshape(-1, grid.size)
    n_atlas = n // 2 if atlas is not None else 0
    n_dwarfs = n // 6
    simple = table[rng.integers(len(table), size=n - n_atlas - n_dwarfs)].copy()
    simple = gaussian_filter1d(simple, np.sqrt(INSTRUMENT**2 - OF_LIBRARY**2), axis=1, mode="nearest")
    parts = [simple, np.stack([_white_dwarf(grid.wave, rng) for _ in range(n_dwarfs)])]
    if atlas is not None:
        parts.append(
            np.stack([np.interp(grid.wave, atlas.wave, flux) for flux in atlas.flux])[
                np.arange(n_atlas) % len(atlas.flux)
            ]
        )
    flux = np.concatenate(parts)
    ebv = np.minimum(rng.exponential(0.08, len(flux)), 0.6)
    flux *= np.exp(-MAG * ebv[:, None] * extinction(grid.wave))
    return (flux / flux.mean(axis=1, keepdims=True)).astype(np.float32)


def _white_dwarf(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    temperature = 10 ** rng.uniform(np.log10(6500.0), np.log10(60000.0))
    body = 1.0 / (wave**5 * np.expm1(1.43877735e8 / (temperature * wave)))
    depth, width = rng.uniform(0.0, 0.65), rng.uniform(800.0, 3500.0)
    for k, at in enumerate(BALMER):
        velocity = (wave / at - 1) * LIGHT_SPEED_KM_PER_S
        body = body * (1 - depth * (1 - 0.06 * k) / (1 + (velocity / width) ** 2))
    return body
