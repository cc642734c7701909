"""A toy sky of stars, quasars and galaxies in KiDS's bands with images in r, and a classifier that learned from it.

Stars and quasars are points, galaxies are extended; stars are red in the infrared as a Rayleigh-Jeans tail is not, and
quasars differ from stars in the ultraviolet and the infrared alone: each class needs another part of what is seen.
"""

import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from galprism import recipes, surveys
from galprism.config import fill
from galprism.data import Cutouts, Photometry, Sources
from galprism.recipes.classes import class_bundle, learn_classes
from galprism.recipes.labelled import Labelled

BANDS = surveys.get("kids").band_names
SLOPES = {"star": (-1.2, 1.4), "qso": (0.6, -0.3), "galaxy": (-1.8, -0.6)}
"""mag per band, bluewards and redwards of r: how much brighter a source is in them."""
SIZE, SCALE = 21, 0.2


def sources(n: int, seed: int = 0, *, confused: float = 0.25) -> tuple[Sources, np.ndarray]:
    """(sources, classes (n,)); confused : scatter of the slopes, mag."""
    rng = np.random.default_rng(seed)
    classes = rng.choice(3, n, p=[0.3, 0.2, 0.5]).astype(np.int8)
    r = rng.uniform(17.0, 22.0, n)
    step = np.arange(len(BANDS)) - BANDS.index("r")
    names = list(SLOPES)
    blue, red = (np.array([SLOPES[name][k] for name in names])[classes] for k in (0, 1))
    blue, red = (slope + confused * rng.standard_normal(n) for slope in (blue, red))
    brighter = np.where(step < 0, -blue[:, None] * step * 0.5, red[:, None] * step * 0.2)
    magnitude = r[:, None] + np.where(step < 0, -1, 1) * brighter * np.where(step < 0, 1, -1)
    flux = 10 ** (0.4 * (31.4 - magnitude))
    sigma = np.full(flux.shape, 60.0)
    measured = flux + sigma * rng.standard_normal(flux.shape)
    photometry = Photometry(measured.astype(np.float32), (1 / sigma**2).astype(np.float32), BANDS)
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE // 2
    width = np.where(classes == 2, rng.uniform(2.2, 4.0, n), 1.6)[:, None, None]
    light = np.exp(-0.5 * (x**2 + y**2) / width**2)
    light *= (flux[:, BANDS.index("r")] / light.sum(axis=(1, 2)))[:, None, None]
    image = (light + 8.0 * rng.standard_normal(light.shape))[:, None].astype(np.float32)
    fwhm = np.full((n, 1), 1.6 * 2.355 * SCALE, np.float32)
    cutouts = Cutouts(image, np.full_like(image, 8.0**-2), ("r",), SCALE, fwhm)
    return Sources(id=1000 + np.arange(n), photometry=photometry, cutouts=cutouts), classes


def recipe(*, kind: str = "fusion", **inputs):
    """A recipe of classes for the toy sky, trained in seconds."""
    settings = [
        f'net={{kind="{kind}"'
        + (", channels=[4, 8], image_features=12, width=32, blocks=2}" if kind == "fusion" else "}"),
        "train={epochs=[6], lr=[5e-3], batch_size=128}",
        "drop.bands=0.2",
        "drop.blocks=0.0",
    ]
    made = recipes.load("star-qso-galaxy", settings)
    image = fill(type(made.classes.inputs.image), {"bands": ["r"], "size": SIZE, "pixel_scale": SCALE})
    lose = replace(made.classes.lose, photometry=0.2, image=0.25)
    seen = replace(made.classes.inputs, image=image, **inputs)
    sample = replace(made.sample, train=3000, validation=600)
    images = replace(made.images, size=SIZE)
    return replace(made, classes=replace(made.classes, inputs=seen, lose=lose), sample=sample, images=images)


def labelled(n: int, seed: int) -> Labelled:
    """The toy sky as a catalogue of known classes."""
    seen, classes = sources(n, seed)
    blank = np.zeros((n, 0), np.float32)
    return Labelled(np.arange(n), classes, np.full(n, np.nan), blank, np.zeros((n, 0, 1, 1)), blank, seen)


@cache
def bundle():
    """A small classifier of photometry, images or both."""
    with tempfile.TemporaryDirectory() as work:
        trained = learn_classes(recipe(), labelled(3600, seed=1), Path(work))
    return class_bundle(recipe(), trained)
