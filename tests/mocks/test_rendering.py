"""The light of sources on pixels, held against closed forms and against GalSim."""

import itertools

import numpy as np
import pytest
from scipy.optimize import brentq

from galprism.errors import RequestError
from galprism.mocks.images.galsim_images import render_galsim
from galprism.mocks.images.mixtures import de_vaucouleurs, exponential, moffat, moffat_within, sersic_within
from galprism.mocks.images.rendering import PSF, render
from galprism.mocks.sky.members import Members, Shapes

SCALE = 0.2


def members(point=0.0, bulge=0.0, disc=0.0, re=0.5, q=1.0, angle=0.0, n=1, bands=1) -> Members:
    """n of a kind, or as many as the longest of what is given."""
    values = np.broadcast_arrays(*map(np.atleast_1d, (point, bulge, disc, re, q, angle)), np.zeros(n))[:-1]
    point, bulge, disc, re, q, angle = (np.array(value, float) for value in values)
    light = (np.repeat(part[:, None], bands, axis=1) for part in (point, bulge, disc))
    return Members(np.zeros(len(re)), *light, shapes=Shapes(re, re, q, q, angle))


def round_psf(n=1, fwhm=0.7, beta=3.0, g1=0.0, g2=0.0, bands=1) -> PSF:
    full = np.ones((n, bands))
    return PSF(fwhm * full, g1 * full, g2 * full, beta)


def alone(sky: Members, psf: PSF | None = None, size=41, x=0.0, y=0.0, **other):
    n = len(sky)
    return render(sky, psf or round_psf(n), np.full(n, x), np.full(n, y), size=size, **other)


def moments(image):
    """xx, xy, yy of a round region's light about its centroid, px^2."""
    y, x = np.indices(image.shape)
    total = image.sum()
    x, y = x - (image * x).sum() / total, y - (image * y).sum() / total
    return np.array([(image * x * x).sum(), (image * x * y).sum(), (image * y * y).sum()]) / total


class TestMixtures:
    @pytest.mark.parametrize(
        ("mixture", "within", "radii", "error"),
        [
            (exponential(), lambda r: sersic_within(1, r), (0.05, 6), 0.004),
            (de_vaucouleurs(), lambda r: sersic_within(4, r), (0.03, 30), 0.003),
            (moffat(2.5), lambda r: moffat_within(2.5, r), (0.1, 10), 0.004),
            (moffat(4.765), lambda r: moffat_within(4.765, r), (0.1, 10), 0.001),
        ],
    )
    def test_light_within_a_radius(self, mixture, within, radii, error):
        radius = np.geomspace(*radii, 333)
        np.testing.assert_allclose(mixture.within(radius), within(radius), rtol=error)
        assert mixture.flux.sum() == pytest.approx(1)
        assert (mixture.flux >= 0).all()

    def test_half_the_light_within_the_half_light_radius(self):
        for index in (1, 4):
            assert sersic_within(index, 1.0) == pytest.approx(0.5)

    def test_the_moffat_is_half_as_bright_at_half_its_fwhm(self):
        def brightness(r):
            return (moffat_within(3.0, r + 1e-5) - moffat_within(3.0, r - 1e-5)) / r

        assert brightness(0.5) == pytest.approx(0.5 * brightness(1e-3), rel=1e-3)

    def test_wings_that_four_gaussians_do_not_follow(self):
        with pytest.raises(RequestError, match=r"Moffat beta = 1.5; accepted: 2 or more"):
            moffat(1.5)


class TestLight:
    def test_flux_is_conserved(self):
        sky = members(point=[100, 0, 0], bulge=[0, 100, 0], disc=[0, 0, 100], re=0.4, q=0.5, angle=0.7)
        total = alone(sky, size=301).sum(axis=(1, 2, 3))
        np.testing.assert_allclose(total, 100, rtol=2e-3)

    def test_bands_are_apart(self):
        sky = members(point=1.0, bands=2)
        sky.point[0] = 100.0, 0.0
        image = alone(sky, round_psf(bands=2))[0]
        assert image[0].sum() == pytest.approx(100, rel=0.02)
        assert (image[1] == 0).all()

    def test_where_x_and_y_say(self):
        image = alone(members(point=100.0), x=1.1, y=-0.63, size=61)[0, 0]
        y, x = np.indices(image.shape) - 30
        weight = image / image.sum()
        np.testing.assert_allclose([(weight * x).sum(), (weight * y).sum()], [5.5, -3.15], atol=0.05)

    @pytest.mark.parametrize("fwhm", [0.5, 0.7, 1.1])
    def test_the_fwhm_of_the_psf_is_measured_back(self, fwhm):
        """On pixels so small that they do not widen it."""
        image = alone(members(point=1.0), round_psf(fwhm=fwhm), size=201, pixel_scale=0.02)[0, 0]
        profile = image[100, 100:] / image[100, 100]
        half = brentq(lambda r: np.interp(r, np.arange(101) * 0.02, profile) - 0.5, 0, 1.9)
        assert 2 * half == pytest.approx(fwhm, rel=0.01)

    def test_pixels_widen_it(self):
        """The variance of what a pixel integrates over grows by a twelfth of a square pixel along each axis."""
        psf = round_psf(fwhm=0.7, beta=50.0)
        fine = moments(alone(members(point=1.0), psf, size=401, pixel_scale=0.01)[0, 0])[0] * 0.01**2
        coarse = moments(alone(members(point=1.0), psf, size=41)[0, 0])[0] * SCALE**2
        assert coarse - fine == pytest.approx((SCALE**2 - 0.01**2) / 12, rel=0.02)

    @pytest.mark.parametrize("angle", [0.0, 0.5, np.pi / 4, np.pi / 2, 2.5])
    def test_angle_runs_from_x_to_y(self, angle):
        xx, xy, yy = moments(alone(members(disc=100.0, re=1.0, q=0.3, angle=angle), size=81)[0, 0])
        found = 0.5 * np.arctan2(2 * xy, xx - yy) % np.pi
        assert np.cos(2 * (found - angle)) == pytest.approx(1, abs=1e-4)

    def test_axis_ratio(self):
        """What is left of the covariance without the PSF's is (1, q^2) times the disc's 3.0 or so."""
        psf = moments(alone(members(point=1.0), size=401)[0, 0])
        xx, _, yy = moments(alone(members(disc=100.0, re=1.0, q=0.3), size=401)[0, 0]) - psf
        assert np.sqrt(yy / xx) == pytest.approx(0.3, abs=0.02)

    @pytest.mark.parametrize(("g1", "g2", "angle"), [(0.1, 0, 0), (-0.1, 0, np.pi / 2), (0, 0.1, np.pi / 4)])
    def test_shear_of_the_psf(self, g1, g2, angle):
        """A shear g has q = (1 - g) / (1 + g): the area stays."""
        psf = round_psf(fwhm=1.0, beta=20.0, g1=g1, g2=g2)
        image = alone(members(point=1.0), psf, size=301, pixel_scale=0.02)[0, 0]
        xx, xy, yy = moments(image)
        assert np.cos(2 * (0.5 * np.arctan2(2 * xy, xx - yy) - angle)) == pytest.approx(1, abs=1e-3)
        minor, major = np.sqrt(np.linalg.eigvalsh([[xx, xy], [xy, yy]]))
        assert minor / major == pytest.approx(0.9 / 1.1, rel=3e-3)
        still = moments(alone(members(point=1.0), round_psf(fwhm=1.0, beta=20.0), size=301, pixel_scale=0.02)[0, 0])
        assert minor * major == pytest.approx(np.sqrt(still[0] * still[2]), rel=3e-3)

    def test_wings_of_each_image(self):
        """Each image and band has its own beta, as if it were alone."""
        sky, full = members(point=10.0, n=2, bands=2), np.ones((2, 2))
        beta = np.array([[2.2, 4.0], [3.0, 2.5]])
        both = render(sky, PSF(0.7 * full, 0 * full, 0 * full, beta), np.zeros(2), np.zeros(2))
        for row, band in itertools.product(range(2), range(2)):
            one = alone(members(point=10.0), round_psf(beta=beta[row, band]))[0, 0]
            np.testing.assert_allclose(both[row, band], one, rtol=1e-5, atol=1e-6)

    def test_several_in_one_image(self):
        sky = members(point=[100, 50], n=2)
        both = render(sky, round_psf(1), np.array([0, 2.0]), np.array([0, -1.0]), image=np.array([0, 0]))
        first, second = alone(sky.take([0])), alone(sky.take([1]), x=2.0, y=-1.0)
        np.testing.assert_allclose(both, first + second, rtol=1e-5, atol=1e-6)

    def test_the_same_in_any_company(self):
        rng = np.random.default_rng(2)
        sky = members(bulge=rng.uniform(0, 9, 40), disc=rng.uniform(0, 9, 40), re=rng.uniform(0.1, 2, 40), q=0.4)
        together = alone(sky)
        for row in (0, 17, 39):
            np.testing.assert_allclose(together[[row]], alone(sky.take([row])), rtol=1e-4, atol=1e-6)

    def test_what_is_too_faint_anywhere_is_left_out(self):
        sky = members(point=[100.0, 1e-3], n=2)
        assert (alone(sky, faintest=0.01)[1] == 0).all()
        np.testing.assert_allclose(alone(sky, faintest=0.01)[0], alone(sky)[0], atol=0.04)


class TestAgainstGalSim:
    @pytest.mark.parametrize(
        ("beta", "pixels", "most"), [(2.1, 2.3, 0.006), (3.0, 2.5, 0.004), (2.5, 3.5, 0.004), (4.765, 5.0, 0.004)]
    )
    def test_within_one_percent_of_the_peak(self, beta, pixels, most):
        """Sizes of 0.05 to 3 arcsec, three axis ratios and bulge fractions, anywhere in a pixel, at any angle."""
        pytest.importorskip("galsim")
        grid = np.array(list(itertools.product((0.05, 0.2, 0.6, 1.5, 3.0), (0.2, 0.6, 1.0), (0.0, 0.4, 1.0))))
        re, q, bulge = grid.T
        rng = np.random.default_rng(8)
        sky = members(point=0.0, bulge=1000 * bulge, disc=1000 * (1 - bulge), re=re, q=q, angle=rng.uniform(0, 3, 45))
        psf = PSF(np.full((45, 1), pixels * SCALE), *rng.normal(0, 0.05, (2, 45, 1)), beta)
        x, y = rng.uniform(-0.1, 0.1, (2, 45))
        ours, theirs = render(sky, psf, x, y), render_galsim(sky, psf, x, y)
        peak = theirs.max(axis=(2, 3))
        assert (np.abs(ours - theirs).max(axis=(2, 3)) / peak).max() < most

    def test_points_and_neighbours(self):
        pytest.importorskip("galsim")
        sky = members(point=[100, 0, 40], disc=[0, 50, 10], re=0.5, n=3, bands=2)
        psf = PSF(np.array([[0.6, 0.9], [0.7, 0.8]]), np.full((2, 2), 0.03), np.full((2, 2), -0.05), 3.0)
        scene = {"x": np.array([0, 2.0, 5.0]), "y": np.array([0.05, -1, 0]), "image": np.array([0, 0, 1])}
        ours, theirs = render(sky, psf, size=32, **scene), render_galsim(sky, psf, size=32, **scene)
        np.testing.assert_allclose(ours, theirs, atol=0.004 * theirs.max())


@pytest.mark.parametrize("draw", [render, render_galsim])
def test_what_does_not_fit_is_refused(draw):
    sky, zeros = members(point=1.0, n=2), np.zeros(2)
    for psf, x, other, said in [
        (round_psf(1), zeros, {}, "2 members in 1 images: say which image"),
        (round_psf(2, bands=3), zeros, {}, "members have 1 bands and their PSFs 3"),
        (round_psf(2), np.zeros(3), {}, r"shapes \(3,\), \(2,\), \(2,\); expected \(2,\)"),
        (round_psf(2), zeros, {"image": np.array([0, 2])}, "image names 0 to 2; there are 2"),
        (round_psf(2), zeros, {"size": 0}, "images of 0 pixels"),
    ]:
        with pytest.raises(RequestError, match=said):
            draw(sky, psf, x, zeros, **other)


def test_a_psf_narrower_than_pixels_resolve():
    with pytest.raises(RequestError, match=r"FWHM of 1.50 pixels of 0.2 arcsec; accepted: 2 or more"):
        alone(members(point=1.0), round_psf(fwhm=0.3))
    with pytest.raises(RequestError, match="not above zero"):
        round_psf(fwhm=0.0)
    with pytest.raises(RequestError, match="not below one"):
        round_psf(g1=1.0)
