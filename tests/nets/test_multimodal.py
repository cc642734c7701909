"""One network over whatever is there: what is missing has no say, and what is there has one."""

import numpy as np
import onnxruntime
import pytest
import torch
from scipy.special import ndtri

from galprism.nets import Estimator, MixtureConfig, readout_to_onnx
from galprism.nets.multimodal import MODALITIES, MultimodalConfig

CONTEXT, RINGS, IMAGE = 5, 4, (2, 12)
SIZES = {"photometry": 6, "image": RINGS + 2 * 12 * 12, "spectrum": 7}
ORDER = ("photometry", "spectrum", "image")
"""As a row is laid out."""


def config(without=None):
    size = {name: 0 if name == without else n for name, n in SIZES.items()}
    bands = 0 if without == "image" else IMAGE[0]
    shape = (CONTEXT, size["photometry"], size["spectrum"], 0 if without == "image" else RINGS, bands, IMAGE[1])
    return MultimodalConfig(shape=shape, width=16, heads=4, fusions=2, blocks=1, channels=(4, 6))


def network(without=None, seed=1, n_coordinates=2, components=3):
    n_inputs = CONTEXT + sum(n for name, n in SIZES.items() if name != without)
    mixture = MixtureConfig(components) if components else None
    return Estimator("multimodal", config(without), n_inputs, n_coordinates, mixture, seed=seed)


def place(which):
    """Where in a row a modality stands."""
    start = CONTEXT + sum(SIZES[name] for name in ORDER[: ORDER.index(which)])
    return slice(start, start + SIZES[which])


def row(parts, context):
    return torch.cat([context, *(parts[name].flatten(1) for name in ORDER)], 1)


def seen(n, seed=0):
    rng = torch.Generator().manual_seed(seed)
    parts = {name: torch.randn(n, size, generator=rng) for name, size in SIZES.items()}
    there = (torch.rand(n, 3, generator=rng) > 0.4).float()
    return row(parts, torch.cat([there, torch.randn(n, CONTEXT - 3, generator=rng)], 1))


def test_it_is_small():
    shape = (9, 21, 84, 49, 3, 64)
    made = Estimator("multimodal", MultimodalConfig(shape=shape), 9 + 21 + 84 + 49 + 3 * 64 * 64, 5, MixtureConfig(8))
    assert made.n_weights == 595_144


@pytest.mark.parametrize("which", MODALITIES)
class TestEachModality:
    def test_what_is_missing_has_no_say(self, which):
        """Not even where its values are no numbers."""
        net, tensor = network().eval(), seen(12)
        tensor[:, MODALITIES.index(which)] = 0.0
        answer = net(tensor)
        for value in (1e4, float("nan")):
            tensor[:, place(which)] = value
            assert torch.equal(net(tensor), answer)

    def test_nor_does_it_spoil_the_gradient(self, which):
        net, tensor = network(), seen(12)
        tensor[:, MODALITIES.index(which)] = 0.0
        tensor[:, place(which)] = float("nan")
        net(tensor).square().sum().backward()
        assert all(torch.isfinite(weight.grad).all() for weight in net.parameters())

    def test_what_is_there_has_one(self, which):
        net, tensor = network().eval(), seen(12)
        tensor[:, MODALITIES.index(which)] = 1.0
        answer = net(tensor)
        tensor[:, place(which)] += 1.0
        assert (net(tensor) - answer).abs().amax(1).min() > 0

    def test_missing_is_not_the_same_as_nothing(self, which):
        net, tensor = network().eval(), seen(12)
        tensor[:, place(which)] = 0.0
        tensor[:, MODALITIES.index(which)] = 1.0
        answer = net(tensor)
        tensor[:, MODALITIES.index(which)] = 0.0
        assert (net(tensor) - answer).abs().amax(1).min() > 0

    def test_a_network_may_be_without_it(self, which):
        net = network(without=which).eval()
        kept = torch.ones(CONTEXT + sum(SIZES.values()), dtype=torch.bool)
        kept[place(which)] = False
        assert net(seen(5)[:, kept]).shape == (5, net.head.n_raw)


def test_a_gradient_reaches_every_weight():
    """From the second step: what starts at zero hides what stands before it."""
    net, y = network(), torch.randn(64, 2)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(2):
        loss = net.head.nll(net(seen(64)), y).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for key, weight in net.named_parameters():
        assert weight.grad.abs().max() > 0, key


def test_a_source_does_not_see_its_neighbours():
    net, tensor = network().double(), seen(8).double()
    torch.testing.assert_close(net(tensor)[3:4], net(tensor[3:4]))


def test_what_is_known_beside_the_light_has_a_say():
    net, tensor = network().eval(), seen(12)
    answer = net(tensor)
    tensor[:, CONTEXT - 1] += 1.0
    assert (net(tensor) - answer).abs().amax(1).min() > 0


def test_onnx_gives_what_torch_gives():
    net, tensor = network().eval(), seen(200)
    linear = torch.tensor([[0.3, 0.0], [0.3, 0.5]], dtype=torch.float64)
    offset = torch.tensor([-1.0, -11.0], dtype=torch.float64)
    model = readout_to_onnx(net, tensor.shape[1], linear, offset)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    level = np.array([0.16, 0.5, 0.84], np.float32)
    feed = {"features": tensor.numpy(), "level": level, "probit": ndtri(level).astype(np.float32)}
    found = session.run(["point", "sigma", "raw"], feed)
    with torch.no_grad():
        raw = net(tensor)
        _, _, sigma = net.head.marginals(raw, linear.float())
        np.testing.assert_allclose(found[0].T, net.mean(raw).double() @ linear.T + offset, atol=5e-6)
    np.testing.assert_allclose(found[1], sigma, rtol=2e-5)
    np.testing.assert_allclose(found[2], raw, atol=5e-6)


def test_images_that_are_not_there_are_not_looked_at():
    """Not by torch and not by ONNX: with all, with some, or with none."""
    net, tensor = network(n_coordinates=1).eval(), seen(12)
    one, zero = torch.ones((1, 1), dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    model = readout_to_onnx(net, tensor.shape[1], one, zero)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    looked: list[int] = []
    net.body.encoders["image"].register_forward_pre_hook(lambda module, given: looked.append(len(given[0])))
    for there in (torch.ones(12), (torch.arange(12) % 3 == 0).float(), torch.zeros(12)):
        tensor[:, MODALITIES.index("image")] = there
        raw = net(tensor).detach().numpy()
        assert looked.pop() == int(there.sum())
        feed = {"features": tensor.numpy(), "level": np.array([0.5], np.float32), "probit": np.zeros(1, np.float32)}
        np.testing.assert_allclose(session.run(["raw"], feed)[0], raw, atol=5e-6)


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="accepted: of 99"):
        Estimator("multimodal", config(), 99, 2)


@pytest.mark.parametrize("settings", [{"width": 10, "heads": 4}, {"activation": "sin"}, {"shape": (1, 2)}])
def test_settings_that_make_no_network_are_refused(settings):
    with pytest.raises(ValueError, match="accepted"):
        MultimodalConfig(**settings)


def test_more_modalities_tell_more():
    """A planted number that each modality measures with an error of its own: the rms with all three is below that with
    any one, and that of one alone is near the error that it has."""
    torch.manual_seed(0)
    error = torch.tensor([0.6, 0.8, 0.4])
    net = network(n_coordinates=1, components=0)
    optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)

    def draw(n, there):
        y = torch.randn(n, 1)
        measured = y + error * torch.randn(n, 3)
        parts = {name: measured[:, [i]].expand(n, SIZES[name]) for i, name in enumerate(MODALITIES)}
        return row(parts, torch.cat([there, torch.zeros(n, CONTEXT - 3)], 1)), y

    for _ in range(250):
        tensor, y = draw(128, (torch.rand(128, 3) > 0.4).float())
        loss = (net(tensor) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()
    rms = {}
    with torch.no_grad():
        for there in ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 1, 1)):
            given = torch.tensor(there, dtype=torch.float32)
            tensor, y = draw(3000, given.expand(3000, 3))
            rms[there] = (net(tensor) - y).square().mean().sqrt().item()
            known = 1 + (given / error**2).sum().item()  # of the posterior: that of the prior, and of what is there
            assert rms[there] == pytest.approx(known**-0.5, rel=0.15)
    assert rms[1, 1, 1] < min(rms[1, 1, 0], rms[0, 0, 1])
    assert rms[1, 1, 0] < min(rms[1, 0, 0], rms[0, 1, 0])
