from dataclasses import replace

import numpy as np
import pytest

from galprism.data import Sources, Truth
from galprism.errors import RequestError
from galprism.evaluate.judge import judge
from galprism.fit.full_spectrum import FEWEST, FullSpectrumConfig, fit_full_spectrum
from galprism.fit.kinematics import Movable, blurred
from galprism.fit.spectrum_mask import EMISSION_LINES
from galprism.fit.spectrum_means import roughness
from galprism.fit.spectrum_templates import FWHM, MILES_FWHM, paper_grid, spectrum_templates
from galprism.flags import Flag
from galprism.sps.dust import calzetti
from spectrum_toys import AGE, LIBRARY_SIGMA, MIXED, TEMPLATES, WAVE, Z_MET, C, galaxy, library, shares_of, sources

BARE = FullSpectrumConfig(multiplicative=3, regularisation=0.0, n_realisations=0)
SHIFTED = {"velocity": 60.0, "dispersion": 130.0}


def fit(flux, config=BARE, **how):
    return fit_full_spectrum(sources(flux, **how), TEMPLATES, config)


def test_a_planted_mixture_is_found():
    found = fit(galaxy(MIXED, **SHIFTED))
    np.testing.assert_allclose(found.light[0], MIXED, atol=0.02)
    predictions = found.predictions
    age, metals = np.array([1.0, 8.0]), Z_MET[[1, 2]] / 0.02
    mass = MIXED[MIXED > 0] / TEMPLATES.light[MIXED > 0]
    mass /= mass.sum()
    truth = {
        "log_age_lw": 9 + np.log10([0.3, 0.7] @ age),
        "logzsol_lw": np.log10([0.3, 0.7] @ metals),
        "log_age_mw": 9 + np.log10(mass @ age),
        "logzsol_mw": np.log10(mass @ metals),
    }
    for name, value in truth.items():
        assert predictions.column(name)[0] == pytest.approx(value, abs=0.02), name
    assert predictions.extra["mean_log_age_lw"][0] == pytest.approx(9 + 0.7 * np.log10(8), abs=0.03)
    assert predictions.extra["mean_logzsol_lw"][0] == pytest.approx(0.3 * -0.8, abs=0.03)
    assert predictions.extra["chi2"][0] < 0.1 * predictions.extra["n_pixels"][0]  # S/N 100, and no noise
    inside = np.isfinite(found.model[0])
    np.testing.assert_allclose(found.model[0, inside], galaxy(MIXED, **SHIFTED)[inside], rtol=0.01)


@pytest.mark.parametrize(("velocity", "dispersion"), [(0, 70), (34.5, 100), (-210, 200), (333, 350)])
def test_planted_kinematics_are_found(velocity, dispersion):
    found = fit(galaxy(MIXED, velocity=velocity, dispersion=dispersion)).predictions.extra
    assert found["velocity"][0] == pytest.approx(velocity, abs=1.0)
    assert found["dispersion"][0] == pytest.approx(dispersion, abs=3.0)


def test_a_dispersion_below_the_pixel_is_told_from_one_above():
    low, high = (fit(galaxy(MIXED, dispersion=s)).predictions.extra["dispersion"][0] for s in (35, 70))
    assert low < 50 < high


def test_line_spread_functions_are_taken_out():
    coarse, fine = 2.5, 0.9
    flux = galaxy(MIXED, dispersion=150, lsf=coarse)
    assert fit(flux, lsf=coarse).predictions.extra["dispersion"][0] == pytest.approx(150, abs=3)
    unknown = fit(flux, lsf=None).predictions.extra
    observed = 1.05 * 5200
    instrument = (coarse**2 - (1.05 * LIBRARY_SIGMA) ** 2) ** 0.5 / observed * C
    assert unknown["dispersion"][0] == pytest.approx(np.hypot(150, instrument), rel=0.05)
    assert unknown["lsf_known"][0] == 0
    short = fit(galaxy(MIXED, dispersion=150, lsf=fine), lsf=fine).predictions.extra
    assert short["lsf_short"][0] == 1
    assert 130 < short["dispersion"][0] < 148
    assert fit(flux, lsf=coarse).predictions.extra["lsf_short"][0] == 0


def test_errors_follow_the_noise_and_hold_the_truth():
    config = replace(BARE, n_realisations=20)
    flux = np.stack([galaxy(MIXED, **SHIFTED)] * 2)
    by_snr = {snr: fit(flux, config, snr=snr, noise_seed=1).predictions for snr in (20, 80)}
    names = ("velocity", "dispersion", "log_age_lw", "mean_logzsol_lw")
    ratios = {}
    for name in names:
        low, high = (np.sqrt(np.mean(by_snr[snr].extra[f"{name}_std"] ** 2)) for snr in (80, 20))
        ratios[name] = high / low
    assert all(2.8 < ratios[name] < 5.7 for name in names[:2]), ratios  # 4, within what so few tell
    assert all(1.5 < ratios[name] < 7 for name in names[2:]), ratios  # less where bias, of weights >= 0, is in them
    for found in by_snr.values():
        assert np.all(np.abs(found.extra["velocity"] - 60) < 4 * found.extra["velocity_std"])
        off = found.column("log_age_lw") - 9 - np.log10(0.3 + 0.7 * 8)
        assert np.all(np.abs(off) < 4 * found.extra["log_age_lw_std"])
        assert found.extra["reduced_chi2"][0] == pytest.approx(1, abs=0.1)
        low, middle, high = found.quantiles[0].T
        assert np.all((low < middle) & (middle < high))


def test_errors_of_a_model_count_its_bias_in():
    """Light at the corner of the grid can only be taken for light further in: the mean is off to one side, always."""
    corner = fit(galaxy(shares_of((1, 0, 0))), replace(BARE, n_realisations=8), snr=10, noise_seed=3)
    predictions = corner.predictions
    low, middle, high = predictions.quantiles[0, 0]
    point = predictions.point[0, 0]
    assert predictions.extra["log_age_lw_std"][0] > 0
    assert middle == pytest.approx(point)
    assert point - low == pytest.approx(high - point)


def test_the_papers_errors_are_of_the_spectrum_itself():
    flux = galaxy(MIXED, **SHIFTED)
    errors = {}
    for of in ("model", "observed"):
        config = replace(BARE, n_realisations=15, realisations_of=of)
        found = fit(flux, config, snr=30, noise_seed=5).predictions
        errors[of] = found.extra["velocity_std"][0]
        assert found.meta["realisations_of"] == of
    assert errors["observed"] == pytest.approx(errors["model"], rel=0.5)  # what is linear has them alike
    assert errors["observed"] != errors["model"]


def test_truths_lie_within_the_errors_as_often_as_they_say():
    rng = np.random.default_rng(11)
    planted = [rng.dirichlet(np.ones(MIXED.size) * 0.1).reshape(MIXED.shape) for _ in range(16)]
    found = fit(np.stack([galaxy(light) for light in planted]), replace(BARE, n_realisations=6), snr=25, noise_seed=6)
    truth = [9 + np.log10(light.sum(axis=0) @ AGE) for light in planted]
    truth_z = [np.log10(light.sum(axis=1) @ Z_MET / 0.02) for light in planted]
    off = np.abs(found.predictions.point[:, :2] - np.transpose([truth, truth_z]))
    held = off <= np.transpose([found.predictions.extra[f"{name}_std"] for name in ("log_age_lw", "logzsol_lw")])
    assert 0.51 < held.mean() < 0.85  # 0.68 of 32, within two standard errors


def test_stars_and_quasars_are_not_fitted_where_they_are_said_to_be():
    given = sources(np.stack([galaxy(MIXED)] * 2)).flagged(Flag.NOT_A_GALAXY, [True, False])
    found = fit_full_spectrum(given, TEMPLATES, BARE).predictions
    assert found.flags.tolist() == [Flag.NOT_A_GALAXY | Flag.NOT_INFERRED, 0]
    assert np.isfinite(found.point).all(axis=1).tolist() == [False, True]


def test_the_papers_templates_or_the_nearest_to_them():
    ages, logzsol = paper_grid(library())
    assert ages == [0.5, 1, 2, 4, 8, 14]  # of 0.06 to 0.5 the nearest is 0.5, once
    np.testing.assert_allclose(logzsol, [-1.6, -0.8, 0.0, 0.4])
    assert spectrum_templates(library(), ages=ages, logzsol=logzsol).flux.shape[:2] == (4, 6)


def test_errors_are_the_same_again_and_of_a_source_alone():
    config = replace(BARE, n_realisations=3)
    both = sources(np.stack([galaxy(MIXED), galaxy(shares_of((1, 2, 3)))]), snr=30, noise_seed=2)
    whole, first = fit_full_spectrum(both, TEMPLATES, config), fit_full_spectrum(both.take([0]), TEMPLATES, config)
    np.testing.assert_array_equal(whole.predictions.quantiles[:1], first.predictions.quantiles)
    other = fit_full_spectrum(both.take([0]), TEMPLATES, replace(config, seed=1))
    assert not np.array_equal(other.predictions.quantiles, first.predictions.quantiles)


def test_shares_sum_to_one():
    found = fit(np.stack([galaxy(MIXED), galaxy(shares_of((1, 0, 0)))]), snr=10, noise_seed=3)
    np.testing.assert_allclose(found.light.sum(axis=(1, 2)), 1)
    np.testing.assert_allclose(found.mass.sum(axis=(1, 2)), 1)
    assert (found.light >= 0).all()


def test_a_tilted_continuum_changes_nothing():
    plain = fit(galaxy(MIXED)).predictions
    tilted = fit(galaxy(MIXED, factor=lambda rest: 1 + 0.2 * (rest - 5300) / 1800)).predictions
    np.testing.assert_allclose(tilted.point[:, :2], plain.point[:, :2], atol=0.01)  # by light
    np.testing.assert_allclose(tilted.point[:, 2:], plain.point[:, 2:], atol=0.03)  # by mass
    none = fit(galaxy(MIXED, factor=lambda rest: 1 + 0.2 * (rest - 5300) / 1800), replace(BARE, multiplicative=0))
    assert np.abs(none.predictions.point - plain.point).max() > 0.05  # which the polynomial is for


def test_an_added_continuum_is_taken_up():
    flux = galaxy(MIXED) + 0.1 + 0.1 * np.linspace(-1, 1, len(WAVE))
    found = fit(flux, replace(BARE, multiplicative=0, additive=2))
    np.testing.assert_allclose(found.light[0], MIXED, atol=0.05)
    assert found.predictions.extra["chi2"][0] < 0.2 * found.predictions.extra["n_pixels"][0]


def test_regularisation_smooths_as_far_as_chi2_allows():
    rows = roughness(len(Z_MET), len(AGE))
    flux = galaxy(MIXED)
    config = replace(BARE, clip=np.inf)
    fits = [fit(flux, replace(config, regularisation=r), snr=15, noise_seed=4) for r in (0, 3, 30, 3000)]
    rough = [np.sum((rows @ found.light[0].ravel()) ** 2) for found in fits]
    chi2 = [found.predictions.extra["chi2"][0] for found in fits]
    assert np.all(np.diff(rough) < 0)
    assert np.all(np.diff(chi2) > 0)
    n = fits[0].predictions.extra["n_pixels"][0]
    assert rough[1] < 0.5 * rough[0]
    assert chi2[1] - chi2[0] < np.sqrt(2 * n)
    assert rough[-1] < 1e-3


def test_second_differences_are_of_ages_and_of_metallicities():
    plane = 0.3 + np.arange(4)[:, None] * 0.2 + np.arange(6) * 0.1
    np.testing.assert_allclose(roughness(4, 6) @ plane.ravel(), 0, atol=1e-12)
    assert roughness(4, 6).shape == (4 * 4 + 6 * 2, 24)
    spike = np.zeros(24)
    spike[8] = 1
    assert np.sum((roughness(4, 6) @ spike) ** 2) == 6 + 5  # 1 + 4 + 1 along ages, 1 + 4 one from an edge
    assert roughness(1, 2).shape == (0, 2)


def test_emission_lines_do_not_move_it():
    flux = galaxy(MIXED)
    lines = sum(2 * np.exp(-0.5 * ((WAVE / 1.05 - line) / 2.5) ** 2) for line in EMISSION_LINES)
    plain, shining = fit(flux).predictions, fit(flux + lines).predictions
    np.testing.assert_allclose(shining.point, plain.point, atol=0.01)
    assert fit(flux + lines, replace(BARE, lines=(), clip=np.inf)).predictions.extra["reduced_chi2"][0] > 100


def test_bad_pixels_are_clipped():
    flux = galaxy(MIXED)
    bad = np.random.default_rng(5).choice(np.arange(300, 2900), 40, replace=False)
    spoilt = flux.copy()
    spoilt[bad] += 3
    found = fit(spoilt, snr=50, noise_seed=6)
    assert not found.used[0, bad].any()
    np.testing.assert_allclose(found.predictions.point, fit(flux, snr=50, noise_seed=6).predictions.point, atol=0.03)


def test_masked_pixels_and_gaps_have_no_part():
    flux = galaxy(MIXED)
    used = np.random.default_rng(7).random(len(flux)) > 0.2
    used[1000:1300] = False
    masked = fit(flux, used=used)
    assert not masked.used[0, ~used].any()
    np.testing.assert_allclose(masked.light[0], MIXED, atol=0.04)
    assert masked.predictions.extra["n_pixels"][0] == masked.used.sum()


def test_a_polynomial_is_of_the_pixels_with_data_alone():
    flux = galaxy(MIXED, factor=lambda rest: 1 + 0.2 * (rest - 5300) / 1800)
    used = np.ones(len(flux), bool)
    used[:1200] = False
    found = fit(flux, used=used)
    assert np.isnan(found.model[0, :1200]).all()
    assert np.isfinite(found.model[0, 1200:2800]).all()
    assert found.predictions.column("log_age_lw")[0] == pytest.approx(9 + np.log10(0.3 + 0.7 * 8), abs=0.05)


def test_dust_is_found_behind_a_calzetti_curve():
    flux = galaxy(MIXED, factor=lambda rest: 10 ** (-0.4 * 0.3 * calzetti(rest)))
    found = fit(flux, replace(BARE, multiplicative=0, reddening=True))
    assert found.predictions.extra["ebv"][0] == pytest.approx(0.3, abs=0.01)
    np.testing.assert_allclose(found.light[0], MIXED, atol=0.03)


def test_rows_that_cannot_be_fitted_are_null_and_say_why():
    flux = np.stack([galaxy(MIXED)] * 7)
    used = np.ones(flux.shape, bool)
    used[1] = False
    used[5, FEWEST:] = False
    flux[6] *= -1
    given = sources(flux, used=used, redshift=[0.05, 0.05, np.nan, 0.0003, 0.98, 0.05, 0.05])
    found = fit_full_spectrum(given, TEMPLATES, replace(BARE, n_realisations=2))
    reasons = [Flag(0), Flag.SPECTRUM_MISSING, Flag.REDSHIFT_MISSING, Flag.REDSHIFT_OUT_OF_RANGE]
    reasons += [Flag.REDSHIFT_OUT_OF_RANGE, Flag.INPUT_OUT_OF_RANGE, Flag.INPUT_OUT_OF_RANGE]
    assert found.predictions.flags.tolist() == [int(r | Flag.NOT_INFERRED) if r else 0 for r in reasons]
    assert np.isfinite(found.predictions.point).all(axis=1).tolist() == [True] + [False] * 6
    assert np.isnan(found.model[1:]).all()
    assert np.isnan(found.predictions.extra["velocity_std"][1:]).all()
    assert not found.used[1:].any()


def test_what_is_no_mixture_of_stars_is_flagged():
    broad = galaxy(MIXED) + 0.5 * np.exp(-0.5 * ((WAVE / 1.05 - 4500) / 20) ** 2)
    assert fit(broad, replace(BARE, clip=np.inf)).predictions.flags[0] == Flag.POOR_FIT


def test_wavelengths_that_are_even_are_resampled():
    pytest.importorskip("spectres")
    from galprism.data import Spectra

    wave = np.arange(3900.0, 7300.0, 0.8)
    flux = np.interp(wave, WAVE, galaxy(MIXED, **SHIFTED))
    given = Sources(np.array([1]), redshift=[0.05], spectra=Spectra(flux[None], np.full((1, len(wave)), 1e4), wave))
    found = fit_full_spectrum(given, TEMPLATES, BARE)
    assert found.model.shape == (1, len(found.wave))
    assert found.predictions.extra["velocity"][0] == pytest.approx(60, abs=3)


def test_the_judge_takes_it():
    lights = [shares_of((1, 2, j)) for j in range(len(AGE))]
    found = fit(np.stack([galaxy(light) for light in lights]), replace(BARE, n_realisations=5), snr=40, noise_seed=8)
    truth = Truth(found.predictions.id, ("log_age_lw",), 9 + np.log10(AGE)[:, None])
    judged = judge({"full spectrum": found.predictions}, truth)
    assert judged.parameters == ("log_age_lw",)
    assert judged.entries[0].metrics.rms < 0.1


def test_templates_keep_flux_and_are_normalised():
    stars = library()
    some = spectrum_templates(stars, ages=[2.0, 8.0], logzsol=[0.0], fwhm=MILES_FWHM)
    assert some.flux.shape[:2] == (1, 2)
    np.testing.assert_array_equal(some.age, [2, 8])
    wave = np.exp(some.log_wave)
    near = (wave > 5450) & (wave < 5550)
    np.testing.assert_allclose(some.flux[..., near].mean(axis=-1), 1, rtol=5e-3)
    old = (stars.wave > 4000) & (stars.wave < 7000)
    new = (wave > 4000) & (wave < 7000)
    total = (some.flux * some.light[..., None] * wave * some.step)[0, :, new].sum(axis=0)
    np.testing.assert_allclose(total, stars.flux[2, [2, 4]][:, old].sum(axis=1) * 0.9, rtol=1e-3)
    np.testing.assert_allclose(some.lsf_sigma, MILES_FWHM / FWHM)


def test_stars_of_no_age_are_left_out():
    stars = library()
    newborn = replace(stars, age=np.r_[0.0, AGE[1:]])
    np.testing.assert_array_equal(spectrum_templates(newborn).age, AGE[1:])
    np.testing.assert_array_equal(spectrum_templates(newborn).flux, spectrum_templates(stars).flux[:, 1:])


def test_libraries_in_air_are_brought_to_vacuum():
    air = spectrum_templates(replace(library(), medium="air"))
    shift = 5200 * 2.78e-4
    here = np.interp(np.arange(5100, 5300.0), np.exp(TEMPLATES.log_wave), TEMPLATES.flux[2, 3])
    there = np.interp(np.arange(5100, 5300.0) + shift, np.exp(air.log_wave), air.flux[2, 3])
    assert np.corrcoef(here, there)[0, 1] > 0.99


def test_blurring_changes_along_a_spectrum():
    x = np.arange(600.0)
    lines = sum(np.exp(-0.5 * ((x - at) / 2) ** 2) for at in (150, 450))[None]
    variance = np.where(x < 300, 0.0, 3.3)
    made = blurred(lines, variance)[0]
    np.testing.assert_allclose(made[100:200], lines[0, 100:200], atol=1e-6)
    wide = np.exp(-0.5 * (x - 450) ** 2 / 7.3) * 2 / np.sqrt(7.3)
    np.testing.assert_allclose(made[400:500], wide[400:500], atol=4e-3)
    np.testing.assert_array_equal(blurred(lines, np.zeros(600)), lines)


def test_slopes_are_those_of_the_moved_spectrum():
    movable, weights = Movable.of(TEMPLATES.flux[2, :3, :1000]), np.array([0.2, 0.5, 0.3])
    shift, sigma, small = 1.3, 2.2, 1e-4
    by_shift = weights @ (movable.at(shift + small, sigma) - movable.at(shift - small, sigma)) / (2 * small)
    by_sigma = weights @ (movable.at(shift, sigma + small) - movable.at(shift, sigma - small)) / (2 * small)
    np.testing.assert_allclose(movable.slopes(weights, shift, sigma), [by_shift, by_sigma], atol=1e-6)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"ages": [3.0]}, "no age 3; it has 0.5"),
        ({"logzsol": [-0.2]}, "no logzsol -0.2"),
        ({"ages": []}, "no age asked for"),
        ({"wave_range": (6000, 7000)}, "where light is weighed"),
        ({"fwhm": np.ones(3)}, "fwhm"),
        ({"fwhm": -1.0}, "fwhm"),
    ],
)
def test_templates_that_cannot_be_made(how, said):
    with pytest.raises(RequestError, match=said):
        spectrum_templates(library(), **how)


@pytest.mark.parametrize(
    "settings",
    [
        {"multiplicative": -1},
        {"additive": -2},
        {"regularisation": -1.0},
        {"regularisation": np.nan},
        {"n_realisations": -1},
        {"reddening": True},
        {"clip": 0.5},
        {"realisations_of": "both"},
    ],
)
def test_settings_that_mean_nothing(settings):
    with pytest.raises(RequestError, match=next(iter(settings))):
        FullSpectrumConfig(**settings)


def test_sources_without_spectra_or_redshifts():
    given = sources(galaxy(MIXED))
    with pytest.raises(RequestError, match="no spectra"):
        fit_full_spectrum(Sources(given.id, redshift=given.redshift), TEMPLATES)
    with pytest.raises(RequestError, match="no redshifts"):
        fit_full_spectrum(Sources(given.id, spectra=given.spectra), TEMPLATES)
