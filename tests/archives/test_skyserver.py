"""Answers of SkyServer, those that are none, and queries in batches."""

import json

import pytest

from galprism.archives.client import Unavailable, Unsound
from galprism.archives.skyserver import LONGEST, SkyServer, understood
from galprism.data.tables.writing import write_whole
from made_archive import THINGS

SQL = "SELECT TOP 3 specObjID FROM SpecObj"


@pytest.fixture
def skyserver(client, archive, tmp_path):
    return SkyServer(client, f"{archive.url}/skyserver", tmp_path / "queries")


def test_an_answer_is_kept(skyserver, archive):
    rows = skyserver.rows(SQL)
    assert [row["plate"] for row in rows] == [266, 266, 10222]
    assert skyserver.rows(SQL) == rows
    assert len(archive.asked) == 1


def test_ids_keep_their_digits(skyserver):
    """Those of late plates are beyond 2^63, and neither kind survives as a float."""
    for _ in range(2):  # as answered, and as kept
        assert [row["specObjID"] for row in skyserver.rows(SQL)] == [one.specobjid for one in THINGS if one.fiber]
    assert THINGS[2].specobjid > 2**63


def test_ids_that_are_written_as_decimals():
    rows = understood(b'[{"Rows": [{"specObjID": 11509219740459493376.0, "z": 0.10, "plate": 266.0}]}]')
    assert rows == [{"specObjID": 11509219740459493376, "z": 0.1, "plate": 266}]
    assert isinstance(rows[0]["specObjID"], int)


@pytest.mark.parametrize("fault", ["500", "html", "empty", "half"])
def test_answers_that_are_none_are_asked_for_again(fault, skyserver, archive):
    archive.faults["SqlSearch"] = [fault, fault]
    assert len(skyserver.rows(SQL)) == 3
    assert len(archive.asked) == 3


def test_what_failed_is_not_kept(skyserver, archive):
    archive.faults["SqlSearch"] = ["html"] * 3
    with pytest.raises(Unavailable, match="in place of JSON"):
        skyserver.rows(SQL)
    assert len(skyserver.rows(SQL)) == 3


def test_half_of_a_kept_answer_is_asked_for_again(skyserver, archive):
    skyserver.rows(SQL)
    (kept,) = skyserver.folder.iterdir()
    write_whole(kept, kept.read_bytes()[:-20])
    assert len(skyserver.rows(SQL)) == 3
    assert len(archive.asked) == 2


def test_a_wrong_query_is_refused_at_once(skyserver, archive):
    with pytest.raises(Unavailable, match="Incorrect syntax near") as error:
        skyserver.rows("SELECT ;")
    assert error.value.final
    assert len(archive.asked) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"error_message": "Execution Timeout Expired."}, "Timeout Expired"),
        ([], "in place of a table"),
        ({}, "in place of a table"),
        ([{"TableName": "Table1"}], "in place of a table"),
        (7, "in place of a table"),
    ],
)
def test_json_that_is_no_table(answer, said):
    with pytest.raises(Unsound, match=said):
        understood(json.dumps(answer).encode())


def test_no_rows_are_an_answer():
    assert understood(b'[{"TableName": "Table1", "Rows": []}]') == []


def test_batches_ask_for_each_once_and_are_short(skyserver):
    conditions = [f"s.specObjID={10**18 + k}" for k in range(300)]
    batches = skyserver.batches("SELECT a FROM b WHERE", conditions)
    assert sorted(i for _, members in batches for i in members) == list(range(300))
    assert 1 < len(batches) < 20
    for sql, members in batches:
        assert len(skyserver._address(sql)) <= LONGEST
        assert all(conditions[i] in sql for i in members)
