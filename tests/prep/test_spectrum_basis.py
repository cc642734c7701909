"""Spectra as coefficients of a basis: planted ones are found, with the errors that they have."""

import numpy as np
import pytest

from galprism.data import Spectra
from galprism.data.resampling import resample
from galprism.data.spectrum_files.sdss import DEX_PER_PIXEL as STEP
from galprism.data.spectrum_files.sdss import wave_of
from galprism.errors import RequestError
from galprism.prep.spectrum_basis import SpectrumBasis

FIRST, PIXELS, SIZE = 35_500, 3000, 4


def population(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Spectra (n, W) of a smooth mean, slopes, a break and two lines, and the numbers that they are made of."""
    x = np.linspace(-1.0, 1.0, PIXELS)
    shapes = np.stack([x, x**2 - 1 / 3, np.tanh(20 * (x + 0.5)), np.exp(-0.5 * ((x - 0.2) / 0.004) ** 2)])
    numbers = rng.standard_normal((n, SIZE)) * np.array([0.2, 0.1, 0.05, 0.3])
    return (1.0 + numbers @ shapes) * np.exp(rng.normal(0, 1, (n, 1))), numbers


@pytest.fixture(scope="module")
def basis() -> SpectrumBasis:
    flux, _ = population(500, np.random.default_rng(0))
    return SpectrumBasis.fit(FIRST, flux, SIZE)


def observed(basis: SpectrumBasis, coefficients: np.ndarray, z: np.ndarray, sigma: float, rng, level=3.0) -> Spectra:
    """Galaxies of the basis as observed in the pixels from 3800 to 6900 Angstrom."""
    first, n = 35_800, 2600
    flux = np.zeros((len(z), n))
    ivar = np.zeros((len(z), n))
    at_rest = level * (basis.spectra[0] + coefficients @ basis.spectra[1:])
    for row, shift in enumerate(np.rint(np.log10(1 + z) / STEP).astype(int)):
        own = first - shift - FIRST + np.arange(n)
        inside = (own >= 0) & (own < PIXELS)
        flux[row, inside] = at_rest[row, own[inside]]
        ivar[row, inside] = sigma**-2.0
    flux += np.where(ivar > 0, rng.normal(0, sigma, flux.shape), 0)
    return Spectra(flux.astype(np.float32), ivar.astype(np.float32), 10 ** (STEP * (first + np.arange(n))))


def test_the_basis_holds_its_population(basis):
    flux, _ = population(200, np.random.default_rng(1))
    relative = flux / flux.mean(axis=1, keepdims=True)
    off = relative - basis.spectra[0]
    added = basis.spectra[1:].astype(float)
    left = off - (off @ np.linalg.pinv(added)) @ added
    assert np.abs(left).max() < 1e-3  # four shapes, four coefficients
    spread = (off @ np.linalg.pinv(added)).std(axis=0)
    np.testing.assert_allclose(spread, 1.0, atol=0.25)  # by construction, to the samples' noise


def test_planted_coefficients_are_found_with_their_errors(basis):
    rng = np.random.default_rng(2)
    truth, z = rng.standard_normal((400, SIZE)), rng.uniform(0.01, 0.3, 400)
    found = basis.encode(observed(basis, truth, z, 0.3, rng), z, 0.0)
    assert found.there.all()
    pull = (found.mean - truth) / np.exp(found.ln_err)
    np.testing.assert_allclose(pull.std(axis=0), 1.0, atol=0.12)
    assert np.abs(pull.mean(axis=0)).max() < 0.2
    np.testing.assert_allclose(found.ln_level, np.log(3.0), atol=0.02)
    assert np.median(found.ln_chi2) == pytest.approx(0.0, abs=0.02)


def test_noise_that_says_nothing_leaves_the_prior(basis):
    rng = np.random.default_rng(3)
    truth, z = rng.standard_normal((50, SIZE)), np.full(50, 0.1)
    found = basis.encode(observed(basis, truth, z, 300.0, rng, level=50.0), z, 0.0)
    np.testing.assert_allclose(np.exp(found.ln_err[found.there]), 1.0, rtol=0.6)


def test_the_level_does_not_change_the_coefficients(basis):
    rng = np.random.default_rng(4)
    truth, z = rng.standard_normal((20, SIZE)), rng.uniform(0.01, 0.3, 20)
    seen = observed(basis, truth, z, 0.1, rng)
    other = Spectra(seen.flux * 100, seen.ivar * np.float32(1e-4), seen.wave)
    one, two = basis.encode(seen, z, 0.01), basis.encode(other, z, 0.01)
    np.testing.assert_allclose(two.mean, one.mean, atol=2e-4)
    np.testing.assert_allclose(two.ln_level - one.ln_level, np.log(100), atol=1e-4)


def test_masked_pixels_have_no_say(basis):
    rng = np.random.default_rng(5)
    truth, z = rng.standard_normal((5, SIZE)), np.full(5, 0.05)
    seen = observed(basis, truth, z, 0.1, rng)
    gone = np.zeros(seen.flux.shape, bool)
    gone[:, 700:900] = True
    ivar = np.where(gone, 0, seen.ivar).astype(np.float32)
    less = Spectra(np.where(gone, 0, seen.flux).astype(np.float32), ivar, seen.wave)
    one, two = basis.encode(seen, z, 0.0), basis.encode(less, z, 0.0)
    assert np.all(two.share < one.share)
    assert np.all(two.ln_err >= one.ln_err - 1e-6)
    assert np.abs((two.mean - truth) / np.exp(two.ln_err)).max() < 5


def test_other_pixels_are_resampled(basis):
    rng = np.random.default_rng(6)
    truth, z = rng.standard_normal((4, SIZE)), np.full(4, 0.1)
    seen = observed(basis, truth, z, 1e-3, rng)
    even = resample(seen, np.arange(4000.0, 6500.0, 1.0))
    found = basis.encode(even, z, 0.0)
    np.testing.assert_allclose(found.mean, basis.encode(seen, z, 0.0).mean, atol=0.05)


@pytest.mark.parametrize("z", [np.nan, 5.0, -0.5])
def test_spectra_that_are_not_within_the_basis_are_not_there(basis, z):
    rng = np.random.default_rng(7)
    seen = observed(basis, rng.standard_normal((2, SIZE)), np.full(2, 0.1), 0.1, rng)
    found = basis.encode(seen, np.array([0.1, z]), 0.0)
    assert found.there.tolist() == [True, False]
    assert np.all(np.isfinite(found.mean))
    assert np.all(found.mean[1] == 0)


def test_no_light_and_no_data_are_not_there(basis):
    wave = 10 ** (STEP * (35_800 + np.arange(2600)))
    flux, ivar = np.zeros((2, 2600), np.float32), np.zeros((2, 2600), np.float32)
    flux[0], ivar[0] = -1.0, 1.0
    assert not basis.encode(Spectra(flux, ivar, wave), np.array([0.1, 0.1]), 0.01).there.any()


def test_bytes_and_back(basis):
    again = SpectrumBasis.from_bytes(basis.to_bytes())
    assert again.first == basis.first
    assert np.array_equal(again.spectra, basis.spectra)


def test_too_few_spectra_are_refused():
    with pytest.raises(RequestError, match="10 coefficients from 5 spectra"):
        SpectrumBasis.fit(FIRST, np.ones((5, 100)), 10)


def test_the_share_that_is_within_is_what_whole_spectra_have(basis):
    """Of spectra without gaps, the very share that is found there; of those that reach nowhere, none."""
    wave = wave_of(np.arange(35900, 36900))
    z = np.array([0.0, 0.05, 0.3, 5.0, np.nan])
    spectra = Spectra(np.ones((5, len(wave)), "f4"), np.ones((5, len(wave)), "f4"), wave)
    found = basis.encode(spectra, z, 0.0)
    whole = basis.within(wave[0], wave[-1], z)
    np.testing.assert_allclose(whole[found.there], found.share[found.there])
    assert found.there.any()
    assert whole[3] == 0
    assert np.isnan(whole[4])
