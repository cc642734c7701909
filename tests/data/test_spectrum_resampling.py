import sys
import tracemalloc

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import InverseVariance
from specutils import Spectrum
from specutils.manipulation import FluxConservingResampler

from galprism.data import Spectra
from galprism.data.resampling import resample
from galprism.errors import RequestError

OLD = 10 ** (3.6 + 1e-4 * np.arange(1500))
RNG = np.random.default_rng(5)
NEW = np.arange(4100.0, 5500.0)


def made(flux, ivar=None, **other) -> Spectra:
    flux = np.atleast_2d(np.asarray(flux, np.float64))
    ivar = np.ones(flux.shape) if ivar is None else np.atleast_2d(ivar)
    return Spectra(np.where(ivar > 0, flux, 0.0), ivar, OLD, **other)


def lines(wave):
    return 5 + sum(20 * np.exp(-(((wave - at) / 4.0) ** 2) / 2) for at in (4363.0, 4861.0, 5007.0))


@pytest.mark.parametrize("step", [0.3, 1.0, 3.7], ids=["finer", "as-it-is", "coarser"])
def test_the_integral_is_conserved(step):
    spectra = made(lines(OLD)[None] + RNG.normal(0, 1, (3, len(OLD))))
    found = resample(spectra, np.arange(3900.0, 5800.0, step))
    before = (spectra.flux * np.diff(spectra.edges)).sum(axis=1)
    after = (found.flux * np.diff(found.edges)).sum(axis=1)
    kept = np.ptp(found.edges[:-1][found.observed[0]]) + step  # whole new pixels, up to half a one off at each end
    assert kept == pytest.approx(np.ptp(spectra.edges), abs=step)
    np.testing.assert_allclose(after, before, atol=0.51 * step * 2 * 8)


def test_a_constant_stays_one():
    found = resample(made(np.full(len(OLD), 2.5)), NEW)
    np.testing.assert_allclose(found.flux, 2.5, rtol=1e-12)
    found = resample(made(np.full(len(OLD), 2.5), np.where(np.arange(len(OLD)) % 7 < 3, 0.0, 1.0)), NEW)
    np.testing.assert_allclose(found.flux[found.observed], 2.5, rtol=1e-12)


def test_the_same_wavelengths_give_the_same_spectrum():
    ivar = RNG.uniform(1, 3, len(OLD))
    ivar[40:50] = 0
    spectra = made(lines(OLD), ivar)
    again = resample(spectra, OLD)
    np.testing.assert_allclose(again.flux, spectra.flux, rtol=1e-10)
    np.testing.assert_allclose(again.ivar, spectra.ivar, rtol=1e-9)


def test_merged_noise_keeps_its_chi2():
    """Four equal pixels into one: variances average, and pulls stay of unit width; so do sums over all."""
    sigma = RNG.uniform(0.5, 2.0, len(OLD))
    spectra = made(RNG.normal(0, sigma, (200, len(OLD))), np.tile(sigma**-2, (200, 1)))
    merged = OLD[: len(OLD) // 4 * 4].reshape(-1, 4).mean(axis=1)[1:-1]
    found = resample(spectra, merged)
    chi2 = (found.flux**2 * found.ivar).mean()
    assert chi2 == pytest.approx(1, abs=4 * np.sqrt(2 / found.flux.size))
    np.testing.assert_allclose(found.ivar[0], 16 / (sigma[4:-4].reshape(-1, 4) ** 2).sum(axis=1), rtol=0.02)


def test_as_specutils_has_it():
    ivar = RNG.uniform(1, 3, len(OLD))
    spectra = made(lines(OLD) + RNG.normal(0, 1, len(OLD)), ivar)
    found = resample(spectra, NEW)
    theirs = FluxConservingResampler()(
        Spectrum(
            spectral_axis=OLD * u.AA, flux=spectra.flux[0] * u.Unit("erg/(s cm2 AA)"), uncertainty=InverseVariance(ivar)
        ),
        NEW * u.AA,
    )
    np.testing.assert_allclose(found.flux[0], theirs.flux.value, rtol=1e-10)
    np.testing.assert_allclose(found.ivar[0], theirs.uncertainty.represent_as(InverseVariance).array, rtol=1e-10)


class TestWithoutData:
    wave = 4000.0 + 4.0 * np.arange(30)

    def of(self, there):
        """Old pixels of 1 Angstrom, of which `there` have data, in new ones of 4."""
        old = np.arange(3995.0, 4125.0)
        ivar = np.where(there(old), 2.0, 0.0)[None]
        return resample(Spectra(np.where(ivar > 0, 3.0, 0.0), ivar, old), self.wave)

    def test_half_is_enough_and_less_is_not(self):
        # the pixel at 4040 is 4038 to 4042: old pixels 4038 (half of it), 4039, 4040, 4041 and half of 4042
        half = self.of(lambda old: (old < 4040.6) | (old > 4050))
        assert half.observed[0, 10]  # two and a half of four
        less = self.of(lambda old: (old < 4039.6) | (old > 4050))
        assert not less.observed[0, 10]  # one and a half
        assert less.flux[0, 10] == 0

    def test_what_is_there_alone_counts(self):
        found = self.of(lambda old: (old < 4040.6) | (old > 4050))
        np.testing.assert_allclose(found.flux[found.observed], 3.0, rtol=1e-12)
        # two and a half Angstrom of independent pixels of ivar 2: variance (0.5^2 + 1 + 1) / 2 / 2.5^2
        assert found.ivar[0, 10] == pytest.approx(2 * 2.5**2 / 2.25)

    def test_beyond_the_old_ones(self):
        found = resample(made(np.ones(len(OLD))), np.arange(3000.0, 7000.0, 5.0))
        inside = (found.wave > OLD[0]) & (found.wave < OLD[-1])
        np.testing.assert_array_equal(found.observed[0], inside)
        assert not found.flux[:, ~inside].any()

    def test_all_of_it(self):
        found = resample(made(np.zeros(len(OLD)), np.zeros(len(OLD))), NEW)
        assert not found.observed.any()


def test_the_lsf_goes_with_it():
    sigma = np.linspace(1, 2, len(OLD))
    found = resample(made(np.ones((2, len(OLD))), np.ones((2, len(OLD))), lsf_sigma=sigma), NEW)
    assert found.lsf_sigma.shape == NEW.shape
    np.testing.assert_allclose(found.lsf_sigma, np.interp(NEW, OLD, sigma), rtol=1e-3)
    sigma = np.tile(sigma, (2, 1))
    sigma[1, 500:] = np.nan
    found = resample(made(np.ones((2, len(OLD))), np.ones((2, len(OLD))), lsf_sigma=sigma), NEW)
    assert np.isfinite(found.lsf_sigma[0]).all()
    np.testing.assert_array_equal(np.isfinite(found.lsf_sigma[1]), found.wave < OLD[500] - 0.4)


def test_types_and_refusals(monkeypatch):
    found = resample(Spectra(np.ones((1, 3), "f4"), np.ones((1, 3), "f4"), np.array([1.0, 2.0, 3.0])), np.array([1, 2]))
    assert found.flux.dtype == found.ivar.dtype == np.float32
    with pytest.raises(RequestError, match="resample: wave does not ascend"):
        resample(made(np.ones(len(OLD))), NEW[::-1])
    monkeypatch.setitem(sys.modules, "spectres", None)
    with pytest.raises(RequestError, match=r"spectres is not installed; pip install galprism\[spectra\]"):
        resample(made(np.ones(len(OLD))), NEW)


@pytest.mark.parametrize("wave", [np.linspace(3.55, 4.01, 100), np.linspace(3e8, 3.0001e8, 100)])
def test_pixels_that_lie_elsewhere_cost_no_more_than_others(wave):
    """What lies between them and the new ones is not filled with pixels as fine."""
    spectra = Spectra(np.ones((1, 100)), np.ones((1, 100)), wave)
    tracemalloc.start()
    found = resample(spectra, NEW)
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not found.observed.any()
    assert used < 50 * 8 * len(NEW)
