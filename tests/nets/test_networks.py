"""The contract that every network keeps, and what is particular to each."""

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch
from scipy.special import ndtri

from galprism.nets import (
    JPAS_BASE,
    JPAS_SED,
    MLP,
    NETWORKS,
    Estimator,
    MixtureConfig,
    MLPConfig,
    ResidualConfig,
    ResidualMLP,
    SeparateConfig,
    SeparateMLPs,
    readout_to_onnx,
)
from galprism.nets.multimodal import MultimodalConfig

SMALL = {
    "mlp": ("mlp", MLPConfig(layers=(16, 8))),
    "residual": ("residual", ResidualConfig(width=16, blocks=2)),
    "gated": ("residual", ResidualConfig(width=16, blocks=2, gated=True)),
    "separate": ("separate", SeparateConfig(layers=(16, 8))),
    "multimodal": ("multimodal", MultimodalConfig(shape=(3, 1, 1, 0, 0, 0), width=16)),
}
CASES = [
    (name, mixture)
    for name in SMALL
    for mixture in (None, MixtureConfig(3))
    if (name, mixture) != ("separate", MixtureConfig(3))
]
"""Separate networks give points."""
LEVEL = np.array([0.16, 0.5, 0.84], np.float32)


def run(model: bytes, **inputs):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, inputs), strict=True))


def test_every_network_has_a_small_configuration_here():
    assert {network for network, _ in SMALL.values()} == set(NETWORKS)


@pytest.mark.parametrize(("name", "mixture"), CASES, ids=[f"{n}-{'mixture' if m else 'point'}" for n, m in CASES])
class TestContract:
    def estimator(self, name, mixture):
        torch.manual_seed(1)
        return Estimator(*SMALL[name], n_inputs=5, n_coordinates=2, mixture=mixture)

    def test_forward_and_backward_reach_every_weight(self, name, mixture):
        estimator = self.estimator(name, mixture)
        x, y = torch.randn(32, 5), torch.randn(32, 2)
        optimizer = torch.optim.Adam(estimator.parameters(), lr=1e-2)
        for _ in range(2):  # what starts at zero hides what stands before it from the first step
            raw = estimator(x)
            loss = ((raw - y) ** 2).mean() if mixture is None else estimator.head.nll(raw, y).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        assert estimator.mean(raw).shape == (32, 2)
        for key, weight in estimator.named_parameters():
            assert torch.isfinite(weight.grad).all(), key
            assert weight.grad.abs().max() > 0, key

    def test_a_source_does_not_see_its_neighbours(self, name, mixture):
        estimator = self.estimator(name, mixture).double()
        x = torch.randn(8, 5, dtype=torch.float64)
        torch.testing.assert_close(estimator(x)[3:4], estimator(x[3:4]))

    def test_weights_survive_save_and_load(self, name, mixture, tmp_path):
        estimator, other = self.estimator(name, mixture), self.estimator(name, mixture)
        with torch.no_grad():
            for weight in other.parameters():
                weight.add_(1.0)
        torch.save(estimator.state_dict(), tmp_path / "weights.pt")
        other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
        x = torch.randn(4, 5)
        assert torch.equal(estimator(x), other(x))

    @pytest.mark.parametrize("activation", ["relu", "silu", "gelu"])
    def test_onnx_gives_what_torch_gives(self, name, mixture, activation):
        network, config = SMALL[name]
        torch.manual_seed(2)
        estimator = Estimator(
            network, replace(config, activation=activation), n_inputs=5, n_coordinates=2, mixture=mixture
        )
        linear = torch.tensor([[0.3, 0.0], [0.3, 0.5]], dtype=torch.float64)
        offset = torch.tensor([-1.0, -11.0], dtype=torch.float64)
        model = readout_to_onnx(estimator, 5, linear, offset)
        x = torch.randn(300, 5)
        expected = estimator.mean(estimator(x)).detach().double() @ linear.T + offset
        inputs = {"features": x.numpy()}
        if mixture is not None:
            inputs |= {"level": LEVEL, "probit": ndtri(LEVEL).astype(np.float32)}
        outputs = run(model, **inputs)
        np.testing.assert_allclose(outputs["point"].T, expected, atol=5e-6)
        if mixture is not None:
            weight, mean, sigma = estimator.head.marginals(estimator(x), linear.float())
            np.testing.assert_allclose(outputs["weight"], weight.detach(), atol=2e-6)
            np.testing.assert_allclose(outputs["mean"], mean.detach() + offset[:, None, None], atol=5e-6)
            np.testing.assert_allclose(outputs["sigma"], sigma.detach(), rtol=2e-5)


def test_mlp_gap_has_the_papers_layers_and_weights():
    """19 inputs; 512 x 4, 256 x 2, 128, 64, 32; 2 outputs: weights and biases add up to 1,038,626."""
    network = MLP(19, 2, MLPConfig())
    layers = [m for m in network.modules() if isinstance(m, torch.nn.Linear)]
    assert [layer.out_features for layer in layers] == [512, 512, 512, 512, 256, 256, 128, 64, 32, 2]
    assert sum(p.numel() for p in network.parameters()) == 1_038_626
    assert sum(isinstance(m, torch.nn.ReLU) for m in network.modules()) == 9


@pytest.mark.parametrize(("layers", "weights"), [(JPAS_BASE, 172_289), (JPAS_SED, 497_925)])
def test_the_jpas_networks_have_the_papers_weights(layers, weights):
    net = SeparateMLPs(57, 3, SeparateConfig(layers=layers))
    assert sum(parameter.numel() for parameter in net.parameters()) == 3 * weights


def test_separate_networks_learn_as_if_each_were_alone():
    """Three together and one by itself, with the same first weights and batches, take the same steps."""
    torch.manual_seed(1)
    together, alone = SeparateMLPs(5, 3, SeparateConfig((16, 8))), SeparateMLPs(5, 1, SeparateConfig((16, 8)))
    with torch.no_grad():
        for mine, theirs in zip(alone.parameters(), together.parameters(), strict=True):
            mine.copy_(theirs[1:2])
    x, y = torch.randn(64, 5), torch.randn(64, 3)
    for net, target in ((together, y), (alone, y[:, 1:2])):
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
        for _ in range(20):
            optimizer.zero_grad()
            (net(x) - target).square().mean().backward()
            optimizer.step()
    torch.testing.assert_close(together(x)[:, 1:2], alone(x), rtol=1e-4, atol=1e-5)


def test_dropout_is_of_training_alone():
    net = SeparateMLPs(5, 2, SeparateConfig((64,), dropout=0.5))
    x = torch.randn(8, 5)
    assert not torch.equal(net(x), net(x))
    net.eval()
    assert torch.equal(net(x), net(x))


def test_fresh_residual_blocks_pass_their_input_on():
    network = ResidualMLP(4, 3, ResidualConfig(width=8, blocks=5))
    x = torch.randn(6, 4)
    torch.testing.assert_close(network(x), network.last(network.act(network.first(x))))


def test_what_the_onnx_table_lacks_is_refused_by_name():
    from galprism.nets.export import to_onnx

    class Odd(torch.nn.Module):
        def __init__(self, call):
            super().__init__()
            self.call = call
            self.pool = torch.nn.AvgPool1d(2)

        def forward(self, x):
            return self.call(self, x)

    odd = {
        r"no function .*cumsum": lambda _, x: torch.cumsum(x, 0),
        r"no method cos": lambda _, x: x.cos(),
        r"no module AvgPool1d": lambda self, x: self.pool(x),
        r"no indexing by slice": lambda _, x: x[1:2],
    }
    for message, call in odd.items():
        with pytest.raises(TypeError, match=message):
            to_onnx(Odd(call), {"x": ("N", 4)}, {"y": ("N", 4)})
