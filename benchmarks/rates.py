"""How fast something is, and this core: what benchmarks of several kinds share."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

SIDE = 2048


def best_rate(
    work: Callable[[], object], count: int, repeats: int, clock: Callable[[], float] = time.perf_counter
) -> float:
    """`count` over the seconds of the fastest of several repeats, by the wall's clock or another."""
    seconds = []
    for _ in range(repeats):
        start = clock()
        work()
        seconds.append(clock() - start)
    return count / min(seconds)


def matrix_peak(repeats: int = 10) -> float:
    """GFLOP/s of a float32 matrix product on this thread."""
    a, b = (np.random.default_rng(k).standard_normal((SIDE, SIDE)).astype(np.float32) for k in range(2))
    return 2.0 * SIDE**3 / 1e9 * best_rate(lambda: a @ b, 1, repeats)


def fastest_peak() -> float:
    """GFLOP/s of the fastest float32 matrix product found: NumPy's, PyTorch's or ONNX Runtime's, at four sizes."""
    rate = 0.0
    for n in (384, 512, 768, 1536):
        a = np.random.default_rng(0).random((n, n), dtype=np.float32)
        t, product = torch.from_numpy(a), onnx_product(a)
        for call in (lambda a=a: a @ a, lambda t=t: t @ t, lambda a=a, p=product: p.run(None, {"x": a})):
            rate = max(rate, 2 * n**3 / 1e9 * best_rate(call, 1, 60))
    return rate


def onnx_product(a: np.ndarray) -> onnxruntime.InferenceSession:
    """x @ a in ONNX Runtime."""
    shape = [len(a), len(a)]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "a"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(a, "a")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
