"""How fast the networks of pictures and spectra answer on one core, against the answers of PyTorch first.

    python benchmarks/multimodal.py [-n ROWS] [--repeats 6]

Networks have their first weights: their speed is that of trained ones, their answers mean nothing. Rates are of the
time of the processor, best of several, so that they hold where other work shares the machine; beside them stands the
fastest float32 matrix product of this core.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from galprism.infer.session import open_network
from galprism.nets import Estimator, MixtureConfig, readout_to_onnx
from galprism.nets.eight_bits import in_eight_bits
from galprism.nets.mmlforgalam import (
    POINTS,
    AttentionConfig,
    AttentionNetwork,
    PictureConfig,
    PictureNetwork,
    SimulatorConfig,
    SimulatorNetwork,
    SpectrumConfig,
    SpectrumNetwork,
)
from galprism.nets.multimodal import MultimodalConfig
from galprism.nets.staged import FromPictures, FromRows, staged_to_onnx
from rates import best_rate, fastest_peak

AGREE = 1e-4
"""ONNX Runtime against PyTorch, of the largest answer."""
BATCHES = (1, 4, 16)
OURS = MultimodalConfig(shape=(11, 21, 84, 49, 3, 64), width=112, blocks=3)
"""As `galaxy-populations` is."""
PICTURE = (3, 128, 128)
IDENTITY, NOTHING = torch.eye(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
LEVELS = np.array([0.16, 0.5, 0.84])


def operations(network: nn.Module, seen: Tensor) -> int:
    """Floating-point operations of one row."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(seen[:1])
    return counter.get_total_flops()


def networks(n: int) -> dict[str, tuple[nn.Module, np.ndarray, dict[str, bytes]]]:
    """Each with n rows of inputs and its models."""
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    m1 = SpectrumNetwork(2, SpectrumConfig())
    parts = SimulatorNetwork(3, 128, SimulatorConfig()), PictureNetwork(3, 128, 2, PictureConfig())
    whole = FromPictures(*parts, AttentionNetwork(2, AttentionConfig()))
    found: dict[str, tuple[nn.Module, np.ndarray, dict[str, bytes]]] = {}
    for name, network, points, picture in (("M1", m1, POINTS, (0, 0, 0)), ("M2 + M3 + M4", whole, 0, PICTURE)):
        rows = FromRows(network, points, picture)
        value = rng.random((n, rows.n_inputs), np.float32)
        model = staged_to_onnx(network, points, picture, IDENTITY, NOTHING)
        some = [{"features": value[i : i + 4]} for i in range(0, min(n, 16), 4)]
        found[name] = rows, value, {"float32": model, "convolutions in 8 bits": in_eight_bits(model, some)}
    *columns, bands, size = OURS.shape
    n_inputs = sum(columns) + bands * size**2
    ours = Estimator("multimodal", OURS, n_inputs, 5, MixtureConfig(8))
    value = rng.standard_normal((n, n_inputs), np.float32)
    value[:, :3] = 1.0
    linear, offset = torch.eye(5, dtype=torch.float64), torch.zeros(5, dtype=torch.float64)
    found["ours"] = ours, value, {"float32": readout_to_onnx(ours, n_inputs, linear, offset)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-n", type=int, default=16, help="rows at most at a time")
    parser.add_argument("--repeats", type=int, default=6)
    args = parser.parse_args()
    torch.set_num_threads(1)
    made = networks(args.n)
    top = fastest_peak()
    print(f"fastest float32 matrix product of this core: {top:.0f} GFLOP/s")
    for name, (network, rows, models) in made.items():
        network.eval()
        seen = torch.from_numpy(rows)
        levels = {"level": LEVELS.astype(np.float32), "probit": ndtri(LEVELS).astype(np.float32)}
        extra, output = (levels, "raw") if name == "ours" else ({}, "point")
        flop = operations(network, seen)
        with torch.no_grad():
            expected = network(seen[:4]).numpy()
        print(f"{name}: {flop / 1e9:.3f} GFLOP a row; float32 at that peak {top * 1e9 / flop:.0f} rows/s")
        for kind, model in models.items():
            session = open_network("benchmark", model)
            answer = session.run([output], {"features": rows[:4], **extra})[0]
            off = np.abs(answer - expected).max() / np.abs(expected).max()
            if kind == "float32" and not off < AGREE:
                raise SystemExit(f"{name}: ONNX Runtime and PyTorch differ by {off:.2e}; at most {AGREE:g} is right")
            rates = []
            for batch in (b for b in BATCHES if b <= args.n):
                given = {"features": rows[:batch], **extra}
                rate = best_rate(lambda s=session, g=given: s.run(None, g), batch, args.repeats, time.process_time)
                rates.append(f"{rate:.0f} ({rate * flop / 1e9 / top:.2f})")
            sizes = ", ".join(str(b) for b in BATCHES if b <= args.n)
            print(
                f"  {kind}: rows/s (fraction of the peak) at {sizes} rows a time: {', '.join(rates)}; off by {off:.1e}"
            )


if __name__ == "__main__":
    main()
