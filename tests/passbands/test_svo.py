"""The SVO's service, played by a server of our own on this machine."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from galprism import passbands
from galprism.errors import RequestError
from galprism.passbands import svo

WAVE = np.linspace(500.0, 600.0, 21)
TOP = np.clip(np.minimum(WAVE - 500, 600 - WAVE) / 20, 0, 1)

CURVE = """<?xml version="1.0"?>
<VOTABLE version="1.1" xmlns="http://www.ivoa.net/xml/VOTable/v1.1"><INFO name="QUERY_STATUS" value="OK"/>
<RESOURCE type="results"><TABLE>
<PARAM name="filterID" value="Far/Cam.V" datatype="char"/>
<PARAM name="DetectorType" value="{detector}" datatype="char"/>
<PARAM name="Description" value="a made-up V" datatype="char"/>
<FIELD name="Wavelength" unit="nm" datatype="double"/><FIELD name="Transmission" unit="" datatype="double"/>
<DATA><TABLEDATA>{rows}</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"""
NOTHING = """<?xml version="1.0"?><VOTABLE><INFO name="QUERY_STATUS" value="ERROR"><DESCRIPTION>Filter not found:
Far/Cam.X</DESCRIPTION></INFO></VOTABLE>"""


def votable(detector=1, values=TOP):
    rows = "".join(f"<TR><TD>{w}</TD><TD>{t}</TD></TR>" for w, t in zip(WAVE, values, strict=True))
    return CURVE.format(detector=detector, rows=rows)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        name = parse_qs(urlsplit(self.path).query)["ID"][0]
        self.server.asked.append(name)
        answer = self.server.answers.get(name, NOTHING)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *args):
        pass


@pytest.fixture
def service(monkeypatch, tmp_path):
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.asked = []
    server.answers = {"Far/Cam.V": votable(), "Far/Cam.E": votable(detector=0), "Far/Cam.P": votable(values=80 * TOP)}
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("GALPRISM_SVO_URL", f"http://127.0.0.1:{server.server_port}/fps.php")
    monkeypatch.setenv("GALPRISM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GALPRISM_OFFLINE", raising=False)
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_curve_is_fetched_once_and_kept(service, monkeypatch):
    band = passbands.get("Far/Cam.V")
    assert band.wave[0] == 5000
    assert band.width == pytest.approx(800)
    assert band.provenance["source"].endswith("Far/Cam.V")
    monkeypatch.setenv("GALPRISM_OFFLINE", "1")
    assert passbands.get("Far/Cam.V").hash == band.hash
    assert service.asked == ["Far/Cam.V"]


def test_an_energy_counter_becomes_a_photon_counter(service):
    assert passbands.get("Far/Cam.E").pivot < passbands.get("Far/Cam.V").pivot
    assert passbands.get("Far/Cam.P").hash == passbands.get("Far/Cam.V").hash


def test_what_the_service_does_not_have_is_said_and_not_kept(service):
    with pytest.raises(RequestError, match=r"no curve for 'Far/Cam.X' .*Filter not found"):
        passbands.get("Far/Cam.X")
    assert not list(svo.cache_folder().glob("svo/*"))


def test_offline_asks_nobody(service, monkeypatch):
    monkeypatch.setenv("GALPRISM_OFFLINE", "1")
    with pytest.raises(RequestError, match="GALPRISM_OFFLINE forbids"):
        passbands.get("Far/Cam.V")
    assert service.asked == []


def test_without_a_network_the_message_says_so(service, monkeypatch):
    monkeypatch.setenv("GALPRISM_SVO_URL", "http://127.0.0.1:9/fps.php")
    with pytest.raises(RequestError, match=r"could not be asked .*give a file"):
        passbands.get("Far/Cam.V")


def test_a_cache_that_cannot_be_written_costs_only_a_line(service, monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GALPRISM_CACHE", str(tmp_path / "file"))
    assert passbands.get("Far/Cam.V").width == pytest.approx(800)
    assert "was not cached" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "says"),
    [("<html><body>gateway", "not a VOTable"), (votable().replace("<TD>0.0</TD>", "<TD>x</TD>"), "is not numbers")],
)
def test_a_broken_answer_is_refused(service, content, says):
    service.answers["Far/Cam.B"] = content
    with pytest.raises(RequestError, match=says):
        passbands.get("Far/Cam.B")


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"XDG_CACHE_HOME": "/x"}, Path("/x/galprism")),
        ("linux", {}, Path.home() / ".cache" / "galprism"),
        ("darwin", {}, Path.home() / "Library" / "Caches" / "galprism"),
        ("win32", {"LOCALAPPDATA": "/local"}, Path("/local/galprism/cache")),
        ("linux", {"GALPRISM_CACHE": "/mine"}, Path("/mine")),
    ],
)
def test_the_cache_is_where_the_platform_keeps_caches(monkeypatch, platform, variables, expected):
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "GALPRISM_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.platform", platform)
    assert svo.cache_folder() == expected
