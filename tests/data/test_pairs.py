"""Pairs are checked on the sphere."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from galprism.data import Sources
from galprism.data.pairs import separation, with_pairs_checked
from galprism.errors import RequestError
from galprism.flags import Flag

ARCSEC = 1 / 3600


def test_separations_are_astropys():
    rng = np.random.default_rng(0)
    ra, other_ra = rng.uniform(0, 360, (2, 200))
    dec, other_dec = np.degrees(np.arcsin(rng.uniform(-1, 1, (2, 200))))
    a, b = SkyCoord(ra, dec, unit="deg"), SkyCoord(other_ra, other_dec, unit="deg")
    np.testing.assert_allclose(separation(ra, dec, other_ra, other_dec), a.separation(b).arcsec, rtol=1e-9)


def test_small_ones_across_the_meridian_and_at_the_pole():
    # 3" of right ascension are 1.5" on the sky at 60 degrees; half way round the pole is twice the distance from it
    found = separation([359.9999, 10, 0], [0, 60, 90 - ARCSEC], [0.0001, 10 + 3 * ARCSEC, 180], [0, 60, 90 - ARCSEC])
    np.testing.assert_allclose(found, [0.72, 1.5, 2.0], rtol=1e-5)
    assert separation([3], [4], [3], [4]) == 0


def test_what_lies_elsewhere_is_flagged_and_keeps_its_row():
    sources = Sources(
        np.array(["a", "b", "c", "d", "e"]),
        ra=[10.0, 20, 30, 40, np.nan],
        dec=[60.0, 0, 0, 0, 0],
        flags=[Flag.BAND_MISSING, 0, 0, 0, 0],
    )
    # put to them in another order: a 1.5" off (3" of right ascension), b 2.5", d not there, e's own place not known
    ids = np.array(["e", "c", "b", "x", "a"])
    ra = [50.0, 30, 20 + 2.5 * ARCSEC, 1, 10 + 3 * ARCSEC]
    checked, apart = with_pairs_checked(sources, ids, ra, [0, np.nan, 0, 1, 60])
    np.testing.assert_allclose(apart, [1.5, 2.5, np.nan, np.nan, np.nan], rtol=1e-5)
    assert checked.flags.tolist() == [Flag.BAND_MISSING, Flag.POSITION_MISMATCH, 0, 0, 0]
    np.testing.assert_array_equal(checked.id, sources.id)
    assert with_pairs_checked(sources, ids, ra, [0, np.nan, 0, 1, 60], farthest=3)[0].flags[1] == 0


def test_what_cannot_be_checked():
    sources = Sources(np.array([1, 2]), ra=[1.0, 2], dec=[1.0, 2])
    with pytest.raises(RequestError, match="no positions"):
        with_pairs_checked(Sources(sources.id), [1], [1.0], [1.0])
    with pytest.raises(RequestError, match="several positions of id 1"):
        with_pairs_checked(sources, [1, 1], [1.0, 2], [1.0, 2])
    with pytest.raises(RequestError, match="farthest = 0"):
        with_pairs_checked(sources, [1], [1.0], [1.0], farthest=0)
    with pytest.raises(RequestError, match="dec"):
        with_pairs_checked(sources, [1, 2], [1.0, 2], [1.0])
