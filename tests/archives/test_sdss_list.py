"""Lists of objects, whatever they are asked for by."""

import numpy as np
import pytest

from galprism.archives.sdss_list import asked_of_rows, read_list
from galprism.data.tables import write_table
from galprism.errors import RequestError

BIG = "11509219740459493376"


@pytest.fixture
def listed(tmp_path):
    def write(**columns):
        path = tmp_path / "list.parquet"
        write_table(path, {name: np.array(values) for name, values in columns.items()})
        return read_list(path)

    return write


@pytest.mark.parametrize(
    "names", [("plate", "mjd", "fiberID"), ("PLATE", "MJD", "FIBERID"), ("plateid", "mjd", "fiber")]
)
def test_by_fibre(listed, names):
    asked = listed(**dict(zip(names, ([266, 10222], [51602, 58224], [13, 985]), strict=True)))
    assert [one.fiber for one in asked] == [(266, 51602, 13), (10222, 58224, 985)]
    assert [one.by for one in asked] == ["0266-51602-0013", "10222-58224-0985"]


def test_by_position(listed):
    asked = listed(id=["a", "b"], RA=[185.0, 10.0], DEC=[12.0, -1.0])
    assert [one.id for one in asked] == ["a", "b"]
    assert [(one.ra, one.dec) for one in asked] == [(185.0, 12.0), (10.0, -1.0)]
    assert [one.by for one in asked] == ["185.000000 +12.000000", "10.000000 -1.000000"]


@pytest.mark.parametrize("ids", [[BIG, "7"], np.array([int(BIG), 7], np.uint64)])
def test_by_the_id_of_the_spectrum(listed, ids):
    assert [one.specobj_id for one in listed(specObjID=ids)] == [BIG, "7"]


def test_ids_that_have_lost_digits_are_refused(listed):
    with pytest.raises(RequestError, match="last digits"):
        listed(specObjID=[float(BIG)])


def test_what_is_known_of_each_row_serves(listed):
    """An id that a row lacks is no reason to lose it where its position is known."""
    asked = listed(
        plate=[266, -1, 266],
        mjd=[51602, 51602, 51602],
        fiberID=[13, 1, 14],
        ra=[185.0, 10.0, np.nan],
        dec=[12.0, -1.0, 0.0],
    )
    assert [one.by for one in asked] == ["0266-51602-0013", "10.000000 -1.000000", "0266-51602-0014"]
    assert asked[0].placed
    assert not asked[2].placed
    assert not any(one.wrong for one in asked)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"ra": [np.nan], "dec": [1.0]}, "ra = nan, dec = 1 is no position"),
        ({"ra": [10.0], "dec": [91.0]}, "dec = 91 is no position"),
        ({"ra": [np.inf], "dec": [0.0]}, "no position"),
        ({"specObjID": ["1 OR 1=1"]}, "is no whole number"),
        ({"plate": [266.5], "mjd": [51602], "fiberID": [1]}, "no position"),
    ],
)
def test_rows_that_cannot_be_asked_for_are_kept_and_say_why(listed, columns, said):
    (one,) = listed(**columns)
    assert said in one.wrong


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"name": ["a"]}, "has name; accepted: specObjID"),
        ({"plate": [1], "mjd": [2]}, "accepted: specObjID"),
        ({"ra": ["12h"], "dec": ["1d"]}, "column ra holds"),
    ],
)
def test_tables_without_what_is_needed(listed, columns, said):
    with pytest.raises(RequestError, match=said):
        listed(**columns)


def test_an_answer_is_a_list():
    rows = [{"specObjID": int(BIG), "z": 0.1}, {"specObjID": 7, "z": None}]
    assert [one.specobj_id for one in asked_of_rows(rows, "--query")] == [BIG, "7"]


@pytest.mark.parametrize(
    ("rows", "said"), [([], "found no object"), ([{"z": 1}], "has z"), ([{"ra": "x", "dec": 1}], "could not convert")]
)
def test_answers_that_are_no_lists(rows, said):
    with pytest.raises(RequestError, match=said):
        asked_of_rows(rows, "--query")


@pytest.mark.parametrize(
    ("ra", "dec", "placed"),
    [
        (0, 0, True),
        (359.999, 90, True),
        (360, 0, False),
        (400, 0, False),
        (-175, 0, True),
        (-181, 0, False),
        (10, 95, False),
    ],
)
def test_positions_that_are_none_on_the_sky(listed, ra, dec, placed):
    (asked,) = listed(ra=[float(ra)], dec=[float(dec)])
    assert asked.placed == placed
    assert (asked.wrong == "") == placed


def test_what_is_no_number_is_shown_with_its_row(listed):
    with pytest.raises(RequestError, match=r"column fiberID holds 'abc' in row 1, which is no number"):
        listed(plate=[266, 266], mjd=[51602, 51602], fiberID=["13", "abc"])
