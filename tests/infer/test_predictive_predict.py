"""A column of predictive p-values: in memory, from file to file, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import toy_models
import toy_sky
from galprism import bundle as bundles
from galprism import surveys
from galprism.data import Photometry, Sources
from galprism.data.tables import read_predictions
from galprism.errors import RequestError
from galprism.fit import load_cache
from galprism.flags import Flag
from galprism.infer import Predictor, predict, predict_file
from galprism.infer.predictive import SUSPECT, PredictiveCheck


@pytest.fixture(scope="module")
def sky():
    return toy_sky.catalogue(400, seed=32)


class TestPredict:
    def test_the_column_its_flag_and_its_record(self, checked, models, sky):
        """What a spoilt band does to the answer of a network is found too; the rest of the answer is as without."""
        sources = sky[0].take(slice(0, 300))
        flux = sources.photometry.flux.copy()
        flux[:, 4] *= 3.0
        plain, found = predict(checked, sources), predict(checked, sources, models=models)
        wrong = predict(checked, replace(sources, photometry=replace(sources.photometry, flux=flux)), models=models)
        assert "predictive_p" not in plain.extra
        np.testing.assert_array_equal(found.point, plain.point)
        low = found.extra["predictive_p"] < SUSPECT
        np.testing.assert_array_equal((found.flags & Flag.POOR_FIT) != 0, low | ((plain.flags & Flag.POOR_FIT) != 0))
        seen = sources.photometry.flux[:, 2] ** 2 * sources.photometry.ivar[:, 2] > 50.0**2
        assert np.mean(wrong.flags[seen] & Flag.POOR_FIT != 0) > 0.9
        assert np.mean(wrong.extra["predictive_p"][seen] < found.extra["predictive_p"][seen]) > 0.9
        assert found.meta["predictive_p"] == {"models": models.identity, "n_models": 20_000, "suspect_below": SUSPECT}
        assert "posterior" not in found.extra
        joint = predict(checked, sources, models=models, posterior=True)
        np.testing.assert_array_equal(joint.extra["predictive_p"], found.extra["predictive_p"])
        assert "posterior" in joint.extra

    def test_rows_without_an_answer_have_none(self, checked, models, sky):
        redshift = sky[0].redshift[:50].copy()
        redshift[7] = np.nan
        found = predict(checked, replace(sky[0].take(slice(0, 50)), redshift=redshift), models=models)
        np.testing.assert_array_equal(np.flatnonzero(np.isnan(found.extra["predictive_p"])), [7])
        assert predict(checked, sky[0].take(slice(0, 0)), models=models).extra["predictive_p"].shape == (0,)

    def test_files_batches_and_threads(self, checked, models, sky, tmp_path, write_catalogue):
        sources = sky[0].take(slice(0, 400))
        path = write_catalogue(tmp_path / "in.parquet", sources)
        expected = predict(checked, sources, models=models).extra["predictive_p"]
        kids = surveys.get("kids")
        for threads in (1, 2):
            out = tmp_path / f"{threads}.parquet"
            predict_file(checked, kids, path, out, models=models, batch_rows=150, threads=threads)
            np.testing.assert_allclose(read_predictions(out).extra["predictive_p"], expected, atol=2e-3)

    def test_it_is_taken_up_with_the_same_models_only(self, checked, models, sky, tmp_path, write_catalogue):
        path, out = write_catalogue(tmp_path / "in.parquet", sky[0].take(slice(0, 300))), tmp_path / "out.parquet"
        kids, options = surveys.get("kids"), {"batch_rows": 100}

        def stop(rows):
            raise KeyboardInterrupt

        def interrupted(**more):
            with pytest.raises(KeyboardInterrupt):
                predict_file(checked, kids, path, out, models=models, progress=stop, **options)
            return predict_file(checked, kids, path, out, **options, **more).n_resumed

        others = toy_models.cache(3000, seed=8)
        assert others.identity != models.identity
        assert interrupted(models=models) == 100
        assert interrupted(models=others) == 0
        assert interrupted() == 0


class TestRequests:
    def test_point_estimates_cannot_be_checked(self, point, models, sky):
        with pytest.raises(RequestError, match="toy-point has no posterior that could be checked"):
            predict(point[0], sky[0], models=models)

    def test_models_of_another_survey_or_curve(self, checked, models, sky):
        sdss = bundles.load("sdss-mass-sfr")
        with pytest.raises(
            RequestError, match=r"survey kids and bundle sdss-mass-sfr is of sdss, band u .*another curve"
        ):
            PredictiveCheck(sdss, models)
        fewer = models.select([band for band in models.bands if band != "Ks"])
        with pytest.raises(RequestError, match=r"band Ks .*: they have u, g, r, i, Z, Y, J, H; expected"):
            predict(checked, sky[0], models=fewer)

    def test_models_without_a_target(self, checked, models, sky):
        without = replace(models, values={name: models.values[name] for name in ("age", "logmstar")})
        with pytest.raises(RequestError, match="the models have no logsfr, which bundle toy-mixture infers"):
            predict(checked, sky[0], models=without)

    def test_a_grid_is_no_population(self, checked):
        with pytest.raises(RequestError, match="not draws of a population"):
            PredictiveCheck(bundles.load("kids-mass-sfr"), load_cache("kids"))

    @pytest.mark.parametrize(
        ("made", "said"),
        [
            ({"population": {"av": (0.0, 1.0), "band": "r"}}, r"population.av = \(0.0, 1.0\), .* of \[0.0, 2.0\]"),
            ({"library": {"name": "emiles"}}, "library = 'emiles', .* of 'bc03-miles'"),
            ({"nebular": False}, "nebular = False, .* of True"),
        ],
    )
    def test_models_of_another_population(self, checked, made, said):
        kids = bundles.load("kids-mass-sfr")
        own = {"population": {"av": (0.0, 2.0), "band": "i"}, "library": {"name": "bc03-miles"}}
        few = toy_models.cache(500, **own)
        assert PredictiveCheck(kids, few).bundle is kids
        with pytest.raises(RequestError, match=f"the models were made for {said}"):
            PredictiveCheck(kids, toy_models.cache(500, **{**own, **made}))


@pytest.fixture(scope="module")
def predictor(checked, models):
    return Predictor(checked, models)


WEIGHTS = st.sampled_from([0.0, np.nan, 1e-30, 1e30]) | st.floats(1e-9, 1e-3)


@settings(max_examples=20, deadline=None)
@given(
    flux=arrays(np.float64, (4, 9), elements=st.floats(-1e9, 1e9) | st.floats(-1e250, 1e250)),
    ivar=arrays(np.float64, (4, 9), elements=WEIGHTS),
    z=arrays(np.float64, 4, elements=st.floats(-1, 3) | st.sampled_from([np.nan, np.inf, 0.5])),
    limit=arrays(bool, (4, 9)),
)
def test_whatever_comes_it_is_a_probability_or_nothing(predictor, flux, ivar, z, limit):
    sources = Sources(id=np.arange(4), redshift=z, photometry=Photometry(flux, ivar, toy_sky.BANDS, limit))
    found = predictor.predict(sources)
    p = found.extra["predictive_p"]
    assert np.all(np.isnan(p) | ((p >= 0) & (p <= 1)))
    assert np.isnan(p[np.isnan(found.point).any(axis=1)]).all()
