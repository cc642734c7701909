"""Bundle + Sources -> Predictions: what torch says, row for row, and a reason for every null."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import toy_sky
from galprism.data import Photometry, Sources, Truth
from galprism.errors import RequestError
from galprism.flags import Flag
from galprism.infer import Predictor, predict
from galprism.infer.quantiles import mixture_quantiles

N = 1500


@pytest.fixture(scope="module")
def sky():
    return toy_sky.catalogue(N, seed=12)


def flagged(predictions, flag):
    return (predictions.flags & np.uint32(flag)) != 0


class TestAnswers:
    def test_points_are_torchs(self, mixture, point, sky):
        for bundle, estimator, targets in (mixture, point):
            features = bundle.preparation.features(sky[0])
            with torch.no_grad():
                y = estimator.mean(estimator(torch.from_numpy(features.inputs))).double().numpy()
            expected = targets.decode(y, features.anchor)
            found = predict(bundle, sky[0])
            assert np.nanmax(np.abs(found.point - expected)[features.usable]) < 2e-5

    def test_quantiles_are_the_mixtures(self, mixture, sky):
        bundle, estimator, targets = mixture
        levels = (0.025, 0.16, 0.5, 0.84, 0.975)
        found = predict(bundle, sky[0], levels)
        features = bundle.preparation.features(sky[0])
        with torch.no_grad():
            raw = estimator(torch.from_numpy(features.inputs)).double()
            weight, mean, sigma = (x.numpy() for x in estimator.head.marginals(raw, torch.from_numpy(targets.linear)))
        assert found.quantiles.shape == (N, 2, 5)
        for p in range(2):
            m = mean[p] + targets.offset[p] + features.anchor
            sd = np.sqrt((weight * (sigma[p] ** 2 + m**2)).sum(0) - (weight * m).sum(0) ** 2)
            for q, level in enumerate(levels):
                exact = mixture_quantiles(weight.T, m.T, sigma[p].T, np.full(N, level))
                error = np.abs(found.quantiles[:, p, q] - exact) / sd
                assert np.nanmax(error[features.usable]) < 1e-3, (p, level)

    def test_it_has_learnt_something_and_says_how_well(self, mixture, sky):
        sources, truth = sky
        found = predict(mixture[0], sources)
        for name in ("logmstar", "logsfr"):
            residual = found.column(name) - truth.column(name)
            assert np.nanstd(residual) < 0.7 * truth.column(name).std()
            inside = (truth.column(name) > found.quantile(name, 0.16)) & (
                truth.column(name) < found.quantile(name, 0.84)
            )
            assert 0.5 < inside.mean() < 0.85

    def test_quantiles_ascend(self, mixture, sky):
        found = predict(mixture[0], sky[0], (0.05, 0.16, 0.5, 0.84, 0.95))
        assert np.all(np.diff(found.quantiles[~flagged(found, Flag.NOT_INFERRED)], axis=2) > 0)

    def test_a_point_model_has_no_quantiles(self, point, sky):
        found = predict(point[0], sky[0])
        assert found.levels == ()
        assert found.quantiles is None

    def test_a_mixture_without_levels_has_its_mean(self, mixture, sky):
        found = predict(mixture[0], sky[0], ())
        assert found.quantiles is None
        np.testing.assert_array_equal(found.point, predict(mixture[0], sky[0]).point)

    def test_pit_is_where_the_truth_falls_among_the_quantiles(self, mixture, sky):
        sources, truth = sky
        levels = (0.025, 0.16, 0.5, 0.84, 0.975)
        order = np.random.default_rng(0).permutation(N)
        pit = Predictor(mixture[0]).pit(sources, truth.take(order))  # matched by id
        found = predict(mixture[0], sources, levels)
        below = truth.values[:, :, None] < found.quantiles
        sure = np.all(np.abs(pit[:, :, None] - levels) > 1e-3, axis=2)
        usable = ~flagged(found, Flag.NOT_INFERRED)
        for q, level in enumerate(levels):
            np.testing.assert_array_equal(below[:, :, q][sure & usable[:, None]], (pit < level)[sure & usable[:, None]])
        assert np.isnan(pit[~usable]).all()

    def test_what_made_it_is_said(self, mixture, sky):
        meta = predict(mixture[0], sky[0]).meta
        assert meta["model"] == "toy-mixture"
        assert meta["model_hash"] == mixture[0].hash
        assert "surviv" in meta["definitions"]["logmstar"]


class TestRows:
    def test_order_and_batches_do_not_matter(self, mixture, sky):
        whole = predict(mixture[0], sky[0])
        order = np.random.default_rng(0).permutation(N)
        shuffled = predict(mixture[0], sky[0].take(order))
        np.testing.assert_array_equal(shuffled.id, order)
        np.testing.assert_allclose(shuffled.point, whole.point[order], atol=2e-5)
        np.testing.assert_allclose(shuffled.quantiles, whole.quantiles[order], atol=2e-3)
        alone = [predict(mixture[0], sky[0].take(slice(i, i + 1))).point[0] for i in range(10)]
        np.testing.assert_allclose(alone, whole.point[:10], atol=2e-5)

    def test_chunks_do_not_matter(self, mixture, sky, monkeypatch):
        whole = predict(mixture[0], sky[0])
        monkeypatch.setattr(sys.modules["galprism.infer.predictor"], "CHUNK_ROWS", 100)
        monkeypatch.setattr(sys.modules["galprism.infer.session"], "BATCH_ROWS", 33)
        np.testing.assert_allclose(predict(mixture[0], sky[0]).point, whole.point, atol=2e-5)

    def test_no_rows(self, mixture, sky):
        found = predict(mixture[0], sky[0].take(slice(0, 0)))
        assert found.point.shape == (0, 2)
        assert found.quantiles.shape == (0, 2, 3)

    def test_duplicates_are_flagged(self, mixture, sky):
        ids = np.array(sky[0].id)
        ids[[5, 9]] = 3
        found = predict(mixture[0], replace(sky[0], id=ids))
        np.testing.assert_array_equal(np.flatnonzero(flagged(found, Flag.DUPLICATE_ID)), [5, 9])

    def test_what_cannot_be_inferred_is_null_and_says_why(self, mixture, sky):
        z, ivar = np.array(sky[0].redshift), np.array(sky[0].photometry.ivar)
        z[0], z[1], ivar[2], ivar[3, :4] = np.nan, 9.0, 0.0, 0.0
        sources = replace(sky[0], redshift=z, photometry=replace(sky[0].photometry, ivar=ivar))
        found = predict(mixture[0], sources)
        np.testing.assert_array_equal(np.isnan(found.point).all(1)[:5], [True, True, True, False, False])
        np.testing.assert_array_equal(np.isnan(found.quantiles).all((1, 2)), np.isnan(found.point).all(1))
        np.testing.assert_array_equal(flagged(found, Flag.NOT_INFERRED), np.isnan(found.point).any(1))
        np.testing.assert_array_equal(found.n_bands[:5], [0, 0, 0, 5, 9])
        for row, flag in ((0, Flag.REDSHIFT_MISSING), (1, Flag.REDSHIFT_OUT_OF_RANGE), (2, Flag.NO_PHOTOMETRY)):
            assert flagged(found, flag)[row]

    def test_fewer_bands_are_less_certain(self, mixture, sky):
        """Without the near infrared the interval of mass is wider for most."""
        ivar = np.array(sky[0].photometry.ivar)
        ivar[:, 4:] = 0
        less = predict(mixture[0], replace(sky[0], photometry=replace(sky[0].photometry, ivar=ivar)))
        full = predict(mixture[0], sky[0])
        wider = (less.quantiles[:, 0, 2] - less.quantiles[:, 0, 0]) > (
            full.quantiles[:, 0, 2] - full.quantiles[:, 0, 0]
        )
        assert wider.mean() > 0.7


class TestRequests:
    @pytest.mark.parametrize("levels", [(0.0, 0.5), (0.5, 0.16), (0.5, 0.5), (0.5, 1.0), (float("nan"),)])
    def test_levels(self, mixture, sky, levels):
        with pytest.raises(RequestError, match="levels = "):
            predict(mixture[0], sky[0], levels)

    def test_pit_needs_a_distribution_and_every_truth(self, mixture, point, sky):
        sources, truth = sky
        with pytest.raises(RequestError, match="point estimates only"):
            Predictor(point[0]).pit(sources, truth)
        with pytest.raises(RequestError, match="no source 0, nor 9 others"):
            Predictor(mixture[0]).pit(sources, truth.take(slice(10, None)))
        with pytest.raises(RequestError, match="no logsfr"):
            Predictor(mixture[0]).pit(sources, Truth(truth.id, ("logmstar",), truth.values[:, :1]))

    def test_a_network_that_is_none(self, mixture):
        with pytest.raises(RequestError, match="ONNX Runtime cannot load"):
            Predictor(replace(mixture[0], model=b"not a model"))


WEIGHTS = st.sampled_from([0.0, np.nan, 1e-30, 1e30]) | st.floats(1e-9, 1e-3)


@settings(max_examples=30, deadline=None)
@given(
    flux=arrays(np.float64, (4, 9), elements=st.floats(-1e9, 1e9) | st.floats(-1e250, 1e250)),
    ivar=arrays(np.float64, (4, 9), elements=WEIGHTS),
    z=arrays(np.float64, 4, elements=st.floats(-1, 3) | st.sampled_from([np.nan, np.inf, 0.5])),
    limit=arrays(bool, (4, 9)),
    ids=st.lists(st.integers(0, 3), min_size=4, max_size=4),
)
def test_random_tables_lose_no_row_and_explain_every_null(mixture, point, flux, ivar, z, limit, ids):
    sources = Sources(id=np.array(ids), redshift=z, photometry=Photometry(flux, ivar, toy_sky.BANDS, limit))
    for bundle, _, _ in (mixture, point):
        found = predict(bundle, sources)
        np.testing.assert_array_equal(found.id, ids)
        null = np.isnan(found.point).any(axis=1)
        np.testing.assert_array_equal(null, flagged(found, Flag.NOT_INFERRED))
        reasons = Flag.NO_PHOTOMETRY | Flag.REDSHIFT_MISSING | Flag.REDSHIFT_OUT_OF_RANGE | Flag.INPUT_OUT_OF_RANGE
        why = reasons | Flag.BAND_MISSING | Flag.ERROR_UNKNOWN | Flag.UPPER_LIMIT
        assert np.all((found.flags[null] & np.uint32(why)) != 0)
        if found.quantiles is not None:
            assert np.isfinite(found.quantiles[~null]).all()
