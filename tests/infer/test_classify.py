"""Classes of sources: what is learned is recovered, priors move it as Bayes says, nothing is answered in silence."""

from dataclasses import replace

import numpy as np
import pytest

import toy_classes
from galprism import bundle as bundles
from galprism.data import Cutouts, Photometry, Sources
from galprism.data.cutout_file import with_cutouts
from galprism.data.cutouts import EIGHT_BIT
from galprism.errors import RequestError
from galprism.evaluate.classes import judge_classes
from galprism.flags import Flag
from galprism.infer import ClassPredictor

NAMES = ("star", "qso", "galaxy")
TEST, TRUE = toy_classes.sources(1500, seed=9)


def probability(found):
    return np.stack([found.extra[f"prob_{name}"] for name in NAMES], axis=1)


def of(sources, **options):
    return ClassPredictor(toy_classes.bundle(), **options).predict(sources)


def alone(sources, *, image=True, photometry=True):
    """Sources with a part of what is known of them."""
    return replace(
        sources,
        photometry=sources.photometry if photometry else None,
        cutouts=sources.cutouts if image else None,
    )


def test_a_lack_of_errors_is_not_unlike_the_training_set():
    """The same sources are as odd with their errors untold; and odd colours are seen with errors and without."""
    photometry = TEST.photometry
    untold = replace(photometry, ivar=np.full_like(photometry.ivar, np.nan))
    strange = replace(untold, flux=photometry.flux * np.where(np.arange(9) % 2, 3, 1 / 3).astype(np.float32))
    odd = [
        np.mean((of(replace(TEST, photometry=one)).flags & np.uint32(Flag.UNLIKE_TRAINING)) > 0)
        for one in (photometry, untold, strange)
    ]
    assert max(odd[:2]) < 0.01
    assert odd[2] > 0.95


@pytest.mark.parametrize(
    "shown",
    [
        lambda flux, rng: 8.0 * rng.standard_normal(flux.shape, dtype=np.float32),  # wrong positions
        lambda flux, rng: np.zeros_like(flux),
        lambda flux, rng: np.full_like(flux, 3.0),
        lambda flux, rng: -flux,
        lambda flux, rng: 10 * flux,  # a wrong zero point
        lambda flux, rng: flux / 10,
    ],
)
def test_an_image_that_cannot_be_of_the_source_is_flagged(shown):
    cutouts, out = TEST.cutouts, np.uint32(Flag.INPUT_OUT_OF_RANGE)
    other = replace(cutouts, flux=shown(cutouts.flux, np.random.default_rng(1)))
    assert np.mean((of(TEST).flags & out) > 0) < 0.03
    assert np.mean((of(replace(TEST, cutouts=other)).flags & out) > 0) > 0.97


def test_an_image_alone_in_which_nothing_is_seen_is_flagged():
    empty = replace(TEST.cutouts, flux=np.zeros_like(TEST.cutouts.flux))
    found = of(replace(alone(TEST, photometry=False), cutouts=empty))
    assert (found.flags & np.uint32(Flag.INPUT_OUT_OF_RANGE)).all()


def test_both_know_more_than_either_alone():
    """Photometry tells quasars from stars, the image tells galaxies from both, and together they tell all."""
    both = judge_classes(probability(of(TEST)), TRUE)
    colours = judge_classes(probability(of(alone(TEST, image=False))), TRUE)
    shapes = judge_classes(probability(of(alone(TEST, photometry=False))), TRUE)
    assert both.accuracy > 0.96
    assert both.accuracy > max(colours.accuracy, shapes.accuracy) - 0.003
    assert shapes.of("galaxy").f1 > 0.9
    assert shapes.of("qso").f1 < 0.5 < colours.of("qso").f1


def test_probabilities_hold_with_every_part_missing():
    """Said and held agree to the noise of so many sources (four times what a binomial of the mean has)."""
    for seen in (TEST, alone(TEST, image=False), alone(TEST, photometry=False)):
        p = probability(of(seen))
        np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-5)
        top = p.max(axis=1)
        right = p.argmax(axis=1) == TRUE
        error = np.sqrt((top * (1 - top)).mean() / len(top))
        assert abs(top.mean() - right.mean()) < 4 * error + 0.01


def test_priors_move_odds_as_bayes_says():
    shares = toy_classes.bundle().coordinates["shares"]
    before, after = probability(of(TEST)), probability(of(TEST, priors=(0.98, 0.01, 0.01)))
    moved = np.log(after[:, 0] / after[:, 2]) - np.log(before[:, 0] / before[:, 2])
    expected = np.log(0.98 / 0.01) - np.log(shares[0] / shares[2])
    some = (before > 1e-4).all(axis=1)
    np.testing.assert_allclose(moved[some], expected, atol=2e-3)
    with pytest.raises(RequestError, match="class shares after"):
        of(TEST, priors=(1.0, -1.0, 0.0))


def test_a_bundle_read_back_says_the_same(tmp_path):
    path = bundles.save(toy_classes.bundle(), tmp_path / "toy")
    again = ClassPredictor(bundles.load(path)).predict(TEST)
    np.testing.assert_array_equal(probability(again), probability(of(TEST)))
    card = (path / "README.md").read_text()
    assert "photometry in u, g, r, i" in card
    assert "21 x 21 pixels of 0.2 arcsec" in card


def test_rows_are_kept_and_doubts_are_flagged():
    """A band missing, an image masked, nothing at all, too faint: each row has its flag, and what is left is used."""
    some = TEST.take(slice(0, 6))
    flux, ivar = some.photometry.flux.copy(), some.photometry.ivar.copy()
    flux[0, 4], ivar[0, 4] = 0.0, 0.0  # Z missing
    flux[2:4], ivar[2:4] = 0.0, 0.0  # no photometry
    flux[4] *= 1e-3  # far too faint
    pixels = some.cutouts.ivar.copy()
    pixels[1] = pixels[3] = 0.0  # no image
    pixels[5, 0, :, :4] = 0.0  # cut by an edge
    found = of(
        replace(
            some,
            photometry=Photometry(flux, ivar, some.photometry.bands),
            cutouts=replace(some.cutouts, ivar=pixels),
        )
    )
    has = lambda row, flag: bool(found.flags[row] & np.uint32(flag))  # noqa: E731
    assert has(0, Flag.BAND_MISSING)
    assert has(1, Flag.IMAGE_MISSING)
    assert has(2, Flag.NO_PHOTOMETRY)
    assert not has(2, Flag.NOT_INFERRED)
    assert has(3, Flag.NOT_INFERRED)
    assert has(4, Flag.EXTRAPOLATED)
    assert not has(5, Flag.IMAGE_MISSING)
    known = np.isfinite(probability(found)).all(axis=1)
    assert known.tolist() == [True, True, True, False, True, True]
    assert found.extra["class"][3] == ""
    assert np.isnan(found.extra["p_max"][3])


def test_a_psf_beyond_training_is_flagged_where_an_image_is_seen_by_it():
    """As in training, sharper, wider, not told, and sharper without an image to see; by the image alone too."""
    some = TEST.take(slice(0, 5))
    pixels, fwhm = some.cutouts.ivar.copy(), some.cutouts.psf_fwhm.copy()
    fwhm[:, 0] *= [1.0, 0.9, 1.1, np.nan, 0.9]
    pixels[4] = 0.0
    some = replace(some, cutouts=replace(some.cutouts, ivar=pixels, psf_fwhm=fwhm))
    flags = of(some).flags | of(alone(some, photometry=False)).flags
    beyond = (flags & np.uint32(Flag.INPUT_OUT_OF_RANGE)) > 0
    assert beyond.tolist() == [False, True, True, False, False]


def test_images_are_put_to_sources_by_id_not_by_place():
    """Cutouts in another order, and fewer of them: each source has its own, or none."""
    order = np.random.default_rng(3).permutation(len(TEST))[:1200]
    bare = replace(TEST, cutouts=None)
    joined = with_cutouts(bare, TEST.id[order], TEST.cutouts.take(order))
    found, whole = of(joined), of(TEST)
    some = np.isin(np.arange(len(TEST)), order)
    np.testing.assert_allclose(probability(found)[some], probability(whole)[some], atol=1e-6)
    assert (found.flags[~some] & np.uint32(Flag.IMAGE_MISSING)).all()


def test_larger_cutouts_are_cropped_to_their_middle():
    wide = np.zeros((len(TEST), 1, 25, 25), np.float32)
    ivar = np.full_like(wide, 1 / 64)
    wide[:, :, 2:-2, 2:-2] = TEST.cutouts.flux
    found = of(replace(TEST, cutouts=replace(TEST.cutouts, flux=wide, ivar=ivar)))
    np.testing.assert_allclose(probability(found), probability(of(TEST)), atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pixel_scale": 0.27}, "pixels of 0.2 arcsec; these have 0.27"),
        ({"unit": EIGHT_BIT}, "needs cutouts in nJy"),
        ({"bands": ("g",)}, "needs cutouts in r; these are in g"),
    ],
)
def test_cutouts_of_another_kind_are_refused_by_name(changes, said):
    with pytest.raises(RequestError, match=said):
        of(replace(TEST, cutouts=replace(TEST.cutouts, **changes)))


def test_cutouts_too_small_are_refused():
    small = Cutouts(np.zeros((1, 1, 11, 11)), np.ones((1, 1, 11, 11)), ("r",), 0.2)
    with pytest.raises(RequestError, match="21 x 21 pixels; these have 11 x 11"):
        of(replace(TEST.take(slice(0, 1)), cutouts=small))


def test_photometry_without_a_band_of_the_survey_is_refused_by_name():
    photometry = TEST.photometry.select(TEST.photometry.bands[1:])
    with pytest.raises(RequestError, match="no band u"):
        of(replace(TEST, photometry=photometry))


def test_neither_photometry_nor_image_is_nothing():
    found = of(Sources(id=np.arange(3)))
    assert np.isnan(probability(found)).all()
    assert (found.flags & np.uint32(Flag.NOT_INFERRED)).all()
