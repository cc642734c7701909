"""An ensemble's posterior is the mean of its members' densities, in torch and as ONNX."""

import numpy as np
import onnxruntime
import torch

from galprism.nets import Ensemble, Estimator, MixtureConfig, ResidualConfig, readout_to_onnx


def members(n_coordinates: int) -> list[Estimator]:
    config = ResidualConfig(16, 1)
    return [Estimator("residual", config, 4, n_coordinates, MixtureConfig(3), seed=seed) for seed in range(3)]


def test_the_density_is_the_mean_of_the_members():
    each = members(2)
    x, y = torch.randn(50, 4), torch.randn(50, 2)
    with torch.no_grad():
        for number, one in enumerate(each):  # logits of any size: a member weighs no more for it
            one.body.last.bias[:3] += 5.0 * number
        densities = torch.stack([torch.exp(-one.head.nll(one(x), y)) for one in each])
        together = Ensemble(each)
        found = torch.exp(-together.head.nll(together(x), y))
    torch.testing.assert_close(found, densities.mean(0), rtol=1e-4, atol=1e-7)
    assert together.head.n_components == 9


def test_onnx_has_the_same_marginals():
    each = members(1)
    together = Ensemble(each).eval()
    model = onnxruntime.InferenceSession(readout_to_onnx(together, 4, np.array([[2.0]]), np.array([0.5])))
    x = torch.randn(20, 4)
    level = np.array([0.5], np.float32)
    feed = {"features": x.numpy(), "level": level, "probit": np.zeros(1, np.float32)}
    weight, mean, sigma = model.run(["weight", "mean", "sigma"], feed)
    with torch.no_grad():
        expected = together.head.marginals(together(x), torch.tensor([[2.0]]))
    for ours, theirs, shift in zip((weight, mean, sigma), expected, (0.0, 0.5, 0.0), strict=True):
        np.testing.assert_allclose(ours, theirs.numpy() + shift, rtol=1e-4, atol=1e-5)
