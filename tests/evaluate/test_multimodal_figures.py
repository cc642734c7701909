"""The figures of networks of pictures and spectra: the same again, and other where the numbers are."""

import io

import matplotlib.image
import numpy as np
import pytest

from galprism.evaluate.figures import Look
from galprism.evaluate.figures.multimodal import by_signal, some_features

EDGES = (5.0, 10.0, 15.0, 20.0)
PARAMETERS = ("mean_log_age_lw", "mean_logzsol_lw")
METHODS = {
    "one": [{"sd": [0.2 - 0.01 * k, 0.3 - 0.02 * k]} for k in range(4)],
    "other": [{"sd": [0.15, 0.2]}] * 4,
}
LABELS = {"scatter": [[0.05, 0.06]] * 4, "n": 17}


def drawn(methods=METHODS, labels=LABELS):
    return by_signal(methods, labels, EDGES, PARAMETERS, Look(tuple(methods)))


def pixels(drawing):
    return matplotlib.image.imread(io.BytesIO(drawing.png))[..., :3]


def test_scatter_by_signal_is_the_same_again_and_says_what_it_is():
    first = drawn()
    assert first.name == "by_signal"
    assert "5, 10, 15, 20; the last one is open" in first.caption
    assert "17 galaxies" in first.caption
    assert drawn().png == first.png
    worse = METHODS | {"other": [{"sd": [0.19, 0.25]}] * 4}
    assert not np.array_equal(pixels(drawn(worse)), pixels(first))
    assert not np.array_equal(pixels(drawn(labels=LABELS | {"scatter": [[0.1, 0.12]] * 4})), pixels(first))


def test_bins_without_galaxies_are_left_out():
    empty = METHODS | {"other": [{"sd": [np.nan, np.nan]}, *[{"sd": [0.15, 0.2]}] * 3]}
    assert drawn(empty).png.startswith(b"\x89PNG")


def test_features_are_scaled_by_the_real_ones_and_their_r2_is_told():
    real = np.random.default_rng(0).random(200)
    exact = some_features(real, real)
    assert "R2 = 1.000" in exact.caption
    noise = np.random.default_rng(1).standard_normal(200)
    off = some_features(real, real + 0.1 * noise)
    r2 = 1 - 0.01 * np.sum(noise**2) / np.sum((real - real.mean()) ** 2)
    assert f"R2 = {r2:.3f}" in off.caption
    assert not np.array_equal(pixels(exact), pixels(off))
    bent = some_features(7 * real - 3, 7 * (real + 0.1 * noise) - 3)
    assert bent.caption == off.caption  # whatever their unit


@pytest.mark.parametrize("real", [np.full(20, 0.3), np.zeros(20)])
def test_features_that_are_all_one_value_are_drawn_too(real):
    drawing = some_features(real, real + 0.1)
    assert drawing.png.startswith(b"\x89PNG")
    assert "not told" in drawing.caption
