"""The door to pPXF, with a stand-in for it whose answer is known."""

import sys
import types
from dataclasses import replace

import numpy as np
import pytest

from galprism.errors import RequestError
from galprism.fit.full_spectrum import FullSpectrumConfig, fit_full_spectrum
from galprism.fit.kinematics import Movable
from galprism.fit.ppxf_fit import fit_ppxf
from galprism.flags import Flag
from spectrum_toys import AGE, MIXED, TEMPLATES, WAVE, Z_MET, galaxy, sources

PIXEL = 299792.458 * 1e-4 * np.log(10)
CONFIG = FullSpectrumConfig(multiplicative=2, regularisation=0.5, n_realisations=0)
VELOCITY, DISPERSION = 60.0, 130.0


@pytest.fixture
def calls(monkeypatch):
    """pPXF as far as we call it: it finds MIXED at VELOCITY and DISPERSION whatever it is given, which is kept."""
    made = []

    class Fit:
        def __init__(self, templates, flux, noise, velscale, start, **options):
            made.append(
                {"templates": templates, "flux": flux, "noise": noise, "velscale": velscale, "start": start, **options}
            )
            self.weights = MIXED.ravel().copy()
            self.sol = np.array([VELOCITY, DISPERSION])
            self.mpolyweights = np.zeros(options["mdegree"]) if options["mdegree"] else None
            stars = Movable.of((templates.reshape(len(templates), -1) @ self.weights)[None])
            moved = stars.at((options["vsyst"] + VELOCITY) / velscale, DISPERSION / velscale)[0, : len(flux)]
            self.bestfit = moved * np.median(flux) / np.median(moved)

    package, module = types.ModuleType("ppxf"), types.ModuleType("ppxf.ppxf")
    package.__version__, module.ppxf = "9.9.9", Fit
    monkeypatch.setitem(sys.modules, "ppxf", package)
    monkeypatch.setitem(sys.modules, "ppxf.ppxf", module)
    return made


def test_weights_become_means_as_our_own_do(calls):
    given = sources(galaxy(MIXED, velocity=VELOCITY, dispersion=DISPERSION))
    config = replace(CONFIG, regularisation=0.0)
    found, own = fit_ppxf(given, TEMPLATES, config), fit_full_spectrum(given, TEMPLATES, config)
    predictions = found.predictions
    assert predictions.meta["method"] == "pPXF 9.9.9"
    assert predictions.column("log_age_lw")[0] == pytest.approx(9 + np.log10(0.3 * 1 + 0.7 * 8))
    assert predictions.extra["mean_logzsol_lw"][0] == pytest.approx(0.3 * -0.8)
    assert predictions.extra["velocity"][0] == pytest.approx(VELOCITY)
    assert predictions.extra["dispersion"][0] == pytest.approx(DISPERSION)
    np.testing.assert_allclose(found.light[0], MIXED)
    assert predictions.names == own.predictions.names
    assert list(predictions.extra) == list(own.predictions.extra)
    np.testing.assert_allclose(predictions.point, own.predictions.point, atol=0.02)
    np.testing.assert_array_equal(found.wave, own.wave)


def test_what_it_is_given_is_of_the_galaxy_and_in_place(calls):
    used = np.ones(len(WAVE), bool)
    used[1000:1100] = False
    given = sources(galaxy(MIXED, velocity=VELOCITY, dispersion=DISPERSION), snr=200, used=used)
    found = fit_ppxf(given, TEMPLATES, CONFIG)
    call = calls[-1]
    assert call["templates"].shape[1:] == (len(Z_MET), len(AGE))
    assert call["reg_dim"] == (len(Z_MET), len(AGE))
    assert (call["regul"], call["mdegree"], call["degree"], call["moments"]) == (0.5, 2, -1, 2)
    assert call["velscale"] == pytest.approx(PIXEL, rel=1e-6)
    n = len(call["flux"])
    assert len(call["noise"]) == len(call["mask"]) == n
    assert len(call["templates"]) > n
    assert np.all(call["noise"] > 0)
    there = np.isfinite(found.model[0])
    np.testing.assert_array_equal(call["mask"], found.used[0, there])
    assert not found.used[0, 1000:1100].any()
    unit = np.median(given.spectra.flux[0, there & found.used[0]])
    np.testing.assert_allclose(call["noise"][call["mask"]], 1 / 200 / unit, rtol=0.02)
    # its own shift by vsyst and the velocity puts the templates' lines on the galaxy's: a pixel off is 3 % and more
    off = found.model[0, found.used[0]] / given.spectra.flux[0, found.used[0]] - 1
    assert np.std(off) < 0.004


def test_the_mask_and_the_clipping_are_our_own(calls):
    flux = galaxy(MIXED, velocity=VELOCITY, dispersion=DISPERSION)
    flux[1500] *= 1.5
    given = sources(flux)
    found = fit_ppxf(given, TEMPLATES, CONFIG)
    assert calls[0]["mask"].sum() > calls[-1]["mask"].sum()
    assert not found.used[0, 1500]
    assert not found.used[0, np.argmin(np.abs(WAVE / 1.05 - 4862.7))]


def test_realisations_are_of_the_model_or_of_the_spectrum(calls):
    given = sources(galaxy(MIXED, velocity=VELOCITY, dispersion=DISPERSION), snr=20, noise_seed=1)
    for of in ("model", "observed"):
        calls.clear()
        found = fit_ppxf(given, TEMPLATES, replace(CONFIG, n_realisations=4, realisations_of=of))
        first, drawn = calls[-5], calls[-4:]
        there = np.isfinite(found.model[0])
        unit = np.mean(first["flux"] / given.spectra.flux[0, there])
        base = first["flux"] if of == "observed" else found.model[0, there] * unit
        for call in drawn:
            pull = ((call["flux"] - base) / call["noise"])[call["mask"]]
            assert np.std(pull) == pytest.approx(1, abs=0.05)
            np.testing.assert_array_equal(call["flux"][~call["mask"]].round(4), base[~call["mask"]].round(4))
        assert not np.array_equal(drawn[0]["flux"], drawn[1]["flux"])
        assert found.predictions.extra["velocity_std"][0] == pytest.approx(0, abs=1e-9)  # the stand-in says one thing


def test_rows_that_cannot_be_fitted_never_reach_it(calls):
    used = np.zeros((2, len(WAVE)), bool)
    used[0] = True
    given = sources(np.stack([galaxy(MIXED)] * 2), used=used, redshift=[np.nan, 0.05])
    flags = fit_ppxf(given, TEMPLATES, CONFIG).predictions.flags
    assert flags.tolist() == [Flag.REDSHIFT_MISSING | Flag.NOT_INFERRED, Flag.SPECTRUM_MISSING | Flag.NOT_INFERRED]
    assert not calls


def test_reddening_is_refused(calls):
    with pytest.raises(RequestError, match="reddening = True with pPXF"):
        fit_ppxf(sources(galaxy(MIXED)), TEMPLATES, FullSpectrumConfig(multiplicative=0, reddening=True))


@pytest.mark.parametrize("lacking", ["ppxf", "ppxf.ppxf"])
def test_where_it_is_not_installed(calls, monkeypatch, lacking):
    monkeypatch.setitem(sys.modules, lacking, None)
    with pytest.raises(RequestError, match=r"licence is non-commercial: if you accept that, pip install ppxf"):
        fit_ppxf(sources(galaxy(MIXED)), TEMPLATES, CONFIG)
