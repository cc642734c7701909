"""The four networks of the paper: their sizes, what must hold of them, and that they learn."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from galprism.nets import Regressor
from galprism.nets.mmlforgalam import (
    POINTS,
    AttentionConfig,
    AttentionNetwork,
    PictureConfig,
    PictureNetwork,
    SimulatorConfig,
    SimulatorNetwork,
    SpectrumConfig,
    SpectrumNetwork,
)

SPECTRUM = SpectrumConfig(filters=(4, 6), dense=(24, 16))
SIMULATOR = SimulatorConfig(filters=(4, 6), dense=24, features=16)
PICTURE = PictureConfig(filters=(4, 6), dense=(24, 16))
ATTENTION = AttentionConfig(features=16, heads=4, head_width=4, dense=(20, 16, 12, 10, 8))
SMALL = {
    "M1": (lambda: SpectrumNetwork(2, SPECTRUM, n_points=90), lambda n: (torch.rand(n, 90),)),
    "M2": (lambda: SimulatorNetwork(3, 16, SIMULATOR), lambda n: (torch.rand(n, 3, 16, 16),)),
    "M3": (lambda: PictureNetwork(3, 16, 2, PICTURE), lambda n: (torch.rand(n, 3, 16, 16),)),
    "M4": (lambda: AttentionNetwork(2, ATTENTION), lambda n: (torch.rand(n, 16), torch.rand(n, 16))),
}


def small(name, seed=0):
    torch.manual_seed(seed)
    make, draw = SMALL[name]
    return make(), draw(8)


def dense(widths):
    return sum((a + 1) * b for a, b in pairwise(widths))


def convolved(channels, points):
    """Weights of convolutions of so many points, with their biases."""
    return sum((points * a + 1) * b for a, b in pairwise(channels))


class TestThePapersSizes:
    """Sects. 3.1 - 3.4, layer by layer; poolings halve pictures, and make one of three points of a spectrum."""

    def weights(self, make):
        with torch.device("meta"):
            network = make()
        return sum(weight.numel() for weight in network.parameters())

    def test_spectra(self):
        left = POINTS
        for _ in range(4):
            left = (left - 4) // 3
        expected = convolved((1, 16, 16, 32, 32, 64, 64, 128, 128), 3) + dense((128 * left, 2048, 1024, 2))
        assert left == 49
        assert self.weights(lambda: SpectrumNetwork(2, SpectrumConfig())) == expected == 15_045_394

    @pytest.mark.parametrize(("channels", "size"), [(3, 128), (1, 128), (2, 128), (3, 64)])
    def test_pictures(self, channels, size):
        filters = (32, 64, 128, 256)
        left = size
        for _ in filters:
            left = (left - 2) // 2
        expected = convolved((channels, *filters), 9) + dense((256 * left**2, 1024, 1024))
        assert self.weights(lambda: SimulatorNetwork(channels, size, SimulatorConfig())) == expected
        each = [width for width in filters for _ in range(3)]
        expected = convolved((channels, *each), 9) + dense((256 * (size // 16) ** 2, 1024, 1024, 2))
        assert self.weights(lambda: PictureNetwork(channels, size, 2, PictureConfig())) == expected
        if (channels, size) == (3, 128):
            assert expected == 19_785_986

    def test_attention(self):
        expected = 4 * dense((1024, 1024)) + 2 * 1024 + dense((1024, 2048, 1024, 512, 256, 128, 2))
        assert self.weights(lambda: AttentionNetwork(2, AttentionConfig())) == expected == 9_087_106

    def test_what_is_too_small_is_refused(self):
        with pytest.raises(ValueError, match="16 x 16; accepted: more"):
            SimulatorNetwork(3, 16, SimulatorConfig())


@pytest.mark.parametrize("name", SMALL)
class TestContract:
    def test_shapes(self, name):
        network, seen = small(name)
        assert network.features(*seen).shape == (8, 16)
        assert network(*seen).shape == (8, 16 if name == "M2" else 2)

    def test_a_gradient_reaches_every_weight(self, name):
        """But W_Q and W_K of the attention, over a single key."""
        network, seen = small(name)
        network(*seen).square().sum().backward()
        for key, weight in network.named_parameters():
            if ".query." in key or ".key." in key:
                assert weight.grad.abs().max() == 0, key
            else:
                assert weight.grad.abs().max() > 0, key

    def test_a_source_does_not_see_its_neighbours(self, name):
        network, seen = small(name)
        network = network.eval().double()
        seen = [part.double() for part in seen]
        torch.testing.assert_close(network(*seen)[3:4], network(*(part[3:4] for part in seen)))

    def test_the_signal_lives_through_fresh_layers(self, name):
        """Answers differ from source to source by a fair share of their size."""
        network, seen = small(name)
        answer = network.eval()(*seen)
        assert answer.std(0).mean() > 0.003 * answer.abs().mean()

    def test_it_learns_a_planted_relation(self, name):
        """Targets that are the mean of a part of what is seen: the rms falls below 0.4 of their scatter."""
        network, _ = small(name)
        draw = SMALL[name][1]
        seen = draw(48)
        level = torch.rand(48, 2)
        if name == "M1":
            seen[0].mul_(0.2)
            seen[0][:, 20:40] += level[:, :1]
            seen[0][:, 50:70] += level[:, 1:]
        elif name == "M4":
            for i, part in enumerate(seen):
                part[:, 2:6] = level[:, i : i + 1] + 0.05 * part[:, 2:6]
        else:
            seen[0].mul_(0.2)
            seen[0][:, :2, 4:12, 4:12] += level[:, :, None, None]
        truth = level if name != "M2" else level[:, [0, 1] * 8]
        network.eval()  # dropout would hide in so few steps what it is to learn
        optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
        for _ in range(80):
            loss = (network(*seen) - truth).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        assert loss.item() ** 0.5 < 0.4 * truth.std().item()


class TestAttention:
    def test_over_one_token_it_is_the_values_alone(self):
        network, (spectral, picture) = small("M4")
        attention = network.attention
        by_hand = attention.output(attention.value(picture))
        torch.testing.assert_close(attention(spectral, picture), by_hand)

    def test_several_tokens_are_as_torchs_own(self):
        from galprism.nets.attention import Attention

        torch.manual_seed(2)
        ours, theirs = Attention(12, 3, 4, 2, 5), torch.nn.MultiheadAttention(12, 3, batch_first=True)
        with torch.no_grad():
            parts = (ours.query, ours.key, ours.value)
            theirs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
            theirs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
            theirs.out_proj.load_state_dict(ours.output.state_dict())
        asking, asked = torch.randn(6, 2, 12), torch.randn(6, 5, 12)
        expected, _ = theirs(asking, asked, asked)
        found = ours(asking.reshape(-1, 12), asked.reshape(-1, 12)).reshape(6, 2, 12)
        torch.testing.assert_close(found, expected)

    def test_the_answer_depends_on_both(self):
        network, (spectral, picture) = small("M4")
        network.eval()
        answer = network(spectral, picture)
        for other in (network(torch.rand(8, 16), picture), network(spectral, torch.rand(8, 16))):
            assert (other - answer).abs().min() > 0

    def test_dropout_is_of_training_alone(self):
        network, seen = small("M4")
        assert not torch.equal(network(*seen), network(*seen))
        network.eval()
        assert torch.equal(network(*seen), network(*seen))


def test_first_weights_are_of_the_seed_and_biases_nothing():
    one, same, other = (Regressor(lambda n: PictureNetwork(1, 16, n, PICTURE), 2, seed=seed).body for seed in (3, 3, 4))
    assert torch.equal(one.last.weight, same.last.weight)
    assert not torch.equal(one.last.weight, other.last.weight)
    assert all(weight.abs().max() == 0 for key, weight in one.named_parameters() if key.endswith("bias"))
    first = one.blocks[0].weight.detach().numpy()
    assert np.abs(first).max() <= np.sqrt(6 / (9 * (1 + 4)))
