"""Simulated fields beside the real one of `real_field.py`: seen as in training, and as it was seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from field_sources import BANDS
from galprism import recipes, surveys
from galprism.data import Cutouts, Photometry, Sources
from galprism.mocks import NoiseConfig, observe
from galprism.mocks.images.cutouts import ImageConfig, take_images
from galprism.mocks.sky.stars import Stars
from galprism.recipes.sky import field_of
from galprism.surveys import Survey
from galprism.units import AB_ZEROPOINT_NJY, abmag_from_njy
from real_field_samples import LIMIT, STARS, R, RealField

NOISY = "noise of this field"
SEEN_AS = "noise, seeing and wings of the PSF"
PATCHES, DEEPER = 10, 24.5
"""Simulated fields, each as large as the real one, and how faint their sources are that are seen as neighbours."""


@dataclass(frozen=True, eq=False)
class MockField:
    """Simulated sources to LIMIT on PATCHES fields as large as the real one."""

    sources: Sources
    classes: np.ndarray
    """(N,), index into CLASSES."""
    mag: np.ndarray
    """(N,), true, in r."""


def conditions(real: RealField) -> dict[str, tuple[Survey, ImageConfig]]:
    """How the same simulated fields are observed: as in training, then step by step as the real one was."""
    kids, images = surveys.get("kids"), recipes.load("kids-field").images
    assert images is not None
    depth = AB_ZEROPOINT_NJY - 2.5 * np.log10(5.0 * real.empty.scatter)
    bands = tuple(replace(band, depth=float(m)) for band, m in zip(kids.bands, depth, strict=True))
    # the depth of images is that of a circle of pixels whose noise is independent
    circle = np.sqrt(np.pi) * images.aperture / 2 / images.pixel_scale
    pixel = AB_ZEROPOINT_NJY - 2.5 * np.log10(5.0 * circle * real.pixel_noise[R])
    noisy = replace(kids, bands=(*bands[:R], replace(bands[R], depth=float(pixel)), *bands[R + 1 :]))
    seeing = replace(images, fwhm=(float(real.psf[R, 0]),), fwhm_scatter=0.03)
    return {
        "as in training": (kids, images),
        NOISY: (noisy, images),
        "noise and seeing": (noisy, seeing),
        SEEN_AS: (noisy, replace(seeing, beta=float(real.psf[R, 1]))),
    }


def work_mock(area: float, observed: Mapping[str, tuple[Survey, ImageConfig]]) -> dict[str, MockField]:
    """The same simulated fields under each of `observed`, with neighbours to DEEPER."""
    field = field_of(recipes.load("kids-field", [f"field.area={area}", f"field.limit={DEEPER}"]))
    made: dict[str, list[MockField]] = {name: [] for name in observed}
    for number in range(PATCHES):
        patch = field.patch(number)
        assert patch.classes is not None
        mag = abmag_from_njy(patch.members.flux[:, R])
        rows = np.flatnonzero(mag < LIMIT)
        flux = patch.members.flux[rows].astype(np.float32)
        for name, (survey, images) in observed.items():
            rng = np.random.default_rng((5, number))
            photometry = observe(flux, survey, NoiseConfig(), rng)
            cutouts = take_images(patch, survey, images, seed=5, rows=rows)
            sources = Sources(patch.id[rows], photometry=photometry, cutouts=cutouts)
            made[name].append(MockField(sources, patch.classes[rows], mag[rows]))
    return {name: _joined(parts) for name, parts in made.items()}


def _joined(parts: list[MockField]) -> MockField:
    held = [part.sources for part in parts]
    flux, ivar = (np.concatenate([getattr(one.photometry, name) for one in held]) for name in ("flux", "ivar"))
    cutouts = Cutouts.joined([one.cutouts for one in held if one.cutouts is not None])
    ident = np.concatenate([one.id for one in held])
    sources = Sources(ident, photometry=Photometry(flux, ivar, BANDS), cutouts=cutouts)
    return MockField(sources, *(np.concatenate([getattr(part, name) for part in parts]) for name in ("classes", "mag")))


def simulated_stars() -> np.ndarray:
    """(M, B), AB magnitudes without noise of stars as bright as those of the locus, the Milky Way's dust left out."""
    config = recipes.load("kids-field").field
    assert config is not None
    made = Stars(config.stars, surveys.get("kids"), "r", STARS[1]).patch(4.0, np.random.default_rng(3))
    mag = abmag_from_njy(made.flux)
    return mag[mag[:, R] > STARS[0]]
