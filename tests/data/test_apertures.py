import sys

import numpy as np
import pytest

from galprism.data import Cutouts
from galprism.data.apertures import FWHM_PER_SIGMA, aperture_photometry
from galprism.errors import RequestError
from galprism.flags import Flag
from made_images import SCALE, stars

N, SIZE = 40, 41
RNG = np.random.default_rng(8)
OFFSET = RNG.uniform(-0.5, 0.5, (N, 2, 2))
FLUX = RNG.uniform(1e3, 1e5, (N, 2))
SIGMA = 2.5
"""Pixels."""


def cutouts(flux, noise=10.0, ivar=None, **other) -> Cutouts:
    ivar = np.full(flux.shape, noise**-2) if ivar is None else ivar
    return Cutouts(flux.astype(np.float64), ivar, **{"bands": ("g", "r"), "pixel_scale": SCALE, **other})


def planted(sigma=(SIGMA, SIGMA), flux=FLUX, offset=OFFSET) -> np.ndarray:
    return np.array(
        [
            [stars((SIZE, SIZE), 20 + offset[n, b, 0], 20 + offset[n, b, 1], flux[n, b], sigma[b]) for b in range(2)]
            for n in range(len(flux))
        ]
    )


def enclosed(radius, sigma):
    """Of a Gaussian within a circle, both in pixels; pixels blur each of them by a twelfth in variance."""
    return 1 - np.exp(-(radius**2) / 2 / (sigma**2 + 1 / 6))


@pytest.mark.parametrize(("diameter", "rtol"), [(1.0, 6e-3), (2.0, 1e-3), (3.0, 1e-3)])
def test_the_flux_of_a_gaussian_is_what_the_circle_encloses(diameter, rtol):
    photometry, flags = aperture_photometry(cutouts(planted()), OFFSET, diameter=diameter)
    radius = diameter / 2 / SCALE
    np.testing.assert_allclose(photometry.flux, FLUX * enclosed(radius, SIGMA), rtol=rtol)
    np.testing.assert_allclose(photometry.flux_err, 10 * np.sqrt(np.pi) * radius, rtol=0.12)
    assert photometry.bands == ("g", "r")
    assert not flags.any()


def test_bands_are_matched_to_the_widest():
    sigma = np.array([1.8, 3.0])
    fwhm = np.tile(sigma * SCALE * FWHM_PER_SIGMA, (N, 1))
    made = cutouts(planted(sigma), psf_fwhm=fwhm)
    matched, _ = aperture_photometry(made, OFFSET, match_psf=True)
    np.testing.assert_allclose(matched.flux, FLUX * enclosed(5, 3.0), rtol=2e-3)
    apart, _ = aperture_photometry(made, OFFSET)
    np.testing.assert_allclose(apart.flux, FLUX * enclosed(5, sigma), rtol=3e-3)
    assert (matched.flux_err[:, 0] < apart.flux_err[:, 0]).all()
    np.testing.assert_array_equal(matched.flux_err[:, 1], apart.flux_err[:, 1])


@pytest.mark.parametrize("options", [{}, {"annulus": (2.4, 4.0)}, {"match_psf": True}, {"diameter": 3.0}])
def test_errors_are_the_scatter_of_empty_apertures(options):
    rng = np.random.default_rng(3)
    n = 1500
    noise = np.broadcast_to(np.array([5.0, 20.0])[:, None, None], (n, 2, SIZE, SIZE))
    sky = rng.normal(0, noise) + (100.0 if "annulus" in options else 0.0)
    made = cutouts(sky, ivar=noise**-2.0, psf_fwhm=np.tile([0.6, 0.9], (n, 1)))
    photometry, _ = aperture_photometry(made, rng.uniform(-0.5, 0.5, (n, 2, 2)), **options)
    pull = photometry.flux / photometry.flux_err
    np.testing.assert_allclose(pull.std(axis=0), 1, atol=0.08)
    np.testing.assert_allclose(pull.mean(axis=0), 0, atol=0.11)


def test_the_annulus_takes_the_sky_off():
    sky = np.random.default_rng(1).normal(300, 1e-3, (N, 2, SIZE, SIZE))
    photometry, _ = aperture_photometry(cutouts(planted((1.5, 1.5)) + sky, noise=1e-3), OFFSET, annulus=(2.4, 4.0))
    np.testing.assert_allclose(photometry.flux, FLUX * enclosed(5, 1.5), rtol=4e-3)


class TestMasked:
    def holed(self, *places):
        flux, ivar = planted(), np.full((N, 2, SIZE, SIZE), 0.01)
        for place in places:
            flux[(..., *place)], ivar[(..., *place)] = 0, 0
        return cutouts(flux, ivar=ivar)

    def test_pixels_are_replaced_by_their_mirror_images(self):
        photometry, flags = aperture_photometry(self.holed((18, 22), (17, 20)), OFFSET)
        np.testing.assert_allclose(photometry.flux, FLUX * enclosed(5, SIGMA), rtol=0.03)
        assert (flags == Flag.MASKED).all()

    def test_outside_the_circle_they_do_not_matter(self):
        whole, _ = aperture_photometry(self.holed(), OFFSET)
        photometry, flags = aperture_photometry(self.holed((2, 3), (slice(0, 10), slice(0, 41))), OFFSET)
        np.testing.assert_array_equal(photometry.flux, whole.flux)
        assert not flags.any()

    def test_too_little_is_left(self):
        photometry, flags = aperture_photometry(self.holed((slice(18, 23), slice(18, 23))), OFFSET)
        assert not photometry.observed.any()
        assert not photometry.flux.any()
        assert (flags == Flag.MASKED).all()

    def test_nothing_is_left(self):
        photometry, _ = aperture_photometry(self.holed((slice(None), slice(None))), np.full((N, 2, 2), np.nan))
        assert not photometry.observed.any()

    def test_an_annulus_without_data(self):
        hole = [(slice(0, 12), slice(None)), (slice(29, 41), slice(None))]
        hole += [(slice(None), slice(0, 12)), (slice(None), slice(29, 41))]
        photometry, _ = aperture_photometry(self.holed(*hole), OFFSET, annulus=(2.4, 4.0))
        assert not photometry.observed.any()


@pytest.mark.parametrize(
    ("made", "options", "said"),
    [
        ({}, {"diameter": 8.2}, "aperture of 8.2 arcsec; accepted in these cutouts: up to 8"),
        ({}, {"diameter": 0.0}, "aperture of 0 arcsec"),
        ({}, {"annulus": (3.0, 5.0)}, "annulus 3 to 5 arcsec; accepted in these cutouts"),
        ({}, {"offset": np.zeros((N, 2))}, r"offset has shape \(40, 2\); expected \(40, 2, 2\)"),
        ({}, {"match_psf": True}, "FWHM is not known in g, r"),
        ({"psf_fwhm": np.tile([0.7, np.nan], (N, 1))}, {"match_psf": True}, "FWHM is not known in r"),
        ({"unit": "8-bit"}, {}, "aperture photometry needs cutouts in nJy; these are in 8-bit"),
    ],
)
def test_refused(made, options, said):
    with pytest.raises(RequestError, match=said):
        aperture_photometry(cutouts(np.ones((N, 2, SIZE, SIZE)), **made), **options)


def test_without_photutils(monkeypatch):
    monkeypatch.setitem(sys.modules, "photutils.aperture", None)
    with pytest.raises(RequestError, match=r"photutils is not installed; pip install galprism\[images\]"):
        aperture_photometry(cutouts(np.ones((N, 2, SIZE, SIZE))))
