"""Tables as J-PAS's archive writes them: vectors of a value for each filter, their flags, and errors over the flux."""

import numpy as np
import pytest

from galprism import surveys
from galprism.data.tables import write_table
from galprism.errors import RequestError
from galprism.flags import Flag
from galprism.passbands.jpas import FILTERS
from galprism.surveys import read
from galprism.units import abmag_from_njy

JPAS = surveys.get("jpas")
ORDER = [*FILTERS, "i"]
"""Of the vectors' elements, by our names."""
N = 40


@pytest.fixture(scope="module")
def sky():
    """Fluxes and errors (N, 57) in nJy, in the order of the archive."""
    rng = np.random.default_rng(2)
    flux = 20_000 * 10 ** rng.uniform(0, 1, (N, 1)) * np.linspace(0.5, 2.0, 57) * rng.uniform(0.9, 1.1, (N, 57))
    return flux, flux * rng.uniform(0.01, 0.1, (N, 57))


def table(tmp_path, sky, kind="mag", n_filters=57, **more):
    flux, err = sky
    if n_filters == 60:  # u, g and r before i
        flux, err = (np.insert(each, [56] * 3, 123.0, axis=1) for each in sky)
    if kind == "mag":
        columns = {"MAG_AUTO": abmag_from_njy(flux), "MAG_ERR_AUTO": err / flux / 0.4 / np.log(10)}
    else:
        columns = {"FLUX_APER_COR_3_0": flux / 1000, "FLUX_RELERR_APER_COR_3_0": err / flux}
    path = tmp_path / "archive.fits"
    columns = {"NUMBER": np.arange(7, 7 + N), "ALPHA_J2000": np.linspace(1, 2, N), "DELTA_J2000": np.zeros(N)} | columns
    columns |= {name: change(columns[name]) if callable(change) else change for name, change in more.items()}
    write_table(path, columns, units={"FLUX_APER_COR_3_0": "uJy"} if kind == "flux" else {})
    return path


@pytest.mark.parametrize(("kind", "n_filters"), [("mag", 57), ("mag", 60), ("flux", 57), ("flux", 60)])
def test_vectors_are_the_bands_by_name(tmp_path, sky, kind, n_filters):
    """Magnitudes and fluxes say the same, and neither i nor the filters around it trade places."""
    sources = read(table(tmp_path, sky, kind, n_filters), JPAS)
    flux, err = sky
    place = [ORDER.index(band) for band in sources.photometry.bands]
    np.testing.assert_allclose(sources.photometry.flux, flux[:, place], rtol=1e-4)
    np.testing.assert_allclose(sources.photometry.flux_err, err[:, place], rtol=1e-3)
    np.testing.assert_array_equal(sources.id, np.arange(7, 7 + N))
    assert not sources.flags.any()


def test_flags_take_a_band_away(tmp_path, sky):
    """Blended and with neighbours is what galaxies are; saturated, or behind a mask, is no measurement."""
    flags, mask = np.zeros((N, 57), np.int32), np.zeros((N, 57), np.int32)
    flags[0, 10], flags[1, 11], mask[2, 56] = 3, 4, 1
    sources = read(table(tmp_path, sky, FLAGS=flags, MASK_FLAGS=mask), JPAS)
    ivar = sources.photometry.ivar
    lost = np.argwhere(ivar == 0).tolist()
    assert lost == [[1, JPAS.band_names.index(ORDER[11])], [2, JPAS.band_names.index("i")]]
    np.testing.assert_array_equal(np.flatnonzero(sources.flags & Flag.BAND_MISSING), [1, 2])


def test_what_was_not_seen(tmp_path, sky):
    def change(magnitude):
        magnitude = magnitude.copy()
        magnitude[0, 3], magnitude[1, 4] = 99.0, -99.0
        return magnitude

    sources = read(table(tmp_path, sky, MAG_AUTO=change), JPAS)
    undetected, unobserved = (JPAS.band_names.index(ORDER[k]) for k in (3, 4))
    assert sources.photometry.ivar[0, undetected] > 0  # the sky's noise is known
    assert sources.photometry.flux[0, undetected] == 0
    assert sources.photometry.ivar[1, unobserved] == 0
    assert sources.flags[0] == Flag.UPPER_LIMIT
    assert sources.flags[1] == Flag.BAND_MISSING


def test_vectors_of_another_length_are_refused(tmp_path, sky):
    short = table(tmp_path, tuple(each[:, :12] for each in sky))
    with pytest.raises(RequestError, match=r"column MAG_AUTO has 12 elements a row; expected 57"):
        read(short, JPAS)
    with pytest.raises(
        RequestError, match=r"preset minijpas-mag-auto: column MAG_AUTO has 57 elements a row; expected 60"
    ):
        read(table(tmp_path, sky), JPAS, preset="minijpas-mag-auto")


def test_flags_that_are_none(tmp_path, sky):
    with pytest.raises(RequestError, match="column FLAGS holds float64; expected flags, whole numbers"):
        read(table(tmp_path, sky, FLAGS=np.zeros((N, 57))), JPAS)


def test_several_kinds_in_one_table(tmp_path, sky):
    """As the archive's tables are: the user says which."""
    both = {"MAG_APER_COR_3_0": abmag_from_njy(sky[0]), "MAG_ERR_APER_COR_3_0": np.full((N, 57), 0.05)}
    path = table(tmp_path, sky, **both)
    with pytest.raises(RequestError, match="several presets of jpas fit the table: jpas-mag-auto, jpas-mag-aper-cor-3"):
        read(path, JPAS)
    assert read(path, JPAS, preset="jpas-mag-aper-cor-3").photometry.ivar.all()
