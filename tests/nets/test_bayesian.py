"""Networks whose weights are distributions, and what is learned and drawn of them."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from galprism.nets.bayesian import BayesianConfig, BayesianNetwork, Dropped, Flipout, bayesian, kl_gaussian
from galprism.train.bayesian import Draws, TurnedData, draws_of, embedded, learn
from galprism.train.schedule import LoopConfig

FORMS = ("dropout", "variational")
SMALL = {"channels": (4, 4), "width": 8}


@pytest.fixture(autouse=True)
def same_numbers():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        yield


def test_divergence_of_gaussians_is_its_integral():
    """By quadrature of q ln(q / p), of each weight."""
    mean, sigma, prior = np.array([0.0, 0.3, -1.2]), np.array([0.5, 0.05, 0.9]), 0.7
    x = np.linspace(-12, 12, 200_001)[:, None]
    q = np.exp(-0.5 * ((x - mean) / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))
    ln_ratio = -0.5 * ((x - mean) / sigma) ** 2 - np.log(sigma) + 0.5 * (x / prior) ** 2 + math.log(prior)
    expected = (q * ln_ratio).sum() * (x[1, 0] - x[0, 0])
    found = kl_gaussian(torch.tensor(mean), torch.tensor(sigma).log(), prior)
    assert found.item() == pytest.approx(expected, rel=1e-6)
    assert kl_gaussian(torch.zeros(5), torch.full((5,), prior).log(), prior).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("layer", [nn.Linear(6, 3), nn.Conv2d(6, 3, 3, 2, 1)], ids=["linear", "convolution"])
def test_flipout_draws_weights_of_the_stated_width(layer):
    """Over many draws the outputs have the layer's mean, and the variance that independent weights give."""
    shape = (4, 6) if isinstance(layer, nn.Linear) else (4, 6, 5, 5)
    x = torch.randn(shape)
    flip = Flipout(layer, BayesianConfig(first=0.4))
    with torch.no_grad():
        draws = torch.stack([flip.train()(x) for _ in range(1500)])
        torch.testing.assert_close(flip.eval()(x), layer(x))
        sigma = torch.exp(flip.ln_sigma)
        variance = flip._apply_weights(x**2, sigma**2, None)
    torch.testing.assert_close(draws.mean(0), flip.eval()(x), atol=0.05, rtol=0)
    torch.testing.assert_close(draws.var(0), variance, atol=0.002, rtol=0.2)
    apart = draws - draws.mean(0)
    between = (apart[:, 0] * apart[:, 1]).mean(0) / (apart[:, 0].var(0) * apart[:, 1].var(0)).sqrt()
    assert between.abs().max() < 0.1  # sources of a batch draw weights of their own


def test_whole_channels_are_left_out_and_their_mean_stays():
    dropped = Dropped(nn.Identity(), 0.25)
    found = dropped.train()(torch.ones(500, 8, 3, 3))
    assert ((found == 0).all((2, 3)) | (found == 1 / 0.75).all((2, 3))).all()
    assert found.mean().item() == pytest.approx(1, abs=0.03)
    assert dropped.eval()(torch.ones(2, 8)).eq(1).all()


def test_every_layer_of_a_network_is_replaced():
    layers = bayesian(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Sequential(nn.Linear(3, 1))), BayesianConfig())
    assert isinstance(layers[1], Dropped)
    made = BayesianNetwork(2, 8, 3, 2, BayesianConfig(form="variational", **SMALL))
    plain = [m for m in made.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    assert not plain
    assert made.kl().item() > 0
    assert BayesianNetwork(2, 8, 3, 2, BayesianConfig(**SMALL)).kl().item() == 0


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("bands", "columns"), [(2, 0), (0, 3), (2, 3)])
def test_images_columns_or_both_reach_every_weight(form, bands, columns):
    made = BayesianNetwork(bands, 8 if bands else 0, columns, 2, BayesianConfig(form=form, **SMALL))
    seen = [torch.randn(5, 2, 8, 8)] * bool(bands) + [torch.randn(5, 3)] * bool(columns)
    made.train()
    made.loss(made(*seen), torch.randn(5, 2)).backward()
    assert all(weight.grad is not None and torch.isfinite(weight.grad).all() for weight in made.parameters())
    assert made.features(*seen).shape == (5, 8)
    assert not torch.equal(made(*seen), made(*seen))
    made.eval()
    assert torch.equal(made(*seen), made(*seen))


def test_the_divergence_is_shared_among_the_galaxies():
    made = BayesianNetwork(0, 0, 3, 2, BayesianConfig(form="variational", width=8, tempering=0.5))
    made.n_learned = 40
    raw, y = made.eval()(torch.randn(6, 3)), torch.randn(6, 2)
    rest = made.loss(raw, y) - made.nll(raw, y).mean()
    assert rest.item() == pytest.approx(0.5 * made.kl().item() / 40, rel=1e-4)


def test_a_network_of_nothing_is_refused():
    with pytest.raises(ValueError, match="neither images nor columns"):
        BayesianNetwork(0, 0, 0, 1, BayesianConfig())


def test_variance_is_of_both_kinds():
    rng = np.random.default_rng(0)
    means, sigma = rng.normal(size=(7, 3, 2)), rng.uniform(0.1, 1, (7, 3, 2))
    draws = Draws(means, sigma)
    np.testing.assert_allclose(draws.variance, (means**2 + sigma**2).mean(0) - means.mean(0) ** 2)
    scaled = draws.in_units(np.array([2.0, 3.0]), np.array([1.0, -1.0]))
    np.testing.assert_allclose(scaled.epistemic, draws.epistemic * [4, 9])
    np.testing.assert_allclose(scaled.point, draws.point * [2, 3] + [1, -1])


@pytest.fixture(scope="module", params=FORMS)
def line(request, tmp_path_factory):
    """A network that has learned y = x + noise, whose width grows with |x|, of x between -1 and 1 alone."""
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (400, 1)).astype(np.float32)
    width = 0.05 + 0.4 * np.abs(x)
    y = x + width * rng.normal(size=x.shape)
    config = BayesianConfig(form=request.param, width=32, dropout=0.05, first=0.1, tempering=0.3)
    loop = LoopConfig(epochs=(50,), lr=(1e-2,), batch_size=50, keep="last")
    folder = tmp_path_factory.mktemp("line")
    rows = np.arange(350), np.arange(350, 400)
    return learn((x,), y, *rows, config, loop, folder), (x, y, rows, config, loop, folder)


def test_what_is_not_known_grows_away_from_what_was_learned(line):
    network, _ = line
    x = np.array([[0.0], [0.6], [4.0], [8.0]], np.float32)
    draws = draws_of(network, (x,), np.arange(4), 200)
    epistemic = np.sqrt(draws.epistemic[:, 0])
    assert epistemic[3] > epistemic[2] > 3 * epistemic[1]
    assert abs(draws.point[1, 0] - 0.6) < 0.15


def test_noise_of_the_data_is_the_other_part(line):
    network, _ = line
    x = np.linspace(-0.9, 0.9, 19, dtype=np.float32)[:, None]
    draws = draws_of(network, (x,), np.arange(19), 200)
    found = np.sqrt(draws.aleatoric[:, 0])
    planted = 0.05 + 0.4 * np.abs(x[:, 0])
    assert np.corrcoef(found, planted)[0, 1] > 0.93
    assert np.mean((found / planted)[np.abs(x[:, 0]) > 0.25]) == pytest.approx(1, abs=0.3)  # the kink is rounded off
    assert (draws.epistemic < draws.aleatoric).all()


def test_learning_is_taken_up_and_draws_follow_their_seed(line):
    network, (x, y, rows, config, loop, folder) = line
    again = learn((x,), y, *rows, config, loop, folder)
    some = np.array([3, 1])
    first, second = (draws_of(n, (x,), some, 5, seed=2).mean for n in (network, again))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, draws_of(network, (x,), some, 5, seed=3).mean)
    np.testing.assert_allclose(
        embedded(network, (x,), some), embedded(network, (x,), np.arange(4))[some], rtol=1e-4, atol=1e-6
    )


def test_images_are_turned_and_their_light_stays():
    images = np.random.default_rng(0).random((6, 2, 4, 4)).astype(np.float32)
    data = TurnedData((images, np.arange(6.0)[:, None]), np.arange(6.0)[:, None], 6, 0)
    (seen, numbers), y = next(iter(data.batches(1)))
    np.testing.assert_allclose(seen.sum((2, 3)), images.sum((2, 3)), rtol=1e-4, atol=1e-6)
    assert not np.array_equal(seen.numpy(), images)
    assert torch.equal(numbers, y)
    np.testing.assert_array_equal(next(iter(data.batches(1)))[0][0], seen)
