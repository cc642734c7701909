"""Small bundles of the toy sky: hardly trained, but everything that a bundle is."""

from dataclasses import replace

import numpy as np
import torch

import toy_sky
from galprism import passbands, surveys
from galprism.bundle import Bundle
from galprism.nets import Estimator, MixtureConfig, MLPConfig, ResidualConfig
from galprism.prep import DropConfig, Preparation, PreparationConfig, Targets, TargetsConfig, drop
from galprism.recipes.estimators import coordinates_of, readout_of
from galprism.train import DrawnData, take_rows


def bundle(kind="mixture", n=3000, steps=60):
    """(bundle, estimator, targets).

    `mixture`: colours, residual network, any bands. `point`: the paper's kind, magnitudes and a perceptron.
    """
    sources, truth = toy_sky.catalogue(n, seed=1)
    if kind == "point":
        good = np.all(sources.photometry.flux > 0, axis=1)
        sources, truth = sources.take(good), truth.take(good)
        config, targets_config, network, dropping = (
            PreparationConfig(kind="magnitudes"),
            TargetsConfig(relative=False, standardise=False),
            ("mlp", MLPConfig(layers=(32, 16)), None),
            DropConfig(),
        )
    else:
        config, targets_config, network, dropping = (
            PreparationConfig(),
            TargetsConfig(),
            ("residual", ResidualConfig(width=24, blocks=2), MixtureConfig(4)),
            DropConfig(bands=0.4, errors=0.1),
        )
    lossy = replace(sources, photometry=drop(sources.photometry, dropping, np.random.default_rng(4)))
    preparation = Preparation.fit(config, lossy)
    targets = Targets.fit(targets_config, truth.values, preparation.features(sources).anchor)
    data = DrawnData(take_rows(sources), truth.values, preparation, targets, 300, seed=2, drop=dropping)
    name, net, mixture = network
    estimator = Estimator(name, net, len(preparation.input_names), 2, mixture, seed=3)
    optimizer = torch.optim.Adam(estimator.parameters(), lr=5e-3)
    done = 0
    while done < steps:
        for x, y in data.batches(done):
            raw = estimator(x)
            loss = ((raw - y) ** 2).mean() if estimator.head is None else estimator.head.nll(raw, y).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            done += 1
    packed = Bundle(
        name=f"toy-{kind}",
        title="A toy.",
        survey="kids",
        passbands={
            band.name: {"name": band.passband, "hash": passbands.get(band.passband).hash}
            for band in surveys.get("kids").bands
        },
        preparation=preparation,
        targets=targets.names,
        anchored=tuple(targets.anchored.tolist()),
        ranges=targets.ranges,
        kind=kind,
        coordinates=coordinates_of(estimator, targets),
        network={"weights": estimator.n_weights},
        recipe={"name": "toy"},
        seed=3,
        metrics={"rms": 0.3},
        provenance={"torch": torch.__version__},
        model=readout_of(estimator, targets, len(preparation.input_names)),
    )
    return packed, estimator, targets
