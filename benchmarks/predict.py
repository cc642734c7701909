"""How many galaxies a second are inferred from Parquet file to Parquet file on one core, checked before it is timed.

    python benchmarks/predict.py [--n 1000000] [--repeats 5] [--bundle kids-mass-sfr] [--json FILE]

Simulated KiDS galaxies go through the paper's network (19-512x4-256x2-128-64-32-2, points only; its weights do not
matter here) and through a shipped bundle with its uncertainties. First the networks must give what PyTorch and a root
finder give, and the file what memory gives. Then the floor (the same rows read and written without a network), the two
runs and the networks alone are timed, best of the repeats, with the best rate of float32 matrix products beside them.
The process keeps to one core. Processor seconds are reported beside the clock's: on a shared machine they say more.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from galprism import bundle, passbands, recipes, surveys
from galprism.bundle import Bundle
from galprism.data import Sources
from galprism.data.tables import TableWriter, open_table, read_predictions, write_table
from galprism.flags import Flag
from galprism.infer import Predictor, predict, predict_file
from galprism.infer.quantiles import mixture_quantiles
from galprism.infer.session import BATCH_ROWS, Session, model_inputs
from galprism.mocks import observe
from galprism.nets import MLP, Estimator, MLPConfig, readout_to_onnx
from galprism.prep import Preparation, PreparationConfig
from galprism.recipes.sky import sky
from rates import fastest_peak

KIDS = surveys.get("kids")
N_SIMULATED = 32_768
"""Galaxies that are simulated; more rows are the same galaxies with other noise."""
PAPER_RATE = 1815
"""Galaxies/s that Guo et al. (2024) report for MLP-GaP."""
torch.set_num_threads(1)


def galaxies(n: int, *, perturb: bool) -> Sources:
    """n rows of simulated KiDS galaxies, noisy or exact."""
    recipe = recipes.load("mlp-gap", ["seed=5", f"noise.perturb={str(perturb).lower()}"])
    blocks = [block.sources for block in sky(recipe).blocks(N_SIMULATED)]
    flux = np.concatenate([block.photometry.flux for block in blocks])
    redshift = np.concatenate([block.redshift for block in blocks])
    rows = np.arange(n) % N_SIMULATED
    photometry = observe(flux[rows], KIDS, recipe.noise, np.random.default_rng(1))
    return Sources(id=np.arange(n), redshift=redshift[rows], photometry=photometry)


def write(path: Path, sources: Sources) -> Path:
    """A table of id, redshift, fluxes and errors, float32."""
    columns = {"id": sources.id, "redshift": sources.redshift.astype(np.float32)}
    for i, band in enumerate(sources.photometry.bands):
        columns[f"flux_{band}"] = np.ascontiguousarray(sources.photometry.flux[:, i], np.float32)
        columns[f"flux_err_{band}"] = np.ascontiguousarray(sources.photometry.flux_err[:, i], np.float32)
    write_table(path, columns, units={name: "nJy" for name in columns if name.startswith("flux")})
    return path


def papers_bundle(sources: Sources) -> tuple[Bundle, Estimator]:
    """The network of MLP-GaP with random weights, prepared for these sources."""
    preparation = Preparation.fit(PreparationConfig(kind="magnitudes"), sources)
    estimator = Estimator("mlp", MLPConfig(), len(preparation.input_names), 2)
    with torch.no_grad():  # first weights that carry the inputs through ten layers (He et al. 2015)
        for weight in estimator.parameters():
            weight.mul_(6**0.5 if weight.ndim == 2 else 1.0)
    assert sum(p.numel() for p in MLP(19, 2, MLPConfig()).parameters()) == estimator.n_weights == 1_038_626
    model = readout_to_onnx(estimator, 19, torch.eye(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64))
    curves = {band.name: {"name": band.passband, "hash": passbands.get(band.passband).hash} for band in KIDS.bands}
    names = ("logmstar", "logsfr")
    made = Bundle("mlp-gap", "", "kids", curves, preparation, names, (0.0, 0.0), "point", model=model)
    return made, estimator


def check_paper(made: Bundle, estimator: Estimator, sources: Sources) -> float:
    """The largest difference from PyTorch, dex."""
    features = made.preparation.features(sources)
    with torch.no_grad():
        expected = estimator(torch.from_numpy(features.inputs)).numpy()
    return float(np.nanmax(np.abs(predict(made, sources).point - expected)[features.usable]))


def check_quantiles(ours: Bundle, sources: Sources) -> float:
    """The largest error of a quantile against float64 root finding, in standard deviations."""
    found, worst = predict(ours, sources), 0.0
    features = ours.preparation.features(sources)
    usable = np.flatnonzero(features.usable)
    weight, mean, sigma = Session(ours).marginals(features.inputs[usable])
    for p, anchored in enumerate(ours.anchored):
        w, s = weight.T.astype(float), sigma[p].T.astype(float)
        m = mean[p].T + anchored * features.anchor[usable, None]
        centre = (w * m).sum(1) / w.sum(1)
        sd = np.sqrt((w * (s**2 + (m - centre[:, None]) ** 2)).sum(1) / w.sum(1))
        for q, level in enumerate(found.levels):
            exact = mixture_quantiles(w, m, s, np.full(len(usable), level))
            worst = max(worst, float(np.max(np.abs(found.quantiles[usable, p, q] - exact) / sd)))
    return worst


def check_file(made: Bundle, sources: Sources, folder: Path) -> float:
    """The largest difference between what comes from a file and what comes from memory, dex."""
    path = write(folder / "check.parquet", sources)
    predict_file(made, KIDS, path, folder / "checked.parquet")
    found = read_predictions(folder / "checked.parquet")
    same = replace(sources, redshift=sources.redshift.astype(np.float32).astype(float))
    expected = predict(made, same)
    assert np.array_equal(found.id, expected.id)
    assert np.array_equal(np.isnan(found.point), np.isnan(expected.point))
    return float(np.nanmax(np.abs(found.point - expected.point)))


def copy(source: Path, target: Path) -> None:
    """The floor: every row read and written."""
    table = open_table(source)
    with TableWriter(target, list(table.columns.values()), table.n_rows) as writer:
        for batch in table.batches():
            writer.write(batch)


def best(call: Callable[[], object], repeats: int) -> tuple[float, float]:
    """The least seconds of the clock and of the processor."""
    wall, cpu = [], []
    for _ in range(repeats):
        start, start_cpu = time.perf_counter(), time.process_time()
        call()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - start_cpu)
    return min(wall), min(cpu)


def network_flop(made: Bundle) -> float:
    """Floating-point operations a galaxy in the network's matrix products."""
    graph = onnx.load_from_string(made.model).graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    return 2.0 * sum(np.prod(shapes[node.input[1]]) for node in graph.node if node.op_type == "Gemm")


def network_seconds(made: Bundle, inputs: np.ndarray, repeats: int) -> float:
    """Seconds a galaxy in ONNX Runtime alone, by the least of many single batches."""
    session, batch = Session(made), np.ascontiguousarray(inputs[:BATCH_ROWS])
    feed = {"features": batch} | (model_inputs((0.16, 0.5, 0.84)) if made.kind == "mixture" else {})
    return best(lambda: session.onnx.run(None, feed), 60 * repeats)[0] / len(batch)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=1_000_000, help="galaxies in the file")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--bundle", default="kids-mass-sfr", help="ours: a shipped name or a folder")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    args = parser.parse_args(argv)

    ours, noisy = bundle.load(args.bundle), galaxies(args.n, perturb=True)
    exact = galaxies(args.n, perturb=False)
    paper, estimator = papers_bundle(exact.take(slice(0, 20_000)))
    few = slice(0, 8192)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checks = {
            "the paper's network, ONNX Runtime against PyTorch, dex": (
                check_paper(paper, estimator, exact.take(few)),
                1e-4,
            ),
            "our quantiles against float64 root finding, sd": (check_quantiles(ours, noisy.take(few)), 1e-3),
            "file against memory, dex": (check_file(ours, noisy.take(few), folder), 1e-4),
        }
        for what, (found, limit) in checks.items():
            print(f"{what:56} {found:.1e} (at most {limit:.0e})")
        if any(found > limit for found, limit in checks.values()):
            print("the answers are not right: nothing is timed")
            return 1

        noisy_path, exact_path = write(folder / "noisy.parquet", noisy), write(folder / "exact.parquet", exact)
        floor = best(lambda: copy(noisy_path, folder / "copy.parquet"), args.repeats)
        runs = {
            "paper": best(lambda: predict_file(paper, KIDS, exact_path, folder / "out.parquet"), args.repeats),
            "ours": best(lambda: predict_file(ours, KIDS, noisy_path, folder / "out.parquet"), args.repeats),
        }
    peak = fastest_peak()
    alone = {
        "paper": network_seconds(paper, paper.preparation.features(exact.take(few)).inputs, args.repeats),
        "ours": network_seconds(ours, ours.preparation.features(noisy.take(few)).inputs, args.repeats),
    }
    in_memory = best(lambda: Predictor(ours).predict(noisy.take(slice(0, 65_536))), args.repeats)[0] / 65_536
    flags = predict(ours, noisy.take(few)).flags
    rate = {key: args.n / wall for key, (wall, _) in runs.items()}
    figures = {
        "galaxies": args.n,
        "floor, read and write, rows/s": round(args.n / floor[0]),
        "floor, rows/s of processor time": round(args.n / floor[1]),
        "the paper's network, file to file, galaxies/s": round(rate["paper"]),
        "the paper's network, galaxies/s of processor time": round(args.n / runs["paper"][1]),
        "over the paper's own rate": round(rate["paper"] / PAPER_RATE, 1),
        "the paper's network alone, galaxies/s": round(1 / alone["paper"]),
        "GFLOP/s in it": round(network_flop(paper) / alone["paper"] / 1e9, 1),
        "matrix-product peak of this core, GFLOP/s": round(peak, 1),
        "fraction of the peak in the paper's network": round(network_flop(paper) / alone["paper"] / 1e9 / peak, 3),
        "ours with uncertainties, file to file, galaxies/s": round(rate["ours"]),
        "ours, galaxies/s of processor time": round(args.n / runs["ours"][1]),
        "ours in memory, galaxies/s": round(1 / in_memory),
        "ours, network and quantiles alone, galaxies/s": round(1 / alone["ours"]),
        "ours, as a fraction of the floor": round(rate["ours"] / (args.n / floor[0]), 3),
        "ours over the paper's network": round(rate["ours"] / rate["paper"], 2),
        "not inferred, share": float(np.mean((flags & np.uint32(Flag.NOT_INFERRED)) != 0)),
        "python": platform.python_version(),
        "onnxruntime": onnxruntime.__version__,
        "numpy": np.__version__,
        "machine": processor(),
    }
    for what, value in figures.items():
        print(f"{what:56} {value:,}" if isinstance(value, int) else f"{what:56} {value}")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


def processor() -> str:
    """What the processor calls itself."""
    info = Path("/proc/cpuinfo")
    names = (
        [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if (info.exists())
        else []
    )
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    raise SystemExit(main())
