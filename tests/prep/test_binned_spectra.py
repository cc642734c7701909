"""Spectra in bins: means and errors, what is left out, and what is added to errors."""

import numpy as np
import pytest

from galprism.data import Spectra
from galprism.data.spectrum_files.sdss import wave_of
from galprism.errors import RequestError
from galprism.prep.binned_spectra import AIRGLOW, MODEL_ERROR, binned
from galprism.prep.redshift_basis import BIN, BINS, FIRST, ClassBasis, RedshiftBasis, bin_wave

WAVE = wave_of(FIRST + np.arange(BINS * BIN))


def spectra(flux, ivar=None, wave=WAVE):
    flux = np.atleast_2d(np.asarray(flux, np.float32))
    return Spectra(flux, np.ones_like(flux) if ivar is None else ivar, wave)


def test_bins_are_means_over_the_level_and_their_errors_have_the_models_error():
    flux = 20.0 + 5.0 * np.sin(np.arange(len(WAVE)) / 300.0)
    found = binned(spectra(flux))
    away = (bin_wave() < AIRGLOW[0] - 20) | (bin_wave() > AIRGLOW[1] + 20)
    mean = flux.reshape(BINS, BIN).mean(axis=1)
    np.testing.assert_allclose((found.flux[0] * found.level[0])[away], mean[away], rtol=1e-5)
    error = found.level[0] / np.sqrt(found.weight[0][away])
    least = np.hypot(0.5, MODEL_ERROR * mean[away])
    assert np.all(error > 0.97 * least)
    assert np.median(error / least) < 1.05


def test_the_brightest_line_of_the_sky_and_spikes_have_no_part():
    flux = np.full(len(WAVE), 5.0)
    flux[::7] += 0.1
    hit = flux.copy()
    hit[2000] += 200.0
    hit[(AIRGLOW[0] < WAVE) & (AIRGLOW[1] > WAVE)] = 1e4
    clean, dirty = binned(spectra(flux)), binned(spectra(hit))
    np.testing.assert_allclose(dirty.flux[0] * dirty.level[0], clean.flux[0] * clean.level[0], rtol=0.02)


def test_a_line_as_wide_as_the_instrument_is_kept():
    line = 60.0 * np.exp(-0.5 * ((np.arange(len(WAVE)) - 2001.0) / 1.3) ** 2)
    found = binned(spectra(5.0 + line + 0.01 * np.sin(np.arange(len(WAVE)))))
    light = ((found.flux[0] * found.level[0] - 5.0) * BIN)[495:507].sum()
    assert light == pytest.approx(60.0 * 1.3 * np.sqrt(2 * np.pi), rel=0.03)


def test_what_says_nothing_is_not_there():
    flux = np.tile(5.0 + np.sin(np.arange(len(WAVE))), (3, 1)).astype(np.float32)
    ivar = np.ones_like(flux)
    ivar[0], flux[0] = 0, 0
    flux[1] = 3.0
    found = binned(spectra(flux, ivar))
    assert found.there.tolist() == [False, False, True]
    assert not found.weight[:2].any()
    assert len(binned(spectra(flux, ivar).take(slice(0, 0)))) == 0


def test_a_basis_goes_through_bytes_and_refuses_what_does_not_reach():
    first = FIRST - 300
    one = ClassBasis("galaxy", first, np.random.default_rng(0).random((3, BINS * BIN + 400), np.float32), (0.0, 0.05))
    basis = RedshiftBasis((one,), np.ones(BINS, np.float32))
    back = RedshiftBasis.from_bytes(basis.to_bytes())
    np.testing.assert_array_equal(back.of("galaxy").spectra, one.spectra)
    assert back.of("galaxy").shifts == (0, 211)
    np.testing.assert_allclose(one.binned()[:, 5], one.spectra[:, 5 : 5 + BIN].mean(axis=1), rtol=1e-5)
    with pytest.raises(RequestError, match="does not reach"):
        ClassBasis("galaxy", first, one.spectra, (0.0, 0.5))
    with pytest.raises(RequestError, match="accepted: star, qso, galaxy"):
        ClassBasis("comet", first, one.spectra, (0.0, 0.05))
    with pytest.raises(RequestError, match="no class 'star'"):
        basis.of("star")
