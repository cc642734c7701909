"""Half-light radii of images whose radius is known."""

import numpy as np
import pytest

from galprism.data import Cutouts
from galprism.data.sizes import half_light_radii
from galprism.errors import RequestError
from galprism.flags import Flag
from made_images import SCALE, stars

SIZE = 41
HALF = np.sqrt(2.0 * np.log(2.0))
"""Half-light radius of a Gaussian over its sigma."""


def gaussians(sigma, n=12, seed=0, flux=1e4, noise=0.0) -> Cutouts:
    """Images of Gaussians up to half a pixel off the middle, sigma in pixels."""
    rng = np.random.default_rng(seed)
    middle = (SIZE - 1) / 2
    x, y = middle + rng.uniform(-0.5, 0.5, (2, n))
    images = np.stack([stars((SIZE, SIZE), x[k], y[k], flux, sigma) for k in range(n)])
    images += noise * rng.standard_normal(images.shape)
    fwhm = np.full((n, 1), 2.3548 * sigma * SCALE)
    return Cutouts(images[:, None], np.ones_like(images[:, None]), ("r",), SCALE, fwhm)


@pytest.mark.parametrize("sigma", [1.4, 2.0, 3.0])
def test_a_gaussian_has_its_own(sigma):
    """A pixel's own width, 1/12 in the square, is in what it shows."""
    radius, flags = half_light_radii(gaussians(sigma), aperture=8.0)
    assert radius.shape == (12, 1)
    np.testing.assert_allclose(radius, HALF * np.sqrt(sigma**2 + 1 / 12) * SCALE, rtol=0.02)
    assert not flags.any()


def test_faint_sources_scatter_about_it():
    """Total S/N of 40 in 3 arcsec: the mean is within the error of the mean, and the scatter a few per cent."""
    noise = 1e4 / 40 / np.sqrt(np.pi * (1.5 / SCALE) ** 2)
    bright, _ = half_light_radii(gaussians(1.5, n=400))
    radius, _ = half_light_radii(gaussians(1.5, n=400, noise=noise))
    assert radius.mean() == pytest.approx(bright.mean(), rel=0.02)
    assert 0.01 < radius.std() / radius.mean() < 0.1


def test_pixels_without_data_are_those_on_the_other_side():
    """What takes their place lies opposite, so that a radius hardly changes whatever they hold."""
    whole = gaussians(2.0)
    flux, ivar = whole.flux.copy(), whole.ivar.copy()
    flux[:, 0, 18:20, 21:24], ivar[:, 0, 18:20, 21:24] = 1e6, 0.0
    radius, flags = half_light_radii(Cutouts(flux, ivar, ("r",), SCALE, whole.psf_fwhm))
    np.testing.assert_allclose(radius, half_light_radii(whole)[0], rtol=0.03)
    assert (flags == np.uint32(Flag.MASKED)).all()


def test_a_source_without_its_core_has_no_radius():
    whole = gaussians(2.0, n=3)
    ivar = whole.ivar.copy()
    ivar[1, 0, 18:23, 18:23] = 0.0
    dark = whole.flux.copy()
    dark[2] *= -1.0
    radius, flags = half_light_radii(Cutouts(dark, ivar, ("r",), SCALE, whole.psf_fwhm))
    assert np.isfinite(radius[:, 0]).tolist() == [True, False, False]
    assert flags.tolist() == [0, int(Flag.MASKED), 0]


def test_a_source_away_from_the_middle():
    """Where its place is told it is measured there, and not on what is in the middle."""
    image = stars((SIZE, SIZE), 26.3, 14.2, 1e4, 2.0) + stars((SIZE, SIZE), 11.0, 30.0, 5e4, 1.2)
    cutouts = Cutouts(image[None, None], np.ones((1, 1, SIZE, SIZE)), ("r",), SCALE, np.full((1, 1), 0.94))
    radius, _ = half_light_radii(cutouts, np.array([[[6.3, -5.8]]]))
    assert radius[0, 0] == pytest.approx(HALF * np.sqrt(4 + 1 / 12) * SCALE, rel=0.03)


def test_what_cannot_be_measured_is_refused():
    cutouts = gaussians(2.0, n=1)
    with pytest.raises(RequestError, match=r"aperture of 9 arcsec; accepted in these cutouts: above 0, up to 8"):
        half_light_radii(cutouts, aperture=9.0)
    picture = Cutouts(cutouts.flux, cutouts.ivar, ("r",), SCALE, unit="8-bit")
    with pytest.raises(RequestError, match="a half-light radius needs cutouts in nJy"):
        half_light_radii(picture)
    with pytest.raises(RequestError, match="offset has shape"):
        half_light_radii(cutouts, np.zeros((2, 1, 2)))
