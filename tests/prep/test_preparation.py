"""Preparation as a whole: the same in training and inference, every row kept, every doubt flagged."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import toy_sky
from galprism.data import Photometry, Sources
from galprism.errors import RequestError
from galprism.flags import Flag
from galprism.prep import DropConfig, Preparation, PreparationConfig, drop

N = 4000


@pytest.fixture(scope="module")
def sky():
    return toy_sky.catalogue(N, seed=3)[0]


@pytest.fixture(scope="module")
def preparation(sky):
    lossy = replace(sky, photometry=drop(sky.photometry, DropConfig(bands=0.4, errors=0.2), np.random.default_rng(1)))
    return Preparation.fit(PreparationConfig(), lossy)


def flagged(features, flag):
    return (features.flags & np.uint32(flag)) != 0


def with_photometry(sky, **changes):
    return replace(sky, photometry=replace(sky.photometry, **changes))


class TestStandardised:
    def test_inputs_have_mean_zero_and_spread_one(self, sky):
        inputs = Preparation.fit(PreparationConfig(), sky).features(sky).inputs[:, :21]
        np.testing.assert_allclose(inputs.mean(0), 0, atol=1e-3)
        np.testing.assert_allclose(inputs.std(0), 1, atol=1e-3)

    def test_what_is_missing_is_zero_and_marked(self, sky, preparation):
        ivar = np.array(sky.photometry.ivar)
        ivar[:, 4] = 0
        features = preparation.features(with_photometry(sky, ivar=ivar))
        assert np.all(features.inputs[:, [4, 13]] == 0)
        assert np.all(features.inputs[:, 21 + 4] == 1)
        assert flagged(features, Flag.BAND_MISSING).all()
        assert features.usable.all()
        assert np.all(features.n_bands == 8)

    def test_magnitudes_are_the_papers_nineteen_inputs(self, sky):
        bright = sky.take(np.all(sky.photometry.flux > 0, axis=1))
        preparation = Preparation.fit(PreparationConfig(kind="magnitudes", standardise=False), bright)
        features = preparation.features(bright)
        assert features.inputs.shape == (len(bright), 19)
        assert preparation.input_names[:3] == ("redshift", "mag_u", "mag_g")
        np.testing.assert_allclose(features.inputs[:, 0], bright.redshift, rtol=1e-6)
        np.testing.assert_allclose(
            features.inputs[:, 3], 31.4 - 2.5 * np.log10(bright.photometry.flux[:, 2]), rtol=1e-5
        )
        snr = bright.photometry.flux[:, 2] * np.sqrt(bright.photometry.ivar[:, 2])
        np.testing.assert_allclose(features.inputs[:, 12], 2.5 / np.log(10) / snr, rtol=1e-4)
        assert np.all(features.anchor == 0)

    def test_magnitudes_can_be_standardised(self, sky):
        bright = sky.take(np.all(sky.photometry.flux > 0, axis=1))
        features = Preparation.fit(PreparationConfig(kind="magnitudes"), bright).features(bright)
        np.testing.assert_allclose(features.inputs.std(0), 1, atol=1e-3)

    def test_a_magnitude_of_nothing_is_not_inferred(self, sky):
        bright = sky.take(np.all(sky.photometry.flux > 0, axis=1))
        preparation = Preparation.fit(PreparationConfig(kind="magnitudes"), bright)
        flux, ivar = np.array(bright.photometry.flux), np.array(bright.photometry.ivar)
        flux[0, 0], ivar[1, 1], ivar[2, 2] = -5.0, np.nan, 0.0
        features = preparation.features(with_photometry(bright, flux=flux, ivar=ivar))
        np.testing.assert_array_equal(~features.usable[:4], [True, True, True, False])
        assert flagged(features, Flag.INPUT_OUT_OF_RANGE)[0]
        assert flagged(features, Flag.ERROR_UNKNOWN)[1]
        assert flagged(features, Flag.BAND_MISSING)[2]


class TestFlags:
    def test_redshifts(self, sky, preparation):
        z = np.array(sky.redshift)
        z[:4] = [np.nan, -0.5, 0.0, 2.5]
        features = preparation.features(replace(sky, redshift=z))
        np.testing.assert_array_equal(flagged(features, Flag.REDSHIFT_MISSING)[:5], [True, False, False, False, False])
        np.testing.assert_array_equal(
            flagged(features, Flag.REDSHIFT_OUT_OF_RANGE)[:5], [False, True, True, True, False]
        )
        np.testing.assert_array_equal(features.usable[:5], [False] * 4 + [True])

    def test_no_band_at_all(self, sky, preparation):
        ivar, limit = np.array(sky.photometry.ivar), np.zeros((N, 9), bool)
        ivar[0], limit[1] = 0, True
        features = preparation.features(with_photometry(sky, ivar=ivar, limit=limit))
        assert flagged(features, Flag.NO_PHOTOMETRY).tolist()[:3] == [True, True, False]
        assert flagged(features, Flag.UPPER_LIMIT).tolist()[:3] == [False, True, False]
        assert features.usable.tolist()[:3] == [False, False, True]

    def test_the_flags_of_the_sources_stay(self, sky, preparation):
        features = preparation.features(sky.flagged(Flag.FLUX_IMPLAUSIBLE, np.arange(N) < 5))
        assert flagged(features, Flag.FLUX_IMPLAUSIBLE).sum() == 5

    def test_other_galaxies_of_the_same_sky_are_as_in_training(self, preparation):
        features = preparation.features(toy_sky.catalogue(20_000, seed=8)[0])
        assert features.usable.mean() > 0.999
        assert flagged(features, Flag.INPUT_OUT_OF_RANGE).mean() < 0.01
        assert flagged(features, Flag.UNLIKE_TRAINING).mean() < 0.004

    def test_errors_and_numbers_of_bands_that_training_never_had(self, sky, preparation):
        """One band where every source of training had two or more; errors ten times the largest in one band."""
        full = sky.take(sky.photometry.observed.all(axis=1))
        preparation = Preparation.fit(PreparationConfig(), full)
        ivar = np.array(full.photometry.ivar)
        ivar[:7, 1:] = 0.0
        found = flagged(preparation.features(with_photometry(full, ivar=ivar)), Flag.INPUT_OUT_OF_RANGE)
        assert found[:7].all()
        assert not found[7:].any()
        ivar = np.array(full.photometry.ivar)
        ivar[:7, 3] = ivar[:, 3].min() / 100.0
        assert flagged(preparation.features(with_photometry(full, ivar=ivar)), Flag.INPUT_OUT_OF_RANGE)[:7].all()

    def test_one_band_three_times_too_bright_is_unlike_training(self, sky):
        """Each flux well within its range, all of them together impossible."""
        preparation = Preparation.fit(PreparationConfig(), sky)
        bright = sky.take(sky.photometry.flux[:, 2] > 2e4)
        flux = np.array(bright.photometry.flux)
        flux[:, 4] *= 3
        odd, honest = preparation.features(with_photometry(bright, flux=flux)), preparation.features(bright)
        assert flagged(odd, Flag.UNLIKE_TRAINING).mean() > 0.99
        assert flagged(odd, Flag.INPUT_OUT_OF_RANGE).mean() < 0.6
        assert flagged(honest, Flag.UNLIKE_TRAINING).mean() < 0.01

    def test_a_band_lost_that_never_was_in_training_is_out_of_range(self, sky):
        preparation = Preparation.fit(PreparationConfig(), sky)
        ivar = np.array(sky.photometry.ivar)
        ivar[7, 2] = 0
        out = flagged(preparation.features(with_photometry(sky, ivar=ivar)), Flag.INPUT_OUT_OF_RANGE)
        assert out[7]
        assert out.sum() == 1

    def test_without_the_check_only_what_cannot_be_inferred_is_flagged(self, sky, preparation):
        far = with_photometry(sky, flux=np.array(sky.photometry.flux) * np.float32(1e4))
        assert flagged(preparation.features(far), Flag.INPUT_OUT_OF_RANGE).all()
        assert not flagged(preparation.features(far, check=False), Flag.INPUT_OUT_OF_RANGE).any()


class TestRequests:
    def test_sources_without_photometry_or_redshifts(self, sky, preparation):
        with pytest.raises(RequestError, match="no photometry"):
            preparation.features(replace(sky, photometry=None))
        with pytest.raises(RequestError, match="no redshifts"):
            preparation.features(replace(sky, redshift=None))

    def test_a_band_that_is_not_there_is_named(self, sky, preparation):
        with pytest.raises(RequestError, match="no band u"):
            preparation.features(replace(sky, photometry=sky.photometry.select(toy_sky.BANDS[1:])))

    def test_training_sets_that_teach_nothing(self, sky):
        with pytest.raises(RequestError, match="positive redshift"):
            Preparation.fit(PreparationConfig(), replace(sky, redshift=np.full(N, np.nan)))
        negative = with_photometry(sky, flux=-np.abs(sky.photometry.flux))
        with pytest.raises(RequestError, match="prepared as magnitudes"):
            Preparation.fit(PreparationConfig(kind="magnitudes"), negative)

    @pytest.mark.parametrize("softening", [0.0, -1.0, float("nan")])
    def test_settings(self, softening):
        with pytest.raises(RequestError, match=r"prep\.softening"):
            PreparationConfig(softening=softening)

    def test_reference_band(self, sky):
        with pytest.raises(RequestError, match=r"prep\.reference = 'K'; accepted: u, g"):
            Preparation.fit(PreparationConfig(reference="K"), sky)


def test_json_brings_back_the_same_preparation(sky, preparation):
    again = Preparation.from_plain(json.loads(json.dumps(preparation.to_plain())))
    one, two = preparation.features(sky), again.features(sky)
    np.testing.assert_array_equal(one.inputs, two.inputs)
    np.testing.assert_array_equal(one.flags, two.flags)
    assert again.input_names == preparation.input_names


def test_rows_do_not_see_each_other(sky, preparation):
    order = np.random.default_rng(0).permutation(N)
    whole = preparation.features(sky)
    shuffled = preparation.features(sky.take(order))
    np.testing.assert_allclose(shuffled.inputs, whole.inputs[order], atol=1e-5)
    one_by_one = [preparation.features(sky.take(slice(i, i + 1))).inputs[0] for i in range(20)]
    np.testing.assert_allclose(one_by_one, whole.inputs[:20], atol=1e-5)
    assert preparation.features(sky.take(slice(0, 0))).inputs.shape == (0, 39)


WEIGHTS = st.sampled_from([0.0, np.nan, 1e-38, 1e38, 1.0]) | st.floats(1e-20, 1e20)


@settings(max_examples=60, deadline=None)
@given(
    flux=arrays(np.float32, (5, 9), elements=st.floats(-(2.0**100), 2.0**100, width=32)),
    ivar=arrays(np.float64, (5, 9), elements=WEIGHTS),
    z=arrays(np.float64, 5, elements=st.floats(-2, 5) | st.sampled_from([np.nan, np.inf, -np.inf, 0.5])),
    limit=arrays(bool, (5, 9)),
)
@pytest.mark.parametrize("kind", ["colours", "magnitudes"])
def test_whatever_comes_in_is_finite_or_flagged(request, kind, flux, ivar, z, limit):
    preparation = PREPARATIONS[kind]
    sources = Sources(id=np.arange(5), redshift=z, photometry=Photometry(flux, ivar, toy_sky.BANDS, limit))
    features = preparation.features(sources)
    assert len(features) == 5
    assert np.isfinite(features.inputs).all()
    assert np.isfinite(features.anchor).all()
    reasons = Flag.NO_PHOTOMETRY | Flag.REDSHIFT_MISSING | Flag.REDSHIFT_OUT_OF_RANGE | Flag.INPUT_OUT_OF_RANGE
    assert np.all((features.flags[~features.usable] & np.uint32(reasons)) != 0)


def _prepared(kind):
    sky = toy_sky.catalogue(500, seed=3)[0]
    sky = sky.take(np.all(sky.photometry.flux > 0, axis=1))
    return Preparation.fit(PreparationConfig(kind=kind), sky)


PREPARATIONS = {kind: _prepared(kind) for kind in ("colours", "magnitudes")}


def test_a_value_too_far_off_to_be_standardised_is_flagged():
    """A magnitude error of 3e38, which single precision holds, over a spread of less than 1, which it does not."""
    ivar = np.full((2, 9), 1e4)
    ivar[0, 0] = (1.0 / 2.9e38) ** 2
    sources = Sources(
        id=np.arange(2), redshift=np.full(2, 0.5), photometry=Photometry(np.ones((2, 9)), ivar, toy_sky.BANDS)
    )
    features = PREPARATIONS["magnitudes"].features(sources)
    assert list(features.usable) == [False, True]
    assert features.flags[0] & Flag.INPUT_OUT_OF_RANGE
    assert np.isfinite(features.inputs).all()
