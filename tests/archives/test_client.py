"""A server that fails in every way, and what the client makes of it."""

import resource
import time
from email.utils import formatdate

import pytest

from galprism.archives.client import Client, Manners, Unavailable, Unsound
from galprism.errors import RequestError

BODY = bytes(range(256)) * 1000


@pytest.fixture
def file(archive):
    """The address of a file of BODY, and of one that is not there."""
    archive.files["/sas/file"] = BODY
    return f"{archive.url}/sas/file"


def whole(path):
    """The check of a file."""
    if path.read_bytes() != BODY:
        raise Unsound("is not the file")


def test_a_file_comes_and_is_not_fetched_again(client, archive, file, tmp_path):
    for _ in range(2):
        client.download(file, tmp_path / "sub" / "file", whole)
    assert (tmp_path / "sub" / "file").read_bytes() == BODY
    assert len(archive.asked) == client.requests == 1
    assert [path.name for path in (tmp_path / "sub").iterdir()] == ["file"]
    assert archive.agents.pop().startswith("galprism/")


@pytest.mark.parametrize("fault", ["500", "502", "503", "504", "429", "html", "empty", "half"])
def test_a_passing_fault_is_outlived(fault, client, archive, file, tmp_path):
    archive.faults["file"] = [fault, fault]
    client.download(file, tmp_path / "file", whole)
    assert (tmp_path / "file").read_bytes() == BODY
    assert archive.count("file") == 3


@pytest.mark.parametrize(("fault", "said"), [("500", "500"), ("html", "is not the file"), ("half", "ended after")])
def test_tries_are_bounded(fault, said, client, archive, file, tmp_path):
    archive.faults["file"] = [fault] * 99
    archive.ranges = False
    with pytest.raises(Unavailable, match=rf"127.0.0.1:\d+: .*{said}.*, after 3 tries") as error:
        client.download(file, tmp_path / "file", whole)
    assert not error.value.final
    assert archive.count("file") == 3
    assert not (tmp_path / "file").exists()


def test_what_is_not_there_is_asked_for_once(client, archive, tmp_path):
    with pytest.raises(Unavailable, match="404") as error:
        client.download(f"{archive.url}/sas/nothing", tmp_path / "nothing", whole)
    assert error.value.final
    assert len(archive.asked) == 1


def test_the_rest_of_half_a_file_is_asked_for(client, archive, file, tmp_path):
    archive.faults["file"] = ["half"]
    client.download(file, tmp_path / "file", whole)
    assert archive.asked == ["/sas/file", f"/sas/file bytes={len(BODY) // 2}-"]
    assert (tmp_path / "file").read_bytes() == BODY


def test_an_earlier_run_left_half_a_file(client, archive, file, tmp_path):
    (tmp_path / "file.part").write_bytes(BODY[:1234])
    client.download(file, tmp_path / "file", whole)
    assert archive.asked == ["/sas/file bytes=1234-"]
    assert (tmp_path / "file").read_bytes() == BODY


def test_an_earlier_run_left_all_of_it(client, archive, file, tmp_path):
    (tmp_path / "file.part").write_bytes(BODY)
    client.download(file, tmp_path / "file", whole)
    assert not archive.asked
    assert (tmp_path / "file").read_bytes() == BODY


@pytest.mark.parametrize("left", [b"x" * 1234, b"x" * len(BODY), BODY + b"x", b""])
def test_an_earlier_run_left_another_file(left, client, archive, file, tmp_path):
    (tmp_path / "file.part").write_bytes(left)
    client.download(file, tmp_path / "file", whole)
    assert (tmp_path / "file").read_bytes() == BODY


def test_a_server_without_parts_of_files_sends_the_whole(client, archive, file, tmp_path):
    archive.ranges = False
    (tmp_path / "file.part").write_bytes(BODY[:1234])
    client.download(file, tmp_path / "file", whole)
    assert (tmp_path / "file").read_bytes() == BODY


def test_a_spoiled_file_is_fetched_again(client, archive, file, tmp_path):
    (tmp_path / "file").write_bytes(BODY[:-1])
    client.download(file, tmp_path / "file", whole)
    assert (tmp_path / "file").read_bytes() == BODY


def test_waits_grow_and_a_server_may_ask_for_longer_ones(client, waits, archive, file, tmp_path):
    archive.faults["file"] = ["500", "503:7"]
    client.download(file, tmp_path / "file", whole)
    assert waits == [2.0, 7.0]


def test_a_wait_may_be_a_date(client, waits, archive, file, tmp_path):
    archive.faults["file"] = [f"429:{formatdate(time.time() + 100, usegmt=True)}"]
    client.download(file, tmp_path / "file", whole)
    assert waits[0] == pytest.approx(100, abs=5)


def test_a_server_that_asks_for_too_long_a_wait_is_left_alone(client, waits, archive, file, tmp_path):
    archive.faults["file"] = ["503:3600"]
    with pytest.raises(Unavailable, match="503"):
        client.download(file, tmp_path / "file", whole)
    with pytest.raises(Unavailable, match=r"not asked: .* asks to be left alone for 3600 s"):
        client.download(f"{file}2", tmp_path / "file2", whole)
    assert len(archive.asked) == 1
    assert waits == []


def test_a_server_that_is_down_is_left_alone(client, archive, tmp_path):
    archive.faults["sas"] = ["500"] * 99
    for name in "abcd":
        with pytest.raises(Unavailable):
            client.download(f"{archive.url}/sas/{name}", tmp_path / name, whole)
    assert len(archive.asked) == 3 * 3
    assert "did not answer 3 times in a row" in next(iter(client.closed.values()))


def test_files_that_are_bad_do_not_close_a_server(client, archive, file, tmp_path):
    archive.faults["file"] = ["html"] * 12
    for name in "abcd":
        with pytest.raises(Unavailable):
            client.download(file, tmp_path / name, whole)
    client.download(file, tmp_path / "e", whole)
    assert not client.closed


def test_silence_ends(archive, file, tmp_path):
    archive.faults["file"] = ["silence"]
    client = Client(Manners(pause=0, backoff=0, timeout=0.05, tries=2))
    client.download(file, tmp_path / "file", whole)
    assert archive.count("file") == 2


def test_nobody_listens(client, tmp_path):
    with pytest.raises(Unavailable, match="cannot be reached"):
        client.download("http://127.0.0.1:9/file", tmp_path / "file", whole)


def test_there_is_a_pause_between_requests(archive, file, tmp_path):
    waits = []
    client = Client(Manners(pause=30), sleep=waits.append)
    for name in "abc":
        client.download(file, tmp_path / name, whole)
    assert len(waits) == 2
    assert all(25 < wait <= 30 for wait in waits)


def test_a_full_disk_is_no_fault_of_the_server(client, archive, file, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            client.download(file, tmp_path / "file", whole)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(archive.asked) == 1
    client.download(file, tmp_path / "file", whole)
    assert archive.asked[1:] == ["/sas/file bytes=10000-"]


@pytest.mark.parametrize("wrong", [{"pause": -1}, {"timeout": 0}, {"tries": 0}, {"backoff": float("nan")}])
def test_manners_that_make_no_sense(wrong):
    with pytest.raises(RequestError, match=next(iter(wrong))):
        Manners(**wrong)
