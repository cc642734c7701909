"""Pictures that tests make: elliptical sources on a noisy sky, mapped as SDSS's are."""

import numpy as np

from galprism.data.three_colour import ColourMapping, mapped_to_unity

SIZE = 128
Q = ColourMapping.softening


def galaxy(x, y, major, q, angle, peak=5.0, shape=(SIZE, SIZE)):
    """(H, W), light: an elliptical Gaussian whose half-peak isophote has the semi-major axis `major`, in pixels."""
    dy, dx = np.arange(shape[0])[:, None] - y, np.arange(shape[1]) - x
    cos, sin = np.cos(angle), np.sin(angle)
    along, across = (dx * cos + dy * sin) / major, (dy * cos - dx * sin) / (q * major)
    return peak * 0.5 ** (along**2 + across**2)


def picture(*sources, colour=(1.2, 1.0, 0.8), noise=0.0, seed=0):
    """(H, W, 3), uint8: the light of sources in one colour, with noise that is independent in every channel."""
    light = np.sum(sources, axis=0) * np.array(colour)[:, None, None]
    light = light + noise * np.random.default_rng(seed).standard_normal(light.shape)
    return np.moveaxis(np.rint(255 * mapped_to_unity(light[None], Q)[0]), 0, -1).astype(np.uint8)


def light_at(level):
    """The light that has a grey level, in a picture without colour."""
    return np.sinh(Q * level / 255) / Q
