"""Branches watched while they are trained, and the one of more use held."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from galprism.nets import Regressor
from galprism.nets.joined import IntermediateFusion, JoinedConfig, Shape
from galprism.train import LoopConfig, train
from galprism.train.arrays import ArrayData, answers_of
from galprism.train.balance import Balance, BalanceConfig, branch_of, squares, utilisation
from galprism.train.joined import JoinedData

N, SIDE, PIXELS = 240, 8, 64
NET = JoinedConfig(width=8, blocks=1, dropout=0.0, image_channels=(4,), spectrum_channels=4)


def imbalanced(faint=0.15):
    """Images and spectra that say the target as well as each other, but spectra are so faint that they are learned from
    slowly."""
    rng = np.random.default_rng(0)
    one = rng.normal(size=(N, 1))
    image = 0.05 * rng.normal(size=(N, 2, SIDE, SIDE))
    image[:, :, 3:5, 3:5] += one[:, :, None, None]
    spectrum = faint * (one * np.sin(np.arange(PIXELS)) + 0.2 * rng.normal(size=(N, PIXELS)))
    return tuple(part.astype(np.float32) for part in (image, spectrum)), one.astype(np.float32)


def made(rows, lost=(0.0, 0.0)):
    inputs, targets = imbalanced()
    return JoinedData(ArrayData(inputs, targets, 20, 0, rows), True, lost)


def trained(folder, treat, epochs=12, stop=None):
    data, held = made(np.arange(180)), made(np.arange(180, N))
    loop = LoopConfig(epochs=(epochs,), lr=(5e-3,), batch_size=20, loss="mse")
    network = Regressor(lambda n: IntermediateFusion(n, Shape(2, SIDE, PIXELS), NET), 1, seed=3)
    watch = Balance(BalanceConfig(treat, window=3, last_epoch=6), held, loop.delta)

    def report(epoch, of):
        if epoch.epoch == stop:
            raise KeyboardInterrupt

    train(network, data, held, loop, folder, watch=watch, report=report)
    return network, watch


def rates(network):
    held = made(np.arange(180, N))
    said = {
        kept: answers_of(network, replace(held, kept=kept)) for kept in ((True, True), (True, False), (False, True))
    }
    truth = imbalanced()[1][180:]
    return utilisation(truth, said[True, True], said[True, False], said[False, True])


def test_gradients_are_those_of_autograd():
    torch.manual_seed(0)
    network = Regressor(lambda n: IntermediateFusion(n, Shape(2, SIDE, PIXELS), NET), 1)
    data = made(np.arange(180))
    watch = Balance(BalanceConfig(treat=False), data, math.inf)
    seen, y = next(data.batches(0))
    value = torch.nn.functional.mse_loss(network(*seen), y)
    wanted = {}
    for name in ("image", "spectrum"):
        weights = list(branch_of(network, name).parameters())
        found = torch.autograd.grad(value, weights, retain_graph=True, allow_unused=True)
        own = sum((gradient**2).sum().item() for gradient in found if gradient is not None)
        wanted[name] = own, own / sum((weight**2).sum().item() for weight in weights)
    value.backward()
    watch.felt(network)
    for i, name in enumerate(("image", "spectrum")):
        assert watch._gradient[i] == pytest.approx(math.sqrt(wanted[name][0]), rel=1e-5)
        assert squares(branch_of(network, name))[0] == pytest.approx(wanted[name][0], rel=1e-5)
        assert watch._speed[i] == pytest.approx(wanted[name][1], rel=1e-5)


def test_treated_training_lowers_the_gap_of_utilisation(tmp_path):
    """The image is leaned on where nothing is done; held while it is of more use, the spectrum learns to answer."""
    gaps = {}
    for treat in (False, True):
        network, watch = trained(tmp_path / str(treat), treat)
        found = rates(network)
        gaps[treat] = abs(found["image"][0] - found["spectrum"][0])
        held = np.sum([line.held for line in watch.history], axis=0)
        assert (held.sum() > 0) == treat
    assert gaps[True] < 0.7 * gaps[False], gaps


def test_a_watched_training_is_taken_up_where_it_stood(tmp_path):
    whole, one = trained(tmp_path / "whole", True, 4)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "parts", True, 4, stop=2)
    parts, other = trained(tmp_path / "parts", True, 4)
    assert one.history == other.history
    for name, value in whole.state_dict().items():
        assert torch.equal(value, parts.state_dict()[name]), name


def test_modalities_are_taken_away_in_their_shares():
    data = made(np.arange(180), lost=(0.2, 0.3))
    there = torch.cat([seen[-1] for seen, _ in data.batches(0)])
    assert there.sum(1).min() == 1
    np.testing.assert_allclose(1 - there.mean(0).numpy(), [0.2, 0.3], atol=0.1)
    again = torch.cat([seen[-1] for seen, _ in data.batches(0)])
    assert torch.equal(there, again)
    with pytest.raises(ValueError, match="of 1 together"):
        made(np.arange(180), lost=(0.7, 0.7))


def test_a_modality_that_says_nothing_new_has_no_use():
    truth = np.linspace(0, 1, 50)[:, None]
    found = utilisation(truth, truth + 0.1, truth + 0.1, truth + 0.4)
    assert found["spectrum"] == pytest.approx([0.0])
    assert found["image"] == pytest.approx([0.75])
