"""Pairs of a simulated sky: photometry, images and spectra of the same galaxies, kept, and measured afresh."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from galprism import recipes, surveys
from galprism.data.spectrum_noise import SDSS_R
from galprism.errors import RequestError
from galprism.mocks.images.cutouts import sky_sigma
from galprism.mocks.spectra.model import SpectrumModel
from galprism.recipes import pairs as module
from galprism.recipes.pairs import BASIS_AT, FILES, NAMES, OF_FIBRE, measure_of, pairs, spectrum_basis
from galprism.recipes.populations import kept_basis
from galprism.sps import load_library
from galprism.units import LIGHT_SPEED_ANGSTROM_PER_S

N, SIDE = 40, 96
SETTINGS = (
    "field.limit=18.5",
    "field.area=0.02",
    f"images.size={SIDE}",
    "modalities.basis_size=6",
    "spectra.wave_range=[5500.0, 7000.0]",
    "spectra.farthest=0.3",
)
R = 2
"""Of u, g, r, i, z."""


@pytest.fixture(scope="module")
def recipe():
    torch.set_num_threads(1)
    return recipes.load("galaxy-populations", SETTINGS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pairs")


@pytest.fixture(scope="module")
def known(recipe, folder):
    return pairs(recipe, folder, N)


@pytest.fixture(scope="module")
def measure(recipe, known):
    return measure_of(recipe, known)


def test_they_are_found_again_where_they_were_kept(recipe, folder, known, monkeypatch):
    monkeypatch.setattr(module, "_simulate", None)
    again = pairs(recipe, folder, N)
    for name in FILES:
        np.testing.assert_array_equal(getattr(again, name), getattr(known, name))
    np.testing.assert_array_equal(again.spectra.light, known.spectra.light)
    assert [path.suffix for path in folder.iterdir()] == [""]  # no part of them is left over


def test_made_again_elsewhere_they_are_the_same(recipe, known, tmp_path):
    counted = []
    again = pairs(recipe, tmp_path, N, counted.append)
    assert sum(counted) == N
    for name in FILES:
        np.testing.assert_array_equal(getattr(again, name), getattr(known, name), err_msg=name)


def test_masked_pixels_of_images_stay_masked(recipe, tmp_path):
    masked = replace(recipe, images=replace(recipe.images, bad_pixels=0.3))
    made = pairs(masked, tmp_path, 12)
    cutouts = measure_of(masked, made)(np.arange(12), np.random.default_rng(3)).cutouts
    assert abs(1 - cutouts.observed.mean() - 0.3) < 0.02
    assert not cutouts.flux[~cutouts.observed].any()


def test_light_that_is_other_than_simulated_is_so_in_images_too(recipe, known):
    """What the stated noise leaves of a band's flux over the simulated one is the same in image and photometry."""
    quiet = replace(recipe, noise=replace(recipe.noise, calibration=False, model_error=(0.5,) * 5))
    rows = np.arange(N)
    seen, plain = (measure_of(one, known)(rows, np.random.default_rng(4)) for one in (quiet, recipe))
    for i, band in enumerate(recipe.images.bands):
        j = seen.photometry.bands.index(band)
        at = seen.cutouts.flux[:, i].reshape(N, -1)[rows, plain.cutouts.flux[:, i].reshape(N, -1).argmax(axis=1)]
        by_image = np.log(at / plain.cutouts.flux[:, i].max(axis=(1, 2)))
        sure = seen.photometry.flux[:, j] * np.sqrt(seen.photometry.ivar[:, j]) > 20
        by_light = np.log(seen.photometry.flux[sure, j] / known.flux[sure, j])
        np.testing.assert_allclose(by_image[sure], by_light, atol=0.2)
        assert by_light.std() > 0.2
    assert plain.photometry.flux.shape == seen.photometry.flux.shape


def test_without_spectra_they_are_the_same_galaxies(recipe, known, tmp_path):
    made = pairs(replace(recipe, spectra=None), tmp_path, N)
    assert made.spectra is None
    for name in ("ident", "redshift", "flux", "pixels", "fwhm", "pictures"):
        np.testing.assert_array_equal(getattr(made, name), getattr(known, name), err_msg=name)
    np.testing.assert_array_equal(made.values[:, OF_FIBRE:], known.values[:, OF_FIBRE:])
    assert np.isnan(made.values[:, :OF_FIBRE]).all()
    seen = measure_of(replace(recipe, spectra=None), made)(np.arange(3), np.random.default_rng(1))
    assert seen.spectra is None


def test_truths_are_within_what_the_sky_has(known):
    assert np.isfinite(known.values).all()
    assert len(set(known.ident.tolist())) == N
    np.testing.assert_array_equal(known.column("redshift"), known.redshift)
    library = load_library("bc03-miles")
    for name, low, high in (
        ("mean_log_age_lw", 5.9, 10.15),
        ("log_age_lw", 5.9, 10.15),
        ("mean_logzsol_lw", *np.log10(library.z_met[[0, -1]] / 0.02)),
        ("ebv", 0, 2),
        ("logmstar", 6, 12.5),
        ("redshift", 0.002, 0.3),
    ):
        values = known.column(name)
        assert low <= values.min() + 1e-6, name
        assert values.max() - 1e-6 <= high, name
    # a mean of logarithms is below the logarithm of a mean
    assert np.all(known.column("mean_log_age_lw") <= known.column("log_age_lw") + 1e-6)
    assert np.all(known.column("mean_logzsol_lw") <= known.column("logzsol_lw") + 1e-6)
    truth = known.truth(slice(3, 5))
    assert truth.names == NAMES
    np.testing.assert_array_equal(truth.id, known.ident[3:5])


def test_the_fibre_holds_a_part_of_the_light_that_the_photometry_has(known):
    """The mean of f_nu in r, of the spectrum and of the catalogue."""
    inside = (known.spectra.wave > SDSS_R[0]) & (known.spectra.wave < min(SDSS_R[1], known.spectra.wave[-1]))
    light = (
        np.asarray(known.spectra.light)[:, inside]
        * 1e-17
        * known.spectra.wave[inside] ** 2
        / LIGHT_SPEED_ANGSTROM_PER_S
    )
    fibre = light.mean(axis=1) * 1e32  # nJy
    share = fibre / known.flux[:, R]
    assert np.all(share > 0.02)
    assert np.all(share < 1.1)  # r is wider than the part of it that is looked at
    assert np.median(share) < 0.7
    assert np.corrcoef(np.log(fibre), np.log(known.flux[:, R]))[0, 1] > 0.5


def test_images_have_the_light_that_the_photometry_has(recipe, known):
    survey, images = surveys.get("sdss"), recipe.images
    sky = sky_sigma(survey, images)[:, None, None]
    total = (np.asarray(known.pixels, float) * sky).sum(axis=(2, 3))
    flux = known.flux[:, [survey.band_names.index(band) for band in images.bands]]
    ratio = np.median(total / flux, axis=0)  # wings are off the image, neighbours on it
    assert np.all(ratio > 0.6)
    assert np.all(ratio < 1.2)
    assert np.corrcoef(np.log(np.maximum(total[:, 1], 1)), np.log(flux[:, 1]))[0, 1] > 0.8
    assert known.pictures.shape == (N, SIDE, SIDE, 3)
    middle = known.pictures[:, SIDE // 2 - 4 : SIDE // 2 + 4, SIDE // 2 - 4 : SIDE // 2 + 4]
    assert np.all(middle.mean(axis=(1, 2, 3)) > known.pictures[:, :4].mean(axis=(1, 2, 3)))


def test_spectra_are_measured_with_the_noise_that_is_stated(recipe, known, measure):
    """And with what real spectra scatter beyond it: at lines of the sky, and by the calibration."""
    rows = np.arange(N)
    one, two = (measure(rows, np.random.default_rng(seed)).spectra for seed in (0, 1))
    pull = (one.flux - known.spectra.light) * np.sqrt(one.ivar)
    calibration = recipe.spectra.calibration * known.spectra.light * np.sqrt(one.ivar)
    expected = np.sqrt(known.spectra.excess**2 + calibration**2)
    assert np.sqrt(np.mean((pull / expected) ** 2)) == pytest.approx(1.0, abs=0.05)
    np.testing.assert_allclose(one.ivar, 1 / np.asarray(known.spectra.err) ** 2, rtol=1e-6)
    apart = (one.flux - two.flux) * np.sqrt(one.ivar) / expected
    assert np.std(apart) == pytest.approx(np.sqrt(2), abs=0.1)  # fresh each time


def test_all_of_a_galaxy_is_measured_at_once_and_the_same_for_the_same_seed(recipe, known, measure):
    rows = np.array([7, 3])
    one, same, other = (measure(rows, np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.id, known.ident[rows])
    np.testing.assert_array_equal(one.redshift, known.redshift[rows])
    for block in ("photometry", "cutouts", "spectra"):
        np.testing.assert_array_equal(getattr(one, block).flux, getattr(same, block).flux)
    assert np.any(one.photometry.flux != other.photometry.flux)
    np.testing.assert_array_equal(one.cutouts.flux, other.cutouts.flux)  # images have the noise that they have
    assert one.cutouts.bands == recipe.images.bands
    pull = (one.photometry.flux - known.flux[rows]) / one.photometry.flux_err
    assert np.abs(pull).max() < 30


@pytest.fixture(scope="module")
def basis(recipe, folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BASIS_GALAXIES", 60)
        return kept_basis(recipe, folder)


def test_the_basis_holds_spectra_of_the_same_sky(recipe, known, basis, folder, monkeypatch):
    """What is left of their continua and lines without noise is a small part of them."""
    monkeypatch.setattr(module, "BASIS_GALAXIES", None)
    assert np.array_equal(kept_basis(recipe, folder).spectra, basis.spectra)  # kept
    assert basis.size == 6
    np.testing.assert_allclose(basis.wave[[0, -1]] * (1 + BASIS_AT), [5500, 7000], rtol=1e-3)
    assert basis.spectra[0].mean() == pytest.approx(1.0, abs=1e-3)
    near = np.abs(np.log((1 + known.redshift) / (1 + BASIS_AT))) < 0.08
    exact = np.full(known.spectra.light.shape, 1e4, np.float32)
    blank = measure_of(recipe, known)(np.arange(N), np.random.default_rng(0)).spectra
    found = basis.encode(replace(blank, flux=np.asarray(known.spectra.light), ivar=exact), known.redshift, 0.02)
    assert found.there.all()
    assert np.median(np.exp(0.5 * found.ln_chi2[near])) < 4  # in units of 2 per cent


def test_its_galaxies_are_not_those_that_are_learned_from(recipe, monkeypatch):
    seeds = []

    class Stop(Exception):
        pass

    def chosen(made, n):
        seeds.append(made.seed)
        raise Stop

    monkeypatch.setattr(module, "chosen_of", chosen)
    monkeypatch.setattr(module, "SpectrumModel", lambda *given: SpectrumModel)
    with pytest.raises(Stop):
        spectrum_basis(recipe, 3)
    assert seeds == [recipe.seed + 1]


@pytest.mark.parametrize("name", ["field", "chosen", "images"])
def test_a_recipe_that_lacks_a_part_is_refused(recipe, tmp_path, name):
    gone = {name: None} | ({"chosen": None} if name == "field" else {})
    with pytest.raises(RequestError, match=rf"galaxy-populations has no \[{name}\]"):
        pairs(replace(recipe, **gone), tmp_path, 3)


def test_pairs_are_of_galaxies_alone(recipe, tmp_path):
    with pytest.raises(RequestError, match=r"chosen\.star = 0\.5, chosen\.qso = 0; accepted: 0"):
        pairs(replace(recipe, chosen=replace(recipe.chosen, star=0.5, galaxy=0.5)), tmp_path, 4)
