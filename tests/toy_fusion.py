"""Galaxies of the bench sdss-fusion, made of a number each."""

from pathlib import Path

import numpy as np

from galprism.recipes.fusion.sample import TARGETS, FusionSample

N, COUNTS = 60, (40, 8, 12)
BANDS = ("u", "g", "r", "i", "z")


def made(place: Path) -> FusionSample:
    """Galaxies whose light is drawn of a number each, which the targets are made of."""
    rng = np.random.default_rng(3)
    hidden = rng.normal(size=N)
    flux = 1e5 * 10 ** (0.3 * hidden[:, None]) * (1 + 0.02 * rng.normal(size=(N, 5)))
    spectrum = 20 * np.exp(0.3 * hidden)[:, None] * np.linspace(1, 2, 96) + rng.normal(size=(N, 96))
    ivar = np.ones((N, 96))
    ivar[3, 10:20] = 0
    image = rng.normal(size=(N, 5, 12, 12))
    image[:, :, 5:7, 5:7] += 100 * np.exp(hidden)[:, None, None, None]
    return FusionSample(
        ident=np.arange(N),
        image=image.astype(np.float32),
        fwhm=np.full((N, 5), 1.3, np.float32),
        spectrum=np.where(ivar > 0, spectrum, 0).astype(np.float32),
        spectrum_ivar=ivar.astype(np.float32),
        flux=flux.astype(np.float32),
        flux_ivar=np.full((N, 5), 1e-4, np.float32) * (1 + np.arange(N, dtype=np.float32)[:, None]),
        known=np.stack([hidden, hidden, hidden, 0.1 * np.exp(0.3 * hidden)], axis=1),
        share=np.ones((N, 3), np.float32),
        ess=np.where(np.arange(N) == 5, 3.0, 1000.0),
        targets=np.stack([(j + 1) * hidden + j for j in range(len(TARGETS))], axis=1),
        wave=np.geomspace(4000, 4000 * 10 ** (95e-4), 96),
        lsf_sigma=np.ones(96),
        bands=BANDS,
        image_bands=BANDS,
        pixel_scale=0.396,
        counts=COUNTS,
        place=place,
    )
