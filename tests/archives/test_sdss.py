"""All of it, from a list to a folder: what comes, what does not, and what a second run does."""

import bz2
import io
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from galprism import surveys
from galprism.archives.sdss import KINDS, Servers, fetch
from galprism.archives.sdss_list import Asked
from galprism.archives.sdss_objects import BANDS
from galprism.archives.sdss_table import write_objects
from galprism.data.cutout_file import CutoutFile
from galprism.data.spectrum_files import read_spectra
from galprism.data.tables import open_table
from galprism.errors import RequestError
from galprism.flags import Flag
from made_archive import FWHM, NMGY, THINGS, Thing, made_rates, made_row, made_truth, serving, stock

ASKED = [Asked(fiber=one.fiber, id=f"g{k}") for k, one in enumerate(THINGS) if one.fiber]
IDS = ["0266-51602-0013", "0266-51602-0014", "10222-58224-0985"]


@pytest.fixture
def fetched(client, archive, tmp_path):
    """Fetch and write the table; gives what was got and the table's columns."""

    def run(asked=ASKED, kinds=KINDS, sfr="mpa-jhu", **options):
        servers = Servers(*(f"{archive.url}/{name}" for name in ("skyserver", "sas", "mpa-jhu")))
        folder = tmp_path / "out"
        got = fetch(
            asked, folder, client, downloads=folder / "downloads", servers=servers, kinds=kinds, sfr=sfr, **options
        )
        write_objects(tmp_path / "out" / "objects.ecsv", got, kinds, sfr)
        with open_table(tmp_path / "out" / "objects.ecsv") as table:
            return got, table.read()

    return run


def test_everything_comes(fetched, archive, tmp_path):
    got, table = fetched()
    assert [one.missing for one in got] == [[], [], []]
    assert table["id"].tolist() == IDS
    assert table["asked_id"].tolist() == ["g0", "g1", "g2"]
    assert table["spectrum"].all()
    assert table["cutouts"].tolist() == ["ugriz"] * 3
    for k in range(3):
        for name, value in made_rates(k).items():
            assert table[f"sfr_tot_{name.lower()}"][k] == pytest.approx(value, abs=1e-6)
    assert len(archive.asked) == 1 + 3 + 5 + 3


def test_photometry_is_read_as_that_of_sdss(fetched, tmp_path):
    """Fluxes in nJy, what the dust of the Galaxy takes put back, one row an object, missing ones too."""
    fetched([*ASKED, Asked(fiber=(1, 2, 3))])
    sources = surveys.read(tmp_path / "out" / "objects.ecsv", "sdss")
    assert sources.id.tolist() == [*IDS, "0001-2-0003"]
    np.testing.assert_allclose(sources.photometry.flux[:3], 100 * NMGY * 10 ** (0.4 * 0.1), rtol=1e-4)
    np.testing.assert_allclose(sources.photometry.flux_err[:3], 0.5 * NMGY * 10 ** (0.4 * 0.1), rtol=1e-4)
    assert not sources.photometry.observed[3].any()
    np.testing.assert_array_equal(sources.redshift, [0.1, 0.12, 0.55, np.nan])


def test_spectra_are_read_with_the_same_ids(fetched, tmp_path):
    fetched()
    read = read_spectra(tmp_path / "out" / "spectra")
    assert sorted(read.sources.id.tolist()) == sorted(IDS)


def test_cutouts_hold_the_light_and_its_noise(fetched, tmp_path):
    """Each galaxy's flux, summed over its cutout and weighed against the truth there, is right to its error."""
    fetched()
    file = CutoutFile(tmp_path / "out" / "cutouts.h5")
    assert file.id.tolist() == IDS
    assert (file.bands, file.shape, file.unit, file.pixel_scale) == (BANDS, (64, 64), "nJy", 0.396)
    cutouts = file.read()
    np.testing.assert_allclose(cutouts.psf_fwhm, [list(FWHM.values())] * 3)
    truth = made_truth() * NMGY
    for k, one in enumerate(THINGS[:3]):
        x, y = int(one.x) - 31, int(one.y) - 31
        window = truth[y : y + 64, x : min(x + 64, 200)]
        for b in range(5):
            flux, ivar = cutouts.flux[k, b, :, : window.shape[1]], cutouts.ivar[k, b, :, : window.shape[1]]
            assert (ivar > 0).all()
            chi2 = np.mean((flux - window) ** 2 * ivar)
            assert chi2 == pytest.approx(1, abs=6 * np.sqrt(2 / window.size))
            scale = np.sum(flux * window * ivar) / np.sum(window**2 * ivar)
            assert abs(scale - 1) < 5 / np.sqrt(np.sum(window**2 * ivar))
    assert (cutouts.ivar[2, :, :, 81:] == 0).all()
    assert (file.flags == 0).all()


def test_a_second_run_asks_for_nothing(fetched, archive, tmp_path):
    _, first = fetched()
    n = len(archive.asked)
    _, second = fetched()
    assert len(archive.asked) == n
    for name, column in first.items():
        np.testing.assert_array_equal(column, second[name])
    assert not list((tmp_path / "out" / "downloads" / "frames").iterdir())


def test_frames_are_kept_where_asked_for(fetched, tmp_path):
    fetched(keep_frames=True)
    assert len(list((tmp_path / "out" / "downloads" / "frames").glob("frame-*.fits.bz2"))) == 5
    assert len(list((tmp_path / "out" / "downloads" / "frames").iterdir())) == 5


def test_what_failed_is_said_and_taken_up(fetched, archive, tmp_path):
    archive.faults = {"spec-0266-51602-0014": ["500"] * 3, "frame-u": ["html"] * 3, "gal_fibsfr": ["half"] * 3}
    archive.ranges = False
    got, table = fetched()
    assert table["spectrum"].tolist() == [True, False, True]
    assert table["cutouts"].tolist() == ["griz"] * 3
    assert np.isnan(table["sfr_fib_avg"]).all()
    assert not np.isnan(table["sfr_tot_avg"]).any()
    assert "spectrum: 127.0.0.1" in got[1].missing[0]
    for word in ("cutouts: u: ", "bzip2", "sfr_fib: ", "after 3 tries"):
        assert word in table["missing"][0]
    file = CutoutFile(tmp_path / "out" / "cutouts.h5")
    assert (file.read().ivar[:, 0] == 0).all()
    assert (file.flags & Flag.OFF_IMAGE > 0).all()
    n = len(archive.asked)
    got, table = fetched()
    assert [one.missing for one in got] == [[], [], []]
    assert table["cutouts"].tolist() == ["ugriz"] * 3
    assert len(archive.asked) == n + 3
    assert (CutoutFile(tmp_path / "out" / "cutouts.h5").read().ivar[:, 0, 31, 31] > 0).all()


def test_what_the_archive_has_not_is_said_in_every_run(fetched, archive):
    del archive.files[next(address for address in archive.files if "frame-z" in address)]
    for n in (12, 12):
        got, table = fetched()
        assert table["cutouts"].tolist() == ["ugri"] * 3
        assert got[0].missing == [f"cutouts: z: {404} Not Found"]
        assert len(archive.asked) == n


def test_a_piece_that_is_spoiled_is_cut_again(fetched, archive, tmp_path):
    fetched()
    piece = next((tmp_path / "out" / "downloads" / "cutouts").iterdir())
    piece.write_bytes(piece.read_bytes()[:1000])
    _, table = fetched()
    assert table["cutouts"].tolist() == ["ugriz"] * 3
    assert archive.count("frame-") == 10


def test_a_spectrum_that_is_spoiled_is_fetched_again(fetched, archive, tmp_path):
    fetched(kinds=("spectra",))
    path = next((tmp_path / "out" / "spectra").iterdir())
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    _, table = fetched(kinds=("spectra",))
    assert table["spectrum"].all()
    assert path.read_bytes() == content
    assert archive.count("/spectra/") == 4


def test_an_object_that_is_asked_for_twice(fetched, archive, tmp_path):
    _, table = fetched([ASKED[0], ASKED[1], ASKED[0]])
    assert table["id"].tolist() == [IDS[0], IDS[1], IDS[0]]
    assert table["spectrum"].all()
    assert archive.count("/spectra/") == 2
    assert CutoutFile(tmp_path / "out" / "cutouts.h5").id.tolist() == IDS[:2]
    sources = surveys.read(tmp_path / "out" / "objects.ecsv", "sdss")
    assert len(sources) == 3


def test_a_source_without_a_spectrum_has_the_rest(fetched, tmp_path):
    ra, dec = THINGS[3].sky
    got, table = fetched([Asked(ra=ra, dec=dec)])
    assert got[0].missing == ["spectrum: SDSS has none of it", "sfr: SDSS has no spectrum of it"]
    assert table["cutouts"][0] == "ugriz"
    assert CutoutFile(tmp_path / "out" / "cutouts.h5").id.tolist() == [str(THINGS[3].objid)]


def test_rates_out_of_order_are_missing_and_said(client, tmp_path, fetched, archive):
    things = (replace(THINGS[0], rates={"P16": 9.0}), replace(THINGS[1], rates={"AVG": -9999.0}))
    with serving(stock(things)) as other:
        archive.url, archive.things = other.url, things
        got, table = fetched(ASKED[:2], kinds=("sfr",))
    assert np.isnan(table["sfr_tot_median"][0])
    assert "sfr_tot: statistics out of order, P16 = 9.000" in table["missing"][0]
    assert np.isnan(table["sfr_tot_avg"][1])
    assert table["sfr_tot_median"][1] == pytest.approx(0.1)
    assert "sfr_tot: MPA-JHU has no AVG" in got[1].missing


def test_rates_of_skyserver(fetched, archive):
    _, table = fetched(sfr="skyserver")
    assert archive.count("galSpecExtra") == 2
    assert archive.count("mpa-jhu") == 0
    np.testing.assert_allclose(table["sfr_tot_median"], [0, 0.1, 0.2])
    assert np.isnan(table["sfr_tot_mode"]).all()


def test_only_what_is_asked_for_is_fetched(fetched, archive, tmp_path):
    _, table = fetched(kinds=("photometry",))
    assert len(archive.asked) == 1
    assert not {"spectrum", "cutouts", "sfr_tot_avg"} & set(table)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["downloads", "objects.ecsv"]


def test_a_galaxy_at_the_edge_of_its_frame(client, tmp_path, fetched, archive):
    edge = Thing((266, 51602, 77), 10.2, 80.2)
    with serving(stock((edge,))) as other:
        archive.url = other.url
        fetched([Asked(fiber=edge.fiber)], kinds=("cutouts",))
    ivar = CutoutFile(tmp_path / "out" / "cutouts.h5").read().ivar[0]
    assert (ivar[:, :, :21] == 0).all()
    assert (ivar[:, :, 22:] > 0).all()


def spoiled(archive, word, **header):
    """Change the header of a frame that the archive has."""
    address = next(one for one in archive.files if word in one)
    with fits.open(io.BytesIO(bz2.decompress(archive.files[address]))) as file:
        file[0].header.update(header)
        content = io.BytesIO()
        file.writeto(content)
    archive.files[address] = bz2.compress(content.getvalue(), 1)


def test_a_frame_that_is_of_another_place(fetched, archive, tmp_path):
    spoiled(archive, "frame-z", CRVAL2=13.0)
    got, table = fetched(kinds=("cutouts",))
    assert table["cutouts"].tolist() == ["ugri"] * 3
    assert got[0].missing == ["cutouts: z: the source is not on its frame"]
    assert (CutoutFile(tmp_path / "out" / "cutouts.h5").flags & Flag.OFF_IMAGE > 0).all()


def test_frames_that_do_not_fit_together(fetched, archive):
    spoiled(archive, "frame-z", CDELT1=0.396 / 3600)
    for _ in range(2):
        got, table = fetched(kinds=("cutouts",))
        assert table["cutouts"].tolist() == [""] * 3
        assert "the frames cannot be cut: " in got[0].missing[0]
        assert "mirrored" in got[0].missing[0]


def test_an_empty_list_gives_an_empty_table(fetched, archive):
    got, table = fetched([])
    assert got == []
    assert len(table["id"]) == 0
    assert not archive.asked


def test_the_answer_of_the_made_sky_has_all_columns(fetched):
    """Those that are asked for are those that it gives: a change of the query would be missed otherwise."""
    from galprism.archives.sdss_objects import COLUMNS

    names = {part.split(" AS ")[-1].split(".")[-1] for part in COLUMNS.split(",")}
    assert names == set(made_row(THINGS[0]))


@pytest.mark.parametrize("url", ["file:///etc/passwd", "data.sdss.org", "ftp://data.sdss.org", ""])
def test_addresses_that_are_none(url):
    with pytest.raises(RequestError, match="server sas"):
        Servers(sas=url)
