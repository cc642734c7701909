"""Posterior-predictive checks: even for honest answers, small where the fluxes or the answers are wrong."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

import toy_sky
from galprism.data import Photometry
from galprism.infer import Posteriors
from galprism.infer.predictive import PredictiveCheck, even_draws, even_points
from galprism.prep.frames import Frame

N = 1200
WIDTH = np.array([0.004, 0.02])
"""dex, of the answers in log M* and log SFR."""


@pytest.fixture(scope="module")
def check(checked, models):
    return PredictiveCheck(checked, models)


@pytest.fixture(scope="module")
def sky():
    """Galaxies that are not seen better than the toy's models are."""
    sources, truth = toy_sky.catalogue(2 * N, seed=31)
    good = np.flatnonzero(~bright(sources, 100.0))[:N]
    return sources.take(good), truth.take(good)


def answers(truth, shift=(0.0, 0.0), seed=1) -> Posteriors:
    """Gaussian posteriors that hold the truth as often as they say, but for a shift in dex."""
    off = np.random.default_rng(seed).standard_normal(truth.values.shape) * WIDTH
    mean = (truth.values + off + np.array(shift))[:, None]
    n, p = truth.values.shape
    frame = Frame(np.zeros(p, bool), np.zeros((p, n)), np.ones((p, n)))
    return Posteriors(truth.names, np.ones((n, 1)), mean, np.broadcast_to(np.diag(WIDTH), (n, 1, p, p)), frame)


def bright(sources, least=30.0):
    return sources.photometry.flux[:, 2] ** 2 * sources.photometry.ivar[:, 2] > least**2


def with_flux(sources, flux):
    return replace(sources, photometry=replace(sources.photometry, flux=flux.astype(np.float32)))


class TestPValues:
    def test_honest_answers(self, check, sky):
        sources, truth = sky
        p = check.p_values(sources, answers(truth))
        assert np.isfinite(p).all()
        assert 0.35 < np.median(p) < 0.7
        assert binomtest(int((p < 0.01).sum()), N, 0.02, alternative="greater").pvalue > 1e-3
        assert check.suspect(p).mean() < 0.006

    @pytest.mark.parametrize("shift", [(0.32, 0.32), (-0.32, -0.32), (0.0, -0.8)])
    def test_wrong_answers(self, check, sky, shift):
        """Masses of the same specific rates 0.32 dex off, and rates 0.8 dex, where the light tells them apart."""
        sources, truth = sky
        told = bright(sources) & (truth.values[:, 1] - truth.values[:, 0] > -10.5)
        wrong = check.p_values(sources, answers(truth, shift))[told]
        honest = check.p_values(sources, answers(truth))[told]
        assert (wrong < honest).mean() > 0.85
        assert np.mean(wrong < 0.01) > 0.5
        assert np.mean(honest < 0.01) < 0.04

    def test_answers_of_other_galaxies(self, check, sky):
        sources, truth = sky
        p = check.p_values(sources, answers(truth.take(np.roll(np.arange(N), 1))))
        assert np.mean(p < 0.01) > 0.8

    def test_one_band_that_is_wrong(self, check, sky):
        sources, truth = sky
        flux = sources.photometry.flux.copy()
        flux[:, 3] += 8.0 * sources.photometry.flux_err[:, 3]
        p = check.p_values(with_flux(sources, flux), answers(truth))
        assert np.mean(p < 0.01) > 0.8

    def test_light_and_mass_scale_together(self, check, sky):
        """Ten times the light of ten times the mass, with ten times the errors, is as probable."""
        sources, truth = sky
        few, posteriors = sources.take(slice(0, 200)), answers(truth.take(slice(0, 200)))
        seen = few.photometry
        heavy = replace(posteriors, mean=posteriors.mean + 1.0)
        tenfold = replace(few, photometry=Photometry(10 * seen.flux, seen.ivar / 100, seen.bands))
        np.testing.assert_allclose(check.p_values(tenfold, heavy), check.p_values(few, posteriors), rtol=1e-3)

    def test_company_does_not_matter(self, check, sky):
        sources, truth = sky
        posteriors = answers(truth)
        whole = check.p_values(sources, posteriors)
        for row in (0, 300, N - 1):
            one = replace(
                posteriors,
                weight=posteriors.weight[[row]],
                mean=posteriors.mean[[row]],
                factor=posteriors.factor[[row]],
                frame=Frame(posteriors.frame.bounded, posteriors.frame.low[:, [row]], posteriors.frame.span[:, [row]]),
            )
            assert check.p_values(sources.take([row]), one) == pytest.approx(whole[[row]], rel=1e-4)

    def test_what_has_no_part(self, check, sky):
        """Limits, bands of unknown error and bands that were not observed: as if they were not there."""
        few = sky[0].take(slice(0, 30))
        seen, posteriors = few.photometry, answers(sky[1].take(slice(0, 30)))
        first = np.arange(9) == 0
        ivars = [np.where(first, value, seen.ivar) for value in (0.0, np.nan)]
        found = [check.p_values(replace(few, photometry=replace(seen, ivar=ivar)), posteriors) for ivar in ivars]
        limit = replace(seen, limit=np.broadcast_to(first, seen.flux.shape))
        found.append(check.p_values(replace(few, photometry=limit), posteriors))
        for other in found[1:]:
            np.testing.assert_array_equal(other, found[0])
        assert not np.array_equal(found[0], check.p_values(few, posteriors))

    def test_where_there_is_none(self, check, sky):
        few, posteriors = sky[0].take(slice(0, 4)), answers(sky[1].take(slice(0, 4)))
        ivar, redshift, mean = few.photometry.ivar.copy(), few.redshift.copy(), posteriors.mean.copy()
        ivar[0], redshift[1], mean[2] = np.nan, 3.0, np.nan
        odd = replace(few, redshift=redshift, photometry=replace(few.photometry, ivar=ivar))
        p = check.p_values(odd, replace(posteriors, mean=mean))
        np.testing.assert_array_equal(np.isnan(p), [True, True, True, False])
        assert not check.suspect(p)[:3].any()

    def test_models_older_than_the_universe_have_no_part(self, checked, models, sky):
        old = replace(models, values=models.values | {"age": np.full(len(models), 13.9, np.float32)})
        p = PredictiveCheck(checked, old).p_values(sky[0], answers(sky[1]))
        assert np.isnan(p).all()


def test_even_draws_are_the_posteriors(sky):
    """Their means and covariances, and those of a mixture; the same for a source in any company."""
    few = answers(sky[1].take(slice(0, 3)))
    draws = even_draws(few, np.arange(3), 4096)
    np.testing.assert_allclose(draws.mean(axis=1), few.mean[:, 0], atol=0.02 * WIDTH.max())
    np.testing.assert_allclose(draws.std(axis=1) / WIDTH, 1.0, atol=0.02)
    two = replace(
        few,
        weight=np.tile([0.25, 0.75], (3, 1)),
        mean=np.concatenate([few.mean - 1.0, few.mean + 1.0], axis=1),
        factor=np.concatenate([few.factor, few.factor], axis=1),
    )
    np.testing.assert_allclose(even_draws(two, np.arange(3), 4096).mean(axis=1), few.mean[:, 0] + 0.5, atol=0.01)
    np.testing.assert_array_equal(even_draws(two, np.array([2]), 32)[0], even_draws(two, np.arange(3), 32)[2])


def test_points_are_even():
    """Every eighth of every axis has an eighth of them, to one or two."""
    points = even_points(64, 7)
    assert points.min() > 0
    assert points.max() < 1
    counts = [np.histogram(points[:, k], 8, (0, 1))[0] for k in range(7)]
    assert np.abs(np.array(counts) - 8).max() <= 2


def test_what_a_bundle_of_masses_alone_leaves_open_is_the_whole_population(checked, models, sky):
    """Nothing but the scale is said: masses far off are seen, others not."""
    alone = replace(checked, targets=("logmstar",))
    check = PredictiveCheck(alone, models)
    sources, truth = sky
    only = [answers(truth, (shift, 0.0)) for shift in (0.0, 1.0)]
    only = [
        replace(each, names=("logmstar",), mean=each.mean[:, :, :1], factor=each.factor[:, :, :1, :1]) for each in only
    ]
    frame = Frame(np.zeros(1, bool), np.zeros((1, N)), np.ones((1, N)))
    right, wrong = (check.p_values(sources, replace(each, frame=frame)) for each in only)
    assert np.mean(right < 0.01) < 0.05
    assert np.mean(wrong < 0.01) > 0.3


def test_specific_parameters_alone_leave_the_scale_free(checked, models, sky):
    """A bundle without a mass: ten times the light is as probable."""
    values = models.values | {"logzsol": models.values["logsfr"]}
    alone = replace(checked, targets=("logzsol",))
    check = PredictiveCheck(alone, replace(models, values=values))
    assert check.scale is None
    few, truth = sky[0].take(slice(0, 300)), sky[1].take(slice(0, 300))
    specific = (truth.values[:, 1] - truth.values[:, 0])[:, None, None]
    frame = Frame(np.zeros(1, bool), np.zeros((1, 300)), np.ones((1, 300)))
    told = Posteriors(("logzsol",), np.ones((300, 1)), specific, np.full((300, 1, 1, 1), 0.1), frame)
    seen = few.photometry
    p = check.p_values(few, told)
    tenfold = check.p_values(replace(few, photometry=Photometry(10 * seen.flux, seen.ivar / 100, seen.bands)), told)
    np.testing.assert_allclose(tenfold, p, rtol=1e-3)
    assert np.mean(p < 0.01) < 0.05
    off = check.p_values(few, replace(told, mean=specific + np.where(specific > -10.2, -1.5, 1.5)))
    assert np.mean(off[bright(few)] < 0.01) > 0.2
