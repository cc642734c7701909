"""Operations of the ONNX table, each against torch."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from galprism.nets.attention import Attention
from galprism.nets.export import to_onnx


class Call(nn.Module):
    def __init__(self, call, **modules):
        super().__init__()
        self.call = call
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, x):
        return self.call(self, x)


CASES = {
    "convolution of one row": ((2, 1, 11), Call(lambda s, x: s.f(x), f=nn.Conv2d(2, 3, (1, 3), padding=(0, 1)))),
    "convolution without padding": ((2, 7, 9), Call(lambda s, x: s.f(x), f=nn.Conv2d(2, 3, 3))),
    "maxima of one row": ((2, 1, 11), Call(lambda s, x: s.f(x), f=nn.MaxPool2d((1, 3)))),
    "maxima": ((2, 7, 9), Call(lambda s, x: s.f(x), f=nn.MaxPool2d(2))),
    "layer norm": ((5, 6), Call(lambda s, x: s.f(x), f=nn.LayerNorm(6, eps=1e-3))),
    "permute": ((2, 3, 4), Call(lambda _, x: x.permute(0, 2, 3, 1))),
    "one of the second axis": ((3, 4), Call(lambda _, x: x[:, 2])),
    "the first of the second axis": ((3, 4), Call(lambda _, x: x[:, :2])),
    "softmax of the last axis": ((3, 4), Call(lambda _, x: torch.softmax(x, -1))),
    "product of stacks": ((3, 4), Call(lambda _, x: torch.matmul(x, x.permute(0, 2, 1)))),
    "one or the other": ((4,), Call(lambda _, x: torch.where(x > 0, x, 0.0))),
    "attention": (
        (3, 8),
        Call(lambda s, x: s.f(x.reshape(-1, 8), x.reshape(-1, 8)), f=Attention(8, 2, 4, 3, 3)),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_an_operation_gives_what_torch_gives(case):
    shape, module = CASES[case]
    torch.manual_seed(1)
    for weight in module.parameters():  # a norm's are 1 and 0 at first, and would not be seen
        nn.init.normal_(weight, std=0.5)
    x = torch.randn(6, *shape)
    with torch.no_grad():
        expected = module(x).numpy()
    names = ["N", *(f"d{i}" for i in range(expected.ndim - 1))]
    model = to_onnx(module, {"x": ("N", *shape)}, {"y": names})
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"x": x.numpy()})[0], expected, atol=3e-6)
