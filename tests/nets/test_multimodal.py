"""One network over whatever is there: what is missing has no say, and what is there has one."""

import numpy as np
import onnxruntime
import pytest
import torch
from scipy.special import ndtri

from galprism.nets import MixtureConfig
from galprism.nets.multimodal import MODALITIES, Multimodal, MultimodalConfig, Shapes, multimodal_to_onnx

SHAPES = Shapes(photometry=6, bands=2, size=12, spectrum=7)
CONFIG = MultimodalConfig(width=16, heads=4, fusions=2, blocks=1, channels=(4, 6))


def network(shapes=SHAPES, seed=1, **changes):
    return Multimodal(shapes, CONFIG, 2, MixtureConfig(3), seed=seed, **changes)


def seen(n, shapes=SHAPES, seed=0):
    rng = torch.Generator().manual_seed(seed)
    image = torch.randn(n, shapes.bands, shapes.size, shapes.size, generator=rng)
    there = (torch.rand(n, 3, generator=rng) > 0.4).float()
    return (
        torch.randn(n, shapes.photometry, generator=rng),
        image,
        torch.randn(n, shapes.spectrum, generator=rng),
        there,
    )


def test_it_is_small():
    shapes = Shapes(photometry=20, bands=4, size=64, spectrum=40)
    assert Multimodal(shapes, MultimodalConfig(), 5, MixtureConfig(8)).n_weights == 539_480


@pytest.mark.parametrize("which", range(3), ids=MODALITIES)
class TestEachModality:
    def test_what_is_missing_has_no_say(self, which):
        """Not even where its values are no numbers."""
        net, tensors = network().eval(), list(seen(12))
        tensors[3][:, which] = 0.0
        answer = net(*tensors)
        for value in (1e4, float("nan")):
            tensors[which] = torch.full_like(tensors[which], value)
            assert torch.equal(net(*tensors), answer)

    def test_nor_does_it_spoil_the_gradient(self, which):
        net, tensors = network(), list(seen(12))
        tensors[3][:, which] = 0.0
        tensors[which] = torch.full_like(tensors[which], float("nan"))
        net(*tensors).square().sum().backward()
        assert all(torch.isfinite(weight.grad).all() for weight in net.parameters())

    def test_what_is_there_has_one(self, which):
        net, tensors = network().eval(), list(seen(12))
        tensors[3][:, which] = 1.0
        answer = net(*tensors)
        tensors[which] = tensors[which] + 1.0
        assert (net(*tensors) - answer).abs().amax(1).min() > 0

    def test_missing_is_not_the_same_as_nothing(self, which):
        net, tensors = network().eval(), list(seen(12))
        tensors[which] = torch.zeros_like(tensors[which])
        tensors[3][:, which] = 1.0
        answer = net(*tensors)
        tensors[3][:, which] = 0.0
        assert (net(*tensors) - answer).abs().amax(1).min() > 0

    def test_without_its_shape_it_is_not_asked_for(self, which):
        names = [("photometry", 6), ("bands", 2), ("spectrum", 7)]
        shapes = Shapes(**{"size": 12, **{name: 0 if i == which else n for i, (name, n) in enumerate(names)}})
        net = network(shapes).eval()
        model = multimodal_to_onnx(net, torch.eye(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64))
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        inputs = {entry.name for entry in session.get_inputs()}
        assert inputs == {*MODALITIES, "there", "level", "probit"} - {MODALITIES[which]}


def test_a_gradient_reaches_every_weight():
    """From the second step: what starts at zero hides what stands before it."""
    net, y = network(), torch.randn(64, 2)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(2):
        loss = net.head.nll(net(*seen(64)), y).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for key, weight in net.named_parameters():
        assert weight.grad.abs().max() > 0, key


def test_a_source_does_not_see_its_neighbours():
    net, tensors = network().double(), [part.double() for part in seen(8)]
    torch.testing.assert_close(net(*tensors)[3:4], net(*(part[3:4] for part in tensors)))


def test_onnx_gives_what_torch_gives():
    net, tensors = network().eval(), seen(200)
    linear = torch.tensor([[0.3, 0.0], [0.3, 0.5]], dtype=torch.float64)
    offset = torch.tensor([-1.0, -11.0], dtype=torch.float64)
    session = onnxruntime.InferenceSession(multimodal_to_onnx(net, linear, offset), providers=["CPUExecutionProvider"])
    level = np.array([0.16, 0.5, 0.84], np.float32)
    feed = dict(zip((*MODALITIES, "there"), (part.numpy() for part in tensors), strict=True))
    found = session.run(["point", "sigma", "raw"], {**feed, "level": level, "probit": ndtri(level).astype(np.float32)})
    with torch.no_grad():
        raw = net(*tensors)
        _, _, sigma = net.head.marginals(raw, linear.float())
        np.testing.assert_allclose(found[0].T, net.mean(raw).double() @ linear.T + offset, atol=5e-6)
    np.testing.assert_allclose(found[1], sigma, rtol=2e-5)
    np.testing.assert_allclose(found[2], raw, atol=5e-6)


def test_without_a_mixture_there_is_no_readout():
    net = Multimodal(SHAPES, CONFIG, 2, None)
    with pytest.raises(ValueError, match="without a mixture"):
        multimodal_to_onnx(net, torch.eye(2), torch.zeros(2))


@pytest.mark.parametrize("settings", [{"width": 10, "heads": 4}, {"activation": "sin"}])
def test_settings_that_make_no_network_are_refused(settings):
    with pytest.raises(ValueError, match="accepted"):
        MultimodalConfig(**settings)


def test_more_modalities_tell_more():
    """A planted number that each modality measures with an error of its own: the rms with all three is below that with
    any one, and that of one alone is near the error that it has."""
    torch.manual_seed(0)
    error = torch.tensor([0.6, 0.8, 0.4])
    net = Multimodal(SHAPES, CONFIG, 1, None)
    optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)

    def draw(n):
        y = torch.randn(n, 1)
        measured = y + error * torch.randn(n, 3)
        parts = [measured[:, i].reshape(-1, *[1] * k) for i, k in enumerate((1, 3, 1))]
        shapes = ((6,), (2, 12, 12), (7,))
        return [part.expand(n, *shape).contiguous() for part, shape in zip(parts, shapes, strict=True)], y

    for _ in range(250):
        parts, y = draw(128)
        there = (torch.rand(128, 3) > 0.4).float()
        loss = (net(*parts, there) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()
    parts, y = draw(3000)
    rms = {}
    with torch.no_grad():
        for there in ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 1, 1)):
            given = torch.tensor(there, dtype=torch.float32).expand(3000, 3)
            rms[there] = (net(*parts, given) - y).square().mean().sqrt().item()
            known = 1 + (given[0] / error**2).sum().item()  # of the posterior: that of the prior, and of what is there
            assert rms[there] == pytest.approx(known**-0.5, rel=0.15)
    assert rms[1, 1, 1] < min(rms[1, 1, 0], rms[0, 0, 1])
    assert rms[1, 1, 0] < min(rms[1, 0, 0], rms[0, 1, 0])
