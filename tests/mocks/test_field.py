"""A whole field: classes in their numbers, the same however it is asked for, and what of it is not told."""

from pathlib import Path

import numpy as np
import pytest

from galprism import recipes, surveys
from galprism.data.cutout_file import read_cutouts, with_cutouts
from galprism.data.tables import read_truth
from galprism.data.truth import CLASSES
from galprism.errors import RequestError
from galprism.mocks.images.cutouts import ImageConfig, take_images
from galprism.mocks.noise import NoiseConfig
from galprism.mocks.sky.field import PATCH_IDS, Field, observe_field
from galprism.mocks.sky.field_config import FieldConfig
from galprism.recipes.mock import write_mock
from galprism.recipes.sky import field_of
from galprism.recipes.training import learn
from galprism.sps import load_bc03_miles
from galprism.units import abmag_from_njy

CONFIG = FieldConfig(limit=22.0, area=0.05)
KIDS = surveys.get("kids")


@pytest.fixture(scope="module")
def field():
    return Field(CONFIG, KIDS, load_bc03_miles(), seed=3)


@pytest.fixture(scope="module")
def patches(field):
    return [field.patch(number) for number in range(4)]


def test_classes_in_their_numbers(field, patches):
    """To r = 22 there are some 10,000 galaxies a square degree, and at the pole fewer stars; some 140 quasars."""
    classes = np.concatenate([patch.classes for patch in patches])
    density = {kind: (classes == k).sum() / 0.2 for k, kind in enumerate(CLASSES)}
    assert density["star"] == pytest.approx(field.kinds["star"].surface_density(), rel=0.2)
    assert 80 < density["qso"] < 220
    assert 7_500 < density["galaxy"] < 12_500
    for patch in patches:
        assert (abmag_from_njy(patch.members.flux[:, 2]) < 22.0 + 1e-9).all()
        assert (np.maximum(patch.x, patch.y) < 3600 * np.sqrt(0.05)).all()


def test_the_same_patch_however_it_is_asked_for(field, patches):
    again = Field(CONFIG, KIDS, load_bc03_miles(), seed=3).patch(2)
    np.testing.assert_array_equal(again.members.flux, patches[2].members.flux)
    np.testing.assert_array_equal(again.id - field.first_id, 2 * PATCH_IDS + np.arange(len(again)))
    other = Field(
        FieldConfig(limit=22.0, area=0.05, stars=type(CONFIG.stars)(latitude=40.0)), KIDS, load_bc03_miles(), seed=3
    )
    galaxies = [patch.members.flux[patch.classes == 2] for patch in (other.patch(2), patches[2])]
    np.testing.assert_array_equal(*(np.sort(flux[:, 2]) for flux in galaxies))  # stars do not move galaxies
    noise = NoiseConfig()
    whole = list(observe_field(field, noise, 700))
    less = list(observe_field(field, noise, 300))
    assert sum(len(seen.sources) for seen in whole) == 700
    np.testing.assert_array_equal(less[0].sources.photometry.flux, whole[0].sources.photometry.flux[:300])
    second = next(iter(observe_field(field, noise, 50, first=1))).sources
    assert second.id[0] == field.first_id + PATCH_IDS
    assert not np.isin(other.patch(0).id, patches[0].id).any()  # nobody takes sources of two fields for each other


def test_a_catalogue_of_it(tmp_path):
    """Stars have redshift 0 and no mass; galaxies have both; nobody has measured a redshift."""
    recipe = recipes.load("kids-field", ["field.area=0.01", "field.limit=23.0"])
    write_mock(recipe, 400, tmp_path / "field.parquet", cutouts=tmp_path / "field.h5")
    write_mock(recipe, 400, tmp_path / "field.fits")
    truth = read_truth(tmp_path / "field.parquet")
    star, galaxy = (truth.classes == CLASSES.index(kind) for kind in ("star", "galaxy"))
    assert (truth.column("redshift")[star] == 0).all()
    assert np.isnan(truth.column("logmstar")[star]).all()
    assert (truth.column("redshift")[galaxy] > 0).all()
    assert np.isfinite(truth.column("logmstar")[galaxy]).all()
    assert set(truth.labels["kind"][galaxy]) == {"star-forming", "quiescent"}
    assert read_truth(tmp_path / "field.fits").labels["kind"].tolist() == truth.labels["kind"].tolist()
    sources = surveys.read(tmp_path / "field.parquet", "kids")
    assert sources.redshift is None
    assert np.ptp(sources.ra) < 0.2
    assert np.ptp(sources.dec) < 0.2
    ids, images = read_cutouts(tmp_path / "field.h5", ids=sources.id[::-1])
    assert images.flux.shape == (400, 1, 41, 41)
    joined = with_cutouts(sources, ids, images)
    middle = joined.cutouts.flux[:, 0, 15:26, 15:26].sum(axis=(1, 2))
    flux = sources.photometry.flux[:, sources.photometry.bands.index("r")]
    bright = flux > np.percentile(flux, 80)
    assert np.corrcoef(np.log(middle[bright]), np.log(flux[bright]))[0, 1] > 0.8  # to each its own image
    with pytest.raises(RequestError, match=r"recipe mlp-gap has no \[field\] and \[images\]"):
        write_mock(recipes.load("mlp-gap"), 10, tmp_path / "no.parquet", cutouts=tmp_path / "no.h5")
    with pytest.raises(RequestError, match=r"recipe kids-field has no \[field\] and \[spectra\]"):
        write_mock(recipes.load("kids-field"), 10, tmp_path / "no.parquet", spectra=tmp_path / "spectra")
    assert not (tmp_path / "no.parquet").exists()
    assert not (tmp_path / "spectra").exists()


def test_stars_are_small_and_galaxies_are_not(patches):
    """With one PSF the share of the light within half an arcsec is one of all stars, and less of galaxies."""
    patch = patches[0]
    bright = np.flatnonzero(abmag_from_njy(patch.members.flux[:, 2]) < 20.5)
    alone = type(patch)(patch.id[bright], patch.members.take(bright), classes=patch.classes[bright])
    still = ImageConfig(fwhm_scatter=0.0, ellipticity=0.0, offset=0.0, bad_pixels=0.0, electrons_per_njy=(np.inf,))
    image = take_images(alone, KIDS, still, seed=1).flux[:, 0].astype(float)
    y, x = np.mgrid[:41, :41] - 20.0
    core = image[:, np.hypot(x, y) < 2.5].sum(axis=1) / image[:, np.hypot(x, y) < 10.0].sum(axis=1)
    star, galaxy = (core[alone.classes == k] for k in (0, 2))
    assert np.ptp(star) < 0.1
    assert np.mean(galaxy < star.min()) > 0.9


def test_a_patch_with_next_to_nothing_on_it():
    small = Field(FieldConfig(limit=15.0, area=1e-4), KIDS, load_bc03_miles(), seed=1)
    seen = list(observe_field(small, NoiseConfig(), 3))
    assert sum(len(part.sources) for part in seen) == 3
    assert len(seen) > 5


def test_what_no_field_is(field):
    for settings, message in (({"area": 0.0}, "field.area = 0.0; accepted"), ({"limit": 50.0}, "field.limit = 50.0")):
        with pytest.raises(RequestError, match=message):
            FieldConfig(**settings)
    for config, message in (
        (FieldConfig(band="K"), "field.band = 'K'; accepted: a band of kids, u, g"),
        (FieldConfig(limit=11.5), r"field.limit = 11.5; accepted: fainter than field.stars.bright = 12"),
    ):
        with pytest.raises(RequestError, match=message):
            Field(config, KIDS, load_bc03_miles(), seed=1)
    with pytest.raises(RequestError, match="first = -1; accepted: 0 or more"):
        write_mock(recipes.load("kids-field"), 10, "no.parquet", first=-1)
    with pytest.raises(RequestError, match=r"one.h5: stands for two outputs; accepted: table, cutouts and spectra"):
        write_mock(recipes.load("kids-field"), 10, Path("one.h5"), cutouts=Path("one.h5"))
    with pytest.raises(RequestError, match=r"recipe kids-field is a \[field\] of galaxies"):
        learn(recipes.load("kids-field", ["net.kind=mlp"]), Path("no"))
    with pytest.raises(RequestError, match=r"recipe mlp-gap has no \[field\]"):
        field_of(recipes.load("mlp-gap"))
    with pytest.raises(RequestError, match=r"unknown key 'field.galaxies.lightst'; did you mean 'lightest'"):
        recipes.load("kids-field", ["field.galaxies.lightst=7.0"])
    with pytest.raises(RequestError, match=r"lies beyond dec = 60 deg"):
        field.place(10**7, field.patch(0))
