"""Networks of pictures and spectra in ONNX: what was trained, one after the other, in float32 and in 8 bits."""

import numpy as np
import onnxruntime
import pytest
import torch

from galprism.nets.eight_bits import in_eight_bits
from galprism.nets.mmlforgalam import (
    AttentionConfig,
    AttentionNetwork,
    PictureConfig,
    PictureNetwork,
    SimulatorConfig,
    SimulatorNetwork,
    SpectrumConfig,
    SpectrumNetwork,
)
from galprism.nets.staged import FromPictures, FromSpectra, staged_to_onnx

LINEAR = torch.tensor([[2.0, 0.5], [0.0, -1.5]], dtype=torch.float64)
OFFSET = torch.tensor([9.0, -0.3], dtype=torch.float64)
POINTS, PICTURE, NOTHING = 90, (3, 16, 16), (0, 0, 0)


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(5)
    return {
        "M1": SpectrumNetwork(2, SpectrumConfig(filters=(4, 6), dense=(24, 16)), n_points=90).eval(),
        "M2": SimulatorNetwork(3, 16, SimulatorConfig(filters=(4, 6), dense=24, features=16)).eval(),
        "M3": PictureNetwork(3, 16, 2, PictureConfig(filters=(4, 6), dense=(24, 16))).eval(),
        "M4": AttentionNetwork(2, AttentionConfig(16, 4, 4, dense=(20, 16, 12, 10, 8))).eval(),
    }


def seen(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((n, POINTS), np.float32), rng.random((n, *PICTURE), np.float32)


def run(model, *parts):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    row = np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
    return session.run(["point"], {"features": row})[0]


CASES = {
    "spectra": (lambda n: n["M1"], POINTS, NOTHING),
    "pictures": (lambda n: n["M3"], 0, PICTURE),
    "both from pictures": (lambda n: FromPictures(n["M2"], n["M3"], n["M4"]), 0, PICTURE),
    "both": (lambda n: FromSpectra(n["M1"], n["M3"], n["M4"]), POINTS, PICTURE),
}


@pytest.mark.parametrize("case", CASES)
def test_onnx_gives_what_torch_gives_turned_to_parameters(networks, case):
    make, points, picture = CASES[case]
    network = make(networks)
    parts = [part for part, there in zip(seen(40), (points, picture[0]), strict=True) if there]
    tensors = [torch.from_numpy(part) for part in parts]
    with torch.no_grad():
        expected = network(*tensors).double() @ LINEAR.T + OFFSET
    found = run(staged_to_onnx(network, points, picture, LINEAR, OFFSET), *parts)
    np.testing.assert_allclose(found.T, expected, atol=3e-6)
    with torch.no_grad():  # and the network itself is as it was
        again = network(*tensors).double() @ LINEAR.T + OFFSET
    assert torch.equal(expected, again)


def test_the_stages_are_those_one_by_one(networks):
    spectrum, picture = (torch.from_numpy(part) for part in seen(8))
    m1, m2, m3, m4 = networks.values()
    image = m3.features(picture)
    with torch.no_grad():
        whole = FromPictures(m2, m3, m4)(picture), FromSpectra(m1, m3, m4)(spectrum, picture)
        torch.testing.assert_close(whole[0], m4(m2(picture), image))
        torch.testing.assert_close(whole[1], m4(m1.features(spectrum), image))


def test_eight_bits_are_close_to_float32(networks):
    """Within a fifth of the scatter of answers from source to source, which of fresh networks is a small one."""
    network = FromPictures(networks["M2"], networks["M3"], networks["M4"])
    model = staged_to_onnx(network, 0, PICTURE, LINEAR, OFFSET)
    (_, known), (_, new) = seen(64, seed=1), seen(64, seed=2)
    small = in_eight_bits(model, [{"features": known[i : i + 16].reshape(16, -1)} for i in range(0, 64, 16)])
    exact, rough = run(model, new), run(small, new)
    assert not np.array_equal(exact, rough)
    assert np.std(exact - rough, axis=1).max() < 0.2 * np.std(exact, axis=1).min()
