from dataclasses import replace

import numpy as np
import pytest

from galprism import surveys
from galprism.data import Photometry, Sources, Spectra
from galprism.data.rest_frame import observed_from_rest, rest_from_observed
from galprism.data.spectra import gaps
from galprism.data.spectrum_files import with_spectra
from galprism.data.spectrum_noise import signal_to_noise
from galprism.errors import RequestError
from galprism.flags import names
from galprism.surveys.reading import concatenate

N, L = 5, 40
WAVE = 5000.0 + 2.0 * np.arange(L)


def spectra(n=N, first=0, **other) -> Spectra:
    """Fluxes that say whose they are: 10 source + pixel."""
    flux = (10.0 * (first + np.arange(n))[:, None] + np.arange(L)).astype(np.float32)
    return Spectra(**{"flux": flux, "ivar": np.full_like(flux, 4.0), "wave": WAVE, **other})


def test_lengths_and_edges():
    made = spectra()
    assert len(made) == N
    assert len(spectra(0)) == 0
    np.testing.assert_allclose(made.edges, np.append(WAVE - 1, WAVE[-1] + 1))
    assert made.described() == "40 pixels from 5000 to 5078 Angstrom"


@pytest.mark.parametrize("rows", [slice(1, 4), np.array([3, 0]), np.arange(N) % 2 == 0], ids=["slice", "list", "mask"])
def test_take(rows):
    each = np.tile(np.arange(1.0, N + 1)[:, None], (1, L))
    taken = spectra(lsf_sigma=each).take(rows)
    np.testing.assert_array_equal(taken.flux[:, 0], 10 * np.arange(N)[rows])
    np.testing.assert_array_equal(taken.lsf_sigma[:, 7], np.arange(1, N + 1)[rows])
    shared = spectra(lsf_sigma=np.full(L, 1.5)).take(rows)
    assert shared.lsf_sigma.shape == (L,)
    np.testing.assert_array_equal(shared.lsf_of_each(), np.full((len(taken), L), 1.5))


def test_what_has_no_data_is_not_observed():
    flux, ivar = np.ones((N, L)), np.ones((N, L))
    flux[2, 7] = ivar[2, 7] = 0
    flux[1, 1] = -3  # negative fluxes are legal
    made = spectra(flux=flux, ivar=ivar)
    np.testing.assert_array_equal(np.argwhere(~made.observed), [[2, 7]])
    assert np.isnan(made.lsf_of_each()).all()


def test_frozen():
    made = spectra()
    for array in (made.flux, made.ivar, made.wave):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(AttributeError):
        made.wave = WAVE


def test_joined_end_to_end():
    sigma = np.full(L, 1.2)
    whole = Spectra.joined([spectra(2, lsf_sigma=sigma), spectra(3, first=2)])
    np.testing.assert_array_equal(whole.flux, spectra().flux)
    np.testing.assert_allclose(whole.lsf_sigma[:2], 1.2)
    assert np.isnan(whole.lsf_sigma[2:]).all()
    assert Spectra.joined([spectra(), spectra()]).lsf_sigma is None
    assert Spectra.joined([spectra(lsf_sigma=sigma)] * 2).lsf_sigma.shape == (L,)
    assert Spectra.joined([spectra(lsf_sigma=sigma), spectra(lsf_sigma=sigma + 1)]).lsf_sigma.shape == (2 * N, L)


def test_what_differs_is_not_joined():
    with pytest.raises(RequestError, match=r"spectra of 40 pixels from 5001 .* cannot be joined to those of 40 pixels"):
        Spectra.joined([spectra(), spectra(wave=WAVE + 1)])
    with pytest.raises(RequestError, match="no spectra to join"):
        Spectra.joined([])


def holed(value):
    pixels = np.ones((N, L), np.float32)
    pixels[1, 3] = value
    return pixels


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"flux": holed(np.nan)}, "flux is not finite somewhere; a pixel without data has ivar = 0"),
        ({"ivar": holed(-1)}, "ivar is negative or not finite somewhere"),
        ({"ivar": holed(np.nan)}, "ivar is negative or not finite somewhere"),
        ({"ivar": holed(0)}, "flux is not 0 somewhere where ivar = 0"),
        ({"ivar": np.ones((N, L - 1))}, r"ivar has shape \(5, 39\); expected \(5, 40\)"),
        ({"flux": np.ones(L)}, r"flux has shape \(40,\); expected \(N, 40\) for its wavelengths"),
        ({"flux": np.ones((N, L), int)}, "flux is int64 and ivar float32; accepted: float32, float64"),
        ({"wave": WAVE[::-1]}, "wave does not ascend: 5078 and then 5076 at pixels 0, 1"),
        ({"wave": np.append(WAVE[:-1], WAVE[-2])}, "does not ascend: 5076 and then 5076 at pixels 38, 39"),
        ({"wave": WAVE - 5000}, "wave is not positive and finite somewhere"),
        ({"wave": WAVE[:1]}, r"wave has shape \(1,\); expected \(L,\), two pixels or more"),
        ({"lsf_sigma": np.ones(N)}, r"lsf_sigma has shape \(5,\); expected \(5, 40\), or \(40,\) for all alike"),
        ({"lsf_sigma": np.zeros(L)}, "lsf_sigma is not positive"),
    ],
)
def test_refused(other, said):
    with pytest.raises(RequestError, match=said):
        spectra(**other)


class TestOfSources:
    def test_taken_with_them(self):
        sources = Sources(id=np.arange(N), spectra=spectra())
        np.testing.assert_array_equal(sources.take(np.array([4, 2])).spectra.flux[:, 0], [40, 20])
        assert Sources(id=np.arange(N)).take(slice(2)).spectra is None

    def test_not_as_many(self):
        with pytest.raises(RequestError, match="Sources has 4 ids and 5 rows of spectra"):
            Sources(id=np.arange(4), spectra=spectra())

    def test_concatenated(self):
        survey = surveys.get("kids").without(surveys.get("kids").band_names[1:])
        flux = np.ones((N, 1), np.float32)
        whole = Sources(id=np.arange(N), photometry=Photometry(flux, flux, ("u",)), spectra=spectra())
        again = concatenate([whole.take(slice(2)), whole.take(slice(2, None))], survey)
        np.testing.assert_array_equal(again.spectra.flux, whole.spectra.flux)
        with pytest.raises(RequestError, match="rows of spectra"):
            concatenate([whole, replace(whole, spectra=None)], survey)


class TestJoinedById:
    def test_put_to_sources(self):
        sources = Sources(id=np.array(["a", "b", "c"]))
        sigma = np.tile(np.arange(1.0, N + 1)[:, None], (1, L))
        joined = with_spectra(sources, np.array(["c", "x", "a", "y", "z"]), spectra(lsf_sigma=sigma))
        np.testing.assert_array_equal(joined.spectra.flux[:, 1], [21, 0, 1])
        np.testing.assert_array_equal(joined.spectra.lsf_sigma[:, 0], [3, np.nan, 1])
        assert [names(value) for value in joined.flags] == [(), ("SPECTRUM_MISSING",), ()]

    def test_refused(self):
        sources = Sources(id=np.arange(2))
        with pytest.raises(RequestError, match="there are several spectra of id 1"):
            with_spectra(sources, np.array([1, 0, 1, 2, 3]), spectra())
        with pytest.raises(RequestError, match="4 ids were given for 5 spectra"):
            with_spectra(sources, np.arange(4), spectra())


def test_rest_and_observed():
    """Lyman alpha of z = 2.5 falls at 4254.85 Angstrom, and comes back."""
    assert observed_from_rest(1215.67, 2.5) == pytest.approx(4254.845)
    redshift = np.array([0.0, 0.1, np.nan])
    rest = rest_from_observed(WAVE, redshift)
    assert rest.shape == (3, L)
    np.testing.assert_allclose(rest[1] * 1.1, WAVE)
    assert np.isnan(rest[2]).all()
    np.testing.assert_allclose(observed_from_rest(rest[1], 0.1), WAVE)
    with pytest.raises(RequestError, match=r"redshift -1.5; accepted: above -1"):
        rest_from_observed(WAVE, [-1.5, 0])


def test_gaps():
    assert len(gaps(10 ** np.linspace(3.5, 4, 500))) == 0
    np.testing.assert_array_equal(gaps(np.delete(WAVE, [10, 20, 21])), [9, 18])
    assert len(gaps(np.concatenate([np.arange(10.0, 20), np.arange(20.0, 40, 3)]))) == 0  # wider pixels are no gap


class TestSignalToNoise:
    def test_of_a_planted_one(self):
        """The median over pixels that have data; per Angstrom it does not depend on how wide pixels are."""
        for width in (0.5, 2.0):
            wave = np.arange(5500.0, 7000.0, width)
            flux = np.full((2, len(wave)), 3.0)
            flux[1] *= -1
            ivar = np.full(flux.shape, 4.0 * width)  # noise 0.5 in 1 Angstrom
            flux[:, ::3] = ivar[:, ::3] = 0
            made = Spectra(flux, ivar, wave)
            np.testing.assert_allclose(signal_to_noise(made), [6, -6])
            np.testing.assert_allclose(signal_to_noise(made, per="pixel"), np.array([6, -6]) * np.sqrt(width))

    def test_only_the_band_counts(self):
        wave = np.arange(4000.0, 9000.0)
        flux = np.where((wave > 5590) & (wave < 6770), 1.0, 100.0)[None]
        made = Spectra(flux, np.ones(flux.shape), wave)
        assert signal_to_noise(made)[0] == 1
        assert signal_to_noise(made, None)[0] == 100

    def test_none_where_there_are_no_data(self):
        flux = np.ones((2, 1000))
        flux[1] = 0
        made = Spectra(flux, flux.copy(), np.arange(5700.0, 6700.0))
        np.testing.assert_array_equal(signal_to_noise(made), [1, np.nan])

    def test_refused(self):
        with pytest.raises(RequestError, match="band 5600 to 6760 Angstrom: there is no pixel in it of 40 pixels from"):
            signal_to_noise(spectra())
        with pytest.raises(RequestError, match="per 'nm'; accepted: Angstrom, pixel"):
            signal_to_noise(spectra(), None, per="nm")
