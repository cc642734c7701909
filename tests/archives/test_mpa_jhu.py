"""Star-formation rates of MPA-JHU: the right row, and none that is wrong in itself."""

import gzip

import numpy as np
import pytest

from galprism.archives.client import Unavailable
from galprism.archives.mpa_jhu import FILES, STATISTICS, MpaJhu, checked, rates_of_skyserver
from galprism.archives.skyserver import SkyServer
from galprism.errors import GalprismError
from made_archive import THINGS, made_rates

FIBERS = [one.fiber for one in THINGS if one.fiber]


@pytest.fixture
def mpa_jhu(client, archive, tmp_path):
    return MpaJhu(client, f"{archive.url}/mpa-jhu", tmp_path / "mpa-jhu")


def test_rates_are_those_of_the_spectrum(mpa_jhu):
    found = mpa_jhu.rates([FIBERS[2], FIBERS[0]], "tot")
    for (rates, why), k in zip(found, (2, 0), strict=True):
        assert why == ""
        assert rates == pytest.approx(made_rates(k), abs=1e-6)


def test_what_is_in_the_fibre_is_another_table(mpa_jhu):
    ((rates, _),) = mpa_jhu.rates([FIBERS[1]], "fib")
    assert rates["MEDIAN"] == pytest.approx(made_rates(1)["MEDIAN"] - 0.5)


def test_files_are_fetched_once_and_taken_up(client, archive, mpa_jhu, tmp_path):
    name = f"{FILES['info']}.gz"
    archive.faults[name] = ["half"]
    mpa_jhu.rates(FIBERS, "tot")
    assert any(name in one and "bytes=" in one for one in archive.asked)
    n = len(archive.asked)
    MpaJhu(client, archive.url, tmp_path / "mpa-jhu").rates(FIBERS, "tot")
    assert len(archive.asked) == n
    assert sorted(path.name for path in (tmp_path / "mpa-jhu").iterdir()) == sorted((FILES["info"], FILES["tot"]))


@pytest.mark.parametrize("left", [0, 100, 2880, 5760, 8640])
@pytest.mark.parametrize("key", ["info", "tot"])
def test_a_file_that_was_cut_off_is_fetched_again(client, archive, mpa_jhu, tmp_path, key, left):
    """In the middle of a header, behind the first, in the table's rows: by its headers it has more."""
    expected = mpa_jhu.rates(FIBERS, "tot")
    path = tmp_path / "mpa-jhu" / FILES[key]
    whole = path.read_bytes()
    path.write_bytes(whole[: min(left, len(whole) - 2880)])
    assert mpa_jhu.rates(FIBERS, "tot") == expected
    assert path.read_bytes() == whole
    assert archive.count(FILES[key]) == 2


def test_a_spectrum_that_it_has_not(mpa_jhu):
    ((rates, why),) = mpa_jhu.rates([(1, 2, 3)], "tot")
    assert np.isnan(list(rates.values())).all()
    assert why == "MPA-JHU has no such spectrum"


def test_tables_of_different_lengths_are_refused(archive, mpa_jhu):
    other = next(address for address in archive.files if FILES["info"] in address)
    content = gzip.decompress(archive.files[other])
    archive.files[other] = gzip.compress(
        content.replace(b"NAXIS2  =                    3", b"NAXIS2  =                    2")
    )
    with pytest.raises(GalprismError, match="has 3 rows"):
        mpa_jhu.rates(FIBERS, "tot")


def test_files_that_do_not_come(archive, mpa_jhu):
    archive.faults["gal_info"] = ["404"]
    with pytest.raises(Unavailable, match="404"):
        mpa_jhu.rates(FIBERS, "tot")


def test_a_page_of_html_is_no_file(archive, mpa_jhu):
    archive.faults["gal_info"] = ["html", "html"]
    assert mpa_jhu.rates(FIBERS, "tot")[0][1] == ""


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"P16": 0.5}, "statistics out of order, P16 = 0.500 > MEDIAN = 0.000"),
        ({"P2P5": -0.3}, "statistics out of order, P2P5 = -0.300 > P16 = -0.400"),
        ({"P84": -0.6}, "MEDIAN = 0.000 > P84 = -0.600"),
        ({"P97P5": 0.3}, "P84 = 0.400 > P97P5 = 0.300"),
        ({"MEDIAN": -9999, "P16": 0.5}, "P16 = 0.500 > P84 = 0.400"),
        (dict.fromkeys(STATISTICS, -9999.0), "MPA-JHU has no rate"),
        (dict.fromkeys(STATISTICS, -99.0), "MPA-JHU has no rate"),
        (dict.fromkeys(("P2P5", "P16", "MEDIAN", "P84", "P97P5"), -9999.0), "MPA-JHU has no rate"),
    ],
)
def test_statistics_that_cannot_be_are_missing_and_said(change, why):
    rates, said = checked(made_rates(0) | change)
    assert np.isnan([rates[name] for name in STATISTICS]).all()
    assert why in said


def test_one_statistic_that_is_missing():
    rates, said = checked(made_rates(0) | {"MODE": -9999.0})
    assert np.isnan(rates["MODE"])
    assert rates["MEDIAN"] == 0
    assert said == "MPA-JHU has no MODE"


def test_statistics_in_order_pass_with_ties():
    rates, said = checked(dict.fromkeys(STATISTICS, -1.5))
    assert said == ""
    assert rates == dict.fromkeys(STATISTICS, -1.5)


def test_skyserver_has_six_of_them(client, archive, tmp_path):
    skyserver = SkyServer(client, f"{archive.url}/skyserver", tmp_path)
    ids = [str(THINGS[k].specobjid) for k in (2, 0)]
    found = rates_of_skyserver(skyserver, [*ids, "7"], "fib")
    for (rates, why), k in zip(found, (2, 0), strict=False):
        assert why == ""
        assert {name: rates[name] for name in STATISTICS if rates[name] == rates[name]} == {
            name: value for name, value in made_rates(k).items() if name not in ("AVG", "MODE")
        }
    assert found[2][1] == "MPA-JHU has no such spectrum"
