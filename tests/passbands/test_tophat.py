import numpy as np
import pytest

from galprism import passbands
from galprism.errors import RequestError


def test_a_tophat_is_as_wide_as_it_says():
    band = passbands.get("tophat/5150x145")
    rising, falling = np.interp([0.5, 1.5], [0, 1, 1, 2], [band.wave[0], band.wave[1], band.wave[2], band.wave[3]])
    assert (band.wave[0] + band.wave[1]) / 2 == pytest.approx(5077.5)
    assert falling - rising == pytest.approx(145.0)
    assert band.effective_wavelength == pytest.approx(5150.0, abs=1.0)


def test_a_line_is_diluted_by_its_width():
    """Twice the width, half of what a line adds to the mean flux density."""
    wave = np.linspace(4000.0, 6500.0, 100_001)
    line = np.exp(-0.5 * ((wave - 5150.0) / 2.0) ** 2)
    narrow, wide = (passbands.abflux(passbands.get(f"tophat/5150x{w}"), wave, line) for w in (150, 300))
    assert narrow / wide == pytest.approx(2.0, rel=2e-3)


@pytest.mark.parametrize("name", ["tophat/", "tophat/5150", "tophat/145x5150", "tophat/5150x0", "tophat/axb"])
def test_another_form_is_refused(name):
    with pytest.raises(RequestError, match="expected tophat/CENTRExWIDTH in Angstrom"):
        passbands.get(name)
