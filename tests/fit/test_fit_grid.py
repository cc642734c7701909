"""The grid fit: planted truths, the same answer by plain loops, laws, and input that cannot be fitted."""

import numpy as np
import pytest
from fit_toys import BANDS, REDSHIFT, flux_of, sources_of, toy_cache, young_enough
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from galprism.cosmology import luminosity_distance_mpc
from galprism.data import Photometry, Sources
from galprism.errors import RequestError
from galprism.fit import fit_grid
from galprism.fit.grid import _relative
from galprism.flags import Flag

CACHE = toy_cache()
RNG = np.random.default_rng(11)


def noisy(n, s_n, seed, redshift=None):
    """n sources drawn from the toy cache's models: (sources, rows, log masses)."""
    rng = np.random.default_rng(seed)
    redshift = rng.uniform(0.05, 1.9, n).round(2) if redshift is None else np.full(n, redshift)
    rows = [rng.choice(np.flatnonzero(young_enough(CACHE, z))) for z in redshift]
    log_mass = rng.uniform(8, 11, n)
    flux = np.array([flux_of(CACHE, r, z, m) for r, z, m in zip(rows, redshift, log_mass, strict=True)])
    error = flux / s_n
    return sources_of(flux + error * rng.normal(size=flux.shape), error, redshift), np.array(rows), log_mass


def by_loops(source_flux, error, redshift, limit=None):
    """The same in float64, one model at a time: (means, quantile of mass at 0.84, best chi2, linear mean of mass)."""
    flux, chi2, logs = [], [], []
    measured = np.isfinite(error) if limit is None else np.isfinite(error) & ~limit
    for row in np.flatnonzero(young_enough(CACHE, redshift)):
        model = flux_of(CACHE, row, redshift, 0.0)[measured]
        f, e = source_flux[measured], error[measured]
        scale = np.sum(f * model / e**2) / np.sum(model**2 / e**2)
        if scale > 0:
            chi2.append(np.sum(((f - scale * model) / e) ** 2))
            logs.append([np.log10(scale) + CACHE.values[name][row] for name in ("logmstar", "logsfr")])
            flux.append(model)
    chi2, logs = np.array(chi2), np.array(logs)
    weight = np.exp(-0.5 * (chi2 - chi2.min()))
    weight /= weight.sum()
    order = np.argsort(logs[:, 0])
    reached = np.cumsum(weight[order])
    return (
        weight @ logs,
        logs[order[np.searchsorted(reached, 0.84)], 0],
        chi2.min(),
        np.log10(weight @ 10 ** logs[:, 0]),
    )


@pytest.mark.parametrize("s_n", [2.0, 10.0, 300.0])
def test_the_same_answer_by_plain_loops(s_n):
    sources, _, _ = noisy(12, s_n, seed=int(s_n))
    found = fit_grid(sources, CACHE, redshift_step=0.01)
    for i in range(12):
        mean, p84, chi2, linear = by_loops(
            sources.photometry.flux[i], sources.photometry.flux_err[i], sources.redshift[i]
        )
        assert found.point[i] == pytest.approx(mean, abs=3e-5)
        assert found.quantile("logmstar", 0.84)[i] == pytest.approx(p84, abs=3e-5)
        assert found.extra["chi2"][i] == pytest.approx(chi2, rel=1e-3, abs=5e-3)
        assert found.extra["logmstar_linear_mean"][i] == pytest.approx(linear, abs=3e-5)
    assert found.extra["reduced_chi2"] == pytest.approx(found.extra["chi2"] / 4)


def test_a_noise_free_model_is_found_again():
    sources, rows, log_mass = noisy(20, 1e3, seed=3)
    flux = np.array([flux_of(CACHE, r, z, m) for r, z, m in zip(rows, sources.redshift, log_mass, strict=True)])
    found = fit_grid(sources_of(flux, flux / 1e3, sources.redshift), CACHE, redshift_step=0.01)
    truth = CACHE.values["logmstar"][rows] + log_mass
    assert found.extra["best_logmstar"] == pytest.approx(truth, abs=2e-5)
    assert found.point[:, 0] == pytest.approx(truth, abs=0.01)
    assert found.extra["chi2"].max() < 0.05
    assert not found.flags.any()


def test_noisy_truths_lie_within_the_errors():
    """Truths drawn from the grid itself: 68 % of 400 within the interval of what does not scale, +- 7 % at three sigma.
    What does scale is off by less than a third of its error, and scatters a little more than the error says, since
    the scale is taken at its best."""
    sources, rows, log_mass = noisy(400, 5.0, seed=4, redshift=0.5)
    found = fit_grid(sources, CACHE, parameters=("age", "logmstar"), redshift_step=0.01)
    age = CACHE.values["age"][rows]
    inside = (age >= found.quantile("age", 0.16)) & (age <= found.quantile("age", 0.84))
    assert abs(inside.mean() - 0.68) < 0.07
    error = found.column("logmstar") - CACHE.values["logmstar"][rows] - log_mass
    assert abs(error.mean()) < 0.3 * error.std()
    assert 1.0 < error.std() / found.extra["logmstar_std"].mean() < 1.4


def test_a_model_that_is_worse_than_single_precision_can_say_has_no_weight():
    weight = _relative(np.array([2.9e24, 2.9e24, 1.2e39, 2.9e24 + 1e10]))
    np.testing.assert_array_equal(weight, [1.0, 1.0, 0.0, 0.0])


@given(st.floats(-6, 6))
@settings(max_examples=20, deadline=None)
def test_ten_times_the_flux_is_ten_times_the_mass(dex):
    sources, _, _ = noisy(5, 8.0, seed=5)
    plain = fit_grid(sources, CACHE)
    flux, error = np.array(sources.photometry.flux), sources.photometry.flux_err
    scaled = fit_grid(sources_of(flux * 10**dex, error * 10**dex, sources.redshift), CACHE)
    assert scaled.point == pytest.approx(plain.point + dex, abs=2e-5)
    assert scaled.quantiles == pytest.approx(plain.quantiles + dex, abs=2e-5)
    assert scaled.extra["chi2"] == pytest.approx(plain.extra["chi2"], rel=1e-4, abs=1e-4)


def test_the_distance_is_that_of_the_source_not_of_the_rounded_redshift():
    flux = flux_of(CACHE, 5, 0.1, 10.0)
    near, far = (fit_grid(sources_of(flux, flux / 50, z), CACHE, redshift_step=0.02) for z in (0.0951, 0.1049))
    ratio = luminosity_distance_mpc(0.1049) ** 2 / 1.1049 / (luminosity_distance_mpc(0.0951) ** 2 / 1.0951)
    assert far.point[0, 0] - near.point[0, 0] == pytest.approx(np.log10(ratio), abs=1e-5)


def test_a_missing_band_is_a_fit_without_it():
    sources, _, _ = noisy(30, 10.0, seed=6)
    ivar = np.array(sources.photometry.ivar)
    ivar[:, 1] = 0.0
    missing = Sources(
        id=sources.id,
        redshift=sources.redshift,
        photometry=Photometry(flux=np.where(ivar > 0, sources.photometry.flux, 0), ivar=ivar, bands=BANDS),
    )
    fewer = Sources(
        id=sources.id,
        redshift=sources.redshift,
        photometry=sources.photometry.select([b for b in BANDS if b != "g"]),
    )
    a, b = fit_grid(missing, CACHE), fit_grid(fewer, CACHE)
    assert a.point == pytest.approx(b.point, abs=2e-5)
    assert a.extra["reduced_chi2"] == pytest.approx(b.extra["reduced_chi2"], rel=1e-3, abs=1e-4)
    assert np.all(a.n_bands == 4)
    assert np.all(b.n_bands == 4)
    assert np.all(a.flags == Flag.BAND_MISSING)
    assert not b.flags.any()


def test_unknown_errors_are_filled_or_left_out():
    sources, _, _ = noisy(6, 10.0, seed=7)
    ivar = np.array(sources.photometry.ivar)
    known = ivar.copy()
    ivar[:, 2] = np.nan
    unknown = Sources(
        id=sources.id,
        redshift=sources.redshift,
        photometry=Photometry(flux=sources.photometry.flux, ivar=ivar, bands=BANDS),
    )
    filled = fit_grid(unknown, CACHE, flux_err=lambda flux: np.where(known > 0, known, 1.0) ** -0.5)
    assert filled.point == pytest.approx(fit_grid(sources, CACHE).point)
    assert np.all(filled.flags == Flag.ERROR_UNKNOWN)
    assert np.all(filled.n_bands == 5)
    out = fit_grid(unknown, CACHE)
    assert np.all(out.flags == Flag.ERROR_UNKNOWN | Flag.BAND_MISSING)
    assert np.all(out.n_bands == 4)


def limits(level, error, band=0):
    """One bright source whose band `band` is an upper limit of `level` times its true flux."""
    flux = flux_of(CACHE, 120, 0.5, 10.0)
    sigma = flux / 10.0
    limit = np.zeros((1, 5), bool)
    limit[0, band] = True
    flux, sigma = flux.copy(), sigma.copy()
    sigma[band] = error * flux[band]
    flux[band] *= level
    return sources_of(flux, sigma, 0.5, limit=limit), flux, sigma, limit[0]


def test_a_very_high_limit_changes_nothing():
    sources, flux, sigma, limit = limits(1e3, 0.1)
    found = fit_grid(sources, CACHE, redshift_step=0.01)
    mean, p84, chi2, _ = by_loops(flux, sigma, 0.5, limit)
    assert found.point[0] == pytest.approx(mean, abs=3e-5)
    assert found.quantile("logmstar", 0.84)[0] == pytest.approx(p84, abs=3e-5)
    assert found.extra["chi2"][0] == pytest.approx(chi2, abs=1e-3)
    assert found.flags[0] == Flag.UPPER_LIMIT
    assert found.n_bands[0] == 5


def test_a_limit_far_below_the_model_speaks_against_it():
    loose = fit_grid(limits(1e3, 0.1)[0], CACHE)
    tight = fit_grid(limits(0.2, 0.05)[0], CACHE)
    assert tight.extra["chi2"][0] > loose.extra["chi2"][0] + 5
    # A source whose u light is hidden must be redder: the toy's steep models are the heavy ones for their light.
    assert tight.point[0, 0] > loose.point[0, 0]


def test_a_limit_at_the_flux_costs_half_of_the_probability():
    """With every model excluded but the true one the limit's share of chi2 is -2 ln Phi(0) = 2 ln 2."""
    flux = flux_of(CACHE, 7, 0.5, 10.0)
    sigma = np.where(np.arange(5) == 0, flux / 50, flux / 1e5)
    limit = np.arange(5)[None] == 0
    found = fit_grid(sources_of(flux, sigma, 0.5, limit=limit), CACHE, redshift_step=0.01)
    assert found.extra["chi2"][0] == pytest.approx(2 * np.log(2), abs=0.05)


def test_limits_against_a_scan_over_scale():
    """Sawicki (2012): the scale is at the least of the whole chi2, found here by brute force for every model."""
    sources, flux, sigma, limit = limits(0.8, 0.1, band=2)
    found = fit_grid(sources, CACHE, redshift_step=0.01)
    light = CACHE.light(0.5)[CACHE.models(0.5)].astype(float)
    unit = flux_of(CACHE, 0, 0.5, 0.0)[0] / CACHE.light(0.5)[0, 0]
    scales = np.geomspace(10**9.0, 10**11.0, 4000)
    chi2, logs = [], []
    for row, model in enumerate(light * unit):
        seen = ~limit
        total = (((flux[seen] - scales[:, None] * model[seen]) / sigma[seen]) ** 2).sum(axis=1)
        total -= 2 * norm.logcdf((flux[limit] - scales * model[limit]) / sigma[limit])
        chi2.append(total.min())
        logs.append(np.log10(scales[np.argmin(total)]) + CACHE.values["logmstar"][row])
    weight = np.exp(-0.5 * (np.array(chi2) - min(chi2)))
    assert found.extra["chi2"][0] == pytest.approx(min(chi2), abs=0.01)
    assert found.point[0, 0] == pytest.approx(weight @ logs / weight.sum(), abs=1e-3)


def test_only_limits_give_no_mass():
    flux = flux_of(CACHE, 7, 0.5, 10.0)
    found = fit_grid(sources_of(flux, flux / 10, 0.5, limit=np.ones((1, 5), bool)), CACHE)
    assert np.isnan(found.point).all()
    assert found.flags[0] == Flag.UPPER_LIMIT | Flag.NOT_INFERRED | Flag.INPUT_OUT_OF_RANGE


def test_a_limit_that_no_positive_mass_meets_gives_no_mass():
    flux = flux_of(CACHE, 7, 0.5, 10.0)
    limit = np.arange(5)[None] == 2
    flux[2] *= -300.0
    found = fit_grid(sources_of(flux, np.abs(flux) / np.array([1, 1, 1000, 1, 1]), 0.5, limit=limit), CACHE)
    assert np.isnan(found.point).all()
    assert found.flags[0] & Flag.NOT_INFERRED


def test_models_older_than_the_universe_have_no_say():
    """Row 399 is the oldest model: seen at z = 1.5, where it cannot be, it is not found."""
    flux = flux_of(CACHE, 399, 1.5, 10.0)
    found = fit_grid(sources_of(flux, flux / 1e3, 1.5), CACHE)
    assert abs(found.extra["best_logmstar"][0] - (CACHE.values["logmstar"][399] + 10)) > 0.02


def test_negative_fluxes_are_legal_but_all_negative_is_no_mass():
    flux = flux_of(CACHE, 100, 0.5, 9.0)
    sigma = np.full(5, flux.max() / 5)
    some = flux.copy()
    some[0] = -0.5 * sigma[0]
    found = fit_grid(sources_of([some, -flux - 3 * sigma], [sigma, sigma], 0.5), CACHE)
    assert np.isfinite(found.point[0]).all()
    assert found.flags[0] == 0
    assert found.n_bands[0] == 5
    assert np.isnan(found.point[1]).all()
    assert found.flags[1] == Flag.NOT_INFERRED | Flag.INPUT_OUT_OF_RANGE


def test_poor_fits_are_flagged():
    flux = flux_of(CACHE, 100, 0.5, 9.0)
    flux[[0, 3]] *= [30.0, 0.05]
    found = fit_grid(sources_of(flux, flux / 50, 0.5), CACHE)
    assert found.flags[0] == Flag.POOR_FIT
    assert found.extra["reduced_chi2"][0] > 10
    assert fit_grid(sources_of(flux, flux / 50, 0.5), CACHE, max_reduced_chi2=1e9).flags[0] == 0


def test_one_band_has_no_reduced_chi2_but_a_mass():
    flux = flux_of(CACHE, 100, 0.5, 9.0)
    sigma = np.array([np.inf, np.inf, flux[2] / 10, np.inf, np.inf])
    found = fit_grid(sources_of(np.where(np.isfinite(sigma), flux, 0), sigma, 0.5), CACHE)
    assert np.isfinite(found.point).all()
    assert np.isnan(found.extra["reduced_chi2"]).all()


def test_rows_that_cannot_be_fitted_are_null_and_say_why():
    flux = flux_of(CACHE, 100, 0.5, 9.0)
    redshift = np.array([np.nan, 0.001, 2.5, -0.3, 0.5, 0.5])
    sigma = np.tile(flux / 10, (6, 1))
    sigma[4] = np.inf
    found = fit_grid(sources_of(np.where(np.isfinite(sigma), flux, 0), sigma, redshift), CACHE)
    none, out = Flag.NOT_INFERRED, Flag.NOT_INFERRED | Flag.REDSHIFT_OUT_OF_RANGE
    assert found.flags.tolist() == [
        none | Flag.REDSHIFT_MISSING, out, out, out, none | Flag.NO_PHOTOMETRY | Flag.BAND_MISSING, 0,
    ]  # fmt: skip
    assert np.isnan(found.point[:5]).all()
    assert np.isfinite(found.point[5]).all()
    assert found.n_bands.tolist() == [0, 0, 0, 0, 0, 5]
    assert all(np.isnan(value[:5]).all() for value in found.extra.values())
    no_redshift = Sources(id=np.arange(6), photometry=sources_of(np.tile(flux, (6, 1)), sigma + 1, 1.0).photometry)
    assert np.all(fit_grid(no_redshift, CACHE).flags & Flag.REDSHIFT_MISSING)


def test_an_empty_table():
    empty = sources_of(np.empty((0, 5)), np.empty((0, 5)), 0.5)
    found = fit_grid(empty, CACHE)
    assert len(found) == 0
    assert found.point.shape == (0, 2)
    assert found.quantiles.shape == (0, 2, 3)


def test_the_order_and_company_of_rows_do_not_matter():
    sources, _, _ = noisy(60, 10.0, seed=9)
    whole = fit_grid(sources, CACHE)
    order = np.random.default_rng(0).permutation(60)
    assert fit_grid(sources.take(order), CACHE).point == pytest.approx(whole.point[order], abs=1e-5)
    parts = np.concatenate([fit_grid(sources.take(slice(i, i + 13)), CACHE).point for i in range(0, 60, 13)])
    assert parts == pytest.approx(whole.point, abs=1e-5)
    blocks = toy_cache(block=50)
    assert fit_grid(sources, blocks).point == pytest.approx(whole.point, abs=2e-3)  # the same models in another order


def test_model_error_widens():
    sources, _, _ = noisy(20, 100.0, seed=10)
    sharp, wide = fit_grid(sources, CACHE), fit_grid(sources, CACHE, model_error=0.1)
    assert np.mean(wide.extra["logmstar_std"] > sharp.extra["logmstar_std"]) > 0.9
    assert np.all(wide.extra["chi2"] < sharp.extra["chi2"])


def test_any_parameters_and_levels_and_progress():
    sources, _, _ = noisy(9, 10.0, seed=12)
    sources = Sources(id=sources.id, redshift=[np.nan, *sources.redshift[1:]], photometry=sources.photometry)
    done = []
    found = fit_grid(sources, CACHE, parameters=("age", "logmstar"), levels=(0.05, 0.95), progress=done.append)
    assert found.names == ("age", "logmstar")
    assert found.levels == (0.05, 0.95)
    assert sum(done) == 9
    assert "age_linear_mean" not in found.extra
    assert "logmstar_linear_mean" in found.extra
    assert found.meta["method"] == "grid"
    assert found.meta["cache"]["survey"] == "toy"
    assert "mean age" not in found.meta["definitions"]["age"]
    assert "survives" in found.meta["definitions"]["logmstar"]
    plain = fit_grid(sources, CACHE)
    assert found.column("logmstar")[1:] == pytest.approx(plain.column("logmstar")[1:])


def test_the_linear_mean_is_never_below_the_mean_of_the_logarithm():
    sources, _, _ = noisy(50, 3.0, seed=13)
    found = fit_grid(sources, CACHE)
    for j, name in enumerate(found.names):
        assert np.all(found.extra[f"{name}_linear_mean"] >= found.point[:, j] - 1e-5)


def test_requests_that_cannot_be_met():
    sources, _, _ = noisy(2, 10.0, seed=1)
    with pytest.raises(RequestError, match=r"parameters = \['logmstar', 'av'\].*not in it: av"):
        fit_grid(sources, CACHE, parameters=("logmstar", "av"))
    with pytest.raises(RequestError, match="none were asked for"):
        fit_grid(sources, CACHE, parameters=())
    other = sources_of(sources.photometry.flux, sources.photometry.flux_err, 0.5, bands=("u", "g", "r", "i", "W1"))
    with pytest.raises(RequestError, match="no band W1; they have u, g, r, i, Ks"):
        fit_grid(other, CACHE)
    with pytest.raises(RequestError, match="no photometry"):
        fit_grid(Sources(id=np.arange(2)), CACHE)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([np.nan, -1.0, 0.0, 0.02, 0.7, 2.0, 9.0]),
            st.lists(st.floats(-1e9, 1e9), min_size=5, max_size=5),
            st.lists(st.sampled_from([0.0, np.nan, 1e-12, 1e-4, 1e8]), min_size=5, max_size=5),
            st.lists(st.booleans(), min_size=5, max_size=5),
        ),
        max_size=6,
    )
)
@settings(max_examples=60, deadline=None)
def test_whatever_comes_every_null_has_a_flag(rows):
    n = len(rows)
    redshift = np.array([row[0] for row in rows])
    flux, ivar = (np.array([row[k] for row in rows]).reshape(n, 5) for k in (1, 2))
    limit = np.array([row[3] for row in rows], dtype=bool).reshape(n, 5)
    photometry = Photometry(flux=np.where(ivar == 0, 0, flux), ivar=ivar, bands=BANDS, limit=limit)
    sources = Sources(id=np.arange(n) + 7, redshift=redshift, photometry=photometry)
    found = fit_grid(sources, CACHE)
    assert found.id.tolist() == (np.arange(n) + 7).tolist()
    null = np.isnan(found.point).any(axis=1)
    assert np.array_equal(null, (found.flags & Flag.NOT_INFERRED) > 0)
    assert not np.isinf(found.point).any()
    assert np.all(np.diff(found.quantiles[~null], axis=2) >= 0)
    assert REDSHIFT[0] == 0.02
