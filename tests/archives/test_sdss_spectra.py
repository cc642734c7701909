"""Files of spectra: whole, of the fibre that was asked for, and where that is."""

import pytest

from galprism.archives.client import Unsound
from galprism.archives.sdss_spectra import check_spectrum, spectrum_path
from made_archive import THINGS, made_spectrum

ONE = THINGS[0]


@pytest.fixture
def check(tmp_path):
    """Hold the content of a file against the first of the things."""

    def run(content):
        path = tmp_path / "spec.fits"
        path.write_bytes(content)
        check_spectrum(path, ONE.fiber, *ONE.sky)

    return run


def test_a_spectrum_is_one(check):
    check(made_spectrum(ONE))


def test_where_it_is():
    assert spectrum_path("v5_13_2", (10222, 58224, 985)).endswith(
        "v5_13_2/spectra/lite/10222/spec-10222-58224-0985.fits"
    )
    assert spectrum_path("26", (266, 51602, 3)).endswith("26/spectra/lite/0266/spec-0266-51602-0003.fits")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda: made_spectrum(THINGS[1]), "is the spectrum 0266-51602-0014, not 0266-51602-0013"),
        (lambda: made_spectrum(ONE, PLUG_DEC=ONE.sky[1] + 3 / 3600), "3.0 arcsec from where"),
        (lambda: made_spectrum(ONE)[:20000], "no spectrum|not the whole"),
        (lambda: made_spectrum(ONE)[:-2880], "no spectrum|not the whole"),
        (lambda: made_spectrum(ONE)[:-1], "no spectrum|not the whole"),
        (lambda: b"<html></html>", "^is no FITS file$"),
        (lambda: b"", "^is no FITS file$"),
    ],
)
def test_other_files_are_none(content, said, check):
    with pytest.raises(Unsound, match=said):
        check(content())
