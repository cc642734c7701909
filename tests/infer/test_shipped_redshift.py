"""The shipped model of redshifts: red galaxies lie where the 4000 Angstrom break puts them, and what is less known is
less certain."""

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
RED = (22.5, 20.9, 19.4, 18.8, 18.4)
"""ugriz of a red galaxy whose 4000 Angstrom break lies in the redder half of g, as observed."""


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


def track(u_g, g_r, r_i, i_z, i) -> Sources:
    """Of red galaxies, from colours and i: numbers or arrays."""
    colours = np.broadcast_arrays(u_g, g_r, r_i, i_z, i)
    u_g, g_r, r_i, i_z, i = colours
    return seen(np.stack([i + r_i + g_r + u_g, i + r_i + g_r, i + r_i, i, i - i_z], axis=1))


STEP = np.linspace(0.0, 1.0, 6)


def test_the_break_moves_through_g(predictor):
    """The 4000 Angstrom break is in g until z = 0.38, and reddens g - r as it goes."""
    found = predictor.predict(track(1.5, 1.1 + 0.55 * STEP, 0.48 + 0.14 * STEP, 0.4, 17.6 + 1.4 * STEP))
    low, middle, high = found.quantiles[:, 0].T
    assert (np.diff(middle) > 0).all()
    assert middle[0] < 0.15
    assert 0.25 < middle[-1] < 0.36
    assert (0.5 * (high - low) < 0.06).all()
    assert not (found.flags & np.uint32(Flag.NOT_INFERRED | Flag.EXTRAPOLATED)).any()


def test_then_the_break_moves_through_r(predictor):
    """It leaves r for i at z = 0.7, and reddens r - i till then."""
    found = predictor.predict(track(1.6, 1.7, 0.6 + 0.45 * STEP, 0.38, 19.0 + 0.8 * STEP))
    middle = found.quantiles[:, 0, 1]
    assert (np.diff(middle) > 0).all()
    assert middle[0] < 0.4
    assert 0.55 < middle[-1] < 0.7


def test_what_is_missing_costs_certainty_and_is_flagged(predictor):
    """g - r tells redshifts below 0.38: without g the posterior is wider, without errors it hardly moves."""
    whole, blind = RED, (RED[0], np.nan, *RED[2:])
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
