"""How far fluxes are from what parameters say: p-values that are even where all is as said, in any regime of noise."""

import numpy as np
import pytest
from scipy.stats import binomtest, chi2, kstest

from galprism.infer.discrepancy import tail_probability


def gaussian_world(n, scatter, error, seed):
    """(flux, variance, ln_flux, covariance): galaxies that differ by `scatter` in ln flux, in a common and in a second
    way, seen with errors of `error` of the mean flux; one draw each, at the truth."""
    rng = np.random.default_rng(seed)
    ways = scatter * np.array([[1.0, 1.0, 1.0, 1.0, 1.0], [-1.0, -0.5, 0.0, 0.5, 1.0]])
    mean = np.log(1000.0) + np.array([-1.0, -0.4, 0.0, 0.3, 0.5])
    true = np.exp(mean + rng.standard_normal((n, 2)) @ ways)
    variance = np.broadcast_to((error * np.exp(mean)) ** 2, true.shape)
    flux = true + np.sqrt(variance) * rng.standard_normal(true.shape)
    covariance = ways.T @ ways + 1e-6 * np.eye(5)
    return flux, variance, np.broadcast_to(mean, (n, 1, 5)), np.broadcast_to(covariance, (n, 5, 5))


class TestTailProbability:
    def test_without_anything_left_open_it_is_that_of_chi2(self):
        flux, variance, ln_flux, covariance = gaussian_world(50, 0.0, 0.1, seed=1)
        p = tail_probability(flux, variance, ln_flux, np.zeros_like(covariance))
        exact = chi2.sf(((flux - np.exp(ln_flux[:, 0])) ** 2 / variance).sum(axis=1), 5)
        np.testing.assert_allclose(p, exact, rtol=1e-6)

    def test_over_draws_it_is_averaged(self):
        flux, variance, ln_flux, covariance = gaussian_world(50, 0.0, 0.1, seed=2)
        shifts = np.array([-0.1, 0.0, 0.2])
        draws = ln_flux + shifts[:, None]
        p = tail_probability(flux, variance, draws, np.zeros_like(covariance))
        each = [chi2.sf(((flux - np.exp(draws[:, k])) ** 2 / variance).sum(axis=1), 5) for k in range(3)]
        np.testing.assert_allclose(p, np.mean(each, axis=0), rtol=1e-6)

    def test_with_all_left_open_it_is_that_of_the_logarithms(self):
        flux, variance, ln_flux, _ = gaussian_world(50, 0.4, 1e-6, seed=3)
        covariance = np.broadcast_to(0.09 * np.eye(5), (50, 5, 5))
        p = tail_probability(flux, variance, ln_flux, covariance)
        exact = chi2.sf(((np.log(flux) - ln_flux[:, 0]) ** 2).sum(axis=1) / 0.09, 5)
        np.testing.assert_allclose(p, exact, rtol=1e-3)

    @pytest.mark.parametrize(("scatter", "error"), [(0.3, 0.01), (0.3, 0.1), (0.1, 0.1), (0.05, 0.7), (0.6, 0.03)])
    def test_it_is_even_for_galaxies_that_are_as_said(self, scatter, error):
        """Whether noise or what is left open counts for more, or both do."""
        p = tail_probability(*gaussian_world(3000, scatter, error, seed=4))
        assert kstest(p, "uniform").statistic < 0.06
        assert binomtest(int((p < 0.01).sum()), len(p), 0.02, alternative="greater").pvalue > 1e-3

    def test_one_band_that_is_off_is_seen_though_all_may_move_together(self):
        flux, variance, ln_flux, covariance = gaussian_world(500, 0.3, 0.01, seed=5)
        flux[:, 3] *= 1.15
        assert np.mean(tail_probability(flux, variance, ln_flux, covariance) < 0.01) > 0.95

    def test_a_flux_far_below_zero_is_not_excused_by_what_is_left_open(self):
        """However dark a galaxy may be, noise alone does not go 12 errors below nothing; 1 error is no wonder."""
        flux, variance, ln_flux, covariance = gaussian_world(300, 0.6, 0.1, seed=9)
        alone = np.where(np.arange(5) == 0, variance, np.inf)

        def caught(errors):
            dark = np.where(np.arange(5) == 0, errors * np.sqrt(variance), flux)
            return np.mean(tail_probability(dark, alone, ln_flux, covariance) < 0.01)

        assert caught(-12.0) > 0.95
        assert caught(-1e8) > 0.95
        assert caught(-1.0) < 0.2

    def test_a_band_without_a_part_is_as_if_it_were_not_there(self):
        flux, variance, ln_flux, covariance = gaussian_world(40, 0.3, 0.1, seed=6)
        without = variance.copy()
        without[:, 1] = np.inf
        kept = [0, 2, 3, 4]
        fewer = tail_probability(flux[:, kept], variance[:, kept], ln_flux[:, :, kept], covariance[:, kept][:, :, kept])
        np.testing.assert_allclose(tail_probability(flux, without, ln_flux, covariance), fewer, rtol=1e-9)

    @pytest.mark.parametrize("factor", [1e-3, 7.0, 1e5])
    def test_the_unit_of_flux_does_not_matter(self, factor):
        flux, variance, ln_flux, covariance = gaussian_world(100, 0.3, 0.1, seed=7)
        one = tail_probability(flux, variance, ln_flux, covariance)
        other = tail_probability(flux * factor, variance * factor**2, ln_flux + np.log(factor), covariance)
        np.testing.assert_allclose(other, one, rtol=1e-6)

    def test_a_free_scale_says_nothing(self):
        """Any shift of all ln fluxes gives the same, and honest galaxies are even with one degree of freedom less."""
        flux, variance, ln_flux, covariance = gaussian_world(3000, 0.1, 0.05, seed=8)
        p = tail_probability(flux, variance, ln_flux, covariance, free=True)
        far = tail_probability(flux, variance, ln_flux + 4.0, covariance, free=True)
        np.testing.assert_allclose(far, p, atol=1e-6)
        assert kstest(p, "uniform").statistic < 0.06
        assert np.median(tail_probability(flux, variance, ln_flux + 4.0, covariance)) < 1e-6
