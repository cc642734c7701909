import sys

import numpy as np
import pytest
from scipy.ndimage import binary_fill_holes

from galprism.errors import RequestError
from galprism.prep.blends import BlendConfig, sources_within
from galprism.prep.pictures import (
    BLANK,
    BLENDED,
    EDGE,
    ELSEWHERE,
    NO_ELLIPSE,
    NO_SOURCE,
    PictureConfig,
    cropped,
    prepare_pictures,
    stages_of,
)
from galprism.prep.target_ellipse import Ellipse, fitted_ellipse, grey_of, isodata_threshold, outline_of, target_part
from made_pictures import galaxy, light_at, picture

MIDDLE = 63.5
ALONE = PictureConfig(blends=None)


@pytest.mark.parametrize("angle", [0.0, 0.4, 1.2, np.pi / 2, 2.6])
@pytest.mark.parametrize("q", [0.3, 0.8])
def test_a_planted_ellipse_is_found(q, angle):
    """The isophote of an elliptical profile at the threshold: 0.5 ** m^2 is the threshold's light over the peak's."""
    at = stages_of(picture(galaxy(64.2, 62.9, 9, q, angle), colour=(1, 1, 1)), ALONE)
    assert at.reason == ""
    grown = np.sqrt(np.log2(5.0 / light_at(at.threshold * at.picture.max() / 255)))
    found = at.ellipse
    np.testing.assert_allclose([found.x, found.y], [64.2, 62.9], atol=0.25)
    np.testing.assert_allclose([found.major, found.minor], [9 * grown, 9 * q * grown], atol=0.4)
    off = (found.angle - angle + np.pi / 2) % np.pi - np.pi / 2
    assert abs(off) < (0.03 if q < 0.5 else 0.1)


def test_a_neighbour_is_black_and_the_target_stays():
    target, neighbour = galaxy(MIDDLE, MIDDLE, 8, 0.6, 0.5), galaxy(110, 28, 4, 1, 0, peak=8)
    at = stages_of(picture(target, neighbour, noise=0.05))
    assert at.reason == ""
    assert at.masked[20:37, 101:120].max() == 0
    inside = at.ellipse.mask(128, 128)
    np.testing.assert_array_equal(at.masked[inside], at.picture[inside])
    alone = stages_of(picture(target, noise=0.05))
    assert abs(at.ellipse.major / alone.ellipse.major - 1) < 0.2
    prepared = prepare_pictures(at.picture[None])
    np.testing.assert_array_equal(prepared.values[0], at.prepared)
    assert prepared.good.all()


def test_threshold_is_the_isodata_of_skimage():
    """Ridler & Calvard's threshold solves t = (mean above + mean below) / 2; scikit-image lists all that do."""
    from skimage.filters import threshold_isodata

    rng = np.random.default_rng(3)
    grey = np.clip([rng.normal(30, 8, (40, 50)) + galaxy(25, 20, s, 0.7, 1, 180, (40, 50)) for s in (4, 8, 15)], 0, 255)
    grey = grey.astype(np.uint8)
    for found, image in zip(isodata_threshold(grey), grey, strict=True):
        bright = image > found
        assert found == pytest.approx((image[bright].mean() + image[~bright].mean()) / 2)
        solutions = threshold_isodata(image, return_all=True)
        assert np.abs(solutions - found).min() <= 1


def test_grey_goes_from_black_to_white():
    rng = np.random.default_rng(4)
    levels = rng.integers(20, 120, (3, 9, 8, 3)).astype(np.uint8)
    levels[:, 0, 0], levels[:, 0, 1] = 20, 119
    low, high = levels.min(axis=(1, 2, 3), keepdims=True).astype(float), levels.max(axis=(1, 2, 3), keepdims=True)
    expected = ((levels - low) / (high - low) * 255) @ [0.299, 0.587, 0.114]
    assert np.abs(grey_of(levels) - expected).max() <= 0.51
    assert grey_of(np.full((1, 4, 4, 3), 77, np.uint8)).max() == 0


def test_outline_is_skimages_contour():
    from skimage.measure import find_contours

    part = (galaxy(30, 25, 9, 0.5, 1, 1, (50, 60)) > 0.5) | (galaxy(36, 25, 6, 1, 1, 1, (50, 60)) > 0.5)
    ring = part & ~(galaxy(30, 25, 3, 1, 0, 1, (50, 60)) > 0.5)
    theirs = max(find_contours(part.astype(float), 0.5), key=len)[:-1, ::-1]
    for shape in (part, ring):
        assert set(map(tuple, outline_of(shape))) == set(map(tuple, theirs))
    np.testing.assert_array_equal(binary_fill_holes(ring), part)


def test_what_cannot_be_prepared_keeps_its_row():
    pictures = np.array(
        [
            picture(galaxy(MIDDLE, MIDDLE, 15, 0.6, 1)),
            np.full((128, 128, 3), 90, np.uint8),
            np.zeros((128, 128, 3), np.uint8),
            picture(galaxy(20, 30, 15, 0.6, 1)),
            picture(galaxy(64, 64, 0.3, 1, 0)),
            picture(galaxy(MIDDLE, MIDDLE, 90, 0.3, 0)),
            picture(galaxy(80, MIDDLE, 4, 1, 0)),
        ]
    )
    prepared = prepare_pictures(pictures, PictureConfig(blends=None, reach=12))
    assert list(prepared.reason) == ["", BLANK, BLANK, NO_SOURCE, NO_ELLIPSE, EDGE, ELSEWHERE]
    assert prepared.dropped() == {BLANK: 2, NO_SOURCE: 1, NO_ELLIPSE: 1, EDGE: 1, ELSEWHERE: 1}
    assert prepared.values[0].max() == 255
    assert prepared.values[1:].max() == 0
    assert np.isfinite(prepared.ellipse[0]).all()
    assert np.isnan(prepared.ellipse[1:5]).all()


def test_blends_are_told_from_single_galaxies():
    """Companions of a third to all of the target's peak, further away than they are wide, and galaxies alone."""
    rng = np.random.default_rng(5)
    single, blended = [], []
    for i in range(24):
        target = galaxy(MIDDLE, MIDDLE, 8, rng.uniform(0.5, 1), rng.uniform(0, np.pi))
        away = rng.uniform(0, 2 * np.pi)
        x, y = MIDDLE + 14 * np.cos(away), MIDDLE + 14 * np.sin(away)
        single.append(picture(target, noise=0.08, seed=i))
        blended.append(picture(target, galaxy(x, y, 2.5, 1, 0, peak=rng.uniform(1.5, 5)), noise=0.08, seed=100 + i))
    assert np.count_nonzero(prepare_pictures(np.array(single)).reason == BLENDED) <= 1
    found = prepare_pictures(np.array(blended))
    assert np.count_nonzero(found.reason == BLENDED) >= 22
    assert (found.values[found.reason == BLENDED].max(axis=(1, 2, 3)) > 0).all()
    assert not np.count_nonzero(prepare_pictures(np.array(blended), ALONE).reason == BLENDED)


def test_two_sources_are_kept_apart():
    image = galaxy(40, 60, 6, 1, 0) + galaxy(62, 60, 6, 1, 0)
    pair = picture(image)
    sources = sources_within(pair, image > 0.05)
    assert sources.max() == 2
    assert sources[60, 40] != sources[60, 62] != 0
    assert not sources[~(image > 0.05)].any()
    assert sources_within(pair, np.zeros(image.shape, bool)).max() == 0


def test_crop_keeps_levels_and_shape():
    """Nearest neighbour: no level that was not there; twice the size is every pixel four times."""
    rng = np.random.default_rng(6)
    levels = rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)
    round_one = Ellipse(31.5, 31.5, 16.0, 16.0, 0.0)
    out = cropped(levels, round_one, 64)
    inside = round_one.mask(64, 64)[..., None]
    window = np.moveaxis((levels * inside)[16:48, 16:48], -1, 0)
    np.testing.assert_array_equal(out, window.repeat(2, axis=1).repeat(2, axis=2))
    flat = cropped(levels, Ellipse(31.5, 31.5, 16.0, 4.0, 0.0), 64)
    lit = np.flatnonzero(flat.any(axis=(0, 2)))
    assert 14 <= len(lit) <= 18  # a quarter as high as wide, as it was
    beyond = cropped(levels, Ellipse(5.0, 31.5, 5.4, 16.0, 0.0), 64)
    assert not beyond[:, :, :14].any()


def test_sizes_and_ranges():
    levels = picture(galaxy(31.5, 31.5, 8, 0.7, 1, peak=1, shape=(64, 64)))
    small = prepare_pictures(levels[None], PictureConfig(size=64))
    assert small.values.shape == (1, 3, 64, 64)
    assert small.values.max() == 255
    kept = prepare_pictures(levels[None], PictureConfig(size=64, own_range=False))
    assert kept.values.max() == levels.max()
    at = stages_of(levels, PictureConfig(size=64, own_range=False))
    assert set(np.unique(kept.values)) <= set(np.unique(at.masked))


def test_target_is_nearest_to_the_middle():
    bright = np.zeros((21, 21), bool)
    assert target_part(bright, 5) is None
    bright[2:5, 2:5] = bright[12:14, 12:14] = True
    assert target_part(bright, 5).sum() == 4
    assert target_part(bright, 2) is None
    assert fitted_ellipse(target_part(bright, 5)) is not None


def test_rows_do_not_depend_on_each_other(monkeypatch):
    pictures = np.array([picture(galaxy(MIDDLE, MIDDLE, 8 + i, 0.6, i), noise=0.05, seed=i) for i in range(5)])
    whole = prepare_pictures(pictures)
    monkeypatch.setattr("galprism.prep.pictures.BATCH", 2)
    for name in ("values", "reason", "ellipse"):
        np.testing.assert_array_equal(getattr(prepare_pictures(pictures), name), getattr(whole, name))
    assert len(prepare_pictures(pictures[:0]).reason) == 0


def test_refused(monkeypatch):
    for wrong in (np.zeros((2, 8, 8), np.uint8), np.zeros((2, 8, 8, 3)), np.zeros((2, 3, 8, 8), np.uint8)):
        with pytest.raises(RequestError, match=r"accepted: \(N, H, W, 3\), uint8"):
            prepare_pictures(wrong)
    with pytest.raises(RequestError, match="size = 0, reach = 5; accepted"):
        PictureConfig(size=0)
    with pytest.raises(RequestError, match="accepted: contrast of 0 to 1"):
        BlendConfig(contrast=2.0)
    monkeypatch.setitem(sys.modules, "skimage.measure", None)
    with pytest.raises(RequestError, match=r"scikit-image is not installed; pip install galprism\[images\]"):
        stages_of(picture(galaxy(MIDDLE, MIDDLE, 10, 1, 0)))


def test_without_photutils(monkeypatch):
    monkeypatch.setitem(sys.modules, "photutils.segmentation", None)
    with pytest.raises(RequestError, match=r"photutils.* is not installed; pip install galprism\[images\]"):
        stages_of(picture(galaxy(MIDDLE, MIDDLE, 10, 1, 0)))
    assert stages_of(picture(galaxy(MIDDLE, MIDDLE, 10, 1, 0)), ALONE).reason == ""
