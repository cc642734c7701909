import tracemalloc

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import Sip

from galprism.data.images import open_image, open_plane, same_grid
from galprism.errors import RequestError
from galprism.units import njy_from_abmag
from made_images import NJY, SCALE, ZEROPOINT, tan, write_fits

SHAPE = (30, 40)
COUNTS = np.arange(1200, dtype=np.float32).reshape(SHAPE)
ALL = slice(0, SHAPE[0]), slice(0, SHAPE[1])


def given(path, **other):
    return open_image(path, **{"zeropoint": ZEROPOINT, "pixel_scale": SCALE, **other})


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.uint16, np.int32, np.float64])
def test_pixels_of_every_type_are_read_by_sections(tmp_path, compressed, dtype):
    path = tmp_path / "r.fits"
    hdu = fits.CompImageHDU if compressed else fits.ImageHDU
    options = {"compression_type": "GZIP_1", "quantize_level": 0} if compressed else {}
    fits.HDUList([fits.PrimaryHDU(), hdu(COUNTS.astype(dtype), **options)]).writeto(path)
    image = given(path)
    assert (image.plane.hdu, image.shape) == (1, SHAPE)
    counts, weight = image.read(slice(3, 7), slice(10, 40))
    np.testing.assert_array_equal(counts, COUNTS[3:7, 10:])
    assert weight is None


def test_a_section_is_all_that_is_in_memory(tmp_path):
    path = write_fits(tmp_path / "large.fits", np.zeros((3000, 3000), np.float32))
    image = given(path)
    tracemalloc.start()
    image.read(slice(1000, 1041), slice(0, 3000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.2 * 3000 * 3000 * 4


def test_scaled_integers_and_their_blanks(tmp_path):
    hdu = fits.PrimaryHDU(np.arange(1200, dtype=np.int16).reshape(SHAPE))
    hdu.header["BLANK"] = 7
    hdu.writeto(tmp_path / "r.fits")
    counts, _ = given(tmp_path / "r.fits").read(*ALL)
    assert np.isnan(counts[0, 7])
    assert np.isnan(counts).sum() == 1


class TestZeroPoint:
    @pytest.mark.parametrize("key", ["MAGZERO", "MAGZPT", "PHOTZP", "ZP"])
    def test_of_the_header(self, tmp_path, key):
        image = open_image(write_fits(tmp_path / "r.fits", COUNTS, tan(SHAPE), **{key: 25.7}))
        assert image.njy_per_count == pytest.approx(10 ** (0.4 * (31.4 - 25.7)), rel=1e-12)
        assert any(f"zero point 25.7, its header's {key}" in note for note in image.notes)

    def test_of_the_primary_header(self, tmp_path):
        path = write_fits(tmp_path / "r.fits", COUNTS, compressed=True)
        fits.setval(path, "MAGZERO", value=30.0)
        assert open_image(path, pixel_scale=SCALE).njy_per_count == pytest.approx(njy_from_abmag(30.0))

    def test_what_is_given_goes_first(self, tmp_path):
        path = write_fits(tmp_path / "r.fits", COUNTS, MAGZERO=25.0)
        assert given(path).njy_per_count == pytest.approx(NJY)
        assert given(path, zeropoint=0.0).njy_per_count == pytest.approx(10**12.56)

    def test_of_the_unit(self, tmp_path):
        path = write_fits(tmp_path / "r.fits", COUNTS, BUNIT="nanomaggy")
        assert given(path, zeropoint=None).njy_per_count == pytest.approx(njy_from_abmag(22.5))

    @pytest.mark.parametrize(
        ("keys", "said"),
        [
            ({}, "no zero point under MAGZERO, MAGZPT"),
            ({"BUNIT": "adu"}, "BUNIT = 'adu' is not a flux density"),
            ({"MAGZERO": 25.0, "ZP": 26.0}, "several zero points, MAGZERO = 25, ZP = 26"),
            ({"MAGZERO": "unknown"}, "MAGZERO = 'unknown' in its header is not a number"),
        ],
    )
    def test_refused(self, tmp_path, keys, said):
        with pytest.raises(RequestError, match=said):
            given(write_fits(tmp_path / "r.fits", COUNTS, **keys), zeropoint=None)


class TestNoData:
    def bad(self, image):
        return np.argwhere(np.isnan(image.read(*ALL)[0])).tolist()

    def test_saturated(self, tmp_path):
        path = write_fits(tmp_path / "r.fits", COUNTS, SATURATE=1198.0)
        assert self.bad(given(path)) == [[29, 38], [29, 39]]
        assert self.bad(given(path, saturation=np.inf)) == []
        assert self.bad(given(write_fits(path, COUNTS, SATURATE=0.0))) == []

    def test_masked_nan_and_without_weight(self, tmp_path):
        counts, mask, weight = COUNTS.copy(), np.zeros(SHAPE, np.int16), np.full(SHAPE, 4, np.float32)
        counts[1, 2], mask[3, 4], weight[5, 6], weight[7, 8] = np.nan, 64, 0, np.nan
        path = write_fits(tmp_path / "r.fits", counts, extra=[("mask", mask), ("wht", weight)])
        image = given(path, mask=f"{path}:MASK", weight=f"{path}:wht")
        assert self.bad(image) == [[1, 2], [3, 4], [5, 6], [7, 8]]

    @pytest.mark.parametrize(("kind", "value"), [("ivar", 0.25), ("rms", 2.0), ("variance", 4.0), ("relative", 0.25)])
    def test_kinds_of_weight(self, tmp_path, kind, value):
        path = write_fits(tmp_path / "r.fits", COUNTS, extra=[("wht", np.full(SHAPE, value, np.float32))])
        _, ivar = given(path, weight=f"{path}:1", weight_kind=kind).read(*ALL)
        np.testing.assert_allclose(ivar, 0.25)


class TestWhichImage:
    def test_the_first_of_several_is_taken_and_said(self, tmp_path):
        path = write_fits(tmp_path / "r.fits", COUNTS, compressed=True, extra=[("SCI", -COUNTS)])
        plane = open_plane(path)
        assert plane.hdu == 1
        assert f"has 2 images, {path}:1 (COMPRESSED_IMAGE), {path}:2 (SCI); the first was taken" in plane.notes[0]
        assert open_plane(f"{path}:2").read(*ALL)[0, 1] == -1
        assert open_plane(f"{path}:sci").notes == ()

    @pytest.mark.parametrize(
        ("part", "said"),
        [
            (":7", r"has no HDU '7'; it has 0 \(PRIMARY\), 1 \(COMPRESSED_IMAGE\)"),
            (":SCI", "has no HDU 'SCI'"),
            (":0", r"is no two-dimensional image; accepted: .*:1"),
        ],
    )
    def test_not_there(self, tmp_path, part, said):
        path = write_fits(tmp_path / "r.fits", COUNTS, compressed=True)
        with pytest.raises(RequestError, match=said):
            open_plane(f"{path}{part}")

    def test_no_image_at_all(self, tmp_path):
        with pytest.raises(RequestError, match="no such file"):
            open_plane(tmp_path / "r.fits")
        with pytest.raises(RequestError, match="is a directory"):
            open_plane(tmp_path)
        (tmp_path / "r.fits").write_text("flux")
        with pytest.raises(RequestError, match="cannot be read as"):
            open_plane(tmp_path / "r.fits")
        path = write_fits(tmp_path / "cube.fits", np.zeros((3, 4, 5), np.float32))
        with pytest.raises(RequestError, match=r"no two-dimensional image; its shapes are \(3, 4, 5\)"):
            open_plane(path)

    def test_truncated(self, tmp_path):
        path = write_fits(tmp_path / "r.fits", np.ones((300, 300), np.float32))
        path.write_bytes(path.read_bytes()[:20000])
        with pytest.raises(RequestError, match=r"r\.fits"):
            given(path).read(slice(280, 300), slice(0, 300))


@pytest.mark.parametrize("kind", ["weight", "mask"])
def test_maps_of_another_shape(tmp_path, kind):
    path = write_fits(tmp_path / "r.fits", COUNTS)
    other = write_fits(tmp_path / "map.fits", COUNTS[1:])
    with pytest.raises(
        RequestError, match=rf"map\.fits:0: the {kind} map has shape \(29, 40\); its image .* \(30, 40\)"
    ):
        given(path, **{kind: other})


class TestWCS:
    def test_positions(self, tmp_path):
        wcs = tan(SHAPE)
        image = open_image(write_fits(tmp_path / "r.fits", COUNTS, wcs, compressed=True), zeropoint=ZEROPOINT)
        assert image.pixel_scale == pytest.approx(SCALE, rel=1e-6)
        x, y = np.array([0.0, 12.3, 39.0]), np.array([0.0, 20.1, -4.0])
        np.testing.assert_allclose(image.pixels(*wcs.wcs_pix2world(x, y, 0)), (x, y), atol=1e-6)
        x, y = image.pixels(np.array([np.nan, 330.0, 150.0]), np.array([2.0, -2.0, 95.0]))
        assert np.isnan(x).all()

    def test_galactic_coordinates(self, tmp_path):
        from astropy.coordinates import SkyCoord

        wcs = tan(SHAPE, ra=237.0, dec=42.0)
        wcs.wcs.ctype = "GLON-TAN", "GLAT-TAN"
        image = open_image(write_fits(tmp_path / "r.fits", COUNTS, wcs), zeropoint=ZEROPOINT)
        at = SkyCoord(237.0, 42.0, unit="deg", frame="galactic").icrs
        np.testing.assert_allclose(image.pixels([at.ra.deg], [at.dec.deg]), [[19.5], [14.5]], atol=1e-5)

    def test_distortions(self, tmp_path):
        wcs = tan(SHAPE)
        wcs.wcs.ctype = "RA---TAN-SIP", "DEC--TAN-SIP"
        bend = np.zeros((3, 3))
        bend[2, 0] = 1e-3
        wcs.sip = Sip(bend, bend.T, None, None, wcs.wcs.crpix)
        path = tmp_path / "r.fits"
        fits.PrimaryHDU(COUNTS, wcs.to_header(relax=True)).writeto(path)
        image = open_image(path, zeropoint=ZEROPOINT)
        x, y = np.array([0.0, 12.3, 39.0]), np.array([0.0, 20.1, 29.0])
        np.testing.assert_allclose(image.pixels(*wcs.all_pix2world(x, y, 0)), (x, y), atol=1e-3)
        far = image.pixels(np.array([170.0]), np.array([2.0]))
        assert abs(far[0]) > 1e5

    def test_none(self, tmp_path):
        path = write_fits(tmp_path / "r.fits", COUNTS)
        with pytest.raises(RequestError, match="no celestial WCS to tell its pixel scale"):
            open_image(path, zeropoint=ZEROPOINT)
        with pytest.raises(RequestError, match=r"r\.fits:0: has no celestial WCS .* accepted: positions in pixels"):
            given(path).pixels(np.array([150.0]), np.array([2.0]))

    def test_another_pixel_scale(self, tmp_path):
        path = write_fits(tmp_path / "r.fits", COUNTS, tan(SHAPE, scale=0.263))
        with pytest.raises(RequestError, match=r"has pixels of 0\.263 arcsec by its WCS; 0\.2 arcsec was asked for"):
            given(path)
        oblong = tan(SHAPE)
        oblong.wcs.cdelt = -0.2 / 3600, 0.3 / 3600
        with pytest.raises(RequestError, match=r"pixels of 0\.2 by 0\.3 arcsec; accepted: square ones"):
            given(write_fits(path, COUNTS, oblong))

    def test_one_grid(self, tmp_path):
        mirrored = tan(SHAPE)
        mirrored.wcs.cdelt = 0.2 / 3600, 0.2 / 3600
        worlds = {"a": tan(SHAPE), "b": tan(SHAPE, ra=151.0), "c": tan(SHAPE, scale=0.25), "d": mirrored}
        images = {
            name: open_image(write_fits(tmp_path / f"{name}.fits", COUNTS, wcs), zeropoint=ZEROPOINT)
            for name, wcs in worlds.items()
        }
        same_grid([images["a"], images["b"]])
        with pytest.raises(RequestError, match=r"c\.fits:0: has pixels of 0\.25 arcsec, .*a\.fits:0 of 0\.2"):
            same_grid([images["a"], images["c"]])
        with pytest.raises(RequestError, match=r"d\.fits:0: its axes are turned or mirrored"):
            same_grid([images["a"], images["d"]])


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"weight_kind": "sigma"}, "weight_kind 'sigma'; accepted: ivar, variance, rms, relative"),
        ({"gain": 0.0}, "gain = 0.0; accepted: above zero"),
        ({"zeropoint": np.nan}, "zero point nan"),
        ({"saturation": np.nan}, "saturation = nan"),
        ({"pixel_scale": -1.0}, "pixel scale -1.0; accepted: above zero"),
    ],
)
def test_refused(tmp_path, other, said):
    with pytest.raises(RequestError, match=said):
        given(write_fits(tmp_path / "r.fits", COUNTS), **other)
