"""What a network of several modalities sees: each in its place, what is missing said, what is odd flagged."""

from dataclasses import replace

import numpy as np
import pytest

from galprism.data import Cutouts, Photometry, Sources, Spectra
from galprism.data.spectrum_files.sdss import DEX_PER_PIXEL as STEP
from galprism.errors import RequestError
from galprism.flags import Flag
from galprism.prep.augment import ModalitiesLost
from galprism.prep.images import ImageInputConfig
from galprism.prep.modalities import Modalities, ModalitiesConfig
from galprism.prep.spectrum_basis import SpectrumBasis

FIRST, PIXELS, N = 35_700, 1500, 300
BANDS = ("g", "r", "i")


def basis() -> SpectrumBasis:
    x = np.linspace(-1.0, 1.0, PIXELS)
    return SpectrumBasis(FIRST, np.stack([np.ones(PIXELS), 0.2 * x, 0.1 * np.tanh(10 * x)]).astype(np.float32))


def made(n: int, seed: int) -> Sources:
    """Galaxies whose colours, spectra and images follow from two numbers each."""
    rng = np.random.default_rng(seed)
    u, z = rng.standard_normal((n, 2)), rng.uniform(0.01, 0.2, n)
    flux = 1000 * np.exp(0.3 * u[:, :1] * np.array([-1, 0, 1]) + 0.5 * rng.standard_normal((n, 1)))
    flux = (flux + rng.normal(0, 5, flux.shape)).astype(np.float32)
    photometry = Photometry(flux, np.full(flux.shape, 1 / 25, np.float32), BANDS)
    held = basis()
    wave = 10 ** (STEP * (FIRST + 200 + np.arange(1100)))
    shift = np.rint(np.log10(1 + z) / STEP).astype(int)
    rest = 10 * (held.spectra[0] + u @ held.spectra[1:])
    seen = np.zeros((n, 1100))
    ivar = np.zeros((n, 1100), np.float32)
    for row in range(n):
        own = 200 - shift[row] + np.arange(1100)
        inside = own >= 0
        seen[row, inside] = rest[row, own[inside]] + rng.normal(0, 1, inside.sum())
        ivar[row, inside] = 1
    spectra = Spectra(seen.astype(np.float32), ivar, wave)
    y, x = np.mgrid[-8:8, -8:8] + 0.5
    shape = np.exp(-0.5 * (x**2 + y**2) / 9)
    pixels = (flux[:, :, None, None] * shape / shape.sum() + rng.normal(0, 1, (n, 3, 16, 16))).astype(np.float32)
    cutouts = Cutouts(pixels, np.ones_like(pixels), BANDS, 0.4, rng.uniform(1.0, 1.5, (n, 3)).astype(np.float32))
    ids = np.arange(n) + 1000 * seed
    return Sources(id=ids, redshift=z, photometry=photometry, cutouts=cutouts, spectra=spectra)


CONFIG = ModalitiesConfig(BANDS, image=ImageInputConfig(BANDS, 12, 0.4), basis_size=2)


@pytest.fixture(scope="module")
def preparation() -> Modalities:
    return Modalities.fit(CONFIG, made(N, 0), basis())


def test_every_number_has_its_place(preparation):
    features, shape = preparation.features(made(20, 1)), preparation.shape
    assert features.inputs.shape == (20, shape.total)
    assert np.isfinite(features.inputs).all()
    assert len(preparation.input_names) == shape.total - shape.n_image
    assert np.all(features.inputs[:, :3] == 1)  # all three modalities are there
    assert features.usable.all()


def test_what_is_missing_changes_nothing_else(preparation):
    whole = made(20, 1)
    everything, shape = preparation.features(whole).inputs, preparation.shape
    a, b, c = shape.context, shape.context + shape.photometry, shape.context + shape.photometry + shape.spectrum
    for block, place, column, flag in (
        ("photometry", slice(a, b), 0, Flag.NO_PHOTOMETRY),
        ("cutouts", slice(c, None), 1, Flag.IMAGE_MISSING),
        ("spectra", slice(b, c), 2, Flag.SPECTRUM_MISSING),
    ):
        found = preparation.features(replace(whole, **{block: None}))
        assert np.all(found.inputs[:, place] == 0)
        assert np.all(found.inputs[:, column] == 0)
        assert np.all(found.flags & np.uint32(flag))
        assert found.usable.all()
        others = [other for other in (slice(a, b), slice(b, c), slice(c, None)) if other != place]
        for other in others:
            np.testing.assert_array_equal(found.inputs[:, other], everything[:, other])


def test_each_row_may_lack_another(preparation):
    whole = made(4, 2)
    ivar = whole.spectra.ivar.copy()
    ivar[0] = 0
    seen = whole.photometry.ivar.copy()
    seen[1] = 0
    image = whole.cutouts.ivar.copy()
    image[2] = 0
    some = replace(
        whole,
        spectra=replace(whole.spectra, flux=np.where(ivar > 0, whole.spectra.flux, 0), ivar=ivar),
        photometry=replace(whole.photometry, flux=np.where(seen > 0, whole.photometry.flux, 0), ivar=seen),
        cutouts=replace(whole.cutouts, flux=np.where(image > 0, whole.cutouts.flux, 0), ivar=image),
    )
    found = preparation.features(some)
    assert found.inputs[:, :3].astype(int).tolist() == [[1, 1, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
    assert found.usable.all()


def test_nothing_at_all_is_not_inferred(preparation):
    blank = Spectra(np.zeros((2, 1100), np.float32), np.zeros((2, 1100), np.float32), made(1, 0).spectra.wave)
    found = preparation.features(Sources(id=np.arange(2), redshift=[0.1, 0.1], spectra=blank))
    assert not found.usable.any()
    with pytest.raises(RequestError, match="no photometry, no cutouts, no spectra"):
        preparation.features(Sources(id=np.arange(2)))


def test_no_sources_have_no_rows_of_as_many_numbers(preparation):
    assert preparation.features(made(3, 1).take(slice(0, 0))).inputs.shape == (0, preparation.n_inputs)


def test_a_spectrum_without_a_redshift_has_no_say(preparation):
    whole = made(3, 3)
    found = preparation.features(replace(whole, redshift=np.array([0.1, np.nan, 0.1])))
    assert found.inputs[:, 2].tolist() == [1, 0, 1]
    assert found.flags[1] & np.uint32(Flag.REDSHIFT_MISSING)
    assert found.usable.all()


def test_a_redshift_beyond_those_learned_is_not_inferred(preparation):
    found = preparation.features(replace(made(3, 3), redshift=np.array([0.1, 0.9, 1e-6])))
    assert found.usable.tolist() == [True, False, False]
    assert found.flags[1] & np.uint32(Flag.REDSHIFT_OUT_OF_RANGE)


@pytest.mark.filterwarnings("error")
def test_a_redshift_of_minus_one_is_flagged_without_a_warning(preparation):
    flags = preparation.features(replace(made(2, 3), redshift=np.array([-1.0, 0.1]))).flags
    assert (flags & np.uint32(Flag.REDSHIFT_OUT_OF_RANGE) != 0).tolist() == [True, False]


def test_the_spectrum_of_something_else_is_flagged(preparation):
    whole = made(50, 4)
    x = np.arange(1100)
    odd = whole.spectra.flux.copy()
    odd[0] += np.where(whole.spectra.ivar[0] > 0, 10 * np.sin(x / 7.0), 0)  # bands of absorption, as of an M star
    found = preparation.features(replace(whole, spectra=replace(whole.spectra, flux=odd)))
    assert found.flags[0] & np.uint32(Flag.POOR_FIT)
    assert np.count_nonzero(found.flags[1:] & np.uint32(Flag.POOR_FIT)) <= 2


@pytest.fixture(scope="module")
def ringed() -> Modalities:
    return Modalities.fit(replace(CONFIG, rings=(0.8, 1.6, 2.4)), made(N, 0), basis())


def test_rings_have_their_place_before_the_pixels(preparation, ringed):
    some = made(20, 1)
    one, two = preparation.features(some).inputs, ringed.features(some).inputs
    shape = ringed.shape
    before = shape.context + shape.photometry + shape.spectrum
    assert shape.rings == 4 * 9 + 1
    assert len(ringed.input_names) == before + shape.rings
    np.testing.assert_array_equal(one[:, :before], two[:, :before])
    np.testing.assert_array_equal(one[:, before:], two[:, before + shape.rings :])
    assert not ringed.features(replace(some, cutouts=None)).inputs[:, before:].any()


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_images_of_another_unit_are_said(ringed, factor):
    """Their signal to noise is the same: it is the rings' flux that tells."""
    whole = made(20, 1)
    seen = whole.cutouts
    other = replace(seen, flux=seen.flux * np.float32(factor), ivar=seen.ivar / np.float32(factor**2))
    for sources in (replace(whole, cutouts=other), replace(whole, cutouts=other, photometry=None, spectra=None)):
        assert np.all(ringed.features(sources).flags & np.uint32(Flag.INPUT_OUT_OF_RANGE))
    assert np.mean(ringed.features(whole).flags & np.uint32(Flag.INPUT_OUT_OF_RANGE) != 0) < 0.3


def test_images_of_something_else_are_said(ringed):
    """They do not stand in the middle."""
    whole = made(20, 1)
    seen = whole.cutouts
    beside = replace(seen, flux=np.roll(seen.flux, 3, axis=3), ivar=seen.ivar)
    flags = ringed.features(replace(whole, cutouts=beside, photometry=None, spectra=None)).flags
    assert np.mean(flags & np.uint32(Flag.UNLIKE_TRAINING) != 0) > 0.9


@pytest.mark.parametrize("band", [0, 2])
def test_images_without_any_structure_are_said(preparation, band):
    """One band of the image holds one bright number, but for the pixels that have no data."""
    whole = replace(made(20, 1), photometry=None, spectra=None)
    flux, ivar = whole.cutouts.flux.copy(), whole.cutouts.ivar.copy()
    flux[3, band], flux[3, band, 0, 0], ivar[3, band, 0, 0] = np.median(flux[:, band, 5:7, 5:7]), 0, 0
    flags = preparation.features(replace(whole, cutouts=replace(whole.cutouts, flux=flux, ivar=ivar))).flags
    assert flags[3] & np.uint32(Flag.INPUT_OUT_OF_RANGE)
    np.testing.assert_array_equal(np.delete(flags, 3), np.delete(preparation.features(whole).flags, 3))


@pytest.mark.parametrize("rings", [(3.0,), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0)])
def test_rings_lie_within_the_image_and_grow(rings):
    with pytest.raises(RequestError, match=r"modalities\.rings"):
        replace(CONFIG, rings=rings)
    with pytest.raises(RequestError, match=r"modalities\.rings"):
        ModalitiesConfig(BANDS, rings=(1.0,))


def test_cutouts_of_other_pixels_are_refused(preparation):
    whole = made(3, 5)
    with pytest.raises(RequestError, match=r"0\.396"):
        preparation.features(replace(whole, cutouts=replace(whole.cutouts, pixel_scale=0.396)))


@pytest.mark.parametrize("which", ["preparation", "ringed"])
def test_plain_and_back(which, request):
    made_first = request.getfixturevalue(which)
    again = Modalities.from_plain(made_first.to_plain(), basis())
    some = made(10, 6)
    one, two = made_first.features(some), again.features(some)
    np.testing.assert_allclose(one.inputs, two.inputs, atol=1e-5)
    np.testing.assert_array_equal(one.flags, two.flags)


def test_all_modalities_are_learned_from():
    with pytest.raises(RequestError, match="has no spectra"):
        Modalities.fit(CONFIG, replace(made(20, 0), spectra=None), basis())


@pytest.mark.parametrize(("pixels", "lost", "said"), [(0.0, 0.01, 0), (0.0, 0.05, 1), (0.4, 0.3, 0), (0.4, 0.5, 1)])
def test_more_pixels_lost_than_in_training_are_said(pixels, lost, said):
    config = replace(CONFIG, lose=ModalitiesLost(pixels=pixels))
    sources = made(N, 0)
    inner = replace(sources, redshift=np.full(N, 0.03))  # all pixels are within the basis
    learned = Modalities.fit(config, sources, basis())
    seen = inner.spectra
    there = np.arange(1100) >= lost * 1100 + np.count_nonzero(np.all(seen.ivar == 0, axis=0))
    gappy = replace(inner, spectra=replace(seen, flux=seen.flux * there, ivar=np.ones_like(seen.ivar) * there))
    flags = learned.features(gappy).flags
    assert np.all((flags & np.uint32(Flag.PIXELS_MISSING) != 0) == bool(said))
