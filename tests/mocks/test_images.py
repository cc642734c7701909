"""Cutouts as a camera would take them: noise, masks, neighbours and random numbers."""

from dataclasses import replace

import numpy as np
import pytest

from galprism import surveys
from galprism.data import Cutouts
from galprism.data.cutout_file import CutoutFile, CutoutWriter
from galprism.errors import RequestError
from galprism.mocks.images.cutouts import ImageConfig, electrons_per_njy, image_batches, sky_sigma, take_images
from galprism.mocks.sky.members import Members, Shapes
from galprism.mocks.sky.patch import Patch
from galprism.units import njy_from_abmag

KIDS = surveys.get("kids")
R = KIDS.band_names.index("r")
CLEAN = ImageConfig(bad_pixels=0.0)
STILL = ImageConfig(bad_pixels=0.0, fwhm_scatter=0.0, ellipticity=0.0, offset=0.0)


def points(flux) -> Members:
    """Points of fluxes (N,) nJy in r and none in the other bands."""
    flux = np.atleast_1d(np.asarray(flux, float))
    point = np.zeros((len(flux), len(KIDS.bands)))
    point[:, R] = flux
    return Members(np.zeros(len(flux)), point, 0 * point, 0 * point, Shapes.of_points(len(flux)))


def field(n=300, seed=4, side=60.0) -> Patch:
    """Galaxies and points of magnitude 19 to 25 at 300 a square arcmin, in all bands."""
    rng = np.random.default_rng(seed)
    flux = njy_from_abmag(rng.uniform(19, 25, n))[:, None] * rng.uniform(0.5, 2, (n, len(KIDS.bands)))
    point, bulge = rng.random((n, 1)) < 0.2, rng.random((n, 1)) * 0.5
    shapes = Shapes(
        rng.uniform(0.1, 1, n), rng.uniform(0.2, 2, n), rng.uniform(0.5, 1, n), rng.uniform(0.2, 1, n), rng.random(n)
    )
    light = Members(np.zeros(n), flux * point, flux * ~point * bulge, flux * ~point * (1 - bulge), shapes)
    return Patch(1000 + np.arange(n), light, *rng.uniform(0, side, (2, n)))


def empty(n=200) -> Patch:
    return Patch(np.arange(n), points(np.zeros(n)))


def aperture(size: int, pixel_scale: float, diameter: float) -> np.ndarray:
    """(size, size), bool: pixels whose centres are in a circle about the middle."""
    y, x = (np.indices((size, size)) - (size - 1) / 2) * pixel_scale
    return np.hypot(x, y) < diameter / 2


class TestNoise:
    def test_variance_of_a_pixel_is_as_stated(self):
        cutouts = take_images(empty(), KIDS, CLEAN, seed=1)
        n = cutouts.flux.size
        assert (cutouts.flux**2 * cutouts.ivar).mean() == pytest.approx(1, abs=5 * np.sqrt(2 / n))
        assert (cutouts.flux * np.sqrt(cutouts.ivar)).mean() == pytest.approx(0, abs=5 / np.sqrt(n))

    @pytest.mark.parametrize(("size", "pixel_scale"), [(41, 0.2), (81, 0.1)])
    def test_five_sigma_in_the_aperture_at_the_depth(self, size, pixel_scale):
        """The noise of what 2 arcsec hold, measured on empty sky, is a fifth of the flux at the depth."""
        config = replace(CLEAN, size=size, pixel_scale=pixel_scale)
        inside = aperture(size, pixel_scale, 2.0)
        measured = take_images(empty(600), KIDS, config, seed=2).flux[:, 0][:, inside].sum(axis=1)
        depth = njy_from_abmag(KIDS.bands[R].depth)
        area = inside.sum() * pixel_scale**2 / np.pi  # of the pixels, over the circle's
        assert depth / (measured.std() / np.sqrt(area)) == pytest.approx(5, rel=5 / np.sqrt(2 * 600))

    def test_deeper_bands_are_less_noisy(self):
        config = ImageConfig(bands=("u", "r"), fwhm=(1.0, 0.7), electrons_per_njy=(9.0, 9.0))
        u, r = sky_sigma(KIDS, config)
        assert u / r == pytest.approx(10 ** (0.4 * (25.02 - 24.23)))

    def test_sources_add_poisson_noise_that_ivar_does_not_tell(self):
        """At the peak of a bright star; its variance is the sky's and flux / electrons."""
        n, electrons = 2000, 2.0
        patch = Patch(np.arange(n), points(np.full(n, 2e5)))
        cutouts = take_images(patch, KIDS, replace(STILL, size=5, electrons_per_njy=(electrons,)), seed=3)
        peak = cutouts.flux[:, 0, 2, 2].astype(float)
        sky = sky_sigma(KIDS, STILL)[0] ** 2
        assert peak.mean() / electrons > 20 * sky
        assert peak.var() == pytest.approx(sky + peak.mean() / electrons, rel=5 * np.sqrt(2 / n))
        np.testing.assert_allclose(cutouts.ivar, 1 / sky, rtol=1e-5)
        quiet = take_images(patch, KIDS, replace(STILL, size=5, electrons_per_njy=(np.inf,)), seed=3)
        assert quiet.flux[:, 0, 2, 2].astype(float).var() == pytest.approx(sky, rel=5 * np.sqrt(2 / n))

    def test_electrons_of_a_zero_point(self):
        assert electrons_per_njy(31.4, 10.0) == pytest.approx(10)
        assert electrons_per_njy(25.64, 1800) == pytest.approx(ImageConfig().electrons_per_njy[0], rel=0.01)

    def test_the_default_is_what_a_dark_sky_gives(self):
        """Its photons in 2 arcsec are the noise that the depth of r states."""
        sky = njy_from_abmag(21.0) * np.pi
        noise = np.sqrt(sky / ImageConfig().electrons_per_njy[0])
        assert 5 * noise == pytest.approx(njy_from_abmag(25.02), rel=0.01)


class TestMasks:
    def test_bad_pixels_have_no_weight(self):
        cutouts = take_images(empty(), KIDS, ImageConfig(bad_pixels=0.01), seed=1)
        share, n = (~cutouts.observed).mean(), cutouts.flux.size
        assert share == pytest.approx(0.01, abs=5 * np.sqrt(0.01 / n))
        assert (cutouts.flux[~cutouts.observed] == 0).all()
        assert (cutouts.ivar[~cutouts.observed] == 0).all()

    def test_saturated_pixels_have_no_weight(self):
        """Those of a bright star's middle, and no others."""
        patch, level = Patch(np.arange(2), points([1e6, 1e4])), 2e4
        free = take_images(patch, KIDS, STILL, seed=1)
        cut = take_images(patch, KIDS, replace(STILL, saturation=(level,)), seed=1)
        np.testing.assert_array_equal(cut.observed, free.flux <= level)
        assert not cut.observed[0, 0, 20, 20]
        assert cut.observed[1].all()


class TestPSF:
    def test_varies_as_asked(self):
        config = replace(CLEAN, bands=("g", "r"), fwhm=(0.9, 0.7), electrons_per_njy=(9.0, 9.0), size=3)
        fwhm = take_images(empty(2000), KIDS, config, seed=1).psf_fwhm
        np.testing.assert_allclose(np.median(fwhm, axis=0), [0.9, 0.7], rtol=0.01)
        np.testing.assert_allclose(np.log(fwhm).std(axis=0), 0.1, rtol=0.1)
        assert abs(np.corrcoef(fwhm.T)[0, 1]) < 0.1

    def test_a_wider_one_is_fainter_at_its_peak(self):
        patch = Patch(np.arange(300), points(np.full(300, 1e6)))
        cutouts = take_images(patch, KIDS, replace(STILL, fwhm=(1.0,), fwhm_scatter=0.2, size=11), seed=1)
        peak = cutouts.flux[:, 0, 5, 5]
        slope = np.polyfit(np.log(cutouts.psf_fwhm[:, 0]), np.log(peak), 1)[0]
        assert slope == pytest.approx(-1.9, abs=0.15)  # -2, but for the pixel's own width

    def test_wings_vary_as_asked(self):
        """Light at 2 arcsec goes as r^(-2 beta), so that images of one FWHM differ there as their wings do."""
        patch = Patch(np.arange(400), points(np.full(400, 1e7)))
        bright = replace(STILL, beta=2.9, size=31, electrons_per_njy=(np.inf,))
        spread = []
        for scatter in (0.0, 0.12):
            flux = take_images(patch, KIDS, replace(bright, beta_scatter=scatter), seed=1).flux[:, 0]
            spread.append(np.log(flux[:, 15, 25] / flux[:, 15, 15]).std())
        # d ln(light at x FWHM / peak) / d ln beta = -beta d/dbeta [beta ln(1 + 4 x^2 (2^(1/beta) - 1))]
        x, step = 2.0 / 0.7, 1e-4
        ratio = [b * np.log(1 + 4 * x**2 * (2 ** (1 / b) - 1)) for b in (2.9 - step, 2.9 + step)]
        assert spread[0] < 0.01
        assert spread[1] == pytest.approx(0.12 * 2.9 * (ratio[1] - ratio[0]) / (2 * step), rel=0.15)

    def test_wings_too_strong_for_four_gaussians_are_refused(self):
        with pytest.raises(RequestError, match=r"beta = 2.5 with images.beta_scatter = 0.2 is 1.37 at the least"):
            ImageConfig(beta=2.5, beta_scatter=0.2)

    def test_sources_are_within_a_pixel_of_the_middle(self):
        patch = Patch(np.arange(500), points(np.full(500, 1e7)))
        cutouts = take_images(patch, KIDS, replace(STILL, offset=0.5, size=21), seed=1)
        light = cutouts.flux[:, 0] / cutouts.flux[:, 0].sum(axis=(1, 2), keepdims=True)
        for axis in (1, 2):
            place = light.sum(axis=axis) @ (np.arange(21) - 10)
            assert np.abs(place).max() < 0.52
            assert place.std() == pytest.approx(1 / np.sqrt(12), rel=0.1)


class TestNeighbours:
    def test_at_the_right_place(self):
        """A neighbour 2 arcsec along x and 1 against y of a faint source is 10 columns on and 5 rows down from it."""
        patch = Patch(np.arange(2), points([0, 1e5]), np.array([50.0, 52.0]), np.array([7.0, 6.0]))
        first, second = take_images(patch, KIDS, STILL, seed=1).flux[:, 0]
        assert np.unravel_index(first.argmax(), first.shape) == (20 - 5, 20 + 10)
        assert np.unravel_index(second.argmax(), second.shape) == (20, 20)

    def test_their_light_is_added(self):
        """Each image of a crowded field is the source alone, and the sum of every neighbour alone, seen from there."""
        patch, quiet = field(), replace(STILL, electrons_per_njy=(np.inf,), faintest=0.0, reach=200.0)
        row = 7
        crowded = take_images(patch, KIDS, quiet, seed=1, rows=[row]).flux[0, 0]
        one_by_one = 0.0
        noise = take_images(Patch(patch.id[[row]], points(0)), KIDS, quiet, seed=1).flux[0, 0]
        for other in range(len(patch)):
            pair = Members(
                *(np.stack([0 * part[other], part[other]]) for part in light(patch)), shapes=two(patch, other)
            )
            places = np.array([patch.x[row], patch.x[other]]), np.array([patch.y[row], patch.y[other]])
            seen = take_images(Patch(np.array([patch.id[row], 1]), pair, *places), KIDS, quiet, seed=1, rows=[0])
            one_by_one = one_by_one + (seen.flux[0, 0] - noise)
        np.testing.assert_allclose(crowded - noise, one_by_one, atol=1e-3 * crowded.max())

    def test_what_is_left_out_is_below_the_noise(self):
        patch = field()
        every, near = (
            take_images(patch, KIDS, replace(STILL, **settings), seed=1, rows=slice(40)).flux
            for settings in ({"faintest": 0.0, "reach": 200.0}, {})
        )
        assert np.abs(every - near).max() < 0.05 * sky_sigma(KIDS, STILL)[0]

    def test_without_positions_each_is_alone(self):
        patch = field()
        apart = replace(patch, x=1e4 * np.arange(len(patch)), y=np.zeros(len(patch)))
        alone = take_images(replace(patch, x=None, y=None), KIDS, CLEAN, seed=1).flux
        np.testing.assert_allclose(take_images(apart, KIDS, CLEAN, seed=1).flux, alone, rtol=1e-4, atol=1e-3)


def light(patch):
    members = patch.members
    return np.zeros((len(patch), 1)), members.point, members.bulge, members.disc


def two(patch, other):
    return patch.members.shapes.take([other, other])


class TestRandomNumbers:
    def test_the_same_however_batched(self):
        patch = field(60)
        whole = take_images(patch, KIDS, ImageConfig(), seed=5)
        ids, parts = zip(*image_batches(patch, KIDS, ImageConfig(), seed=5, size=7), strict=True)
        np.testing.assert_array_equal(np.concatenate(ids), patch.id)
        parted = Cutouts.joined(parts)
        for other, rows in [
            (parted, slice(None)),
            (take_images(patch, KIDS, ImageConfig(), seed=5, rows=[9, 3]), [9, 3]),
        ]:
            np.testing.assert_array_equal(other.ivar, whole.ivar[rows])
            np.testing.assert_array_equal(other.psf_fwhm, whole.psf_fwhm[rows])
            np.testing.assert_allclose(other.flux, whole.flux[rows], rtol=1e-4, atol=1e-3)

    def test_another_seed_or_id_is_another_image(self):
        images = [take_images(empty(2), KIDS, CLEAN, seed=seed).flux for seed in (1, 1, 2)]
        np.testing.assert_array_equal(images[0], images[1])
        for a, b in [(images[0], images[2]), (images[0][0], images[0][1])]:
            assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.12


def test_any_bands_and_size_to_a_file_and_back(tmp_path):
    config = ImageConfig(
        bands=("u", "r", "Ks"), size=24, pixel_scale=0.25, fwhm=(1.0, 0.7, 0.8), electrons_per_njy=(3.0, 9.0, 1.0)
    )
    patch = field(30)
    with CutoutWriter(tmp_path / "sky.h5") as writer:
        for ids, cutouts in image_batches(patch, KIDS, config, seed=1, size=11):
            writer.write(ids, cutouts)
    file = CutoutFile(tmp_path / "sky.h5")
    assert (len(file), file.bands, file.shape, file.pixel_scale) == (30, ("u", "r", "Ks"), (24, 24), 0.25)
    read, made = file.read(ids=patch.id[[8, 2]]), take_images(patch, KIDS, config, seed=1, rows=[8, 2])
    np.testing.assert_allclose(read.flux, made.flux, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"bands": ()}, r"images.fwhm = \[0.7\]; accepted: numbers above zero, one for each of"),
        (
            {"bands": ("r", "r"), "fwhm": (1.0, 1.0), "electrons_per_njy": (1.0, 1.0)},
            "accepted: one or more, each once",
        ),
        ({"fwhm": (0.7, 0.8)}, r"images.fwhm = \[0.7, 0.8\]; accepted: numbers above zero, one for each of r"),
        ({"fwhm": (0.0,)}, "images.fwhm"),
        ({"electrons_per_njy": (-1.0,)}, "images.electrons_per_njy"),
        ({"saturation": (1.0, 2.0)}, "images.saturation"),
        ({"pixel_scale": 0.0}, "images.pixel_scale = 0.0; accepted: above zero"),
        ({"offset": 0.6}, "images.offset = 0.6; accepted: 0 to 0.5"),
        ({"ellipticity": 0.5}, "images.ellipticity = 0.5; accepted: 0 to 0.1"),
        ({"bad_pixels": -0.1}, "images.bad_pixels"),
        ({"size": 0}, "images.size = 0"),
        ({"pixel_scale": 0.3}, r"as narrow as 0.52 arcsec; accepted: 2 pixels of 0.3 arcsec or more"),
    ],
)
def test_settings_refused(settings, said):
    with pytest.raises(RequestError, match=said):
        ImageConfig(**settings)


def test_requests_refused():
    with pytest.raises(RequestError, match=r"images\.bands: kids has no band q; it has u, g, r"):
        take_images(empty(2), KIDS, replace(CLEAN, bands=("q",)), seed=1)
    with pytest.raises(RequestError, match="the members have 9 bands; kids has 8"):
        take_images(empty(2), KIDS.without("u"), CLEAN, seed=1)
    for parts, said in [
        ({"id": np.array([0, 0])}, "each once"),
        ({"id": np.array([-1, 0])}, "integers from 0 on"),
        ({"id": np.array([0.0, 1.0])}, "integers from 0 on"),
        ({"id": np.arange(3)}, r"Patch.id has shape \(3,\); expected \(2,\)"),
        ({"x": np.zeros(2)}, "give both x and y, or neither"),
        ({"x": np.zeros(2), "y": np.array([0, np.nan])}, "Patch.y is not finite"),
        ({"members": points([1.0, -1.0])}, "Patch.members.point is negative or NaN"),
    ]:
        with pytest.raises(RequestError, match=said):
            Patch(**{"id": np.arange(2), "members": points([1.0, 2.0]), **parts})
