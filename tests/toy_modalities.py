"""Toy galaxies with photometry, images and spectra, all from a few numbers each, and a network that learned from them.

Age makes a galaxy red and large and its break strong, metallicity bends its spectrum and reddens it a little: age can
be told from any of the three, metallicity from the spectrum best.
"""

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import torch

from galprism import recipes, surveys
from galprism.data import Cutouts, Sources
from galprism.data.spectrum_files.sdss import DEX_PER_PIXEL as STEP
from galprism.data.three_colour import pictures_of
from galprism.mocks.images.cutouts import sky_sigma
from galprism.prep.spectrum_basis import SpectrumBasis
from galprism.recipes.pairs import NAMES, Pairs, PairSpectra, measure_of
from galprism.recipes.populations import learn_populations, populations_bundle

torch.set_num_threads(1)

AT_REST, N_REST = 35_000, 4100
FIRST, N_PIXELS = 35_800, 3260
"""As observed: 3802 to 8054 Angstrom."""
WAVE = 10.0 ** (STEP * (FIRST + np.arange(N_PIXELS)))
SIDE, INNER = 48, 24
"""px, of pictures and of the images that the network sees."""
SETTINGS = (
    f"images.size={SIDE}",
    f"modalities.image.size={INNER}",
    "modalities.rings=[]",
    "modalities.lose.pixels=0",  # so short a training has enough to learn
    'net={kind="multimodal", components=3, width=32, heads=4, fusions=1, blocks=1, channels=[8, 16]}',
    "train={epochs=[16], lr=[6e-3], batch_size=25}",
    "sample.train=800",
    "sample.validation=100",
    "sample.test=100",
)


def recipe(*settings: str):
    """`galaxy-populations`, small."""
    return recipes.load("galaxy-populations", (*SETTINGS, *settings))


def basis() -> SpectrumBasis:
    """Of two coefficients: a slope that metallicity has, and a break that age has."""
    x = np.linspace(-1.0, 1.0, N_REST)
    lines = 0.15 * np.sin(60 * x) * np.exp(-((x / 0.5) ** 2))
    return SpectrumBasis(AT_REST, np.stack([np.ones(N_REST), 0.1 * x + lines, 0.2 * np.tanh(8 * x)]).astype("f4"))


@cache
def pairs(n: int = 1000, seed: int = 0) -> Pairs:
    """n of them."""
    made, rng = recipe(), np.random.default_rng(seed)
    metal, age, dust = np.clip(rng.standard_normal((3, n)), -2, 2)
    z, r = rng.uniform(0.02, 0.18, n), rng.uniform(15.5, 17.0, n)
    survey = surveys.get(made.survey)
    step = np.arange(len(survey.bands)) - survey.band_names.index("r")
    flux = 10 ** (0.4 * (31.4 - r[:, None] + (0.15 * age + 0.05 * metal)[:, None] * step))
    logm = 10.5 + 0.4 * (17.0 - r) + 2 * np.log10(z / 0.1) + 0.2 * age
    log_age, logz = 9.3 + 0.35 * age, -0.2 + 0.25 * metal
    values = [log_age, logz, log_age + 0.05, logz + 0.02, 0.1 + 0.04 * dust, logm, -10.5 - 0.5 * age, z]
    assert len(values) == len(NAMES)
    rest = 1.0 + np.stack([metal, age], axis=1) @ basis().spectra[1:]
    shift = np.rint(np.log10(1 + z) / STEP).astype(int)
    own = FIRST - AT_REST - shift[:, None] + np.arange(N_PIXELS)
    light = 10 ** (0.4 * (18.5 - r))[:, None] * np.take_along_axis(rest, own, axis=1)
    bands = made.images.bands
    sky = sky_sigma(survey, made.images)[:, None, None]
    y, x = (np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2) * 1.0
    width = 2.5 * np.exp(0.3 * age)[:, None, None]
    shape = np.exp(-0.5 * ((x / width) ** 2 + (y / (0.6 * width)) ** 2))
    shape /= shape.sum(axis=(1, 2), keepdims=True)
    seen = flux[:, [survey.band_names.index(band) for band in bands], None, None] * shape[:, None]
    seen = (seen + sky * rng.standard_normal(seen.shape)).astype(np.float32)
    fwhm = rng.uniform(1.2, 1.5, (n, len(bands))).astype(np.float32)
    ivar = np.broadcast_to(sky**-2, seen.shape).astype(np.float32)
    low = (SIDE - INNER) // 2
    return Pairs(
        ident=1000 + np.arange(n),
        redshift=z,
        values=np.stack(values, axis=1),
        flux=flux.astype(np.float32),
        pixels=(seen / sky)[:, :, low:-low, low:-low].astype(np.float16),
        fwhm=fwhm,
        pictures=pictures_of(Cutouts(seen, ivar, bands, made.images.pixel_scale, fwhm)),
        spectra=PairSpectra(
            light=light.astype(np.float32),
            err=np.full((n, N_PIXELS), 0.5, np.float32),
            wave=WAVE,
            lsf_sigma=np.full(N_PIXELS, 1.0),
            excess=np.ones(N_PIXELS, np.float32),
            bend=np.zeros((N_PIXELS, 1), np.float32),
        ),
    )


def measured(rows, seed: int = 0) -> Sources:
    """Some of them as they are measured."""
    return measure_of(recipe(), pairs())(np.asarray(rows), np.random.default_rng(seed))


TEST = np.arange(900, 1000)
"""Rows that the bundle did not learn from."""


@cache
def trained():
    """The network at the end of its training."""
    with tempfile.TemporaryDirectory() as work:
        return learn_populations(recipe(), pairs(), basis(), Path(work))


@cache
def bundle():
    """It, as a bundle."""
    return populations_bundle(recipe(), trained())
