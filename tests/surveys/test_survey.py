"""What a survey says of itself, and where surveys are found."""

import numpy as np
import pytest

from galprism import passbands, surveys
from galprism.errors import RequestError
from galprism.surveys import Band, Preset, Survey
from galprism.surveys.registry import _shipped


def test_the_bands_of_kids_and_sdss(kids, sdss):
    assert kids.band_names == ("u", "g", "r", "i", "Z", "Y", "J", "H", "Ks")
    assert sdss.band_names == ("u", "g", "r", "i", "z")
    assert {"kids", "sdss"} <= set(surveys.names())


@pytest.mark.parametrize("name", surveys.names())
def test_every_survey_is_sound(name):
    """Its curves exist and run from blue to red, and a source at the depth has S/N of 5."""
    survey = surveys.get(name)
    pivots = [passbands.get(band.passband).pivot for band in survey.bands]
    assert pivots == sorted(pivots)
    assert all(a.extinction > b.extinction for a, b in zip(survey.bands, survey.bands[1:], strict=False))
    at_depth = 10 ** (0.4 * (31.4 - np.array([[band.depth for band in survey.bands]])))
    np.testing.assert_allclose(at_depth / survey.sky_err(), 5.0, rtol=1e-12)
    # A factor of 1000 is 7.5 mag: the range has to be narrow enough to notice it, and to hold the depth.
    assert all(band.mag_faint - band.mag_bright < 12 for band in survey.bands)


def test_noise_is_sky_and_zeropoint_in_quadrature(kids):
    faint, bright = np.zeros((2, 9)), np.full((1, 9), 1e8)
    np.testing.assert_allclose(kids.flux_err(faint), np.tile(kids.sky_err(), (2, 1)))
    fraction = kids.flux_err(bright) / bright
    np.testing.assert_allclose(fraction[0], [np.log(10) / 2.5 * band.zeropoint_error for band in kids.bands], rtol=1e-3)
    assert kids.sky_err()[2] == pytest.approx(10 ** (0.4 * (31.4 - 25.02)) / 5)
    with pytest.raises(RequestError, match=r"shape \(3, 4\); expected \(N, 9\)"):
        kids.flux_err(np.zeros((3, 4)))


def test_a_survey_can_leave_bands_out(kids):
    optical = kids.without(("Z", "Y", "J", "H", "Ks"))
    assert optical.band_names == ("u", "g", "r", "i")
    assert optical.sky_err().shape == (4,)
    assert kids.without("u").band_names == kids.band_names[1:]
    with pytest.raises(RequestError, match="kids has no band K; it has u, g"):
        kids.without(("K",))


def test_an_unknown_survey_is_answered_with_the_known(tmp_path):
    with pytest.raises(RequestError, match=r"did you mean kids\? \(known: euclid, hsc, jpas, kids, rubin, sdss"):
        surveys.get("kid")
    with pytest.raises(RequestError, match="cannot read"):
        surveys.get(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text('name = "bad"\nbands = []\ndepth = 3\n')
    with pytest.raises(RequestError, match=r"bad.toml: unknown key 'depth'"):
        surveys.get(tmp_path / "bad.toml")


def test_one_file_in_the_folder_is_enough(tmp_path, monkeypatch):
    (tmp_path / "moa_made_up.py").write_text(
        "from galprism.surveys.band import Band\nfrom galprism.surveys.survey import Survey\n"
        'SURVEY = Survey("moa", (Band("g", "sdss/g", 24.0, 0.02, 3.3, 15.0, 26.0),))\n'
    )
    monkeypatch.setattr(surveys, "__path__", [*surveys.__path__, str(tmp_path)])
    _shipped.cache_clear()
    try:
        assert surveys.get("moa").band_names == ("g",)
        assert surveys.names() == ["euclid", "hsc", "jpas", "kids", "moa", "rubin", "sdss", "splus"]
    finally:
        monkeypatch.undo()
        _shipped.cache_clear()


GOOD = ("g", "sdss/g", 24.0, 0.02, 3.3, 15.0, 26.0)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Band("g", "sdss/g", 27.0, 0.02, 3.3, 15.0, 26.0), "expected mag_bright < depth <= mag_faint"),
        (lambda: Band("g", "sdss/g", 24.0, -0.02, 3.3, 15.0, 26.0), "must not be negative"),
        (lambda: Survey("none", ()), "has no bands"),
        (lambda: Survey("twice", (Band(*GOOD), Band(*GOOD))), "names a band twice: g, g"),
        (lambda: Survey("odd", (Band("err_g", *GOOD[1:]),)), "a band cannot be called"),
        (lambda: Preset("p", "flux", "err_{band}", "flux"), r"value = 'flux' has no \{band\}"),
        (lambda: Preset("p", "m_{band}", "e_{band}", "mag", unit="mJy"), "neither a flux unit"),
    ],
)
def test_what_is_no_survey_is_refused(make, says):
    with pytest.raises(RequestError, match=says):
        make()
