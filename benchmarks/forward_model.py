"""How many nine-band mocks a second the forward model makes, checked and timed beside bagpipes in the same run.

    OMP_NUM_THREADS=1 python benchmarks/forward_model.py [--n 40000] [--repeats 10] [--device cpu] [--json FILE]

First the two must agree on some galaxies; then both are timed on one thread, the best of several repeats, with nebular
emission, in KiDS u g r i and VIKING Z Y J H Ks, on the priors of Guo et al. (2024, Table 1).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import platform
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch

from galprism import passbands
from galprism.cosmology import age_gyr
from galprism.sps import Dust, ForwardModel, Galaxies, load_bc03_miles
from galprism.sps.dust import calzetti
from galprism.units import LIGHT_SPEED_ANGSTROM_PER_S

BANDS = ("u", "g", "r", "i", "Z", "Y", "J", "H", "Ks")
Z_MAX = 3.0
LOGU = -2.5
N_CHECK = 40
Z_CHECK = 1.4
"""Up to here u stays redwards of 1200 A, where bagpipes and Calzetti et al. (2000) part."""
AGREE = {"median": 0.01, "max": 0.15}
"""mag; bagpipes at its default sampling, its dust emission and bins of 0.1 dex in age included."""


def draw(n: int, seed: int, z_max: float = Z_MAX) -> Galaxies:
    """Galaxies as in Guo et al. (2024, Table 1), at uniform redshifts."""
    rng = np.random.default_rng(seed)
    z = rng.uniform(0.05, z_max, n)
    return Galaxies.from_numpy(
        redshift=z,
        tau=rng.uniform(0.25, 8.0, n),
        age=rng.uniform(0.25, age_gyr(z)),
        z_met=rng.choice([0.0001, 0.0004, 0.004, 0.008, 0.02, 0.05], n),
        ebv=rng.uniform(0.0, 2.0, n) / 3.1,
        logu=LOGU,
    )


class Bagpipes:
    """bagpipes.model_galaxy behind one call a galaxy, at its default sampling."""

    def __init__(self, curves):
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            import bagpipes
        self.bagpipes = bagpipes
        self.folder = tempfile.TemporaryDirectory()
        self.files = [str(Path(self.folder.name) / band) for band in BANDS]
        for name, curve in zip(self.files, curves, strict=True):
            np.savetxt(name, np.c_[curve.wave, curve.throughput])
        pivot = np.array([curve.pivot for curve in curves])
        self.njy = pivot**2 / LIGHT_SPEED_ANGSTROM_PER_S * 1e32
        self.model = None

    def components(self, g: dict[str, float]) -> dict:
        delayed = {"age": g["age"], "tau": g["tau"], "massformed": 0.0, "metallicity": g["z_met"] / 0.02}
        dust = {"type": "Calzetti", "Av": 4.05 * g["ebv"]}
        return {"redshift": g["redshift"], "delayed": delayed, "dust": dust, "nebular": {"logU": LOGU}}

    def __call__(self, components: dict) -> np.ndarray:
        if self.model is None:
            self.model = self.bagpipes.model_galaxy(components, filt_list=self.files)
        self.model.update(components)
        return self.model.photometry * self.njy


def rows(galaxies: Galaxies) -> list[dict[str, float]]:
    columns = {k: getattr(galaxies, k).tolist() for k in ("redshift", "tau", "age", "z_met", "ebv")}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def best_rate(work, count: int, repeats: int, device: str) -> tuple[float, float]:
    """Best and median of `count` things a second."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        if device != "cpu":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return count / min(seconds), count / float(np.median(seconds))


def matrix_peak(repeats: int, device: str) -> float:
    """GFLOP/s of a float32 matrix product on this device and thread."""
    a = torch.rand(2048, 2048, device=device)
    out = torch.empty_like(a)
    return 2 * 2048**3 * best_rate(lambda: torch.mm(a, a, out=out), 1, repeats, device)[0] / 1e9


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=40000, help="galaxies a repeat")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)

    curves = [passbands.get(f"kids/{band}") for band in BANDS]
    library = load_bc03_miles()
    pipes = Bagpipes(curves)
    few = draw(N_CHECK, 1, Z_CHECK)
    theirs = np.array([pipes(pipes.components(g)) for g in rows(few)])
    # bagpipes dims gas and stars with one Calzetti curve; ours is told to, for the comparison only.
    alike = ForwardModel(library, curves, dust=Dust(stars=calzetti, gas=calzetti, factor=1.0), z_max=Z_MAX)
    dm = np.abs(2.5 * np.log10(alike(few).flux.numpy() / theirs))
    agreement = {"median": float(np.median(dm)), "max": float(dm.max())}
    print(f"agreement with bagpipes at its default sampling: median {agreement['median']:.4f} mag, ", end="")
    print(f"max {agreement['max']:.3f} mag over {N_CHECK} galaxies in {len(BANDS)} bands")
    if any(agreement[k] > limit for k, limit in AGREE.items()):
        print(f"they disagree by more than {AGREE}: nothing is timed")
        return 1

    model = ForwardModel(library, curves, z_max=Z_MAX, device=args.device)
    many = draw(args.n, 2).to(model.device)
    with torch.no_grad():
        model(many)
        ours, ours_median = best_rate(lambda: model(many), args.n, args.repeats, args.device)
    components = [pipes.components(g) for g in rows(draw(100, 3))]
    bagpipes, bagpipes_median = best_rate(lambda: [pipes(c) for c in components], len(components), 3, "cpu")
    peak = matrix_peak(args.repeats, args.device)
    flop = model.matrix_flop()
    figures = {
        "galprism mocks/s": round(ours),
        "galprism mocks/s, median": round(ours_median),
        "bagpipes update()/s": round(bagpipes),
        "bagpipes update()/s, median": round(bagpipes_median),
        "ratio": round(ours / bagpipes, 1),
        "matrix products, MFLOP a mock": round(flop / 1e6, 3),
        "matrix peak, GFLOP/s": round(peak, 1),
        "fraction of the peak": round(ours * flop / peak / 1e9, 3),
        "agreement, mag": agreement,
        "device": args.device if args.device == "cpu" else torch.cuda.get_device_name(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        "threads": torch.get_num_threads(),
    }
    for name, value in figures.items():
        print(f"{name:32s} {value}")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
