"""The exact posterior of simulated spectra, checked and timed: where true values lie among its draws (simulation-based
calibration; Talts et al. 2018, arXiv:1804.06788), and the two runs of each galaxy against each other.

    python benchmarks/spectrum_limit.py -n 40 -o FOLDER [--seconds 1200]

The galaxies are those that the field of `mmlforgalam` itself draws, with noise of their own. What is done is kept in
FOLDER and taken up again; after so many seconds it says what there is.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from scipy.stats import kstest

from galprism.data import Sources
from galprism.data.spectrum_noise import signal_to_noise
from galprism.fit.spectrum_posterior import AGREEMENT, NAMES, SpectrumPosterior, r_hat
from galprism.mocks.sky.patch import Patch
from galprism.mocks.spectra.model import OF_FIBRE
from galprism.mocks.spectra.noise import observe_spectra
from galprism.recipes.recipe import load
from galprism.recipes.spectrum_limit import posterior_of

SEED = 77
FARTHEST = 0.3
"""As the paper's selection."""


def galaxies(posterior: SpectrumPosterior, n: int) -> tuple[Sources, np.ndarray]:
    """n galaxies as observed, and what is true of them (n, P)."""
    members = posterior.field.patch(0.03 * n + 1.0, np.random.default_rng(SEED))
    kept = np.flatnonzero(members.redshift < FARTHEST)
    members = members.take(np.random.default_rng(SEED + 1).permutation(kept)[:n])
    made = posterior.model(Patch(np.arange(len(members)), members), seed=SEED)
    spectra = observe_spectra(made, posterior.model.config, seed=SEED)
    values = [made.values[name] if name in OF_FIBRE else members.values[name] for name in NAMES]
    return Sources(id=made.id, redshift=made.redshift, spectra=spectra), np.stack(values, axis=1)


def asked(posterior: SpectrumPosterior, sources: Sources, row: int, true: np.ndarray) -> dict[str, object]:
    """Of one galaxy: ranks of the true values, means and spreads of both runs, and what it cost."""
    start, own = time.perf_counter(), time.process_time()
    seen, z = sources.spectra, float(sources.redshift[row])
    runs = posterior.runs(seen.flux[row], seen.ivar[row], z, (SEED, row))
    fibre, whole = posterior.parted(runs, z)
    draws = [np.concatenate(parts) for parts in (fibre, whole)]
    every = [column for part in draws for column in part.T]
    return {
        "true": true[row].tolist(),
        "rank": [float(np.mean(column < value)) for column, value in zip(every, true[row], strict=True)],
        "mean": [float(column.mean()) for column in every],
        "sd": [float(column.std()) for column in every],
        "apart": ((fibre[0].mean(0) - fibre[1].mean(0)) / draws[0].std(0)).tolist(),
        "rhat": float(r_hat(*fibre).max()),
        "models": sum(run.evaluations for run in runs),
        "seconds": time.perf_counter() - start,
        "of_processor": time.process_time() - own,
        "redshift": z,
        "sn": float(signal_to_noise(sources.spectra.take([row]), per="Angstrom")[0]),
    }


def told(found: list[dict]) -> str:
    """All in words."""
    good = [one for one in found if one["rhat"] < AGREEMENT]
    lines = [f"{len(good)} of {len(found)} galaxies have converged (R-hat < {AGREEMENT})"]
    for title, some in (("all", found), ("converged", good)):
        for j, name in enumerate(NAMES if some else ()):
            rank = np.array([one["rank"][j] for one in some])
            inside = np.mean((rank > 0.16) & (rank < 0.84))
            off = np.array([one["mean"][j] - one["true"][j] for one in some])
            sd = np.sqrt(np.mean([one["sd"][j] ** 2 for one in some]))
            error = np.sqrt(0.68 * 0.32 / len(some))
            lines.append(
                f"{title}, {name}: {100 * inside:.0f} ± {100 * error:.0f} % of true values within 68 %, KS p of ranks "
                f"{kstest(rank, 'uniform').pvalue:.2f}, rms of the mean {np.sqrt(np.mean(off**2)):.4f}, posterior's "
                f"own {sd:.4f}"
            )
    apart = np.abs([one["apart"] for one in found])
    lines.append(f"two runs' means are a median of {np.round(np.median(apart, axis=0), 2).tolist()} sd apart")
    seconds = [np.mean([one[name] for one in found]) for name in ("of_processor", "seconds", "models")]
    lines.append(
        f"{seconds[0]:.1f} s of processor and {seconds[1]:.1f} s of clock a galaxy, {seconds[2]:.0f} spectra; median "
        f"S/N per Angstrom {np.median([one['sn'] for one in found]):.0f}"
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=40)
    parser.add_argument("-o", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=1200.0)
    given = parser.parse_args()
    start = time.perf_counter()
    given.o.mkdir(parents=True, exist_ok=True)
    posterior = posterior_of(load("mmlforgalam", ()))
    sources, true = galaxies(posterior, given.n)
    found = []
    for row in range(len(sources)):
        path = given.o / f"{row}.json"
        if not path.exists():
            if time.perf_counter() - start > given.seconds:
                break
            path.write_text(json.dumps(asked(posterior, sources, row, true)) + "\n")
        found.append(json.loads(path.read_text()))
        last = found[-1]
        print(f"{row}: S/N {last['sn']:.0f}, R-hat {last['rhat']:.3f}, {last['seconds']:.0f} s", flush=True)
    print(told(found))


if __name__ == "__main__":
    main()
