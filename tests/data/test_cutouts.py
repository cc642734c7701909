from dataclasses import replace

import numpy as np
import pytest

from galprism import surveys
from galprism.data import Cutouts, Photometry, Sources
from galprism.errors import RequestError
from galprism.surveys.reading import concatenate

N, BANDS, SHAPE = 5, ("g", "r"), (7, 9)


def cutouts(n=N, first=0, **other) -> Cutouts:
    """Pixels that say whose they are: flux = 100 source + band."""
    flux = (100.0 * (first + np.arange(n))[:, None] + np.arange(2)).astype(np.float32)
    flux = np.tile(flux[:, :, None, None], (1, 1, *SHAPE))
    parts = {"flux": flux, "ivar": np.ones_like(flux), "bands": BANDS, "pixel_scale": 0.2}
    return Cutouts(**{**parts, "psf_fwhm": np.full((n, 2), 0.7), **other})


def test_lengths_and_shapes():
    made = cutouts()
    assert len(made) == N
    assert made.shape == SHAPE
    assert made.flux.dtype == np.float32
    assert made.psf_fwhm.shape == (N, 2)
    assert len(cutouts(0)) == 0


@pytest.mark.parametrize("rows", [slice(1, 4), np.array([3, 0]), np.arange(N) % 2 == 0], ids=["slice", "list", "mask"])
def test_take(rows):
    taken = cutouts().take(rows)
    np.testing.assert_array_equal(taken.flux[:, 0, 0, 0], 100 * np.arange(N)[rows])
    assert len(taken.ivar) == len(taken.psf_fwhm) == len(taken)


def test_what_is_masked_is_not_observed():
    ivar = np.ones((N, 2, *SHAPE), np.float32)
    ivar[2, 1, 3, 4] = 0
    made = cutouts(ivar=ivar)
    assert made.observed.sum() == ivar.size - 1
    assert not made.observed[2, 1, 3, 4]


def test_frozen():
    made = cutouts()
    with pytest.raises(ValueError, match="read-only"):
        made.flux[0] = 1
    with pytest.raises(AttributeError):
        made.pixel_scale = 1.0


def test_joined_end_to_end():
    parts = [cutouts(2), cutouts(3, first=2, psf_fwhm=None)]
    whole = Cutouts.joined(parts)
    np.testing.assert_array_equal(whole.flux, cutouts().flux)
    assert np.isnan(whole.psf_fwhm[2:]).all()
    np.testing.assert_allclose(whole.psf_fwhm[:2], 0.7)
    assert Cutouts.joined([cutouts(psf_fwhm=None)] * 2).psf_fwhm is None


@pytest.mark.parametrize("other", [{"bands": ("r", "g")}, {"pixel_scale": 0.3}])
def test_what_differs_is_not_joined(other):
    with pytest.raises(RequestError, match=r"cutouts of .* cannot be joined to those of g, r, 7 x 9 pixels of 0.2 arc"):
        Cutouts.joined([cutouts(), cutouts(**other)])
    with pytest.raises(RequestError, match="no cutouts to join"):
        Cutouts.joined([])


def holed(value):
    pixels = np.ones((N, 2, *SHAPE), np.float32)
    pixels[1, 1, 2, 2] = value
    return pixels


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            {"flux": holed(np.nan)},
            r"flux = nan in band r at y, x = 2, 2; .* a pixel without data has ivar = 0, and flux = 0 \(row 1\)",
        ),
        ({"ivar": holed(-1)}, "ivar = -1 in band r at y, x = 2, 2; accepted: 0 where there are no data"),
        ({"ivar": holed(np.nan)}, "ivar = nan in band r"),
        ({"ivar": holed(np.inf)}, "ivar = inf in band r"),
        ({"ivar": np.ones((N, 2, 7, 8))}, r"ivar has shape \(5, 2, 7, 8\); expected \(5, 2, 7, 9\)"),
        ({"flux": np.ones((N, 7, 9))}, r"flux has shape \(5, 7, 9\); expected \(N, 2, H, W\)"),
        ({"flux": np.ones((N, 2, *SHAPE), int)}, "flux is int64 and ivar float32; accepted: float32, float64"),
        ({"bands": ("r",)}, r"expected \(N, 1, H, W\) for bands \('r',\)"),
        ({"bands": ("r", "r")}, "names a band twice"),
        ({"bands": "gr"}, "expected a tuple of names"),
        ({"pixel_scale": 0.0}, "pixel_scale = 0.0; accepted: above zero"),
        ({"pixel_scale": np.nan}, "pixel_scale = nan; accepted: above zero"),
        ({"psf_fwhm": np.ones(N)}, r"psf_fwhm has shape \(5,\); expected \(5, 2\)"),
        ({"psf_fwhm": np.zeros((N, 2))}, r"psf_fwhm = 0 in band g; accepted: positive, .* \(row 0\)"),
    ],
)
def test_refused(other, said):
    with pytest.raises(RequestError, match=said):
        cutouts(**other)


class TestOfSources:
    def test_taken_with_them(self):
        sources = Sources(id=np.arange(N), cutouts=cutouts())
        taken = sources.take(np.array([4, 2]))
        np.testing.assert_array_equal(taken.cutouts.flux[:, 1, 0, 0], [401, 201])
        assert Sources(id=np.arange(N)).take(slice(2)).cutouts is None

    def test_not_as_many(self):
        with pytest.raises(RequestError, match="Sources has 4 ids and 5 rows of cutouts"):
            Sources(id=np.arange(4), cutouts=cutouts())

    def test_concatenated(self):
        survey = surveys.get("kids").without(surveys.get("kids").band_names[1:])
        flux = np.ones((N, 1), np.float32)
        whole = Sources(id=np.arange(N), photometry=Photometry(flux, flux, ("u",)), cutouts=cutouts())
        again = concatenate([whole.take(slice(2)), whole.take(slice(2, None))], survey)
        np.testing.assert_array_equal(again.cutouts.flux, whole.cutouts.flux)
        with pytest.raises(RequestError, match="rows of cutouts"):
            concatenate([whole, replace(whole, cutouts=None)], survey)
