"""The shipped classifier of SDSS's sources: objects of published colours are called what they are."""

import json

import numpy as np
import pytest

from galprism import bundle as bundles
from galprism.data import Photometry, Sources
from galprism.data.classes import class_probabilities
from galprism.flags import Flag
from galprism.infer import ClassPredictor
from galprism.units import njy_from_abmag

MODEL = "sdss-star-qso-galaxy"
PUBLISHED = {
    "the Sun (Willmer 2018), r = 17": ("star", (18.46, 17.44, 17.0, 16.88, 16.85)),
    "an A0 dwarf (Covey et al. 2007), r = 18": ("star", (18.83, 17.73, 18.0, 18.17, 18.27)),
    "the median quasar at z = 1.5 (Richards et al. 2001), r = 19.5": ("qso", (19.89, 19.71, 19.5, 19.35, 19.30)),
    "a luminous red galaxy at z = 0.3 (Eisenstein et al. 2001), r = 18.5": ("galaxy", (22.0, 20.0, 18.5, 17.9, 17.55)),
    "a galaxy of the main sample (Strateva et al. 2001), r = 17": ("galaxy", (19.5, 17.8, 17.0, 16.6, 16.3)),
}


@pytest.fixture(scope="module")
def predictor():
    return ClassPredictor(bundles.load(MODEL))


def seen(magnitudes):
    """Sources (N, 5) without errors, as the table that it learned from has them; NaN where not observed."""
    magnitudes = np.asarray(magnitudes, float)
    there = np.isfinite(magnitudes)
    flux = np.where(there, njy_from_abmag(np.where(there, magnitudes, 20.0)), 0.0).astype(np.float32)
    ivar = np.where(there, np.nan, 0.0).astype(np.float32)
    return Sources(id=np.arange(len(flux)), photometry=Photometry(flux, ivar, tuple("ugriz")))


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_colours_are_known_again(predictor, name):
    is_class, magnitudes = PUBLISHED[name]
    found = predictor.predict(seen([magnitudes]))
    assert found.extra["class"][0] == is_class
    assert found.extra["p_max"][0] > 0.7


def test_a_missing_band_costs_certainty_and_is_flagged(predictor):
    """Quasars at z < 2 differ from stars by their ultraviolet excess: without u and g little tells them apart."""
    _, magnitudes = PUBLISHED["the median quasar at z = 1.5 (Richards et al. 2001), r = 19.5"]
    whole, part = np.array([magnitudes, magnitudes]), np.array([True, False])
    whole[1, :2] = np.nan
    found = predictor.predict(seen(whole))
    p = class_probabilities(found)
    assert p[0, 1] > 0.9 > p[1, 1]
    np.testing.assert_array_equal(found.flags & np.uint32(Flag.BAND_MISSING) == 0, part)
    np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-5)


def test_the_bundle_names_its_catalogue_and_not_where_it_was():
    model = bundles.load(MODEL)
    assert model.recipe["classes"]["labels"]["catalogue"] == "sdss_dr17_classes.csv"
    assert model.coordinates["tempering"] == {}
    text = (bundles.SHIPPED / MODEL / "bundle.json").read_text()
    assert json.loads(text)["metrics"]["training_sources"] == 6877
    assert "tables/" not in text
