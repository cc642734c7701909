"""The likelihood against plain loops in float64, and the laws that it must keep."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from galprism.fit.likelihood import (
    Table,
    inverse_mills,
    limit_chi2,
    residual_chi2,
    scale_under_limits,
    weigh,
)

RNG = np.random.default_rng(5)
MODELS = RNG.lognormal(0, 0.7, (60, 5))
FLUX = RNG.normal(30, 10, (7, 5)) * 1e3
ERROR = RNG.uniform(1, 5, (7, 5)) * 1e3


def chi2_by_hand(flux, error, model):
    scale = sum(f * m / e**2 for f, m, e in zip(flux, model, error, strict=True)) / sum(
        m * m / e**2 for m, e in zip(model, error, strict=True)
    )
    return scale, sum(((f - scale * m) / e) ** 2 for f, m, e in zip(flux, model, error, strict=True))


def test_matrix_products_give_scale_and_chi2_of_plain_loops():
    sources = weigh(FLUX, ERROR**-2.0, None, 0.0)
    s1, s2 = Table.of(MODELS.astype(np.float32)).sums(sources)
    chi2 = sources.total[:, None] - s1**2 / s2
    for n in range(7):
        for m in range(0, 60, 7):
            scale, expected = chi2_by_hand(FLUX[n], ERROR[n], MODELS[m])
            assert s1[n, m] / s2[n, m] * sources.unit[n] == pytest.approx(scale, rel=1e-5)
            assert chi2[n, m] == pytest.approx(expected, rel=1e-4, abs=1e-3)


def test_residuals_agree_with_the_difference_of_sums():
    sources = weigh(FLUX, ERROR**-2.0, None, 0.0)
    scale, expected = chi2_by_hand(FLUX[0], ERROR[0], MODELS[3])
    found = residual_chi2(sources.flux[0], sources.weight[0], MODELS[3:4], np.array([scale / sources.unit[0]]))
    assert found[0] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("unit", [1e-26, 1e-9, 1.0, 1e12])
def test_any_unit_of_flux_is_served(unit):
    plain, other = weigh(FLUX, ERROR**-2.0, None, 0.0), weigh(FLUX * unit, (ERROR * unit) ** -2.0, None, 0.0)
    assert other.flux == pytest.approx(plain.flux)
    assert other.weight == pytest.approx(plain.weight)
    assert other.unit == pytest.approx(plain.unit * unit)


def test_model_error_adds_in_quadrature_band_by_band():
    fraction = np.array([0.0, 0.1, 0.0, 0.0, 0.3])
    sources = weigh(FLUX, ERROR**-2.0, None, fraction)
    error = np.sqrt(ERROR**2 + (fraction * FLUX) ** 2)
    assert sources.weight**-0.5 * sources.unit[:, None] == pytest.approx(error)


def test_a_band_not_observed_weighs_nothing_and_a_limit_stands_aside():
    ivar = ERROR**-2.0
    ivar[0, 1] = 0.0
    limit = np.zeros(FLUX.shape, bool)
    limit[0, [1, 2]] = True
    sources = weigh(FLUX, ivar, limit, 0.1)
    assert sources.weight[0, 1] == 0
    assert sources.flux[0, 1] == 0
    assert sources.limit_err[0, 1] == 0
    assert sources.weight[0, 2] == 0
    assert sources.limit_err[0, 2] * sources.unit[0] == pytest.approx(ERROR[0, 2])
    assert not sources.limit_err[1:].any()


def test_inverse_mills_ratio_near_and_far():
    u = np.array([-30.0, -5.0, 0.0, 3.0, 30.0])
    expected = np.exp(norm.logpdf(u) - norm.logcdf(u))
    assert inverse_mills(u) == pytest.approx(expected, rel=1e-9, abs=1e-300)
    # r(u) = |u| + 1/|u| - 2/|u|^3 + … (Abramowitz & Stegun 26.2.12)
    far = np.array([-1e3, -1001.0, -1e5])
    assert inverse_mills(far) == pytest.approx(-far - 1 / far, rel=1e-8)


@pytest.mark.parametrize("level", [3.0, 0.5, 0.05, -0.4])
def test_scale_under_limits_minimises_the_whole_chi2(level):
    flux, error = np.array([1.0, 1.2, 0.8, level, level]), np.array([0.1, 0.1, 0.2, 0.05, 0.3])
    limit_err = np.array([0, 0, 0, *error[3:]])
    weight = np.where(limit_err > 0, 0, error**-2.0)
    models = RNG.lognormal(0, 0.3, (12, 5))
    s2 = (models**2) @ weight
    scale = (models @ (weight * flux)) / s2
    found = scale_under_limits(flux, limit_err, models, scale, s2)

    def whole(a, model):
        return float(((flux - a * model) ** 2) @ weight + limit_chi2(flux, limit_err, model[None], np.array([a]))[0])

    for k in range(12):
        best = minimize_scalar(whole, bracket=(0.5 * scale[k], scale[k]), args=(models[k],), tol=1e-12)
        assert found[k] == pytest.approx(best.x, abs=1e-5)
    assert np.all(found <= scale + 1e-12)
