"""How fast the networks of pictures and spectra answer on one core, against the answers of PyTorch first.

    python benchmarks/multimodal.py [-n ROWS] [--repeats 6]

Networks have their first weights: their speed is that of trained ones, their answers mean nothing. Rates are of the
time of the processor, best of several, so that they hold where other work shares the machine; beside them stands the
fastest float32 matrix product of this core.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import onnxruntime
import torch
from scipy.special import ndtri
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from galprism.nets import MixtureConfig
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
from galprism.nets.multimodal import MODALITIES, Multimodal, MultimodalConfig, Shapes, multimodal_to_onnx
from galprism.nets.staged import FromPictures, staged_to_onnx
from rates import fastest_peak

AGREE = 1e-4
"""ONNX Runtime against PyTorch, of the largest answer."""
BATCHES = (1, 4, 16)
SHAPES = Shapes(photometry=20, bands=4, size=64, spectrum=40)
IDENTITY, NOTHING = torch.eye(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
LEVELS = np.array([0.16, 0.5, 0.84])


def cpu_rate(work: Callable[[], object], count: int, repeats: int) -> float:
    """`count` over the processor's seconds of the fastest of several repeats."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return count / min(seconds)


def opened(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def operations(network: nn.Module, seen: list[Tensor]) -> int:
    """Floating-point operations of one row."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(*(part[:1] for part in seen))
    return counter.get_total_flops()


def networks(n: int) -> dict[str, tuple[nn.Module, dict[str, np.ndarray], dict[str, bytes]]]:
    """Each with feeds of n rows and its models."""
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    spectrum = {"spectrum": rng.random((n, POINTS), np.float32)}
    picture = {"picture": rng.random((n, 3, 128, 128), np.float32)}
    m1 = SpectrumNetwork(2, SpectrumConfig())
    parts = SimulatorNetwork(3, 128, SimulatorConfig()), PictureNetwork(3, 128, 2, PictureConfig())
    whole = FromPictures(*parts, AttentionNetwork(2, AttentionConfig()))
    found = {}
    for name, network, feed in (("M1", m1, spectrum), ("M2 + M3 + M4", whole, picture)):
        (key, value), *_ = feed.items()
        model = staged_to_onnx(network, {key: ("N", *value.shape[1:])}, IDENTITY, NOTHING)
        some = [{key: value[i : i + 4]} for i in range(0, min(n, 16), 4)]
        found[name] = network, feed, {"float32": model, "convolutions in 8 bits": in_eight_bits(model, some)}
    ours = Multimodal(SHAPES, MultimodalConfig(), 5, MixtureConfig(8))
    size = (n, SHAPES.bands, SHAPES.size, SHAPES.size)
    values = [rng.standard_normal(k, np.float32) for k in ((n, SHAPES.photometry), size, (n, SHAPES.spectrum))]
    feed = {**dict(zip(MODALITIES, values, strict=True)), "there": np.ones((n, 3), np.float32)}
    model = multimodal_to_onnx(ours, torch.eye(5, dtype=torch.float64), torch.zeros(5, dtype=torch.float64))
    found["ours"] = ours, feed, {"float32": model}
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
    for name, (network, feed, models) in made.items():
        network.eval()
        seen = [torch.from_numpy(part) for part in feed.values()]
        levels = {"level": LEVELS.astype(np.float32), "probit": ndtri(LEVELS).astype(np.float32)}
        extra, output = (levels, "raw") if name == "ours" else ({}, "point")
        flop = operations(network, seen)
        with torch.no_grad():
            expected = network(*(part[:4] for part in seen)).numpy()
        print(f"{name}: {flop / 1e9:.3f} GFLOP a row; float32 at that peak {top * 1e9 / flop:.0f} rows/s")
        for kind, model in models.items():
            session = opened(model)
            few = {key: part[:4] for key, part in feed.items()}
            answer = session.run([output], {**few, **extra})[0]
            off = np.abs((answer if output == "raw" else answer.T) - expected).max() / np.abs(expected).max()
            if kind == "float32" and not off < AGREE:
                raise SystemExit(f"{name}: ONNX Runtime and PyTorch differ by {off:.2e}; at most {AGREE:g} is right")
            rates = []
            for batch in (b for b in BATCHES if b <= args.n):
                given = {**{key: part[:batch] for key, part in feed.items()}, **extra}
                rate = cpu_rate(lambda s=session, g=given: s.run(None, g), batch, args.repeats)
                rates.append(f"{rate:.0f} ({rate * flop / 1e9 / top:.2f})")
            sizes = ", ".join(str(b) for b in BATCHES if b <= args.n)
            print(
                f"  {kind}: rows/s (fraction of the peak) at {sizes} rows a time: {', '.join(rates)}; off by {off:.1e}"
            )


if __name__ == "__main__":
    main()
