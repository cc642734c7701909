"""J-PAS's filters as modelled: where and how wide the survey says that they are."""

import numpy as np
import pytest

from galprism import passbands, surveys
from galprism.errors import RequestError
from galprism.passbands.jpas import FILTERS


def test_there_are_56_filters_of_which_54_are_narrow():
    assert len(FILTERS) == 56
    assert sum(width < 170 for _, width in FILTERS.values()) == 54
    centres = [centre for centre, _ in FILTERS.values()]
    assert centres == sorted(centres)


@pytest.mark.parametrize(
    ("name", "centre", "width"), [("J0378", 3791, 158), ("J0660", 6601, 143), ("J1007", 9505, 618)]
)
def test_a_curve_has_the_published_centre_and_width(name, centre, width):
    curve = passbands.get(f"jpas/{name}")
    fine = np.linspace(curve.wave[0], curve.wave[-1], 20_001)
    above = fine[curve(fine) >= 0.5]
    assert above[-1] - above[0] == pytest.approx(width, abs=1.0)
    assert 0.5 * (above[-1] + above[0]) == pytest.approx(centre, abs=0.5)
    assert "modelled" in curve.provenance["description"]
    assert "Benitez et al. (2014" in curve.provenance["source"]


def test_flat_light_is_the_same_in_every_filter():
    """A flat f_nu source: f_lambda goes as wave^-2."""
    wave = np.linspace(3000.0, 10_500.0, 200_001)
    seen = [passbands.abflux(passbands.get(f"jpas/{name}"), wave, 1e-10 * wave**-2.0) for name in FILTERS]
    np.testing.assert_allclose(seen, np.mean(seen), rtol=1e-4)


def test_the_survey_has_57_bands_and_blue_light_is_reddened_more():
    survey = surveys.get("jpas")
    assert len(survey.bands) == 57
    assert {"i", "uJPAS", "J1007"} < set(survey.band_names)
    extinction = [band.extinction for band in survey.bands]
    assert extinction == sorted(extinction, reverse=True)
    assert {band.name: band.depth for band in survey.bands}["J0660"] == 22.73


def test_a_filter_that_jpas_has_not():
    with pytest.raises(RequestError, match="J-PAS has no such filter; it has uJPAS, J0378"):
        passbands.get("jpas/J0385")
