"""The basis of spectra and the posterior of its coefficients: the same answer another way, and planted truths."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from galprism import igm, passbands
from galprism.errors import RequestError
from galprism.passbands import Passband, abflux, line_abflux
from galprism.prep.basis import LSUN, Basis, fit_basis, flux_per_lsun, level, level_njy
from galprism.prep.linear import FEW_BANDS, TAU, ln_evidence, posterior
from galprism.wavegrid import LogGrid

BANDS = ("kids/u", "kids/r", "viking/Ks")
CURVES = [passbands.get(name) for name in BANDS]
GRID = LogGrid.covering(912.0, 26000.0, 0.002)
HALPHA = 6564.6


def spectra(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Smooth spectra with a break and a line, made of five parts: (n, W) and (n, 1)."""
    rng = np.random.default_rng(seed)
    x = np.log(GRID.wave / 5000.0)
    parts = np.stack([np.exp(slope * x) for slope in (-3.0, -1.5, 0.0)] + [1.0 / (1 + np.exp(-20 * (x + 0.22)))])
    weight = rng.lognormal(sigma=0.7, size=(n, 4))
    return (weight @ parts) * 1e-4, 10.0 * weight[:, :1]


@pytest.fixture(scope="module")
def basis() -> Basis:
    return fit_basis(GRID, spectra(800)[0], np.array([HALPHA]), spectra(800)[1], 5)


def one_spectrum(row: int) -> Basis:
    flux, line = spectra(10)
    scale = level(GRID, flux)[row]
    return Basis(GRID, (flux[[row]] / scale).astype(np.float32), np.array([HALPHA]), (line[[row]] / scale).astype("f4"))


@pytest.mark.parametrize("redshift", [0.05, 0.7123, 2.9])
def test_the_table_is_synthetic_photometry_of_the_redshifted_spectrum(redshift):
    made = one_spectrum(3)
    seen = made.table(BANDS, CURVES, 3.0).at(np.array([redshift]))[:, 0, 0]
    rest = np.geomspace(600.0, 25900.0, 40_000)
    light = np.interp(rest, GRID.wave, made.continuum[0]) * igm.transmission(rest, redshift) / (1 + redshift)
    wave, light = rest * (1 + redshift), np.where(rest >= GRID.edges[0], light, 0.0)
    for value, curve in zip(seen, CURVES, strict=True):
        expected = abflux(curve, wave, light) + line_abflux(curve, HALPHA * (1 + redshift), made.line[0, 0])
        assert value == pytest.approx(expected, rel=2e-3)


def test_the_level_is_what_a_band_sees_of_a_galaxy_of_scale_1():
    """A spectrum of even lambda L_lambda = 1 Lsun, in a band at 6500 A of its own frame."""
    flat = Basis(GRID, (1.0 / GRID.wave[None]).astype(np.float32), np.zeros(0), np.zeros((1, 0), np.float32))
    z = np.array([0.4, 1.0])
    bands = [passbands.get(f"tophat/{6500 * (1 + each):.0f}x200") for each in z]
    seen = flat.table(("a", "b"), bands, 1.1).at(z)[:, 0]
    np.testing.assert_allclose(np.diag(seen), level_njy(z), rtol=2e-3)


def test_a_lsun_at_ten_parsecs_is_what_it_is():
    """At 100 Mpc (z = 0.0233), by the inverse square law from the Sun's luminosity."""
    z = 0.0233
    assert flux_per_lsun(np.array([z]))[0] == pytest.approx(LSUN / (4 * np.pi * (101.6 * 3.0857e24) ** 2), rel=5e-3)


def test_a_basis_holds_the_spectra_that_it_was_made_of(basis):
    """Four parts and five coefficients: nothing is left over, whatever the galaxy."""
    flux, line = spectra(50, seed=7)
    whole = np.concatenate([flux / level(GRID, flux)[:, None], 1e-4 * line / level(GRID, flux)[:, None]], axis=1)
    rows = np.concatenate([basis.continuum, 1e-4 * basis.line], axis=1).astype(float)
    weight = 1.0 / whole.mean(axis=0)
    fitted = np.linalg.lstsq((rows * weight).T, (whole * weight).T, rcond=None)[0]
    assert np.max(np.abs(fitted.T @ rows / whole - 1)) < 2e-3


def test_over_the_population_coefficients_have_mean_0_and_covariance_1(basis):
    flux, line = spectra(800)
    scale = level(GRID, flux)[:, None]
    whole = np.concatenate([flux / scale, 1e-4 * line / scale], axis=1)
    rows = np.concatenate([basis.continuum, 1e-4 * basis.line], axis=1).astype(float)
    weight = 1.0 / whole.mean(axis=0)
    u = np.linalg.lstsq((rows[1:4] * weight).T, ((whole - rows[0]) * weight).T, rcond=None)[0]
    np.testing.assert_allclose(u.mean(axis=1), 0.0, atol=0.1)
    np.testing.assert_allclose(u.std(axis=1), 1.0, atol=0.15)


def test_bytes_are_the_basis(basis):
    again = Basis.from_bytes(basis.to_bytes())
    assert again.hash == basis.hash
    np.testing.assert_array_equal(again.table(BANDS, CURVES, 1.0).values, basis.table(BANDS, CURVES, 1.0).values)


def test_bands_beyond_the_spectra(basis):
    wave = np.linspace(30000.0, 32000.0, 50)
    far = Passband.from_arrays("far", wave, np.interp(wave, [30000, 30500, 31500, 32000], [0, 1, 1, 0]))
    table = basis.table(["far"], [far], 1.0)
    assert np.isnan(table.at(np.array([0.1]))).all()
    assert np.isfinite(table.at(np.array([0.5]))).all()
    with pytest.raises(RequestError, match=r"band far .* sees rest-frame light beyond .* up to z = 0\.1"):
        basis.table(["far"], [far], 0.1)


def problem(n: int, b: int, d: int):
    rng = np.random.default_rng(4)
    seen = 0.15 * rng.standard_normal((b, d, n))
    seen[:, 0] = rng.uniform(0.5, 2.0, (b, n))
    u = rng.standard_normal((d - 1, n))
    true = seen[:, 0] + np.einsum("bkn,kn->bn", seen[:, 1:], u)
    sigma = 0.05 * np.exp(rng.standard_normal((b, n)))
    flux = 1e3 * (true + sigma * rng.standard_normal((b, n)))
    return seen, flux, (1e3 * sigma) ** -2.0, u


def square(found) -> np.ndarray:
    """(D, D, N), the covariance of a posterior."""
    d, n = found.mean.shape
    full = np.empty((d, d, n))
    i, j = np.triu_indices(d, 1)
    full[i, j] = full[j, i] = found.covariance
    full[range(d), range(d)] = found.variance
    return full


@pytest.mark.parametrize("n_bands", [7, FEW_BANDS, FEW_BANDS + 1, 40])
def test_the_posterior_is_that_of_linear_algebra(n_bands):
    seen, flux, ivar, _ = problem(300, n_bands, 5)
    ivar[2, ::3] = 0.0
    found = posterior(seen, flux, ivar, 0.007)
    for n in range(0, 300, 17):
        s, used = found.scale[n], ivar[:, n] > 0
        a, y = seen[used, :, n].copy(), flux[used, n] / s
        miss = y - a[:, 0]
        a[:, 0] *= TAU
        noise = np.diag(1.0 / (ivar[used, n] * s**2) + (0.007 * y) ** 2)
        covariance = np.linalg.inv(np.eye(5) + a.T @ np.linalg.inv(noise) @ a)
        np.testing.assert_allclose(square(found)[:, :, n], covariance, atol=1e-9)
        np.testing.assert_allclose(found.mean[:, n], covariance @ a.T @ np.linalg.inv(noise) @ miss, atol=1e-8)
        chi2 = miss @ np.linalg.inv(a @ a.T + noise) @ miss
        assert found.chi2[n] == pytest.approx(chi2, rel=1e-6)
        assert found.n_bands[n] == used.sum()


@pytest.mark.parametrize("n_bands", [7, 40])
def test_a_band_is_held_against_what_the_others_say_of_it(n_bands):
    seen, flux, ivar, _ = problem(200, n_bands, 5)
    ivar[2, ::3] = 0.0
    found = posterior(seen, flux, ivar, 0.007, pulls=True)
    for n in range(0, 200, 23):
        pulls = []
        for band in np.flatnonzero(ivar[:, n] > 0):
            rest = ivar[:, [n]].copy()
            rest[band] = 0.0
            s, used = found.scale[n], rest[:, 0] > 0
            a, y = seen[used, :, n].copy(), flux[used, n] / s
            noise = np.diag(1.0 / (ivar[used, n] * s**2) + (0.007 * y) ** 2)
            h, value = seen[band, :, n], flux[band, n] / s
            covariance = np.linalg.inv(np.eye(5) + a.T @ np.linalg.inv(noise) @ a)
            mean = covariance @ a.T @ np.linalg.inv(noise) @ (y - a[:, 0])
            error = 1.0 / (ivar[band, n] * s**2) + (0.007 * value) ** 2 + h @ covariance @ h
            pulls.append(abs(value - h[0] - h @ mean) / np.sqrt(error))
        assert found.max_pull[n] == pytest.approx(max(pulls), rel=1e-6)


def test_planted_coefficients_are_within_their_errors():
    seen, flux, ivar, u = problem(4000, 12, 5)
    found = posterior(seen, flux, ivar, 0.0)
    scale = found.scale * (1 + TAU * found.mean[0])
    assert np.std(scale / 1e3) < 0.15
    pull = (found.mean[1:] - u * 1e3 / found.scale) / np.sqrt(found.variance[1:])
    assert np.median(np.abs(pull)) == pytest.approx(0.674, abs=0.07)


def test_a_band_that_was_not_observed_might_as_well_not_exist():
    seen, flux, ivar, _ = problem(50, 6, 4)
    ivar[4] = 0.0
    flux[4], seen[4] = 1e9, np.nan
    kept = [0, 1, 2, 3, 5]
    with_it, without = posterior(seen, flux, ivar, 0.01), posterior(seen[kept], flux[kept], ivar[kept], 0.01)
    np.testing.assert_array_equal(with_it.mean, without.mean)
    np.testing.assert_array_equal(with_it.chi2, without.chi2)


@pytest.mark.parametrize("n_bands", [22, 23, 40])
def test_many_bands_and_few_have_the_same_evidence(n_bands):
    """By fluxes, by coefficients, and band after band."""
    seen, flux, ivar, _ = problem(50, n_bands, 8)
    ivar[3, ::4] = 0.0
    ivar[:, 49] = 0.0
    same = np.repeat(seen[:, :, :1], 50, axis=2)
    expected = posterior(same, flux, ivar, 0.007, np.full(50, 0.02), evidence=True).ln_evidence
    found = ln_evidence(seen[:, :, 0], flux, ivar, 0.007, 0.02)
    np.testing.assert_allclose(found[:49], expected[:49], rtol=1e-6)
    assert found[49] == -np.inf


def test_the_evidence_is_that_of_linear_algebra():
    """Fluxes are Gaussian under the prior: their joint density, two ways and by SciPy."""
    seen, flux, ivar, _ = problem(60, 7, 5)
    ivar[2, ::3] = 0.0
    ivar[:, 59] = 0.0
    same = np.repeat(seen[:, :, :1], 60, axis=2)
    floor = np.full(60, 0.02)
    found = posterior(same, flux, ivar, 0.007, floor, evidence=True)
    np.testing.assert_allclose(ln_evidence(seen[:, :, 0], flux, ivar, 0.007, 0.02)[:59], found.ln_evidence[:59])
    assert ln_evidence(seen[:, :, 0], flux, ivar, 0.007, 0.02)[59] == -np.inf
    for n in range(0, 59, 7):
        s, used = found.scale[n], ivar[:, n] > 0
        value = flux[used, n] / s
        a = seen[used, :, 0] * np.array([TAU, 1, 1, 1, 1])
        noise = 1 / (ivar[used, n] * s * s) + 0.007**2 * (value**2 + 0.02**2)
        density = multivariate_normal(s * seen[used, 0, 0], s * s * (a @ a.T + np.diag(noise))).logpdf(flux[used, n])
        per_error = density - 0.5 * np.log(ivar[used, n]).sum() + 0.5 * used.sum() * np.log(2 * np.pi)
        assert found.ln_evidence[n] == pytest.approx(per_error, rel=1e-6)
