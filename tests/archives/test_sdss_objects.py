"""Objects found in SkyServer: which of its rows is taken, and which is not."""

from dataclasses import replace

import numpy as np
import pytest

from galprism.archives.sdss_list import Asked
from galprism.archives.sdss_objects import find
from galprism.archives.skyserver import SkyServer
from made_archive import CAMCOL, FIELD, FWHM, RUN, THINGS, Thing

FIRST, SECOND, BOSS, WITHOUT = THINGS


@pytest.fixture
def skyserver(client, archive, tmp_path):
    return SkyServer(client, f"{archive.url}/skyserver", tmp_path / "queries")


def at(one: Thing, east=0.0, north=0.0) -> Asked:
    """The position of a thing, so many arcsec away from it."""
    ra, dec = one.sky
    return Asked(ra=ra + east / 3600 / np.cos(np.radians(dec)), dec=dec + north / 3600)


def test_by_every_way_the_same_is_found(skyserver):
    ways = [Asked(fiber=FIRST.fiber), Asked(specobj_id=str(FIRST.specobjid)), at(FIRST)]
    for found in find(ways, skyserver):
        assert found.id == "0266-51602-0013"
        assert found.specobj_id == str(FIRST.specobjid)
        assert found.frame == (301, RUN, CAMCOL, FIELD)
        assert found.redshift == 0.1
        np.testing.assert_allclose((found.ra, found.dec), FIRST.sky)
        np.testing.assert_array_equal(found.photometry["modelFlux"], 100)
        np.testing.assert_array_equal(found.photometry["psfWidth"], list(FWHM.values()))


def test_order_and_number_are_those_of_the_list(skyserver, archive):
    asked = [Asked(fiber=one) for one in (BOSS.fiber, (1, 2, 3), FIRST.fiber, BOSS.fiber)]
    found = find(asked, skyserver)
    assert [one if isinstance(one, str) else one.id for one in found] == [
        "10222-58224-0985", "SDSS has no such spectrum", "0266-51602-0013", "10222-58224-0985",
    ]  # fmt: skip
    assert len(archive.asked) == 1


def test_a_source_without_a_spectrum(skyserver):
    (found,) = find([at(WITHOUT)], skyserver)
    assert found.id == found.photoobj_id == str(WITHOUT.objid)
    assert found.fiber is None
    assert np.isnan(found.redshift)
    np.testing.assert_array_equal(found.photometry["modelFlux"], 100)


def test_nothing_is_there(skyserver):
    assert find([at(FIRST, north=60)], skyserver) == ["SDSS has no such object within 2 arcsec"]


def test_the_separation_is_told(skyserver):
    (found,) = find([at(FIRST, east=1.0, north=-1.0)], skyserver)
    assert found.separation == pytest.approx(np.sqrt(2), abs=1e-4)


def test_what_lies_too_far_is_not_taken(skyserver, archive):
    """A server that gives what is beyond the radius that it was asked for."""
    archive.things = (replace(WITHOUT, shift=5.0),)
    assert find([at(WITHOUT)], skyserver) == [
        "the object that SkyServer gives lies 5.0 arcsec from the position asked for; not taken"
    ]


def test_a_list_with_wrong_positions_beside_ids(skyserver):
    """The position says that the spectrum is another galaxy's."""
    asked = replace(at(SECOND), fiber=FIRST.fiber)
    (found,) = find([asked], skyserver)
    apart = (SECOND.x - FIRST.x) * 0.396, (SECOND.y - FIRST.y) * 0.396
    assert f"lies {np.hypot(*apart):.1f} arcsec" in found


def test_the_nearest_with_a_spectrum_is_taken(skyserver, archive):
    near = Thing(None, FIRST.x + 1, FIRST.y)
    archive.things = (near, FIRST, Thing((266, 51602, 99), FIRST.x - 4, FIRST.y))
    (found,) = find([at(near)], skyserver)
    assert found.fiber == FIRST.fiber


def test_images_of_another_place_are_not_taken(skyserver, archive):
    archive.things = (replace(FIRST, shift=3.0),)
    (found,) = find([Asked(fiber=FIRST.fiber)], skyserver)
    assert found.fiber == FIRST.fiber
    assert found.frame is None
    assert found.photoobj_id == ""
    assert np.isnan(found.photometry["modelFlux"]).all()
    assert found.notes == ("the source in the images lies 3.0 arcsec from the spectrum; not taken",)


def test_right_ascension_goes_round(skyserver):
    (found,) = find([replace(at(FIRST), ra=at(FIRST).ra - 360)], skyserver)
    assert found.id == "0266-51602-0013"


def test_a_batch_that_fails_is_told_of_each(skyserver, archive):
    archive.faults["SqlSearch"] = ["500"] * 3
    found = find([Asked(fiber=FIRST.fiber), Asked(fiber=BOSS.fiber), at(WITHOUT)], skyserver)
    assert all("500" in one for one in found[:2])
    assert found[2].id == str(WITHOUT.objid)


def test_what_cannot_be_asked_for_is_not(skyserver, archive):
    assert find([Asked(ra=np.nan, dec=1.0), Asked(specobj_id="x")], skyserver) == [
        "ra = nan, dec = 1 is no position", "specObjID 'x' is no whole number",
    ]  # fmt: skip
    assert not archive.asked
