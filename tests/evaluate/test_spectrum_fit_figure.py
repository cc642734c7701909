"""The figure of one full-spectrum fit."""

import io

import matplotlib.image
import numpy as np

from galprism.evaluate.figures.spectrum_fit import spectrum_fit

WAVE = np.linspace(3700, 7300, 3000)
FLUX = 5 + np.random.default_rng(0).normal(0, 0.2, 3000)
AGES, METALS = np.array([1.0, 5.0, 12.0]), np.array([-1.0, 0.0])


def drawn(light=((0.1, 0, 0), (0, 0.9, 0)), used=None, ivar=25.0):
    model = np.full(3000, np.nan)
    model[100:-100] = 5.0
    used = np.isfinite(model) if used is None else used
    options = (np.full(3000, ivar), model, used, AGES, METALS, np.array(light), ["age = 9.7"])
    return spectrum_fit("a", "title", WAVE, FLUX, *options)


def pixels(drawing):
    return matplotlib.image.imread(io.BytesIO(drawing.png))[..., :3]


def test_it_is_the_same_again_and_shows_what_changed():
    first = drawn()
    assert (first.name, first.title) == ("a", "title")
    assert "masked" in first.caption
    assert drawn().png == first.png
    masked = np.ones(3000, bool)
    masked[1000:1500] = False
    pale = np.array([0xF3, 0xDF, 0xC1]) / 255
    share = [np.mean(np.all(np.abs(pixels(d) - pale) < 0.01, axis=2)) for d in (first, drawn(used=masked))]
    assert share[0] < 0.01
    assert share[1] > share[0] + 0.02
    assert not np.array_equal(pixels(first), pixels(drawn(light=((0.9, 0, 0), (0, 0.1, 0)))))


def test_pixels_without_data_are_left_out():
    flux = drawn(used=np.zeros(3000, bool) | (np.arange(3000) < 1500))
    assert flux.png.startswith(b"\x89PNG")
