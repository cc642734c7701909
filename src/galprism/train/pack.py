"""A trained estimator with all that it depends on, as a bundle."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import torch

from galprism import passbands
from galprism.bundle import Bundle, define
from galprism.nets import Estimator, readout_to_onnx
from galprism.prep import Preparation, Targets
from galprism.surveys import Survey


def pack(
    estimator: Estimator,
    preparation: Preparation,
    targets: Targets,
    survey: Survey,
    *,
    name: str,
    title: str,
    seed: int,
    network: Mapping[str, Any] | None = None,
    recipe: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
    steps: int = 3,
) -> Bundle:
    """The bundle, not yet written (see galprism.bundle.save).

    network, recipe, metrics : for the record, anything that JSON holds. steps : how often the quantiles of a mixture
    are improved in the exported network.
    """
    by_name = {band.name: band.passband for band in survey.bands}
    model = readout_to_onnx(
        estimator.cpu(),
        len(preparation.input_names),
        torch.from_numpy(targets.linear),
        torch.from_numpy(targets.offset),
        steps=steps,
    )
    return Bundle(
        name=name,
        title=title,
        survey=survey.name,
        passbands={
            band: {"name": by_name[band], "hash": passbands.get(by_name[band]).hash} for band in preparation.bands
        },
        preparation=preparation,
        targets=targets.names,
        anchored=tuple(float(a) for a in targets.anchored),
        kind="point" if estimator.head is None else "mixture",
        network={**(network or {}), "weights": estimator.n_weights},
        recipe=dict(recipe or {}),
        seed=seed,
        metrics=dict(metrics or {}),
        provenance={
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "onnx": onnx.__version__,
            "machine": platform.machine(),
        },
        definitions=define(targets.names),
        model=model,
    )
