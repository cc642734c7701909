"""How many objects a second the grid fit makes from the shipped cache of model fluxes, checked before it is timed.

    OMP_NUM_THREADS=1 python benchmarks/grid_fit.py [--n 10000] [--repeats 3] [--json FILE]

KiDS-like galaxies (redshifts and magnitudes of the built-in distribution, KiDS errors, nine bands) are fitted with the
37,800 models of the grid. First some must agree with plain float64 sums over the models; then all are timed on one
thread, beside the best rate of float32 matrix products on it. CIGALE's own rate is quoted, not measured here.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path

import numpy as np

from galprism import surveys
from galprism.cosmology import luminosity_distance_mpc
from galprism.data import Sources
from galprism.fit import fit_grid, load_cache
from galprism.mocks import MagnitudeRedshift, NoiseConfig, PopulationConfig, observe
from galprism.units import njy_from_abmag
from rates import matrix_peak

KIDS = surveys.get("kids")
MODEL_ERROR = 0.02
REDSHIFT_STEP = 0.005
N_CHECK = 24
AGREE = {"logmstar": 1e-3, "logsfr": 1e-3, "chi2": 1e-2}
"""dex, dex, and relative to chi2 + 1."""
CIGALE = (84, 90)
"""Objects/s of CIGALE 0.8.0 (2016), nine bands, model fluxes made: one core of an AMD EPYC (Zen 5) server."""


def galaxies(cache, n: int, seed: int) -> Sources:
    """Models of the cache picked at random, scaled to their magnitudes, with KiDS errors."""
    rng = np.random.default_rng(seed)
    redshift, magnitude = MagnitudeRedshift(PopulationConfig()).draw(n, rng)
    redshift = np.maximum(redshift, 2 * REDSHIFT_STEP)
    flux = np.empty((n, len(cache.bands)))
    for i, z in enumerate(redshift):
        rows = np.arange(len(cache))[cache.models(z)]
        light = cache.light(z, rng.choice(rows, 1))[0]
        flux[i] = light / light[cache.bands.index("r")] * njy_from_abmag(magnitude[i])
    return Sources(id=np.arange(n), redshift=redshift, photometry=observe(flux, KIDS, NoiseConfig(), rng))


def plainly(cache, sources: Sources, i: int) -> tuple[float, float, float]:
    """logmstar, logsfr and the best chi2 of one source: sums over models, band by band, in float64."""
    z = float(sources.redshift[i])
    centre = float(np.rint(z / REDSHIFT_STEP) * REDSHIFT_STEP)
    rows = np.arange(len(cache))[cache.models(centre)]
    models = cache.light(centre, rows).astype(np.float64) * (1 + z) / luminosity_distance_mpc(z) ** 2
    flux = sources.photometry.flux[i].astype(np.float64)
    error = np.hypot(sources.photometry.flux_err[i].astype(np.float64), MODEL_ERROR * flux)
    scale = sum(f * m / e**2 for f, m, e in zip(flux, models.T, error, strict=True))
    scale /= sum(m**2 / e**2 for m, e in zip(models.T, error, strict=True))
    chi2 = sum(((f - scale * m) / e) ** 2 for f, m, e in zip(flux, models.T, error, strict=True))
    good = scale > 0
    weight = np.exp(-0.5 * (chi2[good] - chi2[good].min()))
    means = [
        np.average(np.log10(scale[good]) + cache.values[name][rows][good], weights=weight)
        for name in ("logmstar", "logsfr")
    ]
    return means[0], means[1], float(chi2[good].min())


def worst_disagreement(cache, sources: Sources) -> dict[str, float]:
    """Between the fit and plain sums, over the first N_CHECK sources."""
    few = sources.take(slice(0, N_CHECK))
    found = fit_grid(few, cache, model_error=MODEL_ERROR, redshift_step=REDSHIFT_STEP)
    expected = np.array([plainly(cache, few, i) for i in range(N_CHECK)])
    return {
        "logmstar": float(np.abs(found.column("logmstar") - expected[:, 0]).max()),
        "logsfr": float(np.abs(found.column("logsfr") - expected[:, 1]).max()),
        "chi2": float((np.abs(found.extra["chi2"] - expected[:, 2]) / (expected[:, 2] + 1)).max()),
    }


def matrix_flop(cache, sources: Sources) -> float:
    """Floating-point operations an object that are matrix products: the two sums over bands, and its models' light."""
    bins = np.rint(sources.redshift / REDSHIFT_STEP)
    centres, counts = np.unique(bins, return_counts=True)
    models = np.array([sum(b.stop - b.start for b in cache.blocks(c * REDSHIFT_STEP)) for c in centres])
    sums = 4.0 * len(cache.bands) * (models * counts).sum()
    light = 2.0 * len(cache.bands) * cache.scores.shape[1] * models.sum()
    return float((sums + light) / len(sources))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=10_000, help="objects a repeat")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    args = parser.parse_args(argv)

    cache = load_cache("kids", KIDS)
    sources = galaxies(cache, args.n, seed=1)
    worst = worst_disagreement(cache, sources)
    print(f"agreement with plain float64 sums over {N_CHECK} objects: ", end="")
    print(", ".join(f"{name} {value:.1e}" for name, value in worst.items()))
    if any(worst[name] > limit for name, limit in AGREE.items()):
        print(f"they disagree by more than {AGREE}: nothing is timed")
        return 1

    wall, cpu = [], []
    for _ in range(args.repeats):
        start, start_cpu = time.perf_counter(), time.process_time()
        fit_grid(sources, cache, model_error=MODEL_ERROR, redshift_step=REDSHIFT_STEP)
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - start_cpu)
    peak, flop = matrix_peak(), matrix_flop(cache, sources)
    rate = args.n / min(wall)
    figures = {
        "objects/s": round(rate),
        "objects/s, median of repeats": round(args.n / float(np.median(wall))),
        "objects/s of processor time": round(args.n / min(cpu)),
        "models": len(cache),
        "MFLOP an object in matrix products": round(flop / 1e6, 2),
        "matrix-product peak of this thread, GFLOP/s": round(peak, 1),
        "fraction of that peak": round(rate * flop / 1e9 / peak, 4),
        "over CIGALE's quoted rate": [round(rate / quoted, 1) for quoted in reversed(CIGALE)],
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": platform.processor() or platform.machine(),
    }
    for name, value in figures.items():
        print(f"{name:46} {value}")
    if min(cpu) > 1.2 * min(wall):
        print("more than one thread was at work: set OMP_NUM_THREADS=1")
    print(f"CIGALE's {CIGALE[0]}-{CIGALE[1]} objects/s are quoted from another machine, not measured here")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
