"""Small bundles of the toy sky: hardly trained, but everything that a bundle is."""

from dataclasses import replace

import numpy as np
import torch

import toy_sky
from galprism import surveys
from galprism.nets import Estimator, MixtureConfig, MLPConfig, ResidualConfig
from galprism.prep import DropConfig, Preparation, PreparationConfig, Targets, TargetsConfig, drop
from galprism.train import DrawnData, pack, take_rows


def bundle(kind="mixture", n=3000, steps=60, **changes):
    """`mixture`: colours, residual network, any bands. `point`: the paper's kind, magnitudes and a perceptron."""
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
    settings = {"name": f"toy-{kind}", "title": "A toy.", "seed": 3, "recipe": {"name": "toy"}, "metrics": {"rms": 0.3}}
    return pack(estimator, preparation, targets, surveys.get("kids"), **settings | changes), estimator, targets
