"""Simple populations in J-PAS's bands: the library's own spectra, their dust, and errors that grow with the galaxy."""

from dataclasses import replace

import numpy as np
import pytest

from galprism import passbands, surveys
from galprism.data.tables import read_truth, write_truth
from galprism.errors import RequestError
from galprism.mocks import NoiseConfig, PopulationConfig, observe
from galprism.mocks.simulate import Sky
from galprism.passbands import abflux
from galprism.sps import Galaxies, load_library
from galprism.sps.dust import ccm89
from galprism.units import njy_from_abmag

JPAS = surveys.get("jpas")
OURS = load_library("bc03-miles")
SIMPLE = PopulationConfig(
    single=True,
    on_grid=True,
    age_min=0.0015,
    ebv=(0.0, 0.4),
    dust="ccm89",
    redshift=(0.0005, 0.001),
    band="i",
    magnitude=(16.0, 22.0),
    magnitude_step=0.5,
    even_redshift=True,
)


def a_sky(population: PopulationConfig = SIMPLE, libraries=OURS) -> Sky:
    return Sky(population, JPAS, libraries, seed=3, nebular=False)


def test_on_the_grid_the_light_is_a_spectrum_of_the_library_behind_dust():
    """By the forward model, and by integrals over the library's own spectrum and the extinction curve."""
    made = a_sky()
    block, draws = made.block(0), made.draw(0)
    assert set(np.round(draws.stars["z_met"], 6)) == set(np.round(OURS.z_met, 6))
    assert np.isin(draws.stars["age"], OURS.age).all()
    assert set(block.truth.column("ebv")) == {0.0, 0.4}
    wave = OURS.to_vacuum(OURS.wave)
    bands = [JPAS.band_names.index(name) for name in ("J0430", "i", "J0660", "J0840")]
    curves = [passbands.get(JPAS.bands[k].passband) for k in bands]
    for n in (0, 7, 100, 2000):
        row = int(np.argmin(np.abs(OURS.z_met - draws.stars["z_met"][n])))
        spectrum = OURS.flux[row, np.flatnonzero(OURS.age == draws.stars["age"][n])[0]]
        dimmed = spectrum * 10 ** (-0.4 * draws.stars["ebv"][n] * ccm89(wave))
        z = draws.redshift[n]
        expected = np.array([abflux(curve, wave * (1 + z), dimmed) for curve in curves])
        found = block.sources.photometry.flux[n, bands]
        np.testing.assert_allclose(found / found[1], expected / expected[1], rtol=0.012)


def test_off_the_grid_it_lies_between_the_spectra_of_the_neighbouring_ages():
    made = a_sky(replace(SIMPLE, on_grid=False, z_met_between=True, ebv=(), av=(0.0, 2.48)))
    old = np.flatnonzero((OURS.age > 1.0) & (OURS.age < 9.0))[::20]
    common = {"redshift": 0.001, "z_met": 0.02, "ebv": 0.0}
    light = made.model(Galaxies.from_numpy(age=OURS.age[old], single_width=0.0, **common)).flux
    below = made.model(Galaxies.from_numpy(age=OURS.age[old - 1], single_width=0.0, **common)).flux
    between = made.model(
        Galaxies.from_numpy(age=0.5 * (OURS.age[old] + OURS.age[old - 1]), single_width=0.1, **common)
    ).flux
    assert (between / light < below / light * 1.02).all()
    assert (between / light > 0.98).all()
    truth = made.block(0).truth
    assert 0.79 < truth.column("ebv").max() <= 0.8
    assert len(np.unique(truth.column("log_age"))) == len(truth)
    # spread evenly over a tenth of its age: the mean is the age, as far as the ages of the library tell
    np.testing.assert_allclose(truth.column("log_age_mw"), truth.column("log_age"), atol=0.03)


def test_ages_are_uniform_in_the_logarithm():
    draws = a_sky(replace(SIMPLE, on_grid=False, log_age=True)).draw(1)
    log_age = np.log10(draws.stars["age"]) + 9
    share = np.histogram(log_age, np.linspace(np.log10(1.5e6), np.log10(13.4e9), 6))[0] / len(log_age)
    np.testing.assert_allclose(share, 0.2, atol=0.03)


def test_magnitudes_are_the_levels_and_redshifts_even():
    draws = a_sky().draw(0)
    levels, counts = np.unique(draws.magnitude, return_counts=True)
    np.testing.assert_allclose(levels, np.arange(16.0, 22.1, 0.5))
    assert counts.min() > 0.7 * counts.max()
    assert np.mean(draws.redshift) == pytest.approx(0.00075, rel=0.02)
    flat = a_sky(replace(SIMPLE, magnitude_step=0.0, counts_slope=0.0)).draw(0)
    assert np.mean(flat.magnitude) == pytest.approx(19.0, abs=0.1)


def test_signal_to_noise_falls_as_in_the_paper():
    """Its Figs. 5 and 7 quote 100, 56, 31, 17, 9.7 and 5.4 a band from i = 16 to 21."""
    noise = NoiseConfig(aperture_slope=0.375, aperture_band="i", calibration=False)
    made = a_sky(replace(SIMPLE, on_grid=False, log_age=True, z_met_between=True))
    block = made.block(0)
    flux, magnitude = block.sources.photometry.flux, made.draw(0).magnitude
    photometry = observe(flux, JPAS, noise, np.random.default_rng(2))
    sn = np.median(flux * np.sqrt(photometry.ivar), axis=1)
    for level, quoted in ((16.0, 100), (17.0, 56), (18.0, 31), (19.0, 17), (20.0, 9.7), (21.0, 5.4)):
        assert np.median(sn[magnitude == level]) == pytest.approx(quoted, rel=0.15)
    pull = (photometry.flux - flux) * np.sqrt(photometry.ivar)
    assert np.std(pull) == pytest.approx(1.0, abs=0.01)


def test_a_sky_of_two_libraries_says_whose_light_a_galaxy_has(tmp_path):
    brighter = replace(OURS, name="other", flux=2.0 * OURS.flux, imf="another")
    both, first = a_sky(libraries=(OURS, brighter)), a_sky()
    block, draws = both.block(0), both.draw(0)
    assert np.mean(draws.which) == pytest.approx(0.5, abs=0.03)
    np.testing.assert_array_equal(block.truth.labels["library"], np.where(draws.which, "other", OURS.name))
    np.testing.assert_array_equal(block.truth.labels["imf"], np.where(draws.which, "another", OURS.imf))
    # the same magnitude from stars twice as bright takes half the mass
    alone = first.model(Galaxies.from_numpy(redshift=draws.redshift, **draws.stars)).flux.numpy()
    i = JPAS.band_names.index("i")
    mass = np.log10(njy_from_abmag(draws.magnitude) / alone[:, i]) - np.log10(2.0) * draws.which
    np.testing.assert_allclose(block.truth.column("logmformed"), mass, atol=1e-5)
    write_truth(tmp_path / "truth.parquet", block.truth)
    back = read_truth(tmp_path / "truth.parquet", ids=block.truth.id[::-1])
    np.testing.assert_array_equal(back.labels["library"], block.truth.labels["library"][::-1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ebv": (-0.1,)}, r"population\.ebv = \[-0\.1\]; accepted"),
        ({"single": False}, r"on_grid = true is for simple populations"),
        ({"magnitude_step": -1.0}, r"magnitude_step = -1\.0; accepted"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(RequestError, match=message):
        replace(SIMPLE, **settings)


def test_ages_that_a_library_does_not_have_are_refused():
    with pytest.raises(RequestError, match=r"age_min = 13\.4.* no spectrum from that age to 13\.5"):
        a_sky(replace(SIMPLE, age_min=13.44)).draw(0)


def test_an_aperture_needs_a_band_of_the_survey():
    with pytest.raises(RequestError, match=r"aperture_slope = 0\.3, noise\.aperture_band = ''"):
        NoiseConfig(aperture_slope=0.3)
    with pytest.raises(RequestError, match=r"aperture_band = 'K'; accepted: a band of jpas"):
        observe(np.ones((2, 57)), JPAS, NoiseConfig(aperture_slope=0.3, aperture_band="K"), np.random.default_rng(1))
