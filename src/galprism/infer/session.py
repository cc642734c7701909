"""The network of a bundle, run by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as state
from scipy.special import ndtri

import galprism
from galprism.bundle import Bundle
from galprism.errors import RequestError
from galprism.infer.quantiles import mixture_cdf, mixture_quantiles

BATCH_ROWS, BATCH_INPUTS = 1024, 2**20
"""Rows that go through the network at a time: what it needs then stays in the cache of one core; of networks of images
so many pixels."""


def describe_model(bundle: Bundle) -> dict[str, object]:
    """What predictions of any kind say of the model that made them."""
    return {
        "method": "network",
        "model": bundle.name,
        "model_hash": bundle.hash,
        "recipe": bundle.recipe_name,
        "survey": bundle.survey,
        "bands": list(bundle.bands),
        "seed": bundle.seed,
        "galprism": galprism.__version__,
    }


Marginals = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Weights (K, N), means and sigmas (P, K, N) of the targets' mixtures, in the sources' frames."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What the network says of N sources, in their own frames (galprism.prep.frames); sources last, so that a column
    is in one piece."""

    point: np.ndarray
    """(P, N), the means, and of parameters that are bounded the means of how far up their range they are."""
    quantiles: np.ndarray | None
    """(Q, P, N); None where the model has only a point."""
    spread: np.ndarray | None = None
    """(P, N), the standard deviations, of bounded ones before they are turned into fractions; None where they were not
    asked for."""
    raw: np.ndarray | None = None
    """(N, R), the joint mixture as the network has it; None where it was not asked for."""
    marginals: Marginals | None = None
    """Of a mixture, where they were asked for."""


def open_network(name: str, model: bytes) -> onnxruntime.InferenceSession:
    """A network of the bundle of that name, for one thread at a time. Raises RequestError where it cannot be loaded."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except (state.Fail, state.InvalidGraph, state.InvalidProtobuf, state.NotImplemented) as error:
        raise RequestError(f"bundle {name}: ONNX Runtime cannot load its network: {error}") from error


class Session:
    """A bundle's network, ready to run; it may be run from several threads at once."""

    def __init__(self, bundle: Bundle) -> None:
        self.onnx = open_network(bundle.name, bundle.model)
        self.mixture = bundle.kind == "mixture"
        self.n_targets = len(bundle.targets)
        self.n_inputs = next(entry.shape[1] for entry in self.onnx.get_inputs() if entry.name == "features")
        self.batch = max(min(BATCH_ROWS, BATCH_INPUTS // max(self.n_inputs, 1)), 1)

    def run(
        self,
        inputs: np.ndarray,
        levels: tuple[float, ...],
        *,
        spread: bool = False,
        raw: bool = False,
        marginals: bool = False,
    ) -> Answers:
        """Answers for features (N, F), float32, at Q levels, and of a mixture its `spread`, its `raw` form and its
        `marginals`."""
        n, p, q = len(inputs), self.n_targets, len(levels)
        point = np.empty((p, n), np.float32)
        if not self.mixture:
            for rows in batches(n, self.batch):
                (point[:, rows],) = self.onnx.run(["point"], {"features": inputs[rows]})
            return Answers(point, None)
        quantiles = np.empty((q, p, n), np.float32)
        feed = model_inputs(levels or (0.5,))
        wanted = ["point", "quantiles", "doubt", "weight", "mean", "sigma", *(["raw"] if raw else [])]
        joint = []
        unsure = []
        parts = []
        deviation = np.empty((p, n), np.float32) if spread else None
        for rows in batches(n, self.batch):
            found = self.onnx.run(wanted, {"features": inputs[rows], **feed})
            point[:, rows], x, doubt, weight, mean, sigma = found[:6]
            joint += found[6:]
            if marginals:
                parts.append((weight, mean, sigma))
            if deviation is not None:
                off = mean - (weight * mean).sum(axis=1)[:, None]
                deviation[:, rows] = np.sqrt((weight * (sigma * sigma + off * off)).sum(axis=1))
            if q:
                quantiles[:, :, rows] = x.transpose(1, 0, 2)
                i, j, k = np.nonzero(~(doubt <= 1.0))  # a doubt that is not a number counts
                unsure.append((rows.start + k, i, j, weight[:, k].T, mean[i, :, k], sigma[i, :, k]))
        if unsure:
            row, i, j, weight, mean, sigma = (np.concatenate(parts) for parts in zip(*unsure, strict=True))
            level = np.array(levels)[j]
            quantiles[j, i, row] = mixture_quantiles(weight, mean, sigma, level, quantiles[j, i, row])
        together = _together(parts) if parts else None
        return Answers(point, quantiles, deviation, np.concatenate(joint) if joint else None, together)

    def marginals(self, inputs: np.ndarray) -> Marginals:
        """Of features (N, F), of which there are some."""
        return self.mixtures(inputs)[:3]

    def mixtures(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The marginals, and the joint mixtures (N, R) as the network has them."""
        feed = model_inputs((0.5,))
        wanted = ["weight", "mean", "sigma", "raw"]
        parts = [self.onnx.run(wanted, {"features": inputs[rows], **feed}) for rows in batches(len(inputs), self.batch)]
        return *_together([part[:3] for part in parts]), np.concatenate([part[3] for part in parts])

    def cdf(self, inputs: np.ndarray, x: np.ndarray) -> np.ndarray:
        """(N, P), the probability below x (N, P), in the sources' frames."""
        if not len(inputs):
            return np.zeros(x.shape)
        weight, mean, sigma = self.marginals(inputs)
        below = [mixture_cdf(weight.T, mean[i].T, sigma[i].T, x[:, i]) for i in range(self.n_targets)]
        return np.stack(below, axis=1)


def _together(parts: Sequence[Marginals]) -> Marginals:
    weight, mean, sigma = (np.concatenate(values, axis=-1) for values in zip(*parts, strict=True))
    return weight, mean, sigma


def batches(n: int, size: int = BATCH_ROWS) -> list[slice]:
    """Slices of `size` rows."""
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def model_inputs(levels: tuple[float, ...]) -> dict[str, Any]:
    """The model's inputs that say which quantiles are wanted."""
    level = np.array(levels, np.float64)
    return {"level": level.astype(np.float32), "probit": ndtri(level).astype(np.float32)}
