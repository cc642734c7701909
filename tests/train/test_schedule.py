"""Learning rates."""

import numpy as np
import pytest

from galprism.errors import RequestError
from galprism.train import LoopConfig


def rates(config, n_steps=10):
    return np.array([[config.rate(e, s, n_steps) for s in range(n_steps)] for e in range(config.n_epochs)])


def test_one_cycle_climbs_to_its_peak_and_falls_to_nothing():
    rate = rates(LoopConfig(epochs=(10,), lr=(2e-3,), warmup=0.1), 100).ravel()
    peak = rate.argmax()
    assert peak == pytest.approx(100, abs=1)
    assert rate[peak] == pytest.approx(2e-3, rel=1e-3)
    assert np.all(np.diff(rate[: peak + 1]) > 0)
    assert np.all(np.diff(rate[peak:]) < 0)
    assert rate[0] == pytest.approx(2e-5, rel=1e-6)
    assert rate[-1] == pytest.approx(2e-6, rel=1e-6)
    np.testing.assert_allclose(rate[peak + 450], 1e-3, rtol=0.02)  # half way down


def test_the_papers_segments():
    config = LoopConfig(epochs=(20, 50, 50), lr=(1e-3, 1e-4, 1e-5), schedule="constant")
    rate = rates(config, 2)
    assert len(rate) == 120
    np.testing.assert_array_equal(rate[:20], 1e-3)
    np.testing.assert_array_equal(rate[20:70], 1e-4)
    np.testing.assert_array_equal(rate[70:], 1e-5)
    assert [e for e in range(120) if config.segment(e)[1] == 0] == [0, 20, 70]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": ()}, r"train\.epochs = \(\)"),
        ({"epochs": (0,)}, r"train\.epochs = \(0,\)"),
        ({"epochs": (1, 2)}, r"train\.lr = .* 2 positive numbers"),
        ({"lr": (-1.0,)}, r"train\.lr"),
        ({"batch_size": 0}, r"train\.batch_size = 0"),
        ({"warmup": 1.0}, r"train\.warmup = 1\.0"),
    ],
)
def test_settings(settings, message):
    with pytest.raises(RequestError, match=message):
        LoopConfig(**settings)
