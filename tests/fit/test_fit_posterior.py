"""The exact posterior: brute force, cases that have a formula, coverage of planted truths, and input at the edges."""

import numpy as np
import pytest
from fit_toys import BANDS, REDSHIFT, flux_of, log_light, sources_of, toy_cache, young_enough
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, norm

from galprism.data import Photometry, Sources
from galprism.errors import RequestError
from galprism.fit import MagnitudePrior, fit_posterior
from galprism.fit.cache import from_light, log_distance_factor
from galprism.flags import Flag
from galprism.mocks import MagnitudeRedshift, PopulationConfig
from galprism.units import abmag_from_njy, njy_from_abmag

SKY = np.array([150.0, 70.0, 70.0, 250.0, 2000.0])
"""nJy."""
PRIOR = MagnitudePrior("r", 18.0, 24.0, lambda m, z: 0.6 * m * (1 + 0 * z))
CACHE = toy_cache(4000, seed=2, block=500)
FEW = toy_cache(200, seed=6)


def mocks(n, seed, prior_slope=0.6, redshift=0.5):
    """n sources drawn from the prior that PRIOR and CACHE say: (sources, rows, log mass)."""
    rng = np.random.default_rng(seed)
    rows = rng.choice(np.flatnonzero(young_enough(CACHE, redshift)), n)
    low, high = np.exp(prior_slope * 18.0), np.exp(prior_slope * 24.0)
    magnitude = np.log(low + rng.random(n) * (high - low)) / prior_slope
    unit = np.array([flux_of(CACHE, row, redshift, 0.0) for row in rows])
    mass = njy_from_abmag(magnitude) / unit[:, 2]
    flux = unit * mass[:, None]
    error = np.hypot(SKY, 0.02 * flux)
    return sources_of(flux + error * rng.normal(size=flux.shape), error, redshift), rows, np.log10(mass)


def by_brute_force(flux, error, redshift, prior_log_p, limit=None, bright=18.0, faint=24.0):
    """Mean and standard deviation of log M*, mean log SFR, quantiles of log M* and effective sample size of the draws,
    on a fine grid of (draw, magnitude), in float64."""
    rows = np.flatnonzero(young_enough(FEW, redshift))
    magnitude = np.linspace(bright, faint, 4001)
    light = FEW.light(redshift)[rows].astype(float)
    log_p = prior_log_p(magnitude)
    log_w, log_mass = [], []
    limit = np.zeros(5, bool) if limit is None else limit
    for model in light:
        value = njy_from_abmag(magnitude)[:, None] * model / model[2]
        pulls = (flux - value) / error
        log_l = -0.5 * (np.where(limit, 0, pulls) ** 2).sum(axis=1) + np.where(limit, norm.logcdf(pulls), 0).sum(axis=1)
        log_w.append(log_l + log_p)
        log_mass.append(np.log10(njy_from_abmag(magnitude) / model[2]) - log_distance_factor(redshift))
    log_w, log_mass = np.array(log_w), np.array(log_mass)
    weight = np.exp(log_w - log_w.max())
    weight /= weight.sum()
    mstar = log_mass + FEW.values["logmstar"][rows][:, None]
    sfr = log_mass + FEW.values["logsfr"][rows][:, None]
    mean = (weight * mstar).sum()
    order = np.argsort(mstar.ravel())
    reached = np.cumsum(weight.ravel()[order])
    quantiles = mstar.ravel()[order[np.searchsorted(reached, [0.16, 0.5, 0.84])]]
    ess = 1.0 / (weight.sum(axis=1) ** 2).sum()
    return mean, np.sqrt((weight * (mstar - mean) ** 2).sum()), (weight * sfr).sum(), quantiles, ess


@pytest.mark.parametrize("row", range(8))
def test_the_same_answer_by_brute_force(row):
    sources, _, _ = mocks(8, seed=21)
    one = sources.take(slice(row, row + 1))
    found = fit_posterior(one, FEW, PRIOR, enough=1e9)
    flux, error = one.photometry.flux[0], one.photometry.flux_err[0]
    mean, std, sfr, quantiles, ess = by_brute_force(flux, error, 0.5, lambda m: 0.6 * m)
    assert found.extra["logmstar_std"][0] == pytest.approx(std, rel=0.01, abs=1e-4)
    assert found.point[0] == pytest.approx([mean, sfr], abs=0.01 * std + 1e-4)
    assert found.quantiles[0, 0] == pytest.approx(quantiles, abs=0.06 * std)
    assert found.extra["n_draws"][0] == np.count_nonzero(young_enough(FEW, 0.5))
    assert found.extra["ess"][0] == pytest.approx(ess, rel=0.01)


@pytest.mark.parametrize("s_n", [-2.0, 0.5, 3.0])
def test_sources_that_are_hardly_seen(s_n):
    """The likelihood is then far from narrow, and the faint end of the prior takes part."""
    flux = flux_of(FEW, 60, 0.5, 0.0)
    flux *= njy_from_abmag(23.3) / flux[2]
    error = np.array([3.0, 3.0, 1.0, 2.0, 3.0]) * flux[2]
    flux = flux * s_n
    found = fit_posterior(sources_of(flux, error, 0.5), FEW, PRIOR, enough=1e9)
    mean, std, sfr, quantiles, ess = by_brute_force(flux, error, 0.5, lambda m: 0.6 * m)
    assert found.point[0] == pytest.approx([mean, sfr], abs=0.02 * std)
    assert found.extra["ess"][0] == pytest.approx(ess, rel=0.05)
    assert found.extra["logmstar_std"][0] == pytest.approx(std, rel=0.02)
    assert found.quantiles[0, 0] == pytest.approx(quantiles, abs=0.1 * std)


@pytest.mark.parametrize("level", [0.3, 1.0, 30.0])
def test_upper_limits_by_brute_force(level):
    flux = flux_of(FEW, 60, 0.5, 9.5)
    error = flux / 10
    limit = np.array([True, False, False, False, True])
    flux = np.where(limit, level, 1.0) * flux
    found = fit_posterior(sources_of(flux, error, 0.5, limit=limit[None]), FEW, PRIOR, enough=1e9)
    mean, std, sfr, _, ess = by_brute_force(flux, error, 0.5, lambda m: 0.6 * m, limit=limit)
    assert found.point[0] == pytest.approx([mean, sfr], abs=0.02 * std)
    assert found.extra["ess"][0] == pytest.approx(ess, rel=0.05)
    assert found.extra["logmstar_std"][0] == pytest.approx(std, rel=0.02)
    assert found.flags[0] & Flag.UPPER_LIMIT


def test_limits_alone_still_say_something():
    """No band is measured, so the prior's magnitudes are cut at the limit: by brute force again."""
    flux = flux_of(FEW, 60, 0.5, 8.5)
    limit = np.ones(5, bool)
    found = fit_posterior(sources_of(flux, 0.2 * flux, 0.5, limit=limit[None]), FEW, PRIOR, enough=1e9)
    mean, std, sfr, _, ess = by_brute_force(flux, 0.2 * flux, 0.5, lambda m: 0.6 * m, limit=limit)
    assert found.point[0] == pytest.approx([mean, sfr], abs=0.05 * std)
    assert found.extra["ess"][0] == pytest.approx(ess, rel=0.1)
    loose = fit_posterior(sources_of(100 * flux, 20 * flux, 0.5, limit=limit[None]), FEW, PRIOR, enough=1e9)
    assert loose.point[0, 0] > found.point[0, 0]


def linear_gaussian_cache(n, seed):
    """Draws whose u light over r is 1 + 0.02 x, x standard normal, and whose mass-to-light is x too."""
    x = np.random.default_rng(seed).normal(size=n)
    light = np.ones((n, 2, 2))
    light[:, :, 0] = 1 + 0.02 * x[:, None]
    values = {"age": np.full(n, 1.0), "logmstar": x}
    return from_light(("u", "r"), np.array([0.4, 0.6]), light, values, n_scores=1, block=10_000), x


@pytest.mark.parametrize(("measured", "error"), [(1.03, 0.02), (0.97, 0.04), (1.0, 0.005)])
def test_linear_gaussian_case_has_a_formula(measured, error):
    """u / r = 1 + 0.02 x is measured with a Gaussian error and x is Gaussian: so is its posterior."""
    cache, _ = linear_gaussian_cache(200_000, seed=3)
    r = 1e5
    prior = MagnitudePrior.flat("r", 15.0, 25.0)
    sources = sources_of([measured * r, r], [error * r, 1e-4 * r], 0.5, bands=("u", "r"))
    found = fit_posterior(sources, cache, prior, parameters=("logmstar",), levels=(0.025, 0.16, 0.5, 0.84), enough=1e9)
    precision = 1 + (0.02 / error) ** 2
    mean, std = (measured - 1) * 0.02 / error**2 / precision, precision**-0.5
    shift = np.log10(r) - log_distance_factor(0.5)
    # 200,000 draws: the mean is known to std / sqrt(ESS), of the order of a hundredth of std
    assert found.extra["ess"][0] > 1e4
    assert found.point[0, 0] - shift == pytest.approx(mean, abs=0.03 * std)
    assert found.extra["logmstar_std"][0] == pytest.approx(std, rel=0.03)
    expected = norm.ppf([0.025, 0.16, 0.5, 0.84], mean, std)
    assert found.quantiles[0, 0] - shift == pytest.approx(expected, abs=0.06 * std)


def test_one_colour_leaves_the_prior_of_the_magnitude():
    """All draws alike: the posterior of log mass is likelihood times p(m), here a Gaussian in m times exp(k m)."""
    light = np.ones((50, 2, 1))
    cache = from_light(("r",), np.array([0.4, 0.6]), light, {"age": np.ones(50), "logmstar": np.zeros(50)}, n_scores=1)
    k, sigma = 0.8, 0.02
    prior = MagnitudePrior("r", 15.0, 27.0, lambda m, z: k * m)
    flux = njy_from_abmag(21.0)
    found = fit_posterior(
        sources_of(flux, sigma * flux, 0.5, bands=("r",)), cache, prior, parameters=("logmstar",), enough=1e9
    )
    log_f = found.point[0, 0] + log_distance_factor(0.5)
    # exp(k m) in flux is F^(-k / (0.4 ln 10)): it moves the Gaussian's centre by -(k / 0.921 + 1/2 …) sigma^2 in ln F
    magnitude = np.linspace(20.8, 21.2, 4001)
    weight = np.exp(k * magnitude - 0.5 * ((njy_from_abmag(magnitude) / flux - 1) / sigma) ** 2)
    expected = np.average(np.log10(njy_from_abmag(magnitude)), weights=weight)
    assert log_f == pytest.approx(expected, abs=2e-6)
    assert expected < np.log10(flux)


def test_planted_truths_are_covered():
    """Truths drawn from the prior: PIT uniform, 70 % and 95 % of 500 within their intervals to three sigma."""
    sources, rows, log_mass = mocks(500, seed=31)
    levels = tuple(np.linspace(0.025, 0.975, 39).round(3))
    found = fit_posterior(sources, CACHE, PRIOR, levels=levels, enough=200.0)
    for name in ("logmstar", "logsfr"):
        truth = CACHE.values[name][rows] + log_mass
        for low, high in ((0.15, 0.85), (0.025, 0.975)):
            inside = (truth > found.quantile(name, low)) & (truth < found.quantile(name, high))
            expected = high - low
            assert abs(inside.mean() - expected) < 3 * np.sqrt(expected * (1 - expected) / 500)
        error = found.column(name) - truth
        assert abs(error.mean()) < 3 * error.std() / np.sqrt(500)
        assert np.std(error / found.extra[f"{name}_std"]) == pytest.approx(1.0, abs=0.1)
        pit = (found.quantiles[:, found.names.index(name)] < truth[:, None]).sum(axis=1) / 40.0
        assert kstest(pit + 0.0125, "uniform").pvalue > 1e-3


def test_the_posterior_mean_beats_any_shift_or_stretch_of_itself():
    sources, rows, log_mass = mocks(300, seed=33)
    found = fit_posterior(sources, CACHE, PRIOR, enough=200.0)
    truth = CACHE.values["logmstar"][rows] + log_mass
    mean, median = found.column("logmstar"), np.median(truth)
    best = np.mean((mean - truth) ** 2)
    for stretch in (0.9, 1.1):
        assert np.mean((median + stretch * (mean - median) - truth) ** 2) > best
    assert np.mean((found.extra["best_logmstar"] - truth) ** 2) > best


def test_enough_draws_are_enough():
    sources, _, _ = mocks(40, seed=35)
    few, all_of_them = (fit_posterior(sources, CACHE, PRIOR, enough=e) for e in (20.0, 1e9))
    assert np.all(few.extra["n_draws"] <= all_of_them.extra["n_draws"])
    assert few.extra["n_draws"].mean() < 0.6 * all_of_them.extra["n_draws"].mean()
    done = few.extra["n_draws"] < all_of_them.extra["n_draws"]
    assert np.all(few.extra["ess"][done] >= 20.0)
    pull = (few.point - all_of_them.point)[:, 0] / few.extra["logmstar_std"]
    assert np.sqrt(np.mean(pull**2)) < 2 / np.sqrt(20)


def test_effective_sample_size_and_its_flag():
    flux = flux_of(CACHE, 1500, 0.5, 10.5)
    sharp, dull = sources_of(flux, flux / 3e3, 0.5), sources_of(flux, flux / 5, 0.5)
    low, high = (fit_posterior(source, CACHE, PRIOR, min_ess=20.0) for source in (sharp, dull))
    assert 1 <= low.extra["ess"][0] < 20
    assert low.flags[0] == Flag.LOW_SAMPLE_SIZE
    assert high.extra["ess"][0] > 20
    assert high.flags[0] == 0
    assert fit_posterior(sharp, CACHE, PRIOR, min_ess=1.0).flags[0] == 0


def test_company_order_threads_do_not_matter():
    sources, _, _ = mocks(50, seed=36)
    redshift = np.random.default_rng(0).uniform(0.1, 1.5, 50)
    sources = Sources(id=sources.id, redshift=redshift, photometry=sources.photometry)
    whole = fit_posterior(sources, CACHE, PRIOR, enough=100.0)
    order = np.random.default_rng(1).permutation(50)
    shuffled = fit_posterior(sources.take(order), CACHE, PRIOR, enough=100.0, workers=2)
    assert shuffled.point == pytest.approx(whole.point[order], abs=1e-4)
    assert shuffled.quantiles == pytest.approx(whole.quantiles[order], abs=1e-3)
    alone = np.concatenate([fit_posterior(sources.take([i]), CACHE, PRIOR, enough=100.0).point for i in range(10)])
    assert alone == pytest.approx(whole.point[:10], abs=1e-4)


def test_a_missing_band_is_a_fit_without_it():
    sources, _, _ = mocks(20, seed=37)
    ivar = np.array(sources.photometry.ivar)
    ivar[:, 2] = 0.0  # even the band that the prior is given in
    missing = Photometry(flux=np.where(ivar > 0, sources.photometry.flux, 0), ivar=ivar, bands=BANDS)
    fewer = sources.photometry.select([b for b in BANDS if b != "r"])
    a, b = (
        fit_posterior(Sources(id=sources.id, redshift=sources.redshift, photometry=p), CACHE, PRIOR)
        for p in (missing, fewer)
    )
    assert a.point == pytest.approx(b.point, abs=1e-4)
    assert np.all(a.flags & Flag.BAND_MISSING)
    assert not (b.flags & Flag.BAND_MISSING).any()


def test_a_source_far_outside_the_prior_is_flagged_and_judged_without_it():
    sources = [sources_of(f, f / 30, 0.5) for f in (flux_of(CACHE, 1500, 0.5, m) for m in (12.5, 10.0, 7.0))]
    magnitude = [abmag_from_njy(s.photometry.flux[0, 2]) for s in sources]
    assert magnitude[0] < 16.5
    assert 18 < magnitude[1] < 24
    assert magnitude[2] > 26
    found = [fit_posterior(s, CACHE, PRIOR) for s in sources]
    assert [bool(f.flags[0] & Flag.INPUT_OUT_OF_RANGE) for f in found] == [True, False, True]
    truth = CACHE.values["logmstar"][1500] + np.array([12.5, 10.0, 7.0])
    assert np.array([f.point[0, 0] for f in found]) == pytest.approx(truth, abs=0.15)
    assert not any(f.flags[0] & Flag.POOR_FIT for f in found)


def test_a_redshift_that_the_prior_does_not_know():
    source = sources_of(flux_of(CACHE, 1500, 0.5, 10.0), SKY * 3, 0.5)
    nothing = MagnitudePrior("r", 18.0, 24.0, lambda m, z: np.full_like(m, -np.inf))
    found = fit_posterior(source, CACHE, nothing, min_ess=1.0)
    flat = fit_posterior(source, CACHE, MagnitudePrior.flat("r", 18.0, 24.0), min_ess=1.0)
    assert found.flags[0] == Flag.INPUT_OUT_OF_RANGE
    assert flat.flags[0] == 0
    assert found.point == pytest.approx(flat.point)


def test_the_population_of_the_mocks_gives_the_prior():
    counts = MagnitudeRedshift(PopulationConfig())
    prior = MagnitudePrior("r", *PopulationConfig().magnitude, counts.log_density)
    table = prior.at(0.5)
    magnitude = np.array([17.0, 20.0, 23.5])
    expected = counts.log_density(magnitude, 0.5)
    found = table.log_density(magnitude)
    assert found - found[0] == pytest.approx(expected - expected[0], abs=0.02)
    assert not prior.at(5.0).known
    assert prior.at(0.5).known


def test_rows_that_cannot_be_fitted_are_null_and_say_why():
    flux = flux_of(CACHE, 100, 0.5, 10.0)
    redshift = np.array([np.nan, 0.001, 2.5, 0.5, 0.5])
    sigma = np.tile(flux / 10, (5, 1))
    sigma[3] = np.inf
    found = fit_posterior(sources_of(np.where(np.isfinite(sigma), flux, 0), sigma, redshift), CACHE, PRIOR)
    none, out = Flag.NOT_INFERRED, Flag.NOT_INFERRED | Flag.REDSHIFT_OUT_OF_RANGE
    assert found.flags.tolist() == [
        none | Flag.REDSHIFT_MISSING, out, out, none | Flag.NO_PHOTOMETRY | Flag.BAND_MISSING, 0,
    ]  # fmt: skip
    assert np.isnan(found.point[:4]).all()
    assert np.isfinite(found.point[4]).all()
    assert np.isnan(found.extra["ess"][:4]).all()
    assert found.extra["n_draws"][:4].tolist() == [0, 0, 0, 0]


def test_no_draw_is_young_enough():
    light = 10 ** log_light(np.full(9, 0.2), np.zeros(9), REDSHIFT)
    old = from_light(BANDS, REDSHIFT, light, {"age": np.full(9, 13.9), "logmstar": np.zeros(9)}, n_scores=2)
    found = fit_posterior(sources_of(SKY * 9, SKY, 0.5), old, PRIOR, parameters=("logmstar",))
    assert np.isnan(found.point).all()
    assert found.flags[0] & Flag.NOT_INFERRED


def test_requests_that_cannot_be_met():
    source = sources_of(SKY * 9, SKY, 0.5)
    with pytest.raises(RequestError, match="the prior's band 'W1' is not in the model cache: u, g, r, i, Ks"):
        fit_posterior(source, CACHE, MagnitudePrior.flat("W1", 16.0, 24.0))
    with pytest.raises(RequestError, match=r"bright = 24.0 must be below faint = 16.0"):
        MagnitudePrior.flat("r", 24.0, 16.0)
    with pytest.raises(RequestError, match=r"log_density is nan or inf at z = 0.5"):
        fit_posterior(source, CACHE, MagnitudePrior("r", 16.0, 24.0, lambda m, z: m * np.nan))
    with pytest.raises(RequestError, match="not in it: av"):
        fit_posterior(source, CACHE, PRIOR, parameters=("av",))


def test_progress_and_record():
    sources, _, _ = mocks(7, seed=40)
    sources = Sources(id=sources.id, redshift=[0.5] * 5 + [np.nan, 0.5], photometry=sources.photometry)
    done = []
    found = fit_posterior(sources, CACHE, PRIOR, parameters=("age", "logmstar"), progress=done.append, enough=50.0)
    assert sum(done) == 7
    assert found.names == ("age", "logmstar")
    assert found.meta["method"] == "posterior"
    assert found.meta["prior_magnitude"] == [18.0, 24.0]
    assert found.meta["n_models"] == 4000


@given(
    st.lists(
        st.tuples(
            st.sampled_from([np.nan, 0.0, 0.02, 0.7, 2.0]),
            st.lists(st.floats(-1e7, 1e7), min_size=5, max_size=5),
            st.lists(st.sampled_from([0.0, np.nan, 1e-9, 1e-4, 1e4]), min_size=5, max_size=5),
            st.lists(st.booleans(), min_size=5, max_size=5),
        ),
        max_size=5,
    )
)
@settings(max_examples=40, deadline=None)
def test_whatever_comes_every_null_has_a_flag(rows):
    n = len(rows)
    redshift = np.array([row[0] for row in rows])
    flux, ivar = (np.array([row[k] for row in rows]).reshape(n, 5) for k in (1, 2))
    limit = np.array([row[3] for row in rows], dtype=bool).reshape(n, 5)
    photometry = Photometry(flux=np.where(ivar == 0, 0, flux), ivar=ivar, bands=BANDS, limit=limit)
    found = fit_posterior(Sources(id=np.arange(n), redshift=redshift, photometry=photometry), FEW, PRIOR)
    null = np.isnan(found.point).any(axis=1)
    assert np.array_equal(null, (found.flags & Flag.NOT_INFERRED) > 0)
    assert not np.isinf(found.point).any()
    assert np.all(np.diff(found.quantiles[~null], axis=2) >= 0)


def test_posterior_predictive_p_values_are_high_for_honest_sources_and_low_for_spoiled_ones():
    """They use the data twice, so that honest ones are not even but rarely small; a band 8 errors off is."""
    sources, _, _ = mocks(150, seed=4)
    honest = fit_posterior(sources, CACHE, PRIOR).extra["predictive_p"]
    assert np.mean(honest < 0.05) < 0.05
    assert np.median(honest) > 0.4
    flux = sources.photometry.flux.copy()
    flux[:, 3] += 8.0 * sources.photometry.flux_err[:, 3]
    seen = Photometry(flux, sources.photometry.ivar, sources.photometry.bands)
    spoiled = fit_posterior(Sources(sources.id, redshift=sources.redshift, photometry=seen), CACHE, PRIOR)
    assert np.mean(spoiled.extra["predictive_p"] < 0.05) > 0.5
    assert (spoiled.extra["predictive_p"] < honest).mean() > 0.9


def test_the_posterior_predictive_p_value_by_simulation():
    """Fluxes drawn from the posterior's own models and scales, and how often their chi2 is larger."""
    sources, _, _ = mocks(1, seed=33)
    found = fit_posterior(sources, FEW, PRIOR, enough=1e9).extra["predictive_p"][0]
    flux, error = sources.photometry.flux[0], sources.photometry.flux_err[0]
    rows = np.flatnonzero(young_enough(FEW, 0.5))
    magnitude = np.linspace(18.0, 24.0, 4001)
    light = FEW.light(0.5)[rows].astype(float)
    model = njy_from_abmag(magnitude)[None, :, None] * (light / light[:, [2]])[:, None]
    chi2 = (((flux - model) / error) ** 2).sum(axis=2)
    weight = np.exp(-0.5 * (chi2 - chi2.min()) + 0.6 * (magnitude - 21))
    rng = np.random.default_rng(0)
    drawn = rng.choice(chi2.size, 40_000, p=(weight / weight.sum()).ravel())
    assert found == pytest.approx(np.mean(rng.chisquare(5, len(drawn)) > chi2.ravel()[drawn]), abs=0.02)
