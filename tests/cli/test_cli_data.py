"""`galprism data sdss` against a made archive on this machine."""

import signal
import subprocess
import sys

import numpy as np
import pytest
from commands import everything

from galprism.cli.folders import alone
from galprism.data.tables import open_table, write_table
from made_archive import THINGS, serving, stock

NAMES = ("plate", "mjd", "fiberID")
FIBERS = [one.fiber for one in THINGS if one.fiber]


@pytest.fixture
def archive():
    with serving(stock()) as archive:
        yield archive


@pytest.fixture
def listed(tmp_path):
    """A list of fibres."""

    def write(fibers=FIBERS, **more):
        path = tmp_path / "list.csv"
        columns = {name: np.array([fiber[i] for fiber in fibers]) for i, name in enumerate(NAMES)}
        write_table(path, columns | {name: np.array(values) for name, values in more.items()})
        return path

    return write


def read(path):
    with open_table(path) as table:
        return table.read()


def test_a_list(galprism, archive, listed, tmp_path):
    result = galprism("data", "sdss", listed([*FIBERS, (1, 2, 3)]), "-o", tmp_path / "out", *archive.servers)
    assert result.status == 0, result.err
    first, *rest = result.out.splitlines()
    assert first.startswith(
        "4 objects asked for, 3 found: 3 spectra, 3 cutouts, 3 photometry, 3 star-formation rates; "
    )
    assert "1 lack something (12 requests)" in first
    assert rest == ["          1 SDSS has no such spectrum"]
    table = read(tmp_path / "out" / "objects.ecsv")
    assert table["asked"].tolist() == ["0266-51602-0013", "0266-51602-0014", "10222-58224-0985", "0001-2-0003"]


def test_what_comes_is_read_by_the_other_verbs(galprism, archive, listed, tmp_path):
    out = tmp_path / "out"
    assert galprism("data", "sdss", listed(), "-o", out, *archive.servers).status == 0
    result = galprism("predict", "sdss-mass-sfr", out / "objects.ecsv", "-o", tmp_path / "a.csv", "--threads", 1)
    assert result.status == 0, result.err
    assert "preset sdss-modelflux" in galprism("check", "sdss-mass-sfr", out / "objects.ecsv").out
    fused = ("--cutouts", out / "cutouts.h5", "--spectra", out / "spectra", "--threads", 1)
    result = galprism("predict", "galaxy-populations", out / "objects.ecsv", *fused, "-o", tmp_path / "b.csv")
    assert result.status == 0, result.err
    assert not any(flag in result.out for flag in ("IMAGE_MISSING", "SPECTRUM_MISSING", "NO_PHOTOMETRY", "POSITION"))
    assert read(tmp_path / "b.csv")["id"].tolist() == read(out / "objects.ecsv")["id"].tolist()


def test_a_query(galprism, archive, tmp_path):
    sql = "SELECT TOP 3 specObjID FROM SpecObj"
    for n in (13, 13):
        result = galprism("data", "sdss", "--query", sql, "-o", tmp_path / "out", *archive.servers)
        assert result.status == 0, result.err
        assert "3 objects asked for, 3 found" in result.out
        assert len(archive.asked) == n


def test_positions(galprism, archive, tmp_path):
    ra, dec = np.transpose([one.sky for one in THINGS])
    write_table(tmp_path / "list.fits", {"ra": [*ra, np.nan, 0.0], "dec": [*dec, 0.0, 0.0]})
    result = galprism("data", "sdss", tmp_path / "list.fits", "-o", tmp_path / "out", *archive.servers)
    assert result.status == 0, result.err
    table = read(tmp_path / "out" / "objects.ecsv")
    assert table["id"].tolist()[:4] == ["0266-51602-0013", "0266-51602-0014", "10222-58224-0985", str(THINGS[3].objid)]
    assert table["missing"].tolist()[3:] == [
        "spectrum: SDSS has none of it; sfr: SDSS has no spectrum of it",
        "ra = nan, dec = 0 is no position",
        "SDSS has no such object within 2 arcsec",
    ]
    np.testing.assert_allclose(table["separation"][:4], 0, atol=1e-3)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "a list of objects, or --query"),
        (("LIST", "--query", "SELECT 1"), "one of the two"),
        (("LIST", "--what", "spectra,pictures"), "--what 'spectra,pictures'; accepted: spectra, cutouts"),
        (("LIST", "--what", ""), "accepted: spectra"),
        (("LIST", "--url", "sas"), "--url 'sas'; accepted: SERVER=URL"),
        (("LIST", "--url", "nasa=http://x"), "one of skyserver, sas, mpa-jhu"),
        (("LIST", "--url", "sas=file:///etc"), "server sas at 'file:///etc'"),
        (("LIST", "--tries", "0"), "tries = 0"),
        (("LIST", "--pause", "-1"), "pause = -1"),
        (("LIST", "--size", "2"), "--size 2"),
        (("nothing.csv",), "nothing.csv"),
        (("LIST", "--sfr", "casjobs"), "'casjobs'"),
    ],
)
def test_wrong_requests(words, said, refused, archive, listed, tmp_path):
    path = str(listed())
    words = [word.replace("LIST", path) for word in words]
    refused(("data", "sdss", *archive.servers, *words, "-o", tmp_path / "out"), said)
    assert not archive.asked


def test_a_query_that_skyserver_refuses(refused, archive, tmp_path):
    refused(("data", "sdss", "--query", "SELECT ;", "-o", tmp_path / "out", *archive.servers), "Incorrect syntax near")
    assert len(archive.asked) == 1  # it would be refused again


def test_a_query_that_finds_nothing(galprism, archive, tmp_path):
    archive.things = ()
    result = galprism(
        "data", "sdss", "--query", "SELECT TOP 1 ra, dec FROM x", "-o", tmp_path / "out", *archive.servers
    )
    assert result.status == 2
    assert "found no object" in result.err


@pytest.mark.parametrize("where", ["file", "file/below", "list.csv"])
def test_a_folder_that_is_a_file(where, refused, archive, listed, tmp_path):
    (tmp_path / "file").write_bytes(b"mine")
    refused(("data", "sdss", listed(), "-o", tmp_path / where, *archive.servers), where)
    assert not archive.asked
    assert (tmp_path / "file").read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["objects.ecsv", "cutouts.h5"])
def test_a_file_that_is_a_folder(name, refused, archive, listed, tmp_path):
    (tmp_path / "out" / name).mkdir(parents=True)
    (tmp_path / "out" / "downloads").mkdir()
    refused(("data", "sdss", listed(), "-o", tmp_path / "out", *archive.servers), name, "is a directory")
    assert not archive.asked


def test_downloads_that_are_a_file(refused, archive, listed, tmp_path):
    (tmp_path / "file").write_bytes(b"mine")
    words = ("-o", tmp_path / "out", "--downloads", tmp_path / "file")
    refused(("data", "sdss", listed(), *words, *archive.servers), "cannot be made a folder")
    assert not archive.asked
    assert (tmp_path / "file").read_bytes() == b"mine"


@pytest.mark.parametrize("busy", ["out", "shared"])
def test_two_runs_in_one_folder(busy, refused, galprism, archive, listed, tmp_path):
    for name in ("out", "shared"):
        (tmp_path / name).mkdir()
    words = ("data", "sdss", listed(), "-o", tmp_path / "out", "--downloads", tmp_path / "shared", *archive.servers)
    with alone(tmp_path / busy):
        refused(words, f"{busy}: another run writes there")
    assert galprism(*words).status == 0


def test_a_list_in_the_place_of_the_table(refused, archive, listed, tmp_path):
    (tmp_path / "out").mkdir()
    table = listed().rename(tmp_path / "list.csv")
    write_table(tmp_path / "out" / "objects.ecsv", read(table))
    refused(
        ("data", "sdss", tmp_path / "out" / "objects.ecsv", "-o", tmp_path / "out", *archive.servers), "what is read"
    )
    assert not archive.asked
    assert read(tmp_path / "out" / "objects.ecsv")["fiberID"].tolist() == [fiber[2] for fiber in FIBERS]


def test_what_was_fetched_before_stays_in_the_table(galprism, refused, archive, listed, tmp_path):
    words = ("data", "sdss", listed(), "-o", tmp_path / "out", *archive.servers)
    assert galprism(*words).status == 0
    n = len(archive.asked)
    said = refused(
        (*words, "--what", "cutouts"), "has spectra, photometry, sfr", "--what spectra,cutouts,photometry,sfr"
    )
    assert str(tmp_path / "out" / "objects.ecsv") in said
    result = galprism(*words, "--size", "32")
    assert result.status == 0
    assert "the cutouts were of 64 x 64 pixels: replaced by 32 x 32" in result.out
    few = galprism("data", "sdss", listed(FIBERS[:1]), "-o", tmp_path / "out", *archive.servers, "--size", "32")
    assert "of 2 more objects, which are not in this list: replaced" in few.out
    assert "replaced" not in galprism("data", "sdss", tmp_path / "list.csv", *words[3:], "--size", "32").out
    assert len(archive.asked) < n + 8  # frames for the other size, but nothing else, are fetched again


def test_a_table_of_mine_is_not_replaced(refused, archive, listed, tmp_path):
    (tmp_path / "out" / "downloads").mkdir(parents=True)
    write_table(tmp_path / "out" / "objects.ecsv", {"mine": np.arange(3)})
    refused(("data", "sdss", listed(), "-o", tmp_path / "out", *archive.servers), "no table of `galprism data`")
    assert not archive.asked


def test_a_page_of_html_in_the_place_of_a_spectrum(galprism, archive, listed, tmp_path):
    archive.faults["spec-0266-51602-0013"] = ["html"] * 3
    words = ("-o", tmp_path / "out", *archive.servers, "--what", "spectra")
    assert galprism("data", "sdss", listed(), *words).status == 0
    (why, *others) = read(tmp_path / "out" / "objects.ecsv")["missing"].tolist()
    assert "is no FITS file" in why
    assert "SIMPLE" not in why
    assert others == ["", ""]


def test_rates_are_counted_by_what_they_are_of(galprism, archive, listed, tmp_path):
    archive.faults["gal_totsfr"] = ["404"]
    result = galprism("data", "sdss", listed(), "-o", tmp_path / "out", *archive.servers, "--what", "sfr")
    assert "0 star-formation rates (3 within the fibre)" in result.out


def test_a_server_that_is_down_ends_the_run_with_its_table(galprism, archive, listed, tmp_path):
    archive.faults["/sas/"] = ["500"] * 9
    words = ("data", "sdss", listed(), "-o", tmp_path / "out", *archive.servers)
    result = galprism(*words)
    assert result.status == 1
    assert "did not answer 3 times in a row (500 Internal Server Error)" in result.err
    assert "run the same command again to take it up" in result.err
    table = read(tmp_path / "out" / "objects.ecsv")
    assert table["id"].tolist() == ["0266-51602-0013", "0266-51602-0014", "10222-58224-0985"]
    assert not table["spectrum"].any()
    assert not np.isnan(table["modelFlux_r"]).any()
    assert all("not asked" in why for why in table["missing"])
    assert galprism(*words).status == 0
    assert read(tmp_path / "out" / "objects.ecsv")["spectrum"].all()


def test_a_network_that_is_down(galprism, archive, listed, tmp_path):
    words = ("data", "sdss", listed(), "-o", tmp_path / "out", *archive.servers)
    result = galprism(*words, "--url", "skyserver=http://127.0.0.1:9")
    assert result.status == 1
    assert "nothing was found: 127.0.0.1:9: cannot be reached: " in result.err
    assert len(read(tmp_path / "out" / "objects.ecsv")["id"]) == 3
    assert galprism(*words).status == 0


def test_two_lists_share_their_downloads(galprism, archive, listed, tmp_path):
    for name in ("a", "b"):
        words = ("-o", tmp_path / name, "--downloads", tmp_path / "shared", "--what", "sfr,cutouts")
        assert galprism("data", "sdss", listed(), *words, *archive.servers).status == 0
    assert len(archive.asked) == 1 + 3 + 5
    assert (tmp_path / "b" / "cutouts.h5").exists()
    assert not (tmp_path / "a" / "downloads").exists()


def test_halves_of_files_are_swept_away(galprism, archive, listed, tmp_path):
    for name in (".cutouts.h5.0123abcd.part", "downloads/queries/.a.json.0123abcd.part"):
        (tmp_path / "out" / name).mkdir(parents=True)
        (tmp_path / "out" / name / "file").write_bytes(b"half")
    assert galprism("data", "sdss", listed(), "-o", tmp_path / "out", *archive.servers).status == 0
    assert not [path for path in everything(tmp_path / "out") if ".part" in path]


def test_a_run_that_is_killed_is_taken_up(archive, listed, galprism, tmp_path):
    """Killed while a server is silent, after it has sent half a spectrum."""
    archive.faults = {"spec-0266-51602-0014": ["half", "silence"]}
    words = ["data", "sdss", str(listed()), "-o", str(tmp_path / "out"), *archive.servers, "--timeout", "60"]
    running = subprocess.Popen([sys.executable, "-m", "galprism", *words], stderr=subprocess.PIPE)
    assert archive.silent.wait(120)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    archive.over.set()
    assert running.returncode == -signal.SIGKILL
    spectra = {path.name for path in (tmp_path / "out" / "spectra").iterdir()}
    assert spectra == {"spec-0266-51602-0013.fits", "spec-0266-51602-0014.fits.part"}
    assert not (tmp_path / "out" / "objects.ecsv").exists()
    result = galprism(*words)
    assert result.status == 0, result.err
    assert archive.count("spec-0266-51602-0013") == 1
    assert "spec-0266-51602-0014.fits bytes=" in " ".join(archive.asked[-11:])
    assert archive.count("SqlSearch") == 1
    assert not [path for path in everything(tmp_path / "out") if path.endswith((".part", ".tmp"))]
    assert read(tmp_path / "out" / "objects.ecsv")["spectrum"].all()
