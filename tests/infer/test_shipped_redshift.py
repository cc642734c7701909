"""The shipped model of redshifts: luminous red galaxies of published colours lie where they are known to, and what is
less known is less certain."""

import json

import numpy as np
import pytest

from galprism import bundle as bundles
from galprism.data import Photometry, Sources
from galprism.flags import Flag
from galprism.infer import Predictor
from galprism.units import njy_from_abmag

MODEL = "sdss-redshift"
ERRORS = (2490.0, 1160.0, 1540.0, 2030.0, 3280.0)
"""nJy, of the sky in the catalogue that it learned from."""
RED = {0.25: (21.5, 19.9, 18.45, 17.95, 17.6), 0.5: (23.2, 22.2, 20.6, 19.7, 19.35)}
"""ugriz of luminous red galaxies: g - r rises to 1.6 at z = 0.35 as the 4000 Angstrom break leaves g, and r - i, 0.5
there, from then on (Eisenstein et al. 2001, AJ 122, 2267, Table 1)."""


@pytest.fixture(scope="module")
def predictor():
    return Predictor(bundles.load(MODEL))


def seen(magnitudes, errors=ERRORS) -> Sources:
    """(N, 5); NaN where not observed."""
    magnitudes = np.atleast_2d(np.asarray(magnitudes, float))
    there = np.isfinite(magnitudes)
    flux = np.where(there, njy_from_abmag(np.where(there, magnitudes, 20.0)), 0.0)
    ivar = np.where(there, np.asarray(errors, float) ** -2.0 * np.ones_like(flux), 0.0)
    return Sources(np.arange(len(flux)), photometry=Photometry(flux.astype("f4"), ivar.astype("f4"), tuple("ugriz")))


@pytest.mark.parametrize("z", RED)
def test_luminous_red_galaxies_are_where_they_are(predictor, z):
    found = predictor.predict(seen(RED[z]))
    low, middle, high = found.quantiles[0, 0]
    assert abs(middle - z) < 0.06
    assert 0.005 < 0.5 * (high - low) < 0.06
    assert not found.flags[0] & np.uint32(Flag.NOT_INFERRED | Flag.EXTRAPOLATED)


def test_what_is_missing_costs_certainty_and_is_flagged(predictor):
    """g - r tells redshifts below 0.35: without g the posterior is wider, without errors it hardly moves."""
    whole, blind = RED[0.25], (*RED[0.25][:1], np.nan, *RED[0.25][2:])
    found = predictor.predict(seen([whole, blind]))
    width = found.quantiles[:, 0, 2] - found.quantiles[:, 0, 0]
    assert width[1] > 1.3 * width[0]
    assert [bool(flag & np.uint32(Flag.BAND_MISSING)) for flag in found.flags] == [False, True]
    unknown = predictor.predict(seen(whole, np.full(5, np.nan)))
    assert abs(unknown.quantiles[0, 0, 1] - found.quantiles[0, 0, 1]) < width[0]


def test_a_blue_star_is_unlike_what_it_learned_from(predictor):
    found = predictor.predict(seen((16.0, 17.0, 18.5, 19.5, 20.0)))
    assert found.flags[0] & np.uint32(Flag.UNLIKE_TRAINING | Flag.INPUT_OUT_OF_RANGE)


def test_the_bundle_says_what_it_learned_from():
    model = bundles.load(MODEL)
    text = (bundles.SHIPPED / MODEL / "bundle.json").read_text()
    metrics = json.loads(text)["metrics"]
    assert (metrics["catalogue_rows"], metrics["training_sources"]) == (18_000, 17_900)
    assert model.recipe["labels"]["catalogue"] == "boss-dr10.parquet"
    assert "boss-dr10.parquet" in model.card
    assert model.targets == ("redshift",)
    assert not model.needs_redshift
