"""`galprism cutouts` on images that are made here."""

import builtins

import numpy as np
import pytest
from commands import everything

from galprism.data.cutout_file import CutoutFile
from galprism.data.tables import open_table, write_table
from galprism.flags import Flag
from made_images import NJY, ZEROPOINT, stars, tan, write_fits

SHAPE = (300, 400)
NOISE = 3.0
X, Y = np.array([50.2, 200.0, 350.7, 120.0, -30.0]), np.array([60.0, 150.4, 250.0, 200.0, 50.0])
FLUX = np.array([4e3, 8e3, 2e3, 6e3, 1e3])
IDS = np.array([7, 3, 11, 5, 2])


@pytest.fixture
def sky(tmp_path):
    """Images g and r with noise, a mask of r that covers the fourth source; a table with both kinds of positions."""
    for band, factor in (("g", 0.5), ("r", 1.0)):
        noise = np.random.default_rng(ord(band)).normal(0, NOISE, SHAPE)
        image = factor * stars(SHAPE, X, Y, FLUX) + noise + 20
        write_fits(tmp_path / f"{band}.fits", image, tan(SHAPE), compressed=band == "r", MAGZERO=ZEROPOINT)
    write_fits(tmp_path / "bare.fits", stars(SHAPE, X, Y, FLUX) + noise)
    mask = np.zeros(SHAPE, np.uint8)
    mask[180:220, 100:140] = 1
    write_fits(tmp_path / "mask.fits", mask)
    ra, dec = tan(SHAPE).wcs_pix2world(X, Y, 0)
    write_table(tmp_path / "cat.fits", {"id": IDS, "ra": ra, "dec": dec, "X_IMAGE": X + 1, "Y_IMAGE": Y + 1})
    psf = {"fwhm_r": np.linspace(0.6, 1.0, 5), "naught": np.array([0.7, 0.7, 0.0, 0.7, 0.7])}
    write_table(tmp_path / "psf.fits", {"id": IDS, "ra": ra, "dec": dec, **psf})
    write_table(tmp_path / "no.csv", {"id": IDS, "flux_r": FLUX})
    write_table(tmp_path / "twice.csv", {"id": IDS // 4, "ra": ra, "dec": dec})
    write_table(tmp_path / "text.csv", {"id": IDS, "ra": ra.astype(str), "dec": np.array(["+02d"] * 5)})
    return tmp_path


@pytest.fixture
def words(sky):
    def make(*others, catalogue="cat.fits", image=("g=g.fits", "r=r.fits"), out="out.h5"):
        named = [word.partition("=")[::2] for word in image]
        images = [part for band, name in named for part in ("--image", f"{band}={sky / name}")]
        return ["cutouts", sky / catalogue, *images, "-o", sky / out, *others]

    return make


def test_cut_and_measured(galprism, words, sky):
    mask = ("--mask", f"r={sky / 'mask.fits'}")
    result = galprism(*words(*mask, "--photometry", "--catalogue", sky / "flux.parquet", "--aperture", "3"))
    assert result.status == 0, result.err
    assert "5 sources cut out in g, r, 41 x 41 pixels" in result.out
    assert "1 OFF_IMAGE: " in result.out
    assert "1 MASKED: " in result.out
    assert f"zero point {ZEROPOINT:g}, its header's MAGZERO" in result.out
    file = CutoutFile(sky / "out.h5")
    np.testing.assert_array_equal(file.id, IDS)
    np.testing.assert_array_equal(file.flags, [0, 0, 0, Flag.MASKED, Flag.OFF_IMAGE])
    assert (file.bands, file.shape, file.unit) == (("g", "r"), (41, 41), "nJy")
    assert "scatter of the sky" in file.provenance["bands"]["g"][0]["noise"]
    cutouts = file.read()
    np.testing.assert_allclose(cutouts.ivar[:3] ** -0.5, NOISE * NJY, rtol=0.05)
    with open_table(sky / "flux.parquet") as table:
        found = table.read()
    np.testing.assert_array_equal(found["id"], IDS)
    for band, factor in (("g", 0.5), ("r", 1.0)):
        flux, err = found[f"flux_{band}"], found[f"flux_err_{band}"]
        pull = (flux - factor * FLUX * NJY * (1 - np.exp(-(7.5**2) / 2 / (4 + 1 / 6)))) / err
        assert np.all(np.abs(pull[:3]) < 5)
        np.testing.assert_array_equal(np.isnan(flux), [False, False, False, band == "r", True])


def test_pixels_say_the_same_as_the_sky(galprism, words, sky):
    assert galprism(*words()).status == 0
    by_pixel = words("--x", "X_IMAGE", "--y", "Y_IMAGE", "--first-pixel", "1", "--size", "41", out="xy.h5")
    assert galprism(*by_pixel).status == 0
    a, b = (CutoutFile(sky / name).read() for name in ("out.h5", "xy.h5"))
    np.testing.assert_array_equal(a.flux, b.flux)


def test_an_image_without_wcs(galprism, words):
    bare = ("--x", "X_IMAGE", "--y", "Y_IMAGE", "--pixel-scale", "0.2", "--zeropoint", "r=27", "--fwhm", "r=0.9")
    assert galprism(*words(*bare, image=["r=bare.fits"])).status == 0


def test_a_psf_that_varies(galprism, words, sky):
    """Told by a column, each source has its own; apertures are then matched source by source."""
    told = ("--fwhm", "g=0.8", "--fwhm", "r=fwhm_r", "--photometry", "--catalogue", sky / "flux.parquet")
    assert galprism(*words(*told, catalogue="psf.fits")).status == 0
    fwhm = CutoutFile(sky / "out.h5").read().psf_fwhm
    np.testing.assert_allclose(fwhm, np.stack([np.full(5, 0.8), np.linspace(0.6, 1.0, 5)], axis=1), rtol=1e-6)
    with open_table(sky / "flux.parquet") as table:
        found = table.read()
    # smoothed by a Gaussian of variance s^2 px^2, a Gaussian source of variance 4 loses light from a circle of 5 px
    wider = np.maximum(0.8, fwhm[:2, 1]) ** 2 - fwhm[:2, 1] ** 2
    variance = 4 + 1 / 12 + wider / (8 * np.log(2)) / 0.2**2
    expected = FLUX[:2] * NJY * (1 - np.exp(-(5.0**2) / 2 / variance))
    np.testing.assert_allclose(found["flux_r"][:2], expected, rtol=0.03)


def test_batches_do_not_matter(galprism, words, sky, monkeypatch):
    assert galprism(*words()).status == 0
    monkeypatch.setattr("galprism.cli.cutouts.BATCH_BYTES", 2 * 8 * 2 * 41 * 41)
    assert galprism(*words(out="again.h5")).status == 0
    a, b = (CutoutFile(sky / name) for name in ("out.h5", "again.h5"))
    np.testing.assert_array_equal(a.read().flux, b.read().flux)
    np.testing.assert_array_equal(a.flags, b.flags)


@pytest.mark.parametrize(
    ("others", "changed", "said"),
    [
        ((), {"catalogue": "no.csv"}, "no.csv: has no positions under ra, RA, "),
        ((), {"catalogue": "twice.csv"}, "twice.csv: id 0 stands in several rows of column id"),
        ((), {"catalogue": "text.csv"}, "text.csv: column dec holds <U"),
        ((), {"catalogue": "none.csv"}, "none.csv: no such file"),
        ((), {"image": ["r=bare.fits"]}, "bare.fits:0: its header has no zero point under MAGZERO"),
        (("--zeropoint", "r=27"), {"image": ["r=bare.fits"]}, "no celestial WCS to tell its pixel scale"),
        (("--zeropoint", "r=27", "--pixel-scale", "0.2"), {"image": ["r=bare.fits"]}, "accepted: positions in pixels"),
        (("--pixel-scale", "0.3"), {}, "has pixels of 0.2 arcsec by its WCS; 0.3 arcsec was asked for"),
        ((), {"image": ["r=r.fits:9"]}, "has no HDU '9'"),
        ((), {"image": ["=r.fits"]}, "is not of the form BAND=VALUE"),
        (("--mask", "z=mask.fits"), {}, "--mask z=mask.fits: there is no image of z, only of g, r"),
        (("--zeropoint", "r=bright"), {}, "--zeropoint r=bright; accepted: a number"),
        (("--fwhm", "r=wide"), {}, "--fwhm r=wide; accepted: a number of arcsec, or a column of"),
        (("--fwhm", "r=wide", "--fwhm", "r=1"), {}, "--fwhm: r is given 2 times"),
        (("--fwhm", "r=-1"), {}, "--fwhm r=-1; accepted: arcsec, above zero"),
        (("--fwhm", "r=naught"), {"catalogue": "psf.fits"}, "column naught is 0 for id 11; accepted as FWHM: arcsec"),
        (("--zeropoint", "r=1", "--zeropoint", "r=2"), {}, "--zeropoint: r is given 2 times"),
        (("--mask", "r=a", "--mask", "r=b"), {}, "--mask: 2 for 1 images of r; accepted: one each"),
        (("--x", "X_IMAGE"), {}, "--x and --y go together"),
        (("--x", "X", "--y", "Y_IMAGE"), {}, "no column 'X'"),
        (("--photometry",), {}, "--photometry and --catalogue OUT go together"),
        (("--annulus", "3"), {}, "--annulus '3'; accepted: two radii"),
        (("--size", "1"), {}, "size = 1; accepted: 3 pixels or more"),
        ((), {"out": "out.fits"}, "out.fits: a file of cutouts ends in .h5 or .hdf5"),
        ((), {"out": "missing/out.h5"}, "there is no folder"),
    ],
)
def test_what_is_wrong_is_refused(others, changed, said, refused, words):
    assert refused(words(*others, **changed), said)


def test_measuring_what_does_not_fit_leaves_nothing(galprism, words, sky):
    before = everything(sky)
    asked = words("--photometry", "--catalogue", sky / "flux.parquet", "--size", "9")
    result = galprism(*asked)
    assert (result.status, len(result.complaint)) == (2, 1)
    assert "aperture of 2 arcsec; accepted in these cutouts: up to 1.6" in result.err
    partly = galprism(*words("--photometry", "--catalogue", sky / "flux.parquet", "--fwhm", "r=0.7"))
    assert "FWHM is not known in g" in partly.err
    assert "is what is read" in galprism(*words("--photometry", "--catalogue", sky / "cat.fits")).err
    assert "is what is read" in galprism(*words("--photometry", "--catalogue", sky / "r.fits")).err
    assert everything(sky) == before


def test_without_photutils(galprism, words, sky, monkeypatch):
    monkeypatch.setattr("galprism.cli.extras.find_spec", lambda name: None)
    result = galprism(*words("--photometry", "--catalogue", sky / "flux.parquet"))
    assert result.status == 2
    assert "aperture photometry needs photutils: pip install 'galprism[images]'" in result.err
    imported = builtins.__import__

    def without(name, *rest):
        assert not name.startswith("photutils")
        return imported(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert galprism(*words()).status == 0
